"""Pages that keep themselves up to date: the server renders the live part again when something changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, StreamingResponse

from linkspan.flows.pulse import Pulse
from linkspan.web.rendering import Rendering


def stream(pulse: Pulse, render: Callable[[], str]) -> StreamingResponse:
    """Server-sent events: the part at once, again whenever it differs, and a sign of life in between."""

    async def events() -> AsyncIterator[str]:
        last = ""
        async for _ in pulse.beats():
            text = await asyncio.to_thread(render)
            yield ": still here\n\n" if text == last else _message(text)
            last = text

    return StreamingResponse(events(), media_type="text/event-stream")


def live_page(
    app: FastAPI, rendering: Rendering, pulse: Pulse, name: str, shown: Callable[[], Mapping[str, object]]
) -> None:
    """The page ``/NAME`` from ``NAME.html`` and its live part ``/live/NAME`` from ``_NAME.html``."""
    router = APIRouter(include_in_schema=False)

    @router.get(f"/{name}")
    def page() -> HTMLResponse:
        return HTMLResponse(rendering.page(f"{name}.html", **shown()))

    @router.get(f"/live/{name}")
    async def live() -> StreamingResponse:
        return stream(pulse, lambda: rendering.page(f"_{name}.html", **shown()))

    app.include_router(router)


def _message(text: str) -> str:
    return "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
