"""Incidents and their timelines, kept in linkspan's own store.

Every change bumps the incident's version and appends one event in the same transaction, so whoever
follows the events misses nothing and sees nothing that was rolled back.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Select, bindparam, func, insert, or_, select

from linkspan.core import clock
from linkspan.core.errors import Rejected
from linkspan.desk.follow_ups import PERSON, FollowUps
from linkspan.desk.replies import checked_key, key_reused
from linkspan.desk.shelf import Shelf, told
from linkspan.desk.values import (
    DEFAULTS,
    FINAL_STATUSES,
    NUMBERS,
    PEER_LIMITS,
    PERSON_LIMITS,
    Event,
    Incident,
    Update,
    checked_fields,
    checked_text,
    invalid,
)
from linkspan.store import Database
from linkspan.store.tables import desk_event, desk_incident, desk_update

Order = Literal["number", "changed"]
SYNC = "sync"
OTHER = "another incident"

SHELF = Shelf(
    word="incident",
    other=OTHER,
    table=desk_incident,
    events=desk_event,
    subject="incident_id",
    numbers=NUMBERS,
    made=Incident,
)

# Built once: building a statement costs more than running it.
_NEW_UPDATE = insert(desk_update).returning(desk_update)
_UPDATE_BY_KEY = select(desk_update).where(desk_update.c.key == bindparam("wanted"))
_TIMELINE = (
    select(desk_update).where(desk_update.c.incident_id == bindparam("wanted")).order_by(desk_update.c.seq)
)
_UPDATES = (
    select(desk_update)
    .where(desk_update.c.seq > bindparam("after"))
    .order_by(desk_update.c.seq)
    .limit(bindparam("most"))
)
_EVENTS = (
    select(desk_event)
    .where(desk_event.c.seq > bindparam("after"))
    .order_by(desk_event.c.seq)
    .limit(bindparam("most"))
)

_log = logging.getLogger("linkspan.desk")


@dataclass(frozen=True, kw_only=True)
class Incidents:
    """One page of incidents and how many there are in all."""

    rows: Sequence[Incident]
    total: int


class Desk:
    """The desk. Safe to use from several threads; each call is one transaction.

    ``key`` makes a write repeatable: the same key again has no further effect and answers with what
    is there. Writes raise Rejected (code ``invalid``, ``final_status`` or ``key_reused``), NotFound,
    or Stale when a ``version`` is given and the incident has moved on.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: list[Callable[[Event], None]] = []
        self._lock = threading.Lock()
        self.follow_ups = FollowUps(database, self._tell, incidents=SHELF)

    # --- writing

    def declare(self, values: Mapping[str, str], *, key: str = "", origin: str = PERSON) -> Incident:
        """A new incident; fields left out take their defaults (severity moderate, status triage)."""
        by_person = origin == PERSON
        fields = {**DEFAULTS, **values}
        fields = checked_fields(fields, by_person=by_person)
        key = checked_key(key, by_person=by_person)
        with self._database.begin() as transaction:
            if known := SHELF.by_key(transaction, key):
                return known
            incident = SHELF.add(transaction, fields, key=key)
            event = SHELF.append_event(transaction, incident, origin)
        self._tell(event)
        return incident

    def edit(
        self,
        incident: str,
        changes: Mapping[str, str],
        *,
        key: str = "",
        version: int | None = None,
        origin: str = PERSON,
    ) -> Incident:
        """The incident with ``changes``. Values that are already so make no version and no event."""
        by_person = origin == PERSON
        fields = checked_fields(changes, by_person=by_person)
        key = checked_key(key, by_person=by_person)
        with self._database.begin() as transaction:
            after, changed = SHELF.edit(
                transaction,
                incident,
                fields,
                key=key,
                version=version,
                refuse=_refuse_final if by_person else None,
            )
            if not changed:
                return after
            event = SHELF.append_event(transaction, after, origin)
        self._tell(event)
        return after

    def add_update(
        self,
        incident: str,
        text: str,
        *,
        author: str,
        key: str = "",
        at: float | None = None,
        origin: str = PERSON,
    ) -> Update:
        """A new entry of the incident's timeline. ``at`` is epoch seconds, by default now.

        It counts as a change of the incident: the version grows.
        """
        by_person = origin == PERSON
        limits = PERSON_LIMITS if by_person else PEER_LIMITS
        text = checked_text("text", text, limits["text"])
        if not text.strip():
            raise invalid("An update needs text.", "Say what has changed.")
        author = checked_text("author", author, limits["author"])
        key = checked_key(key, by_person=by_person)
        with self._database.begin() as transaction:
            before = SHELF.locked(transaction, incident)
            if key and (known := _update_by_key(transaction, key, incident)):
                return known
            entry = _insert_update(transaction, incident, text, author, at, key)
            after = SHELF.write(transaction, before, {})
            event = SHELF.append_event(transaction, after, origin)
        self._tell(event)
        return entry

    def on_change(self, callback: Callable[[Event], None]) -> None:
        """Call ``callback`` with every change made through this desk, after it is committed.

        It runs on the writer's thread and should only wake somebody: what it raises is logged.
        """
        with self._lock:
            self._listeners.append(callback)

    # --- reading

    def incident(self, incident: str) -> Incident | None:
        """The incident by id or number, None when there is none."""
        return SHELF.find(self._database, incident)

    def incidents(
        self,
        *,
        limit: int = 50,
        offset: int = 0,
        status: str = "",
        search: str = "",
        after_seq: int = 0,
        order: Order = "number",
    ) -> Incidents:
        """A page of incidents; ``after_seq`` keeps those with an event after it.

        By ``number`` (newest first) no edit moves a row to another page; ``changed`` puts the last
        changed first.
        """
        query = select(desk_incident)
        if status == "open":
            query = query.where(desk_incident.c.status.not_in(sorted(FINAL_STATUSES)))
        elif status:
            query = query.where(desk_incident.c.status == status)
        if search:
            pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            query = query.where(
                or_(
                    desk_incident.c.name.ilike(pattern, escape="\\"),
                    desk_incident.c.number == NUMBERS.read(search),
                )
            )
        if after_seq:
            changed = select(desk_event.c.incident_id).where(desk_event.c.seq > after_seq)
            query = query.where(desk_incident.c.id.in_(changed))
        first = [desk_incident.c.updated_at.desc()] if order == "changed" else []
        page = query.order_by(*first, desk_incident.c.number.desc())
        with self._database.read() as transaction:
            total = _count(transaction, query)
            rows = transaction.execute(page.limit(limit).offset(offset)).all()
        return Incidents(rows=[SHELF.entry(row) for row in rows], total=total)

    def timeline(self, incident: str, *, limit: int = 1000) -> list[Update]:
        """The last ``limit`` updates of one incident, oldest first."""
        query = (
            select(desk_update)
            .where(desk_update.c.incident_id == incident)
            .order_by(desk_update.c.seq.desc())
            .limit(limit)
        )
        with self._database.read() as transaction:
            return [Update(**told(row)) for row in reversed(transaction.execute(query).all())]

    def fetch(self, incident: str) -> tuple[Incident, list[Update]] | None:
        """One incident by id with its whole timeline, read at one moment."""
        with self._database.read() as transaction:
            found = SHELF.by_id(transaction, incident)
            if found is None:
                return None
            notes = transaction.execute(_TIMELINE, {"wanted": incident}).all()
        return found, [Update(**told(entry)) for entry in notes]

    def updates(self, *, after: int = 0, limit: int = 500) -> list[Update]:
        """Updates of all incidents after ``seq`` ``after``, in order."""
        with self._database.read() as transaction:
            rows = transaction.execute(_UPDATES, {"after": after, "most": limit}).all()
        return [Update(**told(row)) for row in rows]

    def events(self, *, after: int = 0, limit: int = 500) -> list[Event]:
        """Changes after ``seq`` ``after``, in order."""
        with self._database.read() as transaction:
            rows = transaction.execute(_EVENTS, {"after": after, "most": limit}).all()
        return [Event(**told(row)) for row in rows]

    def last_seq(self) -> int:
        """The seq of the newest event, 0 when nothing has happened yet."""
        with self._database.read() as transaction:
            return transaction.execute(select(func.max(desk_event.c.seq))).scalar() or 0

    def _tell(self, event: Event) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            try:
                listener(event)
            except Exception:
                # The change is committed: a listener that fails must not make it look undone.
                _log.exception("a listener of the desk failed")


# --- one statement each, inside the caller's transaction


def _insert_update(
    transaction: Connection, incident: str, text: str, author: str, at: float | None, key: str
) -> Update:
    values = {
        "id": uuid.uuid4().hex,
        "incident_id": incident,
        "text": text,
        "author": author,
        "at": clock.now() if at is None else at,
        "key": key or None,
    }
    row = transaction.execute(_NEW_UPDATE, values).one()
    return Update(**told(row))


def _update_by_key(transaction: Connection, key: str, incident: str) -> Update | None:
    row = transaction.execute(_UPDATE_BY_KEY, {"wanted": key}).first()
    if row is None:
        return None
    if row.incident_id != incident:
        raise key_reused(OTHER)
    return Update(**told(row))


def _count(transaction: Connection, query: Select[tuple[object, ...]]) -> int:
    return transaction.execute(select(func.count()).select_from(query.subquery())).scalar_one()


# --- refusals


def _refuse_final(incident: Incident, changes: Mapping[str, str]) -> None:
    if "status" in changes and incident.status in FINAL_STATUSES:
        raise Rejected(
            f"{incident.number} is {incident.status}, and that is final.",
            fix="Declare a new incident and mention this one.",
            where=f"desk incident {incident.id}",
            code="final_status",
        )
