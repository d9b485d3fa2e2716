"""What the desk holds, and what it accepts. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from linkspan.core.errors import Rejected

SEVERITIES = ("critical", "high", "moderate", "low", "planning")
STATUSES = ("triage", "live", "paused", "learning", "closed", "canceled")
FINAL_STATUSES = frozenset({"closed", "canceled"})
FIELDS = ("name", "summary", "severity", "status")
DEFAULTS: Mapping[str, str] = {"name": "", "summary": "", "severity": "moderate", "status": "triage"}

FOLLOW_UP_FIELDS = ("title", "description", "status", "priority", "assignee")
FOLLOW_UP_STATUSES = ("outstanding", "completed", "not_doing")
PRIORITIES = ("urgent", "high", "medium", "low")
FOLLOW_UP_DEFAULTS: Mapping[str, str] = {
    "title": "",
    "description": "",
    "status": "outstanding",
    "priority": "medium",
    "assignee": "",
}

# People get the sizes a ServiceNow record can take back; the sync may bring anything a field of the
# platform can hold, so its bound only keeps the store sane.
PERSON_LIMITS: Mapping[str, int] = {
    "name": 200,
    "summary": 4000,
    "text": 4000,
    "author": 100,
    "key": 200,
    "title": 160,
    "description": 4000,
    "assignee": 100,
}
PEER_LIMITS: Mapping[str, int] = {
    "name": 4000,
    "summary": 262_144,
    "text": 262_144,
    "author": 200,
    "key": 400,
    "title": 4000,
    "description": 262_144,
    "assignee": 400,
}


@dataclass(frozen=True)
class Numbers:
    """How the numbers of one kind of entry are written: DESK-0001."""

    prefix: str

    def text(self, number: int) -> str:
        """A number as people read it."""
        return f"{self.prefix}-{number:04d}"

    def read(self, text: str) -> int:
        """The number that people wrote, with or without prefix; 0, which no entry has, when it is none."""
        found = re.fullmatch(rf"(?:{self.prefix}-)?0*([0-9]{{1,9}})", text.strip(), re.IGNORECASE)
        return int(found[1]) if found else 0


NUMBERS, FOLLOW_UP_NUMBERS = Numbers("DESK"), Numbers("FU")


@dataclass(frozen=True, kw_only=True)
class Incident:
    """An incident of the desk. Times are epoch seconds; ``version`` starts at 1."""

    id: str
    number: str
    name: str
    summary: str
    severity: str
    status: str
    version: int
    key: str
    created_at: float
    updated_at: float

    @property
    def values(self) -> dict[str, str]:
        """The four fields that people and the sync may change."""
        return {name: getattr(self, name) for name in FIELDS}


@dataclass(frozen=True, kw_only=True)
class Update:
    """One entry of an incident's timeline. ``seq`` orders all updates of the desk."""

    id: str
    incident: str
    text: str
    author: str
    at: float
    key: str
    seq: int


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """Something to do about an incident. ``assignee`` is an e-mail address, empty for nobody.

    Times are epoch seconds; ``version`` starts at 1.
    """

    id: str
    number: str
    incident: str
    title: str
    description: str
    status: str
    priority: str
    assignee: str
    version: int
    key: str
    created_at: float
    updated_at: float

    @property
    def values(self) -> dict[str, str]:
        """The five fields that people and the sync may change."""
        return {name: getattr(self, name) for name in FOLLOW_UP_FIELDS}


@dataclass(frozen=True, kw_only=True)
class Event:
    """One committed change. ``origin`` is who made it: ``person`` or ``sync``.

    ``follow_up`` is what changed when it was not the incident itself. ``version`` and ``key`` are those
    of what changed, ``key`` the one it was created with.
    """

    seq: int
    incident: str
    version: int
    key: str
    at: float
    origin: str
    follow_up: str = ""


def invalid(cause: str, fix: str = "") -> Rejected:
    """The error for a value the desk does not take."""
    return Rejected(cause, fix=fix, where="desk", code="invalid")


def checked_fields(values: Mapping[str, str], *, by_person: bool) -> dict[str, str]:
    """``values`` if every one is a field the desk can hold. Raises Rejected (code ``invalid``)."""
    words = {"severity": SEVERITIES, "status": STATUSES}
    fields = _checked("an incident", values, FIELDS, words, by_person=by_person)
    if by_person and "name" in fields:
        _refuse_bad_name("An incident", "name", fields["name"], rest="summary")
    return fields


def checked_follow_up(values: Mapping[str, str], *, by_person: bool) -> dict[str, str]:
    """``values`` if every one is a field a follow-up can hold. Raises Rejected (code ``invalid``)."""
    words = {"status": FOLLOW_UP_STATUSES, "priority": PRIORITIES}
    fields = _checked("a follow-up", values, FOLLOW_UP_FIELDS, words, by_person=by_person)
    if by_person and "title" in fields:
        _refuse_bad_name("A follow-up", "title", fields["title"], rest="description")
    if by_person and (address := fields.get("assignee", "").strip()):
        if "@" not in address.strip("@") or " " in address:
            raise invalid(f"{address[:60]!r} is not an e-mail address.", "Say who by e-mail address.")
        fields["assignee"] = address
    return fields


def _checked(
    what: str,
    values: Mapping[str, str],
    known: Sequence[str],
    words: Mapping[str, tuple[str, ...]],
    *,
    by_person: bool,
) -> dict[str, str]:
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise invalid(f"{unknown[0]!r} is not a field of {what}.", f"Use only {', '.join(known)}.")
    limits = PERSON_LIMITS if by_person else PEER_LIMITS
    fields = {
        name: checked_text(name, value, limits[name]) for name, value in values.items() if name in limits
    }
    for name, choices in words.items():
        if name in values:
            fields[name] = _one_of(name, values[name], choices)
    return fields


def checked_text(name: str, value: object, limit: int) -> str:
    """``value`` if it is text of at most ``limit`` characters. Raises Rejected (code ``invalid``)."""
    if not isinstance(value, str):
        raise invalid(f"{name} must be text.")
    if len(value) > limit:
        raise invalid(f"{name} has {len(value)} characters; the desk takes {limit}.", "Shorten it.")
    if "\x00" in value:
        raise invalid(f"{name} holds a NUL character.", "Remove it.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise invalid(f"{name} holds half a character.", "Send whole ones.")
    return value


def _one_of(name: str, value: object, words: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in words:
        raise invalid(f"{str(value)[:40]!r} is not a {name} of the desk.", f"Use one of {', '.join(words)}.")
    return value


def _refuse_bad_name(what: str, field: str, text: str, *, rest: str) -> None:
    if not text.strip():
        raise invalid(f"{what} needs a {field}.", "Say it in a few words.")
    if "\n" in text or "\r" in text:
        raise invalid(f"A {field} is a single line.", f"Put the rest into the {rest}.")
