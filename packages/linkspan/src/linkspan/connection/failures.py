"""From an answer or a broken exchange to one error of ``core.errors``. Nothing else reads statuses.

Bodies and their meaning: ServiceNow docs (REST API HTTP response codes, Inbound REST API rate
limiting, Default quota rules) and answers measured on developer instances.

Codes, stable:
not_authenticated, mfa_required, oauth_refused · acl_insert, acl_update, acl_delete, query_acl,
table_acl, api_acl, scope_unscoped, missing_scope, edge_refused, not_authorized ·
business_rule_abort, data_policy, insert_failed, invalid_table, bad_uri, payload_too_large,
uri_too_long, tls_expected, rejected · not_found · rate_limited · server_error,
transaction_cancelled, unreachable, dns, refused, tls, timeout, connect_timeout, proxy, unsent ·
bad_reply, hibernating, html, cut_reply, redirected, too_large · ambiguous. The Table API adds
keyset_stuck and field_hidden, ``whoami`` adds identity_hidden.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import msgspec

from linkspan.core import clock
from linkspan.core.errors import (
    Ambiguous,
    BadReply,
    LinkspanError,
    NotAuthenticated,
    NotAuthorized,
    NotFound,
    RateLimited,
    Rejected,
    Unreachable,
)

# A reply without Retry-After still means "not now".
DEFAULT_RETRY_AFTER = 5.0
LONGEST_RETRY_AFTER = 3600.0

_LOOK_FIRST = "look the record up before repeating the write"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """The request an answer belongs to. ``safe``: repeating it changes nothing on the instance."""

    method: str
    path: str
    where: str
    safe: bool
    token_request: bool = False
    wants_json: bool = True


def failure(  # noqa: PLR0911 - one return a family of statuses
    sent: Sent, status: int, headers: Mapping[str, str], body: bytes
) -> LinkspanError | None:
    """The error this answer means, or None for an accepted one. ``headers`` has lower-case names."""
    if status < 300:
        return _disguised(sent, headers, body)
    if status < 400:
        return _redirected(sent, headers)
    if status == 401:
        return _unauthenticated(sent, headers)
    if status == 429:
        return _rate_limited(sent, headers, body)
    if status >= 500:
        return _server_error(sent, status, body)
    message, detail = _message(body)
    if status == 403:
        return _forbidden(sent, message, detail, html=_is_html(headers, body))
    if status == 404 and "does not represent any resource" not in message:
        return NotFound(
            f"{sent.method} {sent.path}: {detail or message or 'no such record'}",
            where=sent.where,
            fix="check the sys_id; an ACL or domain separation can hide a record that exists",
        )
    return _rejected(sent, status, message, detail)


def decode(sent: Sent, body: bytes) -> Any:
    """The JSON of an accepted answer; None for no body.

    Raises BadReply (Ambiguous after a write) when it is cut or carries the platform's error object:
    a list that was cancelled half-way has status 200 and the error appended to it.
    """
    if not body.strip():
        return None
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _, detail = _message(body)
        cause = detail or f"the answer is not complete JSON ({len(body)} bytes)"
        raise _unusable(sent, _cut_code(detail), cause, "ask for smaller pages") from error
    if isinstance(answer, dict) and "error" in answer:
        message, detail = _message(body)
        code = _cut_code(f"{message} {detail}") if "result" in answer else "bad_reply"
        raise _unusable(sent, code, f"an error with status 200: {detail or message}", "ask for smaller pages")
    return answer


def _cut_code(text: str) -> str:
    return "transaction_cancelled" if "Transaction cancelled" in text else "cut_reply"


def broken(sent: Sent, error: httpx2.RequestError | httpx2.InvalidURL) -> LinkspanError:
    """The error for an exchange that did not end in an answer."""
    if isinstance(error, httpx2.DecodingError):
        return _unusable(sent, "cut_reply", "the compressed answer cannot be unpacked")
    code, cause, fix = _transport_cause(error)
    if sent.safe or code in _NEVER_LEFT:
        return Unreachable(cause, where=sent.where, fix=fix, code=code)
    return Ambiguous(f"{sent.method} {sent.path} was sent, then: {cause}", where=sent.where, fix=_LOOK_FIRST)


def too_large(sent: Sent, limit: int) -> LinkspanError:
    """The error for an answer of more than ``limit`` bytes."""
    return _unusable(
        sent, "too_large", f"the answer is larger than {limit} bytes", "ask for fewer rows or fields"
    )


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


def _disguised(sent: Sent, headers: Mapping[str, str], body: bytes) -> LinkspanError | None:
    """A web page with status 200: a hibernating instance, a login page, a proxy."""
    if not sent.wants_json or not _is_html(headers, body):
        return None
    if b"hibernat" in body.lower():
        fix = "log in to developer.servicenow.com and wake it up"
        return _unusable(sent, "hibernating", "the instance is hibernating", fix)
    fix = "check the url: a login page or a proxy may be answering"
    return _unusable(sent, "html", "a web page came instead of JSON", fix)


def _unusable(sent: Sent, code: str, cause: str, fix: str = "") -> LinkspanError:
    text = f"{sent.method} {sent.path}: {cause}"
    if sent.safe:
        return BadReply(text, where=sent.where, fix=fix, code=code)
    return Ambiguous(f"{text}; the write may have been committed", where=sent.where, fix=_LOOK_FIRST)


def _redirected(sent: Sent, headers: Mapping[str, str]) -> LinkspanError:
    target = httpx2.URL(headers.get("location", ""))
    return BadReply(
        f"{sent.method} {sent.path}: redirected to {target.host or target.path or 'nowhere'}",
        where=sent.where,
        fix="use the instance's own url, e.g. https://acme.service-now.com",
        code="redirected",
    )


def _unauthenticated(sent: Sent, headers: Mapping[str, str]) -> LinkspanError:
    if sent.token_request:
        return NotAuthenticated(
            "the OAuth token request was refused (the instance does not say why)",
            where=sent.where,
            fix="check, in this order: client id and secret, user and password, "
            "that the grant type is enabled, the OAuth Application User, and that the account is active "
            "and not locked out; "
            "syslog has 'Exception on token flow'",
            code="oauth_refused",
        )
    if headers.get("x-mfa_token") == "invalid":
        return NotAuthenticated(
            "the account must give a one-time password",
            where=sent.where,
            fix="use OAuth, or exempt the machine account from multi-factor authentication",
            code="mfa_required",
        )
    return NotAuthenticated(
        f"{sent.method} {sent.path}: the credential was not accepted",
        where=sent.where,
        fix="a wrong password, a locked or inactive account and the basic authentication restriction "
        "look the same: tick 'Web service access only' on the account, or check its password and lock",
    )


def _rate_limited(sent: Sent, headers: Mapping[str, str], body: bytes) -> LinkspanError:
    _, detail = _message(body)
    return RateLimited(
        detail or "the instance's rate limit is reached",
        where=sent.where,
        retry_after=retry_after(headers),
        fix="lower requests_per_minute, or raise the rule in sys_rate_limit_rules",
    )


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait by Retry-After (seconds or an HTTP date), never more than an hour."""
    text = headers.get("retry-after", "").strip()
    try:
        # A gateway may add its own header to the instance's: "5, 30".
        seconds = max(float(part) for part in text.split(",")) if text else DEFAULT_RETRY_AFTER
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - clock.now()
        except ValueError:
            seconds = DEFAULT_RETRY_AFTER
    if not seconds >= 0:  # also refuses NaN
        return 0.0
    return min(seconds, LONGEST_RETRY_AFTER)


def _server_error(sent: Sent, status: int, body: bytes) -> LinkspanError:
    message, detail = _message(body)
    code = "transaction_cancelled" if "Transaction cancelled" in message + detail else "server_error"
    cause = f"{sent.method} {sent.path}: {status} {detail or message}".rstrip()
    if not sent.safe:
        return Ambiguous(
            f"{cause}; the write may have been committed", where=sent.where, fix=_LOOK_FIRST, code=code
        )
    fix = "ask for smaller pages or narrow the query" if code == "transaction_cancelled" else ""
    return Unreachable(cause, where=sent.where, fix=fix, code=code)


_BUSINESS_RULE = re.compile(r"aborted by Business Rule '(?P<name>[^'^]*)(\^(?P<id>[^']*))?'")
_SCOPE = re.compile(r"Missing required api access scope:?\s*(?P<name>\S*)")
_ACLS = {
    "ACL Exception Insert Failed": ("acl_insert", "create"),
    "ACL Exception Update Failed": ("acl_update", "write"),
    "ACL Exception Delete Failed": ("acl_delete", "delete"),
}


def _forbidden(sent: Sent, message: str, detail: str, *, html: bool) -> LinkspanError:
    text = f"{message} {detail}"
    for words, (code, operation) in _ACLS.items():
        if words in text:
            return NotAuthorized(
                f"{sent.method} {sent.path}: an access control refuses {operation}",
                where=sent.where,
                fix=f"grant the account a role that passes the table's {operation} access control",
                code=code,
            )
    if rule := _BUSINESS_RULE.search(text):
        return Rejected(
            f"{sent.method} {sent.path}: business rule '{rule['name']}' aborted the operation",
            where=sent.where,
            fix="ask the rule's owner what it requires, or send the field it asks for",
            code="business_rule_abort",
        )
    if "Data Policy Exception" in text:
        labels = detail.partition("Data Policy Exception:")[2].strip() or detail
        return Rejected(
            f"{sent.method} {sent.path}: data policy: {labels}",
            where=sent.where,
            fix="send these fields (the platform names labels; an unknown choice value counts as missing)",
            code="data_policy",
        )
    if "Error during insert" in text:
        return Rejected(
            f"{sent.method} {sent.path}: the record was not inserted: {detail}",
            where=sent.where,
            fix="a unique index may already hold this key",
            code="insert_failed",
        )
    return _not_authorized(sent, message, detail, html=html)


def _not_authorized(sent: Sent, message: str, detail: str, *, html: bool) -> NotAuthorized:
    text = f"{message} {detail}"
    code, cause, fix = (
        "not_authorized",
        detail or message or "forbidden",
        "grant the account the role this needs",
    )
    if "unscoped api" in text:
        code = "scope_unscoped"
        fix = "set the application registry to broadly scoped, or link the API to one of its auth scopes"
    elif scope := _SCOPE.search(text):
        code, fix = "missing_scope", f"give the application registry the auth scope {scope['name']}".rstrip()
    elif "Failed API level ACL Validation" in text:
        code = "api_acl"
        fix = "grant snc_platform_rest_api_access, or allow web services on the table"
    elif "No permission to read table" in text:
        code, fix = "table_acl", "grant the account a role that reads the table"
    elif "Insufficient rights to query records" in text or "Field(s) present in the query" in text:
        code = "query_acl"
        fix = "grant read on every field that the query filters or sorts by, or leave the field out"
    elif html:
        code, cause = "edge_refused", "refused before the platform answered"
        fix = "allow this machine's outgoing address in IP Address Access Control"
    return NotAuthorized(f"{sent.method} {sent.path}: {cause}", where=sent.where, fix=fix, code=code)


def _rejected(sent: Sent, status: int, message: str, detail: str) -> Rejected:
    text = f"{message} {detail}"
    code, fix = "rejected", ""
    if "does not represent any resource" in text:
        code, fix = "bad_uri", "the API's plugin may be missing on this instance, or the path is wrong"
    elif message.startswith("Invalid table"):
        code, fix = "invalid_table", "check the table's name and that its plugin is active"
    elif "Rejected large REST payload" in text or status == 413:
        code, fix = "payload_too_large", "send less at once"
    elif status == 414:
        code, fix = "uri_too_long", "shorten the query or split it"
    elif "requires TLS" in text:
        code, fix = "tls_expected", "write https:// in the url"
    return Rejected(
        f"{sent.method} {sent.path}: {status} {detail or message}".rstrip(),
        where=sent.where,
        fix=fix,
        code=code,
    )


_DETAIL = re.compile(rb'"detail"\s*:\s*"((?:[^"\\]|\\.)*)"')


def _message(body: bytes) -> tuple[str, str]:
    """``message`` and ``detail`` of the platform's error envelope; empty when there is none."""
    try:
        envelope = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = _DETAIL.search(body[-2000:])
        return "", found[1].decode("utf-8", "replace") if found else ""
    error = envelope.get("error") if isinstance(envelope, dict) else None
    if not isinstance(error, dict):
        return str(error or ""), ""
    return str(error.get("message") or ""), str(error.get("detail") or "")


def _is_html(headers: Mapping[str, str], body: bytes) -> bool:
    if "html" in headers.get("content-type", ""):
        return True
    return body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))


# ── exchanges without an answer ──────────────────────────────────────────────────────────────────

_NEVER_LEFT = frozenset({"dns", "refused", "tls", "proxy", "connect_timeout", "unsent"})


def _transport_cause(error: Exception) -> tuple[str, str, str]:  # noqa: PLR0911 - one return a cause
    """Code, cause and fix of what went wrong below HTTP."""
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, ssl.SSLError):
            return _tls_cause(link)
        if isinstance(link, socket.gaierror):
            return "dns", "the host name does not resolve", "check the url's host name and this machine's DNS"
    if any(isinstance(link, ConnectionRefusedError) for link in chain):
        return (
            "refused",
            "the connection was refused",
            "check the url's port and that the instance is running",
        )
    if isinstance(error, httpx2.ProxyError):
        return "proxy", f"the proxy refused: {error}", "check proxy in linkspan.yaml"
    if isinstance(error, httpx2.ConnectTimeout):
        return (
            "connect_timeout",
            "no connection within the time limit",
            "check the network, a firewall or the proxy",
        )
    if isinstance(error, httpx2.ConnectError):
        return "refused", f"the connection could not be made ({error})", "check the url and the network"
    if isinstance(
        error, (httpx2.PoolTimeout, httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, httpx2.InvalidURL)
    ):
        return "unsent", f"the request could not be sent ({error})", ""
    if isinstance(error, httpx2.TimeoutException):
        return (
            "timeout",
            "no answer within the time limit",
            "narrow the query; the platform itself stops after 60 s",
        )
    return "unreachable", f"the connection broke ({error or type(error).__name__})", ""


def _tls_cause(error: ssl.SSLError) -> tuple[str, str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message
        if "ostname mismatch" in reason or "IP address mismatch" in reason:
            return "tls", f"TLS: {reason}", "use the host name that the certificate is for"
        if "expired" in reason:
            return "tls", f"TLS: {reason}", "renew the certificate, or check this machine's clock"
        return "tls", f"TLS: {reason}", "set ca: to the PEM file of the authority that signed the certificate"
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "wrong version number" in reason:
        return (
            "tls",
            "TLS: the port answers without TLS",
            "write http:// for a loopback instance, or the TLS port",
        )
    return "tls", f"TLS: {reason}", "check proxy, ca and the port"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
