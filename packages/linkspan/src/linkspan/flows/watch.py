"""Looking at syncs from outside the hub: their state, and waiting until they are quiet."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from linkspan.config.values import Config, SyncConfig
from linkspan.core import clock
from linkspan.core.errors import ConfigError
from linkspan.flows.wiring import Wiring
from linkspan.store import Database, links
from linkspan.sync.binding import follow_ups_of
from linkspan.sync.status import status

LOOK_SECONDS = 0.25

Document = dict[str, Any]


def syncs_status(wiring: Wiring, name: str | None = None) -> Document:
    """``{"syncs": {NAME: …}}`` of one sync or all. Raises ConfigError for an unknown name."""
    return {
        "syncs": {
            sync.name: {
                **state(wiring.database, sync),
                "budget": budget(wiring.config, sync),
            }
            for sync in wiring.config.syncs.values()
            if sync.name in _names(wiring, name)
        }
    }


def state(database: Database, sync: SyncConfig) -> Document:
    """How a sync is doing, its follow-ups included."""
    return status(database, sync.name, poll_seconds=sync.poll_seconds, follow_ups=bool(sync.follow_ups))


def budget(config: Config, sync: SyncConfig) -> Document:
    """What linkspan allows itself on the instance of a sync: ``{requests_per_minute}``, None for no limit."""
    return {"requests_per_minute": config.instances[sync.instance].requests_per_minute or None}


def wait_quiet(
    wiring: Wiring, name: str | None, *, timeout: float, tell: Callable[[Document], None]
) -> tuple[bool, Document]:
    """Wait until both sides of every sync were polled after now and nothing is pending."""
    begun, until = clock.now(), time.monotonic() + timeout
    while True:
        found = syncs_status(wiring, name)
        if all(_quiet_since(sync, begun) for sync in found["syncs"].values()):
            return True, found
        if time.monotonic() >= until:
            return False, found
        tell(found)
        time.sleep(LOOK_SECONDS)


def kept_conflicts(wiring: Wiring, name: str | None, *, limit: int) -> list[Document]:
    """Conflicts of one sync or all, newest first, each with both values and the rule that decided."""
    with wiring.database.read() as connection:
        return [
            {"sync": sync, "kind": kind, **row}
            for sync in _names(wiring, name)
            for kind, line in (("incident", sync), ("follow-up", follow_ups_of(sync)))
            for row in links.conflicts(connection, line, limit=limit)
        ]


def _names(wiring: Wiring, name: str | None) -> list[str]:
    known = list(wiring.config.syncs)
    if name is None:
        return known
    if name not in known:
        fix = f"use one of: {', '.join(known)}" if known else "add one under sync:"
        raise ConfigError(f"there is no sync {name}", fix=fix, where=wiring.config.path.name)
    return [name]


def _quiet_since(sync: Document, moment: float) -> bool:
    return bool(sync["quiet"]) and all(at is not None and at > moment for at in sync["polled"].values())
