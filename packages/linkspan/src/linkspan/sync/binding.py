"""One line of a sync with everything it works on: the far side, the instance, the mapping, the store."""

from __future__ import annotations

from dataclasses import dataclass, field

from linkspan.connection import Connection
from linkspan.core.peer import Peer
from linkspan.feed.journal import NoteReader
from linkspan.mapping.contract import RecordMapping
from linkspan.mapping.incident import IncidentMapping
from linkspan.records import Records
from linkspan.store import Database

CORRELATION = "ls"
_FOLLOW_UPS = "/follow-ups"


def follow_ups_of(sync: str) -> str:
    """The name of the line that carries a sync's follow-ups; its incidents go by the sync's own name."""
    return sync + _FOLLOW_UPS


def sync_of(line: str) -> str:
    """The sync that a line is part of."""
    return line.removesuffix(_FOLLOW_UPS)


def key_prefix(line: str) -> str:
    """How every key begins that a line gives to the far side."""
    return f"sync:{line}:"


@dataclass(frozen=True, kw_only=True)
class Binding:
    """What a line of a sync is made of: its incidents, or its follow-ups.

    ``account`` is the sys_id of our user, ``peer_title`` what people call the far side. ``parents`` names
    the line whose links are the parents of this one's, empty when these have none. ``exact`` leaves out
    rows of tables that extend ``table``. ``peer_poll_seconds`` is how often the far side is asked.
    """

    name: str
    instance: str
    peer: Peer
    peer_title: str
    connection: Connection
    records: Records
    notes: NoteReader
    database: Database
    account: str
    mapping: RecordMapping = field(default_factory=IncidentMapping)
    table: str = "incident"
    exact: bool = False
    parents: str = ""
    condition: str = ""
    poll_seconds: float = 5
    peer_poll_seconds: float = 1

    def correlation_id(self, peer_id: str) -> str:
        """What the record of a far side's thing carries, ≤ 100 characters."""
        return f"{CORRELATION}:{sync_of(self.name)}:{self.mapping.kind}:{peer_id}"

    def peer_of(self, correlation_id: str) -> str | None:
        """The far side's thing named by a record's correlation id, if this sync wrote it."""
        head = self.correlation_id("")
        return correlation_id[len(head) :] if correlation_id.startswith(head) else None

    def peer_key(self, sys_id: str) -> str:
        """The idempotency key of the far side's thing for a record."""
        return f"{self.note_prefix}{sys_id}"

    def record_of(self, key: str) -> str | None:
        """The record named by the creation key of a far side's thing, if this sync wrote it."""
        return key[len(self.note_prefix) :] if key.startswith(self.note_prefix) else None

    @property
    def note_prefix(self) -> str:
        """Every key this sync gives to the far side starts so."""
        return key_prefix(self.name)
