"""The default mapping between a far side's follow-up and a plain ServiceNow task.

Five fields are kept in step; notes are not. ``status`` is a word that is compatible with a set of
states, ``priority`` goes by name, ``assignee`` by a verified e-mail address.

State values are those of a stock instance (ServiceNow docs: Base system default integer values for
choice lists).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Protocol

from linkspan.mapping.contract import Unmapped, Untaken
from linkspan.mapping.text import cut, lines

FIELDS = ("title", "description", "status", "priority", "assignee")
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "title": ("short_description",),
        "description": ("description",),
        "status": ("state",),
        "priority": ("priority",),
        "assignee": ("assigned_to",),
    }
)
RECORD_FIELDS = (
    "sys_id",
    "number",
    "sys_class_name",
    "sys_mod_count",
    "sys_created_on",
    "sys_updated_on",
    "sys_updated_by",
    "correlation_id",
    "parent",
    "parent.state",
    "short_description",
    "description",
    "state",
    "priority",
    "assigned_to",
)

OPEN, COMPLETE, INCOMPLETE, SKIPPED = "1", "3", "4", "7"
STATE_OF: Mapping[str, str] = MappingProxyType(
    {"outstanding": OPEN, "completed": COMPLETE, "not_doing": SKIPPED}
)
COMPATIBLE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "outstanding": frozenset({"-5", OPEN, "2"}),
        "completed": frozenset({COMPLETE}),
        "not_doing": frozenset({SKIPPED, INCOMPLETE}),
    }
)
CLOSED = COMPATIBLE["completed"] | COMPATIBLE["not_doing"]
# An incident in one of these is over, and may have taken its tasks with it.
INCIDENT_OVER = frozenset({"6", "7", "8"})

PRIORITY_OF: Mapping[str, str] = MappingProxyType({"urgent": "2", "high": "3", "medium": "4", "low": "5"})
NORMAL = "4"  # what the platform gives a task that is created without one


class People(Protocol):
    """Who is who, between the far side's e-mail addresses and the instance's users."""

    def user(self, email: str) -> str:
        """sys_id of the only active user with exactly this address; empty when there is not one."""

    def email(self, sys_id: str) -> str:
        """The address of an active user that no other active user has; empty when there is not one."""


@dataclass(frozen=True, kw_only=True)
class FollowUpMapping:
    """A ``mapping.contract.RecordMapping`` of follow-ups. An empty priority says nothing."""

    kind: ClassVar[str] = "follow_up"
    fields: ClassVar[tuple[str, ...]] = FIELDS
    columns: ClassVar[Mapping[str, tuple[str, ...]]] = COLUMNS
    record_fields: ClassVar[tuple[str, ...]] = RECORD_FIELDS
    carries_notes: ClassVar[bool] = False
    people: People
    title_length: int = 160
    description_length: int = 4000

    # --- record → far side

    def value(self, name: str, record: Mapping[str, str]) -> str:
        """A field of a task that has no counterpart yet. Raises Unmapped and Untaken."""
        if name == "title":
            return self._title_of(record)
        if name == "description":
            return lines(record["description"])
        if name == "status":
            return _status(record)
        if name == "priority":
            return _level(record)
        return self._assignee(record)

    def back(self, name: str, record: Mapping[str, str], peer_value: str) -> str | None:
        """What the far side's field becomes after the task changed; None for "as it is".

        Raises Unmapped and Untaken.
        """
        if self.agrees(name, peer_value, record):
            return None
        value = self.value(name, record)
        return None if name == "priority" and not value else value

    # --- far side → record

    def agrees(self, name: str, peer_value: str, record: Mapping[str, str]) -> bool:
        """True when the task already says what the far side says. Raises Unmapped."""
        if name == "title":
            return cut(peer_value, self.title_length) == self._title_of(record)
        if name == "description":
            return cut(peer_value, self.description_length) == lines(record["description"])
        if name == "status":
            return _known_state(record) in _compatible(peer_value)
        if name == "priority":
            return not peer_value.strip() or _word(peer_value) == _level(record)
        return _address(peer_value) == (self._address_of(record) if record["assigned_to"] else "")

    def write(self, name: str, peer_value: str, record: Mapping[str, str] | None) -> dict[str, str]:
        """The columns to write so that the task says what the far side says; least change.

        ``record`` is None when the task is about to be created. Raises Unmapped and Untaken.
        """
        if name == "title":
            return {"short_description": cut(peer_value, self.title_length)}
        if name == "description":
            return {"description": cut(peer_value, self.description_length)}
        if name == "status":
            _compatible(peer_value)
            return {"state": STATE_OF[peer_value]}
        if name == "priority":
            return self._priority(peer_value)
        return self._assigned(peer_value, record)

    def is_final(self, name: str, record: Mapping[str, str]) -> bool:  # noqa: ARG002
        """A closed task can be reopened."""
        return False

    # --- the beginning and the end

    def at_creation(self, account: str) -> dict[str, str]:  # noqa: ARG002
        """Nothing beside the fields and the parent."""
        return {}

    def expected(self, columns: Mapping[str, str]) -> dict[str, str]:
        """A new task is open, has the normal priority and nobody's name on it."""
        return {"state": OPEN, "priority": NORMAL, "assigned_to": "", **columns}

    def when_gone(self, record: Mapping[str, str], peer_title: str) -> dict[str, str] | None:
        """An open task is skipped with a note, never deleted."""
        if not record or record["state"] in CLOSED:
            return {}
        return {"state": SKIPPED, "work_notes": f"The follow-up was deleted on {peer_title}."}

    # --- values

    def _title_of(self, record: Mapping[str, str]) -> str:
        return lines(record["short_description"]) or record["number"]

    def _priority(self, peer_value: str) -> dict[str, str]:
        word = _word(peer_value)
        if not word:
            return {}
        if word not in PRIORITY_OF:
            raise Untaken(
                "priority",
                peer_value,
                by="instance",
                cause=f"a follow-up's priority {peer_value!r} has no counterpart on a task",
                fix=f"use one of {', '.join(PRIORITY_OF)}, or set the task's priority by hand",
            )
        return {"priority": PRIORITY_OF[word]}

    def _assigned(self, peer_value: str, record: Mapping[str, str] | None) -> dict[str, str]:
        if not peer_value.strip():
            return {} if record is None else {"assigned_to": ""}
        user = self.people.user(_address(peer_value))
        if not user:
            raise Untaken(
                "assignee",
                peer_value,
                by="instance",
                cause=f"there is not exactly one active user with the address {peer_value}",
                fix="give the person that address on the instance, or assign the task by hand",
            )
        return {"assigned_to": user}

    def _assignee(self, record: Mapping[str, str]) -> str:
        if not record["assigned_to"]:
            return ""
        address = self._address_of(record)
        if not address:
            raise Untaken(
                "assignee",
                record["assigned_to"],
                by="peer",
                cause=f"the user {record['assigned_to']} has no address of an active user's own",
                fix="give the user an e-mail address on the instance, or assign the follow-up by hand",
            )
        return address

    def _address_of(self, record: Mapping[str, str]) -> str | None:
        """None rather than "nobody" when the user's address is not known."""
        return _address(self.people.email(record["assigned_to"])) or None


def _status(record: Mapping[str, str]) -> str:
    state = _known_state(record)
    if state == INCOMPLETE and record.get("parent.state", "") in INCIDENT_OVER:
        raise Untaken(
            "status",
            state,
            by="peer",
            cause="the task was closed as incomplete with its incident over: nobody said that it is not done",
            fix="close the task as complete or skipped, or decide on the follow-up",
        )
    return next(status for status, states in COMPATIBLE.items() if state in states)


def _known_state(record: Mapping[str, str]) -> str:
    state = record["state"]
    if not any(state in states for states in COMPATIBLE.values()):
        raise Unmapped("state", state)
    return state


def _compatible(status: str) -> frozenset[str]:
    if status not in COMPATIBLE:
        raise Unmapped("status", status)
    return COMPATIBLE[status]


def _level(record: Mapping[str, str]) -> str:
    """The word for a task's priority; 1 has no word of its own and goes as urgent."""
    priority = record["priority"]
    if priority == "1":
        return "urgent"
    if priority and priority not in PRIORITY_OF.values():
        raise Unmapped("priority", priority)
    return next((word for word, value in PRIORITY_OF.items() if value == priority), "")


def _word(text: str) -> str:
    return text.strip().lower()


def _address(text: str) -> str:
    return text.strip().casefold()
