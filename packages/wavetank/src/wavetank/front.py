"""What happens to every request before and after an API sees it.

In order: injected faults, authentication, the gates of the API level, rate limits, the API itself,
quotas, response headers and cookies, compression, the request log.
"""

import asyncio
import logging
import math
import re
import sqlite3
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from wavetank import answers, transport
from wavetank.answers import JSON, Answer, App, Gone, Message, Receive, Scope, Send
from wavetank.apis.stream import DEADLINE, cut
from wavetank.control.faults import Fault
from wavetank.errors import PlatformError, unknown_resource, unreadable_body
from wavetank.instance import Instance
from wavetank.outlet import Outlet
from wavetank.security import addresses, credentials, gates, public
from wavetank.security.policies import Policy
from wavetank.security.who import Session

# Measured on a developer instance: a request target of 8182 bytes passes, one of 8347 does not.
MAX_TARGET = 8192
MAX_BODY = 64 * 1024 * 1024  # bytes; a bound of wavetank's own, each API has a smaller one
# Files are read by their API itself, piece by piece.
UPLOADS = re.compile(r"/api/now(?:/v\d+)?/attachment/(?:file|upload)")
TABLE = re.compile(r"^/api/now(?:/v\d+)?/(?:table|stats|import|doc/table/schema|ui/meta)/([^/]+)")
# In the extensions of a scope: the request is a part of another, already admitted and logged as one, and has
# {"seconds": what is left of its time}.
PART = "wavetank.part"

log = logging.getLogger("wavetank")


@dataclass(slots=True)
class Exchange:
    """One request, and what became known of its caller.

    `method` is as sent, `meant` as the override header has it. `receive` is set where the body is left for
    the API to read. `cookie` names the session that this call opened. `started` is on the clock of
    time.perf_counter.
    """

    scope: Scope
    headers: Mapping[bytes, bytes]
    body: bytes
    receive: Receive | None
    method: str
    meant: str
    path: str
    query: str
    table: str
    policy: Policy | None
    presented: credentials.Presented
    user: str
    scheme: str
    at: str
    started: float
    authenticated: bool = False
    cookie: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def accept(self) -> str:
        return self.headers.get(b"accept", b"").decode("latin-1")

    @property
    def part(self) -> Mapping[str, float] | None:
        found: Mapping[str, float] | None = self.scope.get("extensions", {}).get(PART)
        return found


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
        apis.state.front = self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")
        self._instance.clock.run_due()
        if scope["path"].startswith("/-/"):
            await self._controlled(scope, receive, send)
            return
        if not self._comes_in(scope):
            await answers.page(403, "Forbidden").send(send)
            return
        try:
            exchange = await self._read(scope, receive)
        except TooLarge:
            await answers.page(413, "Request Entity Too Large").send(send)
            return
        if exchange is None:
            return
        outlet = Outlet(self._instance, exchange, send, self._record)
        try:
            outcome = await self._outcome(exchange, outlet)
        except asyncio.CancelledError:  # the server stops and has waited long enough
            outcome = Drop(reset=False)
        except Gone:  # and what was sent until then is on record
            self._record(exchange, outlet.status, outlet.size)
            return
        if isinstance(outcome, Drop):
            transport.drop(scope, reset=outcome.reset)
            self._record(exchange, 0, 0)
            await _gone(receive)
        elif outcome is not None:
            await outcome.send(outlet)

    async def _controlled(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._control is None:
            await answers.page(404, "Page not found").send(send)
            return
        await self._control(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> Exchange | None:
        started, at = time.perf_counter(), self._instance.clock.text()
        path: str = scope["path"]
        if path.startswith("/api/now/") and self._instance.settings.get("trailing_slash") == "ignored":
            path = scope["path"] = path.rstrip("/")
            scope["raw_path"] = scope["raw_path"].rstrip(b"/")
        left = scope["method"] == "POST" and UPLOADS.fullmatch(path) is not None
        body = b"" if left else await _body(receive)
        if body is None:
            return None
        headers = dict(scope["headers"])
        found = TABLE.match(path)
        table = found.group(1) if found else ""
        meant = _meant(scope["method"], headers)
        with self._instance.lock:
            policy = self._policy(path, meant, table)
            presented = self._presented(scope, policy, headers, body)
            query = scope["query_string"].decode("latin-1")
            if not presented.scheme and path.startswith("/api/"):
                presented, query = credentials.of_address(query)
            if policy is not None:
                query = policy.without_tokens(query)
            scope["query_string"] = query.encode("latin-1")
            user = self._instance.identity.claimed(presented)
        return Exchange(
            scope=scope,
            headers=headers,
            body=body,
            receive=receive if left else None,
            method=scope["method"],
            meant=meant,
            path=path,
            query=scope["query_string"].decode("latin-1"),
            table=table,
            policy=policy,
            presented=presented,
            user=user,
            scheme=presented.scheme,
            at=at,
            started=started,
        )

    def _policy(self, path: str, method: str, table: str) -> Policy | None:
        """The access policy that decides about a request to an API."""
        return self._instance.policies.of(method, path, table) if path.startswith("/api/") else None

    def _presented(
        self, scope: Scope, policy: Policy | None, headers: Mapping[bytes, bytes], body: bytes
    ) -> credentials.Presented:
        """What a request proves itself with, the first of: a certificate that is somebody's, an Authorization
        header, a token where the policy reads one. Of an upload, whose body is not read yet, a signature is
        over nothing.
        """
        taken = policy is None or policy.takes("certificate")
        if taken and scope["path"].startswith("/api/"):
            user = self._instance.certificates.user(transport.certificate(scope))
            if user:
                return credentials.Presented("certificate", user)
        said = credentials.read(headers)
        if said.scheme or policy is None:
            return said
        return policy.token(headers, scope["query_string"].decode("latin-1"), body) or said

    def _comes_in(self, scope: Scope) -> bool:
        """Whether the rules for addresses let a request through to the instance."""
        instance = self._instance
        with instance.lock:
            if not instance.addresses.guarded:
                return True
            return instance.addresses.admits(addresses.caller(instance, scope, dict(scope["headers"])))

    async def _outcome(self, exchange: Exchange, outlet: Outlet) -> Answer | Drop | None:
        """What becomes of a request; None when its answer has gone out already."""
        fault = self._instance.faults.take(exchange.method, exchange.path, exchange.table, exchange.user)
        part = exchange.part  # which waits no latency of its own, and has what is left of the whole's time
        waited = 0.0 if part else float(self._instance.settings.get("latency_ms")) / 1000
        if fault is not None and fault.do != "rate_limit":  # whose seconds are its Retry-After
            waited += fault.seconds
        left = part["seconds"] if part else math.inf
        quota = min(left, float(self._instance.settings.get("quota_seconds")))
        limited = exchange.path.startswith("/api/")
        cancelled = limited and waited > quota
        if waited:
            await asyncio.sleep(min(waited, quota) if cancelled else waited)
        if cancelled:
            return await self._cancelled(exchange)
        if fault is not None and fault.do != "delay":
            return await self._strike(fault, exchange)
        if limited:
            exchange.scope.setdefault("state", {})[DEADLINE] = exchange.started + quota
        await self._serve(exchange, outlet)
        return None

    async def _cancelled(self, exchange: Exchange) -> Answer:
        if self._instance.settings.get("quota_commits"):
            await self._held(exchange)
        return answers.cancelled(exchange.accept)

    async def _strike(self, fault: Fault, exchange: Exchange) -> Answer | Drop:  # noqa: PLR0911  one a kind
        headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in fault.headers.items()]
        match fault.do:
            case "drop_before":
                return Drop(reset=False)
            case "reset":
                return Drop(reset=True)
            case "drop_after_commit":
                await self._held(exchange)
                return Drop(reset=False)
            case "html_200":
                body = str(fault.body).encode() if fault.body is not None else HIBERNATING
                return Answer(fault.status or 200, [(b"content-type", answers.HTML), *headers], body)
            case "truncate":
                answer = await self._held(exchange)
                kept = len(answer.body) // 2 if fault.bytes is None else fault.bytes
                answer.body = answer.body[:kept]
                return answer
            case "quota_200":
                return await self._half_a_list(exchange)
            case "rate_limit":
                refused = self._instance.rates.refusal(int(fault.seconds) or 1, exchange.path)
                answer = answers.refusal(refused, exchange.accept)
                answer.headers += headers
                return answer
            case _:
                return _status(fault, headers)

    async def _half_a_list(self, exchange: Exchange) -> Answer:
        """What a list cancelled while it streams looks like: 200, and JSON that does not parse."""
        writes = exchange.method not in ("GET", "HEAD")
        if writes and not self._instance.settings.get("quota_commits"):
            rows: object = []
        else:
            answer = await self._held(exchange)
            if answer.status >= 400:
                return answer
            rows = msgspec.json.decode(answer.body or b"{}").get("result", [])
        shown = rows[: (len(rows) + 1) // 2] if isinstance(rows, list) else [rows]
        body = b'{"result":[' + b",".join(msgspec.json.encode(row) for row in shown) + cut()
        return Answer(200, [(b"content-type", JSON)], body)

    async def _held(self, exchange: Exchange) -> Answer:
        """The instance's own answer, as a whole and not sent."""
        answer = Answer(500, [], b"")
        chunks: list[bytes] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [pair for pair in message["headers"] if pair[0] != b"content-length"]
            else:
                chunks.append(message.get("body", b""))

        await self._serve(exchange, keep)
        answer.body = b"".join(chunks)
        return answer

    async def _serve(self, exchange: Exchange, send: Send) -> None:
        """Sends the instance's own answer; every refusal is an answer too."""
        scope = exchange.scope
        if len(scope["raw_path"]) + 1 + len(exchange.query) > MAX_TARGET and not exchange.part:
            await answers.page(414, "Request-URI Too Long").send(send)
            return
        under_way = False
        database = self._instance.database

        async def watched(message: Message) -> None:
            nonlocal under_way
            under_way, database.deadline = True, None
            await send(message)

        try:
            if exchange.path.startswith("/api/") and exchange.path not in public.OPEN:
                self._admit(exchange)
            else:
                self._recognise(exchange)
            if exchange.receive is None:
                database.deadline = scope.get("state", {}).get(DEADLINE)
            await self._call(exchange, watched)
            return
        except Gone:
            raise
        except PlatformError as refused:
            answer = answers.refusal(refused, exchange.accept)
        except HTTPException as refused:
            answer = _unrouted(refused, exchange)
        except Exception as failure:
            if isinstance(failure, sqlite3.OperationalError) and str(failure) == "interrupted":
                await answers.cancelled(exchange.accept).send(send)
                return
            log.exception("%s %s failed", exchange.method, exchange.path)
            if under_way:  # nothing can be said any more; the connection ends short of its last chunk
                raise
            failed = PlatformError(500, "Internal Server Error", "wavetank itself failed; see its log")
            answer = answers.refusal(failed, exchange.accept)
        finally:
            database.deadline = None
        await answer.send(send)

    def _admit(self, exchange: Exchange) -> None:
        instance = self._instance
        with instance.lock:
            session = self._session(exchange)
            exchange.authenticated = True
            exchange.user, exchange.scheme = session.user_name, session.scheme
            exchange.scope.setdefault("state", {}).update(session=session, meant=exchange.meant)
            gates.admit(instance, session, exchange.meant, exchange.path, exchange.table)
            exchange.extra.update(instance.rates.take(session, exchange.meant, exchange.path, exchange.table))

    def _session(self, exchange: Exchange) -> Session:
        """Who calls an API: what an Authorization header proves, or else the UI session of the cookie."""
        instance, policy = self._instance, exchange.policy
        held = None if exchange.presented.scheme else instance.sessions.find(exchange.headers)
        if held is None:
            who, exchange.cookie = instance.sessions.carry(self._proven(exchange), exchange.headers)
            return who
        exchange.authenticated, exchange.user = True, held.who.user_name
        if policy is not None and policy.mapped and instance.settings.get("policy_session") == "refused":
            raise instance.policies.refusal(policy, "session")
        return instance.sessions.admit(held, exchange.method, exchange.headers)

    def _proven(self, exchange: Exchange) -> Session:
        """Who the credentials of a request prove, if the API takes credentials of that kind."""
        instance, policy, presented = self._instance, exchange.policy, exchange.presented
        if not presented.scheme and (guest := public.session(instance, exchange.table)) is not None:
            return guest
        if policy is not None and presented.scheme == "basic" and not policy.takes("basic"):
            # Unlooked at: a right or wrong password makes no difference.
            raise instance.policies.refusal(policy, presented.scheme)
        try:
            session = instance.identity.authenticate(presented)
        except PlatformError as refused:
            if policy is None:
                raise
            raise instance.policies.refusal(policy, presented.scheme, refused) from refused
        if not instance.policies.admit(policy, session):
            raise instance.policies.refusal(policy, presented.scheme)
        return session

    def _recognise(self, exchange: Exchange) -> None:
        """Leaves the UI session, if there is one, where the pages of the UI find it."""
        with self._instance.lock:
            held = self._instance.sessions.of_person(exchange.headers)
        exchange.scope.setdefault("state", {})["held"] = held
        if held is not None:
            exchange.authenticated = True
            exchange.user, exchange.scheme = held.who.user_name, held.who.scheme

    async def _call(self, exchange: Exchange, send: Send) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        body = self._unpacked(exchange)
        exchange.scope["app"] = self._apis
        await self._apis.router(exchange.scope, exchange.receive or receive, send)

    def _unpacked(self, exchange: Exchange) -> bytes:
        """The body as it was before a caller compressed it. Raises PlatformError 400 for one that is not."""
        packed = exchange.headers.get(b"content-encoding", b"").lower() in (b"gzip", b"x-gzip")
        if not packed or not exchange.body or self._instance.settings.get("gzip_requests") == "refused":
            return exchange.body
        unpacker = zlib.decompressobj(31)
        try:
            body = unpacker.decompress(exchange.body, MAX_BODY)
        except zlib.error as error:
            raise unreadable_body(f"The payload is not gzip: {error}") from error
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise unreadable_body("The payload is no whole gzip stream, or too large")
        return body

    def _record(self, exchange: Exchange, status: int, size: int) -> None:
        if exchange.part:
            return
        self._instance.requests.add(
            at=exchange.at,
            method=exchange.method,
            path=exchange.path,
            query=exchange.query,
            user=exchange.user,
            scheme=exchange.scheme,
            status=status,
            size=size,
            ms=(time.perf_counter() - exchange.started) * 1000,
        )


def _meant(method: str, headers: Mapping[bytes, bytes]) -> str:
    """The method a request is for: a POST may name another."""
    override = headers.get(b"x-http-method-override") if method == "POST" else None
    return method if override is None else override.decode("latin-1").strip().upper()


HIBERNATING = (
    b"<!DOCTYPE html><html><head><title>Instance Hibernating page</title>"
    b"</head><body>Your instance is hibernating.</body></html>"
)


def _status(fault: Fault, headers: list[tuple[bytes, bytes]]) -> Answer:
    status = fault.status or 500
    if isinstance(fault.body, str):
        return Answer(status, [(b"content-type", answers.HTML), *headers], fault.body.encode())
    envelope = {"error": {"message": "Injected fault", "detail": None}, "status": "failure"}
    body = msgspec.json.encode(envelope if fault.body is None else fault.body)
    return Answer(status, [(b"content-type", JSON), *headers], b"" if status == 204 else body)


def _unrouted(refused: HTTPException, exchange: Exchange) -> Answer:
    if not exchange.path.startswith("/api/"):
        return answers.page(refused.status_code, "Page not found")
    if refused.status_code == 405:
        error = PlatformError(405, "Method not supported", None, dict(refused.headers or {}))
        return answers.refusal(error, exchange.accept)
    return answers.refusal(unknown_resource(), exchange.accept)


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
