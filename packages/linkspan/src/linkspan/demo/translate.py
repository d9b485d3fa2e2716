"""From events of a log to edits that a person could have made on an instance.

The log knows the future: its close code stands in every row of an incident, from the first. So the
close fields are written only on entering Resolved or Closed, and what the platform derives by itself
is never written at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from linkspan.demo.log import LogEvent

Kind = Literal["choice", "reference", "digit", "flag", "notify"]

CLOSE_STATES = frozenset({"Resolved", "Closed"})
CLOSE_FIELDS = ("close_code", "close_notes")
NO_CLOSE_CODE = "code not given"
EVIDENCE_HOLD = "Awaiting Evidence"
_TITLE_END = re.compile(r": .+ \(\w+\)$")

# State and hold reason of the platform for each state of the log. "Awaiting Evidence" is a reason
# of that company's own; the demo adds it as a choice (codes 1 to 5 are the platform's).
STATES: Mapping[str, tuple[str, str]] = {
    "New": ("1", ""),
    "Active": ("2", ""),
    "Awaiting User Info": ("3", "1"),
    "Awaiting Problem": ("3", "3"),
    "Awaiting Vendor": ("3", "4"),
    EVIDENCE_HOLD: ("3", "20"),
    "Resolved": ("6", ""),
    "Closed": ("7", ""),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """A record by the name the log gives it; whoever writes looks up its sys_id."""

    table: str
    name: str


@dataclass(frozen=True, slots=True)
class Column:
    """How one column of the log is written: to which field, and as what."""

    field: str
    kind: Kind
    table: str = ""


COLUMNS: Mapping[str, Column] = {
    "caller_id": Column("caller_id", "reference", "sys_user"),
    "contact_type": Column("contact_type", "choice"),
    "location": Column("location", "reference", "cmn_location"),
    "category": Column("category", "choice"),
    "subcategory": Column("subcategory", "choice"),
    "u_symptom": Column("u_symptom", "choice"),
    "cmdb_ci": Column("cmdb_ci", "reference", "cmdb_ci"),
    "impact": Column("impact", "digit"),
    "urgency": Column("urgency", "digit"),
    "assignment_group": Column("assignment_group", "reference", "sys_user_group"),
    "assigned_to": Column("assigned_to", "reference", "sys_user"),
    "knowledge": Column("knowledge", "flag"),
    "u_priority_confirmation": Column("u_priority_confirmation", "flag"),
    "notify": Column("notify", "notify"),
    "problem_id": Column("problem_id", "reference", "problem"),
    "rfc": Column("rfc", "reference", "change_request"),
    "vendor": Column("u_vendor", "choice"),
    "caused_by": Column("caused_by", "reference", "change_request"),
}
_NOTIFY: Mapping[str, str] = {"Do Not Notify": "1", "Send Email": "2"}

Value = str | Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One request a person makes: the first of an incident creates it, the others change it."""

    number: str
    editor: str
    creates: bool
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """An event that is not replayed, and why."""

    number: str
    reason: Literal["state is none of the platform's", "leaves Closed", "changes nothing"]


def translate(events: Iterable[LogEvent]) -> list[Edit | Skip]:
    """One edit or skip for each event, in the same order.

    An edit holds only the fields that differ from what was last sent for that incident.
    """
    sent: dict[str, dict[str, Value]] = {}
    return [_translate(event, sent) for event in events]


def choice_value(word: str) -> str:
    """The stored value of a choice for the log's word: ``Category 26`` → ``category_26``."""
    return re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_")


def _translate(event: LogEvent, sent: dict[str, dict[str, Value]]) -> Edit | Skip:
    if event.state not in STATES:
        return Skip(number=event.number, reason="state is none of the platform's")
    known = sent.get(event.number)
    if known is not None and known["state"] == "7" and event.state != "Closed":
        return Skip(number=event.number, reason="leaves Closed")
    before = known if known is not None else {}
    wanted = _fields(event, before)
    # A field never set and a field set to nothing look the same to the platform.
    changed = {name: value for name, value in wanted.items() if value != before.get(name, "")}
    if "state" in changed and event.state in CLOSE_STATES:
        # Whoever resolves or closes fills in the form, also the second time.
        changed |= {name: wanted[name] for name in CLOSE_FIELDS}
    if known is not None and not changed:
        return Skip(number=event.number, reason="changes nothing")
    sent[event.number] = {**before, **wanted}
    return Edit(number=event.number, editor=event.editor, creates=known is None, values=changed)


def _fields(event: LogEvent, before: Mapping[str, Value]) -> dict[str, Value]:
    state, hold_reason = STATES[event.state]
    fields: dict[str, Value] = {"state": state, "hold_reason": hold_reason}
    for name, column in COLUMNS.items():
        fields[column.field] = _value(column, event.columns[name])
    fields["short_description"] = _title(event)
    if "description" not in before:
        fields["description"] = _description(event)
    if event.state in CLOSE_STATES:
        fields["close_code"] = choice_value(event.columns["closed_code"] or NO_CLOSE_CODE)
        fields["close_notes"] = before.get("close_notes") or f"{event.number}: done by {event.editor}."
    return fields


def _value(column: Column, word: str) -> Value:
    if not word:
        return ""
    if column.kind == "reference":
        return Reference(column.table, word)
    if column.kind == "digit":
        return word[0]
    if column.kind == "notify":
        return _NOTIFY[word]
    if column.kind == "choice":
        return choice_value(word)
    return word


def _title(event: LogEvent) -> str:
    """The log has no texts. A title made of what is known changes when people recategorise."""
    what = event.columns["u_symptom"] or "Unknown symptom"
    where = " / ".join(filter(None, (event.columns["category"], event.columns["subcategory"])))
    return f"{what}: {where or 'uncategorised'} ({event.number})"


def is_title(text: str) -> bool:
    """Whether a record of the log was given this title, whatever the record has become since."""
    return _TITLE_END.search(text) is not None


def _description(event: LogEvent) -> str:
    place = event.columns["location"] or "an unknown place"
    return f"Reported from {place} by {event.columns['caller_id'] or 'nobody named'}.\nTicket {event.number}."
