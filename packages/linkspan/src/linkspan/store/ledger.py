"""The audit of what linkspan did: appended, never changed, and chained so that a change shows.

Each entry carries the sha256 of itself together with the hash of the entry before it. Whoever edits
or removes an entry in the database breaks the chain from there on, unless they rewrite all that
follows; keep the newest hash elsewhere to notice that too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import Database
from linkspan.store.tables import ledger

_HEAD = sa.select(ledger.c.hash).order_by(ledger.c.seq.desc()).limit(1)
PAGE = 1000


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
            previous = connection.execute(_HEAD).scalar_one_or_none() or ""
            chained = {**row, "previous": previous, "hash": _hash(row, previous)}
            connection.execute(ledger.insert(), chained)

    def entries(self, *, after: int = 0, limit: int = 500) -> list[dict[str, Any]]:
        """Entries after a sequence number, oldest first."""
        query = sa.select(ledger).where(ledger.c.seq > after).order_by(ledger.c.seq).limit(limit)
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def latest(self, *, limit: int = 50) -> list[dict[str, Any]]:
        """The newest entries, newest first."""
        query = sa.select(ledger).order_by(ledger.c.seq.desc()).limit(limit)
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def head(self) -> str:
        """The newest hash, "" when nothing was written yet: a copy of it elsewhere seals all before it."""
        with self._database.read() as connection:
            return connection.execute(_HEAD).scalar_one_or_none() or ""

    def verify(self) -> int | None:
        """The first entry that is not as it was written, None when the whole chain holds."""
        previous, after = "", 0
        while page := self.entries(after=after, limit=PAGE):
            for entry in page:
                if entry["previous"] != previous or entry["hash"] != _hash(entry, previous):
                    return int(entry["seq"])
                previous = entry["hash"]
            after = page[-1]["seq"]
        return None


def _hash(entry: Mapping[str, Any], previous: str) -> str:
    said = [
        previous,
        repr(float(entry["at"])),
        entry["actor"],
        entry["action"],
        entry["subject"],
        entry["detail"],
    ]
    text = json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
