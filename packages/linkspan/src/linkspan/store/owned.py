"""Which records on which instance are ours."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import Database, upsert
from linkspan.store.tables import owned


@dataclass(frozen=True, kw_only=True)
class Owned:
    """One record we created or adopted. ``key`` is its natural key within ``kind``."""

    instance: str
    account: str
    kind: str
    key: str
    sys_id: str
    fingerprint: str = ""


class OwnedRecords:
    """The list of our records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mark(
        self, instance: str, account: str, kind: str, key: str, sys_id: str, fingerprint: str = ""
    ) -> None:
        """Remember that this record is ours."""
        row = {
            "instance": instance,
            "account": account,
            "kind": kind,
            "key": key,
            "sys_id": sys_id,
            "fingerprint": fingerprint,
            "at": clock.now(),
        }
        with self._database.begin() as connection:
            upsert(connection, owned, row, keys=("instance", "kind", "key"))

    def find(self, instance: str, account: str | None = None) -> list[Owned]:
        """Our records on an instance, of one account or of all."""
        query = sa.select(owned).where(owned.c.instance == instance).order_by(owned.c.kind, owned.c.key)
        if account is not None:
            query = query.where(owned.c.account == account)
        with self._database.read() as connection:
            return [
                Owned(
                    instance=row.instance,
                    account=row.account,
                    kind=row.kind,
                    key=row.key,
                    sys_id=row.sys_id,
                    fingerprint=row.fingerprint,
                )
                for row in connection.execute(query)
            ]

    def forget(self, instance: str, kind: str, key: str) -> None:
        """The record is gone or given back."""
        match = (owned.c.instance == instance) & (owned.c.kind == kind) & (owned.c.key == key)
        with self._database.begin() as connection:
            connection.execute(sa.delete(owned).where(match))
