"""How a sync is doing, read from the store alone: the hub and the CLI show the same."""

from __future__ import annotations

from typing import Any

from linkspan.core import clock
from linkspan.store import Database, inbox, links, watermarks

SILENT_SECONDS = 15  # no poll for so long (and three intervals): nobody is running this sync


def status(database: Database, sync: str, *, poll_seconds: float = 5) -> dict[str, Any]:
    """One sync: its state, links, quiet, ledger, balanced, lag, conflicts, parked, waiting, polled, trouble.

    ``parked`` are events that were given up for now, ``waiting`` links that are tried again, each with
    its cause. ``lag`` is seconds from receipt to application. ``polled`` are the starts of the last full
    polls (epoch seconds). ``quiet`` is true when nothing is pending and both sides were polled in full
    after the last event was received.
    """
    with database.read() as connection:
        ledger = inbox.counts(connection, sync)
        lags, oldest = inbox.lag(connection, sync)
        last = inbox.last_received(connection, sync)
        sides = ("instance", "peer")
        polled = {
            side: (watermarks.load(connection, f"sync:{sync}:{side}:polled") or {}).get("started")
            for side in sides
        }
        troubles = [
            (watermarks.load(connection, f"sync:{sync}:{side}:trouble") or {}).get("problem")
            for side in sides
        ]
        parked = [
            {
                "id": row["seq"],
                "record": row["number"] or row["peer_reference"],
                "cause": (row["problem"] or {}).get("cause") or row["reason"],
                "fix": (row["problem"] or {}).get("fix", ""),
            }
            for row in inbox.parked(connection, sync)
        ]
        waiting = [
            {
                "record": row["number"] or row["peer_reference"],
                "attempts": row["attempts"],
                "cause": (row["problem"] or {}).get("cause", ""),
                "fix": (row["problem"] or {}).get("fix", ""),
            }
            for row in inbox.held_up(connection, sync)
        ]
        linked, conflicts = links.count(connection, sync), links.count_conflicts(connection, sync)
    trouble = next((problem for problem in troubles if problem), None)
    now = clock.now()
    silent = any(at is None or now - at > max(SILENT_SECONDS, 3 * poll_seconds) for at in polled.values())
    lags.sort()
    return {
        "state": "stopped" if silent else "trouble" if trouble else "running",
        "links": linked,
        "quiet": ledger["pending"] == 0 and all(at is not None and at > last for at in polled.values()),
        "ledger": ledger,
        "balanced": ledger["received"] == sum(count for name, count in ledger.items() if name != "received"),
        "lag": {
            "p50_s": _percentile(lags, 0.5),
            "p95_s": _percentile(lags, 0.95),
            "oldest_s": round(now - oldest, 3) if oldest is not None else 0.0,
        },
        "conflicts": conflicts,
        "parked": parked,
        "waiting": waiting,
        "polled": polled,
        "trouble": trouble,
    }


def _percentile(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 3)
