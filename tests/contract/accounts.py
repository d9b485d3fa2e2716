"""A house on running instances: a configuration, a home of its own, and the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from linkspan.cli import run
from linkspan.flows.setup import Result, apply_all, plan_all
from linkspan.flows.wiring import Wiring
from wavetank import Instance

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def surround(patch: pytest.MonkeyPatch, home: Path) -> None:
    """The environment of a house: its home, the key of its secrets, the administrators' password."""
    patch.setenv("LINKSPAN_HOME", str(home))
    patch.setenv("LINKSPAN_KEY", KEY)
    patch.setenv("TANK_ADMIN", "admin")
    patch.delenv("LINKSPAN_DATABASE_URL", raising=False)


class House:
    """One account ``responder`` on some instances."""

    def __init__(
        self, folder: Path, instances: Iterable[Instance], capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self.instances = {one.name: one for one in instances}
        self._capsys = capsys
        self.write()

    def write(
        self, scheme: str = "basic", *, profile: str = "least", recipe: str = "sync", **urls: str
    ) -> None:
        """Write linkspan.yaml; ``urls`` replaces addresses by instance name."""
        lines = ["version: 1", "instances:"]
        for name, one in self.instances.items():
            environment = "production" if name == "prod" else "development"
            admin = 'admin: {scheme: basic, user: admin, secret: "env:TANK_ADMIN"}'
            url = urls.get(name, one.url)
            lines.append(f'  {name}: {{url: "{url}", environment: {environment}, {admin}}}')
        names = ", ".join(self.instances)
        lines += [
            "accounts:",
            f"  responder: {{recipe: {recipe}, profile: {profile}, user_name: svc.responder, "
            f"owner: abel.tuter, instances: [{names}], scheme: {scheme}}}",
        ]
        self.config.write_text("\n".join(lines) + "\n")

    @property
    def config(self) -> Path:
        return self.folder / "linkspan.yaml"

    def wiring(self) -> Wiring:
        return Wiring.open(self.config)

    def apply(self) -> Result:
        """Plan and apply, and insist that it worked."""
        with self.wiring() as wiring:
            result = apply_all(wiring, plan_all(wiring))
        assert result.problems == ()
        return result

    def command(self, *arguments: str) -> dict[str, Any]:
        """One command of the command line with --json; its envelope."""
        self._capsys.readouterr()
        code = run([*arguments, "--config", str(self.config), "--json"])
        document: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        assert document["exit"] == code
        return document


def requests_since(instance: Instance, number: int = 0) -> list[dict[str, Any]]:
    """What the instance was asked after request ``number``."""
    answer = instance.control(f"requests?since={number}")
    found: list[dict[str, Any]] = answer.get("result", answer) if isinstance(answer, dict) else answer
    return found


def last_request(instance: Instance) -> int:
    return max((one["n"] for one in requests_since(instance)), default=0)


def rows(instance: Instance, table: str, query: str = "") -> list[dict[str, Any]]:
    """Rows as they lie there, past every rule."""
    from urllib.parse import quote

    found: list[dict[str, Any]] = instance.control(f"records/{table}?sysparm_query={quote(query)}")["result"]
    return found


def change(instance: Instance, table: str, query: str, **values: str) -> None:
    """Change every row that matches, past every rule."""
    matching = rows(instance, table, query)
    assert matching, f"no {table} with {query}"
    for row in matching:
        instance.control(f"records/{table}/{row['sys_id']}", values, method="PATCH")
