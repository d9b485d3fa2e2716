"""Rules of approvals and of the requests they decide.

An approval (`sysapproval_approver`) asks one person about one task. Most of the values and transitions are
not documented (approval.claims.yaml); each is a rule that can be switched off.
"""

from __future__ import annotations

from wavetank.behaviour import custom
from wavetank.behaviour.change import Change
from wavetank.database.shipped import sys_id_for

TABLE = "sysapproval_approver"
NOT_REQUESTED, REQUESTED, APPROVED, REJECTED = "not requested", "requested", "approved", "rejected"
NOT_REQUIRED = "not_required"
CLOSED_INCOMPLETE = "4"
OPENING, DECIDING = "Approval starts open", "Approval is decided by its approver"
_OPEN = (NOT_REQUESTED, REQUESTED)
_DECIDED = (APPROVED, REJECTED)
_STAGES = {REQUESTED: "waiting_for_approval", APPROVED: "fulfillment", REJECTED: "request_cancelled"}


def link(change: Change) -> None:
    """What is approved is named three times: as the task, as the document, and by the document's table."""
    row = change.row
    task = change.instance.database.get("task", row["sysapproval"] or row["document_id"])
    if task is not None:
        row["sysapproval"] = row["sysapproval"] or task["sys_id"]
        row["document_id"] = row["document_id"] or task["sys_id"]
        row["source_table"] = row["source_table"] or task["sys_class_name"]


def opening(change: Change) -> None:
    """Nobody has decided yet when an approval is made."""
    if change.row["state"] not in _OPEN:
        _refuse(change, OPENING)


def deciding(change: Change) -> None:
    """Only the approver decides, or an approval administrator; only what is requested, and once."""
    if not change.changes("state"):
        return
    before, after = change.before("state"), change.row["state"]
    administrator = change.who is None or change.who.has_role("approval_admin")
    if after in _DECIDED and before != REQUESTED:
        _refuse(change, DECIDING)
    concerned = {before, after} & set(_DECIDED)
    may = administrator or (before == REQUESTED and change.user == change.before("approver"))
    if concerned and not may:
        _refuse(change, DECIDING)


def outcome(change: Change) -> None:
    """The task's approval follows its approvers; who is not needed any more is told so."""
    database = change.instance.database
    task = database.get("task", change.row["sysapproval"])
    if task is None or change.row["state"] not in (REQUESTED, *_DECIDED):
        return
    rows = database.find(TABLE, sysapproval=task["sys_id"])
    decided = _decided([row["state"] for row in rows], change.instance.settings.get("approval_needs"))
    waiting = any(row["state"] == REQUESTED for row in rows)
    if decided and task["approval"] != decided:
        change.also("task", task, {"approval": decided, "approval_set": change.now})
    elif waiting and task["approval"] == NOT_REQUESTED:
        change.also("task", task, {"approval": REQUESTED})
    for row in rows:
        if decided and row["state"] in _OPEN:
            change.also(TABLE, row, {"state": NOT_REQUIRED}, system=True)


def rejected(change: Change) -> None:
    """A rejected request or request item is closed incomplete."""
    if change.changes_to("approval", REJECTED):
        change.row["state"] = CLOSED_INCOMPLETE
        if "request_state" in change.row:
            change.row["request_state"] = "closed_rejected"


def stage(change: Change) -> None:
    """A request item's stage follows its approval."""
    if change.changes("approval") and change.row["approval"] in _STAGES:
        change.row["stage"] = _STAGES[change.row["approval"]]


def _decided(states: list[str], needs: str) -> str:
    """approved, rejected, or "" while it is open. One rejection is enough; `needs` is all or any."""
    if REJECTED in states:
        return REJECTED
    asked = [state for state in states if state in (*_OPEN, APPROVED)]
    approvals = asked.count(APPROVED)
    enough = approvals == len(asked) if needs == "all" else approvals > 0
    return APPROVED if approvals and enough else ""


def _refuse(change: Change, rule: str) -> None:
    custom.abort(change, rule, sys_id_for("sys_script", TABLE, rule))
