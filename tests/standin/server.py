"""The stand-in as a server, and the people who work with it."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

import uvicorn

from tests.standin.api import Faults, create
from tests.standin.webhooks import Sender, new_secret
from tests.standin.world import Thing, World

ALICE = "Alice Aronson"


class StandIn:
    """A running stand-in on a port of its own. Methods are what people do in incident.io's own pages."""

    def __init__(self) -> None:
        self.world, self.faults = World(), Faults()
        self.key = self.world.add_key()
        self.world.add_user(ALICE, "alice@example.com")
        self._senders: list[Sender] = []
        self.world.tell = self._tell
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(create(self.world, self.faults), log_level="warning", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        until = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < until, "the stand-in did not start"
            time.sleep(0.01)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for sender in self._senders:
            sender.stop()
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    # --- webhooks

    def send_webhooks_to(self, url: str, secret: str = "") -> Sender:
        """From now on every event goes there."""
        sender = Sender(url, secret or new_secret())
        sender.start()
        self._senders.append(sender)
        return sender

    def _tell(self, name: str, thing: Thing) -> None:
        for sender in self._senders:
            sender.put(name, thing)

    # --- people

    def _by(self, name: str) -> Thing:
        return {"user": self.world.person(name)}

    def declare(self, name: str, *, severity: str = "Major", status: str = "live", **more: Any) -> Thing:
        """Somebody declares an incident. ``more``: summary, mode, visibility, by."""
        by = self._by(more.pop("by", ALICE))
        return self.world.make_incident(
            by,
            name=name,
            status=self.world.status(status),
            severity=self.world.severity(severity) if severity else None,
            **more,
        )

    def edit(self, incident: Thing, *, by: str = ALICE, **values: str) -> Thing:
        """Somebody changes name, summary, severity (by name) or status (by name or category)."""
        changes: Thing = {name: values[name] for name in ("name", "summary") if name in values}
        if "severity" in values:
            changes["severity"] = self.world.severity(values["severity"])
        if "status" in values:
            changes["incident_status"] = self.world.status(values["status"])
        return self.world.change_incident(self.world.incident(incident["id"]), self._by(by), **changes)

    def say(self, incident: Thing, message: str, *, by: str = ALICE) -> Thing:
        """Somebody shares an update."""
        return self.world.share(self.world.incident(incident["id"]), self._by(by), message)

    def follow_up(self, incident: Thing, title: str, *, priority: str = "Medium", **more: Any) -> Thing:
        """Somebody adds a follow-up. ``more``: description, assignee (a name), by."""
        by = self._by(more.pop("by", ALICE))
        if "assignee" in more:
            more["assignee"] = self.world.person(more["assignee"])
        found = next((one for one in self.world.priorities if one["name"] == priority), None)
        return self.world.make_follow_up(
            by, self.world.incident(incident["id"]), title=title, priority=found, **more
        )

    def edit_follow_up(self, follow_up: Thing, **values: Any) -> Thing:
        """Somebody changes title, description, status, priority or assignee (both by name)."""
        if "priority" in values:
            values["priority"] = next(
                one for one in self.world.priorities if one["name"] == values["priority"]
            )
        if values.get("assignee"):
            values["assignee"] = self.world.person(values["assignee"])
        return self.world.change_follow_up(self.world.follow_ups[follow_up["id"]], **values)

    # --- what there is

    def incidents(self) -> list[Thing]:
        """Every incident, oldest first."""
        return list(self.world.incidents.values())

    def notes(self, incident: Thing) -> list[str]:
        """What stands on an incident's timeline, as "title: description"."""
        return [
            f"{one['title']}: {one['description']}"
            for one in self.world.timeline
            if one["incident_id"] == incident["id"]
        ]
