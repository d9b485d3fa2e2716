"""Query access controls: who may ask for what, besides who may see what.

ServiceNow docs: "Query ACLs": the safe operators are `query_match`, all others and sorting `query_range`;
without a rule of its own, a field may be asked for by who may read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from wavetank.database.expressions import Context, NotAllowed, evaluate
from wavetank.database.query import Condition, Order, Query, parse
from wavetank.database.query.parse import TEXT_EITHER, TEXT_SEARCH, Term

MATCH, RANGE = "query_match", "query_range"
PARTIAL_RANGE = "conditional_table_query_range"
_SAFE = frozenset({
    "=", "!=", "IN", "NOT IN", "NOTIN", "SAMEAS", "NSAMEAS", "ANYTHING",
    "EMPTYSTRING", "EMPTY", "ISEMPTY", "NOTEMPTY", "ISNOTEMPTY",
})  # fmt: skip
NO_ROWS: tuple[tuple[tuple[Term, ...], ...], ...] = (((Condition("sys_id", "IN", ""),),),)


def operation_of(operator: str) -> str:
    """Which query operation an operator of an encoded query is."""
    return MATCH if operator in _SAFE else RANGE


# How often an expression may make a query that is an expression again.
_MOST_SCRIPTS = 3


def written(query: Query, context: Context) -> Query:
    """A query that an expression makes, in its place; one that cannot be worked out stays as it is."""
    for _ in range(_MOST_SCRIPTS):
        if not query.script:
            break
        try:
            value = evaluate(query.script, context)
        except NotAllowed:
            break
        text = value if isinstance(value, str) else ",".join(value)
        query = parse(text, join_conditions=context.join_conditions)
    return query


@dataclass(frozen=True, slots=True)
class Queried:
    """A query without what a query rule refuses. `refused` are those paths; `granted` those that a query
    rule of their own allows, whoever may read them.
    """

    query: Query
    refused: frozenset[str]
    granted: frozenset[str]


def examine(query: Query, allowed: Callable[[str, str], bool | None]) -> Queried:
    """`allowed(path, operation)`: by a query rule True or False, None where no rule speaks of it."""
    refused: set[str] = set()
    granted: set[str] = set()

    def passes(path: str, operation: str) -> bool:
        answer = allowed(path, operation)
        if answer is not None:
            (granted if answer else refused).add(path)
        return answer is not False

    def stays(term: Term) -> bool:
        if not isinstance(term, Condition) or term.field in (TEXT_SEARCH, TEXT_EITHER):
            return True
        return passes(term.field, operation_of(term.operator))

    blocks = tuple(
        tuple(left for group in block if (left := tuple(term for term in group if stays(term))))
        for block in query.blocks
    )
    orders: tuple[Order, ...] = tuple(order for order in query.orders if passes(order.field, RANGE))
    return Queried(
        replace(query, blocks=blocks, orders=orders), frozenset(refused), frozenset(granted - refused)
    )
