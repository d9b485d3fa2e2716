"""How fast pages become rows of the warehouse, beside only decoding them in the same run.

Run in a process of its own, so that the memory is the load's and nobody else's.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from linkspan.ingest.exclude import Exclusion
from linkspan.ingest.load import load
from linkspan.ingest.streams import known
from linkspan.ingest.values import Batch, Column, Shape, State, kind_of
from linkspan.store.warehouse import Warehouse

PAGE = 1000
BATCHES = 5
TEXT = {"short_description": "It does not work since this morning", "description": "Somebody said so. " * 20}


def measure(wishes: argparse.Namespace) -> dict[str, float]:
    """Rows a second into an empty and into a full warehouse, and how many times longer than decoding."""
    command = [sys.executable, "-m", "tests.bench.ingest", str(wishes.rows)]
    found: dict[str, float] = json.loads(subprocess.check_output(command, text=True))
    return found


def figures(rows: int) -> dict[str, float]:
    shape = _shape()
    bodies = [list(_pages(rows, number)) for number in range(BATCHES)]
    began = time.perf_counter()
    for pages in bodies:
        for page in pages:
            msgspec.json.decode(page)
    decoding = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as home:
        warehouse = Warehouse(Path(home))
        first, again = (_loading(warehouse, shape, bodies, turn * BATCHES) for turn in range(2))
        count = warehouse.rows(f"SELECT count(*) AS n FROM {Warehouse.table('dev', 'incident')}")
        if count != [{"n": rows * BATCHES}]:
            raise SystemExit(f"{rows * BATCHES} rows became {count}")
        size = warehouse.file.stat().st_size
    total = rows * BATCHES
    return {
        "rows": total,
        "columns": len(shape.columns),
        "decode only, rows per second": round(total / decoding),
        "load, rows per second": round(total / first),
        "load again, rows per second": round(total / again),
        "load / decode only": round(first / decoding, 1),
        "file, bytes per row": round(size / total),
        "memory above the pages, MB": round(
            (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
        ),
    }


def _loading(warehouse: Warehouse, shape: Shape, bodies: list[list[bytes]], number: int) -> float:
    wanted, nothing = frozenset(shape.fields), Exclusion()
    began = time.perf_counter()
    for at, pages in enumerate(bodies):
        rows = [row for page in pages for row in nothing.apply(msgspec.json.decode(page)["result"], wanted)]
        load(warehouse, Batch(shape=shape, state=State(number=number + at), rows=tuple(rows)))
    return time.perf_counter() - began


def _shape() -> Shape:
    types = known("incident")
    assert types is not None
    columns = tuple(Column(name=name, kind=kind_of(kind)) for name, kind in types.items())
    return Shape(instance="dev", host="bench", table="incident", columns=columns, classes=("incident",))


def _pages(rows: int, batch: int) -> Iterator[bytes]:
    types = known("incident") or {}
    for start in range(0, rows, PAGE):
        made = [_row(types, batch * rows + n) for n in range(start, min(start + PAGE, rows))]
        yield msgspec.json.encode({"result": made})


def _row(types: dict[str, str], number: int) -> dict[str, str]:
    values = {
        "timestamp": f"2026-{1 + number % 12:02}-{1 + number % 28:02} 10:{number % 60:02}:00",
        "integer": str(number % 7),
        "boolean": "true" if number % 2 else "false",
        "duration": "1970-01-02 00:04:53",
        "text": f"{number:032x}",
    }
    return {name: TEXT.get(name, values[kind_of(kind)]) for name, kind in types.items()}


if __name__ == "__main__":
    print(json.dumps(figures(int(sys.argv[1]))))
