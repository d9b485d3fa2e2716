"""What far sides told us of: kind and id, nothing else. The far side is asked for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.tables import hook

Kind = Literal["incident", "follow_up"]
KEPT_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class Hook:
    """ "Something happened to this one"."""

    seq: int
    subject: str


def add(connection: sa.Connection, *, sync: str, kind: Kind, subject: str) -> None:
    """Keep a hint, and forget those that polling has long made up for."""
    now = clock.now()
    connection.execute(sa.delete(hook).where(hook.c.sync == sync, hook.c.at < now - KEPT_SECONDS))
    connection.execute(hook.insert().values(sync=sync, kind=kind, subject=subject, at=now))


def after(connection: sa.Connection, *, sync: str, kind: Kind, seq: int, limit: int = 500) -> list[Hook]:
    """Hints after ``seq``, oldest first."""
    query = (
        sa.select(hook.c.seq, hook.c.subject)
        .where(hook.c.sync == sync, hook.c.kind == kind, hook.c.seq > seq)
        .order_by(hook.c.seq)
        .limit(limit)
    )
    return [Hook(seq=row.seq, subject=row.subject) for row in connection.execute(query)]
