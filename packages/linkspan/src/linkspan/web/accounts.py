"""The page of accounts: what there is on the fleet, who asked for what, and the ledger with its seal."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from linkspan.flows.govern import REPORT_KIND
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.governance import described
from linkspan.store.ledger import Ledger
from linkspan.store.reports import Reports
from linkspan.store.requests import Requests
from linkspan.web.live import live_page
from linkspan.web.rendering import Rendering

TEMPLATES = Path(__file__).parent / "templates"
NEWEST = 25
REQUESTS = 50


def account_pages(app: FastAPI, hub: Hub, pulse: Pulse) -> None:
    """Hang the page and its live part into the hub's application."""
    live_page(app, Rendering(TEMPLATES), pulse, "accounts", lambda: shown(hub))


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
