"""GlideDateTime, GlideDate and GlideTime, as far as guarded script lets them be read.

What changes an object answers nothing: in a single expression nobody could look at it afterwards.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from wavetank.database.expressions.context import Context
from wavetank.database.expressions.moments import FORMAT, NotAllowed, to_local, to_utc
from wavetank.database.expressions.objects import Value, nth, number_of, text_of

_CHANGES = frozenset(
    [
        "add",
        "addDays",
        "addDaysLocalTime",
        "addDaysUTC",
        "addMonths",
        "addMonthsLocalTime",
        "addMonthsUTC",
        "addSeconds",
        "addWeeks",
        "addYears",
        "setDayOfMonthUTC",
        "setDisplayValue",
        "setDisplayValueEx",
        "setDisplayValueLang",
        "setMonth",
        "setNumericValue",
        "setTZ",
        "setTimeZone",
        "setValue",
        "setValueUTC",
        "subtract",
        "parseDate",
    ]
)


def moment_of(value: Value, context: Context) -> datetime:
    """The moment that a text or an object stands for, in the user's zone. Raises NotAllowed."""
    text = text_of(value)
    for form in (text, f"{text} 00:00:00"):
        try:
            return to_local(form, context.time_zone)
        except ValueError:
            continue
    raise NotAllowed(f"{text!r} is no date")


_PARTS: dict[str, Callable[[datetime], float]] = {
    "DayOfMonth": lambda moment: moment.day,
    "DayOfWeek": lambda moment: moment.isoweekday(),
    "DaysInMonth": lambda moment: calendar.monthrange(moment.year, moment.month)[1],
    "Month": lambda moment: moment.month,
    "WeekOfYear": lambda moment: int(moment.strftime("%U")),
    "Year": lambda moment: moment.year,
}
_UTC_PARTS = {
    name: part for part in _PARTS for name in (f"get{part}UTC", f"get{part}") if name != "getWeekOfYear"
}
_LOCAL_PARTS = {f"get{part}LocalTime": part for part in _PARTS}


class Moment:
    """A GlideDateTime."""

    kind = "GlideDateTime"

    def __init__(self, context: Context, given: Sequence[Value]) -> None:
        self._context = context
        self.local = moment_of(given[0], context) if given else context.moment

    def call(self, method: str, arguments: Sequence[Value]) -> Value:
        if method in _CHANGES:
            return None
        if method in _UTC_PARTS:
            return _PARTS[_UTC_PARTS[method]](self.local.astimezone(UTC))
        if method in _LOCAL_PARTS:
            return _PARTS[_LOCAL_PARTS[method]](self.local)
        if method in _READINGS:
            return _READINGS[method](self)
        if method in {"compareTo", "onOrAfter", "onOrBefore"}:
            other = moment_of(nth(arguments, 0), self._context)
            order = (self.local > other) - (self.local < other)
            return order if method == "compareTo" else (order >= 0 if method == "onOrAfter" else order <= 0)
        raise NotAllowed(f"GlideDateTime.{method} is not allowed here")

    @property
    def offset(self) -> float:
        """Milliseconds ahead of UTC."""
        ahead = self.local.utcoffset()
        return ahead.total_seconds() * 1000 if ahead else 0

    @property
    def zone(self) -> str:
        return self._context.time_zone

    @property
    def summer(self) -> bool:
        return bool(self.local.dst())


_READINGS: dict[str, Callable[[Moment], Value]] = {
    "getDate": lambda moment: moment.local.astimezone(UTC).strftime("%Y-%m-%d"),
    "getDisplayValue": lambda moment: moment.local.strftime(FORMAT),
    "getDisplayValueEx": lambda moment: moment.local.strftime(FORMAT),
    "getDisplayValueInternal": lambda moment: moment.local.strftime(FORMAT),
    "getDisplayValueLang": lambda moment: moment.local.strftime(FORMAT),
    "getLocalDate": lambda moment: moment.local.strftime("%Y-%m-%d"),
    "getLocalTime": lambda moment: moment.local.strftime("1970-01-01 %H:%M:%S"),
    "getNumericValue": lambda moment: moment.local.timestamp() * 1000,
    "getTZOffset": lambda moment: moment.offset,
    "getTime": lambda moment: moment.local.astimezone(UTC).strftime("1970-01-01 %H:%M:%S"),
    "getUserTimeZone": lambda moment: moment.zone,
    "getValue": lambda moment: to_utc(moment.local),
    "isDST": lambda moment: moment.summer,
    "toString": lambda moment: to_utc(moment.local),
}


class Day:
    """A GlideDate: the day in the user's time zone."""

    kind = "GlideDate"

    def __init__(self, context: Context, given: Sequence[Value]) -> None:
        self._day = moment_of(given[0], context).astimezone(UTC) if given else context.moment

    def call(self, method: str, arguments: Sequence[Value]) -> Value:
        if method in _CHANGES:
            return None
        if method == "getByFormat":
            from wavetank.database.formats import strftime_format  # it reads moments itself

            return self._day.strftime(strftime_format(text_of(nth(arguments, 0, "yyyy-MM-dd"))))
        if method == "getDayOfMonthNoTZ":
            return self._day.day
        if method == "getMonthNoTZ":
            return self._day.month
        if method == "toString" or method.startswith("getDisplayValue"):
            return self._day.strftime("%Y-%m-%d")
        raise NotAllowed(f"GlideDate.{method} is not allowed here")


class Time:
    """A GlideTime."""

    kind = "GlideTime"

    def __init__(self, context: Context, given: Sequence[Value]) -> None:
        self._time = datetime.fromtimestamp(number_of(given[0]) / 1000, UTC) if given else context.moment

    def call(self, method: str, arguments: Sequence[Value]) -> Value:  # noqa: ARG002
        if method == "setValue":
            return None
        if method in {"getDisplayValue", "toString"}:
            return self._time.strftime("%H:%M:%S")
        raise NotAllowed(f"GlideTime.{method} is not allowed here")


CLASSES: dict[str, Callable[[Context, Sequence[Value]], Moment | Day | Time]] = {
    "GlideDateTime": Moment,
    "GlideDate": Day,
    "GlideTime": Time,
}
