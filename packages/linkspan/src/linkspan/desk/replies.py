"""What makes an edit repeatable: the key of a write that was done, and what it was done to."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select

from linkspan.core import clock
from linkspan.core.errors import Rejected
from linkspan.desk.values import PEER_LIMITS, PERSON_LIMITS, checked_text
from linkspan.store.tables import desk_reply

# Built once: building a statement costs more than running it.
_DONE = select(desk_reply.c.incident_id).where(desk_reply.c.key == bindparam("wanted"))


def checked_key(key: str, *, by_person: bool) -> str:
    """A key of acceptable length. Raises Rejected."""
    return checked_text("key", key, (PERSON_LIMITS if by_person else PEER_LIMITS)["key"])


def already_done(transaction: Connection, key: str, subject: str, *, otherwise: str) -> bool:
    """Whether the edit with ``key`` was done to ``subject`` (an id). Raises Rejected when it was done to
    something else, which ``otherwise`` names.
    """
    owner = transaction.execute(_DONE, {"wanted": key}).scalar()
    if owner is not None and owner != subject:
        raise key_reused(otherwise)
    return owner is not None


def remember(transaction: Connection, key: str, subject: str) -> None:
    """The edit with ``key`` is done; nothing to remember without one."""
    if key:
        transaction.execute(insert(desk_reply).values(key=key, incident_id=subject, at=clock.now()))


def key_reused(otherwise: str) -> Rejected:
    """The refusal of a key that stands for another write."""
    return Rejected(
        f"This key was already used for {otherwise}.",
        fix="Give every write a key of its own.",
        where="desk",
        code="key_reused",
    )
