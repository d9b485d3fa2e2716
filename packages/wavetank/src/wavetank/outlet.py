"""The way out of an answer: what every response carries, compression, and the entry in the log.

Headers and cookies as recorded on developer instances, whose answers carry no length: they come in chunks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from isal import isal_zlib

from wavetank import answers, transport
from wavetank.answers import Gone, Message, Send
from wavetank.apis.stream import DEADLINE
from wavetank.security import sessions

if TYPE_CHECKING:
    from wavetank.front import Exchange
    from wavetank.instance import Instance

GZIP_FROM = 512
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"pragma", b"no-store,no-cache"),
    (b"cache-control", b"no-cache,no-store,must-revalidate,max-age=-1"),
    (b"expires", b"0"),
    (b"server", b"ServiceNow"),
    (b"server-timing", b"sem_wait;dur=0, sesh_wait;dur=0"),
)
TLS_HEADER = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


class Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class Outlet:
    """The ASGI `send` of one exchange. Raises Gone once the caller is."""

    def __init__(
        self,
        instance: Instance,
        exchange: Exchange,
        send: Send,
        record: Callable[[Exchange, int, int], None],
    ) -> None:
        self._instance = instance
        self._exchange = exchange
        self._send = send
        self._record = record
        self._packer: Packer | None = None
        self._begun = False
        self._headers: list[tuple[bytes, bytes]] = []
        self.status = 0
        self.size = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self._headers = message["status"], list(message["headers"])
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if not self._begun:
            if self._late():
                refused = answers.cancelled(self._exchange.accept)
                self.status, self._headers, body, more = refused.status, refused.headers, refused.body, False
            await self._begin(body, more=more)
        elif transport.closing(self._exchange.scope):
            raise Gone
        await self._pass(body, more=more)

    def _late(self) -> bool:
        """Whether the quota has run out before anything was said. What a write has done, it has done."""
        exchange = self._exchange
        if self.status >= 400:
            return False
        if exchange.meant not in ("GET", "HEAD") and not self._instance.settings.get("quota_commits"):
            return False
        deadline = exchange.scope.get("state", {}).get(DEADLINE)
        return deadline is not None and time.perf_counter() > deadline

    async def _begin(self, body: bytes, *, more: bool) -> None:
        self._begun = True
        self._dress()
        if not more:  # a length is said of files, whose end is far away, and of nothing
            self._headers = [pair for pair in self._headers if pair[0] != b"content-length"]
            if not body and self.status != 204 and self._exchange.method != "HEAD":
                self._headers.append((b"content-length", b"0"))
        accepts = b"gzip" in self._exchange.headers.get(b"accept-encoding", b"")
        long = more or len(body) >= GZIP_FROM
        if accepts and long and not self._sized():
            self._packer = isal_zlib.compressobj(1, wbits=31)
            self._headers.append((b"content-encoding", b"gzip"))
        await self._send({"type": "http.response.start", "status": self.status, "headers": self._headers})

    async def _pass(self, body: bytes, *, more: bool) -> None:
        if self._packer is not None:
            body = self._packer.compress(body)
            if not more:
                body += self._packer.flush()
        self.size += len(body)
        if not more:
            # Logged before it is sent: whoever has the answer in hand finds its request in the log.
            self._record(self._exchange, self.status, self.size)
            await self._send({"type": "http.response.body", "body": body, "more_body": False})
        elif body:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(0)  # others have their turn between two chunks

    def _sized(self) -> bool:
        """Whether the answer is a file with a length, or compressed already."""
        return any(name in (b"content-encoding", b"content-length") for name, _ in self._headers)

    def _dress(self) -> None:
        """Adds what every response of an instance carries."""
        exchange, ids, headers = self._exchange, self._instance.ids, self._headers
        secure = exchange.scope["scheme"] == "https"
        headers.extend(HEADERS)
        headers.append((b"date", self._instance.clock.http_date()))
        headers.append((b"x-transaction-id", ids.hex(12).encode()))
        if exchange.authenticated:
            headers.append((b"x-is-logged-in", b"true"))
            if exchange.cookie or b"JSESSIONID=" not in exchange.headers.get(b"cookie", b""):
                named = exchange.cookie or ids.hex(32).upper()
                fresh = sessions.cookies(self._instance, named, secure=secure)
                headers.extend((b"set-cookie", each.encode()) for each in fresh)
        elif self.status == 401:
            headers.append((b"x-is-logged-in", b"false"))
        if secure:
            headers.append(TLS_HEADER)
        headers.extend((k.lower().encode(), v.encode()) for k, v in exchange.extra.items())
