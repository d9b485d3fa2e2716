"""What is to be done about incidents, kept beside them in linkspan's own store.

Like the incidents: every change bumps the version and appends one event in the same transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from linkspan.core import clock
from linkspan.core.errors import NotFound, Stale
from linkspan.desk.replies import already_done, checked_key, remember
from linkspan.desk.values import (
    FOLLOW_UP_DEFAULTS,
    Event,
    FollowUp,
    checked_follow_up,
    follow_up_number_in,
    follow_up_number_text,
)
from linkspan.store import Database
from linkspan.store.tables import desk_follow_up, desk_follow_up_event, desk_incident

PERSON = "person"


class FollowUps:
    """The follow-ups of a desk's incidents. Safe to use from several threads.

    ``key`` makes a write repeatable, as on the desk. Writes raise Rejected (code ``invalid`` or
    ``key_reused``), NotFound, or Stale when a ``version`` is given and the follow-up has moved on.
    ``tell`` hears of every change after it is committed.
    """

    def __init__(self, database: Database, tell: Callable[[Event], None]) -> None:
        self._database = database
        self._tell = tell

    def add(
        self, incident: str, values: Mapping[str, str], *, key: str = "", origin: str = PERSON
    ) -> FollowUp:
        """A new follow-up of an incident (by id); fields left out take their defaults."""
        by_person = origin == PERSON
        fields = checked_follow_up({**FOLLOW_UP_DEFAULTS, **values}, by_person=by_person)
        key = checked_key(key, by_person=by_person)
        with self._database.begin() as transaction:
            if key and (known := _by_key(transaction, key)):
                return known
            row = _insert(transaction, incident, fields, key)
            event = _append_event(transaction, row, origin)
        self._tell(event)
        return row

    def edit(
        self,
        follow_up: str,
        changes: Mapping[str, str],
        *,
        key: str = "",
        version: int | None = None,
        origin: str = PERSON,
    ) -> FollowUp:
        """The follow-up (by id) with ``changes``. What is already so makes no version and no event."""
        by_person = origin == PERSON
        fields = checked_follow_up(changes, by_person=by_person)
        key = checked_key(key, by_person=by_person)
        with self._database.begin() as transaction:
            before = _locked(transaction, follow_up)
            if key and already_done(transaction, key, follow_up, otherwise="something else"):
                return before
            if version is not None and before.version != version:
                raise _stale(before)
            fields = {name: value for name, value in fields.items() if before.values[name] != value}
            if not fields:
                return before
            after = _write(transaction, before, fields)
            remember(transaction, key, follow_up)
            event = _append_event(transaction, after, origin)
        self._tell(event)
        return after

    def find(self, follow_up: str) -> FollowUp | None:
        """The follow-up by id or number, None when there is none."""
        number = follow_up_number_in(follow_up)
        query = select(desk_follow_up).where(
            or_(desk_follow_up.c.id == follow_up, desk_follow_up.c.number == number)
        )
        with self._database.read() as transaction:
            row = transaction.execute(query).first()
        return _follow_up(row) if row else None

    def of(self, incident: str) -> list[FollowUp]:
        """The follow-ups of an incident (by id), in the order they were added."""
        query = (
            select(desk_follow_up)
            .where(desk_follow_up.c.incident_id == incident)
            .order_by(desk_follow_up.c.number)
        )
        with self._database.read() as transaction:
            return [_follow_up(row) for row in transaction.execute(query)]

    def events(self, *, after: int = 0, limit: int = 500) -> Sequence[Event]:
        """Changes after ``seq`` ``after``, in order."""
        query = (
            select(desk_follow_up_event, desk_follow_up.c.incident_id)
            .join(desk_follow_up, desk_follow_up.c.id == desk_follow_up_event.c.follow_up_id)
            .where(desk_follow_up_event.c.seq > after)
            .order_by(desk_follow_up_event.c.seq)
            .limit(limit)
        )
        with self._database.read() as transaction:
            return [_event(row, row.incident_id) for row in transaction.execute(query)]


# --- one statement each, inside the caller's transaction


def _insert(transaction: Connection, incident: str, fields: Mapping[str, str], key: str) -> FollowUp:
    known = transaction.execute(select(desk_incident.c.id).where(desk_incident.c.id == incident)).first()
    if known is None:
        raise NotFound("There is no such incident on the desk.", where=f"desk incident {incident[:64]}")
    # In the same serialised transaction as the insert, so no number is given twice.
    taken = transaction.execute(select(func.max(desk_follow_up.c.number))).scalar() or 0
    now = clock.now()
    row = transaction.execute(
        insert(desk_follow_up)
        .values(
            id=uuid.uuid4().hex,
            number=taken + 1,
            incident_id=incident,
            version=1,
            key=key or None,
            created_at=now,
            updated_at=now,
            **fields,
        )
        .returning(desk_follow_up)
    ).one()
    return _follow_up(row)


def _write(transaction: Connection, before: FollowUp, fields: Mapping[str, str]) -> FollowUp:
    row = transaction.execute(
        update(desk_follow_up)
        .where(desk_follow_up.c.id == before.id, desk_follow_up.c.version == before.version)
        .values(**fields, version=before.version + 1, updated_at=clock.now())
        .returning(desk_follow_up)
    ).first()
    if row is None:
        raise _stale(before)
    return _follow_up(row)


def _append_event(transaction: Connection, follow_up: FollowUp, origin: str) -> Event:
    row = transaction.execute(
        insert(desk_follow_up_event)
        .values(
            follow_up_id=follow_up.id,
            version=follow_up.version,
            key=follow_up.key,
            at=follow_up.updated_at,
            origin=origin,
        )
        .returning(desk_follow_up_event)
    ).one()
    return _event(row, follow_up.incident)


def _locked(transaction: Connection, follow_up: str) -> FollowUp:
    query = select(desk_follow_up).where(desk_follow_up.c.id == follow_up).with_for_update()
    row = transaction.execute(query).first()
    if row is None:
        raise NotFound("There is no such follow-up on the desk.", where=f"desk follow-up {follow_up[:64]}")
    return _follow_up(row)


def _by_key(transaction: Connection, key: str) -> FollowUp | None:
    row = transaction.execute(select(desk_follow_up).where(desk_follow_up.c.key == key)).first()
    return _follow_up(row) if row else None


def _stale(follow_up: FollowUp) -> Stale:
    return Stale(
        f"{follow_up.number} has changed meanwhile (it is at version {follow_up.version}).",
        fix="Read it again and repeat what still applies.",
        where=f"desk follow-up {follow_up.id}",
    )


def _follow_up(row: Row[tuple[object, ...]]) -> FollowUp:
    return FollowUp(
        id=row.id,
        number=follow_up_number_text(row.number),
        incident=row.incident_id,
        title=row.title,
        description=row.description,
        status=row.status,
        priority=row.priority,
        assignee=row.assignee,
        version=row.version,
        key=row.key or "",
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _event(row: Row[tuple[object, ...]], incident: str) -> Event:
    return Event(
        seq=row.seq,
        incident=incident,
        follow_up=row.follow_up_id,
        version=row.version,
        key=row.key,
        at=row.at,
        origin=row.origin,
    )
