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
from linkspan.core.errors import BadReply, NotAuthorized

PAGE = 500
IDS_PER_REQUEST = 50  # 33 characters each: leaves room for the condition in a URL of 8 kB
OVERLAP_SECONDS = 10
DEEP_OVERLAP_SECONDS = 120
DEEP_EVERY_SECONDS = 60


def newest(connection: Connection, table: str, *, exact: bool = False) -> str:
    """The newest visible ``sys_updated_on`` of the table in the platform's text, "" when there is none.

    ``exact`` leaves out rows of tables that extend it. Access controls may hide the newest rows: an empty
    page is not the end while the count says more.
    """
    terms, offset = query.all_of(_only(table, exact=exact), query.order_by("-sys_updated_on")), 0
    while True:
        page = connection.table.page(
            table, query=terms, fields=("sys_id", "sys_updated_on"), limit=PAGE, offset=offset
        )
        if page.rows:
            return str(page.rows[0]["sys_updated_on"])
        offset += PAGE
        if offset >= (page.total or 0):
            return ""


def matching(connection: Connection, table: str, sys_ids: Sequence[str], *, condition: str) -> set[str]:
    """Those of these records that match an encoded query now."""
    found: set[str] = set()
    for start in range(0, len(sys_ids), IDS_PER_REQUEST):
        part = sys_ids[start : start + IDS_PER_REQUEST]
        terms = query.all_of(condition, query.one_of("sys_id", part))
        rows = connection.table.page(table, query=terms, fields=("sys_id",), limit=len(part)).rows
        found |= {row["sys_id"] for row in rows}
    return found


def changed_since(
    connection: Connection, table: str, *, since: str, fields: Sequence[str], exact: bool = False
) -> Iterator[list[dict[str, str]]]:
    """Pages of rows with ``sys_updated_on`` ≥ ``since``, ordered by (sys_updated_on, sys_id).

    ``fields`` must hold sys_id and sys_updated_on. ``exact`` leaves out rows of tables that extend this
    one, and wants sys_class_name among them. Raises BadReply when the instance ignored a condition, as it
    does with query parts it finds invalid (ServiceNow docs: Table API), and NotAuthorized when a field is
    not in the answer: it leaves out what may not be read.
    """
    terms = query.all_of(_only(table, exact=exact), query.term("sys_updated_on", ">=", since))
    wanted = frozenset(fields)
    for rows in connection.table.keyset(table, query=terms, fields=tuple(fields), page_size=PAGE):
        for row in rows:
            if hidden := wanted.difference(row):
                raise NotAuthorized(
                    f"{table}.{min(hidden)} is hidden from this account, or not on this instance",
                    fix=f"grant the account read on {', '.join(sorted(hidden))}",
                    where=table,
                    code="field_hidden",
                )
            if row["sys_updated_on"] < since:
                raise BadReply(
                    f"{table} answered with a row older than asked for ({row['sys_updated_on']} < {since})",
                    fix="check that the account may query sys_updated_on (query ACLs)",
                    where=table,
                )
            if exact and row["sys_class_name"] != table:
                raise BadReply(
                    f"{table} answered with a row of {row['sys_class_name']}",
                    fix="check that the account may query sys_class_name (query ACLs)",
                    where=table,
                )
        yield rows


def _only(table: str, *, exact: bool) -> str:
    return query.term("sys_class_name", "=", table) if exact else ""


def back(stamp: str, seconds: float) -> str:
    """A platform time so many seconds earlier."""
    return platform_time(parse_platform_time(stamp) - seconds)
