"""Encoded queries: the text after `sysparm_query`, parsed and compiled to SQL with bound parameters.

Grammar and precedence: ServiceNow docs "Using OR conditions" and "Operators available for filters and
queries". `^OR` binds to the condition before it, `^` is AND, `^NQ` parts whole queries:
`a^b^ORc^NQd` means (a AND (b OR c)) OR d. `^^` is a literal caret.

Values never enter the SQL text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from wavetank.database.dictionary import DATE_TIMES, Dictionary
from wavetank.database.expressions import (
    Context,
    NotAllowed,
    evaluate,
    floor,
    shift,
    to_local,
    to_utc,
    zone,
)
from wavetank.database.references import Column, Source

__all__ = ["Compiled", "Condition", "Context", "Query", "compile", "compile_query", "parse"]

ME = frozenset({"54635e965f510100a9ad2572f2b4774c", "90d1921e5f510100a9ad2572f2b477fe"})
# SQLite refuses patterns of more than 50,000 bytes; no field holds so much.
LONGEST_PATTERN = 12_000
TEXT_SEARCH = "123TEXTQUERY321"
_TEXT_FIELDS = (
    "number", "name", "short_description", "description", "close_notes", "user_name", "email", "label",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. `operator` is the token as written."""

    field: str
    operator: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """One ORDERBY."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: any block of (all groups of (any condition)), and the order.

    `unparsed` holds terms that are no condition.
    """

    blocks: tuple[tuple[tuple[Condition, ...], ...], ...] = ()
    orders: tuple[Order, ...] = ()
    unparsed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL parts of one query. `params` belong to `where_sql`; the table is t0 in `from_sql`.

    `fields` are the dot-walked paths that the query filters or sorts on, `unknown` the ones dropped.
    """

    from_sql: str
    where_sql: str
    params: tuple[str | int | float, ...]
    order_sql: str
    fields: tuple[str, ...]
    unknown: tuple[str, ...]
    source: Source


# ------------------------------------------------------------------ parsing

_IGNORED = ("GROUPBY", "TRENDBY", "JOIN")
_FIELD = re.compile(r"[a-z0-9_$]+(?:\.[a-z0-9_$]+)*")
_ANY_FIELD = re.compile(r"[A-Za-z0-9_$.]+?(?=[=<>!*%]|[A-Z ]{2,})")


def parse(encoded: str) -> Query:
    """Read an encoded query. Nothing is an error: what makes no sense is left out, as on the platform."""
    blocks: list[list[list[Condition]]] = [[]]
    orders: list[Order] = []
    unparsed: list[str] = []
    skipping = False
    for term in _terms(encoded):
        if skipping or term.startswith("RLQUERY"):
            skipping = term != "ENDRLQUERY"
            unparsed.append(term)
            continue
        if term in {"", "EQ"} or term.startswith(_IGNORED):
            continue
        if term.startswith("ORDERBY"):
            descending = term.startswith("ORDERBYDESC")
            orders.append(Order(term.removeprefix("ORDERBYDESC" if descending else "ORDERBY"), descending))
            continue
        either = False
        text = term
        if text.startswith("NQ"):
            text = text[2:]
            blocks.append([])
        elif text.startswith("OR"):
            text = text[2:]
            either = True
        condition = _condition(text.removeprefix("GOTO"))
        if condition is None:
            if text:
                unparsed.append(term)
        elif either and blocks[-1]:
            blocks[-1][-1].append(condition)
        else:
            blocks[-1].append([condition])
    frozen = tuple(tuple(tuple(group) for group in block) for block in blocks)
    return Query(frozen, tuple(orders), tuple(unparsed))


def _terms(encoded: str) -> list[str]:
    terms = [""]
    position = 0
    while position < len(encoded):
        cut = encoded.find("^", position)
        if cut < 0:
            terms[-1] += encoded[position:]
            break
        terms[-1] += encoded[position:cut]
        if encoded[cut : cut + 2] == "^^":
            terms[-1] += "^"
            position = cut + 2
        else:
            terms.append("")
            position = cut + 1
    return terms


def _condition(text: str) -> Condition | None:
    if text.startswith(TEXT_SEARCH):
        return Condition(TEXT_SEARCH, "=", text.removeprefix(TEXT_SEARCH).removeprefix("="))
    for pattern in (_FIELD, _ANY_FIELD):
        match = pattern.match(text)
        if match and (operator := _operator(text, match.end())):
            return Condition(match.group(), operator, text[match.end() + len(operator) :])
    return None


def _operator(text: str, start: int) -> str | None:
    for operator in _BY_LENGTH:
        if text.startswith(operator, start):
            return operator
    return None


# ------------------------------------------------------------------ compiling

Param = str | int | float
Sql = tuple[str, list[Param]]
NEVER: Sql = ("0", [])
ALWAYS: Sql = ("1", [])


@dataclass(frozen=True, slots=True)
class _Scope:
    source: Source
    dictionary: Dictionary
    context: Context


def compile(dictionary: Dictionary, table: str, encoded: str, context: Context) -> Compiled:
    """Compile an encoded query on a table. Raises KeyError for a table that does not exist."""
    return compile_query(dictionary, table, parse(encoded), context)


def compile_query(dictionary: Dictionary, table: str, query: Query, context: Context) -> Compiled:
    """Compile a parsed query on a table."""
    scope = _Scope(Source(dictionary, table), dictionary, context)
    fields: list[str] = []
    unknown: list[str] = list(query.unparsed)
    alternatives: list[str] = []
    params: list[Param] = []
    for block in query.blocks:
        groups: list[str] = []
        for group in block:
            parts: list[str] = []
            for condition in group:
                sql = _compile(scope, condition)
                if sql is None:
                    unknown.append(condition.field)
                    continue
                fields.append(condition.field)
                parts.append(sql[0])
                params += sql[1]
            if parts:
                groups.append(_joined(parts, "OR"))
        alternatives.append(_joined(groups, "AND") or "1")
    order_sql = _order(scope, query.orders, fields, unknown)
    matched = _joined(alternatives, "OR") or "1"
    if unknown and context.unknown_field == "no_rows":
        matched, params = "0", []
    class_sql, class_params = _class_condition(scope)
    where = " AND ".join([*class_sql, matched])
    return Compiled(
        scope.source.sql,
        where,
        (*class_params, *params),
        order_sql,
        tuple(dict.fromkeys(fields)),
        tuple(unknown),
        scope.source,
    )


def _joined(parts: Sequence[str], word: str) -> str:
    """Parts joined by AND or OR as a shallow tree: SQLite bounds the depth of an expression."""
    if len(parts) == 1:
        return parts[0]
    if len(parts) > 100:
        size = -(-len(parts) // 100)
        parts = [_joined(parts[start : start + size], word) for start in range(0, len(parts), size)]
    return f"({f' {word} '.join(parts)})" if parts else ""


def _class_condition(scope: _Scope) -> tuple[list[str], list[Param]]:
    table = scope.source.table
    if table.name == table.root or not table.shared:
        return [], []
    below = scope.dictionary.descendants(table.name)
    if not below:
        return ['t0."sys_class_name" = ?'], [table.name]
    marks = ", ".join("?" * (1 + len(below)))
    return [f't0."sys_class_name" IN ({marks})'], [table.name, *below]


def _order(scope: _Scope, orders: Sequence[Order], fields: list[str], unknown: list[str]) -> str:
    parts: list[str] = []
    direction = ""
    for order in orders:
        column = scope.source.column(order.field)
        if column is None:
            unknown.append(order.field)
            continue
        fields.append(order.field)
        direction = " DESC" if order.descending else ""
        if column.field.is_reference:
            column = scope.source.display(column)
        sql = f"CAST({column.sql} AS REAL)" if column.field.is_number else column.sql
        parts.append(sql + direction)
    return f"ORDER BY {', '.join([*parts, f't0.rowid{direction}'])}"


def _compile(scope: _Scope, condition: Condition) -> Sql | None:
    if condition.field == TEXT_SEARCH:
        return _text_search(scope, condition.value)
    column = scope.source.column(condition.field)
    builder = _OPERATORS.get(condition.operator)
    if column is None or builder is None:
        return None
    try:
        return builder(scope, column, condition.value)
    except (NotAllowed, OverflowError):  # a moment beyond all dates matches nothing
        return NEVER


def _text_search(scope: _Scope, text: str) -> Sql | None:
    columns = [column for name in _TEXT_FIELDS if (column := scope.source.column(name))]
    words = text.split()
    if not columns or not words:
        return None
    parts: list[str] = []
    params: list[Param] = []
    for word in words:
        parts.append("(" + " OR ".join(f"{column.sql} LIKE ? ESCAPE '\\'" for column in columns) + ")")
        params += [f"%{_escaped(word)}%"] * len(columns)
    return f"({' AND '.join(parts)})", params


def _value(scope: _Scope, column: Column, text: str) -> str:
    value = text
    if text.startswith("javascript:"):
        result = evaluate(text.removeprefix("javascript:"), scope.context)
        return result if isinstance(result, str) else ",".join(result)
    if column.field.type == "boolean":
        return {"1": "true", "0": "false"}.get(value, value.lower())
    if column.field.type in DATE_TIMES:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            value += " 00:00:00"
        if scope.context.literal_time_zone == "user":
            try:
                value = to_utc(to_local(value, "UTC").replace(tzinfo=zone(scope.context.time_zone)))
            except (ValueError, OverflowError):
                return value  # no moment: it is compared as it stands
    return value


def _equal(scope: _Scope, column: Column, text: str) -> Sql:
    value = _value(scope, column, text)
    if value == "":
        return f"{column.sql} = ''", []
    return f"{column.sql} = ?", [value]


def _not_equal(scope: _Scope, column: Column, text: str) -> Sql:
    value = _value(scope, column, text)
    if value == "":
        return f"{column.sql} <> ''", []
    if column.field.type == "boolean":
        return f"{column.sql} <> ?", [value]
    return f"({column.sql} <> ? AND {column.sql} <> '')", [value]


def _comparison(sign: str) -> Callable[[_Scope, Column, str], Sql]:
    def build(scope: _Scope, column: Column, text: str) -> Sql:
        return _compare(column, sign, _value(scope, column, text))

    return build


def _compare(column: Column, sign: str, value: str) -> Sql:
    if column.field.is_number:
        number = _number(value)
        if number is None:
            return NEVER
        return f"({column.sql} <> '' AND CAST({column.sql} AS REAL) {sign} ?)", [number]
    if sign in {">", ">="} and value:
        return f"{column.sql} {sign} ?", [value]
    return f"({column.sql} <> '' AND {column.sql} {sign} ?)", [value]


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _like(before: str, after: str, *, negated: bool = False) -> Callable[[_Scope, Column, str], Sql]:
    def build(scope: _Scope, column: Column, text: str) -> Sql:
        shown = scope.source.display(column) if column.field.is_reference else column
        pattern = f"{before}{_escaped(_value(scope, column, text))}{after}"
        if len(pattern) > LONGEST_PATTERN:
            return NEVER
        if negated:
            return f"({shown.sql} NOT LIKE ? ESCAPE '\\' AND {shown.sql} <> '')", [pattern]
        return f"{shown.sql} LIKE ? ESCAPE '\\'", [pattern]

    return build


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _in(*, negated: bool) -> Callable[[_Scope, Column, str], Sql]:
    def build(scope: _Scope, column: Column, text: str) -> Sql:
        if text.startswith("javascript:"):
            values = _value(scope, column, text).split(",")
        else:
            values = [_value(scope, column, each) for each in text.split(",")]
        listed: list[Param] = [value for value in values if value]
        if not listed:
            return (f"{column.sql} <> ''", []) if negated else NEVER
        if len(listed) > 500:
            marks = "SELECT value COLLATE NOCASE FROM json_each(?)"
            listed = [msgspec.json.encode(listed).decode()]
        else:
            marks = ", ".join("?" * len(listed))
        if negated:
            return f"({column.sql} NOT IN ({marks}) AND {column.sql} <> '')", listed
        return f"{column.sql} IN ({marks})", listed

    return build


def _empty(scope: _Scope, column: Column, text: str) -> Sql:  # noqa: ARG001
    return f"{column.sql} = ''", []


def _not_empty(scope: _Scope, column: Column, text: str) -> Sql:  # noqa: ARG001
    return f"{column.sql} <> ''", []


def _anything(scope: _Scope, column: Column, text: str) -> Sql:  # noqa: ARG001
    return ALWAYS


def _between(scope: _Scope, column: Column, text: str) -> Sql:
    low, sign, high = text.partition("@")
    if not sign:
        return NEVER
    return _range(column, _value(scope, column, low), _value(scope, column, high))


def _range(column: Column, low: str, high: str) -> Sql:
    first = _compare(column, ">=", low)
    last = _compare(column, "<=", high)
    return f"({first[0]} AND {last[0]})", [*first[1], *last[1]]


def _on(*, negated: bool) -> Callable[[_Scope, Column, str], Sql]:
    def build(scope: _Scope, column: Column, text: str) -> Sql:
        parts = text.split("@")
        if len(parts) >= 3:
            low, high = (_value(scope, column, part) for part in parts[-2:])
        else:
            low = _value(scope, column, parts[-1])
            high = f"{low[:10]} 23:59:59"
        sql, params = _range(column, low, high)
        if negated:
            return f"(NOT {sql} AND {column.sql} <> '')", params
        return sql, params

    return build


_PARTS = {"year": (1, 4), "month": (6, 2), "day": (9, 2), "hour": (12, 2)}


def _same(sign: str) -> Callable[[_Scope, Column, str], Sql]:
    def build(scope: _Scope, column: Column, text: str) -> Sql:
        path, _, part = text.partition("@")
        other = scope.source.column(path)
        if other is None:
            return NEVER
        left, right = column.sql, other.sql
        if part in _PARTS:
            start, length = _PARTS[part]
            left, right = (f"substr({each}, {start}, {length})" for each in (left, right))
        elif column.field.is_number:
            left, right = (f"CAST({each} AS REAL)" for each in (left, right))
        if sign in {"=", "<>"}:
            return f"{left} {sign} {right}", []
        return f"({column.sql} <> '' AND {other.sql} <> '' AND {left} {sign} {right})", []

    return build


_SIGNS = {"GT": ">", "GE": ">=", "LT": "<", "LE": "<="}


def _relative(which: str) -> Callable[[_Scope, Column, str], Sql]:
    def build(scope: _Scope, column: Column, text: str) -> Sql:
        parts = text.strip("@").split("@")
        if len(parts) != 3 or not parts[2].isdecimal() or len(parts[2]) > 9:
            return NEVER
        unit = {"dayofweek": "day"}.get(parts[0], parts[0])
        if unit not in {"minute", "hour", "day", "week", "month", "quarter", "year"}:
            return NEVER
        count = int(parts[2]) * (-1 if parts[1] == "ago" else 1)
        moment = shift(scope.context.moment, unit, count)
        if which == "EE":
            start = floor(moment, unit)
            return _range(column, to_utc(start), to_utc(shift(start, unit, 1) - timedelta(seconds=1)))
        return _compare(column, _SIGNS[which], to_utc(moment))

    return build


def _dynamic(scope: _Scope, column: Column, text: str) -> Sql:
    return (f"{column.sql} = ?", [scope.context.user]) if text in ME else NEVER


def _instance_of(scope: _Scope, column: Column, text: str) -> Sql:
    names = [text, *scope.dictionary.descendants(text)]
    return f"{column.sql} IN ({', '.join('?' * len(names))})", list(names)


_OPERATORS: dict[str, Callable[[_Scope, Column, str], Sql]] = {
    "=": _equal,
    "!=": _not_equal,
    "<": _comparison("<"),
    "<=": _comparison("<="),
    ">": _comparison(">"),
    ">=": _comparison(">="),
    "STARTSWITH": _like("", "%"),
    "ENDSWITH": _like("%", ""),
    "%": _like("%", ""),
    "LIKE": _like("%", "%"),
    "CONTAINS": _like("%", "%"),
    "*": _like("%", "%"),
    "NOT LIKE": _like("%", "%", negated=True),
    "NOTLIKE": _like("%", "%", negated=True),
    "!*": _like("%", "%", negated=True),
    "DOES NOT CONTAIN": _like("%", "%", negated=True),
    "NOT CONTAINS": _like("%", "%", negated=True),
    "IN": _in(negated=False),
    "NOT IN": _in(negated=True),
    "NOTIN": _in(negated=True),
    "ISEMPTY": _empty,
    "EMPTYSTRING": _empty,
    "EMPTY": _empty,
    "ISNOTEMPTY": _not_empty,
    "NOTEMPTY": _not_empty,
    "ANYTHING": _anything,
    "BETWEEN": _between,
    "ON": _on(negated=False),
    "NOTON": _on(negated=True),
    "SAMEAS": _same("="),
    "NSAMEAS": _same("<>"),
    "GT_FIELD": _same(">"),
    "LT_FIELD": _same("<"),
    "GT_OR_EQUALS_FIELD": _same(">="),
    "LT_OR_EQUALS_FIELD": _same("<="),
    "RELATIVEGT": _relative("GT"),
    "RELATIVEGE": _relative("GE"),
    "RELATIVELT": _relative("LT"),
    "RELATIVELE": _relative("LE"),
    "RELATIVEEE": _relative("EE"),
    "DYNAMIC": _dynamic,
    "INSTANCEOF": _instance_of,
}
# Known to the platform, not compiled here: they must not be read as a shorter operator.
_FOREIGN = (
    "IN_HIERARCHY_DYNAMIC", "IN_HIERARCHY", "MORETHAN", "LESSTHAN", "DATEPART", "VALCHANGES",
    "CHANGESFROM", "CHANGESTO", "DOESNOTHAVE", "EXCLUDING", "MATCH_PAT", "MATCH_RGX",
)  # fmt: skip
_BY_LENGTH = sorted((*_OPERATORS, *_FOREIGN), key=len, reverse=True)
