"""The page of accounts: what there is on the fleet, who asked for what, and the ledger with its seal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, StreamingResponse

from linkspan.flows.govern import REPORT_KIND, described
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.store.ledger import Ledger
from linkspan.store.reports import Reports
from linkspan.store.requests import Requests
from linkspan.web.rendering import Rendering

TEMPLATES = Path(__file__).parent / "templates"
NEWEST = 25
REQUESTS = 50


def account_pages(app: FastAPI, hub: Hub, pulse: Pulse) -> None:
    """Hang the page and its live part into the hub's application."""
    rendering = Rendering(TEMPLATES)
    router = APIRouter(include_in_schema=False)

    def render(*, whole: bool) -> str:
        return rendering.page("accounts.html" if whole else "_accounts.html", **shown(hub))

    @router.get("/accounts")
    def accounts() -> HTMLResponse:
        return HTMLResponse(render(whole=True))

    @router.get("/live/accounts")
    async def live_accounts() -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            last = ""
            async for _ in pulse.beats():
                text = await asyncio.to_thread(render, whole=False)
                lines = "".join(f"data: {line}\n" for line in text.splitlines())
                yield ": still here\n\n" if text == last else f"{lines}\n"
                last = text

        return StreamingResponse(events(), media_type="text/event-stream")

    app.include_router(router)


def shown(hub: Hub) -> dict[str, object]:
    """What the page shows: kept inventories in the order of the configuration, requests, the ledger."""
    kept = Reports(hub.database).all(REPORT_KIND)
    ledger = Ledger(hub.database)
    return {
        "here": "accounts",
        "inventories": [(name, kept[name]) for name in hub.config.instances if name in kept],
        "missing": [name for name in hub.config.instances if name not in kept],
        "requests": [
            described(one, hub.config.instances) for one in Requests(hub.database).list(limit=REQUESTS)
        ],
        "entries": ledger.latest(limit=NEWEST),
        "broken": ledger.verify(),
        "head": ledger.head(),
    }
