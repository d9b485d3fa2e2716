"""Rules of every task. Incidents, problems and changes have closed states of their own.

ServiceNow docs: "Base system default integer values for choice lists", "Important task table fields".
The same number means different states in different classes: each rule looks at the class.
"""

from __future__ import annotations

from wavetank.behaviour import spans
from wavetank.behaviour.change import Change

CLOSED = {"problem": ("107",), "problem_task": ("157",), "change_request": ("3", "4")}
_CLOSED_TASK = ("3", "4", "7")


def effective_number(change: Change) -> None:
    """The effective number is the number unless the caller says otherwise."""
    change.fill("task_effective_number", change.row["number"])


def reassignment(change: Change) -> None:
    """Handing a task from one group to another counts; the first assignment does not."""
    if change.before("assignment_group") and change.changes_to(
        "assignment_group", change.row["assignment_group"]
    ):
        change.row["reassignment_count"] = spans.one_more(change.before("reassignment_count"))


def in_step(change: Change, other: str) -> None:
    """Keep `state` and a second state field equal: `other` leads when both change."""
    row = change.row
    if change.operation == "insert":
        leads_state = change.given & {"state", other} == {"state"}
    else:
        leads_state = not change.changes(other)
    if leads_state:
        row[other] = row["state"]
    else:
        row["state"] = row[other]


def mark_closed(change: Change) -> None:
    """A closed state makes the task inactive and says who closed it and when."""
    if change.table.name == "incident" or not change.changes_to("state", *closed_states(change)):
        return
    change.row["active"] = "false"
    change.stamp("closed")


def closer(change: Change) -> None:
    """Deactivating a task that is not closed closes it as complete."""
    if change.table.name in {"incident", *CLOSED}:
        return
    if change.changes_to("active", "false") and change.row["state"] not in _CLOSED_TASK:
        change.row["state"] = "3"
        change.stamp("closed")


def reopener(change: Change) -> None:
    """An open state makes an inactive task active again; a closed task that is made active is open again."""
    if change.table.name == "incident":
        return
    row = change.row
    if change.changes("state") and row["active"] == "false" and row["state"] not in closed_states(change):
        row["active"] = "true"
    plain = change.table.name not in CLOSED and not change.changes("state")
    if plain and change.changes_to("active", "true") and row["state"] in _CLOSED_TASK:
        row["state"] = "1"


def closed_states(change: Change) -> tuple[str, ...]:
    """The states of the record's class that are over."""
    return CLOSED.get(change.table.name, _CLOSED_TASK)
