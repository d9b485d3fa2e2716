"""What the hub can tell and do, for its API and its pages: plain values in, plain values out.

The hub is the running linkspan: the desk, the syncs' runner and the store behind one door.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from linkspan.config.values import Config, SyncConfig
from linkspan.desk import Desk, Event
from linkspan.flows.watch import budget, state
from linkspan.store import Database, inbox, links
from linkspan.store.inbox import FATES as SETTLED
from linkspan.store.links import Shown
from linkspan.store.reports import Reports
from linkspan.store.stamp import stamp
from linkspan.sync.binding import follow_ups_of, sync_of

if TYPE_CHECKING:
    from linkspan.flows.wiring import Wiring

Document = dict[str, Any]
_SUMMARY = {"pass": "passed", "warn": "warned", "fail": "failed", "skip": "skipped", "unknown": "unknown"}
FATES = (*SETTLED, "pending")


class Runner(Protocol):
    """What keeps the syncs going."""

    def start(self) -> None:
        """Begin in the background; returns at once."""

    def stop(self) -> None:
        """End what is under way and return; safe to call twice."""

    def nudge(self, line: str) -> None:
        """Look at this line of a sync now instead of at its next poll."""


class Background(Protocol):
    """Work that goes on as long as the hub runs. What it needs after a crash lies in the store."""

    def start(self) -> None:
        """Begin on threads of its own; returns at once."""

    def stop(self) -> None:
        """End what is under way and return; safe to call twice."""


@dataclass(frozen=True, kw_only=True)
class Hub:
    """One home's hub. ``status_of`` tells the state of one sync (see ``sync status``)."""

    config: Config
    home: Path
    database: Database
    desk: Desk
    status_of: Callable[[Database, SyncConfig], Document]
    runner: Runner | None = None
    background: tuple[Background, ...] = ()

    def start(self) -> None:
        """Start the syncs, and wake them with every change people make on the desk."""
        if self.runner is not None:
            self.desk.on_change(self._wake)
            self.runner.start()
        for part in self.background:
            part.start()

    def stop(self) -> None:
        """Stop the syncs and what else goes on."""
        for part in self.background:
            part.stop()
        if self.runner is not None:
            self.runner.stop()

    def problems(self) -> list[str]:
        """Why the hub is not ready, as sentences; empty when it is."""
        problem = self.database.problem()
        return [problem] if problem else []

    def status(self) -> Document:
        """``{"syncs": {NAME: …}}`` as ``linkspan sync status`` prints it, with where each leads."""
        return {
            "syncs": {
                name: {
                    "peer": sync.peer,
                    "instance": sync.instance,
                    "account": sync.account,
                    "poll_s": sync.poll_seconds,
                    **self.status_of(self.database, sync),
                    "budget": budget(self.config, sync),
                }
                for name, sync in self.config.syncs.items()
            }
        }

    def links(self, *, sync: str = "", limit: int = 50, offset: int = 0) -> Document:
        """A page of links, newest first (an order that edits do not stir): ``{"links": […], "total": n}``."""
        lines = (sync, follow_ups_of(sync)) if sync else ()
        with self.database.read() as connection:
            total = links.count_of(connection, lines)
            page = links.page(connection, lines, limit=limit, offset=offset)
        return {"links": [self._link(shown) for shown in page], "total": total}

    def links_of(self, incidents: list[str]) -> dict[str, Document]:
        """Links of these desk incidents or follow-ups, by id."""
        lines = [
            line
            for name, sync in self.config.syncs.items()
            if sync.peer == "desk"
            for line in (name, follow_ups_of(name))
        ]
        with self.database.read() as connection:
            found = links.of_peers(connection, lines, incidents)
        return {shown.link.peer_id or "": self._link(shown) for shown in found}

    def events(self, *, limit: int = 20, link_id: int | None = None) -> list[Document]:
        """The newest events of the syncs with their fates, newest first."""
        with self.database.read() as connection:
            rows = inbox.latest(connection, limit=limit, link_id=link_id)
        return [self._event(row) for row in rows]

    def preflight(self) -> Document:
        """The last answers: ``{"checks": […], "summary": {passed, failed, …}, "at": seconds | None}``."""
        documents = sorted(Reports(self.database).all("preflight").values(), key=lambda found: found["at"])
        checks: dict[tuple[str, str, str], Document] = {}
        for document in documents:  # oldest first: a later answer to the same question replaces it
            for check in document.get("checks", ()):
                question = (check.get("instance", ""), check.get("account", ""), check.get("check", ""))
                checks[question] = {**check, "at": document["at"]}
        summary = dict.fromkeys(_SUMMARY.values(), 0)
        for check in checks.values():
            summary[_SUMMARY[check["outcome"]]] += 1
        at = documents[-1]["at"] if documents else None
        return {"checks": list(checks.values()), "summary": summary, "at": at}

    def fleet(self) -> Document:
        """``{"instances": [{name, environment, url, release, accounts, syncs, preflight}]}``."""
        checks = self.preflight()["checks"]
        facts = Reports(self.database).all("instance")
        return {
            "instances": [
                {
                    "name": name,
                    "environment": instance.environment,
                    "url": instance.url,
                    "release": facts.get(name, {}).get("release", ""),
                    "accounts": [a.name for a in self.config.accounts.values() if name in a.instances],
                    "syncs": [s.name for s in self.config.syncs.values() if s.instance == name],
                    "preflight": _verdict([check for check in checks if check.get("instance") == name]),
                }
                for name, instance in self.config.instances.items()
            ]
        }

    def nudge(self, sync: str) -> None:
        """Look at this sync now."""
        if self.runner is not None:
            self.runner.nudge(sync)
            if self.config.syncs[sync].follow_ups:
                self.runner.nudge(follow_ups_of(sync))

    def stamp(self) -> tuple[object, ...]:
        """A value that differs as soon as something a page shows has changed. Cheap."""
        with self.database.read() as connection:
            return stamp(connection)

    def _wake(self, event: Event) -> None:
        if event.origin == "person":
            for name, sync in self.config.syncs.items():
                if sync.peer == "desk" and self.runner is not None:
                    self.runner.nudge(follow_ups_of(name) if event.follow_up else name)

    def _event(self, row: Mapping[str, Any]) -> Document:
        sync, kind = sync_of(row["sync"]), _kind(row["sync"])
        peer = self.config.syncs[sync].peer if sync in self.config.syncs else ""
        folder, reference = "/desk" if kind == "incident" else "/follow-ups", row["peer_reference"]
        return {
            "seq": row["seq"],
            "sync": sync,
            "kind": kind,
            "side": row["side"],
            "link": row["link_id"],
            "number": row["number"],
            "instance": row["instance"],
            "peer": peer,
            "peer_id": row["peer_id"],
            "peer_reference": reference,
            "page": f"{folder}/{reference}" if peer == "desk" and reference else "",
            "version": row["version"],
            "received_at": row["received_at"],
            "fate": row["fate"] or "pending",
            "reason": row["reason"] or "",
            "lag_s": None if row["fated_at"] is None else max(0.0, row["fated_at"] - row["received_at"]),
        }

    def _link(self, shown: Shown) -> Document:
        link = shown.link
        instance = self.config.instances.get(link.instance)
        record = (
            f"{instance.url}/{link.table_name}.do?sys_id={link.sys_id}" if instance and link.sys_id else ""
        )
        return {
            "id": link.id,
            "sync": sync_of(link.sync),
            "kind": _kind(link.sync),
            "instance": link.instance,
            "table": link.table_name,
            "sys_id": link.sys_id,
            "number": link.number,
            "url": record,
            "peer_id": link.peer_id,
            "peer_reference": link.peer_reference,
            "state": _link_state(shown),
            "pending": shown.pending,
            "synced_at": link.synced_at,
            "lag_s": shown.lag,
            "attempts": link.attempts,
            "problem": link.problem,
        }


def open_hub(wiring: Wiring, url: str) -> Hub:
    """The hub of a home, its syncs ready to start. ``url`` is where people reach it."""
    from linkspan.flows.findings import Intake
    from linkspan.flows.sync import open_runner

    desk = Desk(wiring.database)
    return Hub(
        config=wiring.config,
        home=wiring.home,
        database=wiring.database,
        desk=desk,
        status_of=state,
        runner=open_runner(wiring, desk, url),
        background=(Intake(wiring),),
    )


def _kind(line: str) -> str:
    return "incident" if sync_of(line) == line else "follow-up"


def _link_state(shown: Shown) -> str:
    if shown.link.problem:
        return "parked" if not shown.pending else "waiting"
    if shown.pending:
        return "catching up"
    return "in step" if shown.link.synced_at is not None else "new"


def _verdict(checks: list[Mapping[str, Any]]) -> Document:
    """What the checks of one instance say together; ``state`` is ready, warned, failed or unknown."""
    count = dict.fromkeys(("pass", "warn", "fail", "skip", "unknown"), 0)
    for check in checks:
        count[check["outcome"]] += 1
    if not checks:
        state = "unknown"
    elif count["fail"]:
        state = "failed"
    elif count["warn"] or count["unknown"]:
        state = "warned"
    else:
        state = "ready"
    return {
        "state": state,
        "counts": count,
        "checks": [dict(check) for check in checks],
        "at": max((check["at"] for check in checks), default=None),
    }
