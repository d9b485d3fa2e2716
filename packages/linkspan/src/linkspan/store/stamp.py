"""One value for everything that pages show."""

from __future__ import annotations

import sqlalchemy as sa

from linkspan.store.tables import desk_event, desk_follow_up_event, inbox, ledger, link, report, sighting

_PARTS = (
    sa.select(sa.func.max(inbox.c.seq)),
    sa.select(sa.func.count()).select_from(inbox).where(inbox.c.fate.is_(None)),
    sa.select(sa.func.max(inbox.c.fated_at)).where(inbox.c.fate.is_not(None)),
    sa.select(sa.func.max(link.c.synced_at)),
    sa.select(sa.func.max(desk_event.c.seq)),
    sa.select(sa.func.max(desk_follow_up_event.c.seq)),
    sa.select(sa.func.max(report.c.at)),
    sa.select(sa.func.max(ledger.c.seq)),
    sa.select(sa.func.max(sighting.c.seq)),
    sa.select(sa.func.max(sighting.c.fated_at)),
)
_STAMP = sa.select(*(part.scalar_subquery() for part in _PARTS))


def stamp(connection: sa.Connection) -> tuple[object, ...]:
    """A value that differs as soon as something a page shows has changed. Cheap."""
    return tuple(connection.execute(_STAMP).one())
