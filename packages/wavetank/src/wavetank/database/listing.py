"""Which rows a query names, and in which order: first only their keys, the wide rows later by key.

A key is SQLite's rowid, or the sys_id where a table is only a view of others. A million keys are eight
megabytes; a million wide rows are a gigabyte. So a list of any length is sorted light and read in chunks.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from wavetank.database.dictionary import APART, COMPUTED, Table
from wavetank.database.references import Source

if TYPE_CHECKING:
    from wavetank.database.query import Compiled
    from wavetank.database.store import Database

Key = int | str
Keys = Sequence[Key]
Param = str | int | float
MOST_TOTALS = 200
CHUNK = 500  # rows read at once: some milliseconds, about a megabyte


def key_of(table: Table) -> str:
    """The column that tells one row of a table from another."""
    return "sys_id" if table.root in APART or table.root in COMPUTED else "rowid"


def keys(database: Database, compiled: Compiled, limit: int, offset: int) -> Keys:
    """The keys of the rows that a query names, in its order."""
    key = key_of(compiled.source.table)
    sql = f"SELECT t0.{key} {compiled.from_sql} WHERE {compiled.where_sql} {compiled.order_sql}"
    with database.indexing.watched(compiled):
        found = database.execute(f"{sql} LIMIT ? OFFSET ?", [*compiled.params, limit, offset])
        if key == "rowid":
            return array("q", (row[0] for row in found))
        return [row[0] for row in found]


def record(database: Database, table: Table, sys_id: str) -> Keys:
    """The key of the row with a sys_id: one, or none."""
    found = database.execute(*_record(database, table, sys_id)).fetchone()
    return [] if found is None else [found[0]]


def _record(database: Database, table: Table, sys_id: str) -> tuple[str, tuple[str, ...]]:
    def make() -> tuple[str, tuple[str, ...]]:
        terms, params = database.class_condition(table)
        where = " AND ".join([*terms, 't0."sys_id" = ?'])
        return f'SELECT t0.{key_of(table)} FROM "{table.root}" t0 WHERE {where}', tuple(params)  # noqa: S608

    sql, params = database.kept(("record", table.name), make)
    return sql, (*params, sys_id)


def total(database: Database, compiled: Compiled) -> int:
    """How many rows a query names. Counted anew only when the table has changed, or other tables matter."""
    sql = f"SELECT COUNT(*) {compiled.from_sql} WHERE {compiled.where_sql}"
    known: dict[tuple[str, tuple[Param, ...]], tuple[int, int]] = database.kept("totals", dict)
    alone = " JOIN " not in compiled.from_sql and "SELECT" not in compiled.where_sql
    revision = database.revision(compiled.source.table.name)
    if alone and (held := known.get((sql, compiled.params))) is not None and held[0] == revision:
        return held[1]
    with database.indexing.watched(compiled):
        counted = int(database.execute(sql, compiled.params).fetchone()[0])
    if alone:
        if len(known) >= MOST_TOTALS:
            known.clear()
        known[sql, compiled.params] = revision, counted
    return counted


def identities(database: Database, table: Table, chosen: Keys) -> dict[Key, tuple[str, str]]:
    """{key: (sys_id, class)} of rows; those that are gone are absent."""
    class_sql = 't0."sys_class_name"' if table.shared else "''"
    from_sql = chosen_from(Source(database.dictionary, table.name))
    sql = f'SELECT t0.{key_of(table)}, t0."sys_id", {class_sql} {from_sql}'
    rows = database.execute(sql, {"keys": packed(chosen)}).fetchall()
    return {key: (sys_id, name) for key, sys_id, name in rows}


def chosen_from(source: Source) -> str:
    """FROM and WHERE of a statement over the rows whose keys are bound as `:keys`, in their order."""
    table = source.table
    plain = f'FROM "{table.root}" t0'
    assert source.sql.startswith(plain)
    joins = source.sql.removeprefix(plain)
    # A CROSS JOIN keeps the keys in the outer loop: so SQLite says about its planner.
    return (
        f'FROM json_each(:keys) chosen CROSS JOIN "{table.root}" t0{joins}'
        f" WHERE t0.{key_of(table)} = chosen.value"
    )


def packed(chosen: Keys) -> str:
    """Keys as they are bound."""
    return msgspec.json.encode(list(chosen)).decode()
