"""Which satellite reads for a tenant: one at a time, for as long as it shows itself.

An ``era`` lasts until another holder gets the lease: who comes back in the same era may go on with what it
had read meanwhile, who comes back in a later one may not.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from secrets import token_hex

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import upsert
from linkspan.store.tables import report

LEASE_SECONDS = 60.0
KIND = "satellite_lease"
SEEN = "satellite"
FORGOTTEN_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Who has it, since which change of hands, and until when (epoch seconds) without a word."""

    holder: str
    era: str
    until: float


def claim(connection: sa.Connection, tenant: str, holder: str) -> Lease:
    """Take or renew the lease; the answer names whoever has it now. In a writing transaction."""
    now, before = clock.now(), lease_of(connection, tenant)
    if before is not None and before.holder != holder and before.until > now:
        return before
    same = before is not None and before.holder == holder
    era = before.era if before is not None and same else token_hex(8)
    lease = Lease(holder=holder, era=era, until=now + LEASE_SECONDS)
    _save(connection, tenant, lease)
    return lease


def release(connection: sa.Connection, tenant: str, holder: str) -> None:
    """Let others have the lease at once. In a writing transaction."""
    before = lease_of(connection, tenant)
    if before is not None and before.holder == holder:
        _save(connection, tenant, Lease(holder=holder, era=before.era, until=0.0))


def lease_of(connection: sa.Connection, tenant: str) -> Lease | None:
    """The lease as it was last given, None when it never was."""
    query = sa.select(report.c.document).where(report.c.kind == KIND, report.c.name == tenant)
    document = connection.execute(query).scalar_one_or_none()
    return Lease(**document) if document is not None else None


def forget_old(connection: sa.Connection) -> None:
    """Drop what satellites said that have not been heard of for a week."""
    old = clock.now() - FORGOTTEN_SECONDS
    connection.execute(sa.delete(report).where(report.c.kind == SEEN, report.c.at < old))


def _save(connection: sa.Connection, tenant: str, lease: Lease) -> None:
    row = {"kind": KIND, "name": tenant, "document": asdict(lease), "at": clock.now()}
    upsert(connection, report, row, keys=("kind", "name"))
