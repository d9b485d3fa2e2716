"""Creations for which the far side takes no idempotency key: a second try waits until the first is over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.core.errors import Ambiguous, BadReply, LinkspanError
from linkspan.store import Database
from linkspan.store.database import upsert
from linkspan.store.tables import intent
from linkspan.sync.peers.incident_io.line import WHERE

LATE_SECONDS = 60.0  # a request that we gave up on may still be served; twice as long as we wait for one


class Doubts:
    """Which creations may have happened although nobody said so. Kept in the store: a crash is a doubt."""

    def __init__(self, database: Database, *, kind: str) -> None:
        self._database = database
        self._kind = kind

    @contextmanager
    def once(self, key: str) -> Iterator[None]:
        """Around the one request that creates ``key``. Raises Ambiguous while an earlier one may go on."""
        self._wait(key)
        row = {
            "key": _row_key(key),
            "instance": WHERE,
            "table_name": self._kind,
            "kind": "create",
            "target": key,
            "content": hashlib.sha256(key.encode()).hexdigest(),
            "state": "open",
            "opened_at": clock.now(),
        }
        with self._database.begin() as connection:
            upsert(connection, intent, row, keys=("key",))
        try:
            yield
        except (Ambiguous, BadReply):
            raise
        except LinkspanError:
            self.over(key)
            raise
        self.over(key)

    def over(self, key: str) -> None:
        """It is known what became of ``key``."""
        with self._database.begin() as connection:
            connection.execute(sa.delete(intent).where(intent.c.key == _row_key(key)))

    def _wait(self, key: str) -> None:
        with self._database.read() as connection:
            opened_at = connection.execute(
                sa.select(intent.c.opened_at).where(intent.c.key == _row_key(key))
            ).scalar_one_or_none()
        left = 0.0 if opened_at is None else opened_at + LATE_SECONDS - clock.now()
        if left > 0:
            raise Ambiguous(
                f"it is not known yet whether it was created; asking again in {left:.0f} s",
                fix="nothing to do: it is looked up before it is created again",
                where=WHERE,
            )


def _row_key(key: str) -> str:
    return f"peer/{key}"
