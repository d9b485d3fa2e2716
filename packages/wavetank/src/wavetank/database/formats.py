"""How one value of each type looks to a caller.

ServiceNow docs: "Field types"; shapes as recorded on developer instances.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal

from wavetank.database.dictionary import INTEGERS, MONEY, PASSWORDS, Dictionary, Field
from wavetank.database.expressions import to_local

Mode = Literal["false", "true", "all"]
Shower = Callable[[str], str | None]
MASK = "********"
# The currency of the locale en.US, in which amounts are kept.
CURRENCY, SYMBOL = "USD", "$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # durations are stored as an offset from it
# Letters of a Java date pattern: as many as stand together, then what shows them; the last serves for more.
_JAVA: Mapping[str, tuple[tuple[int, str], ...]] = {
    "y": ((1, "%Y"), (2, "%y"), (3, "%Y")),
    "M": ((1, "%-m"), (2, "%m"), (3, "%b"), (4, "%B")),
    "d": ((1, "%-d"), (2, "%d")),
    "H": ((1, "%-H"), (2, "%H")),
    "h": ((1, "%-I"), (2, "%I")),
    "m": ((1, "%-M"), (2, "%M")),
    "s": ((1, "%-S"), (2, "%S")),
    "E": ((1, "%a"), (4, "%A")),
    "a": ((1, "%p"),),
    "z": ((1, "%Z"),),
}
_PART = re.compile(r"'(?P<quoted>[^']*)'|(?P<letter>[A-Za-z])(?P=letter)*|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Style:
    """What a caller asked to see. `links` is the address before `{table}/{sys_id}`, "" for no links."""

    mode: Mode
    links: str
    time_zone: str
    date_format: str
    time_format: str

    def stamp(self, text: str) -> str:
        """A stored moment as the caller sees it."""
        return local_text(text, self.time_zone, f"{self.date_format} {self.time_format}")


@lru_cache(maxsize=64)
def strftime_format(java: str) -> str:
    """A Java date pattern such as `yyyy-MM-dd` or `d MMM yyyy` as one of strftime.

    What is quoted, and letters that mean nothing, stand for themselves.
    """

    def shown(part: re.Match[str]) -> str:
        known = _JAVA.get(part["letter"] or "")
        if known is None:
            text = part["quoted"] if part["quoted"] is not None else part[0]
            return (text or "'").replace("%", "%%")
        return [code for least, code in known if least <= len(part[0])][-1]

    return _PART.sub(shown, java)


def strptime_format(pattern: str) -> str:
    """The pattern that reads what a strftime pattern shows: digits are read with or without a zero before."""
    return pattern.replace("%-", "%").replace(" %Z", "").replace("%Z", "")


@lru_cache(maxsize=65536)
def local_text(text: str, time_zone: str, pattern: str) -> str:
    """A UTC moment in a time zone and a strftime pattern; what is no moment stays as it is."""
    try:
        moment = to_local(text, time_zone)
    except (ValueError, OverflowError):
        return text
    return moment.strftime(pattern)


def duration_text(text: str) -> str:
    """A stored duration in words, seconds only when nothing larger is there."""
    try:
        seconds = int((to_local(text, "UTC") - _EPOCH).total_seconds())
    except ValueError:
        return text
    if seconds < 0:
        return text
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [
        f"{count} {noun}{'' if count == 1 else 's'}"
        for count, noun in ((days, "Day"), (hours, "Hour"), (minutes, "Minute"))
        if count
    ]
    return " ".join(parts) or f"{seconds} Second{'' if seconds == 1 else 's'}"


def grouped(value: str) -> str:
    """An integer with its thousands apart; what is no integer stays as it is."""
    return f"{int(value):,}" if value.lstrip("-").isdecimal() else value


def decimal(value: str) -> str:
    """A number with its thousands apart and the decimals it has; what is no number stays as it is."""
    whole, point, rest = value.removeprefix("-").partition(".")
    sign = "-" if value.startswith("-") else ""
    return f"{sign}{grouped(whole)}{point}{rest}" if whole.isdecimal() else value


def money(value: str) -> str:
    """An amount of the instance's currency, with two decimals; what is no number stays as it is."""
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return value
    sign = "-" if amount < 0 else ""
    return f"{sign}{SYMBOL}{abs(amount):,.2f}" if amount.is_finite() else value


def shower(field: Field, style: Style, dictionary: Dictionary) -> Shower:  # noqa: PLR0911  one return a type
    """The function that shows values of a field that is neither a reference, a choice nor a journal."""
    if field.type == "due_date":
        return lambda value: style.stamp(value) if value else "UNKNOWN"
    if field.is_date_time:
        return style.stamp
    if field.type == "glide_date":
        return lambda value: local_text(f"{value} 00:00:00", "UTC", style.date_format) if value else ""
    if field.type in INTEGERS:
        return grouped
    if field.type == "glide_duration":
        return lambda value: duration_text(value) if value else ""
    if field.type in MONEY:
        return lambda value: money(value) if value else ""
    if field.type in {"decimal", "float"}:
        return decimal
    if field.type == "glide_time":
        return lambda value: local_text(value, "UTC", style.time_format) if value else ""
    if field.type in PASSWORDS:
        return lambda value: MASK if value else ""
    if field.type == "sys_class_name":
        return lambda value: known.label if (known := dictionary.table(value)) else value
    return lambda value: value


def further(field: Field) -> Callable[[str], Mapping[str, str]] | None:
    """What a value shows besides `display_value` and `value` when both are asked for; None for nothing."""
    if field.type in MONEY:
        return lambda value: {"currency_display_value": f"{CURRENCY};{value}"} if value else {}
    return None


def raw_sql(field: Field, column: str) -> str:
    """The SQL of a value as it is given without display values; `column` is the SQL of what is stored."""
    return "''" if field.is_journal else column
