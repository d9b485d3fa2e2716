"""The HTTP protocol of the server, with the things ASGI hides: the connection itself, and the headers' case.

Faults close or reset connections, so the request's scope carries the transport. Header names leave as they
were recorded (`X-Total-Count`), because some clients look them up in a plain dictionary.
"""

import asyncio
import functools
import socket
import struct
from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

EXTENSION = "wavetank.transport"
KEEP_ALIVE = 70  # seconds; recorded
_KEPT = b"Keep-Alive: timeout=%d\r\nConnection: keep-alive\r\n" % KEEP_ALIVE
# Names that are not written as words with capitals.
_SPELT = {
    each.lower(): each
    for each in (
        b"WWW-Authenticate", b"X-MFA_TOKEN", b"X-RateLimit-Limit", b"X-RateLimit-Reset", b"X-RateLimit-Rule",
        b"X-Transaction-ID", b"X-UserToken", b"X-UserToken-Response",
    )
}  # fmt: skip


class Cycle(RequestResponseCycle):
    """uvicorn's response, written in as few pieces as there are chunks."""

    _head = b""

    async def send(self, message: Any) -> None:
        """As ASGI has it. The head waits for the first chunk, so that a short answer is one write."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            if self.response_started:
                raise RuntimeError("an answer is begun twice")
            self.response_started = True
            self.waiting_for_100_continue = False
            self._head = self._begin(message["status"], message.get("headers", ()))
        else:
            if not self.response_started or self.response_complete:
                raise RuntimeError("a body without its answer")
            self._body(message.get("body", b""), more=message.get("more_body", False))

    def _begin(self, status: int, headers: Any) -> bytes:
        lines = [STATUS_LINE[status]]
        for name, value in headers:
            if b"\n" in value or b"\r" in value or b"\0" in value:
                raise RuntimeError(f"a header that would break the answer: {name!r}")
            if name == b"content-length":
                self.chunked_encoding = False
                self.expected_content_length = int(value)
            elif name == b"connection" and value.lower() == b"close":
                self.keep_alive = False
                continue
            lines += (spelt(name), b": ", value, b"\r\n")
        lines.append(_KEPT if self.keep_alive else b"Connection: close\r\n")
        if self.chunked_encoding is None:
            # HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer.
            bodiless = self.scope["method"] == "HEAD" or status in (204, 304)
            self.chunked_encoding = not bodiless and self.scope["http_version"] != "1.0"
            if self.chunked_encoding:
                lines.append(b"Transfer-Encoding: chunked\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)

    def _body(self, body: bytes, *, more: bool) -> None:
        pieces, self._head = [self._head], b""
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
        elif self.chunked_encoding:
            if body:
                pieces += (b"%x\r\n" % len(body), body, b"\r\n")
            if not more:
                pieces.append(b"0\r\n\r\n")
        else:
            pieces.append(body)
            self.expected_content_length -= len(body)
        self.transport.write(b"".join(pieces))
        if more:
            return
        if self.expected_content_length > 0:  # shorter than was said: the caller must not wait for the rest
            self.keep_alive = False
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol; every scope names its transport."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"transport": self.transport}}

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.cycle is not None:
            # uvicorn names its class of cycles in its own code only. The task has not run yet.
            self.cycle.__class__ = Cycle


def closing(scope: Mapping[str, Any]) -> bool:
    """Whether the caller of a request has gone; False where the server runs on a foreign protocol."""
    found = scope.get("extensions", {}).get(EXTENSION)
    return found is not None and bool(found["transport"].is_closing())


def certificate(scope: Mapping[str, Any]) -> bytes:
    """The certificate (DER) that the caller of a connection has proved to be its own; empty for none."""
    found = scope.get("extensions", {}).get(EXTENSION)
    connection = found["transport"].get_extra_info("ssl_object") if found else None
    return (connection.getpeercert(binary_form=True) or b"") if connection else b""


def drop(scope: Mapping[str, Any], *, reset: bool = False) -> None:
    """Closes the request's connection without an answer: an orderly end, or a TCP reset.

    Raises LookupError when the server runs on a foreign protocol (an in-memory test client).
    """
    transport: asyncio.Transport = scope["extensions"][EXTENSION]["transport"]
    if not reset:
        transport.close()
        return
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


@functools.lru_cache(maxsize=256)
def spelt(name: bytes) -> bytes:
    """The name of a header as it was recorded."""
    return _SPELT.get(name.lower()) or name.title()
