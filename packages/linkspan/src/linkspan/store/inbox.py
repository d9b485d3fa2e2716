"""Events waiting for their link, in order, and the fate each came to.

An event enters once (unique by sync, side and event id) and leaves with one fate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import columns, insert_new
from linkspan.store.tables import inbox, link

Side = Literal["instance", "peer"]
Fate = Literal["applied", "coalesced", "echo", "filtered", "parked", "dead"]
FATES: tuple[Fate, ...] = ("applied", "coalesced", "echo", "filtered", "parked", "dead")


@dataclass(frozen=True, kw_only=True)
class Event:
    """One waiting event. ``version`` is sys_mod_count or the far side's version."""

    seq: int
    side: Side
    event_id: str
    version: int
    payload: Mapping[str, Any] | None
    received_at: float


# Built once: building a statement costs more than running it.
_SYNC = inbox.c.sync == sa.bindparam("sync")
_WAITING = (
    sa.select(*columns(inbox, Event))
    .where(inbox.c.link_id == sa.bindparam("link"), inbox.c.fate.is_(None))
    .order_by(inbox.c.seq)
)
_SETTLE = sa.update(inbox).where(inbox.c.seq == sa.bindparam("event")).values(payload=sa.null())
_UNPARK = (
    sa.update(inbox)
    .where(
        inbox.c.link_id == sa.bindparam("link"),
        inbox.c.fate == "parked",
        # Not those of another record that claims to be this one.
        (inbox.c.side == "peer") | (sa.func.substr(inbox.c.event_id, 1, 33) == sa.bindparam("record")),
        inbox.c.event_id.not_in(sa.bindparam("but", expanding=True)),
    )
    .values(fate="coalesced", fated_at=sa.bindparam("now"))
)
_WAITING_LINKS = (
    sa.select(inbox.c.link_id)
    .join(link, link.c.id == inbox.c.link_id)
    .where(_SYNC, inbox.c.fate.is_(None), link.c.not_before <= sa.bindparam("now"))
    .distinct()
)
_WITHOUT_PEER = (
    sa.select(link.c.id)
    .where(
        link.c.sync == sa.bindparam("sync"),
        link.c.peer_id.is_(None),
        sa.exists().where(inbox.c.link_id == link.c.id, inbox.c.fate.is_(None)),
    )
    .limit(1)
)
_COUNTS = sa.select(inbox.c.fate, sa.func.count()).where(_SYNC).group_by(inbox.c.fate)
_RECEIVED = sa.select(sa.func.count(inbox.c.seq)).where(_SYNC)
_LAST = sa.select(inbox.c.received_at).where(_SYNC).order_by(inbox.c.seq.desc()).limit(1)
_LAGS = (
    sa.select(inbox.c.fated_at - inbox.c.received_at)
    .where(_SYNC, inbox.c.fate == "applied")
    .order_by(inbox.c.fated_at.desc())
    .limit(sa.bindparam("last"))
)
_OLDEST = sa.select(sa.func.min(inbox.c.received_at)).where(_SYNC, inbox.c.fate.is_(None))
_PARKED = (
    sa.select(inbox.c.seq, inbox.c.side, inbox.c.reason, link.c.number, link.c.peer_reference, link.c.problem)
    .join(link, link.c.id == inbox.c.link_id)
    .where(_SYNC, inbox.c.fate == "parked")
    .order_by(inbox.c.seq.desc())
    .limit(sa.bindparam("most"))
)
_LATEST = (
    sa.select(inbox, link.c.number, link.c.peer_id, link.c.peer_reference, link.c.instance, link.c.table_name)
    .join(link, link.c.id == inbox.c.link_id)
    .order_by(inbox.c.seq.desc())
    .limit(sa.bindparam("most"))
)
_LATEST_OF_LINK = _LATEST.where(inbox.c.link_id == sa.bindparam("link"))
_KNOWN = sa.select(inbox.c.event_id).where(
    _SYNC, inbox.c.side == sa.bindparam("side"), inbox.c.event_id.in_(sa.bindparam("asked", expanding=True))
)
_HELD_UP = (
    sa.select(link.c.number, link.c.peer_reference, link.c.attempts, link.c.problem)
    .where(
        link.c.sync == sa.bindparam("sync"),
        link.c.attempts > 0,
        sa.exists().where(inbox.c.link_id == link.c.id, inbox.c.fate.is_(None)),
    )
    .order_by(link.c.attempts.desc(), link.c.id)
    .limit(sa.bindparam("most"))
)


def append(
    connection: sa.Connection,
    *,
    sync: str,
    link_id: int,
    side: Side,
    event_id: str,
    version: int,
    payload: Mapping[str, Any] | None = None,
    fate: Fate | None = None,
    reason: str = "",
) -> bool:
    """Add an event, with its fate if that is known at once; False when it was received before."""
    now = clock.now()
    row = {
        "sync": sync,
        "link_id": link_id,
        "side": side,
        "event_id": event_id,
        "version": version,
        "payload": payload,
        "received_at": now,
        "fate": fate,
        "fated_at": now if fate else None,
        "reason": reason or None,
    }
    return insert_new(connection, inbox, row)


def waiting(connection: sa.Connection, link_id: int) -> list[Event]:
    """The events of a link that have no fate yet, oldest first."""
    return [Event(**row._mapping) for row in connection.execute(_WAITING, {"link": link_id})]


def known(connection: sa.Connection, sync: str, side: Side, event_ids: Sequence[str]) -> set[str]:
    """Those of these event ids that were received before."""
    if not event_ids:
        return set()
    values = {"sync": sync, "side": side, "asked": list(event_ids)}
    return set(connection.execute(_KNOWN, values).scalars())


def settle(connection: sa.Connection, seqs: Iterable[int], fate: Fate, reason: str = "") -> None:
    """Give these events their fate. The payload is dropped: it has served."""
    now = clock.now()
    rows = [{"event": seq, "fate": fate, "fated_at": now, "reason": reason or None} for seq in seqs]
    if rows:
        connection.execute(_SETTLE, rows)


def unpark(connection: sa.Connection, link_id: int, sys_id: str, *, but: Sequence[str] = ()) -> None:
    """Parked events of a link whose both sides now agree were overtaken by what came later.

    Not those of another record that claims to be this one, nor the event ids in ``but``: they stay until
    somebody looks.
    """
    values = {"link": link_id, "record": f"{sys_id}:", "but": list(but), "now": clock.now()}
    connection.execute(_UNPARK, values)


def waiting_links(connection: sa.Connection, sync: str) -> list[int]:
    """Links with events to serve whose time has come."""
    return list(connection.execute(_WAITING_LINKS, {"sync": sync, "now": clock.now()}).scalars().all())


def without_peer(connection: sa.Connection, sync: str) -> bool:
    """Whether a link waits that has no counterpart on the far side yet, as far as is known."""
    return connection.execute(_WITHOUT_PEER, {"sync": sync}).first() is not None


def counts(connection: sa.Connection, sync: str) -> dict[str, int]:
    """The ledger: events received and how many came to each fate, ``pending`` without one."""
    found = {fate or "pending": count for fate, count in connection.execute(_COUNTS, {"sync": sync})}
    ledger = {name: found.get(name, 0) for name in (*FATES, "pending")}
    return {"received": received(connection, sync), **ledger}


def received(connection: sa.Connection, sync: str) -> int:
    """How many events ever entered, counted apart from their fates so that the ledger can be checked."""
    return int(connection.execute(_RECEIVED, {"sync": sync}).scalar_one())


def last_received(connection: sa.Connection, sync: str) -> float:
    """When the newest event was received, 0 if there is none."""
    return float(connection.execute(_LAST, {"sync": sync}).scalar_one_or_none() or 0)


def lag(connection: sa.Connection, sync: str, *, last: int = 500) -> tuple[list[float], float | None]:
    """Seconds from receipt to application of the ``last`` applied events, and the oldest waiting receipt."""
    lags = connection.execute(_LAGS, {"sync": sync, "last": last}).scalars().all()
    return list(lags), connection.execute(_OLDEST, {"sync": sync}).scalar_one_or_none()


def latest(connection: sa.Connection, *, limit: int, link_id: int | None = None) -> list[dict[str, Any]]:
    """The newest events of one link or all, newest first, each with what names its link."""
    values: dict[str, Any] = {"most": limit}
    if link_id is not None:
        values["link"] = link_id
    rows = connection.execute(_LATEST if link_id is None else _LATEST_OF_LINK, values)
    return [dict(row._mapping) for row in rows]


def parked(connection: sa.Connection, sync: str, *, limit: int = 100) -> list[dict[str, Any]]:
    """Parked events with the reason, newest first."""
    rows = connection.execute(_PARKED, {"sync": sync, "most": limit})
    return [dict(row._mapping) for row in rows]


def held_up(connection: sa.Connection, sync: str, *, limit: int = 20) -> list[dict[str, Any]]:
    """Links whose events wait because the last try failed, longest tried first, with the problem."""
    rows = connection.execute(_HELD_UP, {"sync": sync, "most": limit})
    return [dict(row._mapping) for row in rows]
