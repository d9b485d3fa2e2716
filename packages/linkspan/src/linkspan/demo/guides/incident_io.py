"""incident.io: OAuth, an account, three access controls brought in by a person, follow-ups as tasks.

The account is the one of the demo's sync, set up before this is played; the desk stands in for the far side.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from linkspan.core.errors import Rejected
from linkspan.demo.guides.checked import Checked, same
from linkspan.demo.line import Line
from linkspan.demo.stage import ACCOUNT, NAMES, SYNCED, USER_NAME, Stage

WAIT_SECONDS = 90.0
LOOK_EVERY = 0.5
OPERATIONS = {"create", "read", "write"}
ROLE = "linkspan_follow_ups"


def play(stage: Stage) -> list[Checked]:
    """What stands of the account, then an incident with follow-ups made on both sides."""
    return [
        *(check for name in NAMES for check in _account(stage.instance(name), name)),
        *_sync(stage.hub(), stage.instance(SYNCED)),
    ]


def _account(instance: Line, name: str) -> list[Checked]:
    controls = instance.rows(
        "sys_security_acl_role",
        f"sys_user_role.name={ROLE}^sys_security_acl.name=task^sys_security_acl.active=true",
        "sys_security_acl.operation",
    )
    applications = instance.rows("oauth_entity", f"name=linkspan.{ACCOUNT}^active=true", "user.user_name")
    (user, *_) = instance.rows("sys_user", f"user_name={USER_NAME}") or [{}]
    return [
        same(
            f"{name}: an OAuth application runs as the account",
            [row["user.user_name"] for row in applications],
            [USER_NAME],
        ),
        same(
            f"{name}: three access controls on task stand with the role of the integration",
            {row["sys_security_acl.operation"] for row in controls},
            OPERATIONS,
        ),
        same(
            f"{name}: a machine, for web services only",
            (user.get("identity_type"), user.get("web_service_access_only")),
            ("machine", "true"),
        ),
    ]


def _sync(hub: Line, instance: Line) -> list[Checked]:
    declared = _done(
        hub, "POST", "/api/desk/incidents", {"name": "Checkout fails", "severity": "high", "status": "live"}
    )
    first = _done(
        hub,
        "POST",
        f"/api/desk/incidents/{declared['id']}/follow-ups",
        {"title": "Alert on the gateway", "priority": "high"},
    )
    incident = _until(lambda: _first(instance, "incident", "short_description=Checkout fails"))
    task = _until(lambda: _first(instance, "task", f"parent={incident.get('sys_id', 'none')}"))
    written = {"short_description": "Write down what happened", "parent": incident.get("sys_id", "")}
    other = _done(instance, "POST", "/api/now/table/task", written)["result"] if incident else {}
    mirrored = _until(lambda: _follow_up(hub, declared["id"], "Write down what happened"))
    _done(hub, "PATCH", f"/api/desk/follow-ups/{first['id']}", {"status": "completed"})
    if other:
        instance.change("task", other["sys_id"], {"state": "7"})
    done = _until(lambda: _first(instance, "task", f"sys_id={task.get('sys_id', 'none')}^state=3"))
    skipped = _until(lambda: _follow_up(hub, declared["id"], "Write down what happened", status="not_doing"))
    return [
        same(
            "an incident of the far side has one record", incident.get("short_description"), "Checkout fails"
        ),
        same(
            "its follow-up is a task below that record",
            (task.get("short_description"), task.get("priority"), task.get("parent")),
            ("Alert on the gateway", "3", incident.get("sys_id")),
        ),
        same(
            "a task below the record is a follow-up of the incident", mirrored.get("incident"), declared["id"]
        ),
        Checked(
            check="a follow-up that was done closes its task",
            ok=bool(done),
            seen="" if done else "the task is open",
        ),
        Checked(
            check="a task that was skipped closes its follow-up",
            ok=bool(skipped),
            seen="" if skipped else "it is open",
        ),
    ]


def _done(line: Line, method: str, path: str, body: Mapping[str, str]) -> dict[str, Any]:
    answer = line.call(method, path, body=body)
    if not answer.ok:
        raise Rejected(f"{method} {path}: {answer.status} {answer.body}", where=line.url)
    found: dict[str, Any] = answer.body
    return found


def _first(instance: Line, table: str, query: str) -> dict[str, Any]:
    found = instance.rows(table, query)
    return dict(found[0]) if found else {}


def _follow_up(hub: Line, incident: str, title: str, **wanted: str) -> dict[str, Any]:
    found = hub.get(f"/api/desk/incidents/{incident}")["follow_ups"]
    matching = {"title": title, **wanted}
    return next((one for one in found if all(one[name] == value for name, value in matching.items())), {})


def _until(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What is looked for, once it is there; empty when it does not come."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
    return found
