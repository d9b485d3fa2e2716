"""Short stand-ins for long addresses: `POST /api/now/tinyurl`, and `sysparm_tiny` among parameters.

The API is not documented; its shapes are those that pages of the platform and public clients rely on. What an
address asked for is kept as a record of `sys_tiny_url` under an id of 32 characters, and is answered to
whoever asks with the id as if it had been sent: the caller's own rights decide as ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wavetank import errors
from wavetank.apis import media
from wavetank.apis.endpoint import undocumented

if TYPE_CHECKING:
    from wavetank.instance import Instance

TABLE = "sys_tiny_url"
PARAMETER = "sysparm_tiny"
# Bounds of wavetank's own: characters of an address, and how many are kept. The oldest make room.
LONGEST = 1_000_000
MOST = 5_000


def routes() -> list[Route]:
    """The routes of the API. They need `request.app.state.instance` and `request.state.session`."""
    return [
        route
        for version in ("", "/v1", "/v2")
        for route in (
            Route(f"/api/now{version}/tinyurl", undocumented(_make), methods=["POST"]),
            Route(f"/api/now{version}/tinyurl/{{tiny}}", undocumented(_resolve), methods=["GET"]),
        )
    ]


def replayed(instance: Instance, params: dict[str, str]) -> dict[str, str]:
    """The parameters, with those that their `sysparm_tiny` stands for; sent ones win, for paging."""
    tiny = params.pop(PARAMETER, "").strip()
    return {**(kept(instance, tiny) or {}), **params} if tiny else params


def kept(instance: Instance, tiny: str) -> dict[str, str] | None:
    """The parameters that an id stands for; None for an id that is not known (any more)."""
    if instance.dictionary.table(TABLE) is None:
        return None
    row = instance.database.first(TABLE, tiny_url=tiny)
    return None if row is None else _params(row["data"])


def shortened(instance: Instance, address: str) -> str:
    """The short form of an address: its path, without host, and the id of its parameters."""
    parts = urlsplit(address)
    database = instance.database
    digest = hashlib.sha256(parts.query.encode()).hexdigest()[:32]
    row = database.first(TABLE, data_hash=digest)
    if row is None:
        excess = database.count(TABLE) + 1 - MOST
        for old in database.select(TABLE, "ORDERBYsys_created_on", limit=excess) if excess > 0 else []:
            database.delete(TABLE, old["sys_id"])
        tiny = instance.ids.hex(32)
        row = database.insert(TABLE, {"tiny_url": tiny, "data": parts.query, "data_hash": digest})
    return f"{parts.path.lstrip('/')}?{PARAMETER}={row['tiny_url']}"


def _params(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name != PARAMETER:
            found.setdefault(name, value)
    return found


def _make(request: Request, instance: Instance, body: bytes) -> Response:
    given: Mapping[str, object] = media.record(request.headers.get("content-type", ""), body)
    address = given.get("url")
    if not isinstance(address, str) or not address.strip():
        raise errors.unreadable_body("The payload has no url")
    if len(address) > LONGEST:
        raise errors.too_large(len(address), LONGEST)
    try:
        short = shortened(instance, address.strip())
    except ValueError as error:
        raise errors.unreadable_body(f"The url cannot be read: {error}") from error
    return media.answer(media.wanted(request.headers.get("accept", "")), {"result": short})


def _resolve(request: Request, instance: Instance, _body: bytes) -> Response:
    found = kept(instance, request.path_params["tiny"])
    if found is None:
        raise errors.no_record()
    return media.answer(media.wanted(request.headers.get("accept", "")), {"result": found})
