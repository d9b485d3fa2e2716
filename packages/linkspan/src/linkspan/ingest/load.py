"""Storing batches. Knows nothing of the instance they come from.

A batch is one transaction: new columns, merged rows, tombstones, what was set aside, and how far the
stream is. Loading it again changes nothing. An older version of a row never replaces a newer one, unless
it was looked up because the two differ: stamps move back when an instance is cloned or a record imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from linkspan.core import clock
from linkspan.core.errors import Stale
from linkspan.ingest.values import Batch, Gone, Quarantined, Shape, State
from linkspan.store.warehouse import BOOKS, Warehouse, quoted

if TYPE_CHECKING:
    import duckdb

OWN = {"_deleted_at": "TIMESTAMP", "_ingested_at": "TIMESTAMP", "_unparsed": "VARCHAR"}
SQL_TYPES = {
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "duration": "BIGINT",
}
_UNKNOWN = "__new"


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What one batch did; nothing when it had been loaded before."""

    rows: int
    deleted: int


def load(warehouse: Warehouse, batch: Batch, *, in_sequence: bool = False) -> Loaded:
    """Store a batch and its state, both or neither.

    Raises WarehouseBusy, WarehouseBroken, and Stale with code gap when the batch has to come ``in_sequence``
    and one before it is missing.
    """
    with (
        warehouse.spooled(iter([batch.rows])) as file,
        warehouse.use(f"load {batch.shape.instance}/{batch.shape.table}") as connection,
    ):
        connection.execute("BEGIN")
        before = _state(connection, batch.shape.instance, batch.shape.table)
        if before is not None and batch.state.number < before.number:
            return Loaded(rows=0, deleted=0)
        last = before.number if before is not None else 0
        if in_sequence and batch.state.number > last + 1:
            raise Stale(
                f"batch {batch.state.number} came, and {last} is the last that is stored",
                where=f"{batch.shape.instance}/{batch.shape.table}",
                fix="the satellite goes on from what is stored",
                code="gap",
            )
        if batch.restart:
            connection.execute(f"DROP TABLE IF EXISTS {_table(batch.shape)}")
        types = _fit(connection, batch.shape)
        merged = _merge(connection, batch, types, file) if batch.rows else 0
        deleted = _mark(connection, batch.shape, batch.deleted)
        _set_aside(connection, batch.shape, batch.quarantined)
        _note_treatment(connection, batch)
        save_state(connection, batch.shape, batch.state)
        connection.execute("COMMIT")
    return Loaded(rows=merged, deleted=deleted)


def state_of(warehouse: Warehouse, instance: str, table: str) -> State:
    """How far a stream is; the state of a new one when nothing is stored."""
    if not warehouse.exists:
        return State()
    with warehouse.use("read") as connection:
        return _state(connection, instance, table) or State()


def save_state(connection: duckdb.DuckDBPyConnection, shape: Shape, state: State) -> None:
    """Within the caller's transaction."""
    where = [shape.instance, shape.table]
    connection.execute(f'DELETE FROM "{BOOKS}".stream WHERE instance = ? AND stream = ?', where)  # noqa: S608
    connection.execute(
        f'INSERT INTO "{BOOKS}".stream VALUES (?, ?, ?, ?)',  # noqa: S608
        [*where, msgspec.json.encode(state).decode(), _now()],
    )


def note(connection: duckdb.DuckDBPyConnection, shape: Shape, kind: str, detail: str) -> None:
    """Write down that something about a stream changed. Within the caller's transaction."""
    connection.execute(
        f'INSERT INTO "{BOOKS}".event VALUES (?, ?, ?, ?, ?)',  # noqa: S608
        [_now(), shape.instance, shape.table, kind, detail],
    )


def mark_deleted(warehouse: Warehouse, shape: Shape, gone: Sequence[Gone]) -> int:
    """Tombstones for rows that the instance does not show any more; how many were new."""
    with warehouse.use(f"load {shape.instance}/{shape.table}") as connection:
        connection.execute("BEGIN")
        done = _mark(connection, shape, gone)
        connection.execute("COMMIT")
    return done


# ── the parts of a load ──────────────────────────────────────────────────────────────────────────


def _state(connection: duckdb.DuckDBPyConnection, instance: str, table: str) -> State | None:
    found = connection.execute(
        f'SELECT state FROM "{BOOKS}".stream WHERE instance = ? AND stream = ?',  # noqa: S608
        [instance, table],
    ).fetchone()
    return msgspec.json.decode(found[0], type=State) if found else None


def _fit(connection: duckdb.DuckDBPyConnection, shape: Shape) -> dict[str, str]:
    """Make the table fit the shape; SQL type by column as it stands then.

    Columns are added, never taken away. A column that is text stays text; one that was typed and is
    text now becomes text.
    """
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(shape.instance)}")
    wanted = {column.name: SQL_TYPES[column.kind] for column in shape.columns}
    types = _types(connection, shape)
    if not types:
        lines = ", ".join(f"{quoted(name)} {kind}" for name, kind in (wanted | OWN).items())
        connection.execute(f"CREATE TABLE {_table(shape)} ({lines})")
        return wanted | OWN
    for name, kind in wanted.items():
        if name not in types:
            connection.execute(f"ALTER TABLE {_table(shape)} ADD COLUMN {quoted(name)} {kind}")
            note(connection, shape, "field_added", name)
        elif types[name] != kind and kind == "VARCHAR":
            connection.execute(f"ALTER TABLE {_table(shape)} ALTER {quoted(name)} TYPE VARCHAR")
            note(connection, shape, "field_became_text", name)
    return _types(connection, shape)


def _types(connection: duckdb.DuckDBPyConnection, shape: Shape) -> dict[str, str]:
    rows = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() "
        "WHERE schema_name = ? AND table_name = ? AND NOT internal ORDER BY column_index",
        [shape.instance, shape.table],
    ).fetchall()
    return dict(rows)


def _merge(
    connection: duckdb.DuckDBPyConnection,
    batch: Batch,
    types: dict[str, str],
    file: Path,
) -> int:
    """Merge the staged rows by sys_id; how many were new or newer than what was stored."""
    columns = batch.shape.columns
    names = [column.name for column in columns]
    kinds = {column.name: column.kind if types[column.name] != "VARCHAR" else "text" for column in columns}
    raw = ", ".join(f"{_string(name)}: 'VARCHAR'" for name in names)
    values = ", ".join(f"{_value(name, kinds[name])} AS {quoted(name)}" for name in names)
    flags = "".join(f", {quoted(name)} IS NULL AS {quoted(name + _UNKNOWN)}" for name in batch.absent)
    mod_count = "TRY_CAST(raw.sys_mod_count AS BIGINT)" if "sys_mod_count" in names else "NULL"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE staged AS
        SELECT {values}, {_unparsed(kinds)} AS _unparsed {flags}
        FROM read_json(?, format = 'newline_delimited', columns = {{{raw}}}) AS raw
        QUALIFY row_number() OVER (PARTITION BY raw.sys_id
            ORDER BY raw.sys_updated_on DESC, {mod_count} DESC NULLS LAST) = 1""",  # noqa: S608
        [str(file)],
    )
    fits = "true" if batch.current else _not_older(names)
    found = connection.execute(
        f"""MERGE INTO {_table(batch.shape)} AS t USING staged AS s ON t.sys_id = s.sys_id
        WHEN MATCHED AND {fits} THEN UPDATE SET {_assignments(batch, names)}
        WHEN NOT MATCHED THEN INSERT ({", ".join(map(quoted, names))}, _unparsed, _ingested_at)
            VALUES ({", ".join("s." + quoted(name) for name in names)}, s._unparsed, ?)""",  # noqa: S608
        [_now(), _now()],
    ).fetchone()
    connection.execute(
        f'DELETE FROM "{BOOKS}".quarantine WHERE instance = ? AND stream = ? '  # noqa: S608
        "AND sys_id IN (SELECT sys_id FROM staged)",
        [batch.shape.instance, batch.shape.table],
    )
    connection.execute("DROP TABLE staged")
    return int(found[0]) if found else 0


def _not_older(names: Sequence[str]) -> str:
    """An equal version may replace: a rule can change a row without moving its stamp and count."""
    if "sys_mod_count" not in names:
        return "(t.sys_updated_on IS NULL OR s.sys_updated_on >= t.sys_updated_on)"
    return (
        "(t.sys_updated_on IS NULL OR s.sys_updated_on > t.sys_updated_on"
        " OR (s.sys_updated_on = t.sys_updated_on"
        " AND coalesce(s.sys_mod_count, -1) >= coalesce(t.sys_mod_count, -1)))"
    )


def _assignments(batch: Batch, names: Iterable[str]) -> str:
    """A value that was hidden in this row leaves the stored one; a row that is seen is not deleted."""
    parts = [
        f"{quoted(name)} = CASE WHEN s.{quoted(name + _UNKNOWN)} THEN t.{quoted(name)} "
        f"ELSE s.{quoted(name)} END"
        if name in batch.absent
        else f"{quoted(name)} = s.{quoted(name)}"
        for name in names
        if name != "sys_id"
    ]
    return ", ".join([*parts, "_unparsed = s._unparsed", "_deleted_at = NULL", "_ingested_at = ?"])


def _value(name: str, kind: str) -> str:
    """A raw text as a value of its kind; NULL where it is empty or does not fit."""
    text = f"nullif(raw.{quoted(name)}, '')"
    if kind == "text":
        return text
    if kind == "duration":
        # A duration is kept as a time after the start of 1970 (recorded from a real instance).
        return f"CAST(epoch(TRY_CAST({text} AS TIMESTAMP)) AS BIGINT)"
    return f"TRY_CAST({text} AS {SQL_TYPES[kind]})"


def _unparsed(kinds: Mapping[str, str]) -> str:
    """The raw texts that do not fit their type, as a JSON list; NULL when all do."""
    typed = [name for name, kind in kinds.items() if kind != "text"]
    if not typed:
        return "CAST(NULL AS VARCHAR)"
    bad = {name: f"(raw.{quoted(name)} <> '' AND {_value(name, kinds[name])} IS NULL)" for name in typed}
    parts = ", ".join(
        f"CASE WHEN {test} THEN {{'field': {_string(name)}, 'text': raw.{quoted(name)}}} END"
        for name, test in bad.items()
    )
    return (
        f"CASE WHEN {' OR '.join(bad.values())} THEN "
        f"CAST(to_json(list_filter([{parts}], lambda one: one IS NOT NULL)) AS VARCHAR) END"
    )


def _mark(connection: duckdb.DuckDBPyConnection, shape: Shape, gone: Sequence[Gone]) -> int:
    if not gone or not _types(connection, shape):
        return 0
    found = connection.execute(
        f"UPDATE {_table(shape)} AS t SET _deleted_at = CAST(g.at AS TIMESTAMP), _ingested_at = ? "  # noqa: S608
        "FROM (SELECT unnest(?) AS sys_id, unnest(?) AS at) AS g "
        "WHERE t.sys_id = g.sys_id AND t._deleted_at IS NULL",
        [_now(), [one.sys_id for one in gone], [one.at for one in gone]],
    ).fetchone()
    return int(found[0]) if found else 0


def _set_aside(
    connection: duckdb.DuckDBPyConnection, shape: Shape, quarantined: Sequence[Quarantined]
) -> None:
    for one in quarantined:
        where = [shape.instance, shape.table, one.sys_id]
        connection.execute(
            f'DELETE FROM "{BOOKS}".quarantine WHERE instance = ? AND stream = ? AND sys_id = ?',  # noqa: S608
            where,
        )
        connection.execute(
            f'INSERT INTO "{BOOKS}".quarantine VALUES (?, ?, ?, ?, ?)',  # noqa: S608
            [*where, _now(), one.reason],
        )


def _note_treatment(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """What becomes of each field; a field that may no longer be read is an event."""
    shape = batch.shape
    where = [shape.instance, shape.table]
    known = dict(
        connection.execute(
            f'SELECT field, treatment FROM "{BOOKS}".field WHERE instance = ? AND stream = ?',  # noqa: S608
            where,
        ).fetchall()
    )
    now = {column.name: _treatment(column.hashed, known.get(column.name)) for column in shape.columns}
    if not batch.rows:
        now = {name: known.get(name, treatment) for name, treatment in now.items()}
    for name in batch.absent:
        now[name] = "unreadable"
        if known.get(name) in ("kept", "hashed", "mixed"):
            note(connection, shape, "field_unreadable", name)
    if now == known:
        return
    connection.execute(f'DELETE FROM "{BOOKS}".field WHERE instance = ? AND stream = ?', where)  # noqa: S608
    kinds = {column.name: column.kind for column in shape.columns}
    connection.execute(
        f'INSERT INTO "{BOOKS}".field SELECT ?, ?, unnest(?), unnest(?), unnest(?)',
        [*where, list(now), [kinds[name] for name in now], list(now.values())],
    )


def _treatment(hashed: bool, before: str | None) -> str:
    """``mixed``: hashed by now, and older values are stored in the clear."""
    if not hashed:
        return "kept"
    return "mixed" if before in ("kept", "mixed") else "hashed"


def _table(shape: Shape) -> str:
    return Warehouse.table(shape.instance, shape.table)


def _string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _now() -> str:
    return clock.platform_time(clock.now())
