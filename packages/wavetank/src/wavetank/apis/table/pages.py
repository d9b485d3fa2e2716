"""The rows of one page, as the caller may see them, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wavetank.database.display import Renderer
from wavetank.database.formats import Mode, Style
from wavetank.database.query import Compiled
from wavetank.database.references import Source

if TYPE_CHECKING:
    pass

from wavetank.apis.table.call import TRUE, Call, formats_of, paths_of


def page_of(call: Call, compiled: Compiled, limit: int, offset: int) -> list[dict[str, Any]]:
    renderer = renderer_for(call, compiled.source)
    sql = (
        f"SELECT {renderer.columns} {compiled.source.sql} WHERE {compiled.where_sql} {compiled.order_sql}"
        " LIMIT ? OFFSET ?"
    )
    rows = call.instance.database.execute(sql, [*compiled.params, limit, offset]).fetchall()
    return _visible(call, renderer, rows)


def _visible(call: Call, renderer: Renderer, rows: Sequence[tuple[str, ...]]) -> list[dict[str, Any]]:
    """Access controls come after the limit: a page may be short though more rows follow."""
    access, session, table = call.instance.access, call.session, call.table.name
    if access.needs_row(session, "read", table):
        rows = [row for row in rows if access.row(session, "read", table, _identity(row))]
    walked = access.query_fields(session, table, [key for key in paths_of(call) if "." in key])
    always = access.fields(session, "read", table, None) | walked

    by_class: dict[str, frozenset[str]] = {}
    by_row = access.fields_need_row(session, "read", table)

    def denied(sys_id: str, class_name: str) -> frozenset[str]:
        found = None if by_row else by_class.get(class_name)
        if found is None:
            row = {"sys_id": sys_id, "sys_class_name": class_name}
            found = by_class[class_name] = always | access.fields(session, "read", table, row)
        return found

    return renderer.render(rows, denied)


def _identity(row: Sequence[str]) -> dict[str, str]:
    return {"sys_id": row[0], "sys_class_name": row[1]}


def total_of(call: Call, compiled: Compiled, may_read: bool) -> int:
    database, access, table = call.instance.database, call.instance.access, call.table.name
    if call.instance.settings.get("total_count") == "after_acl":
        if not may_read:
            return 0
        if access.needs_row(call.session, "read", table):
            class_sql = 't0."sys_class_name"' if call.table.shared else "''"
            sql = f'SELECT t0."sys_id", {class_sql} {compiled.from_sql} WHERE {compiled.where_sql}'
            rows = database.execute(sql, compiled.params).fetchall()
            return sum(access.row(call.session, "read", table, _identity(row)) for row in rows)
    sql = f"SELECT COUNT(*) {compiled.from_sql} WHERE {compiled.where_sql}"
    return int(database.execute(sql, compiled.params).fetchone()[0])


def renderer_for(call: Call, source: Source) -> Renderer:
    mode = call.params.get("sysparm_display_value", "").lower()
    shown: Mode = "all" if mode == "all" else "true" if mode in TRUE else "false"
    date_format, time_format = formats_of(call)
    style = Style(
        mode=shown,
        links="" if call.flag("sysparm_exclude_reference_link") else call.address,
        time_zone=call.session.time_zone,
        date_format=date_format,
        time_format=time_format,
    )
    return Renderer(call.instance.database, call.instance.behaviour.choices, source, paths_of(call), style)
