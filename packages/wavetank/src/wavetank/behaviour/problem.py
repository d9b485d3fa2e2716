"""Rules of problems: New 101, Assess 102, Root Cause Analysis 103, Fix in Progress 104, Resolved 106, Closed
107.

ServiceNow docs: "Resolve and complete a problem", "Problem management properties", "Synchronization between
incident and problem records". What the form asks for on the way is asked by the form only.
"""

from __future__ import annotations

from wavetank.behaviour import incident, spans, task
from wavetank.behaviour.change import Change

RESOLVED, CLOSED = "106", "107"
TASK_CLOSED = "157"
FIX_APPLIED = "fix_applied"
AWAITING_PROBLEM = "3"
CANCEL_TASKS = "problem.closed.cancel_open_tasks"
_OVER = (RESOLVED, CLOSED)


def states(change: Change) -> None:
    """`state` and `problem_state` are one."""
    task.in_step(change, "problem_state")


def resolved(change: Change) -> None:
    """Resolving, or closing at once, stamps who and when."""
    if change.changes_to("state", *_OVER) and change.before("state") not in _OVER:
        change.stamp("resolved")


def reopened(change: Change) -> None:
    """Going back from Resolved or Closed is counted and stamped."""
    if change.before("state") in _OVER and change.changes("state") and change.row["state"] not in _OVER:
        change.stamp("reopened")
        change.row["reopen_count"] = spans.one_more(change.before("reopen_count"))


def tasks(change: Change) -> None:
    """Closing a problem cancels its open tasks."""
    if not change.changes_to("state", CLOSED) or change.instance.property(CANCEL_TASKS, "true") != "true":
        return
    for each in change.instance.database.find("problem_task", problem=change.row["sys_id"], active="true"):
        change.also("problem_task", each, {"state": TASK_CLOSED, "close_code": "canceled"})


def incidents(change: Change) -> None:
    """Incidents that wait for the problem are resolved once a fix is applied."""
    row = change.row
    if not change.changes_to("state", *_OVER) or change.before("state") in _OVER:
        return
    if row["resolution_code"] != FIX_APPLIED:
        return
    waiting = {"state": incident.ON_HOLD, "hold_reason": AWAITING_PROBLEM}
    said = f"Related problem {row['number']} closed. Please see additional comments for fix notes"
    values = {"state": incident.RESOLVED, "close_code": "Resolved by problem", "close_notes": said}
    if row["fix_notes"]:
        values["comments"] = row["fix_notes"]
    for each in change.instance.database.find("incident", problem_id=row["sys_id"], **waiting):
        change.also("incident", each, values)


def related(change: Change) -> None:
    """A problem counts its incidents."""
    incident.counted(change, "problem_id", "problem", "related_incidents")
