"""What the hub can tell and do, for its API and its pages: plain values in, plain values out.

The hub is the running linkspan: the desk, the syncs' runner and the store behind one door.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa

from linkspan.config.values import Config, SyncConfig
from linkspan.core import clock
from linkspan.desk import Desk, Event
from linkspan.flows.watch import budget, state
from linkspan.store import Database
from linkspan.store.inbox import FATES as SETTLED
from linkspan.store.reports import Reports
from linkspan.store.tables import desk_event, desk_follow_up_event, inbox, ledger, link, report, sighting
from linkspan.sync.binding import follow_ups_of, sync_of

if TYPE_CHECKING:
    from linkspan.flows.wiring import Wiring

Document = dict[str, Any]
_SUMMARY = {"pass": "passed", "warn": "warned", "fail": "failed", "skip": "skipped", "unknown": "unknown"}
FATES = (*SETTLED, "pending")
_STAMPS = (
    sa.select(sa.func.max(inbox.c.seq)),
    sa.select(sa.func.count()).select_from(inbox).where(inbox.c.fate.is_(None)),
    sa.select(sa.func.max(inbox.c.fated_at)).where(inbox.c.fate.is_not(None)),
    sa.select(sa.func.max(link.c.synced_at)),
    sa.select(sa.func.max(desk_event.c.seq)),
    sa.select(sa.func.max(desk_follow_up_event.c.seq)),
    sa.select(sa.func.max(report.c.at)),
    sa.select(sa.func.max(ledger.c.seq)),
    sa.select(sa.func.max(sighting.c.seq)),
    sa.select(sa.func.max(sighting.c.fated_at)),
)
_STAMP = sa.select(*(part.scalar_subquery() for part in _STAMPS))


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
    started_at: float = field(default_factory=clock.now)

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
        try:
            with self.database.read() as transaction:
                transaction.execute(sa.select(sa.func.count()).select_from(report)).scalar_one()
        except sa.exc.SQLAlchemyError as error:
            return [f"the store does not answer: {type(error).__name__}"]
        return []

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
        matching = [link.c.sync.in_((sync, follow_ups_of(sync)))] if sync else []
        with self.database.read() as transaction:
            total = transaction.execute(
                sa.select(sa.func.count()).select_from(link).where(*matching)
            ).scalar_one()
            rows = transaction.execute(
                _links_with_pending().where(*matching).order_by(link.c.id.desc()).limit(limit).offset(offset)
            ).all()
        return {"links": [self._link(row) for row in rows], "total": total}

    def links_of(self, incidents: list[str]) -> dict[str, Document]:
        """Links of these desk incidents or follow-ups, by id."""
        syncs = [
            line
            for name, sync in self.config.syncs.items()
            if sync.peer == "desk"
            for line in (name, follow_ups_of(name))
        ]
        query = _links_with_pending().where(link.c.peer_id.in_(incidents), link.c.sync.in_(syncs))
        with self.database.read() as transaction:
            return {row.peer_id: self._link(row) for row in transaction.execute(query)}

    def events(self, *, limit: int = 20, link_id: int | None = None) -> list[Document]:
        """The newest events of the syncs with their fates, newest first."""
        query = (
            sa.select(
                inbox,
                link.c.number,
                link.c.peer_id,
                link.c.peer_reference,
                link.c.instance,
                link.c.table_name,
            )
            .join(link, link.c.id == inbox.c.link_id)
            .order_by(inbox.c.seq.desc())
            .limit(limit)
        )
        if link_id is not None:
            query = query.where(inbox.c.link_id == link_id)
        with self.database.read() as transaction:
            return [self._event(row) for row in transaction.execute(query)]

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
        with self.database.read() as transaction:
            return tuple(transaction.execute(_STAMP).one())

    def _wake(self, event: Event) -> None:
        if event.origin == "person":
            for name, sync in self.config.syncs.items():
                if sync.peer == "desk" and self.runner is not None:
                    self.runner.nudge(follow_ups_of(name) if event.follow_up else name)

    def _event(self, row: sa.Row[Any]) -> Document:
        sync, kind = sync_of(row.sync), _kind(row.sync)
        peer = self.config.syncs[sync].peer if sync in self.config.syncs else ""
        folder = "/desk" if kind == "incident" else "/follow-ups"
        return {
            "seq": row.seq,
            "sync": sync,
            "kind": kind,
            "side": row.side,
            "link": row.link_id,
            "number": row.number,
            "instance": row.instance,
            "peer": peer,
            "peer_id": row.peer_id,
            "peer_reference": row.peer_reference,
            "page": f"{folder}/{row.peer_reference}" if peer == "desk" and row.peer_reference else "",
            "version": row.version,
            "received_at": row.received_at,
            "fate": row.fate or "pending",
            "reason": row.reason or "",
            "lag_s": None if row.fated_at is None else max(0.0, row.fated_at - row.received_at),
        }

    def _link(self, row: sa.Row[Any]) -> Document:
        instance = self.config.instances.get(row.instance)
        record = f"{instance.url}/{row.table_name}.do?sys_id={row.sys_id}" if instance and row.sys_id else ""
        return {
            "id": row.id,
            "sync": sync_of(row.sync),
            "kind": _kind(row.sync),
            "instance": row.instance,
            "table": row.table_name,
            "sys_id": row.sys_id,
            "number": row.number,
            "url": record,
            "peer_id": row.peer_id,
            "peer_reference": row.peer_reference,
            "state": _link_state(row),
            "pending": row.pending,
            "synced_at": row.synced_at,
            "lag_s": row.lag,
            "attempts": row.attempts,
            "problem": row.problem,
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


def _links_with_pending() -> sa.Select[Any]:
    pending = (
        sa.select(sa.func.count())
        .where(inbox.c.link_id == link.c.id, inbox.c.fate.is_(None))
        .correlate(link)
        .scalar_subquery()
    )
    newest = (
        sa.select(sa.func.max(inbox.c.seq))
        .where(inbox.c.link_id == link.c.id, inbox.c.fate == "applied")
        .correlate(link)
        .scalar_subquery()
    )
    lag = (
        sa.select(inbox.c.fated_at - inbox.c.received_at)
        .where(inbox.c.seq == newest)
        .correlate(link)
        .scalar_subquery()
    )
    return sa.select(link, pending.label("pending"), lag.label("lag"))


def _kind(line: str) -> str:
    return "incident" if sync_of(line) == line else "follow-up"


def _link_state(row: sa.Row[Any]) -> str:
    if row.problem:
        return "parked" if not row.pending else "waiting"
    if row.pending:
        return "catching up"
    return "in step" if row.synced_at is not None else "new"


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
