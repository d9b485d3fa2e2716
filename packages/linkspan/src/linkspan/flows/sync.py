"""Puts a sync together: the account's connection, the far side, the instance's own facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from linkspan.config.home import private
from linkspan.config.values import SyncConfig
from linkspan.core.errors import ConfigError
from linkspan.core.peer import Peer
from linkspan.feed.journal import Author, NoteReader
from linkspan.mapping.follow_up import FollowUpMapping
from linkspan.mapping.incident import LEVELS, STOCK_MATRIX, IncidentMapping
from linkspan.schema.people import People
from linkspan.schema.priority import matrix
from linkspan.sync.binding import Binding, follow_ups_of, key_prefix
from linkspan.sync.runner import Runner, Sync

if TYPE_CHECKING:
    from linkspan.desk import Desk
    from linkspan.flows.wiring import Wiring


@dataclass(frozen=True, kw_only=True)
class FarSide:
    """What a far side gives a sync. ``follow_ups`` is None when it has none; ``title`` is for people.

    ``levels`` are the severities it tells apart, gravest first; ``poll_seconds`` is how often it is asked.
    """

    title: str
    incidents: Peer
    follow_ups: Peer | None = None
    levels: tuple[str, ...] = LEVELS
    poll_seconds: float = 1


def open_runner(wiring: Wiring, desk: Desk, url: str) -> Runner:
    """A runner for every sync of the configuration. Nothing is sent before it starts."""
    private(wiring.home / "engine.db")
    syncs = [
        Sync(name=sync.name, poll_seconds=sync.poll_seconds, bind=partial(bind, wiring, sync, desk, url))
        for sync in wiring.config.syncs.values()
    ]
    return Runner(wiring.home, wiring.database, syncs)


def bind(wiring: Wiring, sync: SyncConfig, desk: Desk, url: str) -> tuple[Binding, ...]:
    """Sign in and read what the mappings need: the line of incidents and, if wished, of follow-ups.

    Both share one connection. Raises the errors of ``core.errors``.
    """
    far = _far_side(wiring, sync, desk, url)
    connection = wiring.connection(sync.account, sync.instance)
    try:
        me, own_matrix = connection.whoami(), matrix(connection)
    except Exception:
        connection.close()  # binding is tried again until it succeeds
        raise
    author = Author(user_name=me["user_name"], name=me["name"])
    incidents = Binding(
        name=sync.name,
        instance=sync.instance,
        peer=far.incidents,
        peer_title=far.title,
        connection=connection,
        records=wiring.records(connection, sync.instance),
        notes=NoteReader(connection, author),
        database=wiring.database,
        account=me["sys_id"],
        mapping=IncidentMapping(matrix=own_matrix or STOCK_MATRIX, levels=far.levels),
        condition=sync.filter,
        poll_seconds=sync.poll_seconds,
        peer_poll_seconds=far.poll_seconds,
    )
    if not sync.follow_ups:
        return (incidents,)
    if far.follow_ups is None:
        raise ConfigError(
            f"{far.title} has no follow-ups", fix="leave follow_ups out of this sync", where=sync.where
        )
    return (incidents, follow_ups(incidents, far.follow_ups, table=sync.follow_ups))


def follow_ups(incidents: Binding, peer: Peer, *, table: str) -> Binding:
    """The line of follow-ups beside a line of incidents."""
    return replace(
        incidents,
        name=follow_ups_of(incidents.name),
        peer=peer,
        mapping=FollowUpMapping(people=People(incidents.connection)),
        table=table,
        exact=True,
        parents=incidents.name,
        condition="",
    )


def _far_side(wiring: Wiring, sync: SyncConfig, desk: Desk, url: str) -> FarSide:
    makers: dict[str, Callable[[], FarSide]] = {
        "desk": lambda: _desk(desk, url),
        "incident_io": lambda: _incident_io(wiring, sync),
    }
    if sync.peer not in makers:
        raise ConfigError(
            f"the far side {sync.peer} is not built yet", fix="use peer: desk", where=str(sync.where)
        )
    return makers[sync.peer]()


def _desk(desk: Desk, url: str) -> FarSide:
    from linkspan.desk import DeskFollowUpPeer, DeskPeer

    return FarSide(
        title="the desk",
        incidents=DeskPeer(desk, url=url),
        follow_ups=DeskFollowUpPeer(desk, url=url),
    )


def _incident_io(wiring: Wiring, sync: SyncConfig) -> FarSide:
    from linkspan.sync.peers.incident_io import FollowUpsPeer, IncidentsPeer

    line, database, name = wiring.incident_io(sync), wiring.database, sync.name
    below = follow_ups_of(name)
    incidents = IncidentsPeer(
        line, database, name=name, prefix=key_prefix(name), include_private=sync.include_private
    )
    return FarSide(
        title="incident.io",
        incidents=incidents,
        follow_ups=FollowUpsPeer(
            line,
            database,
            sync=name,
            name=below,
            prefix=key_prefix(below),
            include_private=sync.include_private,
        ),
        levels=incidents.levels(),
        poll_seconds=sync.poll_seconds,
    )
