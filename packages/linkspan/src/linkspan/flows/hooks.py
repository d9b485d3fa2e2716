"""What a far side's webhook comes to: a hint in the store, and a look at the far side now."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from linkspan.core.secret import Secret
from linkspan.store import Database, deliveries, hooks
from linkspan.store.hooks import Kind

if TYPE_CHECKING:
    from linkspan.flows.hub import Hub
    from linkspan.flows.wiring import Wiring

_SUBJECT = re.compile(r"[!-~]{1,128}\Z")
# How incident.io names its events: public_incident.… and private_incident.…, a private one holds an id only.
_KINDS: tuple[tuple[str, Kind], ...] = (("follow_up_", "follow_up"), ("incident_", "incident"))
_SCOPES = ("public_incident", "private_incident")


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """The doors at which far sides call, one for each sync that has secrets. ``secrets`` are by sync."""

    database: Database
    secrets: Mapping[str, Callable[[], Sequence[Secret]]]
    nudge: Callable[[str], None]

    def take(self, sync: str, message_id: str, body: bytes) -> bool:
        """Keep what a verified delivery hints at and look at the far side; False for one taken before.

        An event of a kind that no sync works on is taken and leads to nothing.
        """
        hints = hints_of(body)
        with self.database.begin() as connection:
            new = deliveries.take(connection, endpoint=f"hooks/{sync}", message_id=message_id, body=body)
            if new:
                for kind, subject in hints:
                    hooks.add(connection, sync=sync, kind=kind, subject=subject)
        if new and hints:
            self.nudge(sync)
        return new


def open_hooks(wiring: Wiring, hub: Hub) -> Hooks:
    """The doors of a home. Secrets are resolved at each call: one can be exchanged while the hub runs."""

    def secrets_of(name: str) -> Callable[[], Sequence[Secret]]:
        sync = wiring.config.syncs[name]
        return lambda: [wiring.secret(one, where=sync.where) for one in sync.webhook_secrets]

    named = {name for name, sync in wiring.config.syncs.items() if sync.webhook_secrets}
    return Hooks(
        database=wiring.database, secrets={name: secrets_of(name) for name in named}, nudge=hub.nudge
    )


def hints_of(body: bytes) -> list[tuple[Kind, str]]:
    """Which incident or follow-up an event of incident.io is about; empty when about neither.

    A follow-up's event hints at nothing but the follow-up, its incident has events of its own.
    """
    try:
        event: Any = json.loads(body)
    except (ValueError, RecursionError):
        return []
    if not isinstance(event, dict):
        return []
    name = event.get("event_type")
    if not isinstance(name, str):
        return []
    scope, _, what = name.partition(".")
    kind = next((kind for start, kind in _KINDS if what.startswith(start)), None)
    subject = _id_of(event.get(name))
    if scope not in _SCOPES or kind is None or not subject:
        return []
    return [(kind, subject)]


def _id_of(thing: Any) -> str:
    if not isinstance(thing, dict):
        return ""
    found = thing.get("id")
    if found is None and isinstance(thing.get("incident"), dict):  # a status change wraps its incident
        found = thing["incident"].get("id")
    return found if isinstance(found, str) and _SUBJECT.match(found) else ""
