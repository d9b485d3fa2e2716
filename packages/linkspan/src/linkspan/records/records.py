"""Writes that must happen once, although an answer may be lost.

The platform has no idempotency key: a POST that timed out may have committed, and its transaction
may still run until the quota rule ends it (ServiceNow docs: default transaction quota rules, 60 s).
So what is about to be written is committed here first; if the outcome is unknown, the record is
looked up by its correlation id, and written again only when it is surely not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from linkspan.connection import Connection
from linkspan.core import clock, query
from linkspan.core.errors import Ambiguous, BadReply, LinkspanError, Rejected
from linkspan.store import Database
from linkspan.store.database import insert_new
from linkspan.store.tables import intent

# What these say leaves open whether the write was committed; everything else says it was not.
_IN_DOUBT = (Ambiguous, BadReply)
# Built once: building a statement costs more than running it.
_CLOSE = (
    sa.update(intent)
    .where(intent.c.key == sa.bindparam("wanted"))
    .values(
        state="done",
        result=sa.bindparam("outcome", type_=intent.c.result.type),
        closed_at=sa.bindparam("now"),
    )
)
OnDone = Callable[[sa.Connection, str], None]


class Records:
    """Creates and notes on one instance.

    ``transaction_seconds`` is the longest a request may still be running there after we lost it.
    """

    def __init__(
        self, database: Database, connection: Connection, *, instance: str, transaction_seconds: float = 60
    ) -> None:
        self._database = database
        self._connection = connection
        self._instance = instance
        self._transaction_seconds = transaction_seconds

    def create(
        self, table: str, values: Mapping[str, str], *, correlation_id: str, fields: Sequence[str]
    ) -> dict[str, str]:
        """The record with this correlation id, created unless it exists. Returns ``fields`` of it.

        Raises Ambiguous while the outcome of an earlier try is open; try again later.
        """
        key = self._create_key(table, correlation_id)
        opened_at = self._open(
            key, table=table, kind="create", target=correlation_id, content=_digest(values)
        )
        if opened_at is None:
            found = self.find(table, correlation_id, fields=fields)
            if found is not None:
                self._close(key, found["sys_id"])
                return found
            opened_at = self._take_over(key, f"{table} {correlation_id}")
        sent = {**values, "correlation_id": correlation_id}
        record = self._send(
            key, lambda: self._connection.table.create(table, sent, fields=tuple(fields)), opened_at
        )
        self._close(key, record["sys_id"])
        return record

    def attempted(self, table: str, correlation_id: str) -> bool:
        """Whether a create with this correlation id is on record here, whatever became of it."""
        with self._database.read() as connection:
            found = sa.select(intent.c.key).where(intent.c.key == self._create_key(table, correlation_id))
            return connection.execute(found).first() is not None

    def find(self, table: str, correlation_id: str, *, fields: Sequence[str]) -> dict[str, str] | None:
        """The oldest record with this correlation id.

        Every row is compared again: an instance that ignores the condition would answer with others.
        """
        terms = query.all_of(
            query.term("correlation_id", "=", correlation_id), query.order_by("sys_created_on", "sys_id")
        )
        wanted = tuple(dict.fromkeys((*fields, "correlation_id")))
        rows = self._connection.table.page(table, query=terms, fields=wanted, limit=10).rows
        return next((row for row in rows if row.get("correlation_id") == correlation_id), None)

    def add_note(
        self,
        table: str,
        sys_id: str,
        text: str,
        *,
        key: str,
        written_by_us: Callable[[], int],
        remembered: int,
        version: int,
        on_done: OnDone,
        fields: Sequence[str],
    ) -> dict[str, str] | None:
        """Append a work note once. Returns the record after the write, None when it was there already.

        ``written_by_us`` counts the notes with this text that we wrote on the record (asked only in
        doubt), ``remembered`` how many of them are accounted for. ``version`` is the last known
        sys_mod_count. ``on_done`` runs in the transaction that closes the intent. Raises Rejected (code
        write_ignored) when the instance took the request and wrote nothing: it drops what an access
        control closes.
        """
        key = f"note/{self._instance}/{sys_id}/{key}"
        opened_at = self._open(key, table=table, kind="note", target=sys_id, content=_digest({"text": text}))
        if opened_at is None:
            if written_by_us() > remembered:
                self._close(key, sys_id, on_done)
                return None
            opened_at = self._take_over(key, f"a note on {table} {sys_id}")

        def write() -> dict[str, Any]:
            note = {"work_notes": text}
            record = self._connection.table.update(table, sys_id, note, fields=(*fields, "sys_mod_count"))
            if int(record["sys_mod_count"]) <= version and written_by_us() <= remembered:
                raise Rejected(
                    "the work note was accepted and not written",
                    code="write_ignored",
                    fix=f"check the write access controls and business rules on {table}.work_notes",
                    where=self._instance,
                )
            return record

        record = self._send(key, write, opened_at)
        self._close(key, sys_id, on_done)
        return record

    # --- intents

    def _create_key(self, table: str, correlation_id: str) -> str:
        return f"create/{self._instance}/{table}/{correlation_id}"

    def _open(self, key: str, **values: str) -> float | None:
        """Commit the intent and return its time; None when an earlier try is on record."""
        now = clock.now()
        row = {"key": key, "instance": self._instance, "state": "open", "opened_at": now}
        row |= {"table_name": values.pop("table"), **values}
        with self._database.begin() as connection:
            return now if insert_new(connection, intent, row) else None

    def _close(self, key: str, result: str, on_done: OnDone | None = None) -> None:
        with self._database.begin() as connection:
            connection.execute(_CLOSE, {"wanted": key, "outcome": result, "now": clock.now()})
            if on_done is not None:
                on_done(connection, result)

    def _send(self, key: str, write: Callable[[], dict[str, Any]], opened_at: float) -> dict[str, Any]:
        """Send; an answer that says "no" takes the intent back, unless it is another's by now."""
        try:
            return write()
        except _IN_DOUBT:
            raise
        except LinkspanError:
            with self._database.begin() as connection:
                connection.execute(sa.delete(intent).where(self._is_from(key, opened_at)))
            raise

    def _take_over(self, key: str, what: str) -> float:
        """The right to write again, as the new time of the intent: of several that ask, one gets it.

        Raises Ambiguous while the outcome of the earlier try is open, and for all but that one.
        """
        now = clock.now()
        with self._database.begin() as connection:
            opened_at = connection.execute(
                sa.select(intent.c.opened_at).where(intent.c.key == key).with_for_update()
            ).scalar_one_or_none()
            left = (
                self._transaction_seconds
                if opened_at is None
                else opened_at + self._transaction_seconds - now
            )
            if left <= 0:
                restarted = {"opened_at": now, "state": "open"}
                connection.execute(sa.update(intent).where(intent.c.key == key).values(restarted))
                return now
        raise Ambiguous(
            f"it is not known yet whether {what} was written; asking again in {left:.0f} s",
            fix="nothing to do: it is looked up before it is written again",
            where=self._instance,
        )

    @staticmethod
    def _is_from(key: str, opened_at: float) -> sa.ColumnElement[bool]:
        return sa.and_(intent.c.key == key, intent.c.opened_at == opened_at)


def _digest(values: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()
