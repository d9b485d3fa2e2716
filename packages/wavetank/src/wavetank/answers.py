"""Whole responses that the front door itself gives: refusals, plain pages, the end of a transaction."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from wavetank.apis import media
from wavetank.apis.stream import CANCELLED
from wavetank.errors import PlatformError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = b"application/json;charset=UTF-8"
HTML = b"text/html;charset=UTF-8"


class Gone(Exception):
    """The caller has closed the connection while its answer was under way."""


@dataclass(slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    async def send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def refusal(refused: PlatformError, accept: str) -> Answer:
    """An error in the format that the caller takes."""
    content_type, body = media.refusal(refused, accept)
    said = (*refused.headers.items(), *refused.repeated)
    headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in said]
    return Answer(refused.status, [(b"content-type", content_type), *headers], body)


def cancelled(accept: str) -> Answer:
    """A transaction ended by its quota before it had said anything."""
    detail = f"{CANCELLED}. Check logs for error trace."
    return refusal(PlatformError(500, CANCELLED, detail), accept)


def page(status: int, title: str) -> Answer:
    """A page of the web server before the instance."""
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, [(b"content-type", HTML)], body.encode())
