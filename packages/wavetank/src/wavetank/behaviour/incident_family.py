"""What an incident takes along: its child incidents and its incident tasks.

ServiceNow docs: "Synchronizing parent and child incidents", "Synchronization between an incident and its
incident tasks", "Incident Management properties".
"""

from __future__ import annotations

from wavetank.behaviour.change import Change
from wavetank.behaviour.incident import AWAITING_CALLER, CANCELED, CLOSED, IN_PROGRESS, ON_HOLD, RESOLVED
from wavetank.database.store import Row

CLOSE_TASKS = "com.snc.incident.incident_task.closure"
_INCOMPLETE, _SKIPPED = "4", "7"
_OVER = (CLOSED, CANCELED)


def children(change: Change) -> None:
    """Open child incidents follow their parent into In Progress, On Hold and Resolved, and nowhere else."""
    moved = change.changes("state") or change.changes("hold_reason")
    if not moved or change.row["child_incidents"] in ("", "0"):
        return
    values = _followed(change.row)
    if not values:
        return
    for child in change.instance.database.find("incident", parent_incident=change.row["sys_id"]):
        if child["state"] not in _OVER:
            change.also("incident", child, values)


def tasks(change: Change) -> None:
    """Open incident tasks are Closed Incomplete with a closed incident, Skipped with a canceled one."""
    if not change.changes_to("state", *_OVER) or change.instance.property(CLOSE_TASKS, "true") != "true":
        return
    state = _INCOMPLETE if change.row["state"] == CLOSED else _SKIPPED
    for task in change.instance.database.find("incident_task", incident=change.row["sys_id"], active="true"):
        change.also("incident_task", task, {"state": state})


def _followed(parent: Row) -> dict[str, str]:
    state = parent["state"]
    if state == IN_PROGRESS:
        return {"state": state}
    if state == ON_HOLD and parent["hold_reason"] != AWAITING_CALLER:
        return {"state": state, "hold_reason": parent["hold_reason"]}
    if state == RESOLVED:
        return {"state": state, "close_code": parent["close_code"], "close_notes": parent["close_notes"]}
    return {}
