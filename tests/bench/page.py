"""How fast the emulator gives a big page, beside plain JSON encoding of the same rows in the same run."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from linkspan.demo.line import Line, basic

ROUNDS = 5


def measure(wishes: argparse.Namespace) -> dict[str, float]:
    """Rows a second of one page, and how many times longer than ``json.dumps`` it takes."""
    with instance() as line:
        made = [{"short_description": f"Row {n}", "description": "x" * 80} for n in range(wishes.rows)]
        answer = line.call("POST", "/-/records/incident", body=made)
        if not answer.ok:
            raise SystemExit(f"the rows were refused: {answer}")

        def fetch() -> list[dict[str, object]]:
            return line.get("/api/now/table/incident", sysparm_limit=wishes.rows)["result"]

        rows = fetch()
        if len(rows) != wishes.rows:
            raise SystemExit(f"asked for {wishes.rows} rows, got {len(rows)}")
        page, plain = best(fetch), best(lambda: json.dumps(rows))
    return {
        "rows": len(rows),
        "columns": len(rows[0]),
        "page, seconds": round(page, 3),
        "rows per second": round(len(rows) / page),
        "json.dumps, seconds": round(plain, 3),
        "page / json.dumps": round(page / plain, 1),
    }


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of a few rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


@contextmanager
def instance():
    """One emulated instance, as its administrator sees it."""
    command = [str(Path(sys.executable).parent / "wavetank"), "serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        ready = json.loads(process.stdout.readline())
        yield Line(ready["url"], basic("admin", "admin"))
    finally:
        process.terminate()
        process.wait(20)
