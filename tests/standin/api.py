"""The public API over one world: strict about keys, bodies, parameters and moves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standin.world import (
    CREATE_IN,
    EDIT_MOVES,
    FOLLOW_UP_STATUSES,
    Refused,
    Thing,
    World,
    invalid,
)

MOST = 250
STAMP = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z)?")
MODES = ("standard", "retrospective", "test", "tutorial", "stream")


class Faults:
    """What goes wrong on demand: ``answers`` are given instead of the real one, ``lost`` after it."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Response]] = []
        self.lost: list[tuple[str, Response]] = []
        self.late: list[str] = []
        self.undone: list[Callable[[], object]] = []
        self.requests: list[tuple[str, str]] = []

    def limit(self, times: int = 1, *, seconds: float = 1) -> None:
        """Answer 429 so many times, asking for patience until a moment."""
        until = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        document = problem(429, "rate_limit_reached", "too many requests", "rate_limit_reached")
        document["rate_limit"] = {"limit": 1200, "name": "api_key", "remaining": 0, "retry_after": until}
        self.answers += [("", JSONResponse(document, 429))] * times

    def answer(self, status: int, *, method: str = "", body: bytes = b"", **headers: str) -> None:
        """Answer the next request (of a method) so, and do nothing."""
        self.answers.append((method, Response(body, status, headers)))

    def lose(self, method: str, status: int = 502) -> None:
        """Do what the next such request asks, then answer with a failure."""
        self.lost.append((method, Response(b"<html>bad gateway</html>", status)))

    def delay(self, method: str) -> None:
        """Answer the next such request with a failure, and do what it asks when told to ``catch_up``."""
        self.late.append(method)

    def catch_up(self) -> None:
        """What was only delayed is done now."""
        for work in self.undone:
            work()
        self.undone.clear()

    def take(self, among: list[tuple[str, Response]], method: str) -> Response | None:
        for place, (wanted, answer) in enumerate(among):
            if wanted in ("", method):
                del among[place]
                return answer
        return None


def create(world: World, faults: Faults) -> Starlette:
    """The application."""

    def served(work: Callable[[World, Request, Thing, Thing], tuple[int, Thing]]) -> Any:
        async def endpoint(request: Request) -> Response:
            faults.requests.append((request.method, request.url.path))
            wrong = faults.take(faults.answers, request.method)
            if wrong is not None:
                return wrong
            try:
                key = _key(world, request)
                body = _json(await request.body()) if request.method in ("POST", "PUT") else {}
                if request.method in faults.late:
                    faults.late.remove(request.method)
                    faults.undone.append(lambda: work(world, request, key, body))
                    return Response(b"<html>gateway timeout</html>", 504)
                with world.lock:
                    status, document = work(world, request, key, body)
            except Refused as refused:
                return JSONResponse(
                    problem(refused.status, refused.kind, refused.message, refused.code), refused.status
                )
            return faults.take(faults.lost, request.method) or JSONResponse(document, status)

        return endpoint

    async def nothing(_request: Request, _error: Exception) -> Response:
        return JSONResponse(problem(404, "not_found", "no such endpoint", "not_found"), 404)

    routes = [
        Route("/v1/identity", served(identity), methods=["GET"]),
        Route("/v1/severities", served(severities), methods=["GET"]),
        Route("/v1/incident_statuses", served(statuses), methods=["GET"]),
        Route("/v2/users", served(users), methods=["GET"]),
        Route("/v2/incidents", served(list_incidents), methods=["GET"]),
        Route("/v2/incidents", served(create_incident), methods=["POST"]),
        Route("/v2/incidents/{id}", served(show_incident), methods=["GET"]),
        Route("/v2/incidents/{id}/actions/edit", served(edit_incident), methods=["POST"]),
        Route("/v2/incident_updates", served(list_updates), methods=["GET"]),
        Route("/v2/incident_timeline_items", served(create_timeline_item), methods=["POST"]),
        Route("/v3/follow_ups", served(list_follow_ups), methods=["GET"]),
        Route("/v3/follow_ups", served(create_follow_up), methods=["POST"]),
        Route("/v3/follow_ups/{id}", served(show_follow_up), methods=["GET"]),
        Route("/v3/follow_ups/{id}", served(update_follow_up), methods=["PUT"]),
    ]
    return Starlette(routes=routes, exception_handlers={404: nothing, 405: nothing})


def problem(status: int, kind: str, message: str, code: str) -> Thing:
    return {
        "type": kind,
        "status": status,
        "request_id": "5n2K8w0q",
        "errors": [{"code": code, "message": message}],
    }


# --- who asks, and what


def _key(world: World, request: Request) -> Thing:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or token not in world.keys:
        raise Refused(401, "authentication_error", "We could not authenticate this key", "not_authenticated")
    return world.keys[token]


def _needs(key: Thing, role: str) -> None:
    if role not in key["roles"]:
        raise Refused(403, "resource_forbidden", f"This key lacks the role {role}", "missing_scope")


def _actor(key: Thing) -> Thing:
    return {"api_key": {"id": key["id"], "name": key["name"]}}


def _json(raw: bytes) -> Thing:
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refused(400, "invalid_request_error", "The body is not JSON") from None
    if not isinstance(body, dict):
        raise invalid("The body is not an object")
    return body


def _fields(body: Thing, *, required: str = "", optional: str = "") -> Thing:
    """Strings only, but for ``labels``: a list of them."""
    for name in required.split():
        if not isinstance(body.get(name), str) or not body[name]:
            raise invalid(f"{name} is required")
    for name, value in body.items():
        if name not in {*required.split(), *optional.split()}:
            raise invalid(f"{name} is not a field of this request")
        if value is None and name in ("assignee_id", "assignee_team_id"):
            continue  # documented: null takes it away
        if not isinstance(value, str) and not (name == "labels" and isinstance(value, list)):
            raise invalid(f"{name} must be a string")
    return body


def _page(request: Request, rows: Iterable[Thing]) -> tuple[list[Thing], Thing]:
    size = request.query_params.get("page_size", "25")
    if not size.isdigit() or not 1 <= int(size) <= MOST:
        raise invalid(f"page_size must be between 1 and {MOST}")
    found, after = list(rows), request.query_params.get("after", "")
    if after:
        places = [place for place, row in enumerate(found) if row["id"] == after]
        if not places:
            raise invalid("after is not the id of a row")
        found = found[places[0] + 1 :]
    page, meta = found[: int(size)], {"page_size": int(size)}
    return page, {**meta, "after": page[-1]["id"]} if len(found) > len(page) else meta


def _only(request: Request, *names: str) -> None:
    for name in request.query_params:
        if name not in names:
            raise invalid(f"{name} is not a parameter of this list")


def _since(request: Request, rows: Iterable[Thing]) -> list[Thing]:
    since = request.query_params.get("updated_at[gte]", "")
    if since and not STAMP.fullmatch(since):
        raise invalid("updated_at[gte] is not a date")
    # As text: a day is before every moment of it.
    return [row for row in rows if row["updated_at"] >= since]


def _one_of(rows: list[Thing], id: str, what: str) -> Thing:
    found = next((row for row in rows if row["id"] == id), None)
    if found is None:
        raise invalid(f"there is no {what} {id}")
    return found


# --- the endpoints


def identity(_world: World, _request: Request, key: Thing, _body: Thing) -> tuple[int, Thing]:
    return 200, {
        "identity": {
            "name": key["name"],
            "roles": key["roles"],
            "dashboard_url": "https://app.incident.io/example",
            "teams": [],
            "team_roles": [],
        }
    }


def severities(world: World, _request: Request, key: Thing, _body: Thing) -> tuple[int, Thing]:
    _needs(key, "viewer")
    return 200, {"severities": world.severities}


def statuses(world: World, _request: Request, key: Thing, _body: Thing) -> tuple[int, Thing]:
    _needs(key, "viewer")
    return 200, {"incident_statuses": world.statuses}


def users(world: World, request: Request, key: Thing, _body: Thing) -> tuple[int, Thing]:
    _needs(key, "viewer")
    _only(request, "email", "slack_user_id", "include_inactive", "page_size", "after")
    email = request.query_params.get("email", "").casefold()
    found = [user for user in world.users.values() if email in ("", user["email"].casefold())]
    role = {"id": "01ROLE", "name": "Responder", "slug": "responder"}
    page, meta = _page(request, found)
    rows = [
        {
            **user,
            "base_role": role,
            "custom_roles": [],
            "is_active": True,
            "seats": {"on_call": "none", "response": "responder"},
        }
        for user in page
    ]
    return 200, {"users": rows, "pagination_meta": meta}


def list_incidents(world: World, request: Request, key: Thing, _body: Thing) -> tuple[int, Thing]:
    _needs(key, "viewer")
    _only(
        request, "page_size", "after", "sort_by", "updated_at[gte]", "status_category[one_of]", "mode[one_of]"
    )
    categories = request.query_params.getlist("status_category[one_of]")
    modes = request.query_params.getlist("mode[one_of]") or ["standard", "retrospective"]
    rows = [
        incident
        for incident in _since(request, reversed(world.incidents.values()))
        if incident["mode"] in modes
        and (not categories or incident["incident_status"]["category"] in categories)
        and _sees(key, incident)
    ]
    page, meta = _page(request, rows)
    return 200, {"incidents": page, "pagination_meta": {**meta, "total_record_count": len(rows)}}


def show_incident(world: World, request: Request, key: Thing, _body: Thing) -> tuple[int, Thing]:
    _needs(key, "viewer")
    incident = world.incident(request.path_params["id"])
    if not _sees(key, incident):
        raise Refused(404, "not_found", "The requested resource could not be found", "not_found")
    return 200, {"incident": incident}


def create_incident(world: World, _request: Request, key: Thing, body: Thing) -> tuple[int, Thing]:
    _needs(key, "incident_creator")
    _fields(
        body,
        required="idempotency_key visibility",
        optional="name summary severity_id incident_status_id incident_type_id mode",
    )
    known = world.seen_keys.get(("incident", body["idempotency_key"]))
    if known is not None:
        return 200, {"incident": world.incidents[known]}
    if body["visibility"] not in ("public", "private") or body.get("mode", "standard") not in MODES:
        raise invalid("visibility or mode is not one of those there are")
    status = (
        _one_of(world.statuses, body["incident_status_id"], "status")
        if "incident_status_id" in body
        else world.status("triage")
    )
    if status["category"] not in CREATE_IN:
        raise invalid(f"an incident cannot be created in {status['category']}")
    severity = _one_of(world.severities, body["severity_id"], "severity") if "severity_id" in body else None
    made = world.make_incident(
        _actor(key),
        name=body.get("name") or "Untitled",
        summary=body.get("summary", ""),
        status=status,
        severity=severity,
        mode=body.get("mode", "standard"),
        visibility=body["visibility"],
    )
    world.seen_keys["incident", body["idempotency_key"]] = made["id"]
    return 200, {"incident": made}


def edit_incident(world: World, request: Request, key: Thing, body: Thing) -> tuple[int, Thing]:
    _needs(key, "incident_editor")
    if set(body) != {"incident", "notify_incident_channel"} or not isinstance(body["incident"], dict):
        raise invalid("incident and notify_incident_channel are required")
    incident = world.incident(request.path_params["id"])
    wanted = _fields(body["incident"], optional="name summary severity_id incident_status_id")
    changes = {name: wanted[name] for name in ("name", "summary") if name in wanted}
    if changes.get("name") == "":
        raise invalid("name cannot be empty")
    if "severity_id" in wanted:
        changes["severity"] = _one_of(world.severities, wanted["severity_id"], "severity")
    if "incident_status_id" in wanted:
        status = _one_of(world.statuses, wanted["incident_status_id"], "status")
        now, then = incident["incident_status"]["category"], status["category"]
        if now != then and then not in EDIT_MOVES.get(now, ()):
            raise invalid(f"an incident cannot be moved from {now} to {then} over the API")
        changes["incident_status"] = status
    return 200, {"incident": world.change_incident(incident, _actor(key), **changes)}


def list_updates(world: World, request: Request, key: Thing, _body: Thing) -> tuple[int, Thing]:
    _needs(key, "viewer")
    _only(request, "incident_id", "page_size", "after")
    wanted = request.query_params.get("incident_id", "")
    page, meta = _page(
        request, [one for one in reversed(world.updates) if wanted in ("", one["incident_id"])]
    )
    return 200, {"incident_updates": page, "pagination_meta": meta}


def create_timeline_item(world: World, _request: Request, key: Thing, body: Thing) -> tuple[int, Thing]:
    _needs(key, "incident_editor")
    _fields(body, required="idempotency_key incident_id timestamp title", optional="description")
    try:
        datetime.fromisoformat(body["timestamp"])
    except ValueError:
        raise invalid("timestamp is not a date and time") from None
    incident = world.incident(body["incident_id"])
    known = world.seen_keys.get(("timeline", body["idempotency_key"]))
    if known is None:
        stamp = world.stamp()
        made = {
            "id": world.id(),
            "incident_id": incident["id"],
            "creator": _actor(key),
            "timestamp": body["timestamp"],
            "title": body["title"],
            "description": body.get("description", ""),
            "created_at": stamp,
            "updated_at": stamp,
        }
        world.timeline.append(made)
        world.seen_keys["timeline", body["idempotency_key"]] = known = made["id"]
        incident["last_activity_at"] = world.stamp()
    return 201, {"incident_timeline_item": _one_of(world.timeline, known, "item")}


def list_follow_ups(world: World, request: Request, key: Thing, _body: Thing) -> tuple[int, Thing]:
    _needs(key, "viewer")
    _only(request, "page_size", "after", "incident_id", "incident_mode", "updated_at[gte]")
    mode = request.query_params.get("incident_mode", "")
    if mode and mode not in MODES:
        raise invalid("incident_mode is not one of those there are")
    wanted = request.query_params.get("incident_id", "")
    rows = [
        one
        for one in _since(request, sorted(world.follow_ups.values(), key=lambda row: row["id"]))
        if wanted in ("", one["incident_id"])
        and world.incidents[one["incident_id"]]["mode"] in ([mode] if mode else ["standard", "retrospective"])
        and _sees(key, world.incidents[one["incident_id"]])
    ]
    page, meta = _page(request, rows)
    return 200, {"follow_ups": page, "pagination_meta": meta}


def show_follow_up(world: World, request: Request, key: Thing, _body: Thing) -> tuple[int, Thing]:
    _needs(key, "viewer")
    found = _follow_up(world, request)
    if not _sees(key, world.incidents[found["incident_id"]]):
        raise Refused(404, "not_found", "The requested resource could not be found", "not_found")
    return 200, {"follow_up": found}


def create_follow_up(world: World, _request: Request, key: Thing, body: Thing) -> tuple[int, Thing]:
    _needs(key, "incident_editor")
    _fields(
        body,
        required="incident_id title",
        optional="description assignee_id assignee_team_id follow_up_category_id "
        "follow_up_priority_option_id external_issue_reference_id labels",
    )
    incident = world.incident(body["incident_id"])
    return 201, {"follow_up": world.make_follow_up(_actor(key), incident, **_parts(world, body))}


def update_follow_up(world: World, request: Request, key: Thing, body: Thing) -> tuple[int, Thing]:
    """What is left out is taken away, as a PUT says, but for whom it is assigned to: null does that."""
    _needs(key, "incident_editor")
    _fields(
        body,
        required="title status",
        optional="description assignee_id assignee_team_id follow_up_category_id "
        "follow_up_priority_option_id labels",
    )
    if body["status"] not in FOLLOW_UP_STATUSES:
        raise invalid("status is not one of those there are")
    found = _follow_up(world, request)
    parts = {"description": None, "priority": None, "labels": [], **_parts(world, body)}
    world.change_follow_up(found, **parts, status=body["status"])
    found.setdefault("labels", [])
    return 200, {"follow_up": found}


def _parts(world: World, body: Thing) -> Thing:
    parts: Thing = {name: body[name] for name in ("title", "description", "labels") if name in body}
    if "assignee_id" in body:
        wanted = body["assignee_id"]
        parts["assignee"] = wanted and _one_of(list(world.users.values()), wanted, "user")
    if "follow_up_priority_option_id" in body:
        parts["priority"] = _one_of(world.priorities, body["follow_up_priority_option_id"], "priority")
    return parts


def _follow_up(world: World, request: Request) -> Thing:
    found = world.follow_ups.get(request.path_params["id"])
    if found is None:
        raise Refused(404, "not_found", "The requested resource could not be found", "not_found")
    return found


def _sees(key: Thing, incident: Thing) -> bool:
    return incident["visibility"] == "public" or "global_access" in key["roles"]
