"""Moments in a user's time zone: where a day, a week or a quarter begins, and what lies some of them away.

ServiceNow docs: "GlideSystem API". Begin and end functions compute in the session's time zone and answer
UTC text.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FORMAT = "%Y-%m-%d %H:%M:%S"
SECOND = timedelta(seconds=1)
# Units that are a fixed stretch of time; the others follow the clock on the wall.
_EXACT = frozenset({"second", "minute", "hour"})
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


class NotAllowed(ValueError):
    """The expression is not in the guarded language."""


@lru_cache(maxsize=64)
def zone(name: str) -> tzinfo:
    """The time zone of that name; UTC for a name nobody knows."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def to_local(text: str, time_zone: str) -> datetime:
    """A UTC text as a moment in a time zone. Raises ValueError for another form."""
    return datetime.strptime(text, FORMAT).replace(tzinfo=UTC).astimezone(zone(time_zone))


def to_utc(moment: datetime) -> str:
    """The UTC text of a moment. Raises OverflowError beyond the first and the last year."""
    return moment.astimezone(UTC).strftime(FORMAT)


def floor(moment: datetime, unit: str, week_start: str = "sunday") -> datetime:
    """The first second of the minute, hour, day, week, month, quarter or year of a moment."""
    cut = moment.replace(second=0, microsecond=0)
    if unit == "minute":
        return cut
    cut = cut.replace(minute=0)
    if unit == "hour":
        return cut
    cut = cut.replace(hour=0)
    if unit == "day":
        return cut
    if unit == "week":
        return cut - timedelta(days=(cut.weekday() + (week_start == "sunday")) % 7)
    cut = cut.replace(day=1)
    if unit == "month":
        return cut
    return cut.replace(month=1 if unit == "year" else (cut.month - 1) // 3 * 3 + 1)


def shift(moment: datetime, unit: str, count: int) -> datetime:
    """A moment some units later (earlier when negative); a day that does not exist becomes the last.

    Raises OverflowError or NotAllowed beyond the first and the last year.
    """
    if unit in _EXACT:
        exact = moment.astimezone(UTC) + timedelta(**{f"{unit}s": count})
        return exact.astimezone(moment.tzinfo)
    if unit in {"day", "week"}:
        return moment + timedelta(**{f"{unit}s": count})
    index = moment.year * 12 + moment.month - 1 + count * _MONTHS[unit]
    year, month = divmod(index, 12)
    for day in (moment.day, 30, 29, 28):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise NotAllowed("no such day")


def end(start: datetime, unit: str) -> datetime:
    """The last second of the unit that begins at `start`."""
    return shift(start, unit, 1) - SECOND
