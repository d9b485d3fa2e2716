"""An instance small enough to read: tables of rows, equality queries, and a wire that can break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from linkspan.connection import Page
from linkspan.core.errors import Ambiguous, NotAuthenticated, Unreachable
from linkspan.provision.apply import Applied, Desk, apply_instance
from linkspan.provision.credentials import Credentials
from linkspan.provision.kinds import Intent
from linkspan.provision.plan import Order, plan_instance
from linkspan.provision.recipe import Grant, Profile
from linkspan.provision.values import InstancePlan


class Tables:
    """Rows by table. ``break_at`` stops the n-th write: before it is done, or after with the answer lost."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, str]]] = {}
        self.writes: list[tuple[str, str, dict[str, str]]] = []
        self.reads = 0
        self.added = 0
        self.break_at: tuple[int, str] | None = None
        self.before_write: Any = lambda _table, _values: None

    def add(self, table: str, **values: str) -> str:
        self.added += 1
        sys_id = f"{self.added:04d}{table}"
        self.rows.setdefault(table, []).append({"sys_id": sys_id, **values})
        return sys_id

    def first(self, table: str, query: str, fields: Sequence[str] = ()) -> dict[str, Any] | None:
        found = self.page(table, query=query, fields=fields).rows
        return found[0] if found else None

    def page(self, table: str, *, query: str = "", fields: Sequence[str] = (), limit: int = 1000) -> Page:
        self.reads += 1
        rows = [row for row in self.rows.get(table, []) if self._matches(row, query)]
        return Page(rows=[self._shape(row, fields) for row in rows[:limit]], total=len(rows))

    def get(self, table: str, sys_id: str, fields: Sequence[str] = ()) -> dict[str, Any] | None:
        return self.first(table, f"sys_id={sys_id}", fields)

    def create(
        self,
        table: str,
        values: Mapping[str, str],
        *,
        input_display: bool = False,
        fields: Sequence[str] = (),
    ) -> dict[str, Any]:
        return self._write(
            "create", table, dict(values), lambda: self._insert(table, values, input_display), fields
        )

    def update(
        self,
        table: str,
        sys_id: str,
        values: Mapping[str, str],
        *,
        input_display: bool = False,
        fields: Sequence[str] = (),
    ) -> dict[str, Any]:
        def change() -> dict[str, str]:
            row = next(row for row in self.rows[table] if row["sys_id"] == sys_id)
            row.update(self._stored(values, input_display))
            return row

        return self._write("update", table, dict(values), change, fields)

    def delete(self, table: str, sys_id: str) -> bool:
        def remove() -> dict[str, str]:
            self.rows[table] = [row for row in self.rows[table] if row["sys_id"] != sys_id]
            return {}

        self._write("delete", table, {"sys_id": sys_id}, remove, ())
        return True

    def _write(
        self, verb: str, table: str, values: dict[str, str], do: Any, fields: Sequence[str]
    ) -> dict[str, Any]:
        self.before_write(table, values)
        self.writes.append((verb, table, values))
        broken = self.break_at is not None and self.break_at[0] == len(self.writes)
        if broken and self.break_at[1] == "before":
            raise Unreachable("the wire broke")
        row = do()
        if broken and self.break_at[1] == "after":
            raise Ambiguous("the answer is lost")
        return self._shape(row, fields)

    def _insert(self, table: str, values: Mapping[str, str], input_display: bool) -> dict[str, str]:
        stored = self._stored(values, input_display)
        if table == "oauth_entity":
            stored.setdefault("client_id", f"client{len(self.rows.get(table, []))}")
        self.add(table, **stored)
        return self.rows[table][-1]

    @staticmethod
    def _stored(values: Mapping[str, str], input_display: bool) -> dict[str, str]:
        stored = dict(values)
        for name in ("user_password", "password"):
            if name in stored and not input_display:
                stored[name] = f"literal:{stored[name]}"
        return stored

    def _matches(self, row: Mapping[str, str], query: str) -> bool:
        for term in filter(None, query.split("^")):
            name, _, value = term.partition("=")
            if self._dotted(row, name) != value:
                return False
        return True

    def _dotted(self, row: Mapping[str, str], name: str) -> str:
        field, dot, rest = name.partition(".")
        if not dot:
            return row.get(field, "")
        for rows in self.rows.values():
            for other in rows:
                if other["sys_id"] == row.get(field):
                    return other.get(rest, "")
        return ""

    def _shape(self, row: Mapping[str, str], fields: Sequence[str]) -> dict[str, Any]:
        # A cell the instance has no value for reads as an empty string, as it does over the API.
        return {name: self._dotted(row, name) for name in fields} if fields else dict(row)


class Line:
    def __init__(self, tables: Tables) -> None:
        self.table = tables


class Shelf:
    """A secret store in memory."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.waiting: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        return self.values.get(name, self.waiting.get(name))

    def newest(self, name: str) -> str | None:
        return self.waiting.get(name, self.values.get(name))

    def is_pending(self, name: str) -> bool:
        return name in self.waiting

    def put(self, name: str, value: str, *, pending: bool = False) -> None:
        (self.waiting if pending else self.values)[name] = value

    def confirm(self, name: str) -> None:
        self.values[name] = self.waiting.pop(name)


@dataclass
class Marked:
    account: str
    kind: str
    key: str
    sys_id: str
    fingerprint: str = ""


class Marks:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], Marked] = {}

    def mark(
        self, instance: str, account: str, kind: str, key: str, sys_id: str, fingerprint: str = ""
    ) -> None:
        self.rows[instance, kind, key] = Marked(account, kind, key, sys_id, fingerprint)

    def find(self, instance: str, account: str | None = None) -> list[Marked]:
        return [mark for (where, _, _), mark in self.rows.items() if where == instance]

    def forget(self, instance: str, kind: str, key: str) -> None:
        self.rows.pop((instance, kind, key), None)


class Ledger:
    def __init__(self) -> None:
        self.entries: list[tuple[str, str, str, Mapping[str, Any]]] = []

    def append(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        self.entries.append((actor, action, subject, detail))


class World:
    """One instance ``dev`` with two people and the usual roles, and everything apply writes to."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.shelf = Shelf()
        self.marks = Marks()
        self.ledger = Ledger()
        self.failed_logins = 0
        for role in ("sn_incident_write", "snc_platform_rest_api_access", "itil", "admin"):
            self.tables.add("sys_user_role", name=role)
        self.tables.add("sys_user", user_name="abel.tuter")

    def intent(
        self,
        scheme: str = "basic",
        roles: tuple[str, ...] = ("sn_incident_write", "snc_platform_rest_api_access"),
        owner: str = "abel.tuter",
    ) -> Intent:
        grants = tuple(Grant(role=role, because=f"it needs {role}") for role in roles)
        return Intent(
            account="responder",
            user_name="svc.responder",
            owner=owner,
            profile=Profile(name="least", says="", grants=grants),
            scheme=scheme,
        )

    def order(self, intent: Intent | None = None) -> Order:
        intent = intent or self.intent()
        credentials = Credentials(self.shelf, instance="dev", account=intent.account, scheme=intent.scheme)
        peers = {
            one.name: Credentials(self.shelf, instance=one.name, account=intent.account, scheme=intent.scheme)
            for one in intent.fleet
        }
        return Order(intent=intent, credentials=credentials, peers=peers)

    def plan(self, intent: Intent | None = None) -> InstancePlan:
        return plan_instance("dev", Line(self.tables), [self.order(intent)], self.marks.find("dev"))

    def apply(self, plan: InstancePlan, intent: Intent | None = None) -> Applied:
        desk = Desk(line=Line(self.tables), marks=self.marks, ledger=self.ledger, login=self.login)
        return apply_instance(plan, {"responder": self.order(intent)}, desk)

    def login(self, intent: Intent, credentials: Credentials) -> str:
        parts = credentials.parts()
        if credentials.uses_client:
            clients = self.tables.rows.get("oauth_entity", [])
            found = [one for one in clients if one["client_id"] == parts["client_id"]]
            if not found or found[0]["client_secret"] != parts["client_secret"]:
                self.failed_logins += 1
                raise NotAuthenticated("refused", code="oauth_refused")
        if credentials.uses_password:
            users = self.tables.rows["sys_user"]
            user = next((one for one in users if one["user_name"] == intent.user_name), {})
            if user.get("user_password") != parts["password"]:
                self.failed_logins += 1
                raise NotAuthenticated("refused")
        return intent.user_name


@pytest.fixture
def world() -> World:
    return World()
