"""What is to be done about incidents, kept beside them in linkspan's own store.

Like the incidents: every change bumps the version and appends one event in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import select

from linkspan.desk.replies import checked_key
from linkspan.desk.shelf import Shelf, told
from linkspan.desk.values import (
    FOLLOW_UP_DEFAULTS,
    FOLLOW_UP_NUMBERS,
    Event,
    FollowUp,
    Incident,
    checked_follow_up,
)
from linkspan.store import Database
from linkspan.store.tables import desk_follow_up, desk_follow_up_event

PERSON = "person"
SHELF = Shelf(
    word="follow-up",
    other="something else",
    table=desk_follow_up,
    events=desk_follow_up_event,
    subject="follow_up_id",
    numbers=FOLLOW_UP_NUMBERS,
    made=FollowUp,
)


class FollowUps:
    """The follow-ups of a desk's incidents. Safe to use from several threads.

    ``key`` makes a write repeatable, as on the desk. Writes raise Rejected (code ``invalid`` or
    ``key_reused``), NotFound, or Stale when a ``version`` is given and the follow-up has moved on.
    ``tell`` hears of every change after it is committed, ``incidents`` are what they belong to.
    """

    def __init__(
        self, database: Database, tell: Callable[[Event], None], *, incidents: Shelf[Incident]
    ) -> None:
        self._database = database
        self._incidents = incidents
        self._tell = tell

    def add(
        self, incident: str, values: Mapping[str, str], *, key: str = "", origin: str = PERSON
    ) -> FollowUp:
        """A new follow-up of an incident (by id); fields left out take their defaults."""
        by_person = origin == PERSON
        fields = checked_follow_up({**FOLLOW_UP_DEFAULTS, **values}, by_person=by_person)
        key = checked_key(key, by_person=by_person)
        with self._database.begin() as transaction:
            if known := SHELF.by_key(transaction, key):
                return known
            if self._incidents.by_id(transaction, incident) is None:
                raise self._incidents.unknown(incident)
            follow_up = SHELF.add(transaction, {**fields, "incident_id": incident}, key=key)
            event = SHELF.append_event(transaction, follow_up, origin, incident=incident)
        self._tell(event)
        return follow_up

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
            after, changed = SHELF.edit(transaction, follow_up, fields, key=key, version=version)
            if not changed:
                return after
            event = SHELF.append_event(transaction, after, origin, incident=after.incident)
        self._tell(event)
        return after

    def find(self, follow_up: str) -> FollowUp | None:
        """The follow-up by id or number, None when there is none."""
        return SHELF.find(self._database, follow_up)

    def of(self, incident: str) -> list[FollowUp]:
        """The follow-ups of an incident (by id), in the order they were added."""
        query = (
            select(desk_follow_up)
            .where(desk_follow_up.c.incident_id == incident)
            .order_by(desk_follow_up.c.number)
        )
        with self._database.read() as transaction:
            return [SHELF.entry(row) for row in transaction.execute(query)]

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
            return [Event(**told(row)) for row in transaction.execute(query)]
