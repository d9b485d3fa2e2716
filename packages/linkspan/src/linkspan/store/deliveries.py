"""What was delivered to the hub, so that the same message counts once."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import insert_new
from linkspan.store.tables import delivery

KEPT_SECONDS = 3 * 86_400.0  # senders repeat for about a day


def take(connection: sa.Connection, *, endpoint: str, message_id: str, body: bytes) -> bool:
    """True when this message is new at this endpoint. In the transaction that keeps what it says.

    Of the body only a digest is kept. Old deliveries are forgotten on the way.
    """
    now = clock.now()
    connection.execute(sa.delete(delivery).where(delivery.c.at < now - KEPT_SECONDS))
    row = {
        "endpoint": endpoint,
        "message_id": message_id,
        "sha256": hashlib.sha256(body).hexdigest(),
        "at": now,
    }
    return insert_new(connection, delivery, row)


def known(connection: sa.Connection, *, endpoint: str, message_id: str) -> str | None:
    """The digest of the body that was taken under this id, None when none was."""
    query = sa.select(delivery.c.sha256).where(
        delivery.c.endpoint == endpoint, delivery.c.message_id == message_id
    )
    return connection.execute(query).scalar_one_or_none()
