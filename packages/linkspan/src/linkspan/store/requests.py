"""Requests for accounts and what became of them. The decision itself is kept on the instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import Database
from linkspan.store.tables import request

State = Literal["requested", "approved", "rejected", "expired", "fulfilled"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request.

    ``records`` names the platform's records: table → {sys_id, number}. Times are epoch seconds.
    """

    id: int
    account: str
    action: str
    requester: str
    manager: str
    reason: str
    instance: str
    records: Mapping[str, Mapping[str, str]]
    state: State
    decided_by: str | None
    opened_at: float
    expires_at: float
    decided_at: float | None
    fulfilled_at: float | None


class Requests:
    """All requests of this home."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(
        self,
        *,
        account: str,
        action: str,
        requester: str,
        manager: str,
        reason: str,
        instance: str,
        expires_at: float,
        records: Mapping[str, Mapping[str, str]] | None = None,
    ) -> int:
        """A new request in state ``requested``; its id."""
        row = {
            "account": account,
            "action": action,
            "requester": requester,
            "manager": manager,
            "reason": reason,
            "instance": instance,
            "records": {table: dict(named) for table, named in (records or {}).items()},
            "state": "requested",
            "opened_at": clock.now(),
            "expires_at": expires_at,
        }
        with self._database.begin() as connection:
            key = connection.execute(request.insert(), row).inserted_primary_key
            assert key is not None
            return int(key[0])

    def get(self, request_id: int) -> Request | None:
        """The request with this id."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(request).where(request.c.id == request_id)).one_or_none()
        return None if row is None else Request(**row._mapping)

    def list(self, *, state: State | None = None, limit: int = 500) -> list[Request]:
        """Requests, newest first, of one state or all."""
        query = sa.select(request).order_by(request.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(request.c.state == state)
        with self._database.read() as connection:
            return [Request(**row._mapping) for row in connection.execute(query)]

    def name_records(self, request_id: int, records: Mapping[str, Mapping[str, str]]) -> None:
        """Remember the platform's records of a request."""
        self._change(request_id, records={table: dict(named) for table, named in records.items()})

    def decide(self, request_id: int, state: State, *, by: str | None, at: float) -> None:
        """The decision that was read from the instance, or the expiry."""
        self._change(request_id, state=state, decided_by=by, decided_at=at)

    def fulfil(self, request_id: int) -> None:
        """What was asked for is done."""
        self._change(request_id, state="fulfilled", fulfilled_at=clock.now())

    def _change(self, request_id: int, **values: Any) -> None:
        with self._database.begin() as connection:
            connection.execute(sa.update(request).where(request.c.id == request_id).values(values))
