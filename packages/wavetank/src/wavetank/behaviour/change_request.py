"""Rules of changes: New -5, Assess -4, Authorize -3, Scheduled -2, Implement -1, Review 0, Closed 3, Canceled
4.

ServiceNow docs: "State model and transitions", "Change types", "Place a change request on hold". That a
transition the model lacks is refused over REST too is not verified, hence a setting. What the form asks for
(close code, close notes) is asked by the form only: "State field policies for change models".
"""

from __future__ import annotations

from wavetank.behaviour import approval, custom
from wavetank.behaviour.change import Change
from wavetank.database.shipped import sys_id_for
from wavetank.database.store import Row

NEW, ASSESS, AUTHORIZE, SCHEDULED, IMPLEMENT = "-5", "-4", "-3", "-2", "-1"
REVIEW, CLOSED, CANCELED = "0", "3", "4"
CHECK = "Change Model: Check State Transition"
_TASK_CANCELED = "4"
_REQUESTED, _NO_LONGER, _REJECTED = "requested", "not_required", "rejected"
_END = {SCHEDULED: (IMPLEMENT, CANCELED), IMPLEMENT: (REVIEW, CANCELED), REVIEW: (CLOSED,)}
MODELS: dict[str, dict[str, tuple[str, ...]]] = {
    "normal": {
        NEW: (ASSESS, CANCELED),
        ASSESS: (AUTHORIZE, NEW, CANCELED),
        AUTHORIZE: (SCHEDULED, NEW, CANCELED),
        **_END,
    },
    "standard": {NEW: (SCHEDULED, CANCELED), **_END},
    "emergency": {NEW: (AUTHORIZE, CANCELED), AUTHORIZE: (SCHEDULED, NEW, CANCELED), **_END},
}


def transition(change: Change) -> None:
    """Refuse a step that the change's model lacks; on hold, all but canceling; closing over open tasks."""
    if not change.changes("state") or change.instance.settings.get("change_transitions") == "free":
        return
    model = MODELS.get(change.row["type"])
    before, after = change.before("state"), change.row["state"]
    allowed = model is None or after in model.get(before, ())
    held = change.before("on_hold") == "true" and change.row["on_hold"] == "true" and after != CANCELED
    if not allowed or held or (after == CLOSED and _open_tasks(change)):
        custom.abort(change, CHECK, sys_id_for("sys_script", "change_request", CHECK))


def approved(change: Change) -> None:
    """An approved change goes on: from Assess to Authorize, where approval begins anew, then to Scheduled."""
    if not change.changes_to("approval", "approved") or change.changes("state"):
        return
    if change.row["state"] == ASSESS:
        change.row["state"], change.row["approval"] = AUTHORIZE, "not requested"
    elif change.row["state"] == AUTHORIZE:
        change.row["state"] = SCHEDULED


def rejected(change: Change) -> None:
    """A rejected change goes back to New."""
    if change.changes_to("approval", _REJECTED) and change.row["state"] in (ASSESS, AUTHORIZE):
        change.row["state"] = NEW


def reverted(change: Change) -> None:
    """Back in New, nothing is asked of approvers any more."""
    if change.changes_to("state", NEW) and change.row["approval"] != _REJECTED:
        change.row["approval"] = "not requested"


def hold(change: Change) -> None:
    """Canceling ends a hold; going on hold remembers which tasks were on hold before."""
    row = change.row
    if change.changes_to("state", CANCELED):
        row["on_hold"] = "false"
    if change.changes_to("on_hold", "true"):
        row["on_hold_task"] = ",".join(
            task["sys_id"] for task in _open_tasks(change) if task["on_hold"] == "true"
        )
    elif change.changes_to("on_hold", "false"):
        row["on_hold_reason"] = ""


def tasks(change: Change) -> None:
    """Open change tasks are canceled with their change, and go on and off hold with it."""
    if change.changes_to("state", CANCELED):
        for task in _open_tasks(change):
            change.also("change_task", task, {"state": _TASK_CANCELED})
    elif change.changes("on_hold"):
        held = {"on_hold": change.row["on_hold"], "on_hold_reason": change.row["on_hold_reason"]}
        for task in _open_tasks(change):
            if task["sys_id"] not in change.row["on_hold_task"].split(","):
                change.also("change_task", task, held)


def approvals(change: Change) -> None:
    """Pending approvals end with a revert to New, rest while the change is on hold, and come back after."""
    if change.changes_to("state", NEW):
        _answer(change, _REQUESTED, "cancelled")
    elif change.changes_to("on_hold", "true"):
        _answer(change, _REQUESTED, _NO_LONGER)
    elif change.changes_to("on_hold", "false") and change.row["approval"] == _REQUESTED:
        _answer(change, _NO_LONGER, _REQUESTED)


def _answer(change: Change, before: str, after: str) -> None:
    database = change.instance.database
    for row in database.find(approval.TABLE, sysapproval=change.row["sys_id"], state=before):
        change.also(approval.TABLE, row, {"state": after}, system=True)


def _open_tasks(change: Change) -> list[Row]:
    return change.instance.database.find("change_task", change_request=change.row["sys_id"], active="true")
