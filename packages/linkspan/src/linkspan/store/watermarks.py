"""How far something has been read."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import upsert
from linkspan.store.tables import watermark

# Built once: building a statement costs more than running it.
_LOAD = sa.select(watermark.c.value).where(watermark.c.name == sa.bindparam("wanted"))


def load(connection: sa.Connection, name: str) -> Any:
    """The value last saved under this name, or None."""
    return connection.execute(_LOAD, {"wanted": name}).scalar_one_or_none()


def save(connection: sa.Connection, name: str, value: Any) -> None:
    """Save in the caller's transaction, together with what was read up to there."""
    upsert(connection, watermark, {"name": name, "value": value, "at": clock.now()}, keys=("name",))
