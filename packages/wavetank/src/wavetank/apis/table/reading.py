"""Lists and single records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

import msgspec
from starlette.responses import Response

from wavetank import errors
from wavetank.apis.stream import Streamed
from wavetank.apis.table.call import (
    JSON,
    Call,
    answer,
    beside,
    compiled_of,
    readable,
)
from wavetank.apis.table.pages import Page, record, total_of

DEFAULT_LIMIT = 10_000
# Tables that say no instead of showing nothing (measured on a developer instance).
SAYS_NO = frozenset({"metric_definition", "metric_instance", "sys_db_object", "sys_plugins"})


def list_of(call: Call) -> Response:
    table = call.table.name
    may_read = readable(call)
    compiled = compiled_of(call, may_read)
    if not may_read and table in SAYS_NO:
        raise errors.table_refused(table)
    limit, offset = call.count("sysparm_limit", DEFAULT_LIMIT), call.count("sysparm_offset", 0)
    page = Page(call, compiled, limit if may_read else 0, offset)
    headers: dict[str, str] = {}
    total = None if call.flag("sysparm_no_count") else total_of(call, compiled, may_read)
    if total is not None:
        headers["X-Total-Count"] = str(total)
    if not call.flag("sysparm_suppress_pagination_header"):
        link = link_of(call, limit, offset, total, len(page))
        if link:
            headers["Link"] = link
    if call.version == "/v1" and page.empty:
        raise errors.no_record()
    return listed(call, page, headers)


def listed(call: Call, page: Page, headers: Mapping[str, str]) -> Response:
    """The answer with the rows of a page; a long one is sent while it is read."""
    if call.kind != "json":
        return answer(call, list(page.rows()), 200, headers)
    if page.short or not call.base:  # the instance's own pages ask for a whole body
        return answer(call, page.whole(), 200, headers)
    more = msgspec.json.encode(beside(call))[1:-1]
    return Streamed(page.chunks(), headers, JSON, b"," + more if more else b"")


def link_of(call: Call, limit: int, offset: int, total: int | None, shown: int) -> str:
    """The pagination header. On the first page `prev` has a negative offset: that was recorded."""
    if (
        limit <= 0
        or (total is not None and total <= limit)
        or (total is None and shown < limit and not offset)
    ):
        return ""
    pairs = [pair for pair in call.query_string.split("&") if pair]
    kept = [
        pair
        for pair in pairs
        if unquote_plus(pair.partition("=")[0]) not in {"sysparm_limit", "sysparm_offset"}
    ]

    def to(name: str, at: int) -> str:
        query = "&".join([*kept, f"sysparm_limit={limit}", f"sysparm_offset={at}"])
        return f'<{call.base}{call.path}?{query}>;rel="{name}"'

    links = [to("first", 0), to("prev", offset - limit)]
    if offset + limit < total if total is not None else shown == limit:
        links.append(to("next", offset + limit))
    if total is not None:
        links.append(to("last", (total - 1) // limit * limit))
    return ",".join(links)


def record_of(call: Call) -> Response:
    shown = shown_record(call, call.sys_id)
    if shown is None:
        raise errors.no_record()
    return answer(call, shown)


def shown_record(call: Call, sys_id: str) -> Any:
    """One record as the caller may see it, ready for `answer`; None when there is none to see."""
    if not readable(call):
        return None
    text = record(call, sys_id)
    if text is None:
        return None
    return msgspec.Raw(text) if call.kind == "json" else msgspec.json.decode(text)
