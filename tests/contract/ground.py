"""A hub on a port of its own in this process, for tests of what sends to it from elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linkspan.api import Access, create_app, server
from linkspan.api.satellites import satellite_routes
from linkspan.config.satellite import load_satellite
from linkspan.flows.hub import open_hub
from linkspan.flows.pulse import Pulse
from linkspan.flows.satellites import open_satellites
from linkspan.flows.wiring import Wiring
from linkspan.satellite.run import Satellite
from linkspan.store.warehouse import Warehouse
from tests import needs
from tests.contract.intake import account, there

PASSWORD = "Reader-password-4711"
KEY = "a-key-of-the-satellite"
CONFIG = """\
version: 1
instances: {other: {url: "http://127.0.0.1:1", environment: development}}
hub: {listen: "127.0.0.1:0"}
satellites: {acme: {api_keys: ["env:SATELLITE_KEY"]}}
"""


class Wire:
    """ASGI between the hub and whoever calls: remembers bodies, loses answers, refuses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.answers: list[int] = []
        self.before: Callable[[str, bytes], Response | None] = lambda _path, _body: None
        self.tamper: Callable[[str, bytes], bytes] = lambda _path, body: body
        self.lose: Callable[[str], bool] = lambda _path: False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        body = await Request(scope, receive).body()
        body = self.tamper(path, body)
        self.bodies.append(body)
        self.paths.append(path)
        instead = self.before(path, body)
        lost = self.lose(path)
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                await asyncio.sleep(3600)
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.answers.append(message["status"])
                if lost:
                    message = {**message, "status": 502, "headers": []}
            elif lost:
                message = {**message, "body": b""}
            await send(message)

        await (instead or self._app)(scope, again, watched)


class Hub:
    """Running linkspan hub over a home, with a tenant ``acme``; ``stop`` and ``start`` keep the port."""

    def __init__(self, folder: Path, store: Path) -> None:
        """``store`` is an empty linkspan.db, migrated; making one costs a second."""
        self.home = folder / "hub"
        self.home.mkdir()
        shutil.copy(store, self.home / "linkspan.db")
        self.config = folder / "linkspan.yaml"
        self.config.write_text(CONFIG)
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.wiring = Wiring.open(self.config, home=self.home)
        hub = open_hub(self.wiring, "http://127.0.0.1")
        self.satellites = open_satellites(self.wiring)
        app = create_app(hub, Access(["t"]), Pulse(hub.stamp), parts=[satellite_routes(self.satellites)])
        self.wire = Wire(app)
        listener = server.listen("127.0.0.1", self.port)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(self.wire, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: self._server.run(sockets=[listener]), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.wiring.close()

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.home)

    def rows(self, table: str = "incident", where: str = "true") -> list[dict[str, Any]]:
        name = Warehouse.table("acme-4711", table)
        if not self.warehouse.columns("acme-4711", table):
            return []
        return self.warehouse.rows(f"SELECT * FROM {name} WHERE {where} ORDER BY sys_id")

    def live(self, table: str = "incident") -> set[tuple[str, str, int]]:
        rows = self.rows(table, "_deleted_at IS NULL")
        assert len({row["sys_id"] for row in rows}) == len(rows), "a row is stored twice"
        return {(row["sys_id"], str(row["sys_updated_on"])[:19], row["sys_mod_count"]) for row in rows}


class Site:
    """The customer's side: an instance with an account, and a satellite.yml."""

    def __init__(self, folder: Path, instance: Any, hub: Hub) -> None:
        self.folder = folder / "site"
        self.folder.mkdir()
        self.instance = instance
        self.hub = hub
        self.home = self.folder / "home"
        account(instance, "svc.sei", PASSWORD, ("itil", "personalize_dictionary"))
        self.write()

    def write(self, own: str = "", more: str = "", url: str = "") -> None:
        """As the vendor's page has it, filled in; ``own`` and ``more`` are lines of ours."""
        self.file.write_text(
            "satellite:\n  tenant: acme\n  api_key: env:SATELLITE_KEY\n"
            f"  url: {self.hub.url}\n  poll_seconds: 1\n{own}"
            "integrations:\n  - id: 4711\n"
            f"    url: {url or self.instance.url}\n"
            "    username: svc.sei\n    application: servicenow\n"
            f"    api_key: env:READER_PASSWORD\n{more}"
        )

    @property
    def file(self) -> Path:
        return self.folder / "satellite.yml"

    def satellite(self, home: Path | None = None) -> Satellite:
        return Satellite(load_satellite(self.file), home or self.home)

    def satellite_holder(self) -> str:
        """Who the satellite of this home says it is."""
        found: str = json.loads((self.home / "lease.json").read_text())["holder"]
        return found

    def process(self, *arguments: str, home: Path | None = None) -> subprocess.Popen[str]:
        """``linkspan satellite run`` as its own process."""
        line = [*needs.LINKSPAN, "satellite", "run"]
        return subprocess.Popen(
            [*line, "--file", str(self.file), "--home", str(home or self.home), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )

    def once(self, home: Path | None = None) -> dict[str, Any]:
        """One pass by the command line; its envelope, with what it printed beside under ``stderr``."""
        process = self.process("--once", "--json", home=home)
        out, err = process.communicate(timeout=120)
        document: dict[str, Any] = json.loads(out)
        assert document["exit"] == process.returncode
        return {**document, "stderr": err}

    def equal(self, *tables: str) -> bool:
        return all(
            self.hub.live(table) == there(self.instance, table)
            for table in tables or ("incident", "change_request", "sys_user")
        )
