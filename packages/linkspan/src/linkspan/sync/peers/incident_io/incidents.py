"""The incidents of an incident.io organisation as the far side of a sync."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from linkspan.core.errors import NotFound, Rejected, Stale
from linkspan.core.peer import PeerIncident, PeerNote, Pulled
from linkspan.mapping.incident import LEVELS
from linkspan.store import Database
from linkspan.sync.peers.incident_io.changes import Changes, Seen
from linkspan.sync.peers.incident_io.line import Line
from linkspan.sync.peers.incident_io.words import (
    NOT_SHARED,
    NOT_TAKEN,
    Us,
    link_of,
    microseconds,
    name_of,
    takes_part,
    text_of,
)

if TYPE_CHECKING:
    from incident_io.models import IncidentUpdateV2, IncidentV2

OPEN = ("triage", "live", "paused", "learning")
# Ours is the smaller vocabulary: what an incident.io category is called in the mapping.
CATEGORY = {"declined": "canceled", "merged": "canceled"}
AT_CREATION = ("triage", "live")
TITLE_LENGTH = 120


class IncidentsPeer:
    """``core.peer.Peer`` on the incidents of an incident.io organisation.

    ``name`` is the sync's, ``prefix`` begins every key the sync gives. The updates people share become
    notes; notes of the record become items of the timeline, which no channel is told about.
    """

    def __init__(
        self, line: Line, database: Database, *, name: str, prefix: str, include_private: bool = False
    ) -> None:
        self._line = line
        self._prefix = prefix
        self._private = include_private
        self._us = Us(line)
        self._changes = Changes(line, database, sync=name, kind="incident", name=name)
        self._refused: set[str] = set()
        self._guard = threading.Lock()

    def levels(self) -> tuple[str, ...]:
        """The severities this organisation tells apart, in the words of the mapping."""
        return LEVELS[: max(1, len(self._line.severities()))]

    def pull(self, cursor: str, limit: int = 500) -> Pulled:
        """What changed after ``cursor``; at first ("") nothing, from then on everything."""
        return self._changes.pull(
            cursor,
            limit,
            lately=lambda since: self._seen(self._line.incidents(since=since)),
            everything=lambda: self._seen(self._line.incidents(categories=OPEN)),
            one=self._one,
        )

    def fetch(self, incident: str) -> PeerIncident | None:
        """The incident with the updates shared on it. Raises Rejected when it is not one to be synced."""
        found = self._line.incident(incident)
        if found is None:
            return None
        if not self._takes_part(found):
            raise Rejected(
                f"{found.reference} is private, a test or a tutorial",
                code=NOT_SHARED,
                fix="set include_private if private incidents are to be synced",
                where=found.reference,
            )
        notes = [self._note(update) for update in self._line.updates(incident) if text_of(update.message)]
        notes.sort(key=lambda note: (note.at, note.id))
        return replace(self._incident(found), notes=tuple(notes))

    def create(self, values: Mapping[str, str], *, key: str, parent: str = "") -> PeerIncident:  # noqa: ARG002
        """Declare a public incident, or the one that was declared with ``key``.

        A status in which no incident can begin is reached by an edit, where the API allows that.
        """
        from incident_io.models import (
            IncidentsCreatePayloadV2,
            IncidentsCreatePayloadV2Mode,
            IncidentsCreatePayloadV2Visibility,
        )

        wanted = values["status"]
        first = wanted if wanted in AT_CREATION and self._has(wanted) else "live"
        made = self._line.create_incident(
            IncidentsCreatePayloadV2(
                idempotency_key=key,
                visibility=IncidentsCreatePayloadV2Visibility.PUBLIC,
                mode=IncidentsCreatePayloadV2Mode.STANDARD,
                name=values["name"],
                summary=values["summary"],
                severity_id=self._severity(values["severity"]),
                incident_status_id=self._status(first),
            )
        )
        if wanted == first or _word(made) not in AT_CREATION or self._was_refused(key):
            return self._incident(made)
        try:
            return self._incident(self._move(made, wanted))
        except Rejected:
            with self._guard:
                self._refused.add(key)
            raise

    def update(self, incident: str, values: Mapping[str, str], *, version: int) -> PeerIncident:
        """Change what differs. A status that the API does not let us reach is refused last."""
        found = self._line.incident(incident)
        if found is None:
            raise NotFound("incident.io has this incident no more", where=incident)
        if _incident_version(found) != version:
            raise Stale("the incident has moved on", where=found.reference)
        body = self._differing(found, values)
        if body:
            found = self._edit(incident, body)
        if "status" in values and _word(found) != values["status"]:
            found = self._move(found, values["status"])
        return self._incident(found)

    def add_note(self, incident: str, text: str, *, author: str, at: float, key: str) -> PeerNote:
        """Add an item to the timeline at the time of the note, or the one that was added with ``key``."""
        from incident_io.models import IncidentTimelineItemsCreatePayloadV2

        title = f"{author} in ServiceNow"
        made = self._line.add_timeline_item(
            IncidentTimelineItemsCreatePayloadV2(
                idempotency_key=key,
                incident_id=incident,
                timestamp=datetime.fromtimestamp(at, UTC),
                title=title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1] + "…",
                description=text,
            )
        )
        return PeerNote(id=made.id, text=text, author=author, at=at, key=key)

    # --- reading

    def _takes_part(self, incident: IncidentV2) -> bool:
        return takes_part(incident, include_private=self._private)

    def _seen(self, incidents: Iterator[IncidentV2]) -> Iterator[Seen]:
        for one in incidents:
            if self._takes_part(one):
                yield Seen(id=one.id, version=_incident_version(one), key="", ours=self._us.did(one.creator))

    def _one(self, incident: str) -> Seen | None:
        found = self._line.incident(incident)
        return None if found is None else next(self._seen(iter((found,))), None)

    def _incident(self, incident: IncidentV2) -> PeerIncident:
        return PeerIncident(
            id=incident.id,
            reference=incident.reference,
            version=_incident_version(incident),
            values={
                "name": incident.name,
                "summary": text_of(incident.summary),
                "severity": self._level(incident),
                "status": _word(incident),
            },
            url=link_of(incident.permalink),
        )

    def _note(self, update: IncidentUpdateV2) -> PeerNote:
        return PeerNote(
            id=update.id,
            text=text_of(update.message),
            author=name_of(update.updater),
            at=update.created_at.timestamp(),
            key=f"{self._prefix}{update.id}" if self._us.did(update.updater) else "",
        )

    # --- severities and statuses

    def _level(self, incident: IncidentV2) -> str:
        """By position, the gravest first. An incident without a severity counts as the least grave."""
        from incident_io.types import Unset

        known = [severity.id for severity in self._line.severities()]
        severity = incident.severity
        place = len(known) - 1
        if not isinstance(severity, Unset) and severity.id in known:
            place = known.index(severity.id)
        return LEVELS[max(0, min(place, len(LEVELS) - 1))]

    def _severity(self, level: str) -> str:
        known = self._line.severities()
        if not known:
            raise Rejected("the organisation has no severities", fix="define them in incident.io")
        return known[min(LEVELS.index(level), len(known) - 1)].id

    def _has(self, word: str) -> bool:
        return any(status.category.value == word for status in self._line.statuses())

    def _status(self, word: str) -> str:
        """The first status of this category. Raises Rejected (not_taken) when there is none."""
        for status in self._line.statuses():
            if status.category.value == word:
                return status.id
        raise Rejected(f"the organisation has no status of the category {word}", code=NOT_TAKEN)

    # --- writing

    def _differing(self, found: IncidentV2, values: Mapping[str, str]) -> dict[str, str]:
        now = self._incident(found).values
        body = {
            name: values[name] for name in ("name", "summary") if name in values and values[name] != now[name]
        }
        if "severity" in values:
            wanted = self._severity(values["severity"])
            if wanted != self._severity(now["severity"]):
                body["severity_id"] = wanted
        return body

    def _edit(self, incident: str, body: Mapping[str, str]) -> IncidentV2:
        from incident_io.models import IncidentEditPayloadV2

        return self._line.edit_incident(incident, IncidentEditPayloadV2.from_dict(body))

    def _move(self, incident: IncidentV2, word: str) -> IncidentV2:
        """To a status of this category. Raises Rejected (not_taken) when only people can do that.

        The API documents moves within a category, to post-incident and to closed; whether it takes
        another one is asked of it, not guessed.
        """
        try:
            return self._edit(incident.id, {"incident_status_id": self._status(word)})
        except Rejected as error:
            place = link_of(incident.permalink) or incident.reference
            fix = f"set {incident.reference} to {word} in incident.io: {place}"
            raise Rejected(error.cause, code=NOT_TAKEN, fix=fix, where=incident.reference) from error

    def _was_refused(self, key: str) -> bool:
        with self._guard:
            return key in self._refused


def _word(incident: IncidentV2) -> str:
    category = incident.incident_status.category.value
    return CATEGORY.get(category, category)


def _incident_version(incident: IncidentV2) -> int:
    # An update that is shared counts as activity, whether it touches the incident itself or not.
    return microseconds(max(incident.updated_at, incident.last_activity_at))
