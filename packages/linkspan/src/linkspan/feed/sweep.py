"""Everything of a table that changed since a moment, in order, read again with an overlap.

``sys_updated_on`` has a precision of one second and a row may commit a little after its stamp, so
each sweep starts before the newest stamp seen and the caller drops what it has seen
(sys_id, sys_mod_count). Pages follow a key, not an offset, and a short page is not the end: the
limit is applied before access control (ServiceNow docs: Table API, sysparm_limit).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.clock import parse_platform_time, platform_time
from linkspan.core.errors import BadReply

PAGE = 500
OVERLAP_SECONDS = 10
DEEP_OVERLAP_SECONDS = 120
DEEP_EVERY_SECONDS = 60


def newest(connection: Connection, table: str, *, condition: str = "") -> str:
    """The newest ``sys_updated_on`` of the table in the platform's text, "" when nothing is visible."""
    terms = query.all_of(condition, query.order_by("-sys_updated_on"))
    rows = connection.table.page(table, query=terms, fields=("sys_id", "sys_updated_on"), limit=1).rows
    return str(rows[0]["sys_updated_on"]) if rows else ""


def changed_since(
    connection: Connection, table: str, *, since: str, fields: Sequence[str], condition: str = ""
) -> Iterator[list[dict[str, str]]]:
    """Pages of rows with ``sys_updated_on`` ≥ ``since``, ordered by (sys_updated_on, sys_id).

    ``fields`` must hold sys_id and sys_updated_on. Raises BadReply when the instance ignored the
    time condition, as it does with query parts it finds invalid (ServiceNow docs: Table API).
    """
    terms = query.all_of(condition, query.term("sys_updated_on", ">=", since))
    for rows in connection.table.keyset(table, query=terms, fields=tuple(fields), page_size=PAGE):
        for row in rows:
            if row["sys_updated_on"] < since:
                raise BadReply(
                    f"{table} answered with a row older than asked for ({row['sys_updated_on']} < {since})",
                    fix="check that the account may query sys_updated_on (query ACLs)",
                    where=table,
                )
        yield rows


def back(stamp: str, seconds: float) -> str:
    """A platform time so many seconds earlier."""
    return platform_time(parse_platform_time(stamp) - seconds)
