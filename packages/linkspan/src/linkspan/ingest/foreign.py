"""Batches that come from another machine: nothing in them is believed before it was looked at.

Names become SQL identifiers, numbers decide what is loaded and stamps what is read next, so each has a form.
"""

from __future__ import annotations

import re

import msgspec

from linkspan.core.clock import parse_platform_time
from linkspan.core.errors import Rejected
from linkspan.ingest.extract import BATCH_ROWS
from linkspan.ingest.values import Batch, State

MOST_ROWS = 2 * BATCH_ROWS
MOST_COLUMNS = 2000
MOST_CLASSES = 2000
LARGEST_NUMBER = 2**53
LONGEST_TEXT = 8192
NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
SYS_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
# What rows are told apart and versions are compared by.
_NEEDED = {"sys_id": "text", "sys_updated_on": "timestamp", "sys_mod_count": "integer"}


def read(text: bytes, tenant: str) -> Batch:
    """The batch in ``text``, if it is one that a satellite of ``tenant`` may send. Raises Rejected."""
    try:
        batch = Batch.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(f"this is no batch: {error}") from error
    require_stream(tenant, batch.shape.instance, batch.shape.table)
    _require_columns(batch)
    _require_rows(batch)
    _require_state(batch.state)
    return batch


def require_stream(tenant: str, instance: str, table: str) -> None:
    """Raise Rejected unless a satellite of ``tenant`` may send this stream."""
    if not re.fullmatch(rf"{re.escape(tenant)}-[a-z0-9][a-z0-9_-]{{0,39}}", instance):
        raise _wrong(f"a satellite of {tenant} may send only what is called {tenant}-ID", "shape.instance")
    if not NAME.fullmatch(table):
        raise _wrong("this cannot be a table", "shape.table")


def _require_columns(batch: Batch) -> None:
    shape = batch.shape
    names = set(shape.fields)
    if len(names) != len(shape.columns) or len(names) > MOST_COLUMNS:
        raise _wrong("too many columns, or one twice", "shape.columns")
    kinds = {column.name: column.kind for column in shape.columns if not column.hashed}
    if any(kinds.get(name) != kind for name, kind in _NEEDED.items()):
        raise _wrong(f"{', '.join(_NEEDED)} are needed, each as what it is", "shape.columns")
    if any(not NAME.fullmatch(name) for name in (*names, *shape.classes)):
        raise _wrong("a name that no column or class can have", "shape")
    if len(shape.classes) > MOST_CLASSES or len(shape.query) + len(shape.host) > LONGEST_TEXT:
        raise _wrong("more than can be", "shape")
    if not names.issuperset(batch.absent) or len(set(batch.absent)) != len(batch.absent):
        raise _wrong("a field that is not a column, or one twice", "absent")


def _require_rows(batch: Batch) -> None:
    names = frozenset(batch.shape.fields)
    if max(len(batch.rows), len(batch.deleted), len(batch.quarantined)) > MOST_ROWS:
        raise _wrong("too many records at once", "rows")
    for row in batch.rows:
        if not names.issuperset(row):
            raise _wrong("a field that is not a column", "rows")
        if not SYS_ID.fullmatch(row.get("sys_id", "")):
            raise _wrong("a row without a sys_id", "rows")
    for gone in batch.deleted:
        if not SYS_ID.fullmatch(gone.sys_id):
            raise _wrong("no sys_id", "deleted")
        _require_stamp(gone.at, "deleted")
    for one in batch.quarantined:
        if len(one.sys_id) > 64 or len(one.reason) > LONGEST_TEXT:
            raise _wrong("more than can be", "quarantined")


def _require_state(state: State) -> None:
    numbers = (state.number, state.page_size, state.hidden or 0)
    if any(not 0 <= number < LARGEST_NUMBER for number in numbers) or len(state.fingerprint) > 64:
        raise _wrong("a number that cannot be", "state")
    stamps = [state.cursor, state.deletes, state.finished, state.compared]
    if state.sweep is not None:
        stamps += [state.sweep.high, state.sweep.after[0]]
        if state.sweep.after[1] and not SYS_ID.fullmatch(state.sweep.after[1]):
            raise _wrong("no sys_id", "state.sweep")
    for stamp in stamps:
        if stamp:
            _require_stamp(stamp, "state")


def _require_stamp(text: str, where: str) -> None:
    try:
        parse_platform_time(text)
    except ValueError as error:
        raise _wrong("a time that is not YYYY-MM-DD HH:MM:SS", where) from error


def _wrong(cause: str, where: str = "") -> Rejected:
    return Rejected(cause, where=where, fix="run the same release of linkspan on both sides", code="invalid")
