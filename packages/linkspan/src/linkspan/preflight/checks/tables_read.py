"""Can the account read the other tables its recipe works on, and ask them what changed since a moment?"""

from __future__ import annotations

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.check import Answer, Cause, Check
from linkspan.core.errors import NotAuthorized
from linkspan.preflight import refused_write
from linkspan.preflight.context import Context

_OWN = "incident"  # has a check of its own
_FIELDS = ("sys_id", "sys_updated_on")
_LONG_AGO = "2000-01-01 00:00:00"


def run(context: Context) -> Answer:
    """One small page of each table, asked for by its moment of change and in that order."""
    found: list[Cause] = []
    seen: dict[str, int | None] = {}
    for table in context.uses:
        if table != _OWN:
            found += _table(context, table, seen)
    empty = [table for table, count in seen.items() if count == 0]
    if found:
        return Answer(outcome="fail", causes=tuple(found), evidence={"counted": seen})
    return Answer(outcome="pass", evidence={"counted": seen, "empty": empty})


def _table(context: Context, table: str, seen: dict[str, int | None]) -> list[Cause]:
    line = context.line()
    try:
        page = line.table.page(table, query=_changed_since(), fields=_FIELDS, limit=1)
    except NotAuthorized as error:
        return refused_write.causes(context, error, table, "read", "read_denied")
    seen[table] = page.total
    if page.rows and "sys_updated_on" not in page.rows[0]:
        return [context.cause("field_hidden", fields="sys_updated_on", table=table)]
    if page.rows:
        return []
    # Nothing by its moment of change, and something without: the comparison was dropped or refused.
    if line.table.page(table, fields=("sys_id",), limit=1).rows:
        return [context.cause("range_query_refused", "likely", table=table)]
    return _hidden(context, context.admin(), table, page.total)


def _hidden(context: Context, admin: Connection | None, table: str, total: int | None) -> list[Cause]:
    """The total counts before access controls hide rows; where it does not, the administrator's eyes tell."""
    if total or (admin is not None and admin.table.page(table, fields=("sys_id",), limit=1).rows):
        return [context.cause("table_rows_hidden", table=table)]
    return []


def _changed_since() -> str:
    return f"{query.term('sys_updated_on', '>=', _LONG_AGO)}^ORDERBYsys_updated_on"


CHECK = Check(
    name="tables_read", title="It sees the other tables of its recipe", run=run, needs=("identity",)
)
