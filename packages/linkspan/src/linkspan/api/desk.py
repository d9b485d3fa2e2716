"""The desk over JSON: incidents, their timelines and their follow-ups.

Times are ISO 8601 UTC. A write may carry ``Idempotency-Key``; the same key again has no further
effect, so a client that lost an answer repeats the request as it was.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict

from linkspan.core import clock
from linkspan.core.errors import NotFound, Rejected
from linkspan.desk import FollowUp, Incident, Update
from linkspan.flows.hub import Hub

IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", max_length=190)]
Limit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
After = Annotated[int, Query(ge=0, lt=2**63)]


class Declaration(BaseModel):
    """A new incident. What is left out takes the desk's defaults."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    summary: str = ""
    severity: str = "moderate"
    status: str = "triage"


class Edit(BaseModel):
    """Fields to change. With ``version`` the edit is refused when the incident has moved on."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str | None = None
    summary: str | None = None
    severity: str | None = None
    status: str | None = None
    version: int | None = None


class Note(BaseModel):
    """An entry for the timeline."""

    model_config = ConfigDict(extra="forbid", strict=True)
    text: str
    author: str = "Desk"


class FollowUpWish(BaseModel):
    """A new follow-up. What is left out takes the desk's defaults; ``assignee`` is an e-mail address."""

    model_config = ConfigDict(extra="forbid", strict=True)
    title: str
    description: str = ""
    status: str = "outstanding"
    priority: str = "medium"
    assignee: str = ""


class FollowUpEdit(BaseModel):
    """Fields to change. With ``version`` the edit is refused when the follow-up has moved on."""

    model_config = ConfigDict(extra="forbid", strict=True)
    title: str | None = None
    description: str | None = None
    status: str | None = None
    priority: str | None = None
    assignee: str | None = None
    version: int | None = None


def incident_json(incident: Incident) -> dict[str, Any]:
    """An incident as the API shows it."""
    return {
        "id": incident.id,
        "number": incident.number,
        **incident.values,
        "version": incident.version,
        "created_at": clock.iso_time(incident.created_at),
        "updated_at": clock.iso_time(incident.updated_at),
    }


def update_json(update: Update) -> dict[str, Any]:
    """A timeline entry as the API shows it."""
    return {
        "id": update.id,
        "seq": update.seq,
        "incident": update.incident,
        "text": update.text,
        "author": update.author,
        "at": clock.iso_time(update.at),
    }


def follow_up_json(follow_up: FollowUp, link: dict[str, Any] | None) -> dict[str, Any]:
    """A follow-up as the API shows it, with the task it is linked to."""
    return {
        "id": follow_up.id,
        "number": follow_up.number,
        "incident": follow_up.incident,
        **follow_up.values,
        "version": follow_up.version,
        "created_at": clock.iso_time(follow_up.created_at),
        "updated_at": clock.iso_time(follow_up.updated_at),
        "link": link,
    }


def routes(hub: Hub) -> APIRouter:
    """``/api/desk``: incidents and follow-ups, their edits, and timelines."""
    router = APIRouter(prefix="/api/desk", tags=["desk"])
    desk = hub.desk

    @router.get("/incidents")
    def list_incidents(
        limit: Limit = 50, offset: Offset = 0, after_seq: After = 0, status: str = "", q: str = ""
    ) -> dict[str, Any]:
        """Incidents, newest first. ``after_seq`` keeps those changed after an earlier ``seq``."""
        seq = desk.last_seq()  # read first: a change in between shows again next time, never is missed
        page = desk.incidents(limit=limit, offset=offset, status=status, search=q[:200], after_seq=after_seq)
        end = offset + len(page.rows)
        return {
            "incidents": [incident_json(row) for row in page.rows],
            "total": page.total,
            "next": end if page.rows and end < page.total else None,
            "seq": seq,
        }

    @router.post("/incidents", status_code=201)
    def declare(body: Declaration, idempotency_key: IdempotencyKey = "") -> dict[str, Any]:
        """Declare an incident."""
        return incident_json(desk.declare(body.model_dump(), key=_key(idempotency_key)))

    @router.get("/incidents/{incident}")
    def show(incident: str) -> dict[str, Any]:
        """An incident by id or number, its timeline, its follow-ups and the record it is linked to."""
        found = _found(hub, incident)
        follow_ups = desk.follow_ups.of(found.id)
        links = hub.links_of([found.id, *(follow_up.id for follow_up in follow_ups)])
        return {
            **incident_json(found),
            "updates": [update_json(entry) for entry in desk.timeline(found.id)],
            "follow_ups": [follow_up_json(row, links.get(row.id)) for row in follow_ups],
            "link": links.get(found.id),
        }

    @router.patch("/incidents/{incident}")
    def edit(incident: str, body: Edit, idempotency_key: IdempotencyKey = "") -> dict[str, Any]:
        """Change an incident."""
        found = _found(hub, incident)
        changes = _changes(body)
        return incident_json(desk.edit(found.id, changes, key=_key(idempotency_key), version=body.version))

    @router.post("/incidents/{incident}/updates", status_code=201)
    def add_update(incident: str, body: Note, idempotency_key: IdempotencyKey = "") -> dict[str, Any]:
        """Add to an incident's timeline."""
        found = _found(hub, incident)
        return update_json(
            desk.add_update(found.id, body.text, author=body.author, key=_key(idempotency_key))
        )

    @router.post("/incidents/{incident}/follow-ups", status_code=201)
    def add_follow_up(
        incident: str, body: FollowUpWish, idempotency_key: IdempotencyKey = ""
    ) -> dict[str, Any]:
        """Add something to do about an incident."""
        found = _found(hub, incident)
        made = desk.follow_ups.add(found.id, body.model_dump(), key=_key(idempotency_key))
        return _with_link(hub, made)

    @router.get("/follow-ups/{follow_up}")
    def show_follow_up(follow_up: str) -> dict[str, Any]:
        """A follow-up by id or number, and the task it is linked to."""
        return _with_link(hub, _found_follow_up(hub, follow_up))

    @router.patch("/follow-ups/{follow_up}")
    def edit_follow_up(
        follow_up: str, body: FollowUpEdit, idempotency_key: IdempotencyKey = ""
    ) -> dict[str, Any]:
        """Change a follow-up."""
        found = _found_follow_up(hub, follow_up)
        changes = _changes(body)
        after = desk.follow_ups.edit(found.id, changes, key=_key(idempotency_key), version=body.version)
        return _with_link(hub, after)

    @router.get("/updates")
    def list_updates(after: After = 0, limit: Limit = 500) -> dict[str, Any]:
        """Updates of all incidents after ``after``, in order; ``next`` is where to go on."""
        entries = desk.updates(after=after, limit=limit)
        return {
            "updates": [update_json(entry) for entry in entries],
            "next": entries[-1].seq if entries else after,
        }

    return router


def _changes(body: Edit | FollowUpEdit) -> dict[str, str]:
    changes = body.model_dump(exclude_unset=True, exclude={"version"})
    empty = sorted(name for name, value in changes.items() if value is None)
    if empty:
        raise Rejected(f"{empty[0]!r} cannot be null.", fix="Leave it out, or give text.", code="invalid")
    return changes


def _with_link(hub: Hub, follow_up: FollowUp) -> dict[str, Any]:
    return follow_up_json(follow_up, hub.links_of([follow_up.id]).get(follow_up.id))


def _key(header: str) -> str:
    # A name of its own, so that a client's key never meets a key of the sync.
    return f"api:{header}" if header else ""


def _found(hub: Hub, incident: str) -> Incident:
    found = hub.desk.incident(incident)
    if found is None:
        raise NotFound("There is no such incident on the desk.", where=f"desk incident {incident[:64]}")
    return found


def _found_follow_up(hub: Hub, follow_up: str) -> FollowUp:
    found = hub.desk.follow_ups.find(follow_up)
    if found is None:
        raise NotFound("There is no such follow-up on the desk.", where=f"desk follow-up {follow_up[:64]}")
    return found
