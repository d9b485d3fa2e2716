"""The hub's application: JSON routes, health, metrics and the live stream; pages are handed in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Form, Query, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import ASGIApp

from linkspan import __version__
from linkspan.api import desk, metrics, mttr
from linkspan.api.access import Access
from linkspan.api.guard import Guard, let_in
from linkspan.api.problems import answer_problems
from linkspan.core import clock
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse

Part = Callable[[FastAPI, Hub, Pulse], None]


def create_app(hub: Hub, access: Access, pulse: Pulse, *, parts: Sequence[Part] = ()) -> ASGIApp:
    """The guarded application of ``hub``. ``parts`` add what else it serves (its pages).

    Live streams follow ``pulse`` and end when it is stopped, which a server does before it closes.
    """
    app = FastAPI(
        title="linkspan hub",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    answer_problems(app)
    app.include_router(desk.routes(hub))
    app.include_router(_routes(hub))
    app.include_router(mttr.routes(hub))
    app.include_router(_live(hub, pulse))
    app.include_router(_sign_in(access))
    for part in parts:
        part(app, hub, pulse)
    return Guard(app, access)


def _routes(hub: Hub) -> APIRouter:
    router = APIRouter(tags=["hub"])

    @router.get("/api/sync/status")
    def sync_status() -> dict[str, Any]:
        """The state of every sync, as ``linkspan sync status`` says it."""
        return hub.status()

    @router.get("/api/links")
    def links(
        sync: str = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    ) -> dict[str, Any]:
        """Links, newest first."""
        page = hub.links(sync=sync, limit=limit, offset=offset)
        end = offset + len(page["links"])
        shown = [
            {**link, "synced_at": None if link["synced_at"] is None else clock.iso_time(link["synced_at"])}
            for link in page["links"]
        ]
        return {
            "links": shown,
            "total": page["total"],
            "next": end if shown and end < page["total"] else None,
        }

    @router.get("/api/preflight")
    def preflight() -> dict[str, Any]:
        """The last answer to every preflight question."""
        return hub.preflight()

    @router.get("/api/fleet")
    def fleet() -> dict[str, Any]:
        """Every instance with what is known about it."""
        return hub.fleet()

    @router.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, bool]:
        return {"ok": True}

    @router.get("/readyz", include_in_schema=False)
    def readyz() -> Response:
        problems = hub.problems()
        return JSONResponse({"ok": not problems}, 503 if problems else 200)

    @router.get("/metrics", include_in_schema=False)
    def prometheus() -> Response:
        return PlainTextResponse(metrics.render(hub.status()), media_type=metrics.CONTENT_TYPE)

    return router


def _sign_in(access: Access) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.post("/sign-in")
    def sign_in(request: Request, token: Annotated[str, Form()] = "") -> Response:
        return let_in(access, token, "/", secure=request.url.scheme == "https")

    return router


def _live(hub: Hub, pulse: Pulse) -> APIRouter:
    router = APIRouter(tags=["live"])

    def snapshot() -> str:
        document = {**hub.status(), "links": hub.links(limit=10)["total"], "events": hub.events(limit=10)}
        return json.dumps(document, separators=(",", ":"))

    @router.get("/live")
    async def live() -> StreamingResponse:
        """Server-sent events: ``status`` with syncs and newest events at once and on every change."""

        async def stream() -> AsyncIterator[str]:
            last = ""
            async for _ in pulse.beats():
                text = await asyncio.to_thread(snapshot)
                # A line of comment keeps the connection known to be alive when nothing has changed.
                yield ": still here\n\n" if text == last else f"event: status\ndata: {text}\n\n"
                last = text

        return StreamingResponse(stream(), media_type="text/event-stream")

    return router
