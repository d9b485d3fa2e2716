"""incident.io: OAuth, an account, three access controls brought in by a person, follow-ups as tasks.

The desk stands in for the far side, on a hub of its own: what is played here must not mix with the streams.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from linkspan.core.errors import Rejected
from linkspan.demo.guides.checked import Checked, same
from linkspan.demo.line import Line
from linkspan.demo.person import Person
from linkspan.demo.stage import ADMIN, Stage

INSTANCE = "qa"
RESPONDER, RESPONDER_NAME = "responder", "svc.responder"
WAIT_SECONDS = 45.0
LOOK_EVERY = 0.25
OPERATIONS = {"create", "read", "write"}

_CONFIG = """\
# Written by `linkspan demo`: incidents and follow-ups between the desk and one instance.
version: 1
instances:
  {instance}: {{url: "{url}", environment: qa, admin: {{scheme: basic, user: admin, secret: "env:QA_ADMIN"}}}}
accounts:
  {account}: {{recipe: incident-io, profile: least, user_name: {user_name}, owner: admin,
    instances: [{instance}], scheme: oauth_password}}
sync:
  major: {{peer: desk, instance: {instance}, account: {account}, poll_seconds: 0.5, follow_ups: task}}
hub: {{listen: "127.0.0.1:{port}", tokens: ["env:LINKSPAN_TOKEN"]}}
"""


class Corner(Stage):
    """A corner of the stage: another home and hub before one of the same instances."""

    def __init__(self, stage: Stage) -> None:
        home = stage.home / "incident-io"
        home.mkdir(exist_ok=True)
        super().__init__(home)
        self.urls = {INSTANCE: stage.urls[INSTANCE]}
        self.config.write_text(self._configuration(), encoding="utf-8")

    def _configuration(self) -> str:
        return _CONFIG.format(
            instance=INSTANCE,
            url=self.urls[INSTANCE],
            account=RESPONDER,
            user_name=RESPONDER_NAME,
            port=self._port,
        )


def play(stage: Stage) -> list[Checked]:
    """From nothing to follow-ups in step."""
    with Corner(stage) as corner:
        instance = corner.instance(INSTANCE)
        applied = corner.linkspan("apply", RESPONDER, "--yes")
        file = corner.home / "access-controls.xml"
        built = corner.linkspan("app", "build", RESPONDER, "--instance", INSTANCE, "--out", str(file))
        with Person(corner.urls[INSTANCE], *ADMIN) as admin:
            admin.sign_in()
            admin.elevate()
            admin.import_update_set(file.read_text(encoding="utf-8"))
        asked = corner.linkspan("preflight", RESPONDER, "--write")
        return [
            *_account(instance, applied, built, asked),
            *_sync(corner, instance),
        ]


def _account(
    instance: Line, applied: dict[str, Any], built: dict[str, Any], asked: dict[str, Any]
) -> list[Checked]:
    (one,) = applied["result"]["instances"].values()
    controls = instance.rows(
        "sys_security_acl_role",
        "sys_user_role.name=linkspan_follow_ups^sys_security_acl.name=task^sys_security_acl.active=true",
        "sys_security_acl.operation",
    )
    (user, *_) = instance.rows("sys_user", f"user_name={RESPONDER_NAME}") or [{}]
    checks = (asked["result"] or {}).get("checks", [])
    unwell = [check["check"] for check in checks if check["outcome"] not in ("pass", "skip")]
    return [
        same("the account signs in through OAuth", one["logins"], {RESPONDER: RESPONDER_NAME}),
        same("what only a person may do was left to one", [m["kind"] for m in one["manual"]], ["acl"] * 3),
        same("the update set was built", built["exit"], 0),
        same(
            "three access controls on task stand with the role of the integration",
            {row["sys_security_acl.operation"] for row in controls},
            OPERATIONS,
        ),
        same(
            "a machine, for web services only",
            (user.get("identity_type"), user.get("web_service_access_only")),
            ("machine", "true"),
        ),
        Checked(
            check="preflight finds nothing wrong", ok=bool(checks) and not unwell, seen=", ".join(unwell)
        ),
    ]


def _sync(corner: Stage, instance: Line) -> list[Checked]:
    corner.start_hub()
    hub = corner.hub()
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
