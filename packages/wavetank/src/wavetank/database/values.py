"""What callers write, as it is stored.

Scalars become text; an object written into a field becomes the text a Java map prints as, cut to the
field's length (recorded). A value the field cannot hold is dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wavetank.database.choices import Choices
from wavetank.database.dictionary import INTEGERS, PASSWORDS, Field, Table
from wavetank.database.expressions import FORMAT, to_utc, zone
from wavetank.database.store import Database

_INTEGER = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?")
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})
# More digits than any numeric column of the platform holds.
_DIGITS = 40
_UNCUT = frozenset({"journal_input", "journal", "password", "password2", "script", "conditions"})
DROPPED = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns written values into stored ones for one caller.

    With `display`, values are what a person would type: labels, names, dates in the caller's time zone.
    """

    database: Database
    choices: Choices
    display: bool
    time_zone: str
    date_format: str
    time_format: str
    any_choice: bool

    def read(self, table: Table, field: Field, value: Any) -> str | None:  # noqa: PLR0911  one return a type
        """The stored text, or DROPPED when the value is not taken."""
        text = as_text(value)
        if field.type == "boolean":
            return _boolean(text)
        if text == "" or field.is_journal or field.type in PASSWORDS:
            return text
        if field.is_reference:
            return self._reference(field, text)
        if field.choice:
            return self._choice(table, field, text)
        if field.type == "glide_list" and field.reference and self.display:
            found = (self._reference(field, each.strip()) for each in text.split(","))
            return ",".join(each for each in found if each)
        if field.type == "glide_date":
            return self._date(text)
        if field.is_date_time:
            return self._date_time(text)
        if field.is_number:
            return self._number(field, text)
        return text if field.type in _UNCUT else text[: max(field.max_length, 1)]

    def _reference(self, field: Field, text: str) -> str:
        target = self.database.dictionary.table(field.reference)
        if self.display and target is not None and self.database.get(target.name, text) is None:
            found = self.database.first(target.name, **{target.display: text})
            if found is None and field.reference == "sys_user":
                found = self.database.first("sys_user", user_name=text)
            if found is not None:
                return found[field.key]
        return text[: max(field.max_length, 32)]

    def _choice(self, table: Table, field: Field, text: str) -> str | None:
        known = self.choices.find(table.name, field.name)
        if known is None:
            return self._number(field, text) if field.is_number else text[: field.max_length]
        if self.display and text.lower() in known.values:
            return known.values[text.lower()]
        exact = text if known.allows(text) else _canonical(known.choices, text)
        if exact is None and not self.any_choice:
            return DROPPED
        return text if exact is None else exact

    def _number(self, field: Field, text: str) -> str | None:
        plain = text.replace(",", "") if self.display else text
        if len(plain) > _DIGITS or not _DECIMAL.fullmatch(plain):
            return DROPPED
        if _INTEGER.fullmatch(plain):
            return str(int(plain))
        return str(int(float(plain))) if field.type in INTEGERS else plain

    def _date(self, text: str) -> str | None:
        formats = [self.date_format] if self.display else []
        moment = _parsed(text, [*formats, "%Y-%m-%d", FORMAT])
        return moment.strftime("%Y-%m-%d") if moment else DROPPED

    def _date_time(self, text: str) -> str | None:
        if self.display:
            shown = f"{self.date_format} {self.time_format}"
            moment = _parsed(text, [shown, self.date_format, FORMAT, "%Y-%m-%d"])
            try:
                return to_utc(moment.replace(tzinfo=zone(self.time_zone))) if moment else DROPPED
            except OverflowError:  # the first or last day there is, in a zone that is already beyond
                return DROPPED
        moment = _parsed(text.replace("T", " ").removesuffix("Z"), [FORMAT, "%Y-%m-%d", "%Y-%m-%d %H:%M"])
        return moment.strftime(FORMAT) if moment else DROPPED


def as_text(value: Any) -> str:
    """A JSON value as the platform stores it in a text column."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={as_text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_text(each) for each in value) + "]"
    return str(value)


def _boolean(text: str) -> str | None:
    lowered = text.lower()
    if lowered in _TRUE:
        return "true"
    if lowered in _FALSE or lowered == "":
        return "false"
    return DROPPED


def _canonical(choices: Any, text: str) -> str | None:
    lowered = text.lower()
    for each in choices:
        if each.value.lower() == lowered and not each.inactive:
            return str(each.value)
    return None


def _parsed(text: str, formats: list[str]) -> datetime | None:
    for each in formats:
        try:
            return datetime.strptime(text, each)  # noqa: DTZ007  the caller says which zone
        except ValueError:
            continue
    return None
