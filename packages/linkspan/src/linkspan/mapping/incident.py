"""The default mapping between a far side's incident and a ServiceNow incident.

Four fields are kept in step. ``name`` and ``summary`` are texts, ``severity`` is a level that the
record holds as impact and urgency (priority is derived by the platform and never written), and
``status`` is a category that is compatible with a set of states rather than equal to one.

State values and the impact and urgency matrix are those of a stock instance (ServiceNow docs: Incident
state model; Priority data lookup rules). An instance's own matrix replaces the stock one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

from linkspan.mapping.contract import Unmapped
from linkspan.mapping.text import cut, lines

FIELDS = ("name", "summary", "severity", "status")
# Which columns of the record speak for a field. A change of any of them is a change of the field.
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "name": ("short_description",),
        "summary": ("description",),
        "severity": ("impact", "urgency", "priority"),
        "status": ("state",),
    }
)
RECORD_FIELDS = (
    "sys_id",
    "number",
    "sys_mod_count",
    "sys_created_on",
    "sys_updated_on",
    "sys_updated_by",
    "correlation_id",
    "short_description",
    "description",
    "impact",
    "urgency",
    "priority",
    "state",
)

LEVELS = ("critical", "high", "moderate", "low", "planning")  # priority 1 to 5
STOCK_MATRIX: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("1", "1"): "1",
        ("1", "2"): "2",
        ("1", "3"): "3",
        ("2", "1"): "2",
        ("2", "2"): "3",
        ("2", "3"): "4",
        ("3", "1"): "3",
        ("3", "2"): "4",
        ("3", "3"): "5",
    }
)
# The pair to write for a level when nothing better is known about the record.
PREFERRED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"1": ("1", "1"), "2": ("1", "2"), "3": ("2", "2"), "4": ("3", "2"), "5": ("3", "3")}
)

NEW, IN_PROGRESS, ON_HOLD, RESOLVED, CLOSED, CANCELED = "1", "2", "3", "6", "7", "8"
STATE_OF: Mapping[str, str] = MappingProxyType(
    {
        "triage": NEW,
        "live": IN_PROGRESS,
        "paused": ON_HOLD,
        "learning": RESOLVED,
        "closed": RESOLVED,  # the instance closes resolved incidents by itself, and needs more rights for 7
        "canceled": CANCELED,
    }
)
COMPATIBLE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "triage": frozenset({NEW, IN_PROGRESS, ON_HOLD}),
        "live": frozenset({IN_PROGRESS, ON_HOLD}),
        "paused": frozenset({ON_HOLD}),
        "learning": frozenset({RESOLVED, CLOSED}),
        "closed": frozenset({RESOLVED, CLOSED}),
        "canceled": frozenset({CANCELED, CLOSED}),
    }
)
FINAL_STATES = frozenset({CLOSED})


@dataclass(frozen=True, kw_only=True)
class IncidentMapping:
    """A ``mapping.contract.RecordMapping`` with an instance's own facts in it.

    ``matrix`` is (impact, urgency) → priority. ``levels`` are the severities that the far side tells
    apart, gravest first; a record below the last one counts as that one.
    """

    kind: ClassVar[str] = "incident"
    fields: ClassVar[tuple[str, ...]] = FIELDS
    columns: ClassVar[Mapping[str, tuple[str, ...]]] = COLUMNS
    record_fields: ClassVar[tuple[str, ...]] = RECORD_FIELDS
    carries_notes: ClassVar[bool] = True
    matrix: Mapping[tuple[str, str], str] = field(default_factory=lambda: STOCK_MATRIX)
    levels: tuple[str, ...] = LEVELS
    name_length: int = 160
    summary_length: int = 4000
    close_code: str = "Solution provided"
    close_notes: str = "Resolved on the far side."
    hold_reason: str = "4"  # Awaiting Vendor: Awaiting Caller would ask for a comment to the caller

    # --- record → far side

    def value(self, name: str, record: Mapping[str, str]) -> str:
        """A field of a record that has no counterpart yet. Raises Unmapped."""
        if name == "name":
            return self._name_of(record)
        if name == "summary":
            return lines(record["description"])
        if name == "severity":
            return self._level(record)
        return _STATUS_OF_NEW[_known_state(record)]

    def back(self, name: str, record: Mapping[str, str], peer_value: str) -> str | None:
        """What the far side's field becomes after the record changed; None for "as it is".

        Raises Unmapped.
        """
        if name == "status":
            return _status_back(_known_state(record), peer_value)
        return None if self.agrees(name, peer_value, record) else self.value(name, record)

    # --- far side → record

    def agrees(self, name: str, peer_value: str, record: Mapping[str, str]) -> bool:
        """True when the record already says what the far side says. Raises Unmapped."""
        if name == "name":
            return cut(peer_value, self.name_length) == self._name_of(record)
        if name == "summary":
            return cut(peer_value, self.summary_length) == lines(record["description"])
        if name == "severity":
            return peer_value == self._level(record)
        return _known_state(record) in _compatible(peer_value)

    def write(self, name: str, peer_value: str, record: Mapping[str, str] | None) -> dict[str, str]:
        """The columns to write so that the record says what the far side says; least change.

        ``record`` is None when the record is about to be created. Raises Unmapped.
        """
        if name == "name":
            return {"short_description": cut(peer_value, self.name_length)}
        if name == "summary":
            return {"description": cut(peer_value, self.summary_length)}
        if name == "severity":
            return self._pair(peer_value, record)
        return self._state(peer_value, record)

    def is_final(self, name: str, record: Mapping[str, str]) -> bool:
        """A closed incident cannot be reopened."""
        return name == "status" and record["state"] in FINAL_STATES

    # --- the beginning and the end

    def at_creation(self, account: str) -> dict[str, str]:
        """The caller is our user: nobody on the far side is known to the instance."""
        return {"caller_id": account}

    def expected(self, columns: Mapping[str, str]) -> dict[str, str]:
        """A new incident is in state New, and its priority follows impact and urgency."""
        priority = self.matrix[columns["impact"], columns["urgency"]]
        return {"state": NEW, "priority": priority, **columns}

    def when_gone(self, record: Mapping[str, str], peer_title: str) -> dict[str, str] | None:  # noqa: ARG002
        """None: an incident stays as people left it."""
        return None

    # --- columns

    def _pair(self, level: str, record: Mapping[str, str] | None) -> dict[str, str]:
        if level not in LEVELS:
            raise Unmapped("severity", level)
        wanted = str(LEVELS.index(level) + 1)
        pairs = [pair for pair, priority in self.matrix.items() if priority == wanted]
        if not pairs:
            raise Unmapped("severity", level)
        preferred = PREFERRED[wanted] if PREFERRED[wanted] in pairs else pairs[0]
        current = (record["impact"], record["urgency"]) if record else preferred
        impact, urgency = min(pairs, key=lambda pair: (_distance(pair, current), pair != preferred, pair))
        written = {"impact": impact, "urgency": urgency}
        if record is None:
            return written
        changed = {column: value for column, value in written.items() if record[column] != value}
        if changed or self._level(record) == level:
            return changed
        return written  # priority does not follow its pair here: the answer to this write will show it

    def _state(self, status: str, record: Mapping[str, str] | None) -> dict[str, str]:
        if status not in STATE_OF:
            raise Unmapped("status", status)
        state = STATE_OF[status]
        written = {"state": state}
        if state == ON_HOLD:
            written["hold_reason"] = self.hold_reason
        # The platform's data policy wants both close fields with Resolved, in the same write.
        if state == RESOLVED:
            written |= {"close_code": self.close_code, "close_notes": self.close_notes}
        if state == NEW and record is None:
            return {}
        return written

    # --- values

    def _name_of(self, record: Mapping[str, str]) -> str:
        return lines(record["short_description"]) or record["number"]

    def _level(self, record: Mapping[str, str]) -> str:
        priority = record["priority"] or self.matrix.get((record["impact"], record["urgency"]), "")
        if priority not in ("1", "2", "3", "4", "5"):
            raise Unmapped("priority", priority)
        return self.levels[min(int(priority), len(self.levels)) - 1]


_STATUS_OF_NEW: Mapping[str, str] = MappingProxyType(
    {
        NEW: "triage",
        IN_PROGRESS: "live",
        ON_HOLD: "paused",
        RESOLVED: "learning",
        CLOSED: "closed",
        CANCELED: "canceled",
    }
)
# (new state) → statuses that stay as they are when the record goes there
_STAYS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        NEW: frozenset({"triage"}),
        IN_PROGRESS: frozenset({"live"}),
        ON_HOLD: frozenset({"paused"}),
        RESOLVED: frozenset({"learning", "closed"}),
        CLOSED: frozenset({"closed", "canceled"}),
        CANCELED: frozenset({"canceled"}),
    }
)


def _status_back(state: str, status: str) -> str | None:
    return None if status in _STAYS[state] else _STATUS_OF_NEW[state]


def _known_state(record: Mapping[str, str]) -> str:
    state = record["state"]
    if state not in _STATUS_OF_NEW:
        raise Unmapped("state", state)
    return state


def _compatible(status: str) -> frozenset[str]:
    if status not in COMPATIBLE:
        raise Unmapped("status", status)
    return COMPATIBLE[status]


def _distance(pair: tuple[str, str], current: tuple[str, str]) -> int:
    return sum(abs(int(a) - int(b)) if b.isdigit() else 3 for a, b in zip(pair, current, strict=True))
