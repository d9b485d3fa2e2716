"""Fleet, desk and incident pages. Each has a live part, which the server renders again when it differs."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Form, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles

from linkspan.core.errors import LinkspanError, NotFound, Rejected, Stale
from linkspan.desk import (
    DEFAULTS,
    FINAL_STATUSES,
    FOLLOW_UP_STATUSES,
    PRIORITIES,
    SEVERITIES,
    STATUSES,
    FollowUp,
    Incident,
)
from linkspan.flows.hub import FATES, Hub
from linkspan.flows.pulse import Pulse
from linkspan.web.live import stream
from linkspan.web.rendering import Rendering

HERE = Path(__file__).parent
PAGE_SIZE = 25
CROSSINGS = 8
RECENT = 15

Text = Annotated[str, Form()]
MaybeText = Annotated[str | None, Form()]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


def pages(app: FastAPI, hub: Hub, pulse: Pulse) -> None:
    """Hang the pages, their live streams and their static files into the hub's application."""
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    views = Views(hub, Rendering(HERE / "templates"))
    app.include_router(_fleet(views, pulse))
    app.include_router(_desk(views, pulse))
    app.include_router(_follow_ups(views))
    _lost(app, views)


@dataclass(frozen=True)
class Views:
    """What each page shows, as HTML text."""

    hub: Hub
    rendering: Rendering

    def fleet(self, *, whole: bool) -> str:
        """The fleet page, or its live part."""
        return self.rendering.page(
            "fleet.html" if whole else "_fleet.html",
            here="fleet",
            fates=FATES,
            config_name=self.hub.config.path.name,
            **self.hub.status(),
            **self.hub.fleet(),
            events=self.hub.events(limit=RECENT),
        )

    def desk(self, search: Search, *, whole: bool, **more: object) -> str:
        """A page of the desk's list with the form to declare, or its live part."""
        page = self.hub.desk.incidents(
            limit=PAGE_SIZE, offset=search.offset, status=search.status, search=search.q, order="changed"
        )
        end = search.offset + len(page.rows)
        return self.rendering.page(
            "desk.html" if whole else "_desk.html",
            here="desk",
            incidents=page.rows,
            links=self.hub.links_of([row.id for row in page.rows]),
            total=page.total,
            previous=max(0, search.offset - PAGE_SIZE) if search.offset else None,
            following=end if end < page.total else None,
            status=search.status,
            q=search.q,
            address=search.address(search.offset),
            address_at=search.address,
            severities=SEVERITIES,
            key=uuid.uuid4().hex,
            **{"form": DEFAULTS, "problem": None, **more},
        )

    def incident(self, incident: Incident, *, whole: bool, problem: LinkspanError | None = None) -> str:
        """The page of one incident, or its live part."""
        follow_ups = self.hub.desk.follow_ups.of(incident.id)
        links = self.hub.links_of([incident.id, *(follow_up.id for follow_up in follow_ups)])
        link = links.get(incident.id)
        syncs = [sync for sync in self.hub.config.syncs.values() if sync.peer == "desk"]
        return self.rendering.page(
            "incident.html" if whole else "_incident.html",
            here="desk",
            incident=incident,
            timeline=self.hub.desk.timeline(incident.id, limit=500),
            follow_ups=follow_ups,
            links=links,
            follow_up_statuses=FOLLOW_UP_STATUSES,
            priorities=PRIORITIES,
            link=link,
            events=self.hub.events(limit=CROSSINGS, link_id=link["id"]) if link else [],
            syncs=syncs,
            follow_ups_synced=any(sync.follow_ups for sync in syncs),
            statuses=STATUSES,
            severities=SEVERITIES,
            final=incident.status in FINAL_STATUSES,
            config_name=self.hub.config.path.name,
            key=uuid.uuid4().hex,
            problem=problem,
        )

    def found(self, number: str) -> Incident:
        """The incident of an address. Raises NotFound."""
        incident = self.hub.desk.incident(number)
        if incident is None:
            raise NotFound(f"There is no {number[:40]} on the desk.", fix="Look for it in the list.")
        return incident

    def found_follow_up(self, number: str) -> tuple[FollowUp, Incident]:
        """The follow-up of an address and its incident. Raises NotFound."""
        follow_up = self.hub.desk.follow_ups.find(number)
        if follow_up is None:
            raise NotFound(
                f"There is no {number[:40]} on the desk.", fix="Look for its incident in the list."
            )
        return follow_up, self.found(follow_up.incident)

    def answer(self, request: Request, incident: Incident) -> Response:
        """After a change: the live part for htmx, the page again for a plain form."""
        if _by_htmx(request):
            return HTMLResponse(self.incident(incident, whole=False))
        return RedirectResponse(f"/desk/{incident.number}", 303)

    def refusal(self, request: Request, error: LinkspanError, whole: Callable[[], str]) -> Response:
        """A change that was refused: a notice for htmx, the page with the notice for a plain form."""
        status = 409 if error.code in ("final_status", "stale", "key_reused") else 422
        if _by_htmx(request):
            notice = self.rendering.page("_notice.html", problem=error)
            return HTMLResponse(notice, status, {"HX-Retarget": "#notice", "HX-Reswap": "innerHTML"})
        return HTMLResponse(whole(), status)


@dataclass(frozen=True)
class Search:
    """What the list of the desk is narrowed to. ``status`` is empty for all."""

    status: str
    q: str
    offset: int

    def address(self, offset: int) -> str:
        """The query string of this search, starting at ``offset``."""
        return urlencode({"status": self.status or "all", "q": self.q, "offset": offset})


def _search(status: str = "open", q: str = "", offset: Offset = 0) -> Search:
    word = status if status == "open" or status in STATUSES else ""
    return Search(word, q[:200], offset)


def _fleet(views: Views, pulse: Pulse) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def fleet() -> HTMLResponse:
        return HTMLResponse(views.fleet(whole=True))

    @router.get("/live/fleet")
    async def live_fleet() -> StreamingResponse:
        return stream(pulse, lambda: views.fleet(whole=False))

    @router.get("/sign-in")
    def sign_in(refused: bool = False) -> HTMLResponse:
        return HTMLResponse(views.rendering.page("sign_in.html", refused=refused), 401 if refused else 200)

    @router.get("/favicon.ico")
    def favicon() -> FileResponse:
        return FileResponse(HERE / "static/mark.svg", media_type="image/svg+xml")

    return router


def _desk(views: Views, pulse: Pulse) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    desk = views.hub.desk

    @router.get("/desk")
    def incidents(status: str = "open", q: str = "", offset: Offset = 0) -> HTMLResponse:
        return HTMLResponse(views.desk(_search(status, q, offset), whole=True))

    @router.get("/live/desk")
    async def live_desk(status: str = "open", q: str = "", offset: Offset = 0) -> StreamingResponse:
        return stream(pulse, lambda: views.desk(_search(status, q, offset), whole=False))

    @router.post("/desk")
    def declare(
        request: Request, name: Text = "", severity: Text = "moderate", summary: Text = "", key: Text = ""
    ) -> Response:
        fields = {"name": name.strip(), "severity": severity, "summary": _lines(summary)}
        try:
            incident = desk.declare(fields, key=_key(key))
        except LinkspanError as error:
            problem = error
            return views.refusal(
                request,
                problem,
                lambda: views.desk(_search(), whole=True, form=fields, problem=problem),
            )
        path = f"/desk/{incident.number}"
        if _by_htmx(request):
            return Response(status_code=200, headers={"HX-Redirect": path})
        return RedirectResponse(path, 303)

    @router.get("/desk/{number}")
    def incident(number: str) -> HTMLResponse:
        return HTMLResponse(views.incident(views.found(number), whole=True))

    @router.get("/live/desk/{number}")
    async def live_incident(number: str) -> StreamingResponse:
        await asyncio.to_thread(views.found, number)
        return stream(pulse, lambda: views.incident(views.found(number), whole=False))

    @router.post("/desk/{number}/edit")
    def edit(
        request: Request,
        number: str,
        name: MaybeText = None,
        summary: MaybeText = None,
        severity: MaybeText = None,
        status: MaybeText = None,
        was_name: Text = "",
        was_summary: Text = "",
    ) -> Response:
        before = views.found(number)
        try:
            changes = {
                **_changed("name", before.name, was_name, name),
                **_changed("summary", before.summary, was_summary, _whole(summary, name)),
                **({"severity": severity} if severity is not None else {}),
                **({"status": status} if status is not None else {}),
            }
            after = desk.edit(before.id, changes, version=before.version if name is not None else None)
        except (Rejected, Stale) as error:
            problem = error
            return views.refusal(
                request, problem, lambda: views.incident(views.found(number), whole=True, problem=problem)
            )
        return views.answer(request, after)

    @router.post("/desk/{number}/updates")
    def add_update(
        request: Request, number: str, text: Text = "", author: Text = "", key: Text = ""
    ) -> Response:
        found = views.found(number)
        try:
            desk.add_update(found.id, _lines(text), author=author.strip() or "Desk", key=_key(key))
        except Rejected as error:
            problem = error
            return views.refusal(request, problem, lambda: views.incident(found, whole=True, problem=problem))
        return views.answer(request, views.found(number))

    return router


def _follow_ups(views: Views) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    follow_ups = views.hub.desk.follow_ups

    @router.get("/follow-ups/{number}")
    def follow_up(number: str) -> RedirectResponse:
        found, incident = views.found_follow_up(number)
        return RedirectResponse(f"/desk/{incident.number}#{found.number}", 303)

    @router.post("/desk/{number}/follow-ups")
    def add(
        request: Request,
        number: str,
        title: Text = "",
        description: Text = "",
        priority: Text = "medium",
        assignee: Text = "",
        key: Text = "",
    ) -> Response:
        incident = views.found(number)
        wishes = {
            "title": title.strip(),
            "description": _lines(description),
            "priority": priority,
            "assignee": assignee.strip(),
        }
        try:
            follow_ups.add(incident.id, wishes, key=_key(key))
        except Rejected as error:
            problem = error
            return views.refusal(
                request, problem, lambda: views.incident(incident, whole=True, problem=problem)
            )
        return views.answer(request, incident)

    @router.post("/follow-ups/{number}/edit")
    def edit(
        request: Request,
        number: str,
        title: MaybeText = None,
        description: MaybeText = None,
        priority: MaybeText = None,
        assignee: MaybeText = None,
        status: MaybeText = None,
        was_title: Text = "",
        was_description: Text = "",
        was_priority: Text = "",
        was_assignee: Text = "",
    ) -> Response:
        before, incident = views.found_follow_up(number)
        try:
            changes = {
                **_changed("title", before.title, was_title, title),
                **_changed("description", before.description, was_description, _whole(description, title)),
                **_changed("priority", before.priority, was_priority, priority),
                **_changed("assignee", before.assignee, was_assignee, _whole(assignee, title)),
                **({"status": status} if status is not None else {}),
            }
            follow_ups.edit(before.id, changes, version=before.version if title is not None else None)
        except (Rejected, Stale) as error:
            problem = error
            return views.refusal(
                request, problem, lambda: views.incident(incident, whole=True, problem=problem)
            )
        return views.answer(request, incident)

    return router


def _changed(name: str, now: str, was: str, wanted: str | None) -> dict[str, str]:
    """The change a form asks for, judged by what its writer saw. Raises Stale when that has moved on."""
    if wanted is None or _lines(wanted) == _lines(was):
        return {}
    if _lines(now) not in (_lines(was), _lines(wanted)):
        raise Stale(
            f"The {name} was changed meanwhile to “{now[:80]}”.", fix="Reload the page and edit it again."
        )
    return {name: _lines(wanted)}


def _whole(text: str | None, first: str | None) -> str | None:
    """A field that somebody emptied arrives as if it were not in the form: it was, when the first one is."""
    return "" if text is None and first is not None else text


def _lines(text: str) -> str:
    """A form sends CRLF where a person pressed Enter; the desk keeps plain line breaks."""
    return text.replace("\r\n", "\n").rstrip()


def _key(form_key: str) -> str:
    return f"web:{form_key}" if form_key else ""


def _by_htmx(request: Request) -> bool:
    return request.headers.get("HX-Request") == "true"


def _lost(app: FastAPI, views: Views) -> None:
    """A person at a wrong address gets a page; programs keep the JSON they had."""
    for kind in (NotFound, HTTPException):
        plain: Any = app.exception_handlers.get(kind) or app.exception_handlers[LinkspanError]

        async def answer(request: Request, error: Exception, plain: Any = plain) -> Response:
            status = getattr(error, "status_code", 404)
            is_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
                "/api/"
            )
            if status != 404 or not is_page or _by_htmx(request):
                response: Response = await plain(request, error)
                return response
            text = error.cause if isinstance(error, NotFound) else "There is no such page on this hub."
            return HTMLResponse(
                views.rendering.page("lost.html", here="lost", title="Not found", text=text), 404
            )

        app.add_exception_handler(kind, answer)
