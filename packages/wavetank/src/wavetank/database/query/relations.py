"""Conditions on other rows: related lists, joins, hierarchies, dynamic values, classes, tags, many values.

Each is a set that the row's value lies in or not, so the database finds it once and not for every row.
ServiceNow docs: "Encoded query strings", "Dynamic operators", "Building hierarchical queries",
"Operators available for filters and queries".
"""

from __future__ import annotations

from collections.abc import Callable

from wavetank.database.expressions import SCRIPT, NotAllowed, evaluate
from wavetank.database.query.comparing import one_of
from wavetank.database.query.parse import Condition, Join, Query, Related
from wavetank.database.query.scope import (
    ALWAYS,
    NEVER,
    Builder,
    Param,
    Scope,
    Sql,
    class_condition,
    either,
    joined,
)
from wavetank.database.query.text import LIKE, escaped, pattern
from wavetank.database.references import Column

# Options that the documents show by their sys_id; what else there is stands in the table.
ME = frozenset({"54635e965f510100a9ad2572f2b4774c", "90d1921e5f510100a9ad2572f2b477fe"})
OPTIONS = "sys_filter_option_dynamic"
HIERARCHIES = "sys_record_hierarchy"

Blocks = Callable[[Scope, Query], Sql]


def related(scope: Scope, term: Related, blocks: Blocks) -> Sql | None:
    """RLQUERY: how many rows refer to this one. None when there is no such table or reference."""
    inner = scope.within(term.table)
    column = inner.column(term.field) if inner else None
    if inner is None or column is None:
        return None
    table = scope.source.table
    key = column.field.key if column.field.key in table.fields else "sys_id"
    scope.columns.append(key)
    rows = _rows(inner, column, term.query, blocks)
    sign, bounds = term.sign, [term.count]
    if sign == "BETWEEN":
        test = "COUNT(*) BETWEEN ? AND ?"
        bounds = [term.count, term.most]
        none_will_do = term.count == 0
    else:
        test = f"COUNT(*) {'<>' if sign == '!=' else sign} ?"
        none_will_do = _compares(0, sign, term.count)
    counted = f"{rows[0]} GROUP BY {column.sql} HAVING"
    own = f'{scope.source.name}."{key}"'
    if none_will_do:
        return f"{own} NOT IN ({counted} NOT ({test}))", [*rows[1], *bounds]
    return f"{own} IN ({counted} {test})", [*rows[1], *bounds]


def _compares(left: int, sign: str, right: int) -> bool:
    return {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[sign]


def join(scope: Scope, term: Join, blocks: Blocks) -> Sql | None:
    """JOIN: a row of another table has the value of a field of this one. None for what does not exist."""
    inner = scope.within(term.table)
    other = inner.column(term.other) if inner else None
    if inner is None or other is None or term.of not in scope.dictionary.hierarchy(scope.source.table.name):
        return None
    own = scope.column(term.field)
    if own is None:
        return None
    scope.fields.append(term.field)
    sql, params = _rows(inner, other, term.query, blocks)
    return f"{own.sql} IN ({sql})", params


def _rows(inner: Scope, column: Column, query: Query, blocks: Blocks) -> Sql:
    """The values of a column in the rows of a table that meet a query."""
    met, met_params = blocks(inner, query)
    terms, params = class_condition(inner)
    table = inner.source.table.name
    inner.related += [(table, name) for name in (column.path, *inner.fields)]
    where = joined([*terms, f"{column.sql} <> ''", met], "AND")
    return f"SELECT {column.sql} {inner.source.sql} WHERE {where}", [*params, *met_params]


def hierarchy(*, dynamic: bool) -> Builder:
    """`<record hierarchy>@<node>`: the node and everything below it. A third part may leave the node out."""

    def build(scope: Scope, column: Column, text: str) -> Sql:
        scope.moving = True
        parts = text.replace("%40", "@").split("@")
        row = scope.context.first(HIERARCHIES, sys_id=parts[0])
        table = scope.dictionary.table(row.get("table", ""))
        parent = row.get("reference_field", "")
        if len(parts) < 2 or table is None or parent not in table.fields:
            return NEVER
        if column.field.reference != table.name and column.field.name != "sys_id":
            return NEVER
        nodes = _option(scope, parts[1]) if dynamic else [parts[1]]
        if not nodes:
            return NEVER
        params: list[Param] = [*nodes]
        marks = ", ".join(["(?)"] * len(nodes))
        step = f'SELECT h."sys_id" FROM "{table.root}" h JOIN below ON h."{parent}" = below.id'  # noqa: S608
        below = f"WITH RECURSIVE below(id) AS (VALUES {marks} UNION {step}) SELECT id FROM below"  # noqa: S608
        sql: Sql = f"{column.sql} IN ({below})", params
        if len(parts) > 2 and parts[2].lower().startswith("exclu"):
            node = one_of(column, nodes)
            return f"({sql[0]} AND NOT ({node[0]}))", [*params, *node[1]]
        return sql

    return build


def dynamic(scope: Scope, column: Column, text: str) -> Sql:
    """A value that an option of `sys_filter_option_dynamic` computes for the one who asks."""
    values = _option(scope, text)
    if column.field.type == "glide_list":
        found = [pattern(column, f"%{escaped(value)}%") for value in values if value]
        return either(found) if found else NEVER
    return one_of(column, values)


def _option(scope: Scope, sys_id: str) -> list[str]:
    scope.moving = True
    row = scope.context.first(OPTIONS, sys_id=sys_id)
    if not row:
        return [scope.context.user] if sys_id in ME and scope.context.user else []
    if row.get("active") == "false":
        return []
    try:
        found = evaluate(row["script"].removeprefix(SCRIPT), scope.context)
    except NotAllowed:
        return []
    values = found if isinstance(found, list) else found.split(",")
    return [value for value in values if value]


def instance_of(scope: Scope, column: Column, text: str) -> Sql:
    """The class named, or one below it."""
    if scope.dictionary.table(text) is None:
        return NEVER
    return one_of(column, [text, *scope.dictionary.descendants(text)])


def changes(which: str) -> Builder:
    """VALCHANGES and the like: only where a record is being written; elsewhere they mean nothing."""

    def build(scope: Scope, column: Column, text: str) -> Sql | None:
        if scope.context.change is None:
            return None
        scope.moving = True
        before, after = scope.context.change(column.path)
        if before == after:
            return NEVER
        held = {"VALCHANGES": text, "CHANGESFROM": before, "CHANGESTO": after}[which]
        return ALWAYS if held.lower() == text.lower() else NEVER

    return build


def tagged(scope: Scope, condition: Condition) -> Sql | None:
    """Conditions on tags, by the sys_id or the name of the tag. None where the instance has no tags."""
    if scope.dictionary.table("label_entry") is None:
        return None
    path = condition.field.partition(".")[2]
    value = condition.value or path
    entries = 'SELECT e."table_key" FROM "label_entry" e'
    some = f"{scope.key} IN ({entries})"
    if condition.operator in _EMPTY:
        return f"NOT ({some})", []
    if condition.operator in _FILLED:
        return some, []
    named = f'{entries} LEFT JOIN "label" l ON l."sys_id" = e."label" WHERE e."label" {{0}} OR l."name" {{0}}'
    if condition.operator in {"LIKE", "CONTAINS", "*"}:
        wanted = f"%{escaped(value)}%"
        return f"{scope.key} IN ({named.format(LIKE)})", [wanted, wanted]
    values = [each for each in (value.split(",") if condition.operator == "IN" else [value]) if each]
    if not values or condition.operator not in _TAGGED:
        return None
    marks = f"IN ({', '.join('?' * len(values))})"
    params: list[Param] = [*values, *values]
    held = f"{scope.key} IN ({named.format(marks)})"
    return _TAGGED[condition.operator].format(held=held, some=some), params


_EMPTY = frozenset({"ISEMPTY", "EMPTY", "EMPTYSTRING"})
_FILLED = frozenset({"ISNOTEMPTY", "NOTEMPTY"})
_TAGGED = {
    "=": "{held}",
    "IN": "{held}",
    "!=": "NOT ({held})",
    "EXCLUDING": "NOT ({held})",
    "DOESNOTHAVE": "({some} AND NOT ({held}))",
}
# What a field with many values is not: it has values, and none of them is so.
_POSITIVE = {
    "!=": "=",
    "NOT LIKE": "LIKE",
    "NOTLIKE": "LIKE",
    "!*": "LIKE",
    "DOES NOT CONTAIN": "LIKE",
    "NOT CONTAINS": "LIKE",
    "NOT IN": "IN",
    "NOTIN": "IN",
}
_JOURNALS = {"comments_and_work_notes": ("comments", "work_notes")}


def has_many(scope: Scope, column: Column) -> bool:
    """Whether a field's values are rows elsewhere: the entries of a journal, the roles of a user."""
    if column.field.is_journal:
        entries = scope.context.journal_query == "entries"
        return entries and scope.dictionary.table("sys_journal_field") is not None
    return column.field.type == "user_roles" and scope.dictionary.table("sys_user_has_role") is not None


def many(scope: Scope, column: Column, operator: str, text: str, builders: dict[str, Builder]) -> Sql | None:
    """A condition on a field with many values: one of them meets it, or what is being written into it."""
    record = scope.source.record(column.path)
    source, params, value = _journal(column) if column.field.is_journal else _roles(column)
    rows = f'{record}."sys_id" IN ({source}'
    filled: Sql = f"({column.sql} <> '' OR {rows}))", params
    if operator in _EMPTY:
        return f"NOT {filled[0]}", params
    if operator in _FILLED:
        return filled
    positive = builders[_POSITIVE.get(operator, operator)]
    own, met = positive(scope, column, text), positive(scope, value, text)
    if own is None or met is None:
        return None
    some: Sql = f"({own[0]} OR {rows} AND {met[0]}))", [*own[1], *params, *met[1]]
    if operator not in _POSITIVE:
        return some
    if scope.context.negation_on_empty == "matched":
        return f"NOT {some[0]}", some[1]
    return f"({filled[0]} AND NOT {some[0]})", [*params, *some[1]]


def _journal(column: Column) -> tuple[str, list[Param], Column]:
    names = _JOURNALS.get(column.field.name, (column.field.name,))
    marks = ", ".join("?" * len(names))
    source = f'SELECT j."element_id" FROM "sys_journal_field" j WHERE j."element" IN ({marks})'  # noqa: S608
    return source, [*names], Column('j."value"', column.field, column.path, joined=False)


def _roles(column: Column) -> tuple[str, list[Param], Column]:
    source = (
        'SELECT h."user" FROM "sys_user_has_role" h JOIN "sys_user_role" o ON o."sys_id" = h."role" WHERE 1'
    )
    return source, [], Column('o."name"', column.field, column.path, joined=False)
