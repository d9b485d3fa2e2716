"""A connection: one instance, one credential, and how requests on it succeed or fail."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx2
import msgspec

from linkspan.config.values import InstanceConfig
from linkspan.connection import failures
from linkspan.connection.apis.table import TableApi
from linkspan.connection.auth import Credential, flow
from linkspan.connection.budget import Budget
from linkspan.connection.hold import Hold
from linkspan.connection.reply import Reply
from linkspan.connection.retry import Pause, repeat
from linkspan.connection.transport import TOKEN_PATH, USER_AGENT, Count, Line, only_reads, sending
from linkspan.core.errors import LinkspanError, NotAuthenticated, NotFound, RateLimited, Rejected

# The platform stops a transaction after 60 s; waiting a little longer hears its own answer.
TIMEOUT = httpx2.Timeout(70.0, connect=10.0, pool=70.0)
# An answer that drips is given up after this many seconds.
LONGEST_ANSWER = 300.0
LARGEST_BODY = 64 * 1024 * 1024
# 8182 bytes of request line pass and 8347 do not (measured on a developer instance).
LONGEST_URL = 8000

WHO_FIELDS = ("sys_id", "user_name", "name", "email", "active", "web_service_access_only", "time_zone")


@dataclass(frozen=True)
class _Shared:
    """What a connection and its read-only twins have in common."""

    auth: httpx2.Auth | None
    inner: httpx2.BaseTransport
    budget: Budget
    count: Count
    pause: Pause
    hold: Hold


class Connection:
    """Verbs on one instance as one user. Thread-safe. Make one with ``connect``.

    Every method raises the errors of ``core.errors`` and nothing else for what happens on the line.
    Safe requests are repeated up to three times; a write is sent once, and when its outcome is
    unknown the error is Ambiguous. While the instance asks for patience (429), requests wait for up
    to a minute.
    """

    def __init__(
        self, instance: InstanceConfig, shared: _Shared, *, read_only: bool, owner: bool = True
    ) -> None:
        self.instance = instance
        self.read_only = read_only
        self._shared = shared
        self._owner = owner
        self._client = httpx2.Client(
            transport=Line(shared.inner, budget=shared.budget, count=shared.count, read_only=read_only),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
        )
        self.table = TableApi(self)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Send one request and return its accepted answer.

        ``path`` starts with ``/``. ``json`` is encoded as the body; ``content`` is sent as it is.
        ``timeout`` is seconds to wait for the answer and for each next part of it (70 when None).
        """
        body = msgspec.json.encode(json) if json is not None else content
        request = self._client.build_request(
            method,
            self.instance.url + path,
            params={name: str(value) for name, value in params.items()} if params else None,
            content=body,
            headers={**({"Content-Type": "application/json"} if json is not None else {}), **(headers or {})},
            timeout=httpx2.Timeout(timeout, connect=10.0) if timeout is not None else TIMEOUT,
        )
        sent = failures.Sent(
            method=method,
            path=path,
            where=self.instance.name,
            safe=only_reads(method, request.url.path, request.headers, body or b""),
            wants_json="json" in request.headers["accept"],
        )
        if len(request.url.raw_path) > LONGEST_URL:
            raise Rejected(
                f"{method} {path}: the query makes a url of {len(request.url.raw_path)} bytes; "
                f"the platform takes about {LONGEST_URL}",
                where=sent.where,
                fix="split the query (shorter lists) or name fewer fields",
                code="uri_too_long",
            )
        if sent.safe:
            return repeat(lambda: self._exchange(sent, request))
        return self._exchange(sent, request)

    def whoami(self) -> dict[str, Any]:
        """The sys_user row this connection acts as. Raises NotFound when it may not read its own row."""
        me = self.table.first("sys_user", "sys_id=javascript:gs.getUserID()", WHO_FIELDS)
        if me is None:
            raise NotFound(
                "the account cannot read its own sys_user row",
                where=self.instance.name,
                fix="grant it read on sys_user, or check that the instance evaluates gs.getUserID()",
                code="identity_hidden",
            )
        return me

    @property
    def requests_made(self) -> int:
        """Requests that left, token requests and repeats included, with those of its read-only twins."""
        return self._shared.count.value

    def as_read_only(self) -> Connection:
        """The same line, on which nothing that writes can leave. Closing it leaves this one open."""
        return Connection(self.instance, self._shared, read_only=True, owner=False)

    def close(self) -> None:
        """Close the sockets."""
        self._client.close()
        if self._owner:
            self._shared.inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        mode = "read-only" if self.read_only else "writing"
        return f"<Connection to {self.instance.name} ({self.instance.url}), {mode}>"

    def _exchange(self, sent: failures.Sent, request: httpx2.Request) -> Reply:
        if self._shared.auth is not None:
            self._shared.hold.check()
        self._shared.pause.wait(sent.where)
        try:
            response = self._client.send(request, auth=self._shared.auth, stream=True)
            try:
                body = _read(sent, response)
            finally:
                response.close()
        except httpx2.RequestError as error:
            raise failures.broken(self._blamed(sent, error), error) from error
        except httpx2.InvalidURL as error:
            raise failures.broken(sent, error) from error
        except LinkspanError as error:
            self._heed(error)
            raise
        headers = {name.lower(): value for name, value in response.headers.items()}
        failure = failures.failure(sent, response.status_code, headers, body)
        if failure is not None:
            self._heed(failure)
            raise failure
        self._shared.hold.accepted()
        return Reply(
            status=response.status_code,
            headers=headers,
            body=body,
            json=_decoded(sent, headers, body),
        )

    def _heed(self, error: LinkspanError) -> None:
        if isinstance(error, NotAuthenticated):
            self._shared.hold.refused(error)
        if isinstance(error, RateLimited):
            self._shared.pause.ask(min(error.retry_after, failures.LONGEST_RETRY_AFTER))

    def _blamed(self, sent: failures.Sent, error: httpx2.RequestError) -> failures.Sent:
        """A write whose token request broke has not been sent itself."""
        try:
            broke_on_token = error.request.url.path == TOKEN_PATH
        except RuntimeError:  # the error has no request
            broke_on_token = False
        if broke_on_token and sent.path != TOKEN_PATH:
            return failures.Sent(
                method="POST", path=TOKEN_PATH, where=sent.where, safe=True, token_request=True
            )
        return sent


def connect(
    instance: InstanceConfig, credential: Credential | None, *, read_only: bool = False
) -> Connection:
    """A connection to ``instance`` as ``credential`` (None: nobody, for probes). Sends nothing yet.

    Raises ConfigError when the instance's ``ca`` or ``proxy`` cannot be used.
    """
    auth = flow(credential, instance.url, where=instance.name) if credential is not None else None
    shared = _Shared(
        auth=auth,
        inner=sending(instance),
        budget=Budget(instance.url, instance.requests_per_minute),
        count=Count(),
        pause=Pause(),
        hold=Hold(),
    )
    return Connection(instance, shared, read_only=read_only)


def _read(sent: failures.Sent, response: httpx2.Response) -> bytes:
    chunks: list[bytes] = []
    size = 0
    deadline = time.monotonic() + LONGEST_ANSWER
    for chunk in response.iter_bytes():
        if time.monotonic() > deadline:
            raise httpx2.ReadTimeout("the answer went on too long", request=response.request)
        size += len(chunk)
        if size > LARGEST_BODY:
            raise failures.too_large(sent, LARGEST_BODY)
        chunks.append(chunk)
    return b"".join(chunks)


def _decoded(sent: failures.Sent, headers: Mapping[str, str], body: bytes) -> Any:
    """The body as JSON, unless the caller asked for another type and got it."""
    if sent.method == "HEAD" or not (sent.wants_json or "json" in headers.get("content-type", "")):
        return None
    return failures.decode(sent, body)
