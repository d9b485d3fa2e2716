"""Which records were deleted, by the instance's own audit (ServiceNow docs: Exploring auditing).

An entry names the class of the record, not the table that is read, so the classes below are asked for too.
An entry is a hint: what the instance still has, shown or hidden, was restored and is not deleted.
Whatever leaves no entry is found by comparing keys (``verify``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import NotAuthorized, NotFound, Rejected
from linkspan.feed import bounded
from linkspan.feed.sweep import back
from linkspan.ingest.values import Batch, Gone, Shape, State

AUDIT = "sys_audit_delete"
OVERLAP_SECONDS = 120
_ORDER = ("sys_created_on", "sys_id")
# What was in the record (payload, display_value) may be excluded, so it is never asked for.
_FIELDS = ("sys_id", "sys_created_on", "documentkey")


def audited(connection: Connection, shape: Shape, state: State) -> Iterator[Batch]:
    """One batch with the deletions since the state's own cursor; the instance has none of them any more.

    Where the account may not read the audit the batch says so, and the cursor stays.
    """
    low = back(state.deletes, OVERLAP_SECONDS)
    high = bounded.server_time(connection, shape.table)
    span = bounded.Span(low=(min(low, high), ""), high=(high, None), order=_ORDER)
    classes = query.one_of("tablename", shape.classes)
    try:
        if _closed(connection, query.all_of(classes, span.condition())):
            raise NotAuthorized("no entry is visible")
        entries = [
            (row["documentkey"], row["sys_created_on"])
            for pages in bounded.sweep(connection, AUDIT, span=span, fields=_FIELDS, condition=classes)
            for row in pages.rows
            if row.get("documentkey")
        ]
    except (NotAuthorized, NotFound, Rejected):
        yield Batch(shape=shape, state=replace(state, audit="closed", number=state.number + 1))
        return
    times = dict(entries)
    stands = bounded.standing(connection, shape.table, list(times))
    still = stands.visible | stands.hidden
    gone = tuple(Gone(sys_id=sys_id, at=at) for sys_id, at in times.items() if sys_id not in still)
    newest = max(times.values(), default=state.deletes)
    # No entry at all proves nothing about the rights.
    audit = "readable" if entries else state.audit
    done = replace(state, deletes=max(state.deletes, newest), audit=audit, number=state.number + 1)
    yield Batch(shape=shape, state=done, deleted=gone)


def _closed(connection: Connection, condition: str) -> bool:
    """Whether entries are counted of which none is shown."""
    page = connection.table.page(AUDIT, query=condition, fields=("sys_id",), limit=bounded.SURE)
    return not page.rows and bool(page.total)
