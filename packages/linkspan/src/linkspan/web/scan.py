"""The page of scans: how the Scan Engine's connections stand, and what differs between the instances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI

from linkspan.core.errors import NotFound
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.flows.scan import INSTANCES_KIND, scan_comparison
from linkspan.store.reports import Reports
from linkspan.web.live import live_page
from linkspan.web.rendering import Rendering

TEMPLATES = Path(__file__).parent / "templates"


def scan_pages(app: FastAPI, hub: Hub, pulse: Pulse) -> None:
    """Hang the page and its live part into the hub's application."""
    live_page(app, Rendering(TEMPLATES), pulse, "scan", lambda: shown(hub))


def shown(hub: Hub) -> dict[str, object]:
    """What the page shows: the judgements that were kept, and the newest run with its differences."""
    try:
        comparison: dict[str, Any] | None = scan_comparison(hub.database)
    except NotFound:
        comparison = None
    rows = comparison["definitions"] if comparison else []
    return {
        "here": "scan",
        "judgements": Reports(hub.database).load(INSTANCES_KIND, "fleet"),
        "comparison": comparison,
        "found": [row for row in rows if _says(row, "found")],
        "unknown": [row for row in rows if not _says(row, "found") and _says(row, "unknown")],
        "clean": [row for row in rows if not _says(row, "found") and not _says(row, "unknown")],
        "configured": bool(hub.config.scan),
        "config_name": hub.config.path.name,
    }


def _says(row: dict[str, Any], verdict: str) -> bool:
    return any(cell["verdict"] == verdict for cell in row["instances"].values())
