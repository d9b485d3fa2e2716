"""Dates in SQL: the time in a user's zone, its parts, and a date some units away.

The database keeps UTC. A zone's offsets are written into the statement as a tree of cases over its changes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from wavetank.database.expressions import FORMAT, Context, zone
from wavetank.database.references import Column

_FIRST, _LAST = 1970, 2060
_PARTS = {
    "hour": "CAST(strftime('%H', {0}) AS INTEGER)",
    "day": "CAST(strftime('%d', {0}) AS INTEGER)",
    "month": "CAST(strftime('%m', {0}) AS INTEGER)",
    "year": "CAST(strftime('%Y', {0}) AS INTEGER)",
    "quarter": "((CAST(strftime('%m', {0}) AS INTEGER) + 2) / 3)",
    "dayofweek": "CAST(strftime('%w', {0}) AS INTEGER)",
}
# Whole weeks since the one that the first week_start of the year opens; days before it are week 0.
_WEEKS = {
    "sunday": "((strftime('%j', {0}) + 6 - strftime('%w', {0})) / 7)",
    "monday": "((strftime('%j', {0}) + 6 - (strftime('%w', {0}) + 6) % 7) / 7)",
}
_DAYS = {
    "hour": "hours",
    "day": "days",
    "week": "days",
    "month": "months",
    "quarter": "months",
    "year": "months",
}
_TIMES = {"week": 7, "quarter": 3, "year": 12}


def part_sql(column: Column, part: str, context: Context) -> str | None:
    """One part of a date column as a number, in the user's time zone; NULL where it is empty.

    ServiceNow docs: "Evaluate equality between date values": a day is a day of the month, a week a week of
    the year. None for a part that does not exist.
    """
    form = _WEEKS[context.week_start] if part == "week" else _PARTS.get(part)
    return form.format(local_sql(column, context.time_zone)) if form else None


def local_sql(column: Column, time_zone: str) -> str:
    """A column's moment in a time zone; a date without a time is the same everywhere."""
    if column.field.type == "glide_date":
        return column.sql
    tree = _tree(column.sql, _changes(time_zone))
    return column.sql if tree == "0" else f"datetime({column.sql}, ({tree}) || ' seconds')"


def away_sql(sql: str, unit: str, count: int) -> str | None:
    """A moment some units away; a day that does not exist becomes the last of its month."""
    word = _DAYS.get(unit)
    if word is None:
        return None
    moved = f"datetime({sql}, '{count * _TIMES.get(unit, 1):+d} {word}')"
    if word != "months":
        return moved
    day = f"strftime('%d', {moved})"
    last = f"datetime({moved}, '-' || {day} || ' days')"
    return f"CASE WHEN {day} = strftime('%d', {sql}) THEN {moved} ELSE {last} END"


Changes = tuple[tuple[str, int], ...]


@lru_cache(maxsize=64)
def _changes(time_zone: str) -> Changes:
    """From when on which offset in seconds holds, oldest first; the first holds since ever."""
    place = zone(time_zone)

    def offset(moment: datetime) -> int:
        ahead = moment.astimezone(place).utcoffset()
        return int(ahead.total_seconds()) if ahead else 0

    here = datetime(_FIRST, 1, 1, tzinfo=UTC)
    found = [("", offset(here))]
    while here.year < _LAST:
        after = here + timedelta(days=14)
        if offset(after) != found[-1][1]:
            low, high = here, after
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if offset(middle) == found[-1][1] else (low, middle)
            found.append((high.strftime(FORMAT), offset(high)))
        here = after
    return tuple(found)


def _tree(sql: str, changes: Changes) -> str:
    if len(changes) == 1:
        return str(changes[0][1])
    half = len(changes) // 2
    since = changes[half][0]
    return (
        f"CASE WHEN {sql} < '{since}' THEN {_tree(sql, changes[:half])} ELSE {_tree(sql, changes[half:])} END"
    )
