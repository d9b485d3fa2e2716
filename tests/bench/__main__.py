"""Run every benchmark, or those named: ``python -m tests.bench [NAME ...] [--events N] [--json]``."""

from __future__ import annotations

import argparse
import json

from tests.bench import access, data_plane, ingest, page, sync

BENCHMARKS = {
    "sync": sync.measure,
    "page": page.measure,
    "ingest": ingest.measure,
    "data_plane": data_plane.measure,
    "access": access.measure,
}


def main() -> None:
    """Print one line a figure, or one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"any of {', '.join(BENCHMARKS)}; by default all")
    parser.add_argument("--events", type=int, default=400, help="edits on each side of the sync")
    parser.add_argument(
        "--rows", type=int, default=10_000, help="rows of the page, and of a batch of the ingestion"
    )
    parser.add_argument("--incidents", type=int, default=100_000, help="rows of the data plane's instance")
    parser.add_argument("--json", action="store_true")
    wishes = parser.parse_args()
    unknown = set(wishes.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}")
    figures = {name: BENCHMARKS[name](wishes) for name in wishes.names or BENCHMARKS}
    if wishes.json:
        print(json.dumps(figures))
        return
    for name, found in figures.items():
        for figure, value in found.items():
            print(f"{name:<10} {figure:<36} {value:>10}")


if __name__ == "__main__":
    main()
