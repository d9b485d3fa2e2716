"""The audit of what linkspan did: appended, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import Database
from linkspan.store.tables import ledger


class Ledger:
    """Who did what to what, and when."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """Add an entry; ``detail`` holds plain values and never a secret."""
        row = {
            "at": clock.now(),
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": dict(detail),
        }
        with self._database.begin() as connection:
            connection.execute(ledger.insert().values(row))

    def entries(self, *, after: int = 0, limit: int = 500) -> list[dict[str, Any]]:
        """Entries after a sequence number, oldest first."""
        query = sa.select(ledger).where(ledger.c.seq > after).order_by(ledger.c.seq).limit(limit)
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]
