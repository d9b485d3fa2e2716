"""The desk as the far side of a sync."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from linkspan.core.errors import Rejected
from linkspan.core.peer import PeerEvent, PeerIncident, PeerNote, Pulled
from linkspan.desk.desk import SYNC, Desk
from linkspan.desk.values import PEER_LIMITS, Event, Incident, Update


class DeskPeer:
    """``core.peer.Peer`` on the embedded desk. The cursor is the seq of the last event seen.

    An event carries the key its incident was created with; a write of ours is known by the version
    it returned. Adding a note grows the version too. ``url`` is the address of the hub, for links
    that people can follow.
    """

    def __init__(self, desk: Desk, *, url: str = "") -> None:
        self._desk = desk
        self._url = url.rstrip("/")

    def pull(self, cursor: str, limit: int = 500) -> Pulled:
        """Events after ``cursor``, oldest first. Raises Rejected when the cursor is not one of ours."""
        events = self._desk.events(after=cursor_seq(cursor), limit=limit)
        return pulled(events, cursor, limit)

    def fetch(self, incident: str) -> PeerIncident | None:
        """The incident with its whole timeline, read at one moment."""
        found = self._desk.fetch(incident)
        return self._incident(*found) if found else None

    def create(self, values: Mapping[str, str], *, key: str, parent: str = "") -> PeerIncident:  # noqa: ARG002
        """Declare an incident, or the one that was created with ``key``."""
        return self._incident(self._desk.declare(values, key=key, origin=SYNC), [])

    def update(self, incident: str, values: Mapping[str, str], *, version: int) -> PeerIncident:
        """Change these values. The answer carries no notes; its version is the one after the change."""
        return self._incident(self._desk.edit(incident, values, version=version, origin=SYNC), [])

    def add_note(self, incident: str, text: str, *, author: str, at: float, key: str) -> PeerNote:
        """Append to the timeline, or the entry that was added with ``key``.

        What is longer than the desk takes is cut: a refused note would hold up its incident for good.
        """
        text, author = _cut("text", text), _cut("author", author)
        return _note(self._desk.add_update(incident, text, author=author, at=at, key=key, origin=SYNC))

    def _incident(self, incident: Incident, notes: list[Update]) -> PeerIncident:
        return PeerIncident(
            id=incident.id,
            reference=incident.number,
            version=incident.version,
            values=incident.values,
            notes=tuple(_note(entry) for entry in notes),
            key=incident.key,
            url=f"{self._url}/desk/{incident.number}" if self._url else "",
        )


def pulled(events: Sequence[Event], cursor: str, limit: int) -> Pulled:
    """Events of the desk that came after ``cursor``, as a sync takes them."""
    return Pulled(
        events=tuple(
            PeerEvent(
                id=str(event.seq),
                incident=event.follow_up or event.incident,
                version=event.version,
                key=event.key,
                at=event.at,
            )
            for event in events
        ),
        cursor=str(events[-1].seq) if events else cursor,
        more=len(events) == limit,
    )


def _note(entry: Update) -> PeerNote:
    return PeerNote(id=entry.id, text=entry.text, author=entry.author, at=entry.at, key=entry.key)


def _cut(name: str, text: str) -> str:
    limit = PEER_LIMITS[name]
    text = text.replace("\x00", "")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def cursor_seq(cursor: str) -> int:
    """The seq in a cursor of the desk, 0 for the beginning. Raises Rejected."""
    if not cursor:
        return 0
    if not cursor.isascii() or not cursor.isdigit():
        raise Rejected(f"{cursor[:40]!r} is not a cursor of the desk.", fix="Start again from the beginning.")
    return int(cursor)
