"""What incidents and follow-ups have in common: how an entry of the desk is read, made and changed.

Every change bumps the entry's version and appends one event, in the caller's transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection, Row, Table, bindparam, func, insert, or_, select, update

from linkspan.core import clock
from linkspan.core.errors import NotFound, Stale
from linkspan.desk.replies import already_done, remember
from linkspan.desk.values import Event, Numbers
from linkspan.store import Database


class Entry(Protocol):
    """What every entry of the desk tells of itself. ``values`` are the fields that may be changed."""

    @property
    def id(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def updated_at(self) -> float: ...
    @property
    def values(self) -> dict[str, str]: ...


Kept = TypeVar("Kept", bound=Entry)


class Shelf(Generic[Kept]):
    """The entries of one kind. Each verb is a few statements in the transaction it is given.

    ``word`` is what people call an entry, ``made`` makes one of the columns of ``table``. Rows of
    ``events`` name their entry in the column ``subject``. ``other`` is what else than the entry at hand a
    key may have been used for.
    """

    def __init__(
        self,
        *,
        word: str,
        other: str,
        table: Table,
        events: Table,
        subject: str,
        numbers: Numbers,
        made: Callable[..., Kept],
    ) -> None:
        self._word = word
        self._other = other
        self._numbers = numbers
        self._made = made
        self._subject = subject
        # Built once: building a statement costs more than running it.
        self._by_id = select(table).where(table.c.id == bindparam("wanted"))
        self._locked = self._by_id.with_for_update()
        self._by_key = select(table).where(table.c.key == bindparam("wanted"))
        self._by_name = select(table).where(
            or_(table.c.id == bindparam("wanted"), table.c.number == bindparam("counted"))
        )
        self._taken = select(func.max(table.c.number))
        self._new = insert(table).returning(table)
        self._change = (
            update(table)
            .where(table.c.id == bindparam("wanted"), table.c.version == bindparam("seen"))
            .returning(table)
        )
        self._new_event = insert(events).returning(events)

    def entry(self, row: Row[Any]) -> Kept:
        """The entry of a row of the table."""
        values = told(row)
        return self._made(**{**values, "number": self._numbers.text(values["number"])})

    def by_id(self, transaction: Connection, entry: str) -> Kept | None:
        """The entry with this id."""
        return self._first(transaction, self._by_id, wanted=entry)

    def by_key(self, transaction: Connection, key: str) -> Kept | None:
        """The entry that was made with this key; none without a key."""
        return self._first(transaction, self._by_key, wanted=key) if key else None

    def find(self, database: Database, name: str) -> Kept | None:
        """The entry with this id or number."""
        with database.read() as transaction:
            return self._first(transaction, self._by_name, wanted=name, counted=self._numbers.read(name))

    def locked(self, transaction: Connection, entry: str) -> Kept:
        """The entry with this id, held until the transaction ends. Raises NotFound."""
        found = self._first(transaction, self._locked, wanted=entry)
        if found is None:
            raise self.unknown(entry)
        return found

    def add(self, transaction: Connection, fields: Mapping[str, str], *, key: str) -> Kept:
        """A new entry with these columns."""
        # In the same serialised transaction as the insert, so no number is given twice.
        taken = transaction.execute(self._taken).scalar() or 0
        now = clock.now()
        values = {
            **fields,
            "id": uuid.uuid4().hex,
            "number": taken + 1,
            "version": 1,
            "key": key or None,
            "created_at": now,
            "updated_at": now,
        }
        return self.entry(transaction.execute(self._new, values).one())

    def edit(
        self,
        transaction: Connection,
        entry: str,
        fields: Mapping[str, str],
        *,
        key: str,
        version: int | None,
        refuse: Callable[[Kept, Mapping[str, str]], None] | None = None,
    ) -> tuple[Kept, bool]:
        """The entry with these fields, and whether that changed it.

        ``refuse`` may raise when it sees what would change.
        """
        before = self.locked(transaction, entry)
        if key and already_done(transaction, key, entry, otherwise=self._other):
            return before, False
        if version is not None and before.version != version:
            raise self._stale(before)
        changes = {name: value for name, value in fields.items() if before.values[name] != value}
        if refuse is not None:
            refuse(before, changes)
        if not changes:
            return before, False
        after = self.write(transaction, before, changes)
        remember(transaction, key, entry)
        return after, True

    def write(self, transaction: Connection, before: Kept, changes: Mapping[str, str]) -> Kept:
        """The entry with these changes and the next version. Raises Stale when it has moved on."""
        values = {**before.values, **changes, "version": before.version + 1, "updated_at": clock.now()}
        row = transaction.execute(
            self._change, {**values, "wanted": before.id, "seen": before.version}
        ).first()
        if row is None:
            raise self._stale(before)
        return self.entry(row)

    def append_event(self, transaction: Connection, entry: Kept, origin: str, **more: str) -> Event:
        """The event of a change; ``more`` are what else names its entry."""
        values = {
            self._subject: entry.id,
            "version": entry.version,
            "key": entry.key,
            "at": entry.updated_at,
            "origin": origin,
        }
        row = transaction.execute(self._new_event, values).one()
        return Event(**{**told(row), **more})

    def unknown(self, entry: str) -> NotFound:
        """The refusal of an id that no entry has."""
        return NotFound(
            f"There is no such {self._word} on the desk.", where=f"desk {self._word} {entry[:64]}"
        )

    def _stale(self, entry: Kept) -> Stale:
        return Stale(
            f"{entry.number} has changed meanwhile (it is at version {entry.version}).",
            fix="Read it again and repeat what still applies.",
            where=f"desk {self._word} {entry.id}",
        )

    def _first(self, transaction: Connection, query: Any, **values: Any) -> Kept | None:
        row = transaction.execute(query, values).first()
        return None if row is None else self.entry(row)


def told(row: Row[Any]) -> dict[str, Any]:
    """The columns of a row as the desk's values name them: without ``_id``, and no key is ""."""
    values = {name.removesuffix("_id"): value for name, value in row._mapping.items()}
    return {**values, "key": values["key"] or ""}
