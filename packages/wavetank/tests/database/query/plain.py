"""Encoded queries once more, in plain Python over rows in memory, written from the documents.

It shares nothing with the compiler: not its parsing, its dates or its lists of operators.
"""

from __future__ import annotations

import calendar
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

Row = Mapping[str, str]
ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}
ORDER |= {"!=": operator.ne}
STAMP = "%Y-%m-%d %H:%M:%S"
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


@dataclass(frozen=True)
class World:
    """All rows there are, and who asks when."""

    types: Mapping[str, str]
    owners: Mapping[str, Row]
    parts: Sequence[Row]
    now: str
    zone: str
    user: str


def meets(world: World, row: Row, field: str, sign: str, value: str) -> bool:
    """Whether a row meets one condition."""
    if field == "notes":
        return _entries(row["notes"], sign, value)
    held, kind = _held(world, row, field)
    simple = _simple(held, kind, sign, value)
    if simple is not None:
        return simple
    if sign in {"SAMEAS", "NSAMEAS"} or sign.endswith("_FIELD"):
        return _fields(world, row, held, kind, sign, value)
    if sign in {"MORETHAN", "LESSTHAN"}:
        return _apart(row, held, sign, value)
    if sign in {"ON", "NOTON", "BETWEEN"}:
        return _within(held, kind, sign, value)
    if sign == "DATEPART":
        return _part(world, held, kind, value)
    if sign.startswith("RELATIVE"):
        return _relative(world, held, kind, sign[-2:], value)
    if sign == "DYNAMIC":
        return world.user in held.split(",")
    if sign == "IN_HIERARCHY":
        return _below(world, held, value.partition("@")[2])
    raise AssertionError(sign)


def _held(world: World, row: Row, field: str) -> tuple[str, str]:
    first, _, rest = field.partition(".")
    if not rest:
        return row[field], world.types[field]
    here: Row = world.owners.get(row[first], {})
    *steps, last = rest.split(".")
    for step in steps:
        here = world.owners.get(here.get(step, ""), {})
    return here.get(last, ""), {"name": "string", "level": "integer", "boss": "reference"}[last]


def _simple(held: str, kind: str, sign: str, value: str) -> bool | None:
    match sign:
        case "ISEMPTY" | "EMPTYSTRING":
            return held == ""
        case "ISNOTEMPTY":
            return held != ""
        case "ANYTHING":
            return True
        case "IN":
            return held != "" and any(_equal(held, kind, each) for each in value.split(",") if each)
        case "NOT IN":
            return held != "" and not any(_equal(held, kind, each) for each in value.split(",") if each)
        case "=" | "!=" if value in {"", "NULL"}:
            return (held == "") == (sign == "=")
        case "=":
            return _equal(held, kind, value)
        case "!=":
            return not _equal(held, kind, value) and (held != "" or kind == "boolean")
        case "<" | "<=" | ">" | ">=":
            return _ordered(held, kind, sign, value)
        case "STARTSWITH":
            return held.lower().startswith(value.lower())
        case "ENDSWITH":
            return held.lower().endswith(value.lower())
        case "LIKE" | "CONTAINS":
            return value.lower() in held.lower()
        case "NOT LIKE" | "DOES NOT CONTAIN":
            return held != "" and value.lower() not in held.lower()
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _equal(held: str, kind: str, value: str) -> bool:
    if kind in {"integer", "decimal", "currency"}:
        return held != "" and _number(value) is not None and _number(held) == _number(value)
    if kind == "boolean":
        value = {"1": "true", "0": "false"}.get(value, value)
    if kind == "glide_date_time" and len(value) == 10:
        value += " 00:00:00"
    if kind == "glide_date":
        value = value[:10]
    return held.lower() == value.lower()


def _ordered(held: str, kind: str, sign: str, value: str) -> bool:
    if held == "":
        return False
    if kind in {"integer", "decimal", "currency"}:
        wanted = _number(value)
        return wanted is not None and bool(ORDER[sign](float(held), wanted))
    if kind == "glide_date_time" and len(value) == 10:
        value += " 00:00:00"
    if kind == "glide_date":
        value = value[:10]
    return bool(ORDER[sign](held.lower(), value.lower()))


def _entries(notes: str, sign: str, value: str) -> bool:
    entries = [entry for entry in notes.split("|") if entry]
    match sign:
        case "ISEMPTY":
            return not entries
        case "ISNOTEMPTY":
            return bool(entries)
        case "LIKE":
            return any(value.lower() in entry.lower() for entry in entries)
        case "NOT LIKE":
            return bool(entries) and not any(value.lower() in entry.lower() for entry in entries)
        case "=":
            return any(value.lower() == entry.lower() for entry in entries)
    raise AssertionError(sign)


# ---------------------------------------------------------------- two fields


def _fields(world: World, row: Row, held: str, kind: str, sign: str, value: str) -> bool:
    path, _, unit = value.partition("@")
    other, _ = _held(world, row, path)
    if held == "":
        return False
    if sign == "NSAMEAS" and other == "":
        return True
    if other == "":
        return False
    left: object = held.lower()
    right: object = other.lower()
    if unit:
        left, right = (_piece(world, text, unit) for text in (held, other))
    elif kind in {"integer", "decimal", "currency"}:
        left, right = float(held), float(other)
    named = {"SAMEAS": "=", "NSAMEAS": "!=", "GT_FIELD": ">", "LT_FIELD": "<"}
    named |= {"GT_OR_EQUALS_FIELD": ">=", "LT_OR_EQUALS_FIELD": "<="}
    return bool(ORDER[named[sign]](left, right))


def _naive(text: str) -> datetime:
    return datetime.strptime(text, STAMP)  # noqa: DTZ007  wall clock or UTC, as the caller knows


def _local(world: World, text: str) -> datetime:
    if len(text) == 10:
        return _naive(f"{text} 00:00:00")
    moment = _naive(text).replace(tzinfo=UTC)
    return moment.astimezone(ZoneInfo(world.zone)).replace(tzinfo=None)


def _piece(world: World, text: str, unit: str) -> int:
    local = _local(world, text)
    return {
        "hour": local.hour,
        "day": local.day,
        "week": int(local.strftime("%U")),
        "month": local.month,
        "quarter": (local.month - 1) // 3 + 1,
        "year": local.year,
        "dayofweek": local.isoweekday() % 7,
    }[unit]


def _moved(moment: datetime, unit: str, count: int) -> datetime:
    if unit in {"minute", "hour", "day", "week"}:
        return moment + timedelta(**{f"{unit}s": count})
    months = count * {"month": 1, "quarter": 3, "year": 12}[unit]
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _apart(row: Row, held: str, sign: str, value: str) -> bool:
    path, unit, side, count = value.split("@")
    if not held or not row[path]:
        return False
    here, there = (_naive(text) for text in (held, row[path]))
    low, high = _moved(there, unit, -int(count)), _moved(there, unit, int(count))
    if sign == "MORETHAN":
        sides = {"before": here <= low, "after": here >= high}
    else:
        sides = {"before": low <= here <= there, "after": there <= here <= high}
    return any(sides[each] for each in side.split(" or "))


# ---------------------------------------------------------------- dates


def _within(held: str, kind: str, sign: str, value: str) -> bool:
    low, high = value.split("@")[-2:]
    inside = _ordered(held, kind, ">=", low) and _ordered(held, kind, "<=", high)
    return held != "" and not inside if sign == "NOTON" else inside


def _part(world: World, held: str, kind: str, value: str) -> bool:
    if held == "" or kind not in {"glide_date_time", "glide_date"}:
        return False
    inside = value.partition("(")[2].rstrip(")")
    unit, wanted, sign = (each.strip("'") for each in inside.split(","))
    number = WEEKDAYS.index(wanted) if unit == "dayofweek" else int(wanted)
    named = {"EE": "=", "GT": ">", "GE": ">=", "LT": "<", "LE": "<="}
    return bool(ORDER[named[sign]](_piece(world, held, unit), number))


def _relative(world: World, held: str, kind: str, sign: str, value: str) -> bool:
    _, unit, way, count = value.split("@")
    unit = "day" if unit == "dayofweek" else unit
    steps = int(count) * (-1 if way == "ago" else 1)
    zone = ZoneInfo(world.zone)
    if unit in {"minute", "hour"}:
        utc = _moved(_naive(world.now), unit, steps).replace(tzinfo=UTC)
        local = utc.astimezone(zone).replace(tzinfo=None)
    else:
        local = _moved(_local(world, world.now), unit, steps)
        utc = local.replace(tzinfo=zone).astimezone(UTC)
    if held == "":
        return False
    if sign == "EE":
        return _opening(_local(world, held), unit, kind) == _opening(local, unit, kind)
    named = {"GT": ">", "GE": ">=", "LT": "<", "LE": "<="}[sign]
    text = local.strftime("%Y-%m-%d") if kind == "glide_date" else utc.strftime(STAMP)
    return bool(ORDER[named](held, text))


def _opening(local: datetime, unit: str, kind: str) -> datetime:
    if kind == "glide_date" and unit in {"minute", "hour"}:
        unit = "day"
    cut = local.replace(second=0, microsecond=0)
    if unit == "minute":
        return cut
    cut = cut.replace(minute=0)
    if unit == "hour":
        return cut
    cut = cut.replace(hour=0)
    if unit == "week":
        return cut - timedelta(days=cut.isoweekday() % 7)
    if unit == "day":
        return cut
    first = {"month": cut.month, "quarter": (cut.month - 1) // 3 * 3 + 1, "year": 1}[unit]
    return cut.replace(month=first, day=1)


# ---------------------------------------------------------------- other rows


def _below(world: World, held: str, node: str) -> bool:
    seen: set[str] = set()
    here = held
    while here and here not in seen:
        if here == node:
            return True
        seen.add(here)
        here = world.owners.get(here, {}).get("boss", "")
    return False


def related(world: World, row: Row, sign: str, count: int, size: str) -> bool:
    """RLQUERY on the parts of a thing, of one size when a size is given."""
    mine = [each for each in world.parts if each["thing"] == row["sys_id"] and size in {"", each["size"]}]
    return bool(ORDER[sign](len(mine), count))
