"""The Batch API: POST /api/now/batch, several requests in one.

ServiceNow docs: "Batch API". Each request goes through the front door as if it had come alone, with the
credentials of the batch: access policies, rate limits and access controls apply to it.
"""

from __future__ import annotations

import binascii
import re
import string
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Scope

from wavetank import errors
from wavetank.apis import media
from wavetank.errors import PlatformError
from wavetank.front import PART
from wavetank.transport import spelt

if TYPE_CHECKING:
    from wavetank.instance import Instance

MEGABYTE = 1_048_576
LARGEST_INPUT = 10  # megabytes, whatever the property says
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_BATCH = re.compile(r"/api/now(/v\d+)?/batch/?$")
_SPACE = re.compile(rb"\s+")
# Of the batch's own headers, those that are about its body and its answer.
_OWN = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"transfer-encoding",
        b"x-batchrequest-max-output-size",
        b"x-http-method-override",
        b"x-no-response-body",
    }
)
# A request of a batch is who the batch is, and its body is as long as it is.
_NOT_ITS_OWN = frozenset(
    {b"authorization", b"cookie", b"host", b"content-length", b"transfer-encoding", b"accept-encoding"}
)
# Headers of the connection and the session; those of the answer itself are left.
_NOT_SHOWN = frozenset(
    {
        b"connection",
        b"content-length",
        b"date",
        b"keep-alive",
        b"server",
        b"server-timing",
        b"set-cookie",
        b"strict-transport-security",
        b"x-content-type-options",
        b"x-is-logged-in",
        b"x-transaction-id",
    }
)


def routes() -> list[Route]:
    """The routes of the API. They need `request.app.state.instance` and `request.app.state.front`."""
    return [Route(f"/api/now{version}/batch", _answer, methods=["POST"]) for version in ("", "/v1", "/v2")]


@dataclass(frozen=True, slots=True)
class Item:
    """One request of a batch, as it was given."""

    id: str
    method: str
    url: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: str
    bare: bool  # whether it wants no headers in its answer


@dataclass(slots=True)
class Reply:
    """What became of an item. `status` 0: the connection is gone."""

    status: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    problem: str = ""


async def _answer(request: Request) -> Response:
    instance: Instance = request.app.state.instance
    accept = request.headers.get("accept", "")
    if media.wanted(accept) != "json":
        raise errors.not_acceptable(accept)
    number, items = _read(await request.body(), request.headers.get("content-type", ""))
    return await _served(request, instance, number, items)


async def _served(request: Request, instance: Instance, number: str, items: list[Item]) -> Response:
    """The items one after the other, until the time or a size is used up."""
    most_in, most_out = _sizes(request, instance)
    started = time.perf_counter()
    quota = float(instance.settings.get("batch_quota_seconds"))
    serviced: list[dict[str, Any]] = []
    unserviced = [item.id for item in items]
    for index, item in enumerate(items):
        at = time.perf_counter()
        left = quota - (at - started)
        # Four characters of base64 are three bytes.
        if left <= 0 or len(item.body) * 3 // 4 > most_in:
            break
        reply = await _reply(request, item, left)
        if not reply.status:
            return Response(status_code=500)  # nobody reads it
        if len(reply.body) > most_out:
            break
        if reply.problem and instance.settings.get("batch_bad_item") == "unserviced":
            continue
        serviced.append(_shown(item, reply, time.perf_counter() - at))
        unserviced[index] = ""
    value = {
        "batch_request_id": number,
        "serviced_requests": serviced,
        "unserviced_requests": [each for each in unserviced if each],
    }
    return media.answer("json", value)


def _sizes(request: Request, instance: Instance) -> tuple[float, float]:
    """How large an item and its answer may be, in bytes; the properties and the header are in megabytes."""
    most_in = min(instance.number("glide.rest.batch.max.inputSize", 5), LARGEST_INPUT)
    most_out = instance.number("glide.rest.batch.max.outputSize", 10)
    asked = request.headers.get("x-batchrequest-max-output-size", "").strip()
    if asked.isdecimal():
        most_out = min(most_out, int(asked))
    return most_in * MEGABYTE, most_out * MEGABYTE


# ------------------------------------------------------------------ reading


def _read(body: bytes, content_type: str) -> tuple[str, list[Item]]:
    """The batch's id and its items. Raises PlatformError 400, or 415 for what is not JSON."""
    if media.sent(content_type) != "json":
        raise errors.unsupported_media(content_type)
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.unreadable_body(f"The payload is not valid JSON: {error}") from error
    found = given.get("rest_requests") if isinstance(given, dict) else None
    if not isinstance(found, list):
        raise errors.unreadable_body("The payload has no list rest_requests")
    return _text(given.get("batch_request_id")), [_item(each) for each in found]


def _item(given: Any) -> Item:
    if not isinstance(given, dict):
        raise errors.unreadable_body("An item of rest_requests is not an object")
    for name in ("id", "method", "url"):
        if given.get(name) in (None, ""):
            raise errors.unreadable_body(f"An item of rest_requests has no {name}")
    headers = given.get("headers") or []
    if not isinstance(headers, list):
        raise errors.unreadable_body("The headers of an item are not a list")
    return Item(
        id=_text(given["id"]),
        method=_text(given["method"]).upper(),
        url=_text(given["url"]),
        headers=tuple(_header(each) for each in headers),
        body=_text(given.get("body")),
        bare=given.get("exclude_response_headers") in (True, "true"),
    )


def _header(given: Any) -> tuple[bytes, bytes]:
    if not isinstance(given, dict) or not given.get("name"):
        raise errors.unreadable_body("A header of an item is not an object with a name and a value")
    name, value = _text(given["name"]).lower(), _text(given.get("value"))
    return name.encode("latin-1", "replace"), value.encode("latin-1", "replace")


def _text(value: Any) -> str:
    """A value as the text that the platform keeps of it: ids may come as numbers."""
    return "" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()


# ------------------------------------------------------------------ one item


async def _reply(request: Request, item: Item, left: float) -> Reply:
    """What the front door says to an item; what cannot be asked at all is that item's error."""
    try:
        body = _body(item)
        scope = _scope(request.scope, item, body, left)
    except PlatformError as error:
        body = msgspec.json.encode(error.body())
        headers = ((b"content-type", media.JSON.encode()),)
        return Reply(error.status, headers, body, str(error.detail or error.message))
    return await _through(request.app.state.front, scope, body)


def _body(item: Item) -> bytes:
    try:
        return b64decode(_SPACE.sub(b"", item.body.encode()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise errors.unreadable_body(f"The body of request {item.id} is not base64: {error}") from error


def _scope(outer: Scope, item: Item, body: bytes, left: float) -> Scope:
    """An item as a request of its own. Raises PlatformError 400 for one that a batch cannot hold."""
    if item.method not in METHODS:
        raise errors.method_refused(item.method)
    target = item.url if item.url.startswith("/") else f"/{item.url}"
    raw, _, query = target.partition("#")[0].partition("?")
    path = unquote(raw)
    # Nothing but the APIs: neither another host, nor the pages, nor the control surface.
    if not path.startswith("/api/") or ".." in path.split("/"):
        raise errors.unknown_resource()
    if _BATCH.match(path):
        raise PlatformError(400, "Invalid batch request", "A batch cannot hold another batch")
    own = [(name, value) for name, value in item.headers if name not in _NOT_ITS_OWN]
    named = {name for name, _ in own}
    kept = [pair for pair in outer["headers"] if pair[0] not in _OWN and pair[0] not in named]
    return {
        **outer,
        "method": item.method,
        "path": path,
        "raw_path": quote(raw, safe=string.punctuation).encode(),
        "query_string": quote(query, safe=string.punctuation + " ").encode(),
        "headers": [*kept, *own, (b"content-length", str(len(body)).encode())],
        "extensions": {**outer.get("extensions", {}), PART: {"seconds": left}},
        "state": {},
        "path_params": {},
    }


async def _through(front: Callable[..., Any], scope: Scope, body: bytes) -> Reply:
    reply = Reply()
    chunks: list[bytes] = []
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = tuple((name.lower(), value) for name, value in message["headers"])
        else:
            chunks.append(message.get("body", b""))

    await front(scope, receive, send)
    reply.body = b"".join(chunks)
    return reply


# ------------------------------------------------------------------ writing


def _shown(item: Item, reply: Reply, seconds: float) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": item.id,
        "body": b64encode(reply.body).decode(),
        "status_code": reply.status,
        "status_text": _phrase(reply.status),
        "headers": [] if item.bare else _headers(reply),
        "execution_time": round(seconds * 1000),
    }
    found = dict(reply.headers)
    if 300 <= reply.status < 400 and b"location" in found:
        shown["redirect_url"] = found[b"location"].decode("latin-1")
    if reply.problem:
        shown["error_message"] = reply.problem
    return shown


def _headers(reply: Reply) -> list[Mapping[str, str]]:
    shown = [
        {"name": spelt(name).decode("latin-1"), "value": value.decode("latin-1")}
        for name, value in reply.headers
        if name not in _NOT_SHOWN
    ]
    return [*shown, {"name": "Content-Length", "value": str(len(reply.body))}]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
