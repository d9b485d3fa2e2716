"""The Table API (ServiceNow docs: Table API). References always come as bare sys_ids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from linkspan.connection.reply import Reply
from linkspan.core import query as encoded
from linkspan.core.errors import Ambiguous, BadReply, NotAuthorized, NotFound

Row = dict[str, Any]
ORDER = ("sys_updated_on", "sys_id")

_TABLE = re.compile(r"[a-z_][a-z0-9_]*\Z", re.IGNORECASE)
_SYS_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class Caller(Protocol):
    """What this family needs of a connection."""

    def call(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None = None, json: Any = None
    ) -> Reply: ...


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows of one request. ``total`` counts matching rows before access controls; None if not told."""

    rows: list[Row]
    total: int | None


class TableApi:
    """Rows of any table. Values are strings; with ``display="all"`` objects of both values.

    Names of tables and sys_ids are checked (ValueError); line errors are those of ``core.errors``.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def page(
        self,
        table: str,
        *,
        query: str = "",
        fields: Sequence[str] = (),
        limit: int = 1000,
        offset: int = 0,
        display: str = "false",
        counted: bool = True,
    ) -> Page:
        """One page. Access controls hide rows after the limit is applied, so a short page is not the end.

        Counting costs the instance a query of its own; ``counted`` False leaves it out.
        """
        return self._page(table, query, fields, limit, offset=offset, display=display, counted=counted)

    def first(self, table: str, query: str, fields: Sequence[str] = ()) -> Row | None:
        """The first visible row that matches, or None. An order is the query's business."""
        rows = self._page(table, query, fields, 1, counted=False).rows
        return rows[0] if rows else None

    def get(self, table: str, sys_id: str, fields: Sequence[str] = (), display: str = "false") -> Row | None:
        """One row, or None when it is absent or hidden."""
        params = {**_shape(fields), "sysparm_display_value": display}
        try:
            return _row(self._caller.call("GET", _path(table, sys_id), params=params))
        except NotFound:
            return None

    def keyset(
        self,
        table: str,
        *,
        query: str = "",
        fields: Sequence[str] = (),
        page_size: int = 1000,
        after: tuple[str, str] | None = None,
        order: tuple[str, str] = ORDER,
    ) -> Iterator[list[Row]]:
        """All visible rows in ``order`` after the key ``after``, a page at a time, none twice.

        Pages advance by key, so rows that come and go meanwhile shift nothing. Rows hidden by access
        controls leave pages short or empty; the sweep goes on behind them. ``query`` must not sort.
        Raises BadReply (code keyset_stuck) when the instance ignores the key, NotAuthorized (code
        field_hidden) when the key's fields may not be read.
        """
        wanted = tuple(dict.fromkeys((*fields, *order))) if fields else ()
        skipped, counted = 0, True
        while True:
            behind = "" if after is None else encoded.after(order, after)
            text = encoded.all_of(encoded.restrict(query, behind), encoded.order_by(*order))
            page = self._page(table, text, wanted, page_size, offset=skipped, counted=counted)
            if page.rows:
                last = key_of(table, page.rows[-1], order)
                if last == after:
                    raise BadReply(
                        f"{table}: the same rows came again",
                        code="keyset_stuck",
                        fix="check the names in the query",
                    )
                yield page.rows
                after = last
            elif page.total is None:
                if counted:
                    return  # an empty page, and nothing tells of more
                counted = True  # empty without a count: ask again whether hidden rows fill this page
                continue
            if page.total is not None and page.total <= skipped + page_size:
                return
            skipped = 0 if page.rows else skipped + page_size
            # Counting costs the instance; it is asked only when the end may be near.
            counted = len(page.rows) < page_size

    def create(
        self,
        table: str,
        values: Mapping[str, Any],
        *,
        input_display: bool = False,
        fields: Sequence[str] = (),
    ) -> Row:
        """Insert one row and return it as it stands after the platform's rules."""
        params = _shape(fields, input_display=input_display)
        return _written(self._caller.call("POST", _path(table), params=params, json=_values(values)))

    def update(
        self,
        table: str,
        sys_id: str,
        values: Mapping[str, Any],
        *,
        input_display: bool = False,
        fields: Sequence[str] = (),
    ) -> Row:
        """Change the given values only and return the row after the platform's rules.

        A field that may not be written keeps its value without an error: compare what came back.
        """
        params = _shape(fields, input_display=input_display)
        return _written(self._caller.call("PATCH", _path(table, sys_id), params=params, json=_values(values)))

    def delete(self, table: str, sys_id: str) -> bool:
        """Whether this call deleted the row; False when it is absent or hidden."""
        try:
            self._caller.call("DELETE", _path(table, sys_id))
        except NotFound:
            return False
        return True

    def _page(
        self,
        table: str,
        query: str,
        fields: Sequence[str],
        limit: int,
        *,
        offset: int = 0,
        display: str = "false",
        counted: bool,
    ) -> Page:
        params: dict[str, str | int] = {
            "sysparm_query": query,
            **_shape(fields),
            "sysparm_display_value": display,
            "sysparm_limit": limit,
            "sysparm_suppress_pagination_header": "true",
        }
        if offset:
            params["sysparm_offset"] = offset
        if not counted:
            params["sysparm_no_count"] = "true"
        reply = self._caller.call("GET", _path(table), params=params)
        if not isinstance(reply.result, list):
            raise BadReply(f"GET {table}: no list of rows in the answer")
        total = reply.headers.get("x-total-count", "")
        return Page(rows=reply.result, total=int(total) if counted and total.isdigit() else None)


def _path(table: str, sys_id: str | None = None) -> str:
    if not _TABLE.match(table):
        raise ValueError(f"{table!r} is not a table name")
    if sys_id is None:
        return f"/api/now/table/{table}"
    if not _SYS_ID.match(sys_id):
        raise ValueError(f"{sys_id!r} is not a sys_id")
    return f"/api/now/table/{table}/{sys_id}"


def _shape(fields: Sequence[str], *, input_display: bool = False) -> dict[str, str | int]:
    shape: dict[str, str | int] = {"sysparm_exclude_reference_link": "true"}
    if fields:
        shape["sysparm_fields"] = ",".join(fields)
    if input_display:
        shape["sysparm_input_display_value"] = "true"
    return shape


def _values(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as the platform's text: booleans true/false, None empty."""
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _row(reply: Reply) -> Row:
    if not isinstance(reply.result, dict):
        raise BadReply("no record in the answer")
    return reply.result


def _written(reply: Reply) -> Row:
    """The row as it was written; without it nobody knows what was."""
    if not isinstance(reply.result, dict):
        raise Ambiguous("the write was accepted, but no record came back", fix="look the record up")
    return reply.result


def key_of(table: str, row: Row, order: tuple[str, str]) -> tuple[str, str]:
    """Where a row stands in ``order``. Raises NotAuthorized (code field_hidden) when it does not say."""
    try:
        return str(row[order[0]]), str(row[order[1]])
    except KeyError as missing:
        raise NotAuthorized(
            f"{table}.{missing.args[0]} is hidden from this account",
            where=table,
            code="field_hidden",
            fix="grant the account read on it; the sweep goes by this field",
        ) from missing
