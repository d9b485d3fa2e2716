"""Events enter here: what was read and how far, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.core.clock import platform_time
from linkspan.core.peer import PeerEvent
from linkspan.feed import sweep
from linkspan.feed.journal import RecordNote
from linkspan.store import inbox, links, watermarks
from linkspan.store.links import Link
from linkspan.sync.binding import Binding

HISTORY_SECONDS = 24 * 3600.0  # more than any two clocks are apart

Row = Mapping[str, str]


@dataclass(frozen=True)
class _Undecided:
    """A record whose parent nobody knows yet: its sys_updated_on, and when it was read first."""

    stamp: str
    read_at: float


class InstanceIntake:
    """Reads what changed on the instance into the inbox. One per sync and process."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._seen: dict[tuple[str, str], float] = {}
        self._undecided: dict[tuple[str, str], _Undecided] = {}
        self._deep_at = 0.0

    @property
    def _mark(self) -> str:
        return f"sync:{self._binding.name}:instance"

    def poll(self) -> list[int]:
        """One full poll; the links that have something to do. Raises the errors of ``core.errors``."""
        started = clock.now()
        mark = self._load_mark()
        parents_polled = self._parents_polled() if self._binding.parents else 0.0
        deep = time.monotonic() - self._deep_at >= sweep.DEEP_EVERY_SECONDS
        overlap = sweep.DEEP_OVERLAP_SECONDS if deep else sweep.OVERLAP_SECONDS
        since = max(mark["floor"], sweep.back(mark["at"], overlap)) if mark["at"] else mark["floor"]
        touched: list[int] = []
        ignored = {tuple(entry) for entry in mark["ignored"]}
        for page in sweep.changed_since(
            self._binding.connection,
            self._binding.table,
            since=since,
            fields=self._binding.mapping.record_fields,
            exact=self._binding.exact,
        ):
            fresh = [
                row for row in page if _identity(row) not in ignored and _identity(row) not in self._seen
            ]
            mark["at"] = max(mark["at"], _not_ahead(page[-1]["sys_updated_on"], started))
            touched += self._take(fresh, mark)
        with self._binding.database.begin() as connection:
            watermarks.save(connection, f"{self._mark}:polled", {"started": started})
        if deep:
            self._deep_at = time.monotonic()
        # Decided in this poll, or gone from the instance meanwhile.
        self._undecided = {key: row for key, row in self._undecided.items() if row.read_at >= parents_polled}
        self._forget_old()
        return touched

    def _load_mark(self) -> dict[str, Any]:
        with self._binding.database.read() as connection:
            mark = watermarks.load(connection, self._mark)
        return dict(mark) if mark is not None else self._start()

    def _start(self) -> dict[str, Any]:
        """The first poll ever: what exists on the instance now is not news."""
        binding, now = self._binding, clock.now()
        newest = sweep.newest(binding.connection, binding.table, exact=binding.exact)
        at = _not_ahead(newest, now)
        ignored: list[list[str]] = []
        if at:
            fields: tuple[str, ...] = ("sys_id", "sys_updated_on", "sys_mod_count")
            fields += ("sys_class_name",) if binding.exact else ()
            for page in sweep.changed_since(
                binding.connection, binding.table, since=at, fields=fields, exact=binding.exact
            ):
                ignored += [list(_identity(row)) for row in page if row["sys_updated_on"] <= newest]
        # Nothing visible may mean no right to see it yet: what is granted later is history all the same.
        mark = {"at": at, "floor": at or platform_time(now - HISTORY_SECONDS), "ignored": ignored}
        with binding.database.begin() as connection:
            watermarks.save(connection, self._mark, mark)
        return mark

    def _take(self, rows: Sequence[Row], mark: Mapping[str, Any]) -> list[int]:
        """Put these rows into the inbox, with their notes where those are not accounted for yet."""
        with self._binding.database.read() as connection:
            known = inbox.known(connection, self._binding.name, "instance", [_event_id(row) for row in rows])
            rows = [row for row in rows if _event_id(row) not in known]
            links_now = {row["sys_id"]: self._find(connection, row) for row in rows}
        fresh, rows = rows, self._in_scope(rows, links_now)
        unread = [row["sys_id"] for row in rows if not _is_own(links_now[row["sys_id"]], row)]
        carried = self._binding.mapping.carries_notes
        notes = self._binding.notes.read(self._binding.table, unread) if carried and unread else {}
        touched = []
        with self._binding.database.begin() as connection:
            for row in rows:
                link_id = self._append(connection, row, notes.get(row["sys_id"]))
                if link_id is not None:
                    touched.append(link_id)
            if fresh:
                # What is undecided is read again: the mark stays before it.
                held = [row.stamp for row in self._undecided.values()]
                watermarks.save(connection, self._mark, {**mark, "at": min([mark["at"], *held])})
        now = time.monotonic()
        self._seen.update((_identity(row), now) for row in fresh if _identity(row) not in self._undecided)
        return touched

    def _in_scope(self, rows: Sequence[Row], linked: Mapping[str, Link | None]) -> Sequence[Row]:
        """A new record must match the filter; a linked one that leaves it still has its last word."""
        binding = self._binding
        if binding.parents:
            return self._with_parent(rows, linked)
        new = [sys_id for sys_id, link in linked.items() if link is None]
        if not binding.condition or not new:
            return rows
        inside = sweep.matching(binding.connection, binding.table, new, condition=binding.condition)
        return [row for row in rows if linked[row["sys_id"]] is not None or row["sys_id"] in inside]

    def _with_parent(self, rows: Sequence[Row], linked: Mapping[str, Link | None]) -> Sequence[Row]:
        """Of new records, those whose parent is linked.

        A parent that is no link is none of ours once the parents were polled after this record was read;
        until then the record is undecided.
        """
        binding, now = self._binding, clock.now()
        with binding.database.read() as connection:
            taken = [
                row
                for row in rows
                if linked[row["sys_id"]] is not None
                or (row["parent"] and links.by_record(connection, binding.parents, row["parent"]))
            ]
        polled = self._parents_polled()
        for row in rows:
            undecided = self._undecided.pop(_identity(row), _Undecided(row["sys_updated_on"], now))
            if row not in taken and row["parent"] and polled <= undecided.read_at:
                self._undecided[_identity(row)] = undecided
        return taken

    def _parents_polled(self) -> float:
        """When the last full poll of the parents began, 0 if there was none."""
        with self._binding.database.read() as connection:
            polled = watermarks.load(connection, f"sync:{self._binding.parents}:instance:polled")
        return float(polled["started"]) if polled else 0.0

    def _find(self, connection: sa.Connection, row: Row) -> Link | None:
        binding = self._binding
        found = links.by_record(connection, binding.name, row["sys_id"])
        if found is None and (peer_id := binding.peer_of(row["correlation_id"])):
            found = links.by_peer(connection, binding.name, peer_id)
        return found

    def _append(self, connection: sa.Connection, row: Row, notes: Sequence[RecordNote] | None) -> int | None:
        """The link to wake, None when the event needs no work."""
        binding = self._binding
        link = self._find(connection, row)
        if link is None:
            parent = links.by_record(connection, binding.parents, row["parent"]) if binding.parents else None
            link = links.open_link(
                connection,
                sync=binding.name,
                instance=binding.instance,
                table_name=binding.table,
                born="instance",
                sys_id=row["sys_id"],
                parent_id=parent.id if parent else None,
            )
        if link.sys_id is None:
            links.change(connection, link.id, sys_id=row["sys_id"], number=row["number"])
        version = _version(row)
        twin = link.sys_id is not None and link.sys_id != row["sys_id"]
        own = not twin and notes is None and _is_own(link, row)
        payload = None if own else {"record": dict(row), "notes": [asdict(note) for note in notes or ()]}
        inbox.append(
            connection,
            sync=binding.name,
            link_id=link.id,
            side="instance",
            event_id=_event_id(row),
            version=version,
            payload=payload,
            fate="parked" if twin else "echo" if own else None,
            reason=f"{row['number']} carries the correlation id of {link.number}" if twin else "",
        )
        return None if own or twin else link.id

    def _forget_old(self) -> None:
        limit = time.monotonic() - 2 * sweep.DEEP_OVERLAP_SECONDS
        if len(self._seen) > 10_000:
            self._seen = {key: at for key, at in self._seen.items() if at > limit}


class PeerIntake:
    """Takes the far side's events into the inbox."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding

    @property
    def _mark(self) -> str:
        return f"sync:{self._binding.name}:peer"

    def poll(self) -> list[int]:
        """One full poll; the links that have something to do. Raises the errors of ``core.errors``."""
        started = clock.now()
        touched: list[int] = []
        with self._binding.database.read() as connection:
            cursor = watermarks.load(connection, self._mark) or ""
        while True:
            pulled = self._binding.peer.pull(cursor)
            caught_up = not pulled.events or not pulled.more
            with self._binding.database.begin() as connection:
                for event in pulled.events:
                    link_id = self._append(connection, event)
                    if link_id is not None:
                        touched.append(link_id)
                if pulled.cursor != cursor:
                    watermarks.save(connection, self._mark, pulled.cursor)
                if caught_up:
                    watermarks.save(connection, f"{self._mark}:polled", {"started": started})
            if caught_up:
                return touched
            cursor = pulled.cursor

    def _append(self, connection: sa.Connection, event: PeerEvent) -> int | None:
        binding = self._binding
        link = links.by_peer(connection, binding.name, event.incident)
        if link is None and (sys_id := binding.record_of(event.key)):
            link = links.by_record(connection, binding.name, sys_id)
        if link is None:
            link = links.open_link(
                connection,
                sync=binding.name,
                instance=binding.instance,
                table_name=binding.table,
                born="peer",
                peer_id=event.incident,
            )
        if link.peer_id is None:
            links.change(connection, link.id, peer_id=event.incident)
        accounted = event.version <= link.peer_version
        own = event.version in (link.base or {}).get("own_versions", ())
        inbox.append(
            connection,
            sync=binding.name,
            link_id=link.id,
            side="peer",
            event_id=event.id,
            version=event.version,
            fate=("echo" if own else "coalesced") if accounted else None,
        )
        return None if accounted else link.id


def _identity(row: Row) -> tuple[str, str]:
    return row["sys_id"], row["sys_mod_count"]


def _event_id(row: Row) -> str:
    return f"{row['sys_id']}:{row['sys_mod_count']}"


def _version(row: Row) -> int:
    return int(row["sys_mod_count"] or 0)  # empty on a record that was imported past the platform's rules


def _not_ahead(stamp: str, now: float) -> str:
    """A stamp from the future (an import may write any) must not hide what happens until then."""
    return min(stamp, platform_time(now))


def _is_own(link: Link | None, row: Row) -> bool:
    """True when this state of the record is our own write and nothing came between."""
    if link is None or link.base is None:
        return False
    version = _version(row)
    return version <= link.mod_count and version in link.base.get("own_mods", ())
