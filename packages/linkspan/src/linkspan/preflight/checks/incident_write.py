"""Can the account create and change incidents? One marked record, read back field by field, then removed."""

from __future__ import annotations

import uuid
from typing import Any

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.check import Answer, Cause, Check
from linkspan.core.errors import Ambiguous, LinkspanError, NotAuthorized, Rejected
from linkspan.preflight import refused_write
from linkspan.preflight.context import Context

_TABLE = "incident"
_CREATED = {
    "short_description": "linkspan preflight: may be deleted",
    "description": "Written to prove that this account can create incidents.",
    "impact": "3",
    "urgency": "3",
}
_CHANGED = {"short_description": "linkspan preflight: changed, may be deleted", "urgency": "2"}
_RESOLVED = "6"
_CLOSED = "7"


def run(context: Context) -> Answer:
    """Create, read back, change, read back, remove. What cannot be removed is resolved, and said."""
    if _TABLE not in context.uses:
        return Answer(outcome="skip", evidence={"reason": "its recipe uses no incidents"})
    if context.reads_only:
        return Answer(outcome="skip", evidence={"reason": "its recipe only reads"})
    line = context.writing()
    mark = f"linkspan-preflight-{uuid.uuid4().hex}"
    try:
        row = _create(line, mark)
    except (NotAuthorized, Rejected) as error:
        refused = refused_write.causes(context, error, _TABLE, "create", "create_denied")
        return Answer(outcome="fail", causes=tuple(refused))
    if row is None:
        return Answer(
            outcome="fail", causes=(context.cause("write_outcome_unknown"),), evidence={"mark": mark}
        )
    lost = _lost(line, str(row["sys_id"]), {**_CREATED, "correlation_id": mark})
    if not context.changes:
        return _only_created(context, str(row.get("number", "")), mark, lost)
    return _changed(context, line, row, mark, lost)


def _changed(context: Context, line: Connection, row: dict[str, Any], mark: str, lost: list[str]) -> Answer:
    """Change the sample, read it back, remove it."""
    sys_id, number = str(row["sys_id"]), str(row.get("number", ""))
    found: list[Cause] = []
    try:
        line.table.update(_TABLE, sys_id, _CHANGED, fields=("sys_id",))
        lost += [name for name in _lost(line, sys_id, _CHANGED) if name not in lost]
    except (NotAuthorized, Rejected) as error:
        found += refused_write.causes(context, error, _TABLE, "write", "write_denied")
    if lost:
        found.append(context.cause("field_not_kept", fields=", ".join(lost)))
    removed, note = _remove(context, line, sys_id, number)
    evidence = {"number": number, "mark": mark, "removed": removed, "not_kept": lost}
    if found:
        return Answer(outcome="fail", causes=(*found, *note), evidence=evidence)
    if removed == "left":
        return Answer(outcome="warn", causes=tuple(note), evidence=evidence)
    return Answer(outcome="pass", causes=tuple(note), evidence=evidence)


def _only_created(context: Context, number: str, mark: str, lost: list[str]) -> Answer:
    """The account may not change what it made, so the sample stays for a person."""
    evidence = {"number": number, "mark": mark, "removed": "left", "not_kept": lost}
    if lost:
        cause = context.cause("field_not_kept", fields=", ".join(lost))
        return Answer(outcome="fail", causes=(cause,), evidence=evidence)
    return Answer(outcome="warn", causes=(context.cause("sample_stays", number=number),), evidence=evidence)


def _create(line: Connection, mark: str) -> dict[str, Any] | None:
    """The record; looked up by its mark when the answer was lost, None when it is not there either."""
    values = {**_CREATED, "correlation_id": mark, "correlation_display": "linkspan preflight"}
    try:
        return line.table.create(_TABLE, values, fields=("sys_id", "number"))
    except Ambiguous:
        return line.table.first(_TABLE, query.term("correlation_id", "=", mark), ("sys_id", "number"))


def _lost(line: Connection, sys_id: str, wanted: dict[str, str]) -> list[str]:
    """Fields that do not hold what was written."""
    row = line.table.get(_TABLE, sys_id, fields=tuple(wanted)) or {}
    return [name for name, value in wanted.items() if str(row.get(name, "")) != value]


def _remove(context: Context, line: Connection, sys_id: str, number: str) -> tuple[str, list[Cause]]:
    """``deleted``, ``resolved`` or ``left``, and what to tell about it."""
    try:
        if line.table.delete(_TABLE, sys_id) or line.table.get(_TABLE, sys_id, fields=("sys_id",)) is None:
            return "deleted", []
    except (NotAuthorized, Rejected):
        pass  # a sync needs no delete; the record is resolved instead
    try:
        resolution = _resolution(context.admin() or line)
        line.table.update(_TABLE, sys_id, resolution, fields=("sys_id",))
    except LinkspanError as error:
        return "left", [context.cause("sample_left_behind", number=number, detail=error.cause)]
    row = line.table.get(_TABLE, sys_id, fields=("state",)) or {}
    if row.get("state") in (_RESOLVED, _CLOSED):
        return "resolved", [context.cause("delete_denied", number=number)]
    detail = f"its state is {row.get('state')}"
    return "left", [context.cause("sample_left_behind", number=number, detail=detail)]


def _resolution(reader: Connection) -> dict[str, str]:
    """The resolved state with a close code this instance knows."""
    terms = query.all_of(
        query.term("name", "=", _TABLE),
        query.term("element", "=", "close_code"),
        query.term("inactive", "!=", "true"),
        query.order_by("sequence"),
    )
    try:
        choice = reader.table.first("sys_choice", terms, ("value",)) or {}
    except NotAuthorized:
        choice = {}  # choices may be hidden from the account; the platform's own is tried
    code = str(choice.get("value") or "Solution provided")
    return {"state": _RESOLVED, "close_code": code, "close_notes": "Proof by linkspan preflight."}


CHECK = Check(
    name="incident_write",
    title="It creates and changes incidents",
    run=run,
    needs=("identity",),
    writes=True,
)
