"""Pairs: this record here is that incident there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.database import columns, insert_new
from linkspan.store.tables import conflict, inbox, link, note


@dataclass(frozen=True, kw_only=True)
class Link:
    """One pair; ``sys_id`` or ``peer_id`` is None until that side exists.

    ``base`` holds what both sides last agreed on: ``peer``, ``record``, and the versions that were our
    own writes (``own_mods``, ``own_versions``). ``mod_count`` is the sys_mod_count up to which the
    record's notes are accounted for, ``peer_version`` the far side's version up to which everything is.
    ``parent_id`` is the link of what this belongs to.
    """

    id: int
    sync: str
    instance: str
    table_name: str
    sys_id: str | None
    number: str
    peer_id: str | None
    peer_reference: str
    base: Mapping[str, Any] | None
    mod_count: int
    peer_version: int
    attempts: int
    not_before: float
    parent_id: int | None = None
    problem: Mapping[str, Any] | None = None
    synced_at: float | None = None
    created_at: float = 0.0
    born: str = field(default="")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A link as pages show it: how many events wait, and the lag of the last applied one in seconds."""

    link: Link
    pending: int
    lag: float | None


_COLUMNS = columns(link, Link, but=("born",))  # whose birth it was is in the base

# Built once: building a statement costs more than running it.
_BY_ID = sa.select(*_COLUMNS).where(link.c.id == sa.bindparam("wanted"))
_BY_RECORD = sa.select(*_COLUMNS).where(
    link.c.sync == sa.bindparam("sync"), link.c.sys_id == sa.bindparam("wanted")
)
_BY_PEER = sa.select(*_COLUMNS).where(
    link.c.sync == sa.bindparam("sync"), link.c.peer_id == sa.bindparam("wanted")
)
_NOTES = sa.select(note.c.key, note.c.sent).where(
    note.c.link_id == sa.bindparam("link"), note.c.side == sa.bindparam("side")
)
_RELEASE = (
    sa.update(link)
    .where(link.c.parent_id == sa.bindparam("parent"), link.c.not_before > 0)
    .values(not_before=0)
)
_COUNT = (
    sa.select(sa.func.count())
    .select_from(link)
    .where(link.c.sync == sa.bindparam("sync"), link.c.sys_id.is_not(None), link.c.peer_id.is_not(None))
)
_COUNT_CONFLICTS = (
    sa.select(sa.func.count())
    .select_from(conflict.join(link, link.c.id == conflict.c.link_id))
    .where(link.c.sync == sa.bindparam("sync"))
)
_PENDING = (
    sa.select(sa.func.count())
    .where(inbox.c.link_id == link.c.id, inbox.c.fate.is_(None))
    .correlate(link)
    .scalar_subquery()
)
_LAST_APPLIED = (
    sa.select(sa.func.max(inbox.c.seq))
    .where(inbox.c.link_id == link.c.id, inbox.c.fate == "applied")
    .correlate(link)
    .scalar_subquery()
)
_LAG = (
    sa.select(inbox.c.fated_at - inbox.c.received_at)
    .where(inbox.c.seq == _LAST_APPLIED)
    .correlate(link)
    .scalar_subquery()
)
_SHOWN = sa.select(*_COLUMNS, _PENDING.label("pending"), _LAG.label("lag"))
_UPDATE = sa.update(link).where(link.c.id == sa.bindparam("wanted"))


def get(connection: sa.Connection, link_id: int) -> Link:
    """The link with this id. Raises sqlalchemy.exc.NoResultFound."""
    return _link(connection.execute(_BY_ID, {"wanted": link_id}).one())


def by_record(connection: sa.Connection, sync: str, sys_id: str) -> Link | None:
    """The link of a record."""
    row = connection.execute(_BY_RECORD, {"sync": sync, "wanted": sys_id}).one_or_none()
    return None if row is None else _link(row)


def by_peer(connection: sa.Connection, sync: str, peer_id: str) -> Link | None:
    """The link of an incident on the far side."""
    row = connection.execute(_BY_PEER, {"sync": sync, "wanted": peer_id}).one_or_none()
    return None if row is None else _link(row)


def _link(row: Any) -> Link:
    return _link_of(row._mapping)


def _link_of(values: Mapping[str, Any]) -> Link:
    born = (values["base"] or {}).get("born", "")
    return Link(**values, born=born)


def open_link(
    connection: sa.Connection,
    *,
    sync: str,
    instance: str,
    table_name: str,
    born: str,
    sys_id: str | None = None,
    peer_id: str | None = None,
    parent_id: int | None = None,
) -> Link:
    """A new link with one side known; the existing one when that side is linked already."""
    row = {
        "sync": sync,
        "instance": instance,
        "table_name": table_name,
        "sys_id": sys_id,
        "peer_id": peer_id,
        "parent_id": parent_id,
        "created_at": clock.now(),
        "base": {"born": born},
    }
    insert_new(connection, link, row)
    found = by_record(connection, sync, sys_id) if sys_id else by_peer(connection, sync, peer_id or "")
    assert found is not None
    return found


def change(connection: sa.Connection, link_id: int, **values: Any) -> None:
    """Set columns of a link."""
    connection.execute(_UPDATE, {"wanted": link_id, **values})


def release_children(connection: sa.Connection, link_id: int) -> None:
    """What waited for this link need not wait any longer."""
    connection.execute(_RELEASE, {"parent": link_id})


def count(connection: sa.Connection, sync: str) -> int:
    """How many pairs have both sides."""
    return int(connection.execute(_COUNT, {"sync": sync}).scalar_one())


# --- as they are shown


def count_of(connection: sa.Connection, syncs: Sequence[str]) -> int:
    """How many links these syncs have, or all syncs when none is named."""
    query = sa.select(sa.func.count()).select_from(link).where(*_of(syncs))
    return int(connection.execute(query).scalar_one())


def page(connection: sa.Connection, syncs: Sequence[str], *, limit: int, offset: int) -> list[Shown]:
    """Links of these syncs, or of all when none is named, newest first: an order that edits do not stir."""
    query = _SHOWN.where(*_of(syncs)).order_by(link.c.id.desc()).limit(limit).offset(offset)
    return [_shown(row) for row in connection.execute(query)]


def of_peers(connection: sa.Connection, syncs: Sequence[str], peer_ids: Sequence[str]) -> list[Shown]:
    """Links that these syncs have for these incidents or follow-ups of the far side."""
    query = _SHOWN.where(link.c.peer_id.in_(peer_ids), link.c.sync.in_(syncs))
    return [_shown(row) for row in connection.execute(query)]


def _shown(row: Any) -> Shown:
    values = dict(row._mapping)
    pending, lag = values.pop("pending"), values.pop("lag")
    return Shown(link=_link_of(values), pending=pending, lag=lag)


def _of(syncs: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    return [link.c.sync.in_(syncs)] if syncs else []


# --- notes


def notes(connection: sa.Connection, link_id: int, side: str) -> dict[str, str]:
    """Notes of ``side`` that are on the other side too: key → sha256 of the text as written there."""
    return {row.key: row.sent for row in connection.execute(_NOTES, {"link": link_id, "side": side})}


def remember_note(
    connection: sa.Connection, link_id: int, *, side: str, key: str, sent: str, counterpart: str = ""
) -> None:
    """This note is on both sides now."""
    row = {
        "link_id": link_id,
        "side": side,
        "key": key,
        "sent": sent,
        "counterpart": counterpart,
        "at": clock.now(),
    }
    insert_new(connection, note, row)


# --- conflicts


def record_conflict(connection: sa.Connection, link_id: int, values: Mapping[str, Any]) -> None:
    """Keep both values of a conflict."""
    connection.execute(conflict.insert().values(link_id=link_id, at=clock.now(), **values))


def conflicts(connection: sa.Connection, sync: str, *, limit: int = 100) -> list[dict[str, Any]]:
    """Conflicts of a sync, newest first."""
    query = (
        sa.select(conflict, link.c.number, link.c.peer_reference)
        .join(link, link.c.id == conflict.c.link_id)
        .where(link.c.sync == sync)
        .order_by(conflict.c.id.desc())
        .limit(limit)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def count_conflicts(connection: sa.Connection, sync: str) -> int:
    """How many conflicts were kept."""
    return int(connection.execute(_COUNT_CONFLICTS, {"sync": sync}).scalar_one())
