"""From a parsed query to SQL with bound parameters. Values never enter the SQL text.

Field names come from the dictionary alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wavetank.database.dictionary import Dictionary
from wavetank.database.expressions import Context, NotAllowed, evaluate
from wavetank.database.query import comparing, dates, relations, text
from wavetank.database.query.parse import (
    TEXT_EITHER,
    TEXT_SEARCH,
    Condition,
    Join,
    Order,
    Query,
    Related,
    Term,
    parse,
)
from wavetank.database.query.scope import NEVER, Builder, Param, Scope, Sql, class_condition, joined
from wavetank.database.query.values import number_sql
from wavetank.database.references import Source

# ServiceNow docs: "Query ACL rules": all other operators need query_range.
_MATCHING = frozenset(
    {"=", "!=", "IN", "NOT IN", "NOTIN", "SAMEAS", "NSAMEAS", "ANYTHING"}
    | {"EMPTYSTRING", "ISEMPTY", "ISNOTEMPTY", "EMPTY", "NOTEMPTY"}
)
_MOST_ORDERS = 100
_MOST_ALTERNATIVES = 100
# How often an expression may make a query that is an expression again.
_MOST_SCRIPTS = 3


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL parts of one query. `params` belong to `where_sql`; the table is t0 in `from_sql`.

    `fields` are the dot-walked paths that the query filters or sorts on, `ranged` those of them that it
    orders or compares otherwise than for equality (what a query_range rule is asked about), `related` the
    fields of other tables (table, path), `unknown` the terms dropped. `columns` are the table's own columns
    that the SQL needs. `refused`: the query is to be answered with an error. `moving`: its meaning depends
    on the clock or on other rows, so it is not to be kept.
    """

    from_sql: str
    where_sql: str
    params: tuple[Param, ...]
    order_sql: str
    fields: tuple[str, ...]
    unknown: tuple[str, ...]
    source: Source
    columns: tuple[str, ...] = ()
    ranged: tuple[str, ...] = ()
    related: tuple[tuple[str, str], ...] = ()
    refused: bool = False
    moving: bool = False


def compile(dictionary: Dictionary, table: str, encoded: str, context: Context) -> Compiled:
    """Compile an encoded query on a table. Raises KeyError for a table that does not exist."""
    query = parse(encoded, join_conditions=context.join_conditions)
    return compile_query(dictionary, table, query, context)


def compile_query(dictionary: Dictionary, table: str, query: Query, context: Context) -> Compiled:
    """Compile a parsed query on a table. Raises KeyError for a table that does not exist."""
    scope = Scope(Source(dictionary, table), dictionary, context)
    query = _written(scope, query)
    matched, params = _blocks(scope, query)
    order_sql = _order(scope, query.orders)
    on_unknown = context.unknown_in(table)
    if scope.unknown and on_unknown == "no_rows":
        matched, params = NEVER
    terms, own = class_condition(scope)
    if terms:
        scope.columns.append("sys_class_name")
    return Compiled(
        from_sql=scope.source.sql,
        where_sql=" AND ".join([*terms, matched]),
        params=(*own, *params),
        order_sql=order_sql,
        fields=tuple(dict.fromkeys(scope.fields)),
        unknown=tuple(scope.unknown),
        source=scope.source,
        columns=tuple(dict.fromkeys(("sys_id", *scope.columns))),
        ranged=tuple(dict.fromkeys(scope.ranged)),
        related=tuple(dict.fromkeys(scope.related)),
        refused=bool(scope.unknown) and on_unknown == "refuse",
        moving=scope.moving,
    )


def _written(scope: Scope, query: Query) -> Query:
    """A query that an expression makes, read in its place."""
    for _ in range(_MOST_SCRIPTS):
        if not query.script:
            return query
        scope.moving = True
        try:
            value = evaluate(query.script, scope.context)
        except NotAllowed:
            break
        made = value if isinstance(value, str) else ",".join(value)
        query = parse(made, join_conditions=scope.context.join_conditions)
    if scope.context.refused_script == "dropped":
        return Query(unparsed=(query.script,))
    return Query(blocks=(((Condition("sys_id", "IN", ""),),),))


def _blocks(scope: Scope, query: Query) -> Sql:
    """Any block of all groups of any term."""
    scope.unknown += query.unparsed
    alternatives: list[str] = []
    params: list[Param] = []
    for block in query.blocks:
        groups: list[str] = []
        for group in block:
            found = (_term(scope, term) for term in group)
            if parts := _folded([sql for sql in found if sql is not None]):
                groups.append(joined([text for text, _ in parts], "OR"))
                params += (param for _, own in parts for param in own)
        alternatives.append(joined(groups, "AND") or "1")
    return joined(alternatives, "OR") or "1", params


def _folded(parts: list[Sql]) -> list[Sql]:
    """Alternatives with a column's equal values as one list: SQLite takes quadratic time over many ORs."""
    if len(parts) <= _MOST_ALTERNATIVES:
        return parts
    values: dict[str, list[Param]] = {}
    others: list[Sql] = []
    for sql, params in parts:
        column, is_equal, rest = sql.partition(" = ?")
        if is_equal and not rest and len(params) == 1:
            values.setdefault(column, []).append(params[0])
        else:
            others.append((sql, params))
    return [comparing.within(column, held) for column, held in values.items()] + others


def _term(scope: Scope, term: Term) -> Sql | None:
    """One term as SQL; None, and noted, for one that means nothing here."""
    sql: Sql | None
    if isinstance(term, Related):
        sql = relations.related(scope, term, _blocks)
        name = term.named
    elif isinstance(term, Join):
        sql = relations.join(scope, term, _blocks)
        name = term.named
    else:
        sql = _condition(scope, term)
        name = term.field
    if sql is None:
        scope.unknown.append(name)
    return sql


def _condition(scope: Scope, condition: Condition) -> Sql | None:
    if condition.field in {TEXT_SEARCH, TEXT_EITHER}:
        return text.searched(scope, condition.value, any_word=condition.field == TEXT_EITHER)
    if condition.field.partition(".")[0] == "sys_tags" and "sys_tags" in scope.source.table.fields:
        return relations.tagged(scope, condition)
    builder = OPERATORS.get(condition.operator)
    column = scope.column(condition.field) if builder else None
    if column is None or builder is None:
        return None
    try:
        if relations.has_many(scope, column):
            sql = relations.many(scope, column, condition.operator, condition.value, OPERATORS)
        else:
            sql = builder(scope, column, condition.value)
    except NotAllowed:
        sql = None if scope.context.refused_script == "dropped" else NEVER
    except OverflowError:  # a moment beyond all dates matches nothing
        sql = NEVER
    if sql is not None:
        scope.fields.append(condition.field)
        if condition.operator not in _MATCHING:
            scope.ranged.append(condition.field)
    return sql


def _order(scope: Scope, orders: Sequence[Order]) -> str:
    parts: list[str] = []
    direction = ""
    seen: set[str] = set()
    for order in orders:
        if order.field in seen or len(parts) == _MOST_ORDERS:
            continue  # it is in order already
        seen.add(order.field)
        column = scope.column(order.field)
        if column is None:
            scope.unknown.append(order.field)
            continue
        scope.fields.append(order.field)
        scope.ranged.append(order.field)
        direction = " DESC" if order.descending else ""
        if column.field.is_reference:
            column = scope.source.display(column)
        sql = number_sql(column) if column.field.is_number else column.sql
        parts.append(sql + direction)
    return f"ORDER BY {', '.join([*parts, f'{scope.source.name}.rowid{direction}'])}"


def _unlike() -> Builder:
    return text.like("%", "%", unlike=True)


OPERATORS: dict[str, Builder] = {
    "=": comparing.equal,
    "!=": comparing.not_equal,
    "<": comparing.comparison("<"),
    "<=": comparing.comparison("<="),
    ">": comparing.comparison(">"),
    ">=": comparing.comparison(">="),
    "STARTSWITH": text.like("", "%"),
    "ENDSWITH": text.like("%", ""),
    "%": text.like("%", ""),
    "LIKE": text.like("%", "%"),
    "CONTAINS": text.like("%", "%"),
    "*": text.like("%", "%"),
    "NOT LIKE": _unlike(),
    "NOTLIKE": _unlike(),
    "!*": _unlike(),
    "DOES NOT CONTAIN": _unlike(),
    "NOT CONTAINS": _unlike(),
    "IN": comparing.among,
    "NOT IN": comparing.not_among,
    "NOTIN": comparing.not_among,
    "ISEMPTY": comparing.empty,
    "EMPTYSTRING": comparing.empty,
    "EMPTY": comparing.empty,
    "ISNOTEMPTY": comparing.not_empty,
    "NOTEMPTY": comparing.not_empty,
    "ANYTHING": comparing.anything,
    "BETWEEN": comparing.ranged,
    "ON": dates.on(not_on=False),
    "NOTON": dates.on(not_on=True),
    "SAMEAS": comparing.with_field("="),
    "NSAMEAS": comparing.with_field("<>"),
    "GT_FIELD": comparing.with_field(">"),
    "LT_FIELD": comparing.with_field("<"),
    "GT_OR_EQUALS_FIELD": comparing.with_field(">="),
    "LT_OR_EQUALS_FIELD": comparing.with_field("<="),
    "MORETHAN": dates.apart(more=True),
    "LESSTHAN": dates.apart(more=False),
    "DATEPART": dates.date_part,
    "RELATIVEGT": dates.relative("GT"),
    "RELATIVEGE": dates.relative("GE"),
    "RELATIVELT": dates.relative("LT"),
    "RELATIVELE": dates.relative("LE"),
    "RELATIVEEE": dates.relative("EE"),
    "DYNAMIC": relations.dynamic,
    "IN_HIERARCHY": relations.hierarchy(dynamic=False),
    "IN_HIERARCHY_DYNAMIC": relations.hierarchy(dynamic=True),
    "INSTANCEOF": relations.instance_of,
    "VALCHANGES": relations.changes("VALCHANGES"),
    "CHANGESFROM": relations.changes("CHANGESFROM"),
    "CHANGESTO": relations.changes("CHANGESTO"),
}
