"""Rules of incidents. ServiceNow docs: "Incident state model", "Resolve and close an incident",
"Reopening an incident", "Base system default integer values for choice lists".
"""

from __future__ import annotations

from wavetank.behaviour import spans, task
from wavetank.behaviour.change import Change

NEW, IN_PROGRESS, ON_HOLD, RESOLVED, CLOSED, CANCELED = "1", "2", "3", "6", "7", "8"
AWAITING_CALLER = "1"
_OPEN = (NEW, IN_PROGRESS, ON_HOLD)
_OVER = (RESOLVED, CLOSED)


def states(change: Change) -> None:
    """`incident_state` leads when both change; writing `state` alone carries `incident_state` along."""
    task.in_step(change, "incident_state")


def caller_answers(change: Change) -> None:
    """A comment by the caller ends waiting for the caller."""
    waiting = change.row["state"] == ON_HOLD and change.row["hold_reason"] == AWAITING_CALLER
    commented = any(element == "comments" for element, _ in change.journals)
    if waiting and commented and change.user and change.user == change.row["caller_id"]:
        change.row["state"] = change.row["incident_state"] = IN_PROGRESS
        change.row["hold_reason"] = ""


def reopen(change: Change) -> None:
    """An incident that is not Closed or Canceled is active, also against what is written."""
    if change.row["active"] == "false" and change.row["state"] not in {CLOSED, CANCELED}:
        change.row["active"] = "true"


def resolved(change: Change) -> None:
    """Resolving stamps who and when, and how long it took."""
    if not change.changes_to("state", *_OVER) or change.before("state") in _OVER:
        return
    if change.row["state"] == RESOLVED or not change.row["resolved_at"]:
        change.stamp("resolved")
    _durations(change)


def closed(change: Change) -> None:
    """Closed and Canceled incidents are inactive; both say who and when."""
    if not change.changes_to("state", CLOSED, CANCELED):
        return
    change.row["active"] = "false"
    change.stamp("closed")


def reopened(change: Change) -> None:
    """Going back from Resolved or Closed is counted and stamped."""
    if change.before("state") not in _OVER or not change.changes_to("state", *_OPEN):
        return
    change.stamp("reopened", "reopened_time")
    change.row["reopen_count"] = spans.one_more(change.before("reopen_count"))


def hold_reason(change: Change) -> None:
    """Leaving On Hold clears its reason."""
    if change.changes("state") and change.before("state") == ON_HOLD:
        change.row["hold_reason"] = ""


def children(change: Change) -> None:
    """A parent counts its children."""
    counted(change, "parent_incident", "incident", "child_incidents")


def counted(change: Change, reference: str, table: str, counter: str) -> None:
    """A record of `table` that incidents name in `reference` holds in `counter` how many they are."""
    if change.operation == "update" and not change.changes(reference):
        return
    database = change.instance.database
    for sys_id in {change.before(reference), change.row.get(reference, "")} - {""}:
        if database.get(table, sys_id) is not None:
            count = str(len(database.find("incident", **{reference: sys_id})))
            database.update(table, sys_id, {counter: count}, system=False)


def _durations(change: Change) -> None:
    """Seconds and durations from opened to resolved; without schedules, business time is calendar time."""
    length = spans.seconds(change.row["opened_at"], change.row["resolved_at"])
    if length is None:
        return
    for name in ("calendar_stc", "business_stc"):
        change.row[name] = str(length)
    for name in ("calendar_duration", "business_duration"):
        change.row[name] = spans.duration(length)
