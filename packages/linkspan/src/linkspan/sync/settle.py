"""Draining one link: read both sides, merge, write what is missing, give every event its fate.

Everything here may be cut off at any moment and run again. Values are written only where they
differ from what is there now, creates and notes go through ``records`` or carry a key, and the fates
are committed last, together with the new base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
import structlog

from linkspan.core import clock
from linkspan.core.errors import (
    LinkspanError,
    NotAuthenticated,
    NotFound,
    Rejected,
    SecretUnavailable,
    Stale,
)
from linkspan.core.peer import PeerIncident, PeerNote
from linkspan.feed.journal import digest, plain
from linkspan.mapping.contract import Unmapped, Untaken
from linkspan.store import inbox, links, watermarks
from linkspan.store.inbox import Event
from linkspan.store.links import Link
from linkspan.sync.binding import Binding
from linkspan.sync.ending import Ending, Waits
from linkspan.sync.merge import Base, Conflict, Left, columns_of, merge, rebase
from linkspan.sync.work import (
    NOT_SHARED,
    NOT_TAKEN,
    Record,
    Work,
    agree,
    all_columns,
    known,
    refused_before,
    start,
)

ROUNDS = 8
log = structlog.get_logger("linkspan.sync")


class Gone(LinkspanError):
    """One side of the pair does not exist any more."""

    code = "gone"


class Elsewhere(LinkspanError):
    """What this belongs to is not in the sync."""

    code = "elsewhere"


class Settler:
    """Drains links of one sync."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._end = Ending(binding)

    def drain(self, link_id: int) -> None:
        """Serve the waiting events of a link. Errors end up on the link, not in the caller."""
        with self._binding.database.read() as connection:
            link = links.get(connection, link_id)
            events = inbox.waiting(connection, link_id)
        if not events or link.not_before > clock.now():
            return
        try:
            self._settle(start(link, events))
        except Unmapped as error:
            rejected = Rejected(
                str(error),
                code="unmapped_value",
                fix="give it a value the mapping knows; the next change tries again",
            )
            self._end.park(link, events, rejected)
        except Elsewhere as error:
            self._end.filter(link, events, error)
        except Gone as error:
            self._end.bury(link, events, error)
        except LinkspanError as error:
            # A login that fails is the connection's trouble, not the event's: nothing is given up for it.
            if error.retryable or isinstance(error, NotAuthenticated | SecretUnavailable):
                self._end.postpone(link, error)
            else:
                self._end.park(link, events, error)
        except Exception as error:
            # Raised further it would end in the engine's log, and the sweeper would be back in a second.
            log.exception("bug", sync=self._binding.name, link=link_id)
            bug = LinkspanError(repr(error), code="bug", where=link.number, fix="report it with the log")
            self._end.postpone(link, bug)

    # --- the story

    def _settle(self, work: Work) -> None:
        met = "record" in (work.link.base or {})
        if met and self._nothing_new(work):
            self._end.finish(work)
            return
        try:
            if met:
                work.peer = self._fetch_peer(work)
                work.parted = False
            elif work.source == "instance":
                self._create_on_peer(work)
            else:
                self._create_record(work)
        except Gone:
            if not self._part(work):
                raise
            return
        if self._binding.mapping.carries_notes:
            self._notes_to_record(work)
            self._notes_to_peer(work)
        self._merge(work)
        self._end.finish(work)

    def _nothing_new(self, work: Work) -> bool:
        """True when every event is our own doing or was seen together with a later one."""
        return all(
            (
                event.version <= work.peer_version
                if event.side == "peer"
                else event.version <= work.merged_mod and not self._foreign_notes(work, event)
            )
            for event in work.events
        )

    def _create_on_peer(self, work: Work) -> None:
        binding = self._binding
        if work.record is None:
            self._read_record(work)
        record = known(work.record)
        parent = self._parent(work, sys_id=record["parent"]).peer_id if binding.parents else ""
        work.base = self._begin(work, self._first_values(record))
        key = binding.peer_key(record["sys_id"])
        told_before = refused_before(work)
        try:
            made = binding.peer.create(work.base.peer, key=key, parent=parent or "")
        except Rejected as error:
            made = self._partly_created(work, error, key=key, parent=parent or "")
        else:
            if told_before is not None:
                self._leave(work, work.base.peer, made, told_before)
        work.own_versions.add(1)
        work.peer_version = max(work.peer_version, 1)
        if all(made.values[name] == work.base.peer[name] for name in binding.mapping.fields):
            work.own_versions.add(made.version)
            work.peer_version = max(work.peer_version, made.version)
        work.wrote_peer = True
        work.peer = made if made.version == 1 else self._fetch_peer(work, made.id)

    def _partly_created(self, work: Work, error: Rejected, *, key: str, parent: str) -> PeerIncident:
        """The far side has created what it takes: asked again with the same key, it answers with that."""
        if error.code != NOT_TAKEN:
            raise error
        # Committed first: said once only, it would look like a change of theirs to the next try.
        told = {"cause": error.cause, "fix": error.fix}
        with self._binding.database.begin() as connection:
            saved = links.get(connection, work.link.id).base or {}
            creating = {**saved["creating"], "refused": told}
            links.change(connection, work.link.id, base={**saved, "creating": creating})
        made = self._binding.peer.create(work.base.peer, key=key, parent=parent)
        self._leave(work, work.base.peer, made, error)
        return made

    def _first_values(self, record: Record) -> Base:
        """What the far side is to be created with; what it cannot hold counts as not agreed upon."""
        mapping, columns = self._binding.mapping, all_columns(self._binding.mapping, record)
        values = {}
        for name in mapping.fields:
            try:
                values[name] = mapping.value(name, record)
            except Untaken:
                values[name] = ""
                columns |= dict.fromkeys(mapping.columns[name], "")
        return Base(peer=values, record=columns)

    def _create_record(self, work: Work) -> None:
        binding, mapping = self._binding, self._binding.mapping
        try:
            work.peer = self._fetch_peer(work)
        except Rejected as error:
            if error.code == NOT_SHARED:
                raise Elsewhere(error.cause) from error
            raise
        extra = mapping.at_creation(binding.account)
        if binding.parents:
            extra["parent"] = self._parent(work, peer_id=work.peer.parent).sys_id or ""
        columns: dict[str, str] = {}
        values = dict(work.peer.values)
        for name in mapping.fields:
            try:
                columns |= mapping.write(name, values[name], None)
            except Untaken:
                values[name] = ""  # not agreed upon: the merge says so
        expected = all_columns(mapping, mapping.expected(columns))
        work.base = self._begin(work, Base(peer=values, record=expected))
        extra["correlation_display"] = f"{binding.peer_title} {work.peer.reference}"
        record = binding.records.create(
            binding.table,
            {**columns, **extra},
            correlation_id=binding.correlation_id(work.peer.id),
            fields=mapping.record_fields,
        )
        self._took_record(work, record, own=int(record["sys_mod_count"]) == 0)
        work.wrote_record = True

    def _parent(self, work: Work, *, sys_id: str = "", peer_id: str = "") -> Link:
        """The link of the incident that a follow-up belongs to, once it has both sides.

        Raises Waits until then, Elsewhere when that incident is not in the sync.
        """
        database, parents = self._binding.database, self._binding.parents
        with database.read() as connection:
            found = (
                links.by_record(connection, parents, sys_id)
                if sys_id
                else links.by_peer(connection, parents, peer_id)
            )
            looked = watermarks.load(connection, f"sync:{parents}:{'instance' if sys_id else 'peer'}:polled")
            # One that we are declaring is there before we have heard what it is called.
            declaring = bool(peer_id) and inbox.without_peer(connection, parents)
        if found is None:
            received = max(event.received_at for event in work.events)
            seen = looked is not None and looked["started"] > received
            if not (sys_id or peer_id) or (seen and not declaring):
                raise Elsewhere("its incident is not in this sync")
            raise Waits("its incident is not known yet", fix="nothing to do: it follows its incident")
        if work.link.parent_id != found.id:
            with database.begin() as connection:
                links.change(connection, work.link.id, parent_id=found.id)
        if found.sys_id is None or found.peer_id is None:
            raise Waits(
                f"its incident {found.number or found.peer_reference} has no counterpart yet",
                fix="nothing to do: it follows its incident",
            )
        return found

    def _begin(self, work: Work, base: Base) -> Base:
        """Commit what is about to be created. After a crash it is still the base: what differs
        from it by then is somebody's change and not ours.
        """
        saved = work.link.base or {}
        if "creating" in saved:
            return Base(peer=saved["creating"]["peer"], record=saved["creating"]["record"])
        creating = {"peer": dict(base.peer), "record": dict(base.record)}
        with self._binding.database.begin() as connection:
            links.change(connection, work.link.id, base={**saved, "creating": creating})
        return base

    def _notes_to_record(self, work: Work) -> None:
        peer = known(work.peer)
        with self._binding.database.read() as connection:
            sent = links.notes(connection, work.link.id, "peer")
        for note in peer.notes:
            if note.key.startswith(self._binding.note_prefix) or note.id in sent:
                continue
            sent[note.id] = self._note_to_record(work, note, list(sent.values()))

    def _note_to_record(self, work: Work, note: PeerNote, sent: Sequence[str]) -> str:
        binding = self._binding
        sys_id = known(work.record)["sys_id"]
        text = plain(f"{note.author} via {binding.peer_title}: {note.text}")
        text_digest = digest(text)

        def remember(connection: sa.Connection, _result: str) -> None:
            links.remember_note(connection, work.link.id, side="peer", key=note.id, sent=text_digest)

        def written_by_us() -> int:
            found = binding.notes.read(binding.table, [sys_id]).get(sys_id, [])
            return sum(1 for entry in found if entry.ours and digest(entry.text) == text_digest)

        record = binding.records.add_note(
            binding.table,
            sys_id,
            text,
            key=note.id,
            written_by_us=written_by_us,
            remembered=sum(1 for other in sent if other == text_digest),
            version=work.record_mod,
            on_done=remember,
            fields=binding.mapping.record_fields,
        )
        work.wrote_record = True
        if record is not None:
            self._took_record(work, record, own=True)
        return text_digest

    def _notes_to_peer(self, work: Work) -> None:
        peer = known(work.peer)
        newest = max((e for e in work.events if e.side == "instance"), key=lambda e: e.version, default=None)
        if newest is None:
            return
        added = 0
        for note in self._foreign_notes(work, newest):
            try:
                made = self._binding.peer.add_note(
                    peer.id,
                    note["text"],
                    author=note["author"],
                    at=note["at"],
                    key=f"{self._binding.note_prefix}{work.link.sys_id}:{note['key']}",
                )
            except Rejected as error:
                if error.code != NOT_TAKEN:
                    raise
                # Remembered all the same: it is a person's to carry over now, and is not tried again.
                work.peer_notes.append((note["key"], digest(note["text"]), ""))
                work.untaken_notes.append(f"a note was not taken: {error.cause}: {note['text']}")
                continue
            work.peer_notes.append((note["key"], digest(note["text"]), made.id))
            added += 1
        if added:
            work.wrote_peer = True
            after = self._fetch_peer(work, peer.id)
            if after.version == peer.version + added and peer.version == work.peer_version:
                work.own_versions |= set(range(peer.version + 1, after.version + 1))
                work.peer_version = after.version
            work.peer = after

    def _merge(self, work: Work) -> None:
        mapping = self._binding.mapping
        for _ in range(ROUNDS):
            peer, record = known(work.peer), known(work.record)
            decided = merge(
                mapping, work.base, peer=peer.values, record=record, source=work.source, left=work.left
            )
            work.left = dict(decided.left)
            if decided.settled:
                work.conflicts += decided.conflicts
                work.base = rebase(mapping, work.base, peer=peer.values, record=record, left=work.left)
                return
            if decided.to_record and not work.fresh:
                self._read_record(work)
                continue
            self._decide(work, decided.conflicts)
            if decided.to_peer:
                self._write_peer(work, decided.to_peer)
            if decided.to_record:
                self._write_record(work, decided.to_record)
        raise Stale("both sides keep changing; trying again", where=work.link.number)

    def _decide(self, work: Work, conflicts: Sequence[Conflict]) -> None:
        """Commit conflicts before the losing value is overwritten: a crash between would forget it."""
        new = [conflict for conflict in conflicts if conflict not in work.conflicts]
        if not new:
            return
        work.conflicts += new
        decided = [asdict(conflict) for conflict in work.conflicts]
        with self._binding.database.begin() as connection:
            saved = links.get(connection, work.link.id).base or {}
            links.change(connection, work.link.id, base={**saved, "decided": decided})

    # --- reading and writing one side

    def _fetch_peer(self, work: Work, peer_id: str | None = None) -> PeerIncident:
        wanted = peer_id or work.link.peer_id or ""
        found = self._binding.peer.fetch(wanted)
        if found is None:
            raise Gone(
                f"{self._binding.peer_title} has no incident {work.link.peer_reference or wanted} any more",
                fix="nothing is deleted on the instance; close the record there if it is obsolete",
                where=work.link.number,
            )
        if work.peer is None and work.link.peer_id is not None:
            work.peer_version = max(work.peer_version, found.version)
        return found

    def _read_record(self, work: Work) -> None:
        binding = self._binding
        sys_id = work.record["sys_id"] if work.record is not None else work.link.sys_id or ""
        record = binding.connection.table.get(binding.table, sys_id, fields=binding.mapping.record_fields)
        if record is None:
            raise NotFound(
                f"{work.link.number or sys_id} is deleted, or hidden from this account",
                fix="if it exists, check the row ACLs with `linkspan preflight`",
                where=binding.instance,
            )
        self._took_record(work, record, own=False)

    def _took_record(self, work: Work, record: Record, *, own: bool) -> None:
        version = int(record["sys_mod_count"] or 0)
        if own:
            work.own_mods.add(version)
        work.record, work.record_mod, work.fresh = record, max(work.record_mod, version), True

    def _write_record(self, work: Work, columns: Mapping[str, str]) -> None:
        binding = self._binding
        before, peer = known(work.record), known(work.peer)
        record = binding.connection.table.update(
            binding.table, before["sys_id"], dict(columns), fields=binding.mapping.record_fields
        )
        self._took_record(work, record, own=int(record["sys_mod_count"]) > int(before["sys_mod_count"] or 0))
        work.wrote_record = True
        mapping = binding.mapping
        written = [
            name for name in mapping.fields if any(column in columns for column in mapping.columns[name])
        ]
        for name in written:
            if not mapping.agrees(name, peer.values[name], record):
                column = mapping.columns[name][0]
                raise Rejected(
                    f"{column} was written and is still {record[column]!r}",
                    code="write_ignored",
                    fix=f"check field ACLs, data policies and business rules on {binding.table}.{column}",
                    where=record["number"],
                )
        work.base = agree(mapping, work.base, written, peer=peer.values, record=record)

    def _write_peer(self, work: Work, values: Mapping[str, str]) -> None:
        before, record = known(work.peer), known(work.record)
        try:
            after = self._binding.peer.update(before.id, values, version=before.version)
        except Rejected as error:
            if error.code != NOT_TAKEN:
                raise
            after = self._fetch_peer(work, before.id)
            self._leave(work, values, after, error)
        else:
            work.own_versions.add(after.version)
            # Versions that do not count may hide a note that came between: its timeline is read again then.
            whole = not self._binding.mapping.carries_notes or after.version <= before.version + 1
            if before.version == work.peer_version and whole:
                work.peer_version = after.version
            self._dropped(work, values, after)
        work.peer = after
        work.wrote_peer = True
        taken = [name for name in values if name not in work.left]
        work.base = agree(self._binding.mapping, work.base, taken, peer=after.values, record=record)

    def _dropped(self, work: Work, values: Mapping[str, str], after: PeerIncident) -> None:
        """What the far side answered "yes" to and did not take is not agreed upon."""
        mapping, record = self._binding.mapping, known(work.record)
        dropped = {
            name: value
            for name, value in values.items()
            if after.values[name] != value and not mapping.agrees(name, after.values[name], record)
        }
        if dropped:
            title = self._binding.peer_title
            error = Rejected(f"{title} kept its own value", code=NOT_TAKEN, fix=f"set it on {title}")
            self._leave(work, dropped, after, error)

    def _leave(
        self, work: Work, values: Mapping[str, str], after: PeerIncident, error: LinkspanError
    ) -> None:
        """The far side refused some of ``values``: which ones shows in what it has ``after`` that."""
        mapping, record = self._binding.mapping, known(work.record)
        refused = {name: value for name, value in values.items() if after.values[name] != value}
        for name, value in refused.items():
            work.left[name] = Left(
                field=name,
                by="peer",
                peer_value=after.values[name],
                columns=columns_of(mapping, name, record),
                text=value,
                cause=error.cause,
                fix=error.fix,
                url=after.url,
            )
        agreed = {**work.base.peer, **{name: after.values[name] for name in refused}}
        work.base = Base(peer=agreed, record=work.base.record)

    def _foreign_notes(self, work: Work, event: Event) -> list[dict[str, Any]]:
        # A note of spaces says nothing, and a far side may refuse it.
        written = (event.payload or {}).get("notes", ())
        notes = [note for note in written if not note["ours"] and note["text"]]
        if not notes:
            return []
        with self._binding.database.read() as connection:
            known = links.notes(connection, work.link.id, "instance")
        return [note for note in notes if note["key"] not in known]

    # --- how it ends

    def _part(self, work: Work) -> bool:
        """The far side's thing is gone: close the record once, where the mapping says so.

        False when it says nothing of that.
        """
        binding, mapping = self._binding, self._binding.mapping
        if work.link.sys_id is None:
            if mapping.when_gone({}, binding.peer_title) is None:
                return False
        elif not work.parted:
            self._read_record(work)
            record = known(work.record)
            columns = mapping.when_gone(record, binding.peer_title)
            if columns is None:
                return False
            if columns:
                record = binding.connection.table.update(
                    binding.table, record["sys_id"], columns, fields=mapping.record_fields
                )
                self._took_record(work, record, own=True)
                work.wrote_record = True
            # Nothing is agreed upon any more: should it come back, all that it says is news.
            nothing = dict.fromkeys(work.base.peer, "")
            work.base = Base(peer=nothing, record=all_columns(mapping, record))
            work.parted = True
        work.left = {}
        self._end.finish(work)
        return True
