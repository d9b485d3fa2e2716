"""The desk's follow-ups as the far side of a sync."""

from __future__ import annotations

from collections.abc import Mapping

from linkspan.core.errors import Rejected
from linkspan.core.peer import PeerIncident, PeerNote, Pulled
from linkspan.desk.desk import SYNC, Desk
from linkspan.desk.peer import cursor_seq, pulled
from linkspan.desk.values import FOLLOW_UP_DEFAULTS, FollowUp


class DeskFollowUpPeer:
    """``core.peer.Peer`` on the desk's follow-ups. The cursor is the seq of the last event seen.

    ``parent`` is the id of the incident. A follow-up has no timeline: its notes are always empty.
    """

    def __init__(self, desk: Desk, *, url: str = "") -> None:
        self._desk = desk
        self._url = url.rstrip("/")

    def pull(self, cursor: str, limit: int = 500) -> Pulled:
        """Events after ``cursor``, oldest first. Raises Rejected when the cursor is not one of ours."""
        events = self._desk.follow_ups.events(after=cursor_seq(cursor), limit=limit)
        return pulled(events, cursor, limit)

    def fetch(self, incident: str) -> PeerIncident | None:
        """The follow-up as it is now."""
        found = self._desk.follow_ups.find(incident)
        return self._shown(found) if found else None

    def create(self, values: Mapping[str, str], *, key: str, parent: str = "") -> PeerIncident:
        """Add a follow-up to the incident ``parent``, or the one that was added with ``key``."""
        return self._shown(self._desk.follow_ups.add(parent, _held(values), key=key, origin=SYNC))

    def update(self, incident: str, values: Mapping[str, str], *, version: int) -> PeerIncident:
        """Change these values."""
        held = _held(values)
        return self._shown(self._desk.follow_ups.edit(incident, held, version=version, origin=SYNC))

    def add_note(self, incident: str, text: str, *, author: str, at: float, key: str) -> PeerNote:  # noqa: ARG002
        """Raises Rejected (code not_taken): there is no timeline to add to."""
        raise Rejected(
            "a follow-up of the desk has no timeline",
            code="not_taken",
            fix="add the text to its incident",
            where=f"desk follow-up {incident[:64]}",
        )

    def _shown(self, follow_up: FollowUp) -> PeerIncident:
        incident = self._desk.incident(follow_up.incident) if self._url else None
        page = f"{self._url}/desk/{incident.number}#{follow_up.number}" if incident else ""
        return PeerIncident(
            id=follow_up.id,
            reference=follow_up.number,
            version=follow_up.version,
            values=follow_up.values,
            key=follow_up.key,
            url=page,
            parent=follow_up.incident,
        )


def _held(values: Mapping[str, str]) -> dict[str, str]:
    """A follow-up of the desk always has a priority: none given is the usual one."""
    usual = FOLLOW_UP_DEFAULTS["priority"]
    return {name: value or usual if name == "priority" else value for name, value in values.items()}
