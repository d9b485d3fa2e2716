"""What a sync asks of a mapping, whatever kind of thing it keeps in step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol


class Unmapped(ValueError):
    """A value for which no rule says what it means on the other side: it is parked, never guessed."""

    def __init__(self, field_name: str, value: str) -> None:
        super().__init__(f"{field_name} {value!r} has no counterpart in the mapping")
        self.field = field_name
        self.value = value


class Untaken(ValueError):
    """A value that one side cannot take: its field is left as it is there and told, the others go on.

    ``by`` is the side that keeps its own value.
    """

    def __init__(
        self, field_name: str, value: str, *, by: Literal["peer", "instance"], cause: str, fix: str
    ) -> None:
        super().__init__(cause)
        self.field = field_name
        self.value = value
        self.by = by
        self.cause = cause
        self.fix = fix


class RecordMapping(Protocol):
    """The fields of a far side's thing and the columns of its record, and how one says the other.

    Functions of values only, but for names of people, which an implementation may look up. All of them
    raise Unmapped for a value without a rule, and Untaken for one that the other side cannot hold.
    """

    @property
    def kind(self) -> str:
        """``incident`` or ``follow_up``: a part of the correlation id."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The far side's fields that are kept in step."""

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Which columns of the record speak for a field: a change of any of them is one of the field."""

    @property
    def record_fields(self) -> tuple[str, ...]:
        """What is read of a record."""

    @property
    def carries_notes(self) -> bool:
        """Whether work notes and the far side's timeline are kept in step too."""

    def value(self, name: str, record: Mapping[str, str]) -> str:
        """A field of a record that has no counterpart yet."""

    def back(self, name: str, record: Mapping[str, str], peer_value: str) -> str | None:
        """What the far side's field becomes after the record changed; None for "as it is"."""

    def agrees(self, name: str, peer_value: str, record: Mapping[str, str]) -> bool:
        """True when the record already says what the far side says."""

    def write(self, name: str, peer_value: str, record: Mapping[str, str] | None) -> dict[str, str]:
        """The columns to write so that the record says what the far side says; least change.

        ``record`` is None when the record is about to be created.
        """

    def is_final(self, name: str, record: Mapping[str, str]) -> bool:
        """True when the record's side of this field cannot be changed any more."""

    def at_creation(self, account: str) -> dict[str, str]:
        """Columns that a new record gets once, beside those of the fields. ``account`` is our user."""

    def expected(self, columns: Mapping[str, str]) -> dict[str, str]:
        """What all columns of the fields say right after a create with these ``columns``."""

    def when_gone(self, record: Mapping[str, str], peer_title: str) -> dict[str, str] | None:
        """What to write once the far side's thing is gone; empty for nothing, None to leave the pair."""
