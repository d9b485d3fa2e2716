"""The value of a condition, as the database holds such values."""

from __future__ import annotations

import re
from functools import lru_cache

from wavetank.database.dictionary import DATE_TIMES, INTEGERS, MONEY, Field
from wavetank.database.expressions import SCRIPT, evaluate, to_local, to_utc, zone
from wavetank.database.query.scope import Scope
from wavetank.database.references import Column

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_WHOLE = re.compile(r"[+-]?\d{1,30}(?:\.0*)?")
_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?")


def value_of(scope: Scope, column: Column, text: str) -> str:
    """The value of a condition on a column. Raises NotAllowed for an expression that is not allowed."""
    values = values_of(scope, column, text)
    return values[0] if len(values) == 1 else ",".join(values)


def values_of(scope: Scope, column: Column, text: str) -> list[str]:
    """The values that a condition's text stands for: one, or as many as its expression lists."""
    field = column.field
    if not text.startswith(SCRIPT):
        return [_stored(scope, field, text)]
    scope.moving = True
    result = evaluate(text.removeprefix(SCRIPT), scope.context)
    if isinstance(result, list):
        return result
    if field.type == "glide_date":
        return [_local_day(result, scope.context.time_zone)]
    return [_canonical(field, result)]


def listed_of(scope: Scope, column: Column, text: str) -> list[str]:
    """The values between the commas of a list, empty ones left out."""
    if text.startswith(SCRIPT):
        found = values_of(scope, column, text)
        parts = [part for each in found for part in each.split(",")]
    else:
        parts = [_stored(scope, column.field, each) for each in text.split(",")]
    return [_canonical(column.field, part) for part in parts if part]


@lru_cache(maxsize=1024)
def parts_of(text: str) -> tuple[str, ...]:
    """What stands between the @ signs of a value, those in quotes left alone."""
    if SCRIPT not in text:
        return tuple(text.split("@"))
    parts = [""]
    quote = ""
    for each in text:
        if each == "@" and not quote:
            parts.append("")
            continue
        if quote:
            quote = "" if each == quote else quote
        elif each in "'\"" and SCRIPT in parts[-1]:
            quote = each
        parts[-1] += each
    return tuple(parts)


def number_of(text: str) -> float | None:
    """A number as it is written; None for anything else."""
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


def number_sql(column: Column) -> str:
    """A column's value as a number: NULL where it is empty. Money may carry its currency in front."""
    sql = f"NULLIF({column.sql}, '')"
    if column.field.type in MONEY:
        sql = f"substr({sql}, instr({column.sql}, ';') + 1)"
    return f"CAST({sql} AS REAL)"


def _canonical(field: Field, value: str) -> str:
    if field.type == "boolean":
        lowered = value.lower()
        return {"1": "true", "0": "false"}.get(lowered, lowered)
    if field.type in INTEGERS and _WHOLE.fullmatch(value.strip()):
        return str(int(value.partition(".")[0]))
    if field.type in MONEY:
        return value.rpartition(";")[2]
    return value


def _stored(scope: Scope, field: Field, text: str) -> str:
    if field.type in DATE_TIMES:
        return _moment(scope, text)
    if field.type == "glide_date" and _DAY.match(text):
        return text[:10]
    return _canonical(field, text)


def _moment(scope: Scope, text: str) -> str:
    value = f"{text} 00:00:00" if _DAY.fullmatch(text) else text
    if scope.context.literal_time_zone != "user":
        return value
    try:
        return to_utc(to_local(value, "UTC").replace(tzinfo=zone(scope.context.time_zone)))
    except (ValueError, OverflowError):
        return value  # no moment: it is compared as it stands


def _local_day(text: str, time_zone: str) -> str:
    try:
        return to_local(text, time_zone).strftime("%Y-%m-%d")
    except (ValueError, OverflowError):
        return text[:10] if _DAY.match(text) else text
