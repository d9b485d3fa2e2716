"""How one value of each type looks to a caller.

ServiceNow docs: "Field types"; shapes as recorded on developer instances.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from wavetank.database.dictionary import INTEGERS, PASSWORDS, Dictionary, Field
from wavetank.database.expressions import to_local

Mode = Literal["false", "true", "all"]
Shower = Callable[[str], str | None]
MASK = "********"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # durations are stored as an offset from it
_JAVA = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S", "a": "%p"}
_MONEY = frozenset({"currency", "price"})


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
    """A Java date pattern such as `yyyy-MM-dd` as one of strftime."""
    return re.sub("yyyy|MM|dd|HH|hh|mm|ss|a", lambda match: _JAVA[match[0]], java)


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
    if field.type in _MONEY:
        return lambda value: f"${float(value):,.2f}" if value else ""
    if field.type in PASSWORDS:
        return lambda value: MASK if value else ""
    if field.type == "sys_class_name":
        return lambda value: known.label if (known := dictionary.table(value)) else value
    return lambda value: value


def further(field: Field) -> Callable[[str], Mapping[str, str]] | None:
    """What a value shows besides `display_value` and `value` when both are asked for; None for nothing."""
    if field.type in _MONEY:
        return lambda value: {"currency_display_value": f"USD;{value}"} if value else {}
    return None
