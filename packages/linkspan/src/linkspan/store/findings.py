"""Findings and their sightings: received once, each with the fate it came to.

A sighting is committed before anything is done about it. received is the sum of the fates, always;
what has no fate yet counts as queued.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import columns, insert_all_new, upsert
from linkspan.store.tables import finding, sighting

Fate = Literal[
    "created", "updated", "unchanged", "grouped", "queued", "below_threshold", "quarantined", "parked"
]
FATES: tuple[Fate, ...] = (
    *("created", "updated", "unchanged", "grouped"),
    *("queued", "below_threshold", "quarantined", "parked"),
)
HOUR = 3600.0
# Of these the payload is kept: a person is to look at them, or they are served again.
_KEPT = frozenset({"parked", "quarantined"})
SUPERSEDED = {"code": "superseded", "cause": "a later sighting of the same finding took its place", "fix": ""}


@dataclass(frozen=True, kw_only=True)
class Received:
    """One thing that came in. ``payload`` is the finding's document, or its text if it has a ``problem``."""

    place: str
    fingerprint: str = ""
    payload: Any = None
    problem: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """One that waits to be served."""

    seq: int
    batch: str
    place: str
    fingerprint: str
    payload: Mapping[str, Any]
    received_at: float
    attempts: int


@dataclass(frozen=True, kw_only=True)
class Known:
    """A finding as it was last seen, and the record that was made of it; ``sys_id`` is empty without one.

    ``written`` holds what is on the record: ``impact`` and ``urgency`` as they came back, ``asked`` (the
    two as they were wanted), ``generation``.
    """

    severity: str
    state: str
    sightings: int
    first_seen_at: float
    last_seen_at: float
    noted_at: float | None
    table_name: str
    sys_id: str
    number: str
    written: Mapping[str, Any]


def receive(connection: sa.Connection, source: str, batch: str, entries: Iterable[Received]) -> int:
    """Commit what came in; how many of it are new. A batch that was received before adds nothing."""
    now = clock.now()
    rows: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for entry in entries:
        row = {
            "source": source,
            "batch": batch,
            "place": entry.place,
            "fingerprint": entry.fingerprint,
            "payload": entry.payload,
            "received_at": now,
        }
        if entry.problem:
            row |= {"fate": "quarantined", "fated_at": now, "reason": dict(entry.problem)}
        rows[bool(entry.problem)].append(row)
    return sum(insert_all_new(connection, sighting, part) for part in rows.values() if part)


def waiting(connection: sa.Connection, source: str, *, limit: int = 200) -> list[Sighting]:
    """Sightings to serve whose time has come, oldest first."""
    query = (
        sa.select(*columns(sighting, Sighting))
        .where(_unserved(source), sighting.c.not_before <= clock.now())
        .order_by(sighting.c.seq)
        .limit(limit)
    )
    return [Sighting(**row._mapping) for row in connection.execute(query)]


def settle(connection: sa.Connection, seq: int, fate: Fate, reason: Mapping[str, str] | None = None) -> bool:
    """Give a sighting its fate; False when somebody else gave it one.

    The payload of what needs nobody is dropped: it has served, and the finding holds its newest one.
    """
    done = {"fate": fate, "fated_at": clock.now(), "reason": dict(reason) if reason else sa.null()}
    if fate not in _KEPT and not (fate == "created" and reason):
        done["payload"] = sa.null()
    served = connection.execute(
        sa.update(sighting)
        .where(sighting.c.seq == seq, sa.or_(sighting.c.fate.is_(None), sighting.c.fate == "queued"))
        .values(done)
    )
    return served.rowcount > 0


def postpone(connection: sa.Connection, seq: int, until: float, reason: Mapping[str, str]) -> None:
    """Leave a sighting queued until a moment (epoch seconds)."""
    connection.execute(
        sa.update(sighting)
        .where(sighting.c.seq == seq, sa.or_(sighting.c.fate.is_(None), sighting.c.fate == "queued"))
        .values(
            fate="queued",
            fated_at=clock.now(),
            reason=dict(reason),
            not_before=until,
            attempts=sighting.c.attempts + 1,
        )
    )


def supersede(connection: sa.Connection, source: str, fingerprint: str, before: int, fate: Fate) -> None:
    """Sightings of a finding that were parked come to ``fate``: a later one has its own now."""
    connection.execute(
        sa.update(sighting)
        .where(
            sighting.c.source == source,
            sighting.c.fingerprint == fingerprint,
            sighting.c.fate == "parked",
            sighting.c.seq < before,
        )
        .values(fate=fate, fated_at=clock.now(), reason=SUPERSEDED, payload=sa.null())
    )


def retry(connection: sa.Connection, source: str) -> int:
    """Take up again what is parked or waits; how many."""
    again = connection.execute(
        sa.update(sighting)
        .where(sighting.c.source == source, sighting.c.fate.in_(("parked", "queued")))
        .values(fate=None, fated_at=None, not_before=0.0)
    )
    return again.rowcount


def later(connection: sa.Connection, source: str) -> int:
    """How many wait for a moment that has not come."""
    query = sa.select(sa.func.count()).where(_unserved(source), sighting.c.not_before > clock.now())
    return int(connection.execute(query).scalar_one())


def soonest(connection: sa.Connection, source: str) -> float | None:
    """When the first that waits is to be served, epoch seconds; None when nothing waits."""
    query = sa.select(sa.func.min(sighting.c.not_before)).where(_unserved(source))
    return connection.execute(query).scalar_one_or_none()


def created_since(connection: sa.Connection, source: str, moment: float) -> list[float]:
    """When incidents were created after a moment, oldest first."""
    query = (
        sa.select(sighting.c.fated_at)
        .where(sighting.c.source == source, sighting.c.fate == "created", sighting.c.fated_at > moment)
        .order_by(sighting.c.fated_at)
    )
    return list(connection.execute(query).scalars())


def is_overtaken(connection: sa.Connection, source: str, fingerprint: str, seq: int) -> bool:
    """Whether a later sighting of the same finding has its fate already: this one waited too long."""
    has_fate = sighting.c.fate.in_([fate for fate in FATES if fate not in ("queued", "quarantined")])
    query = (
        sa.select(sighting.c.seq)
        .where(sighting.c.source == source, has_fate, sighting.c.seq > seq)
        .where(sighting.c.fingerprint == fingerprint)
        .limit(1)
    )
    return connection.execute(query).first() is not None


def is_record_of_any(connection: sa.Connection, sys_id: str) -> bool:
    """Whether a finding is known to have this record."""
    return connection.execute(sa.select(finding.c.id).where(finding.c.sys_id == sys_id)).first() is not None


def known(connection: sa.Connection, source: str, fingerprint: str) -> Known | None:
    """What is known of a finding."""
    query = sa.select(*columns(finding, Known)).where(
        finding.c.source == source, finding.c.fingerprint == fingerprint
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Known(**{**row._mapping, "written": row.written or {}})


def records_of(connection: sa.Connection, source: str, fingerprints: Iterable[str]) -> list[str]:
    """The sys_ids of the records of these findings."""
    query = sa.select(finding.c.sys_id).where(
        finding.c.source == source, finding.c.fingerprint.in_(list(fingerprints)), finding.c.sys_id != ""
    )
    return list(connection.execute(query.distinct()).scalars())


def remember(
    connection: sa.Connection,
    source: str,
    fingerprint: str,
    document: Mapping[str, Any],
    *,
    seen_at: float,
    **record: Any,
) -> None:
    """Keep the newest sighting of a finding, and columns of its record (``sys_id``, ``written``, …)."""
    before = known(connection, source, fingerprint)
    texts = ("product", "rule", "title", "severity", "resource", "state")
    row = {
        "source": source,
        "fingerprint": fingerprint,
        **{name: document[name] for name in texts},
        "document": dict(document),
        "sightings": 1 + (before.sightings if before else 0),
        "first_seen_at": before.first_seen_at if before else seen_at,
        "last_seen_at": seen_at,
        **record,
    }
    upsert(connection, finding, row, keys=("source", "fingerprint"))


def count_again(connection: sa.Connection, source: str, fingerprint: str) -> None:
    """One more sighting of a finding, that says nothing new."""
    mine = sa.and_(finding.c.source == source, finding.c.fingerprint == fingerprint)
    connection.execute(sa.update(finding).where(mine).values(sightings=finding.c.sightings + 1))


def counts(
    connection: sa.Connection, source: str | None = None, batches: Sequence[str] | None = None
) -> dict[str, int]:
    """``{received, created, …}``: received is counted apart from the fates, so that they can be checked."""
    chosen = [sighting.c.source == source] if source is not None else []
    if batches is not None:
        chosen.append(sighting.c.batch.in_(batches))
    received = connection.execute(sa.select(sa.func.count(sighting.c.seq)).where(*chosen)).scalar_one()
    query = sa.select(sighting.c.fate, sa.func.count()).where(*chosen).group_by(sighting.c.fate)
    found: dict[str, int] = dict.fromkeys(FATES, 0)
    for fate, count in connection.execute(query):
        found["queued" if fate is None else fate] += count
    return {"received": received, **found}


def newest(
    connection: sa.Connection, source: str | None = None, *, limit: int = 50, offset: int = 0
) -> list[dict[str, Any]]:
    """Findings, the one seen last first."""
    query = sa.select(finding).order_by(finding.c.last_seen_at.desc(), finding.c.id.desc())
    if source is not None:
        query = query.where(finding.c.source == source)
    return [dict(row._mapping) for row in connection.execute(query.limit(limit).offset(offset))]


def in_need(
    connection: sa.Connection,
    source: str | None = None,
    *,
    limit: int = 100,
    batches: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Sightings that wait for a person, or left something for one to know, newest first."""
    query = (
        sa.select(
            *(sighting.c.seq, sighting.c.source, sighting.c.batch, sighting.c.place, sighting.c.fate),
            *(sighting.c.reason, sighting.c.payload, sighting.c.received_at),
        )
        .where(
            sa.or_(
                sighting.c.fate.in_(("parked", "quarantined")),
                sa.and_(sighting.c.fate == "created", sighting.c.reason.is_not(None)),
            )
        )
        .order_by(sighting.c.seq.desc())
        .limit(limit)
    )
    if source is not None:
        query = query.where(sighting.c.source == source)
    if batches is not None:
        query = query.where(sighting.c.batch.in_(batches))
    return [dict(row._mapping) for row in connection.execute(query)]


def first_queued(connection: sa.Connection, source: str) -> dict[str, Any] | None:
    """The sighting that is to be served next: its ``reason`` and ``not_before``."""
    query = (
        sa.select(sighting.c.reason, sighting.c.not_before)
        .where(_unserved(source))
        .order_by(sighting.c.not_before, sighting.c.seq)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else dict(row._mapping)


def latest_queued(connection: sa.Connection, source: str) -> float:
    """When the last of the queue is to be served, epoch seconds; 0 when it may be at once."""
    query = sa.select(sa.func.max(sighting.c.not_before)).where(_unserved(source))
    return float(connection.execute(query).scalar_one_or_none() or 0)


def _unserved(source: str) -> sa.ColumnElement[bool]:
    open_fate = sa.or_(sighting.c.fate.is_(None), sighting.c.fate == "queued")
    return sa.and_(sighting.c.source == source, open_fate)
