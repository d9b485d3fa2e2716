"""Serve an instance that holds many incidents: ``python -m tests.bench.filled ROWS [FILE]``.

Prints what it cost to make them and where the time of one page goes, as JSON, then the ready line.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from wavetank import app
from wavetank.database import listing, query
from wavetank.database.display import Renderer
from wavetank.database.formats import Mode, Style
from wavetank.instance import Instance
from wavetank.server import Listen, Serving

BATCH = 50_000
PAGE = 10_000


def main() -> None:
    """Fill, measure, serve until the end of standard input."""
    rows, store = int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None
    serving = Serving(app.Options(pack="demo", store=store), Listen())
    began = time.perf_counter()
    fill(serving.instance, rows)
    seconds = time.perf_counter() - began
    print(json.dumps({"rows per second": round(rows / seconds), **parts(serving.instance)}), flush=True)
    asyncio.run(serving.serve(lambda: print(json.dumps(serving.ready), flush=True)))


def fill(instance: Instance, rows: int) -> None:
    """Incidents past all rules, with what a real one has: people, groups, texts, stamps."""
    database = instance.database
    users = [row["sys_id"] for row in database.find("sys_user")]
    groups = [row["sys_id"] for row in database.find("sys_user_group")]
    made = _incidents(rows, users, groups)
    while batch := list(itertools.islice(made, BATCH)):
        with database.transaction():
            database.insert_many("incident", batch)


def _incidents(rows: int, users: list[str], groups: list[str]) -> Iterator[dict[str, str]]:
    for n in range(rows):
        day = n * 360 // rows
        stamp = f"2025-{1 + day // 30:02}-{1 + day % 30 % 28:02} {n % 24:02}:{n % 60:02}:{n * 7 % 60:02}"
        yield {
            "sys_id": f"{n:08x}{'5eed' * 6}",
            "number": f"INC{5_000_000 + n}",
            "sys_created_on": stamp,
            "sys_created_by": "admin",
            "sys_updated_on": stamp,
            "sys_updated_by": "admin",
            "sys_mod_count": str(n % 9),
            "short_description": f"Cannot reach printer {n * 7919 % 100_003}",
            "description": "The printer on the third floor does not answer. " * 4,
            "state": str(1 + n % 7),
            "incident_state": str(1 + n % 7),
            "priority": str(1 + n % 5),
            "urgency": str(1 + n % 3),
            "impact": str(1 + n % 3),
            "active": "true" if n % 3 else "false",
            "made_sla": "true",
            "knowledge": "false",
            "category": "hardware",
            "contact_type": "phone",
            "approval": "not requested",
            "escalation": "0",
            "reopen_count": "0",
            "reassignment_count": str(n % 4),
            "caller_id": users[n % len(users)],
            "opened_by": users[n % 7],
            "opened_at": f"2025-{1 + n * 31 % 12:02}-{1 + n * 17 % 28:02} {n % 24:02}:00:00",
            "assigned_to": users[n % 11],
            "assignment_group": groups[n % len(groups)],
            "correlation_id": f"c-{n * 104_729 % 1_000_003}",
        }


def parts(instance: Instance) -> dict[str, float]:
    """Seconds of one page's parts: finding the keys, reading the columns, making the JSON text."""
    database = instance.database
    context = query.Context(now=instance.clock.text(), rows=database)
    compiled = query.compile(database.dictionary, "incident", "active=true^ORDERBYsys_updated_on", context)
    keys, finding = timed(lambda: listing.keys(database, compiled, PAGE, 0))
    chunks = [keys[at : at + listing.CHUNK] for at in range(0, len(keys), listing.CHUNK)]
    table = database.known("incident")
    columns = ", ".join(f't0."{name}"' for name in table.fields)
    source = listing.chosen_from(compiled.source)

    def read() -> int:
        sql = f"SELECT {columns} {source}"
        return sum(len(database.execute(sql, {"keys": listing.packed(each)}).fetchall()) for each in chunks)

    return {
        "page: keys in order": finding,
        "page: columns to Python": timed(read)[1],
        "page: JSON made by SQLite": timed(lambda: text(instance, "false", chunks))[1],
        "page: JSON with display values": timed(lambda: text(instance, "all", chunks))[1],
    }


def text(instance: Instance, mode: Mode, chunks: list[listing.Keys]) -> int:
    """How many bytes the rows are as JSON."""
    database = instance.database
    table = database.known("incident")
    style = Style(mode, "http://127.0.0.1/api/now/table/", "UTC", "%Y-%m-%d", "%H:%M:%S")
    renderer = Renderer(database, instance.behaviour.choices, table, table.fields, style)
    return sum(len(each) for chunk in chunks for each in renderer.texts(chunk).values())


def timed(work):
    """What some work gives, and the seconds of the fastest of three times."""
    best = 1e9
    for _ in range(3):
        began = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - began)
    return found, round(best, 3)


if __name__ == "__main__":
    main()
