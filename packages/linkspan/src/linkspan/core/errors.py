"""One tree of errors. Each says what happened, where, and what to do about it.

LinkspanError
├── ConfigError          linkspan.yaml, an environment variable or an argument is wrong   (exit 2)
├── SecretUnavailable    a secret reference cannot be resolved                            (exit 2)
├── Unreachable          no usable answer: DNS, TLS, refused, timeout, hibernating  (exit 3, retry)
├── RateLimited          429; carries the seconds to wait                           (exit 3, retry)
├── Ambiguous            a write was sent and its outcome is unknown: look before repeating (retry)
├── BadReply             an answer that is not what the API documents (HTML, cut JSON)      (retry)
├── NotAuthenticated     401                                                               (exit 1)
├── NotAuthorized        403 by an ACL, a policy or a scope                                (exit 1)
├── NotFound             404: absent, or hidden by an ACL                                  (exit 1)
├── Rejected             the platform refused the values: data policy, business rule, 400  (exit 1)
├── Stale                the far side moved on since it was read                           (retry)
├── ReadOnly             a read-only connection was asked to write: a bug in the caller    (exit 1)
└── Interrupted          stopped by a person; can be resumed                               (exit 4)
"""

from __future__ import annotations


class LinkspanError(Exception):
    """Something linkspan could not do.

    ``code`` is stable and documented, ``where`` is a file:line, an instance or a record, ``cause``
    and ``fix`` are sentences for people.
    """

    code = "error"
    exit_code = 1
    retryable = False

    def __init__(self, cause: str, *, fix: str = "", where: str = "", code: str | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.fix = fix
        self.where = where
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        fix = f" → {self.fix}" if self.fix else ""
        return f"{place}{self.cause}{fix}"

    def problem(self) -> dict[str, str]:
        """The shape of one entry of ``problems`` in ``--json`` output."""
        return {"code": self.code, "where": self.where, "cause": self.cause, "fix": self.fix}


class ConfigError(LinkspanError):
    """A value a person wrote is wrong; ``where`` is file:line."""

    code = "config"
    exit_code = 2


class SecretUnavailable(LinkspanError):
    """A secret reference names nothing that can be read."""

    code = "secret_unavailable"
    exit_code = 2


class Unreachable(LinkspanError):
    """No usable answer came, and nothing was committed by the request."""

    code = "unreachable"
    exit_code = 3
    retryable = True


class RateLimited(LinkspanError):
    """The instance or the peer asks for patience."""

    code = "rate_limited"
    exit_code = 3
    retryable = True

    def __init__(self, cause: str, *, retry_after: float, fix: str = "", where: str = "") -> None:
        super().__init__(cause, fix=fix, where=where)
        self.retry_after = retry_after


class Ambiguous(LinkspanError):
    """A write left and its outcome is unknown; it may have been committed."""

    code = "ambiguous"
    exit_code = 3
    retryable = True


class BadReply(LinkspanError):
    """The answer is not what the API documents."""

    code = "bad_reply"
    exit_code = 3
    retryable = True


class NotAuthenticated(LinkspanError):
    """401: who we are was not accepted."""

    code = "not_authenticated"


class NotAuthorized(LinkspanError):
    """403: what we want is not allowed to us."""

    code = "not_authorized"


class NotFound(LinkspanError):
    """404: the record is absent, or an ACL hides it."""

    code = "not_found"


class Rejected(LinkspanError):
    """The platform refused these values."""

    code = "rejected"


class Stale(LinkspanError):
    """The record changed between our read and our write."""

    code = "stale"
    retryable = True


class ReadOnly(LinkspanError):
    """A read-only connection refused to send a write."""

    code = "read_only"


class Interrupted(LinkspanError):
    """Stopped before the end; run again to go on."""

    code = "interrupted"
    exit_code = 4
