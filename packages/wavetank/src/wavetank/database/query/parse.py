"""Reading an encoded query: terms between carets, each a condition, an order or a query on related rows.

Grammar and precedence: ServiceNow docs "OR conditions", "Operators available for filters and queries",
"Encoded query strings". `^OR` binds to the condition before it, `^` is AND, `^NQ` parts whole queries:
`a^b^ORc^NQd` means (a AND (b OR c)) OR d. `^^` is a literal caret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from wavetank.database.expressions import SCRIPT

TEXT_SEARCH = "123TEXTQUERY321"
TEXT_GROUP = "123TEXTINDEXGROUP321"
# First every word, and any of them when that finds nothing (ServiceNow docs: "Change Management API").
TEXT_EITHER = "IR_AND_OR_QUERY"
# Queries on related rows within such queries.
DEEPEST = 4

OPERATORS = (
    "=", "!=", "<", "<=", ">", ">=", "%", "*", "!*",
    "STARTSWITH", "ENDSWITH", "LIKE", "CONTAINS",
    "NOT LIKE", "NOTLIKE", "DOES NOT CONTAIN", "NOT CONTAINS",
    "IN", "NOT IN", "NOTIN", "BETWEEN",
    "ISEMPTY", "ISNOTEMPTY", "EMPTYSTRING", "EMPTY", "NOTEMPTY", "ANYTHING",
    "SAMEAS", "NSAMEAS", "GT_FIELD", "LT_FIELD", "GT_OR_EQUALS_FIELD", "LT_OR_EQUALS_FIELD",
    "MORETHAN", "LESSTHAN", "ON", "NOTON", "DATEPART",
    "RELATIVEGT", "RELATIVEGE", "RELATIVELT", "RELATIVELE", "RELATIVEEE",
    "DYNAMIC", "IN_HIERARCHY", "IN_HIERARCHY_DYNAMIC", "INSTANCEOF",
    "VALCHANGES", "CHANGESFROM", "CHANGESTO", "DOESNOTHAVE", "EXCLUDING",
    # Conditions of scripts only; known, so that they are not read as a shorter operator.
    "MATCH_PAT", "MATCH_RGX",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. `operator` is the token as written."""

    field: str
    operator: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Related:
    """RLQUERY: how many rows of another table, that meet a query, refer to this one."""

    table: str
    field: str
    sign: str
    count: int
    most: int
    query: Query

    @property
    def named(self) -> str:
        return f"{self.table}.{self.field}"


@dataclass(frozen=True, slots=True)
class Join:
    """JOIN: a row of another table, that meets a query, has the same value in one of its fields."""

    of: str
    field: str
    table: str
    other: str
    query: Query

    @property
    def named(self) -> str:
        return f"{self.table}.{self.other}"


Term = Condition | Related | Join


@dataclass(frozen=True, slots=True)
class Order:
    """One ORDERBY."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: any block of (all groups of (any term)), and the order.

    `unparsed` holds terms that are no condition, `groups` what GROUPBY and TRENDBY name. `script` is a
    whole query that an expression makes.
    """

    blocks: tuple[tuple[tuple[Term, ...], ...], ...] = ()
    orders: tuple[Order, ...] = ()
    unparsed: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    script: str = ""


def parse(encoded: str, *, join_conditions: str = "all") -> Query:
    """Read an encoded query. Nothing is an error: what makes no sense is left out, as on the platform.

    `join_conditions` says how many of the conditions after a JOIN are its own: all of them up to the next
    order, block or query on related rows, or the first and its alternatives.
    """
    if encoded.startswith(SCRIPT):
        return Query(script=encoded.removeprefix(SCRIPT))
    return _Reader(_terms(encoded), join_conditions, 0).query()


def _terms(encoded: str) -> list[str]:
    if "^^" not in encoded:
        return encoded.split("^")
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


class _Reader:
    def __init__(self, terms: Sequence[str], join_conditions: str, depth: int) -> None:
        self._terms = terms
        self._join_conditions = join_conditions
        self._depth = depth
        self._at = 0
        self._blocks: list[list[list[Term]]] = [[]]
        self._orders: list[Order] = []
        self._groups: list[str] = []
        self._unparsed: list[str] = []

    def query(self) -> Query:
        while self._at < len(self._terms):
            term = self._terms[self._at]
            self._at += 1
            self._take(term)
        blocks = tuple(tuple(tuple(group) for group in block) for block in self._blocks)
        return Query(blocks, tuple(self._orders), tuple(self._unparsed), tuple(self._groups))

    def _take(self, term: str) -> None:
        if term in {"", "EQ", "ENDRLQUERY"} or term.startswith(TEXT_GROUP):
            return
        if term.startswith("ORDERBY"):
            self._order(term)
        elif term.startswith(("GROUPBY", "TRENDBY")):
            self._groups.append(term[7:])
        else:
            self._either_or(term)

    def _order(self, term: str) -> None:
        descending = term.startswith("ORDERBYDESC")
        field = term.removeprefix("ORDERBYDESC" if descending else "ORDERBY")
        if field:
            self._orders.append(Order(field, descending))

    def _either_or(self, term: str) -> None:
        text = term
        either = False
        if text.startswith("NQ"):
            text = text[2:]
            self._blocks.append([])
        elif text.startswith("OR"):
            text = text[2:]
            either = True
        if not text:
            return
        found = self._term(text.removeprefix("GOTO"))
        if found is None:
            self._unparsed.append(term)
        elif either and self._blocks[-1]:
            self._blocks[-1][-1].append(found)
        else:
            self._blocks[-1].append([found])

    def _term(self, text: str) -> Term | None:
        if text.startswith("RLQUERY"):
            return self._related(text.removeprefix("RLQUERY"))
        if text.startswith("JOIN"):
            return self._join(text.removeprefix("JOIN"))
        return condition(text)

    def _related(self, head: str) -> Related | None:
        inner: list[str] = []
        depth = 1
        while self._at < len(self._terms):
            term = self._terms[self._at]
            self._at += 1
            depth += term.startswith(_OPENING) - (term == "ENDRLQUERY")
            if depth == 0:
                break
            inner.append(term)
        match = _RELATED.fullmatch(head)
        if match is None or self._depth >= DEEPEST:
            return None
        more = [each for each in (match["more"] or "").split(",") if each and each != "m2m"]
        query = _Reader([*more, *inner], self._join_conditions, self._depth + 1).query()
        count = int(match["count"])
        most = int(match["most"] or count)
        return Related(match["table"], match["field"], match["sign"], count, most, query)

    def _join(self, text: str) -> Join | None:
        match = _JOIN.fullmatch(text)
        if match is None or self._depth >= DEEPEST:
            return None
        inner = [match["first"] or ""]
        while self._at < len(self._terms) and self._belongs(self._terms[self._at]):
            inner.append(self._terms[self._at])
            self._at += 1
        query = _Reader(inner, self._join_conditions, self._depth + 1).query()
        return Join(match["of"], match["field"], match["table"], match["other"], query)

    def _belongs(self, term: str) -> bool:
        if term.startswith(_PARTS):
            return False
        return self._join_conditions == "all" or term.startswith("OR")


_OPENING = ("RLQUERY", "ORRLQUERY", "NQRLQUERY")
_PARTS = ("NQ", "ORDERBY", "GROUPBY", "TRENDBY", "RLQUERY", "JOIN", "EQ", "ENDRLQUERY")
_RELATED = re.compile(
    r"(?P<table>\w+)\.(?P<field>\w+(?:\.\w+)*)"
    r",\s*(?P<sign>>=|<=|!=|=|>|<|BETWEEN)\s*(?P<count>\d{1,9})(?:@(?P<most>\d{1,9}))?(?:,(?P<more>.*))?",
    re.DOTALL,
)
_JOIN = re.compile(
    r"(?P<of>\w+)\.(?P<field>\w+(?:\.\w+)*)=(?P<table>\w+)\.(?P<other>\w+)(?:!(?P<first>.*))?", re.DOTALL
)
_LISTED = "|".join(re.escape(each) for each in sorted(OPERATORS, key=len, reverse=True))
# Field names are lower case nearly always: the longest such name comes first.
_FIELD = re.compile(rf"([a-z0-9_$]+(?:\.[a-z0-9_$]+)*)({_LISTED})(.*)", re.DOTALL)
_ANY_FIELD = re.compile(rf"([A-Za-z0-9_$]+?(?:\.[A-Za-z0-9_$]+?)*)({_LISTED})(.*)", re.DOTALL)


def condition(text: str) -> Condition | None:
    """One condition: a field's path, an operator, and whatever follows; None when it is none."""
    for search in (TEXT_SEARCH, TEXT_EITHER):
        if text.startswith(search):
            return Condition(search, "=", text.removeprefix(search).removeprefix("="))
    match = _FIELD.fullmatch(text) or _ANY_FIELD.fullmatch(text)
    return Condition(*match.groups()) if match else None
