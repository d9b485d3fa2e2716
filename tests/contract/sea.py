"""A sync without its threads: two sides on a running instance, moved by hand, crashed at will."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from linkspan.config.values import InstanceConfig
from linkspan.connection import Basic, Connection, connect
from linkspan.core import clock
from linkspan.core.errors import LinkspanError
from linkspan.core.peer import Peer
from linkspan.core.secret import Secret
from linkspan.desk import Desk, DeskFollowUpPeer
from linkspan.desk.peer import DeskPeer
from linkspan.feed.journal import Author, NoteReader
from linkspan.flows.sync import follow_ups
from linkspan.records import Records
from linkspan.store import Database, inbox
from linkspan.store.database import make_engine
from linkspan.sync.binding import Binding
from linkspan.sync.intake import InstanceIntake, PeerIntake
from linkspan.sync.settle import Settler

FIELDS = ("sys_id", "number", "short_description", "description", "priority", "state", "correlation_id")


class Crash(BaseException):
    """The process dies here; nothing catches it."""


class Boundaries:
    """Counts the places where a process may die and dies at one of them."""

    def __init__(self) -> None:
        self.passed = 0
        self.fatal: int | None = None

    def step(self) -> None:
        self.passed += 1
        if self.passed == self.fatal:
            self.fatal = None
            raise Crash


class CrashingDatabase(Database):
    """A store whose transactions are boundaries: the process may die before one or after its commit."""

    boundaries: Boundaries

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        self.boundaries.step()
        with super().begin() as connection:
            yield connection
        self.boundaries.step()


class Sea:
    """One instance, one desk, one sync between them, and the people on both sides."""

    incident_peer: Callable[[Desk], Peer] = DeskPeer
    follow_up_peer: Callable[[Desk], Peer] = DeskFollowUpPeer

    def __init__(
        self,
        instance: Any,
        home: Path,
        *,
        roles: tuple[str, ...] = ("sn_incident_write",),
        follow_ups: bool = False,
    ) -> None:
        self.with_follow_ups = follow_ups
        self.instance = InstanceConfig(name="prod", url=instance.url, environment="production")
        self.home = home
        self.boundaries = Boundaries()
        self.admin = connect(self.instance, Basic("admin", Secret("admin")))
        tag = secrets.token_hex(4)
        self.service = self._user(f"svc.{tag}", "Service", roles)
        self.analyst = connect(self.instance, Basic(*self._user(f"ana.{tag}", "Analyst", ("itil",))))
        self.sync = f"desk{tag}"
        self.shift = 0.0
        clock.set_clock(lambda: time.time() + self.shift)
        make = make_engine(f"sqlite:///{home / 'linkspan.db'}")
        Database(make).migrate()
        make.dispose()
        self.board()

    def _user(self, name: str, last: str, roles: tuple[str, ...]) -> tuple[str, Secret]:
        password = secrets.token_urlsafe(18)
        values = {
            "user_name": name,
            "first_name": name,
            "last_name": last,
            "active": "true",
            "user_password": password,
            "web_service_access_only": "true",
            "time_zone": "GMT",
        }
        user = self.admin.table.create("sys_user", values, input_display=True)
        for role in roles:
            found = self.admin.table.first("sys_user_role", f"name={role}", ("sys_id",))
            assert found is not None, role
            self.admin.table.create("sys_user_has_role", {"user": user["sys_id"], "role": found["sys_id"]})
        return name, Secret(password)

    def board(self) -> None:
        """A new process on the same home: everything in memory is gone."""
        self.database = CrashingDatabase(make_engine(f"sqlite:///{self.home / 'linkspan.db'}"))
        self.database.boundaries = self.boundaries
        self.desk = Desk(Database(self.database.engine))
        line = connect(self.instance, Basic(*self.service))
        me = line.whoami()
        line.call = self._crashing(line.call)  # type: ignore[method-assign]
        self.line: Connection = line
        self.binding = Binding(
            name=self.sync,
            instance="prod",
            peer=self.incident_peer(Desk(self.database)),
            peer_title="the desk",
            connection=line,
            records=Records(self.database, line, instance="prod"),
            notes=NoteReader(line, Author(user_name=me["user_name"], name=me["name"])),
            database=self.database,
            account=me["sys_id"],
        )
        self._hang()

    def _hang(self) -> None:
        bindings = [self.binding]
        if self.with_follow_ups:
            peer = self.follow_up_peer(Desk(self.database))
            bindings.append(follow_ups(self.binding, peer, table="task"))
        self.intakes = [make(binding) for binding in bindings for make in (InstanceIntake, PeerIntake)]
        self.settlers = {binding.name: Settler(binding) for binding in bindings}

    def _crashing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def crashing(*arguments: Any, **named: Any) -> Any:
            self.boundaries.step()
            reply = call(*arguments, **named)
            self.boundaries.step()
            return reply

        return crashing

    def scope(self, condition: str) -> None:
        """From now on only incidents that match enter the sync."""
        self.binding = replace(self.binding, condition=condition)
        self._hang()

    def turn(self) -> int:
        """Poll both sides, drain what waits; how many links had work."""
        try:
            for intake in self.intakes:
                intake.poll()
        except LinkspanError:
            return 1
        drained = 0
        for line, settler in self.settlers.items():
            with self.database.read() as connection:
                links = inbox.waiting_links(connection, line)
            for link in links:
                settler.drain(link)
            drained += len(links)
        return drained

    def rest(self, turns: int = 12) -> None:
        """Turn until two turns in a row find nothing, time passing in between; die and go on."""
        still = 0
        for _ in range(turns):
            try:
                still = 0 if self.turn() else still + 1
            except Crash:
                self.line.close()
                self.database.close()
                self.board()
                still = 0
            if still == 2:
                return
            self.shift += 61
        raise AssertionError(f"does not come to rest: {self.ledger()}")

    def ledger(self, line: str = "") -> dict[str, int]:
        with self.database.read() as connection:
            return inbox.counts(connection, line or self.sync)

    # --- what people see

    def records(self) -> list[dict[str, Any]]:
        """Incidents of this run: those with our correlation id and those the analyst opened."""
        mine = f"correlation_idSTARTSWITHls:{self.sync}:^ORcaller_id.user_name={self.service[0]}"
        return self.admin.table.page("incident", query=mine, fields=FIELDS).rows

    def notes_of(self, sys_id: str) -> list[str]:
        query = f"element_id={sys_id}^element=work_notes^ORDERBYsys_created_on"
        rows = self.admin.table.page("sys_journal_field", query=query, fields=("value",)).rows
        return [row["value"] for row in rows]

    def close(self) -> None:
        clock.set_clock(None)
        for line in (self.line, self.admin, self.analyst):
            line.close()
        self.database.close()
