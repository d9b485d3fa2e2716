"""A vendor's guide as steps that an administrator carries out over HTTP, and what leaving one out does.

A guide ends in calls; each is told in a few words, "" where it works. The table of what each omission does is
data here: tests hold it, and docs/reference/guide-steps.md is written from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from packages.wavetank.tests.access.outside import Answer, Caller, House


class Stopped(Exception):
    """A step that the instance refuses; the text is what it told."""


@dataclass(frozen=True)
class Step:
    """`says` is what the guide has an administrator do; `added` marks what it does not say and is needed."""

    number: str
    says: str
    do: Callable[[Any], object]
    added: bool = False


@dataclass(frozen=True)
class Omission:
    """`fails`: what is told of each later step or call that does not work then; none: redundant.

    `where` is how the instance differs from a fresh one, and `start` makes it so.
    """

    steps: tuple[str, ...]
    because: str
    fails: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    start: Callable[[House], object] | None = None

    @property
    def id(self) -> str:
        return " and ".join(self.steps) + (f", {self.where}" if self.where else "")


@dataclass(frozen=True)
class Guide:
    """`scene` makes what the steps work on; its `calls` are what the integration does once it is set up.

    `installs` is the step that brings the vendor's app, which no REST call does.
    """

    name: str
    title: str
    ends: str
    scene: Callable[[House], Scene]
    steps: tuple[Step, ...]
    omissions: tuple[Omission, ...]
    installs: str = ""

    def carried_out(self, house: House, without: Collection[str] = ()) -> dict[str, str]:
        """What does not work in the end, or on the way: the first step that is refused is the last."""
        assert set(without) <= {step.number for step in self.steps}
        scene, failed = self.scene(house), {}
        for step in self.steps:
            if step.number in without:
                continue
            try:
                step.do(scene)
            except Stopped as refused:
                failed[f"step {step.number}"] = str(refused)
                break
        return failed | {name: said for name, said in scene.calls().items() if said}


class Scene:
    """What an administrator has in hand. Before the login that is nothing."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.admin: Caller = house.nobody()

    def sign_in(self) -> None:
        self.admin = self.house.person(*self.house.instance.admin)

    def elevate(self) -> None:
        answer = self.admin.submit("/elevated_role_dialog.do", {"security_admin": "true"})  # type: ignore[attr-defined]
        if answer.status_code != 302:
            raise Stopped(told(answer))

    def calls(self) -> Mapping[str, str]:
        """What is told of each call."""
        raise NotImplementedError

    def create(self, table: str, values: Mapping[str, str], **params: str) -> dict[str, Any]:
        """A new record. Raises Stopped."""
        return self._done(self.admin.call("POST", table, json=dict(values), params=params or None))

    def change(self, table: str, sys_id: str, values: Mapping[str, str], **params: str) -> None:
        """Raises Stopped."""
        self._done(self.admin.call("PATCH", f"{table}/{sys_id}", json=dict(values), params=params or None))

    def pick(self, table: str, query: str) -> str:
        """The sys_id of what a lookup offers; "" where it offers nothing. Raises Stopped."""
        answer = self.admin.get(table, query, sysparm_limit="1", sysparm_fields="sys_id")
        rows: Any = self._done(answer)
        return str(rows[0]["sys_id"]) if rows else ""

    def grant(self, user: str, role: str) -> None:
        """A role, if the list of roles has it."""
        found = self.pick("sys_user_role", f"name={role}")
        if user and found:
            self.create("sys_user_has_role", {"user": user, "role": found})

    def access_control(self, table: str, operation: str, role: str) -> None:
        """An access control on records of a table for a role, or for none. Raises Stopped."""
        row = {"name": table, "operation": operation, "type": "record", "active": "true"}
        made = self.create("sys_security_acl", {**row, "decision_type": "allow", "admin_overrides": "true"})
        if role:
            link = {"sys_security_acl": made["sys_id"], "sys_user_role": role}
            self.create("sys_security_acl_role", link)

    @staticmethod
    def _done(answer: Answer) -> dict[str, Any]:
        if said := told(answer) if answer.status_code != 200 else "":
            raise Stopped(said)
        done: dict[str, Any] = answer.json()["result"]
        return done


def told(answer: Answer) -> str:
    """An answer in a few words: "" for one that works."""
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return f"{answer.status_code} and a page"
    body = answer.json()
    if answer.status_code < 400:
        return "200 and no rows" if body.get("result") == [] else ""
    error = body["error"]
    if isinstance(error, str):
        return f"{answer.status_code} {body['error_description']}"
    return f"{answer.status_code} {error['message']}" + (f": {error['detail']}" if error["detail"] else "")
