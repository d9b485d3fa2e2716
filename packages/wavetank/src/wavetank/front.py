"""What happens to every request before and after an API sees it.

In order: injected faults, authentication, the gates of the API level, rate limits, the API itself,
quotas, response headers and cookies, compression, the request log.
"""

import asyncio
import logging
import re
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from wavetank import transport
from wavetank.control.faults import Fault
from wavetank.errors import PlatformError, unknown_resource
from wavetank.instance import Instance
from wavetank.security import credentials, gates, sessions
from wavetank.security.policies import Policy
from wavetank.security.who import Session

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Measured on a developer instance: a request target of 8182 bytes passes, one of 8347 does not.
MAX_TARGET = 8192
MAX_BODY = 64 * 1024 * 1024  # bytes; a bound of wavetank's own, each API has a smaller one
TABLE = re.compile(r"^/api/now(?:/v\d+)?/(?:table|stats|import|doc/table/schema|ui/meta)/([^/]+)")
JSON = b"application/json;charset=UTF-8"
HTML = b"text/html;charset=UTF-8"
GZIP_FROM = 512
CANCELLED = "Transaction cancelled: maximum execution time exceeded"

# Response headers as recorded on developer instances.
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"pragma", b"no-store,no-cache"),
    (b"cache-control", b"no-cache,no-store,must-revalidate,max-age=-1"),
    (b"expires", b"0"),
    (b"server", b"ServiceNow"),
    (b"server-timing", b"sem_wait;dur=0, sesh_wait;dur=0"),
)
TLS_HEADER = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")

log = logging.getLogger("wavetank")


@dataclass(slots=True)
class Exchange:
    """One request, read to its end, and what became known of its caller.

    `method` is as sent, `meant` as the override header has it.
    """

    scope: Scope
    headers: Mapping[bytes, bytes]
    body: bytes
    method: str
    meant: str
    path: str
    query: str
    table: str
    policy: Policy | None
    presented: credentials.Presented
    user: str
    scheme: str
    authenticated: bool = False
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True)
class Drop:
    """No response: the connection just ends."""

    reset: bool


class TooLarge(Exception):
    """A body beyond what any API takes."""


class Front:
    """The ASGI application: one instance behind its front door."""

    def __init__(self, instance: Instance, apis: Starlette, control: App | None) -> None:
        self._instance = instance
        self._apis = apis
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")
        self._instance.clock.run_due()
        if scope["path"].startswith("/-/"):
            await self._controlled(scope, receive, send)
            return
        started = time.perf_counter()
        at = self._instance.clock.text()
        try:
            exchange = await self._read(scope, receive)
        except TooLarge:
            await _send(send, _page(413, "Request Entity Too Large"))
            return
        if exchange is None:
            return
        try:
            outcome = await self._outcome(exchange)
        except asyncio.CancelledError:  # the server stops and has waited long enough
            outcome = Drop(reset=False)
        if isinstance(outcome, Drop):
            transport.drop(scope, reset=outcome.reset)
            self._record(exchange, at, started, 0, 0)
            await _gone(receive)
            return
        self._dress(exchange, outcome)
        # Logged before it is sent: whoever has the answer in hand finds its request in the log.
        self._record(exchange, at, started, outcome.status, len(outcome.body))
        await _send(send, outcome)

    async def _controlled(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._control is None:
            await _send(send, _page(404, "Page not found"))
            return
        await self._control(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> Exchange | None:
        body = await _body(receive)
        if body is None:
            return None
        headers = dict(scope["headers"])
        found = TABLE.match(scope["path"])
        table = found.group(1) if found else ""
        presented = credentials.read(headers)
        meant = _meant(scope["method"], headers)
        with self._instance.lock:
            policy = self._policy(scope["path"], meant, table)
            if policy is not None and not presented.scheme:
                presented = policy.key(headers) or presented
            user = self._instance.identity.claimed(presented)
        return Exchange(
            scope=scope,
            headers=headers,
            body=body,
            method=scope["method"],
            meant=meant,
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            table=table,
            policy=policy,
            presented=presented,
            user=user,
            scheme=presented.scheme,
        )

    def _policy(self, path: str, method: str, table: str) -> Policy | None:
        """The access policy that decides about a request to an API."""
        return self._instance.policies.of(method, path, table) if path.startswith("/api/") else None

    async def _outcome(self, exchange: Exchange) -> Answer | Drop:
        fault = self._instance.faults.take(exchange.method, exchange.path, exchange.table, exchange.user)
        waited = float(self._instance.settings.get("latency_ms")) / 1000
        if fault is not None and fault.do != "rate_limit":  # whose seconds are its Retry-After
            waited += fault.seconds
        quota = float(self._instance.settings.get("quota_seconds"))
        cancelled = exchange.path.startswith("/api/") and waited > quota
        if waited:
            await asyncio.sleep(min(waited, quota) if cancelled else waited)
        if cancelled:
            return await self._cancelled(exchange)
        if fault is not None and fault.do != "delay":
            return await self._strike(fault, exchange)
        return await self._serve(exchange)

    async def _cancelled(self, exchange: Exchange) -> Answer:
        if self._instance.settings.get("quota_commits"):
            await self._serve(exchange)
        return _refusal(PlatformError(500, CANCELLED, f"{CANCELLED}. Check logs for error trace."))

    async def _strike(self, fault: Fault, exchange: Exchange) -> Answer | Drop:  # noqa: PLR0911  one a kind
        headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in fault.headers.items()]
        match fault.do:
            case "drop_before":
                return Drop(reset=False)
            case "reset":
                return Drop(reset=True)
            case "drop_after_commit":
                await self._serve(exchange)
                return Drop(reset=False)
            case "html_200":
                body = str(fault.body).encode() if fault.body is not None else HIBERNATING
                return Answer(fault.status or 200, [(b"content-type", HTML), *headers], body)
            case "truncate":
                answer = await self._serve(exchange)
                kept = len(answer.body) // 2 if fault.bytes is None else fault.bytes
                answer.body = answer.body[:kept]
                return answer
            case "quota_200":
                return await self._half_a_list(exchange)
            case "rate_limit":
                answer = _refusal(self._instance.rates.refusal(int(fault.seconds) or 1, exchange.path))
                answer.headers += headers
                return answer
            case _:
                return _status(fault, headers)

    async def _half_a_list(self, exchange: Exchange) -> Answer:
        """What a list cancelled while it streams looks like: 200, and JSON that does not parse."""
        writes = exchange.method not in ("GET", "HEAD")
        if writes and not self._instance.settings.get("quota_commits"):
            rows: Any = []
        else:
            answer = await self._serve(exchange)
            if answer.status >= 400:
                return answer
            rows = msgspec.json.decode(answer.body or b"{}").get("result", [])
        shown = rows[: (len(rows) + 1) // 2] if isinstance(rows, list) else [rows]
        error = {"message": CANCELLED, "detail": f"{CANCELLED}. Check logs for error trace."}
        body = b'{"result":[%s,],"error":%s,"status":"failure"}' % (
            b",".join(msgspec.json.encode(row) for row in shown),
            msgspec.json.encode(error),
        )
        return Answer(200, [(b"content-type", JSON)], body)

    async def _serve(self, exchange: Exchange) -> Answer:
        """The instance's own answer; every refusal is an answer too."""
        scope = exchange.scope
        if len(scope["raw_path"]) + 1 + len(exchange.query) > MAX_TARGET:
            return _page(414, "Request-URI Too Long")
        try:
            if exchange.path.startswith("/api/"):
                self._admit(exchange)
            else:
                self._recognise(exchange)
            return await self._call(exchange)
        except PlatformError as refused:
            return _refusal(refused)
        except HTTPException as refused:
            return _unrouted(refused, exchange.path)
        except Exception:
            log.exception("%s %s failed", exchange.method, exchange.path)
            return _refusal(
                PlatformError(500, "Internal Server Error", "wavetank itself failed; see its log")
            )

    def _admit(self, exchange: Exchange) -> None:
        instance = self._instance
        with instance.lock:
            session = self._session(exchange)
            exchange.authenticated = True
            exchange.user, exchange.scheme = session.user_name, session.scheme
            exchange.scope.setdefault("state", {})["session"] = session
            gates.admit(instance, session, exchange.meant, exchange.path, exchange.table)
            exchange.extra.update(instance.rates.take(session, exchange.meant, exchange.path, exchange.table))

    def _session(self, exchange: Exchange) -> Session:
        """Who calls an API: what an Authorization header proves, or else the UI session of the cookie."""
        instance, policy = self._instance, exchange.policy
        held = None if exchange.presented.scheme else instance.sessions.find(exchange.headers)
        if held is None:
            return self._proven(exchange)
        exchange.authenticated, exchange.user = True, held.who.user_name
        if policy is not None and policy.mapped and instance.settings.get("policy_session") == "refused":
            raise instance.policies.refusal(policy, "session")
        return instance.sessions.admit(held, exchange.method, exchange.headers)

    def _proven(self, exchange: Exchange) -> Session:
        """Who the credentials of a request prove, if the API takes credentials of that kind."""
        instance, policy, presented = self._instance, exchange.policy, exchange.presented
        if policy is not None and presented.scheme == "basic" and not policy.takes("basic"):
            # Unlooked at: a right or wrong password makes no difference.
            raise instance.policies.refusal(policy, presented.scheme)
        try:
            session = instance.identity.authenticate(presented)
        except PlatformError as refused:
            if policy is None:
                raise
            raise instance.policies.refusal(policy, presented.scheme) from refused
        if not instance.policies.admit(policy, session):
            raise instance.policies.refusal(policy, presented.scheme)
        return session

    def _recognise(self, exchange: Exchange) -> None:
        """Leaves the UI session, if there is one, where the pages of the UI find it."""
        with self._instance.lock:
            held = self._instance.sessions.find(exchange.headers)
        exchange.scope.setdefault("state", {})["held"] = held
        if held is not None:
            exchange.authenticated = True
            exchange.user, exchange.scheme = held.who.user_name, held.who.scheme

    async def _call(self, exchange: Exchange) -> Answer:
        answer = Answer(500, [], b"")
        chunks: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": exchange.body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [pair for pair in message["headers"] if pair[0] != b"content-length"]
            else:
                chunks.append(message.get("body", b""))

        exchange.scope["app"] = self._apis
        await self._apis.router(exchange.scope, receive, send)
        answer.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return answer

    def _dress(self, exchange: Exchange, answer: Answer) -> None:
        """Adds what every response of an instance carries."""
        ids = self._instance.ids
        secure = exchange.scope["scheme"] == "https"
        answer.headers.extend(HEADERS)
        answer.headers.append((b"date", self._instance.clock.http_date()))
        answer.headers.append((b"x-transaction-id", ids.hex(12).encode()))
        if exchange.authenticated:
            answer.headers.append((b"x-is-logged-in", b"true"))
            if b"JSESSIONID=" not in exchange.headers.get(b"cookie", b""):
                fresh = sessions.cookies(self._instance, ids.hex(32).upper(), secure=secure)
                answer.headers.extend((b"set-cookie", each.encode()) for each in fresh)
        elif answer.status == 401:
            answer.headers.append((b"x-is-logged-in", b"false"))
        if secure:
            answer.headers.append(TLS_HEADER)
        answer.headers.extend((k.lower().encode(), v.encode()) for k, v in exchange.extra.items())
        if len(answer.body) >= GZIP_FROM and b"gzip" in exchange.headers.get(b"accept-encoding", b""):
            packer = zlib.compressobj(1, zlib.DEFLATED, 31)
            answer.body = packer.compress(answer.body) + packer.flush()
            answer.headers.append((b"content-encoding", b"gzip"))
        if answer.status != 204:
            answer.headers.append((b"content-length", str(len(answer.body)).encode()))

    def _record(self, exchange: Exchange, at: str, started: float, status: int, size: int) -> None:
        self._instance.requests.add(
            at=at,
            method=exchange.method,
            path=exchange.path,
            query=exchange.query,
            user=exchange.user,
            scheme=exchange.scheme,
            status=status,
            size=size,
            ms=(time.perf_counter() - started) * 1000,
        )


def _meant(method: str, headers: Mapping[bytes, bytes]) -> str:
    """The method a request is for: a POST may name another."""
    override = headers.get(b"x-http-method-override") if method == "POST" else None
    return method if override is None else override.decode("latin-1").upper()


HIBERNATING = (
    b"<!DOCTYPE html><html><head><title>Instance Hibernating page</title>"
    b"</head><body>Your instance is hibernating.</body></html>"
)


def _status(fault: Fault, headers: list[tuple[bytes, bytes]]) -> Answer:
    status = fault.status or 500
    if isinstance(fault.body, str):
        return Answer(status, [(b"content-type", HTML), *headers], fault.body.encode())
    envelope = {"error": {"message": "Injected fault", "detail": None}, "status": "failure"}
    body = msgspec.json.encode(envelope if fault.body is None else fault.body)
    return Answer(status, [(b"content-type", JSON), *headers], b"" if status == 204 else body)


def _refusal(refused: PlatformError) -> Answer:
    headers = [(b"content-type", JSON)]
    said = (*refused.headers.items(), *refused.repeated)
    headers += [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in said]
    return Answer(refused.status, headers, msgspec.json.encode(refused.body()))


def _unrouted(refused: HTTPException, path: str) -> Answer:
    if not path.startswith("/api/"):
        return _page(refused.status_code, "Page not found")
    if refused.status_code == 405:
        return _refusal(PlatformError(405, "Method not supported", None, dict(refused.headers or {})))
    return _refusal(unknown_resource())


def _page(status: int, title: str) -> Answer:
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, [(b"content-type", HTML)], body.encode())


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when the caller has gone. Raises TooLarge, without reading on."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_BODY:
            raise TooLarge
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _gone(receive: Receive) -> None:
    """Waits until the server has noticed that the connection is closed, so that it logs no complaint."""
    for _ in range(1000):
        if (await receive())["type"] == "http.disconnect":
            return


async def _send(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})
