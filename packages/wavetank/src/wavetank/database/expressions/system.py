"""GlideSystem (`gs`): the calls that guarded script allows.

ServiceNow docs: "GlideSystem API", "JavaScript APIs supported by guarded script".
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from wavetank.database.expressions.context import Context
from wavetank.database.expressions.dates import Moment, moment_of
from wavetank.database.expressions.moments import (
    FORMAT,
    NotAllowed,
    end,
    floor,
    shift,
    to_local,
    to_utc,
    zone,
)
from wavetank.database.expressions.objects import Value, nth, text_of, truth, whole
from wavetank.database.expressions.people import User

# beginningOf… and endOf…: the unit, and the first and the last of them counted from the present one.
SPANS: dict[str, tuple[str, int, int]] = {
    "CurrentHour": ("hour", 0, 0),
    "CurrentMinute": ("minute", 0, 0),
    "Day": ("day", 0, 0),
    "Last120Days": ("day", -119, 0),
    "Last12Months": ("month", -11, 0),
    "Last15Minutes": ("minute", -14, 0),
    "Last2Hours": ("hour", -1, 0),
    "Last2Quarters": ("quarter", -1, 0),
    "Last2Years": ("year", -1, 0),
    "Last30Days": ("day", -29, 0),
    "Last30Minutes": ("minute", -29, 0),
    "Last3Months": ("month", -2, 0),
    "Last45Minutes": ("minute", -44, 0),
    "Last60Days": ("day", -59, 0),
    "Last6Months": ("month", -5, 0),
    "Last7Days": ("day", -6, 0),
    "Last90Days": ("day", -89, 0),
    "Last9Months": ("month", -8, 0),
    "LastHour": ("hour", -1, -1),
    "LastMinute": ("minute", -1, -1),
    "LastMonth": ("month", -1, -1),
    "LastQuarter": ("quarter", -1, -1),
    "LastWeek": ("week", -1, -1),
    "LastYear": ("year", -1, -1),
    "Month": ("month", 0, 0),
    "Next2Quarters": ("quarter", 0, 1),
    "NextMonth": ("month", 1, 1),
    "NextQuarter": ("quarter", 1, 1),
    "NextWeek": ("week", 1, 1),
    "NextYear": ("year", 1, 1),
    "ThisMonth": ("month", 0, 0),
    "ThisQuarter": ("quarter", 0, 0),
    "ThisWeek": ("week", 0, 0),
    "ThisYear": ("year", 0, 0),
    "Today": ("day", 0, 0),
    "Tomorrow": ("day", 1, 1),
    "Week": ("week", 0, 0),
    "Year": ("year", 0, 0),
    "Yesterday": ("day", -1, -1),
}
_AGO = re.compile(r"(minutes|hours|days|months|quarters|years)Ago(Start|End|Local)?")
_NO_AGO = frozenset({"yearsAgoStart", "yearsAgoEnd", "yearsAgoLocal", "minutesAgoLocal", "monthsAgoLocal"})
_NO_AGO |= {"quartersAgoLocal"}
_EDGE = re.compile(r"is(First|Last)DayOf(Month|Week|Year)")
PARTS = ("dayofweek", "month", "quarter", "year", "week", "hour")


class System:
    """The object `gs`."""

    kind = "GlideSystem"

    def __init__(self, context: Context) -> None:
        self._context = context

    def call(self, method: str, arguments: Sequence[Value]) -> Value:
        if method in _CALLS:
            return _CALLS[method](self._context, arguments)
        for mark in ("beginningOf", "endOf"):
            name = method.removeprefix(mark)
            if method.startswith(mark) and name in SPANS:
                return to_utc(_edge(self._context, mark, *SPANS[name]))
            if method.startswith(mark) and name == "OneYearAgo":
                return to_utc(_day_edge(shift(self._context.moment, "year", -1), mark))
        if (ago := _AGO.fullmatch(method)) and method not in _NO_AGO:
            return _ago(self._context, ago, whole(nth(arguments, 0, 0)))
        if edge := _EDGE.fullmatch(method):
            return _is_edge(self._context, edge, nth(arguments, 0))
        raise NotAllowed(f"gs.{method} is not allowed here")


def _edge(context: Context, mark: str, unit: str, first: int, last: int) -> datetime:
    start = floor(context.moment, unit, context.week_start)
    if mark == "beginningOf":
        return shift(start, unit, first)
    return end(shift(start, unit, last), unit)


def _day_edge(moment: datetime, mark: str) -> datetime:
    start = floor(moment, "day")
    return start if mark == "beginningOf" else end(start, "day")


def _ago(context: Context, match: re.Match[str], count: int) -> str:
    unit = match[1].rstrip("s")
    moment = shift(context.moment, unit, -count)
    if match[2] == "Local":
        return floor(moment, unit).strftime(FORMAT)
    if match[2]:
        start = floor(moment, unit)
        moment = start if match[2] == "Start" else end(start, unit)
    return to_utc(moment)


def _is_edge(context: Context, match: re.Match[str], value: Value) -> bool:
    moment = moment_of(value, context)
    other = moment if match[1] == "First" else moment + timedelta(days=1)
    if match[2] == "Week":  # Monday is the first day here, whatever a query takes for a week
        return other.weekday() == 0
    return other.day == 1 and (match[2] == "Month" or other.month == 1)


def _generate(context: Context, given: Sequence[Value]) -> str:
    if not given:
        raise NotAllowed("dateGenerate needs a date")
    day, _, rest = text_of(given[0]).partition(" ")
    time = text_of(given[1]) if len(given) > 1 else rest or "00:00:00"
    time = {"start": "00:00:00", "end": "23:59:59"}.get(time, time)
    try:
        moment = to_local(f"{day} {time}", "UTC")
    except ValueError as error:
        raise NotAllowed(str(error)) from error
    return to_utc(moment.replace(tzinfo=zone(context.time_zone)))


def _difference(context: Context, given: Sequence[Value]) -> Value:
    start, stop = (moment_of(nth(given, place), context) for place in (0, 1))
    seconds = int((stop - start).total_seconds())
    if truth(nth(given, 2)):
        return str(seconds)
    sign = "-" if seconds < 0 else ""
    days, rest = divmod(abs(seconds), 86400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{sign}{days} {clock}" if days else sign + clock


def _duration(text: str) -> str:
    """A duration such as "1 8:00:00", as it is stored: so long after the beginning of 1970."""
    match = re.fullmatch(r"\s*(\d{1,6})\s+(\d{1,4}):(\d{1,4}):(\d{1,4})\s*", text)
    if match is None:
        raise NotAllowed(f"{text!r} is no duration")
    days, hours, minutes, seconds = (int(each) for each in match.groups())
    long = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return (datetime(1970, 1, 1) + long).strftime(FORMAT)  # noqa: DTZ001  an offset, not a moment


def _part(given: Sequence[Value]) -> str:
    """What DATEPART compares with: the part of a date, the value, and how."""
    part, value, sign = (text_of(nth(given, place)).lower() for place in range(3))
    return f"{part}@{value}@{sign.upper()}"


def _preference(context: Context, given: Sequence[Value]) -> str:
    row = context.first("sys_user_preference", user=context.user, name=text_of(nth(given, 0)))
    return row.get("value") or text_of(nth(given, 1))


def _message(given: Sequence[Value]) -> str:
    text = text_of(nth(given, 0))
    filled = nth(given, 1)
    for place, each in enumerate(filled if isinstance(filled, list) else given[1:]):
        text = text.replace(f"{{{place}}}", text_of(each))
    return text


def _has_role(context: Context, given: Sequence[Value]) -> bool:
    asked = {each.strip() for each in text_of(nth(given, 0)).split(",")}
    return "admin" in context.roles or bool(asked & context.roles)


def _now_date_time(context: Context) -> str:
    return context.moment.strftime(FORMAT) if context.now_date_time == "session" else context.now


_CALLS: dict[str, Callable[[Context, Sequence[Value]], Value]] = {
    "calDateDiff": _difference,
    "dateDiff": _difference,
    "dateGenerate": _generate,
    "datePart": lambda _, given: _part(given),
    "generateGUID": lambda *_: uuid.uuid4().hex,
    "getCurrentScopeName": lambda *_: "global",
    "getDurationDate": lambda _, given: _duration(text_of(nth(given, 0))),
    "getMessage": lambda _, given: _message(given),
    "getPreference": _preference,
    "getUser": lambda context, _: User(context),
    "getUserDisplayName": lambda context, _: User(context).call("getDisplayName", ()),
    "getUserID": lambda context, _: context.user,
    "getUserName": lambda context, _: context.user_name,
    "hasRole": _has_role,
    "isInteractive": lambda context, _: context.interactive,
    "isLoggedIn": lambda context, _: bool(context.user),
    "lastWeek": lambda context, _: to_utc(shift(context.moment, "week", -1)),
    "nil": lambda _, given: text_of(nth(given, 0)) == "",
    "now": lambda context, _: context.now[:10],
    "nowDateTime": lambda context, _: _now_date_time(context),
    "nowGlideDateTime": lambda context, _: Moment(context, ()),
    "nowNoTZ": lambda context, _: context.now,
    "user": lambda context, _: context.user_name,
    "userID": lambda context, _: context.user,
    "user_id": lambda context, _: context.user,
    "yesterday": lambda context, _: to_utc(shift(context.moment, "day", -1)),
}
