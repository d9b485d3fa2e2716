"""Whether the warehouse holds what the instance shows, row by row, and what to do where it does not.

The keys of all visible rows (sys_id and version) are read and compared with the stored ones. This finds
what no cursor can: deletions without an audit entry, restored records, stamps that lie behind the cursor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.feed import bounded
from linkspan.ingest.values import Shape
from linkspan.store.warehouse import BOOKS, Warehouse

FARTHEST = "2999-12-31 23:59:59"
KEYS_PER_PAGE = 5000
_KEY_FIELDS = ("sys_id", "sys_updated_on", "sys_mod_count")
COUNTS = 3


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Both sides of one stream. ``counted`` holds what access controls hide, ``visible`` does not.

    ``missing`` are visible and not stored, ``stale`` are stored in an older version, ``vanished`` are
    stored and not visible: lists of sys_ids.
    """

    counted: int
    visible: int
    stored: int
    deleted: int
    doubled: int
    missing: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)

    @property
    def hidden(self) -> int:
        return max(0, self.counted - self.visible)

    def gaps(self) -> list[dict[str, Any]]:
        """What keeps the two sides from being equal: ``[{kind, count, sys_ids (a few), fix}]``."""
        aside = set(self.quarantined)
        parts = {
            "quarantined": (
                sorted(aside & set(self.missing)),
                "the instance cannot return them: look at them there",
            ),
            "missing": ([one for one in self.missing if one not in aside], "run the ingestion"),
            "stale": (self.stale, "run the ingestion"),
            "vanished": (self.vanished, "run the ingestion; it looks again before it calls them deleted"),
        }
        found = [
            {"kind": kind, "count": len(ids), "sys_ids": ids[:5], "fix": fix}
            for kind, (ids, fix) in parts.items()
            if ids
        ]
        if self.doubled:
            found.append({"kind": "doubled", "count": self.doubled, "sys_ids": [], "fix": "run with --full"})
        return found


def compare(connection: Connection, warehouse: Warehouse, shape: Shape) -> Comparison:
    """Compare every visible row's version with what is stored. Changes nothing."""
    for _ in range(COUNTS):
        before = bounded.count(connection, shape.table, shape.query)
        with warehouse.spooled(keys(connection, shape)) as file:
            after = bounded.count(connection, shape.table, shape.query)
            if before == after:
                return compared(warehouse, shape.instance, shape.table, file, counted=after)
    with warehouse.spooled(keys(connection, shape)) as file:
        return compared(warehouse, shape.instance, shape.table, file, counted=after)


def stored(warehouse: Warehouse, instance: str, table: str) -> dict[str, int]:
    """``{"stored", "deleted", "doubled"}`` of a stream; zeros when it is not stored."""
    if not warehouse.columns(instance, table):
        return {"stored": 0, "deleted": 0, "doubled": 0}
    (found,) = warehouse.rows(_COUNTS.format(table=Warehouse.table(instance, table)))
    return {name: int(value) for name, value in found.items()}


_COUNTS = """SELECT count(*) FILTER (WHERE _deleted_at IS NULL) AS stored,
    count(*) FILTER (WHERE _deleted_at IS NOT NULL) AS deleted,
    count(*) - count(DISTINCT sys_id) AS doubled FROM {table}"""


def keys(connection: Connection, shape: Shape) -> Iterator[list[dict[str, str]]]:
    """The keys of every row that is visible: sys_id, sys_updated_on, sys_mod_count."""
    size = bounded.PageSize(KEYS_PER_PAGE, most=KEYS_PER_PAGE)
    span = bounded.Span(low=(bounded.EARLIEST, ""), high=(FARTHEST, None))
    for pages in bounded.sweep(
        connection, shape.table, span=span, fields=_KEY_FIELDS, condition=shape.query, size=size
    ):
        yield pages.rows
    undated = query.restrict(shape.query, query.term("sys_updated_on", "ISEMPTY"))
    yield connection.table.page(shape.table, query=undated, fields=_KEY_FIELDS, limit=KEYS_PER_PAGE).rows


def compared(
    warehouse: Warehouse,
    instance: str,
    stream: str,
    file: Path,
    *,
    counted: int,
    span: tuple[str, str] = ("", ""),
) -> Comparison:
    """Compare a spooled file of keys with what is stored, sys_ids from ``span[0]`` to before ``span[1]``.

    An empty end of the span is no end. Keys outside of it must not be in the file.
    """
    table = Warehouse.table(instance, stream)
    part = [span[0], span[1], span[1]]
    with warehouse.use(f"compare {instance}/{stream}") as connection:
        connection.execute(
            """CREATE TEMP TABLE seen AS SELECT sys_id, max(sys_updated_on) AS stamp,
            max_by(TRY_CAST(sys_mod_count AS BIGINT), sys_updated_on) AS version
            FROM read_json(?, format = 'newline_delimited', columns =
            {'sys_id': 'VARCHAR', 'sys_updated_on': 'VARCHAR', 'sys_mod_count': 'VARCHAR'})
            WHERE sys_id IS NOT NULL GROUP BY sys_id""",
            [str(file)],
        )

        def ids(sql: str, parameters: Sequence[str] = ()) -> list[str]:
            return [row[0] for row in connection.execute(sql, list(parameters)).fetchall()]

        visible = connection.execute("SELECT count(*) FROM seen").fetchone()
        there = connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?",
            [instance, stream],
        ).fetchone()
        aside = connection.execute(
            f'SELECT sys_id FROM "{BOOKS}".quarantine WHERE instance = ? AND stream = ?',  # noqa: S608
            [instance, stream],
        ).fetchall()
        quarantined = [row[0] for row in aside]
        if there is None:
            return Comparison(
                counted=counted,
                visible=visible[0] if visible else 0,
                stored=0,
                deleted=0,
                doubled=0,
                missing=ids("SELECT sys_id FROM seen ORDER BY sys_id"),
                quarantined=quarantined,
            )
        counts = _COUNTS.format(table=table) + " WHERE sys_id >= ? AND (? = '' OR sys_id < ?)"
        numbers = connection.execute(counts, part).fetchone() or (0, 0, 0)
        return Comparison(
            counted=counted,
            visible=visible[0] if visible else 0,
            stored=numbers[0],
            deleted=numbers[1],
            doubled=numbers[2],
            missing=ids(
                f"SELECT sys_id FROM seen ANTI JOIN {table} AS t "  # noqa: S608
                "ON seen.sys_id = t.sys_id AND t._deleted_at IS NULL ORDER BY sys_id"
            ),
            stale=ids(
                f"SELECT seen.sys_id FROM seen JOIN {table} AS t USING (sys_id) "  # noqa: S608
                "WHERE t._deleted_at IS NULL AND (seen.stamp <> coalesce(strftime(t.sys_updated_on, "
                "'%Y-%m-%d %H:%M:%S'), '') OR coalesce(seen.version, -1) <> coalesce(t.sys_mod_count, -1)) "
                "ORDER BY sys_id"
            ),
            vanished=ids(
                f"SELECT sys_id FROM {table} AS t ANTI JOIN seen USING (sys_id) "  # noqa: S608
                "WHERE t._deleted_at IS NULL AND t.sys_id >= ? AND (? = '' OR t.sys_id < ?) ORDER BY sys_id",
                part,
            ),
            quarantined=quarantined,
        )
