"""`javascript:` values in queries and defaults: the small guarded language that newer releases allow.

One call on an allow-listed object, with literal arguments (ServiceNow docs: "Guarded script",
"JavaScript APIs supported by guarded script"). Begin and end functions compute in the user's time zone
and answer UTC text (ServiceNow docs: "GlideSystem API").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FORMAT = "%Y-%m-%d %H:%M:%S"
_CALL = re.compile(r"^\s*(?:gs\.)?((?:getUser\(\)\.)?\w+)\s*\((.*)\)\s*;?\s*$", re.DOTALL)
_ARGUMENT = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)"|(-?\d{1,9})|(true|false))\s*(?:,|$)""")
_SPAN = re.compile(
    r"(beginning|end)Of(Last|Next|This|Current)?(\d{1,6})?"
    r"(Day|Today|Yesterday|Tomorrow|Week|Month|Quarter|Year|Hour|Minute|Days|Months|Quarters|Years|Hours|Minutes)"
)
_AGO = re.compile(r"(minutes|hours|days|months|quarters|years)Ago(Start|End)?")


class NotAllowed(ValueError):
    """The expression is not in the guarded language."""


@dataclass(frozen=True)
class Context:
    """Who asks, when and where: what an expression can see.

    `now` is UTC text. `unknown_field` says what becomes of a query term whose field does not exist:
    drop, refuse or no_rows. `literal_time_zone` is utc or user: how date literals in queries are read.
    """

    now: str
    user: str = ""
    user_name: str = ""
    time_zone: str = "UTC"
    unknown_field: str = "drop"
    literal_time_zone: str = "utc"
    groups: Callable[[], Sequence[str]] = field(default=tuple)

    @property
    def moment(self) -> datetime:
        """Now, in the user's time zone."""
        return to_local(self.now, self.time_zone)


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
    """The UTC text of a moment."""
    return moment.astimezone(UTC).strftime(FORMAT)


def evaluate(expression: str, context: Context) -> str | list[str]:
    """The value of an expression, without its `javascript:` mark. Raises NotAllowed."""
    match = _CALL.match(expression)
    if match is None:
        return _literal(expression)
    name = match[1].removeprefix("getUser().")
    arguments = _arguments(match[2])
    simple = _SIMPLE.get(name)
    if simple is not None:
        return simple(context)
    if name == "dateGenerate":
        return _generate(arguments, context)
    if span := _SPAN.fullmatch(name):
        return _span(span, context)
    if ago := _AGO.fullmatch(name):
        return _ago(ago, arguments, context)
    raise NotAllowed(f"{name} is not allowed here")


_SIMPLE: dict[str, Callable[[Context], str | list[str]]] = {
    "getUserID": lambda context: context.user,
    "userID": lambda context: context.user,
    "user_id": lambda context: context.user,
    "getID": lambda context: context.user,
    "getUserName": lambda context: context.user_name,
    "getName": lambda context: context.user_name,
    "getMyGroups": lambda context: list(context.groups()),
    "nowDateTime": lambda context: context.now,
    "nowGlideDateTime": lambda context: context.now,
    "now": lambda context: context.moment.strftime("%Y-%m-%d"),
    "nowNoTZ": lambda context: context.now,
    "yesterday": lambda context: to_utc(context.moment - timedelta(days=1)),
    "lastWeek": lambda context: to_utc(context.moment - timedelta(days=7)),
}


def _literal(text: str) -> str:
    stripped = text.strip().rstrip(";").strip()
    if len(stripped) >= 2 and stripped[0] == stripped[-1] and stripped[0] in "'\"":
        return stripped[1:-1]
    if re.fullmatch(r"-?\d+(\.\d+)?|true|false", stripped):
        return stripped
    raise NotAllowed(f"{text!r} is not a guarded expression")


def _arguments(text: str) -> list[str]:
    found = []
    position = 0
    while position < len(text.rstrip()):
        match = _ARGUMENT.match(text, position)
        if match is None or match.end() == position:
            raise NotAllowed(f"arguments {text!r} are not literals")
        found.append(next(group for group in match.groups() if group is not None))
        position = match.end()
    return found


def _generate(arguments: Sequence[str], context: Context) -> str:
    if not arguments:
        raise NotAllowed("dateGenerate needs a date")
    day, _, rest = arguments[0].partition(" ")
    time = arguments[1] if len(arguments) > 1 else rest or "00:00:00"
    time = {"start": "00:00:00", "end": "23:59:59"}.get(time, time)
    try:
        moment = to_local(f"{day} {time}", "UTC")
    except ValueError as error:
        raise NotAllowed(str(error)) from error
    return to_utc(moment.replace(tzinfo=zone(context.time_zone)))


def floor(moment: datetime, unit: str) -> datetime:
    """The first second of the minute, hour, day, week (Sunday), month, quarter or year of a moment."""
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
        return cut - timedelta(days=(cut.weekday() + 1) % 7)
    cut = cut.replace(day=1)
    if unit == "month":
        return cut
    return cut.replace(month=1 if unit == "year" else (cut.month - 1) // 3 * 3 + 1)


def shift(moment: datetime, unit: str, count: int) -> datetime:
    """A moment some units later (earlier when negative); a day that does not exist becomes the last."""
    if unit in {"minute", "hour", "day", "week"}:
        return moment + timedelta(**{f"{unit}s": count})
    months = count * {"month": 1, "quarter": 3, "year": 12}[unit]
    index = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(index, 12)
    for day in (moment.day, 30, 29, 28):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise NotAllowed("no such day")


def _span(match: re.Match[str], context: Context) -> str:
    side, which, count, noun = match.groups()
    unit = noun.lower().rstrip("s")
    offset = {"Last": -1, "Next": 1}.get(which or "", 0)
    if unit in {"today", "yesterday", "tomorrow"}:
        offset = {"today": 0, "yesterday": -1, "tomorrow": 1}[unit]
        unit = "day"
    start = floor(context.moment, unit)
    if count:
        # "Last 30 days" ends with the present unit; "Next 2 quarters" begins with it.
        many = int(count)
        first = shift(start, unit, 1 - many) if which == "Last" else start
        last = start if which == "Last" else shift(start, unit, many - 1)
    else:
        first = last = shift(start, unit, offset)
    moment = first if side == "beginning" else shift(last, unit, 1) - timedelta(seconds=1)
    return to_utc(moment)


def _ago(match: re.Match[str], arguments: Sequence[str], context: Context) -> str:
    unit = match[1].rstrip("s")
    count = int(arguments[0]) if arguments and re.fullmatch(r"-?\d{1,9}", arguments[0]) else 0
    moment = shift(context.moment, unit, -count)
    if match[2]:
        start = floor(moment, unit)
        moment = start if match[2] == "Start" else shift(start, unit, 1) - timedelta(seconds=1)
    return to_utc(moment)
