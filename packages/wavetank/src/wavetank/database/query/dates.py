"""Operators on dates: on a day, a part of the date, relative to now, so far from another date.

ServiceNow docs: "Operators available for filters and queries", "Comparing field values".
"""

from __future__ import annotations

from datetime import datetime

from wavetank.database.dictionary import DATES
from wavetank.database.expressions import SCRIPT, end, floor, shift, to_utc
from wavetank.database.query.calendars import away_sql, part_sql
from wavetank.database.query.comparing import between, compared, negated
from wavetank.database.query.scope import NEVER, Builder, Scope, Sql
from wavetank.database.query.values import parts_of, value_of
from wavetank.database.references import Column

_SIGNS = {"GT": ">", "GE": ">=", "LT": "<", "LE": "<=", "EE": "="}
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_UNITS = frozenset({"minute", "hour", "day", "week", "month", "quarter", "year"})
# The documents allow two digits; more are understood up to here.
_MOST_DIGITS = 5


def on(*, not_on: bool) -> Builder:
    """`label@start@end`: only the two moments count, the label is for people."""

    def build(scope: Scope, column: Column, text: str) -> Sql:
        parts = parts_of(text)
        if len(parts) >= 3:
            low, high = (value_of(scope, column, part) for part in parts[-2:])
        else:
            low = value_of(scope, column, parts[-1])
            high = _end_of_day(scope, column, parts[-1], low)
        sql, params = between(column, low, high)
        return negated(scope, column, (f"NOT {sql}", params)) if not_on else (sql, params)

    return build


def _end_of_day(scope: Scope, column: Column, text: str, low: str) -> str:
    if column.field.type == "glide_date":
        return low
    if text.startswith(SCRIPT) or len(text) < 10:
        return f"{low[:10]} 23:59:59"
    return value_of(scope, column, f"{text[:10]} 23:59:59")


def date_part(scope: Scope, column: Column, text: str) -> Sql:
    """`label@javascript:gs.datePart(part, value, sign)`: one part of the date, in the user's time zone."""
    given = [part for part in parts_of(text) if part.startswith(SCRIPT)]
    if not given or column.field.type not in DATES:
        return NEVER
    part, _, rest = value_of(scope, column, given[0]).partition("@")
    value, _, sign = rest.partition("@")
    wanted = _wanted(part, value)
    sql = part_sql(column, part, scope.context) if part != "day" else None
    if wanted is None or sql is None or sign not in _SIGNS:
        return NEVER
    return f"IFNULL({sql} {_SIGNS[sign]} ?, 0)", [wanted]


def _wanted(part: str, value: str) -> int | None:
    if value.isdecimal() and len(value) < 5:
        return int(value)
    if part == "dayofweek" and value in _WEEKDAYS:
        return _WEEKDAYS.index(value)
    if part == "month" and value[:3] in _MONTHS:
        return _MONTHS.index(value[:3]) + 1
    return None


def relative(which: str) -> Builder:
    """`@unit@ago|ahead@n`: before, on or after a moment so far from now."""

    def build(scope: Scope, column: Column, text: str) -> Sql:
        parts = text.strip("@").split("@")
        if len(parts) != 3 or not parts[2].isdecimal() or len(parts[2]) > _MOST_DIGITS + 4:
            return NEVER
        unit = {"dayofweek": "day"}.get(parts[0], parts[0])
        if unit not in _UNITS or parts[1] not in {"ago", "ahead"}:
            return NEVER
        scope.moving = True
        moment = shift(scope.context.moment, unit, int(parts[2]) * (-1 if parts[1] == "ago" else 1))
        start = floor(moment, unit, scope.context.week_start)
        if which == "EE":
            return between(column, _text(column, start), _text(column, end(start, unit)))
        if scope.context.relative_days == "whole" and unit not in {"minute", "hour"}:
            day = floor(moment, "day")
            moment = end(day, "day") if which in {"GT", "LE"} else day
        return compared(column, _SIGNS[which], _text(column, moment))

    return build


def _text(column: Column, moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d") if column.field.type == "glide_date" else to_utc(moment)


def apart(*, more: bool) -> Builder:
    """`field@unit@before|after|before or after@n`: at least, or at most, so far from another date."""

    def build(scope: Scope, column: Column, text: str) -> Sql | None:
        parts = text.split("@")
        other = scope.column(parts[0])
        if other is None:
            return None
        scope.fields.append(parts[0])
        dates = column.field.type in DATES and other.field.type in DATES
        if len(parts) != 4 or not dates or not parts[3].isdecimal() or len(parts[3]) > _MOST_DIGITS:
            return NEVER
        here, there = (_moment_sql(each) for each in (column, other))
        count = int(parts[3])
        low, high = away_sql(there, parts[1], -count), away_sql(there, parts[1], count)
        sides = [side for side in ("before", "after") if side in parts[2].split()]
        if low is None or high is None or not sides:
            return NEVER
        if more:
            bounds = {"before": f"{here} <= {low}", "after": f"{here} >= {high}"}
        else:
            bounds = {
                "before": f"{here} BETWEEN {low} AND {there}",
                "after": f"{here} BETWEEN {there} AND {high}",
            }
        listed = " OR ".join(bounds[side] for side in sides)
        return f"({column.sql} <> '' AND {other.sql} <> '' AND ({listed}))", []

    return build


def _moment_sql(column: Column) -> str:
    return f"datetime({column.sql})" if column.field.type == "glide_date" else column.sql
