"""How a drain ends: what both sides agree on, and the fate of every event, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.core.errors import LinkspanError, NotAuthorized, RateLimited
from linkspan.store import inbox, links, watermarks
from linkspan.store.inbox import Event
from linkspan.store.links import Link
from linkspan.sync.binding import Binding
from linkspan.sync.work import Work, problem_of

OWN_KEPT = 40  # own versions remembered per link; an echo older than that is long accounted for
FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 60.0
WAIT_SECONDS = 5.0  # for a parent, which wakes its children when it has come


class Waits(LinkspanError):
    """What this belongs to is not there yet."""

    code = "waits"
    retryable = True


class Ending:
    """Ends the drains of one line."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._refused = True  # an earlier process may have been

    def finish(self, work: Work) -> None:
        """Both sides agree on all that is not left: keep that, and settle every event."""
        link, record, peer = work.link, work.record, work.peer
        read = [
            event.version for event in work.events if event.side == "instance" and event.payload is not None
        ]
        accounted = max([work.mod_count, *read])
        while accounted + 1 in work.own_mods:
            accounted += 1
        saved = link.base or {}
        met = "record" in saved
        kept = list(saved.get("kept", ()))
        parked = _newly_left(work)
        if work.untaken_notes:
            kept += [max((e for e in work.events if e.side == "instance"), key=lambda e: e.version).event_id]
        changed: dict[str, Any] = {
            "base": {
                "born": link.born,
                "peer": dict(work.base.peer),
                "record": dict(work.base.record),
                "record_mod": work.record_mod,
                "own_mods": sorted(work.own_mods)[-OWN_KEPT:],
                "own_versions": sorted(work.own_versions)[-OWN_KEPT:],
                **({"left": {name: asdict(left) for name, left in work.left.items()}} if work.left else {}),
                **({"kept": kept} if kept else {}),
                **({"parted": True} if work.parted else {}),
            },
            "mod_count": accounted,
            "peer_version": work.peer_version,
            "synced_at": clock.now(),
            "attempts": 0,
            "not_before": 0,
            "problem": problem_of(work.left.values(), link.number or link.peer_reference),
        }
        if record is not None:
            changed |= {"sys_id": record["sys_id"], "number": record["number"]}
        if peer is not None:
            changed |= {"peer_id": peer.id, "peer_reference": peer.reference}
        with self._binding.database.begin() as connection:
            links.change(connection, link.id, **changed)
            for key, sent, counterpart in work.peer_notes:
                links.remember_note(
                    connection, link.id, side="instance", key=key, sent=sent, counterpart=counterpart
                )
            for conflict in work.conflicts:
                links.record_conflict(connection, link.id, asdict(conflict))
            if any(parked.values()) or not work.left:
                sys_id = record["sys_id"] if record is not None else link.sys_id or ""
                inbox.unpark(connection, link.id, sys_id, but=kept)
            moved = bool(work.conflicts)
            told = "; ".join(parked["instance"])
            applied = work.wrote_peer or moved
            self._fates(connection, work, "instance", applied=applied, own=work.own_mods, parked=told)
            told, applied = "; ".join(parked["peer"]), work.wrote_record or moved
            self._fates(connection, work, "peer", applied=applied, own=work.own_versions, parked=told)
            if work.wrote_record and self._refused:
                self._tell_rights(connection, None)
            if not met and not self._binding.parents:
                links.release_children(connection, link.id)

    def _fates(
        self,
        connection: sa.Connection,
        work: Work,
        side: inbox.Side,
        *,
        applied: bool,
        own: set[int],
        parked: str,
    ) -> None:
        events = sorted((e for e in work.events if e.side == side), key=lambda e: (e.version, e.seq))
        foreign = [event for event in events if event.version not in own]
        brought_notes = side == "instance" and bool(work.peer_notes)
        if not foreign and (brought_notes or parked):
            foreign = events[-1:]  # something of theirs came to light with our own write
        inbox.settle(connection, [event.seq for event in events if event not in foreign], "echo")
        if not foreign:
            return
        *earlier, last = foreign
        inbox.settle(connection, [event.seq for event in earlier], "coalesced", "overtaken by a later change")
        seen_before = last.version <= (work.link.peer_version if side == "peer" else work.merged_mod)
        if parked:
            inbox.settle(connection, [last.seq], "parked", parked)
        elif brought_notes or (applied and not seen_before):
            inbox.settle(connection, [last.seq], "applied")
        elif seen_before:
            inbox.settle(connection, [last.seq], "coalesced", "seen together with a later change")
        else:
            inbox.settle(connection, [last.seq], "filtered", "nothing that this sync maps changed")

    def filter(self, link: Link, events: Sequence[Event], error: LinkspanError) -> None:
        """The events are none of this sync."""
        with self._binding.database.begin() as connection:
            links.change(connection, link.id, attempts=0, not_before=0, problem=None)
            inbox.settle(connection, [event.seq for event in events], "filtered", error.cause)

    def postpone(self, link: Link, error: LinkspanError) -> None:
        """The events wait, longer each time."""
        longest = WAIT_SECONDS if isinstance(error, Waits) else LAST_RETRY_SECONDS
        wait = min(FIRST_RETRY_SECONDS * 2**link.attempts, longest)
        if isinstance(error, RateLimited):
            wait = max(wait, error.retry_after)
        with self._binding.database.begin() as connection:
            links.change(
                connection,
                link.id,
                attempts=min(link.attempts + 1, 30),
                not_before=clock.now() + wait,
                problem=error.problem(),
            )

    def park(self, link: Link, events: Sequence[Event], error: LinkspanError) -> None:
        """The events wait for a person."""
        with self._binding.database.begin() as connection:
            if isinstance(error, NotAuthorized):
                self._tell_rights(connection, error)
            links.change(connection, link.id, problem=error.problem())
            inbox.settle(connection, [event.seq for event in events], "parked", str(error))

    def _tell_rights(self, connection: sa.Connection, error: LinkspanError | None) -> None:
        """Keep that the account lacks a right for this line, None when a write went through again."""
        told = {"problem": error.problem() if error else None, "at": clock.now()}
        watermarks.save(connection, f"sync:{self._binding.name}:rights:trouble", told)
        self._refused = error is not None

    def bury(self, link: Link, events: Sequence[Event], error: LinkspanError) -> None:
        """The events can never be served."""
        with self._binding.database.begin() as connection:
            links.change(connection, link.id, problem=error.problem())
            inbox.settle(connection, [event.seq for event in events], "dead", str(error))


def _newly_left(work: Work) -> dict[str, list[str]]:
    """What a person has to carry over since this drain, by the side whose event is parked for it."""
    before = (work.link.base or {}).get("left", {})
    found: dict[str, list[str]] = {"instance": list(work.untaken_notes), "peer": []}
    for name, left in work.left.items():
        if before.get(name) != asdict(left):
            found["peer" if left.by == "instance" else "instance"].append(f"{name}: {left.cause}")
    for side, other in (("instance", "peer"), ("peer", "instance")):
        if found[side] and not any(event.side == side for event in work.events):
            # It was seen before its own event was read, which will find it dealt with.
            found[other] += found[side]
            found[side] = []
    return found
