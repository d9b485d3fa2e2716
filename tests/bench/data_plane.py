"""How fast the emulator's data plane is: big pages out of many rows, single calls, and its memory meanwhile.

Seconds of a page are the server's own, from its request log; beside them stands what plain JSON encoding of
the same rows takes in the same run. `--incidents` says how many rows there are; the aims are for 1,000,000.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from linkspan.demo.line import basic

PAGE = 10_000
TABLE = "/api/now/table/incident"
PAGES = {
    "indexed": "sys_updated_on>=2025-02-01 00:00:00^ORDERBYsys_updated_on^ORDERBYsys_id",
    "unindexed": "priority=1^ORDERBYopened_at",
}
CALLS = 1000
HEADERS = {**basic("admin", "admin"), "Content-Type": "application/json", "Cookie": "JSESSIONID=bench"}


class Served:
    """An instance in a process of its own, and what was measured inside before it served."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.parts: dict[str, float] = json.loads(process.stdout.readline())
        self.address = urlsplit(json.loads(process.stdout.readline())["url"]).netloc
        self.pid = process.pid
        self.connection = http.client.HTTPConnection(self.address, timeout=600)

    def call(self, path: str, **more: Any) -> http.client.HTTPResponse:
        """One answer, its body unread."""
        self.connection.request(more.pop("method", "GET"), path, headers=HEADERS, **more)
        return self.connection.getresponse()

    def spent(self) -> float:
        """Seconds the server took for the last call."""
        return json.loads(self.call("/-/requests").read())["result"][-1]["ms"] / 1000

    def memory(self, what: str) -> float:
        """Megabytes: VmRSS is held now, VmHWM was held at most."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(each.split()[1]) for each in lines if each.startswith(what)) / 1024


def measure(wishes: argparse.Namespace) -> dict[str, float]:
    """Figures by name: seconds, calls a second, megabytes, ratios."""
    with served(wishes.incidents) as instance:
        figures = {"incidents": wishes.incidents, **instance.parts}
        for name, query in PAGES.items():
            figures |= {f"page, {name}, {key}": value for key, value in pages(instance, query).items()}
        figures |= beside_json(instance, figures["page, indexed, seconds"])
        figures |= streaming(instance, wishes.incidents)
        for connections in (1, 8):
            figures |= calls(instance, connections)
    return figures


def pages(instance: Served, query: str) -> Mapping[str, float]:
    """A page asked for the first time, again and again, and the last of all."""
    path = f"{TABLE}?sysparm_query={quote(query)}&sysparm_limit={PAGE}&sysparm_offset="
    times = []
    for _ in range(5):
        answer = instance.call(f"{path}0")
        answer.read()
        times.append(instance.spent())
    far = max(0, int(answer.headers["X-Total-Count"]) - PAGE)
    for _ in range(3):
        instance.call(f"{path}{far}").read()
    return {
        "first, seconds": round(times[0], 3),
        "seconds": round(min(times[2:]), 3),
        "last of all, seconds": round(instance.spent(), 3),
    }


def beside_json(instance: Served, page: float) -> Mapping[str, float]:
    """What the standard library takes to write the same rows."""
    rows = json.loads(instance.call(f"{TABLE}?sysparm_limit={PAGE}").read())["result"]
    began = time.perf_counter()
    json.dumps(rows)
    plain = time.perf_counter() - began
    return {
        "columns": len(rows[0]),
        "json.dumps, seconds": round(plain, 3),
        "page / json.dumps": round(page / plain, 2),
    }


def streaming(instance: Served, incidents: int) -> Mapping[str, float]:
    """All rows in one answer, which is only counted here, so that the server sets the pace."""
    before, began, size = instance.memory("VmRSS"), time.perf_counter(), 0
    answer = instance.call(f"{TABLE}?sysparm_limit={incidents + PAGE}")
    while piece := answer.read(1 << 20):
        size += len(piece)
    return {
        "all rows, rows per second": round(incidents / (time.perf_counter() - began)),
        "all rows, megabytes": round(size / 1e6),
        "memory before, megabytes": round(before),
        "memory after, megabytes": round(instance.memory("VmRSS")),
        "memory at most, megabytes": round(instance.memory("VmHWM")),
    }


def calls(instance: Served, connections: int) -> Mapping[str, float]:
    """Single calls a second over so many connections at once."""
    made = json.loads(instance.call(TABLE, method="POST", body='{"short_description":"bench"}').read())
    record = f"{TABLE}/{made['result']['sys_id']}"
    kinds = {
        "get": ("GET", record, None),
        "create": ("POST", TABLE, '{"short_description":"bench","urgency":"2"}'),
        "patch": ("PATCH", record, '{"short_description":"bench %d"}'),
    }
    return {
        f"{name}s per second, {connections} at once": round(rate(instance, connections, *kind))
        for name, kind in kinds.items()
    }


def rate(instance: Served, connections: int, method: str, path: str, body: str | None) -> float:
    """Calls a second."""
    share = CALLS // connections

    def work(first: int) -> None:
        connection = http.client.HTTPConnection(instance.address, timeout=60)
        for n in range(first, first + share):
            connection.request(method, path, body.replace("%d", str(n)) if body else None, HEADERS)
            answer = connection.getresponse()
            answer.read()
            if answer.status >= 300:
                raise SystemExit(f"{method} {path} is answered with {answer.status}")
        connection.close()

    threads = [threading.Thread(target=work, args=(k * share,)) for k in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return share * connections / (time.perf_counter() - began)


@contextmanager
def served(incidents: int) -> Iterator[Served]:
    """An instance with so many incidents."""
    command = [sys.executable, "-m", "tests.bench.filled", str(incidents)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Served(process)
    finally:
        process.terminate()
        process.wait(30)
