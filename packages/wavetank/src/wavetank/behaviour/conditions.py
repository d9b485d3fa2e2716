"""Whether a record meets a stored condition (an encoded query), in the moment of a write.

Conditions of rules may also ask what is changing: VALCHANGES, CHANGESTO, CHANGESFROM (ServiceNow docs:
"Operators available for filters and queries"; elsewhere these operators mean nothing).
"""

from __future__ import annotations

import re
from functools import lru_cache

from wavetank.behaviour.change import Change
from wavetank.database import query

_CHANGING = re.compile(r"^(NQ|OR|)([a-z0-9_]+)(VALCHANGES|CHANGESTO|CHANGESFROM)(.*)$")
_PLAIN = re.compile(r"([a-z0-9_]+)(=|IN(?!STANCEOF|_HIERARCHY))([A-Za-z0-9_,-]+)")
# Types whose values are compared as they are stored.
_AS_STORED = frozenset({"string", "choice", "integer", "boolean", "reference", "sys_class_name"})
_TRUE, _FALSE = "sys_idISNOTEMPTY", "sys_idISEMPTY"


def matches(change: Change, conditions: str) -> bool:
    """Whether the record, as it is about to be, meets an encoded query."""
    if not conditions or conditions == "^EQ":
        return True
    for name, values in _needed(conditions):
        field = change.table.fields.get(name)
        if field and field.type in _AS_STORED and change.row.get(name, "").lower() not in values:
            return False
    context = query.Context(now=change.now, user=change.user, user_name=change.user_name)
    return change.instance.database.matches(change.table.name, change.row, conditions, context)


def applies(change: Change, conditions: str) -> bool:
    """`matches`, for a condition that may also ask what is changing."""
    if "CHANGES" not in conditions:
        return matches(change, conditions)
    return matches(change, "^".join(_settled(change, term) for term in conditions.split("^")))


def _settled(change: Change, term: str) -> str:
    found = _CHANGING.match(term)
    if found is None:
        return term
    joined, name, operator, value = found.groups()
    return joined + (_TRUE if _changed(change, name, operator, value) else _FALSE)


def _changed(change: Change, name: str, operator: str, value: str) -> bool:
    if name not in change.table.fields:
        return False
    if change.table.fields[name].is_journal:
        return operator == "VALCHANGES" and any(each == name for each, _ in change.journals)
    if not change.changes(name):
        return False
    if operator == "CHANGESTO":
        return change.row.get(name, "") == value
    return operator == "VALCHANGES" or change.before(name) == value


@lru_cache(maxsize=1024)
def _needed(conditions: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """Terms of a plain conjunction that each must hold, as a field and its values.

    Most writes fail one of these, and need no query then.
    """
    if "^OR" in conditions or "^NQ" in conditions or "^^" in conditions:
        return ()
    found = (_PLAIN.fullmatch(term) for term in conditions.split("^"))
    return tuple(
        (each[1], frozenset(each[3].lower().split(",") if each[2] == "IN" else [each[3].lower()]))
        for each in found
        if each
    )
