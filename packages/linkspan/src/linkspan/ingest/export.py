"""Streams as files for other tools: Parquet with its types, or CSV that a spreadsheet may open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from linkspan.core.errors import ConfigError
from linkspan.core.spreadsheet import STARTS
from linkspan.store.warehouse import Warehouse, quoted

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = ("parquet", "csv")
_OPTIONS = {"parquet": "FORMAT parquet, COMPRESSION zstd", "csv": "FORMAT csv, HEADER true"}


def export(
    warehouse: Warehouse, streams: Sequence[tuple[str, str]], out: Path, form: Format
) -> dict[str, int]:
    """Write each (instance, table) to ``out/INSTANCE/TABLE.FORMAT``; rows by path.

    Deleted rows are in it, with ``_deleted_at``. In CSV a text that a spreadsheet would take for a
    formula gets an apostrophe in front. A file is replaced when it is complete. Raises ConfigError when
    the folder cannot be made, WarehouseBusy, WarehouseBroken.
    """
    written: dict[str, int] = {}
    for instance, table in streams:
        columns = warehouse.columns(instance, table)
        folder = _folder(out.absolute() / instance)
        path = folder / f"{table}.{form}"
        fresh = folder / f".{table}.{form}.new"
        chosen = ", ".join(
            _safe(name, kind) if form == "csv" else quoted(name) for name, kind in columns.items()
        )
        place = Warehouse.table(instance, table)
        try:
            with warehouse.use(f"export {instance}/{table}", folder=folder) as connection:
                target = "'" + str(fresh).replace("'", "''") + "'"
                done = connection.execute(
                    f"COPY (SELECT {chosen} FROM {place} ORDER BY sys_id) TO {target} ({_OPTIONS[form]})"  # noqa: S608
                ).fetchone()
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        written[str(path)] = int(done[0]) if done else 0
    return written


def _safe(name: str, kind: str) -> str:
    """A column of a CSV file (OWASP: CSV injection)."""
    if kind != "VARCHAR":
        return quoted(name)
    starts = ", ".join(f"chr({ord(start)})" for start in STARTS)
    return (
        f"CASE WHEN left({quoted(name)}, 1) IN ({starts}) "
        f"THEN '''' || {quoted(name)} ELSE {quoted(name)} END AS {quoted(name)}"
    )


def _folder(path: Path) -> Path:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder cannot be made: {error.strerror}", where=str(path), fix="choose another --out"
        ) from error
    return path
