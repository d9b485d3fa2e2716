"""Puts a sync together: the account's connection, the far side, the instance's own facts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from linkspan.config.home import private
from linkspan.config.values import SyncConfig
from linkspan.core.errors import ConfigError
from linkspan.core.peer import Peer
from linkspan.feed.journal import Author, NoteReader
from linkspan.mapping.incident import STOCK_MATRIX, IncidentMapping
from linkspan.records import Records
from linkspan.schema.priority import matrix
from linkspan.sync.binding import Binding
from linkspan.sync.runner import Line, Runner

if TYPE_CHECKING:
    from linkspan.desk import Desk
    from linkspan.flows.wiring import Wiring


def open_runner(wiring: Wiring, desk: Desk, url: str) -> Runner:
    """A runner for every sync of the configuration. Nothing is sent before it starts."""
    private(wiring.home / "engine.db")
    lines = [
        Line(name=sync.name, poll_seconds=sync.poll_seconds, bind=partial(bind, wiring, sync, desk, url))
        for sync in wiring.config.syncs.values()
    ]
    return Runner(wiring.home, wiring.database, lines)


def bind(wiring: Wiring, sync: SyncConfig, desk: Desk, url: str) -> Binding:
    """Sign in and read what the mapping needs. Raises the errors of ``core.errors``."""
    peer, title = _peer(sync, desk, url)
    instance = wiring.instance(sync.instance)
    connection = wiring.connection(sync.account, sync.instance)
    try:
        me, own_matrix = connection.whoami(), matrix(connection)
    except Exception:
        connection.close()  # binding is tried again until it succeeds
        raise
    author = Author(user_name=me["user_name"], name=me["name"])
    return Binding(
        name=sync.name,
        instance=sync.instance,
        peer=peer,
        peer_title=title,
        connection=connection,
        records=Records(
            wiring.database,
            connection,
            instance=sync.instance,
            transaction_seconds=instance.transaction_seconds,
        ),
        notes=NoteReader(connection, author),
        database=wiring.database,
        account=me["sys_id"],
        mapping=IncidentMapping(matrix=own_matrix or STOCK_MATRIX),
        condition=sync.filter,
        poll_seconds=sync.poll_seconds,
    )


def _peer(sync: SyncConfig, desk: Desk, url: str) -> tuple[Peer, str]:
    makers: dict[str, Callable[[], tuple[Peer, str]]] = {"desk": lambda: _desk_peer(desk, url)}
    if sync.peer not in makers:
        raise ConfigError(
            f"the far side {sync.peer} is not built yet", fix="use peer: desk", where=str(sync.where)
        )
    return makers[sync.peer]()


def _desk_peer(desk: Desk, url: str) -> tuple[Peer, str]:
    from linkspan.desk.peer import DeskPeer

    return DeskPeer(desk, url=url), "the desk"
