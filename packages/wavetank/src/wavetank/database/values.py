"""What callers write, as it is stored.

Scalars become text; an object written into a field becomes the text a Java map prints as, cut to the
field's length (recorded). A value the field cannot hold is dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from wavetank.database.choices import Choices
from wavetank.database.dictionary import INTEGERS, MONEY, PASSWORDS, Field, Table
from wavetank.database.expressions import FORMAT, to_utc, zone
from wavetank.database.formats import CURRENCY, SYMBOL, strptime_format
from wavetank.database.store import Database

_INTEGER = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_SPAN = re.compile(r"(?:(?P<days>\d{1,6}) )?(?P<hours>\d{1,6}):(?P<minutes>\d\d):(?P<seconds>\d\d)")
_WORDS = re.compile(
    r"(?:(?P<days>\d{1,6}) days?)? ?(?:(?P<hours>\d{1,6}) hours?)? ?"
    r"(?:(?P<minutes>\d{1,6}) minutes?)? ?(?:(?P<seconds>\d{1,6}) seconds?)?",
    re.IGNORECASE,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    clears_choices: bool = True

    def read(self, table: Table, field: Field, value: Any) -> str | None:  # noqa: PLR0911  one return a type
        """The stored text, or DROPPED when the value is not taken."""
        text = as_text(value)
        if field.type == "boolean":
            return _boolean(text)
        if text == "" and field.choice and not self._clears(table, field):
            return DROPPED
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
        if field.type in MONEY:
            return self._money(text)
        if field.is_number:
            return self._number(field, text)
        if field.type == "glide_duration":
            return _duration(text, words=self.display)
        if field.type == "glide_time":
            return self._time(text)
        return text if field.type in _UNCUT else text[: max(field.max_length, 1)]

    def _reference(self, field: Field, text: str) -> str:
        target = self.database.dictionary.table(field.reference)
        if self.display and target is not None and self.database.get(target.name, text) is None:
            found = self.database.first(target.name, **{target.display: text})
            if found is None and field.reference == "sys_user":
                found = self.database.first("sys_user", user_name=text)
            if found is not None:
                return found.get(field.key, found["sys_id"])
        return text[: max(field.max_length, 32)]

    def _clears(self, table: Table, field: Field) -> bool:
        known = self.choices.find(table.name, field.name)
        return self.clears_choices or self.any_choice or known is None or known.allows("")

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
        # Cut, not rounded.
        return str(int(Decimal(plain))) if field.type in INTEGERS else plain

    def _money(self, text: str) -> str | None:
        """An amount, alone or after its currency ("EUR;100"), in the currency that amounts are kept in."""
        code, sign, rest = text.partition(";")
        amount = (rest if sign else text).strip()
        if self.display:
            amount = amount.removeprefix(SYMBOL).replace(",", "")
        if len(amount) > _DIGITS or not _DECIMAL.fullmatch(amount):
            return DROPPED
        if not sign or code == CURRENCY:
            return amount
        codes = {row["sys_id"]: row["code"] for row in self.database.find("fx_currency", active="true")}
        rates = {codes.get(row["currency"], ""): row["rate"] for row in self.database.find("fx_rate")}
        if code not in rates or CURRENCY not in rates:
            return DROPPED
        worth = Decimal(amount) / Decimal(rates[code]) * Decimal(rates[CURRENCY])
        return str(worth.quantize(Decimal("0.01")))

    def _time(self, text: str) -> str | None:
        formats = [self.time_format] if self.display else []
        moment = _parsed(text, [*formats, "%H:%M:%S", "%H:%M", FORMAT])
        return moment.strftime("1970-01-01 %H:%M:%S") if moment else DROPPED

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
        return "{" + ", ".join(f"{key}={_within(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_within(each) for each in value) + "]"
    return str(value)


def _within(value: Any) -> str:
    """A value within a map or a list as Java prints it."""
    return "null" if value is None else as_text(value)


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


def _duration(text: str, *, words: bool) -> str | None:
    """A span of time as an offset from 1970: given so, as "2 08:00:00" (days, clock), or in words."""
    if _parsed(text, [FORMAT]):
        return text
    match = _SPAN.fullmatch(text.strip())
    if match is None and words:
        match = _WORDS.fullmatch(text.strip())
    if match is None or not match[0]:
        return DROPPED
    parts = {name: int(value) for name, value in match.groupdict().items() if value}
    try:
        return (_EPOCH + timedelta(**parts)).strftime(FORMAT)
    except OverflowError:
        return DROPPED


def _parsed(text: str, formats: list[str]) -> datetime | None:
    for each in formats:
        try:
            return datetime.strptime(text, strptime_format(each))  # noqa: DTZ007  the caller says which zone
        except ValueError:
            continue
    return None
