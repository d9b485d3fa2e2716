"""Service accounts under governance: asked for, allowed by the manager there, explored with, reduced."""

from __future__ import annotations

from typing import Any

from linkspan.demo.guides.checked import Checked, same
from linkspan.demo.line import Line, basic
from linkspan.demo.stage import GOVERNED, GOVERNED_NAME, NAMES, SYNCED, Stage

REQUESTER, MANAGER = "abel.tuter", "beth.anglin"
KEPT, LEFT = "ServiceNow Service Accounts", "ServiceNow API Explorers"


def play(stage: Stage) -> list[Checked]:
    """From the question to the machine, and the book that tells of it."""
    password = _introduce(stage.instance(SYNCED))
    manager = Line(stage.urls[SYNCED], basic(MANAGER, password))
    asked = stage.linkspan("accounts", "request", GOVERNED, "--by", REQUESTER, "--reason", "Nightly report")
    request = asked["result"] or {}
    number = str(request.get("id", 0))
    early = stage.linkspan("accounts", "status", number, "--apply")
    before = [_users(stage, name) for name in NAMES]
    _approve(manager)
    done = stage.linkspan("accounts", "status", number, "--apply")
    exploring = [_groups(stage, name) for name in NAMES]
    types = [user["identity_type"] for name in NAMES for user in _users(stage, name)]
    reduced = stage.linkspan("accounts", "minimize", GOVERNED, "--by", REQUESTER)
    settled = [_groups(stage, name) for name in NAMES]
    flags = [user["web_service_access_only"] for name in NAMES for user in _users(stage, name)]
    return [
        same("the request waits for the requester's manager", request.get("manager"), MANAGER),
        same("nothing is created before the decision", (early["exit"], before), (4, [[]] * len(NAMES))),
        same("approved there, it is carried out", (done["exit"], _states(done)), (0, ["fulfilled"])),
        same("exploring: two groups on every instance", exploring, [{KEPT, LEFT}] * len(NAMES)),
        same("exploring: a human account, pages open", types, ["human"] * len(NAMES)),
        same("reduced: the exploring group is gone", (reduced["exit"], settled), (0, [{KEPT}] * len(NAMES))),
        same("reduced: web services only", flags, ["true"] * len(NAMES)),
        *_told(stage),
    ]


def _states(reply: dict[str, Any]) -> list[str]:
    return [request["state"] for request in (reply["result"] or {}).get("requests", [])]


def _told(stage: Stage) -> list[Checked]:
    inventory = (stage.linkspan("accounts", "list")["result"] or {}).get("instances", {})
    owners = [
        account["owner"]
        for name in NAMES
        for account in inventory.get(name, {}).get("accounts", [])
        if account["user_name"] == GOVERNED_NAME
    ]
    book = stage.linkspan("accounts", "ledger", "--limit", "1000")["result"] or {}
    actors = {entry["actor"] for entry in book.get("entries", [])}
    return [
        same("the inventory names its owner on every instance", owners, [REQUESTER] * len(NAMES)),
        same("the ledger verifies", book.get("verified"), True),
        Checked(
            check="the ledger names who asked and who allowed",
            ok={REQUESTER, MANAGER} <= actors,
            seen=", ".join(sorted(actors)),
        ),
    ]


def _introduce(line: Line) -> str:
    """Give the requester a manager who can sign in; the manager's password."""
    password = "Her own pass 1!"  # noqa: S105 - of an emulated person on the loopback
    (manager,) = line.rows("sys_user", f"user_name={MANAGER}")
    (requester,) = line.rows("sys_user", f"user_name={REQUESTER}")
    line.change("sys_user", requester["sys_id"], {"manager": manager["sys_id"]})
    line.change("sys_user", manager["sys_id"], {"user_password": password}, input_display=True)
    return password


def _approve(manager: Line) -> None:
    """What the manager does in ServiceNow, signed in as themselves."""
    waiting = manager.rows("sysapproval_approver", f"approver.user_name={MANAGER}^state=requested")
    for approval in waiting:
        manager.change("sysapproval_approver", approval["sys_id"], {"state": "approved"})


def _users(stage: Stage, name: str) -> list[dict[str, str]]:
    return stage.instance(name).rows("sys_user", f"user_name={GOVERNED_NAME}")


def _groups(stage: Stage, name: str) -> set[str]:
    query = f"user.user_name={GOVERNED_NAME}"
    return {row["group.name"] for row in stage.instance(name).rows("sys_user_grmember", query, "group.name")}
