"""What became of findings, read from the store alone: the hub and the CLI show the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store import Database
from linkspan.store import findings as store

Document = dict[str, Any]


def status(database: Database, names: Sequence[str], *, limit: int = 20) -> Document:
    """Counts of everything these sources ever received, by source and together, with what waits for a person.

    ``{received, …, sources: {NAME: {…, queue}}, in_need: […]}``.
    """
    with database.read() as connection:
        by_source = {name: store.counts(connection, name) for name in names}
        needs = [row for name in names for row in store.in_need(connection, name, limit=limit)]
        queues = {name: _queue(connection, name) for name in names}
    total = {key: sum(one[key] for one in by_source.values()) for key in ("received", *store.FATES)}
    sources = {name: {**counts, "queue": queues[name]} for name, counts in by_source.items()}
    return {**total, "sources": sources, "in_need": [need_of(row) for row in needs]}


def listed(database: Database, source: str | None = None) -> Iterator[Document]:
    """Every finding with its record, the one seen last first."""
    offset, step = 0, 500
    while True:
        with database.read() as connection:
            rows = store.newest(connection, source, limit=step, offset=offset)
        yield from (_shown(row) for row in rows)
        if len(rows) < step:
            return
        offset += step


def _queue(connection: sa.Connection, source: str) -> Document | None:
    """Why the first of the queue waits, and from when to when; None when nothing does."""
    first = store.first_queued(connection, source)
    if first is None:
        return None
    reason = first["reason"] or {"code": "waiting", "cause": "it has not been served yet", "fix": ""}
    return {
        **{key: reason.get(key, "") for key in ("code", "cause", "fix")},
        "next": first["not_before"] or None,
        "last": store.latest_queued(connection, source) or None,
    }


def need_of(row: Mapping[str, Any]) -> Document:
    """A sighting that needs a person, in its published shape."""
    reason = row["reason"] or {}
    payload = row["payload"]
    return {
        "id": row["seq"],
        "source": row["source"],
        "fate": row["fate"],
        "batch": row["batch"],
        "place": row["place"],
        "title": payload.get("title", "") if isinstance(payload, dict) else "",
        "code": reason.get("code", ""),
        "where": reason.get("where", ""),
        "cause": reason.get("cause", ""),
        "fix": reason.get("fix", ""),
    }


def _shown(row: Mapping[str, Any]) -> Document:
    document = row["document"]
    return {
        "id": row["id"],
        "source": row["source"],
        **{key: row[key] for key in ("product", "rule", "title", "severity", "resource", "state")},
        "where": document["where"],
        "fingerprint": row["fingerprint"],
        "sightings": row["sightings"],
        "first_seen": clock.iso_time(row["first_seen_at"]),
        "last_seen": clock.iso_time(row["last_seen_at"]),
        "number": row["number"],
        "sys_id": row["sys_id"],
    }
