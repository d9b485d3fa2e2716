"""A house that ingests from a running instance, and the scenes its tests lay out."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from linkspan.config.values import InstanceConfig
from linkspan.connection import Basic, Connection, connect
from linkspan.core.secret import Secret
from linkspan.ingest.exclude import Exclusion
from linkspan.store.warehouse import Warehouse
from tests.contract.accounts import House, change, rows

T0 = "2026-02-01 10:00:00"


class Reader(House):
    """A house whose account ``reader`` ingests from one instance."""

    def setup(self, *, roles: Sequence[str] = ("itil", "personalize_dictionary"), streams: str) -> None:
        """Write the configuration, and make the account as an administrator would have."""
        self.streams(streams)
        for name, instance in self.instances.items():
            password = secrets.token_urlsafe(18)
            user = account(instance, "svc.responder", password, roles)
            assert user
            self.wiring().secrets.put(f"{name}/responder/basic", password)

    def streams(self, streams: str) -> None:
        """Ingest these streams from now on."""
        self.write()
        parts = ", ".join(
            f"{name}: {{account: responder, streams: {{{streams}}}}}" for name in self.instances
        )
        self.config.write_text(self.config.read_text() + f"ingest: {{{parts}}}\n")

    def ingest(self, *arguments: str) -> dict[str, Any]:
        """One run; its envelope."""
        return self.command("ingest", "run", *arguments)

    def stream(self, name: str = "incident", *arguments: str) -> dict[str, Any]:
        """One run; what it says of one stream. Anything that went wrong fails here."""
        done = self.ingest(*arguments)
        assert done["problems"] == [], done["problems"]
        found: dict[str, Any] = done["result"]["streams"][name]
        return found

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(Path(os.environ["LINKSPAN_HOME"]))

    def stored(
        self, table: str = "incident", columns: str = "*", where: str = "true"
    ) -> list[dict[str, Any]]:
        name = next(iter(self.instances))
        return self.warehouse.rows(
            f"SELECT {columns} FROM {Warehouse.table(name, table)} WHERE {where} ORDER BY sys_id"
        )

    def live(self, table: str = "incident") -> set[tuple[str, str, int]]:
        """(sys_id, sys_updated_on, sys_mod_count) of every row that is stored and not deleted."""
        rows = self.stored(
            table, "sys_id, CAST(sys_updated_on AS VARCHAR) AS u, sys_mod_count AS n", "_deleted_at IS NULL"
        )
        assert len({row["sys_id"] for row in rows}) == len(rows), "a row is stored twice"
        return {(row["sys_id"], row["u"][:19], row["n"]) for row in rows}


def there(instance: Any, table: str = "incident", query: str = "") -> set[tuple[str, str, int]]:
    """The same of what lies on the instance, past every rule."""
    return {
        (row["sys_id"], row["sys_updated_on"], int(row["sys_mod_count"]))
        for row in rows(instance, table, query)
    }


def plant(instance: Any, table: str, made: Iterable[dict[str, str]]) -> list[dict[str, Any]]:
    """Rows past every rule, system fields as given."""
    found: list[dict[str, Any]] = instance.control(f"records/{table}", list(made))["result"]
    return found


NOTHING = Exclusion()


def account(instance: Any, user_name: str, password: str, roles: Iterable[str]) -> str:
    """A new machine user with these roles; its sys_id."""
    values = {"user_name": user_name, "user_password": password, "active": "true", "time_zone": "GMT"}
    (user,) = plant(instance, "sys_user", [{**values, "web_service_access_only": "true"}])
    for role in roles:
        (found,) = rows(instance, "sys_user_role", f"name={role}")
        held = {"user": user["sys_id"], "role": found["sys_id"], "state": "active", "inherited": "false"}
        plant(instance, "sys_user_has_role", [held])
    return str(user["sys_id"])


def member(instance: Any, *roles: str) -> Connection:
    """A line as a new user with these roles."""
    name, password = f"svc.{secrets.token_hex(4)}", secrets.token_urlsafe(18)
    account(instance, name, password, roles)
    return connect(InstanceConfig(name="dev", url=instance.url), Basic(name, Secret(password)))


def hide(instance: Any, condition: str, table: str = "incident") -> None:
    """From now on only rows of ``table`` that match are visible, to anybody but administrators."""
    change(instance, "sys_security_acl", f"name={table}^operation=read", condition=condition)


def between(line: Connection, change_params: Callable[[str, dict[str, Any]], Any]) -> list[dict[str, Any]]:
    """Put something between the line and the instance; the list of parameters that passed it.

    ``change_params`` may change the parameters, raise, or return an answer of its own.
    """
    passed: list[dict[str, Any]] = []
    call = line.call

    def changed(method: str, path: str, *, params: Any = None, **named: Any) -> Any:
        params = dict(params or {})
        answer = change_params(path, params)
        passed.append(params)
        return call(method, path, params=params, **named) if answer is None else answer

    line.call = changed  # type: ignore[method-assign]
    return passed
