"""Whether a record meets a stored condition (an encoded query), in the moment of a write.

Here a condition may also ask what is changing: VALCHANGES, CHANGESTO, CHANGESFROM (ServiceNow docs:
"Operators available for filters and queries"; elsewhere these operators mean nothing).
"""

from __future__ import annotations

import re
from functools import lru_cache

from wavetank.behaviour.change import Change

_PLAIN = re.compile(r"([a-z0-9_]+)(=|IN(?!STANCEOF|_HIERARCHY))([A-Za-z0-9_,-]+)")
# Types whose values are compared as they are stored.
_AS_STORED = frozenset({"string", "choice", "integer", "boolean", "reference", "sys_class_name"})


def matches(change: Change, conditions: str) -> bool:
    """Whether the record, as it is about to be, meets an encoded query."""
    if not conditions or conditions == "^EQ":
        return True
    for name, values in _needed(conditions):
        field = change.table.fields.get(name)
        if field and field.type in _AS_STORED and change.row.get(name, "").lower() not in values:
            return False
    database = change.instance.database
    return database.matches(change.table.name, change.row, conditions, change.context)


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
