"""How a sync is doing, read from the store alone: the hub and the CLI show the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store import Database, inbox, links, watermarks
from linkspan.sync.binding import follow_ups_of

SIDES = ("instance", "peer")
SILENT_SECONDS = 15  # no poll for so long (and three intervals): nobody is running this sync

_Found = dict[str, Any]


def status(
    database: Database, sync: str, *, poll_seconds: float = 5, follow_ups: bool = False
) -> dict[str, Any]:
    """One sync: its state, links, quiet, ledger, balanced, lag, conflicts, parked, waiting, polled, trouble.

    With ``follow_ups``, its incidents and its follow-ups together. ``parked`` are events that were given
    up for now, ``waiting`` links that are tried again, each with its kind and its cause; ``link`` and
    ``text`` say what a person is to carry over where. ``lag`` is seconds from receipt to application.
    ``polled`` are the starts of the last full polls (epoch seconds). ``quiet`` is true when nothing is
    pending and both sides were polled in full after the last event was received.
    """
    names = {"incident": sync, **({"follow-up": follow_ups_of(sync)} if follow_ups else {})}
    now = clock.now()
    with database.read() as connection:
        lines = [
            _line(connection, name, kind, now=now, silent_after=max(SILENT_SECONDS, 3 * poll_seconds))
            for kind, name in names.items()
        ]
    ledger = {fate: sum(line["ledger"][fate] for line in lines) for fate in lines[0]["ledger"]}
    lags = sorted(lag for line in lines for lag in line["lags"])
    oldest = min((line["oldest"] for line in lines if line["oldest"] is not None), default=None)
    trouble = next((line["trouble"] for line in lines if line["trouble"]), None)
    # A line of follow-ups that never gets through is trouble, while the incidents keep running.
    stopped = lines[0]["silent"] or any(line["silent"] and not line["trouble"] for line in lines)
    return {
        "state": "stopped" if stopped else "trouble" if trouble else "running",
        "links": sum(line["links"] for line in lines),
        "quiet": all(line["quiet"] for line in lines),
        "ledger": ledger,
        "balanced": all(line["balanced"] for line in lines),
        "lag": {
            "p50_s": _percentile(lags, 0.5),
            "p95_s": _percentile(lags, 0.95),
            "oldest_s": round(now - oldest, 3) if oldest is not None else 0.0,
        },
        "conflicts": sum(line["conflicts"] for line in lines),
        "parked": [entry for line in lines for entry in line["parked"]],
        "waiting": [entry for line in lines for entry in line["waiting"]],
        "polled": {side: _earliest(line["polled"][side] for line in lines) for side in SIDES},
        "trouble": trouble,
    }


def _line(connection: sa.Connection, name: str, kind: str, *, now: float, silent_after: float) -> _Found:
    """What the store says of one line of a sync."""
    ledger = inbox.counts(connection, name)
    lags, oldest = inbox.lag(connection, name)
    last = inbox.last_received(connection, name)
    marks = {side: watermarks.load(connection, f"sync:{name}:{side}:polled") or {} for side in SIDES}
    polled = {side: mark.get("started") for side, mark in marks.items()}
    troubles = [
        (watermarks.load(connection, f"sync:{name}:{what}:trouble") or {}).get("problem")
        for what in (*SIDES, "rights")
    ]
    return {
        "ledger": ledger,
        "balanced": ledger["received"] == sum(count for fate, count in ledger.items() if fate != "received"),
        "lags": lags,
        "oldest": oldest,
        "quiet": ledger["pending"] == 0 and all(at is not None and at > last for at in polled.values()),
        "silent": any(at is None or now - at > silent_after for at in polled.values()),
        "polled": polled,
        "trouble": next(({**problem, "kind": kind} for problem in troubles if problem), None),
        "links": links.count(connection, name),
        "conflicts": links.count_conflicts(connection, name),
        "parked": [
            {
                "id": row["seq"],
                "kind": kind,
                "record": row["number"] or row["peer_reference"],
                "cause": (row["problem"] or {}).get("cause") or row["reason"],
                "fix": (row["problem"] or {}).get("fix", ""),
                "link": (row["problem"] or {}).get("url", ""),
                "text": (row["problem"] or {}).get("text", ""),
            }
            for row in inbox.parked(connection, name)
        ],
        "waiting": [
            {
                "kind": kind,
                "record": row["number"] or row["peer_reference"],
                "attempts": row["attempts"],
                "cause": (row["problem"] or {}).get("cause", ""),
                "fix": (row["problem"] or {}).get("fix", ""),
            }
            for row in inbox.held_up(connection, name)
        ],
    }


def _earliest(moments: Iterable[float | None]) -> float | None:
    known = list(moments)
    return None if None in known else min(at for at in known if at is not None)


def _percentile(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 3)
