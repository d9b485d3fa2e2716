"""The follow-ups of an incident.io organisation as the far side of a sync.

A follow-up made here carries a label that names its record, for creation has no idempotency key.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from linkspan.core.errors import NotFound, Rejected, Stale
from linkspan.core.peer import PeerIncident, PeerNote, Pulled
from linkspan.store import Database, links
from linkspan.sync.peers.incident_io.changes import Changes, Seen
from linkspan.sync.peers.incident_io.doubts import Doubts
from linkspan.sync.peers.incident_io.line import REMEMBERED_SECONDS, Line
from linkspan.sync.peers.incident_io.words import (
    MODES,
    NOT_SHARED,
    NOT_TAKEN,
    Us,
    link_of,
    microseconds,
    takes_part,
    text_of,
)

if TYPE_CHECKING:
    from incident_io.models import FollowUpV3

DELETED = "deleted"
NORMAL = "medium"  # what a task has when nobody chose: not worth a word where it cannot be said
LABEL = "servicenow:"
TITLE_LENGTH = 120


class FollowUpsPeer:
    """``core.peer.Peer`` on the follow-ups of an incident.io organisation.

    ``name`` is the name of the line that carries them. They have no notes. Priorities cannot be listed:
    their ids are learned from follow-ups that have them.
    """

    def __init__(
        self,
        line: Line,
        database: Database,
        *,
        sync: str,
        name: str,
        prefix: str,
        include_private: bool = False,
    ) -> None:
        self._line = line
        self._database = database
        self._name = name
        self._private = include_private
        self._doubts = Doubts(database, kind="follow_up")
        self._prefix = prefix
        self._us = Us(line)
        self._changes = Changes(line, database, sync=sync, kind="follow_up", name=name)
        self._priorities: dict[str, str] = {}
        self._missing: dict[str, float] = {}  # priorities that nothing had, until when that is believed
        self._refused: set[str] = set()
        self._guard = threading.Lock()

    def pull(self, cursor: str, limit: int = 500) -> Pulled:
        """What changed after ``cursor``; at first ("") nothing, from then on everything."""
        return self._changes.pull(
            cursor,
            limit,
            lately=lambda since: self._seen(self._all(since=since)),
            everything=lambda: iter(()),
            one=self._one,
        )

    def fetch(self, incident: str) -> PeerIncident | None:
        """The follow-up as it is now, None when it is deleted.

        Raises Rejected (not_shared) when its incident is not one to be synced, or hidden by now: a follow-up
        is hidden with it, and not deleted for that.
        """
        found = self._line.follow_up(incident)
        parent = found.incident_id if found is not None else self._parent_of(incident)
        if parent:
            self._check_shared(parent)
        return None if found is None or found.status.value == DELETED else self._thing(found)

    def create(self, values: Mapping[str, str], *, key: str, parent: str = "") -> PeerIncident:
        """Make one for the incident ``parent``, or the one that carries the label of ``key``."""
        from incident_io.models import FollowUpsCreatePayloadV3
        from incident_io.types import UNSET

        made = next((one for one in self._all(incident=parent) if self._key(one) == key), None)
        if made is None:
            body = FollowUpsCreatePayloadV3(
                incident_id=parent,
                title=values["title"],
                description=values["description"] or UNSET,
                assignee_id=self._person(values["assignee"]) or UNSET,
                follow_up_priority_option_id=self._priority(values["priority"]) or UNSET,
                labels=[self._label(key)],
            )
            with self._doubts.once(key):
                made = self._line.create_follow_up(body)
        else:
            self._doubts.over(key)
        if self._was_refused(key):
            return self._thing(made)
        try:
            return self._bring(made, values)
        except Rejected as error:
            if error.code == NOT_TAKEN:
                with self._guard:
                    self._refused.add(key)
            raise

    def update(self, incident: str, values: Mapping[str, str], *, version: int) -> PeerIncident:
        """Change what differs. What incident.io has no counterpart for is refused last."""
        found = self._line.follow_up(incident)
        if found is None:
            raise NotFound("incident.io has this follow-up no more", where=incident)
        if _follow_up_version(found) != version:
            raise Stale("the follow-up has moved on", where=found.title[:60])
        return self._bring(found, values)

    def add_note(self, incident: str, text: str, *, author: str, at: float, key: str) -> PeerNote:  # noqa: ARG002
        """Follow-ups have no timeline: always Rejected (not_taken)."""
        raise Rejected("follow-ups have no timeline in incident.io", code=NOT_TAKEN, where=incident)

    # --- reading

    def _parent_of(self, follow_up: str) -> str:
        """The incident of a linked follow-up, as the store knows it."""
        with self._database.read() as connection:
            link = links.by_peer(connection, self._name, follow_up)
            if link is None or link.parent_id is None:
                return ""
            return links.get(connection, link.parent_id).peer_id or ""

    def _check_shared(self, incident: str) -> None:
        found = self._line.incident(incident)
        if found is None or not takes_part(found, include_private=self._private):
            raise Rejected(
                "its incident is private, a test or a tutorial",
                code=NOT_SHARED,
                fix="set include_private if private incidents are to be synced",
                where=incident,
            )

    def _all(self, *, since: float = 0, incident: str = "") -> Iterator[FollowUpV3]:
        for mode in MODES:
            for one in self._line.follow_ups(mode=mode, since=since, incident=incident):
                self._learn(one)
                yield one

    def _seen(self, follow_ups: Iterable[FollowUpV3]) -> Iterator[Seen]:
        for one in follow_ups:
            yield Seen(
                id=one.id,
                version=_follow_up_version(one),
                key=self._key(one),
                ours=self._us.did(one.creator),
            )

    def _one(self, follow_up: str) -> Seen | None:
        found = self._line.follow_up(follow_up)
        return None if found is None else next(self._seen((found,)))

    def _thing(self, found: FollowUpV3) -> PeerIncident:
        from incident_io.types import Unset

        self._learn(found)
        assignee, priority = found.assignee, found.priority
        issue = found.external_issue_reference
        return PeerIncident(
            id=found.id,
            reference=found.title[:TITLE_LENGTH],
            version=_follow_up_version(found),
            values={
                "title": found.title,
                "description": text_of(found.description),
                "status": "not_doing" if found.status.value == DELETED else found.status.value,
                "priority": "" if isinstance(priority, Unset) else priority.name.casefold(),
                "assignee": "" if isinstance(assignee, Unset) else text_of(assignee.email).casefold(),
            },
            key=self._key(found),
            url="" if isinstance(issue, Unset) else link_of(issue.issue_permalink),
            parent=found.incident_id,
        )

    def _key(self, found: FollowUpV3) -> str:
        """The key it was made with, which its label tells, if it was made with ours."""
        told = next((label.removeprefix(LABEL) for label in found.labels if label.startswith(LABEL)), "")
        return f"{self._prefix}{told}" if told and self._us.did(found.creator) else ""

    def _label(self, key: str) -> str:
        return LABEL + key.removeprefix(self._prefix)

    # --- priorities and people

    def _learn(self, found: FollowUpV3) -> None:
        from incident_io.types import Unset

        if not isinstance(found.priority, Unset):
            self._priorities[found.priority.name.casefold()] = found.priority.id

    def _priority(self, word: str) -> str:
        """The id of a priority; "" when no follow-up was seen that has it."""
        if word and word not in self._priorities and self._missing.get(word, 0) < time.monotonic():
            for _ in self._all():
                if word in self._priorities:
                    break
            else:
                self._missing[word] = time.monotonic() + REMEMBERED_SECONDS
        return self._priorities.get(word, "")

    def _person(self, email: str) -> str:
        return (self._line.user(email) or "") if email else ""

    # --- writing

    def _bring(self, found: FollowUpV3, values: Mapping[str, str]) -> PeerIncident:
        """Write what differs, in one request, and say last what could not be said there."""
        from incident_io.models import FollowUpsUpdatePayloadV3

        now = self._thing(found)
        wanted = {name: value for name, value in values.items() if now.values[name] != value}
        if wanted.get("priority") == NORMAL and not now.values["priority"] and not self._priority(NORMAL):
            del wanted["priority"]
        if not wanted:
            return now
        body = self._as_it_is(found)
        body |= {name: value for name, value in wanted.items() if name in ("title", "description", "status")}
        left = []
        for name, field, id in (
            ("priority", "follow_up_priority_option_id", self._priority(wanted.get("priority", ""))),
            ("assignee", "assignee_id", self._person(wanted.get("assignee", ""))),
        ):
            if name in wanted and id:
                body[field] = id
            elif wanted.get(name):
                left.append(f"incident.io has no {name} {wanted[name]}")
            elif name == "assignee" and name in wanted:
                body[field] = None  # documented: null unassigns
            elif name in wanted:
                body.pop(field, None)
        if body != self._as_it_is(found):
            now = self._thing(self._line.update_follow_up(found.id, FollowUpsUpdatePayloadV3.from_dict(body)))
        still = [name for name, value in wanted.items() if now.values[name] != value]
        if still:
            cause = "; ".join(left) or f"incident.io kept its own {', '.join(still)}"
            raise Rejected(
                cause, code=NOT_TAKEN, fix=f"set it on the follow-up in incident.io: {found.title[:80]}"
            )
        return now

    @staticmethod
    def _as_it_is(found: FollowUpV3) -> dict[str, Any]:
        """An update replaces the follow-up, so what is not to change is sent along."""
        from incident_io.types import Unset

        body: dict[str, Any] = {
            "title": found.title,
            "status": found.status.value,
            "labels": list(found.labels),
        }
        if not isinstance(found.description, Unset):
            body["description"] = found.description
        for field, thing in (
            ("assignee_id", found.assignee),
            ("assignee_team_id", found.assignee_team),
            ("follow_up_category_id", found.category),
            ("follow_up_priority_option_id", found.priority),
        ):
            if not isinstance(thing, Unset):
                body[field] = thing.id
        return body

    def _was_refused(self, key: str) -> bool:
        with self._guard:
            return key in self._refused


def _follow_up_version(follow_up: FollowUpV3) -> int:
    return microseconds(follow_up.updated_at)
