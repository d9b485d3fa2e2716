"""The page of findings: what was received and what became of it, and what waits for a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI

from linkspan.findings.status import status as findings_status
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.store import findings as store
from linkspan.web.live import live_page
from linkspan.web.rendering import Rendering

TEMPLATES = Path(__file__).parent / "templates"
NEWEST = 40


def finding_pages(app: FastAPI, hub: Hub, pulse: Pulse) -> None:
    """Hang the page and its live part into the hub's application."""
    live_page(app, Rendering(TEMPLATES), pulse, "findings", lambda: shown(hub))


def shown(hub: Hub) -> dict[str, object]:
    """What the page shows: the equation of each source, what is in need, and the newest findings."""
    status = findings_status(hub.database, list(hub.config.findings))
    with hub.database.read() as connection:
        rows = store.newest(connection, limit=NEWEST)
    return {
        "here": "findings",
        "sources": status["sources"],
        "needs": status["in_need"],
        "fates": store.FATES,
        "newest": [_row(hub, row) for row in rows],
        "config_name": hub.config.path.name,
    }


def _row(hub: Hub, row: dict[str, Any]) -> dict[str, Any]:
    source = hub.config.findings.get(row["source"])
    instance = hub.config.instances.get(source.instance) if source else None
    url = (
        f"{instance.url}/{row['table_name']}.do?sys_id={row['sys_id']}" if instance and row["sys_id"] else ""
    )
    return {
        **row,
        "url": url,
        "where": row["document"]["where"],
        "instance": source.instance if source else "",
    }
