"""Operators that compare a field with values or with another field.

What an empty field answers: ServiceNow docs "Filtering on empty fields", "Comparing field values".
"""

from __future__ import annotations

import msgspec

from wavetank.database.dictionary import DATES, INTEGERS
from wavetank.database.query.calendars import part_sql
from wavetank.database.query.scope import ALWAYS, NEVER, Builder, Param, Scope, Sql
from wavetank.database.query.values import listed_of, number_of, number_sql, parts_of, value_of, values_of
from wavetank.database.references import Column

# More values than this travel as one parameter.
MOST_MARKS = 500


def negated(scope: Scope, column: Column, sql: Sql) -> Sql:
    """A condition that says what a field is not: empty fields do not meet it, unless the setting says so."""
    if scope.context.negation_on_empty == "matched":
        return f"({sql[0]} OR {column.sql} = '')", sql[1]
    return f"({sql[0]} AND {column.sql} <> '')", sql[1]


def equal(scope: Scope, column: Column, text: str) -> Sql:
    if text == "" and scope.context.empty_value == "ignored":
        return ALWAYS
    if _means_empty(scope, text):
        return empty(scope, column, text)
    values = values_of(scope, column, text)
    if len(values) != 1:
        return one_of(column, values)
    value = values[0]
    if value == "":
        return f"{column.sql} = ''", []
    if column.field.is_number and column.field.type not in INTEGERS:
        return compared(column, "=", value)
    return f"{column.sql} = ?", [value]


def not_equal(scope: Scope, column: Column, text: str) -> Sql:
    if text == "" and scope.context.empty_value == "ignored":
        return ALWAYS
    if _means_empty(scope, text):
        return not_empty(scope, column, text)
    values = values_of(scope, column, text)
    if len(values) != 1:
        sql, params = one_of(column, values)
        return negated(scope, column, (f"NOT ({sql})", params))
    value = values[0]
    if value == "" or column.field.type == "boolean":
        return f"{column.sql} <> ?", [value]
    if column.field.is_number and (number := number_of(value)) is not None:
        return negated(scope, column, (f"IFNULL({number_sql(column)} <> ?, 1)", [number]))
    return negated(scope, column, (f"{column.sql} <> ?", [value]))


def _means_empty(scope: Scope, text: str) -> bool:
    return text == "" or (text == "NULL" and scope.context.null_word == "empty")


def comparison(sign: str) -> Builder:
    def build(scope: Scope, column: Column, text: str) -> Sql:
        return compared(column, sign, value_of(scope, column, text))

    return build


def compared(column: Column, sign: str, value: str) -> Sql:
    """A field against one value: numbers by size, anything else in the order of its text."""
    if column.field.is_number:
        number = number_of(value)
        if number is None:
            return NEVER
        return f"{number_sql(column)} {sign} ?", [number]
    if sign in {">", ">="} and value:
        return f"{column.sql} {sign} ?", [value]
    return f"({column.sql} <> '' AND {column.sql} {sign} ?)", [value]


def between(column: Column, low: str, high: str) -> Sql:
    """A field from one value to another, both included."""
    first = compared(column, ">=", low)
    last = compared(column, "<=", high)
    return f"({first[0]} AND {last[0]})", [*first[1], *last[1]]


def ranged(scope: Scope, column: Column, text: str) -> Sql:
    parts = parts_of(text)
    if len(parts) != 2:
        return NEVER
    low, high = (value_of(scope, column, part) for part in parts)
    return between(column, low, high)


def one_of(column: Column, values: list[str]) -> Sql:
    """A field equal to one of several values."""
    listed: list[Param] = [value for value in values if value]
    if not listed:
        return NEVER
    return within(column.sql, listed)


def within(sql: str, listed: list[Param]) -> Sql:
    """A column's SQL equal to one of several values, however many they are."""
    if len(listed) > MOST_MARKS:
        marks = "SELECT value COLLATE NOCASE FROM json_each(?)"
        listed = [msgspec.json.encode(listed).decode()]
    else:
        marks = ", ".join("?" * len(listed))
    return f"{sql} IN ({marks})", listed


def among(scope: Scope, column: Column, text: str) -> Sql:
    return one_of(column, listed_of(scope, column, text))


def not_among(scope: Scope, column: Column, text: str) -> Sql:
    sql, params = one_of(column, listed_of(scope, column, text))
    return negated(scope, column, (f"NOT ({sql})", params))


def empty(scope: Scope, column: Column, text: str) -> Sql:  # noqa: ARG001
    return f"{column.sql} = ''", []


def not_empty(scope: Scope, column: Column, text: str) -> Sql:  # noqa: ARG001
    return f"{column.sql} <> ''", []


def anything(scope: Scope, column: Column, text: str) -> Sql:  # noqa: ARG001
    return ALWAYS


def with_field(sign: str) -> Builder:
    """Against another field of the record; `@day` and the like compare that part of two dates only."""

    def build(scope: Scope, column: Column, text: str) -> Sql | None:
        path, _, part = text.partition("@")
        other = scope.column(path)
        if other is None:
            return None
        scope.fields.append(path)
        filled = f"{column.sql} <> ''"
        if part and column.field.type in DATES and other.field.type in DATES:
            left, right = (part_sql(each, part, scope.context) for each in (column, other))
            if left is None or right is None:
                return NEVER
        elif column.field.is_number and other.field.is_number:
            left, right = number_sql(column), number_sql(other)
        else:
            left, right = column.sql, other.sql
        if sign == "<>":
            return negated(scope, column, (f"IFNULL({left} <> {right}, 1)", []))
        return f"({filled} AND {other.sql} <> '' AND {left} {sign} {right})", []

    return build
