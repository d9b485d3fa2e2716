"""How much the sync carries when both sides are edited as fast as they take it."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from linkspan.demo.invent import invent
from linkspan.demo.performance import Performance, Script
from linkspan.demo.stage import Stage

UNPACED = 100_000.0
PATIENCE = 600


def measure(wishes: argparse.Namespace) -> dict[str, float]:
    """Edits a second from the first edit until both sides are in step, and what they cost in requests."""
    with tempfile.TemporaryDirectory(prefix="linkspan-bench-") as home, Stage(Path(home)) as stage:
        stage.start_fleet()
        stage.provision()
        performance = Performance.prepare(
            stage, Script.of(invent(wishes.events)), per_second=UNPACED, desk_edits=wishes.events
        )
        stage.start_hub()
        began = time.perf_counter()
        performance.start()
        if not performance.wait(PATIENCE):
            raise SystemExit("the streams did not end")
        edited = time.perf_counter() - began
        status = performance.settle(PATIENCE)
        seconds = time.perf_counter() - began
        outcome = performance.outcome(status)
    if not outcome.good:
        raise SystemExit(f"not in step, so there is nothing to measure: {outcome}")
    return {
        "edits": outcome.edits,
        "edits per second, until in step": round(outcome.edits / seconds, 1),
        "edits per second, as made": round(outcome.edits / edited, 1),
        "events per second": round(outcome.ledger["received"] / seconds, 1),
        "requests per edit": round(outcome.requests / outcome.edits, 2),
        "requests per event": round(outcome.requests / outcome.ledger["received"], 2),
    }
