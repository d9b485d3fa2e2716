"""Taking a field's history out of the warehouse, and proving that it is gone."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linkspan.ingest.exclude import NEEDED
from linkspan.ingest.load import OWN
from linkspan.store.warehouse import BOOKS, Warehouse, quoted

SAMPLES = 200
# Shorter texts occur in any file by chance.
SHORTEST = 8


@dataclass(frozen=True, kw_only=True)
class Purged:
    """What was taken out and what the search for it found. ``found_in`` names files, not values."""

    values: int
    searched: int
    files: int
    found_in: list[str] = field(default_factory=list)

    @property
    def proven(self) -> bool:
        return not self.found_in

    def document(self) -> dict[str, Any]:
        """As it stands in ``--json`` output."""
        return {
            "values": self.values,
            "searched": self.searched,
            "files": self.files,
            "found_in": self.found_in,
            "proven": self.proven,
        }


def purge(warehouse: Warehouse, home: Path, instance: str, table: str, name: str) -> Purged:
    """Drop a field of a stream, rewrite the warehouse file, and search the home for values it had.

    May be repeated after an interruption. Raises ValueError for a field that a stream cannot lose,
    WarehouseBusy, WarehouseBroken.
    """
    if name in NEEDED or name in OWN:
        raise ValueError(f"{name} cannot be taken out of a stream")
    values = 0
    samples: list[bytes] = []
    if name in warehouse.columns(instance, table):
        values, samples = _drop(warehouse, instance, table, name)
    warehouse.rewrite()
    files = sorted(path for path in home.rglob("*") if path.is_file())
    found = [str(path.relative_to(home)) for path in files if _holds(path, samples)]
    return Purged(values=values, searched=len(samples), files=len(files), found_in=found)


def _drop(warehouse: Warehouse, instance: str, table: str, name: str) -> tuple[int, list[bytes]]:
    """How many values there were, and some of them. The column is gone when this returns."""
    place, column = Warehouse.table(instance, table), quoted(name)
    with warehouse.use(f"purge {instance}/{table}.{name}") as connection:
        connection.execute("BEGIN")
        (values,) = connection.execute(f"SELECT count({column}) FROM {place}").fetchone() or (0,)  # noqa: S608
        samples = connection.execute(
            f"SELECT DISTINCT CAST({column} AS VARCHAR) AS text FROM {place} "  # noqa: S608
            f"WHERE length(CAST({column} AS VARCHAR)) >= ? ORDER BY hash(text) LIMIT ?",
            [SHORTEST, SAMPLES],
        ).fetchall()
        connection.execute(
            f"""UPDATE {place} SET _unparsed = CAST(to_json(list_filter(
                from_json(_unparsed, '[{{"field":"VARCHAR","text":"VARCHAR"}}]'),
                lambda one: one.field <> ?)) AS VARCHAR) WHERE contains(_unparsed, ?)""",  # noqa: S608
            [name, f'"field":"{name}"'],
        )
        connection.execute(f"ALTER TABLE {place} DROP COLUMN {column}")
        connection.execute(
            f'DELETE FROM "{BOOKS}".field WHERE instance = ? AND stream = ? AND field = ?',  # noqa: S608
            [instance, table, name],
        )
        connection.execute(
            f'INSERT INTO "{BOOKS}".event VALUES (now(), ?, ?, ?, ?)',  # noqa: S608
            [instance, table, "field_purged", name],
        )
        connection.execute("COMMIT")
    return int(values), [row[0].encode() for row in samples]


def _holds(path: Path, samples: list[bytes]) -> bool:
    if not samples or not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(sample) >= 0 for sample in samples)
