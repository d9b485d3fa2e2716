"""The far side of a sync, as the sync sees it: five verbs and plain values.

An implementation lives in one file (``desk/peer.py``, ``sync/peers/…``). Every write carries a
``key``; repeating a write with the same key has no further effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class PeerNote:
    """One entry of an incident's timeline on the far side. ``at`` is epoch seconds."""

    id: str
    text: str
    author: str
    at: float
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class PeerIncident:
    """An incident, or a follow-up, on the far side at one moment.

    ``values`` holds an incident's name, summary, severity and status, or a follow-up's title, description,
    status, priority and assignee, in the words of the mapping. ``version`` grows with each change. ``key``
    is the one it was created with, empty if people made it. ``parent`` is the incident of a follow-up.
    """

    id: str
    reference: str
    version: int
    values: Mapping[str, str]
    notes: Sequence[PeerNote] = ()
    key: str = ""
    url: str = ""
    parent: str = ""


@dataclass(frozen=True, kw_only=True)
class PeerEvent:
    """ "Something happened to this incident": thin on purpose, the incident is fetched again."""

    id: str
    incident: str
    version: int
    key: str = ""
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """Events after a cursor, in order, and the cursor to go on from.

    Caught up when there are no events, or when the far side knows that there are no ``more``.
    """

    events: Sequence[PeerEvent] = field(default_factory=tuple)
    cursor: str = ""
    more: bool = True


class Peer(Protocol):
    """The far side of a sync: its incidents, or its follow-ups. Methods raise the errors of ``core.errors``.

    What the far side does not take in this direction is Rejected with code ``not_taken``, after what it
    does take was written: which fields those are shows in ``fetch``, or when ``create`` is asked again with
    the same key.
    """

    def pull(self, cursor: str, limit: int = 500) -> Pulled:
        """Events after ``cursor`` ("" = from the beginning), oldest first."""

    def fetch(self, incident: str) -> PeerIncident | None:
        """The incident as it is now with its notes, or None if it is gone."""

    def create(self, values: Mapping[str, str], *, key: str, parent: str = "") -> PeerIncident:
        """Make one; with a known ``key``, the one that exists. ``parent`` is the incident of a follow-up."""

    def update(self, incident: str, values: Mapping[str, str], *, version: int) -> PeerIncident:
        """Change these values. Raises Stale when the incident is no longer at ``version``."""

    def add_note(self, incident: str, text: str, *, author: str, at: float, key: str) -> PeerNote:
        """Append to the timeline; with a known ``key``, the entry that exists."""
