"""The page of scans: how the Scan Engine's connections stand, and what differs between the instances."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, StreamingResponse

from linkspan.core.errors import NotFound
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.flows.scan import INSTANCES_KIND, scan_comparison
from linkspan.store.reports import Reports
from linkspan.web.rendering import Rendering

TEMPLATES = Path(__file__).parent / "templates"


def scan_pages(app: FastAPI, hub: Hub, pulse: Pulse) -> None:
    """Hang the page and its live part into the hub's application."""
    rendering = Rendering(TEMPLATES)
    router = APIRouter(include_in_schema=False)

    def render(*, whole: bool) -> str:
        return rendering.page("scan.html" if whole else "_scan.html", **shown(hub))

    @router.get("/scan")
    def scan() -> HTMLResponse:
        return HTMLResponse(render(whole=True))

    @router.get("/live/scan")
    async def live_scan() -> StreamingResponse:
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
    """What the page shows: the standings that were kept, and the newest run with its differences."""
    try:
        comparison: dict[str, Any] | None = scan_comparison(hub.database)
    except NotFound:
        comparison = None
    rows = comparison["definitions"] if comparison else []
    return {
        "here": "scan",
        "standings": Reports(hub.database).load(INSTANCES_KIND, "fleet"),
        "comparison": comparison,
        "found": [row for row in rows if _says(row, "found")],
        "unknown": [row for row in rows if not _says(row, "found") and _says(row, "unknown")],
        "clean": [row for row in rows if not _says(row, "found") and not _says(row, "unknown")],
        "configured": bool(hub.config.scan),
        "config_name": hub.config.path.name,
    }


def _says(row: dict[str, Any], verdict: str) -> bool:
    return any(cell["verdict"] == verdict for cell in row["instances"].values())
