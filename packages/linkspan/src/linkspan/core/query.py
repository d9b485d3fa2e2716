"""The only place where an encoded query is put together.

A caret separates terms in an encoded query and ``^^`` stands for a literal one; a comma cannot be
escaped inside IN, so such a list is refused rather than misread
(ServiceNow docs: GlideStringUtil.escapeQueryTermSeparator, t_FilteringOnMultipleStringValues).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FIELD = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*\Z", re.IGNORECASE)
_SORTED = re.compile(r"(^|\^)ORDERBY", re.IGNORECASE)
_OPERATORS = frozenset(
    {"=", "!=", "<", "<=", ">", ">=", "STARTSWITH", "ENDSWITH", "LIKE", "NOT LIKE", "ISEMPTY", "ISNOTEMPTY"}
)


def field_name(name: str) -> str:
    """``name`` if it is a field or dotted path, else ValueError."""
    if not _FIELD.match(name):
        raise ValueError(f"{name!r} is not a field name")
    return name


def escape(value: object) -> str:
    """A value as it may stand in an encoded query.

    Raises ValueError for a line break, and for a ``javascript:`` value: the instance would run it.
    """
    text = str(value)
    if text.strip().lower().startswith("javascript:"):
        raise ValueError("a value that starts with javascript: would be evaluated by the instance")
    if "\n" in text or "\r" in text:
        raise ValueError("a value with a line break cannot stand in an encoded query")
    return text.replace("^", "^^")


def term(field: str, operator: str, value: object = "") -> str:
    """One condition, quoted. Raises ValueError for an unknown operator or an impossible value."""
    if operator not in _OPERATORS:
        raise ValueError(f"{operator!r} is not an operator this module writes")
    return f"{field_name(field)}{operator}{escape(value)}"


def one_of(field: str, values: Iterable[object]) -> str:
    """``field`` IN a list. Raises ValueError when a value holds a comma or the list is empty."""
    texts = [escape(value) for value in values]
    if not texts:
        raise ValueError("an empty IN list would match nothing or everything")
    if any("," in text for text in texts):
        raise ValueError("a comma cannot be escaped inside an IN list")
    return f"{field_name(field)}IN{','.join(texts)}"


def all_of(*terms: str) -> str:
    """Terms joined by AND, empty ones left out."""
    return "^".join(text for text in terms if text)


def any_of(*terms: str) -> str:
    """Terms joined by ^OR: the result is one AND-part of a query."""
    return "^OR".join(text for text in terms if text)


def either(*blocks: str) -> str:
    """Whole queries joined by ^NQ. Sort terms go after the last block."""
    return "^NQ".join(block for block in blocks if block)


def blocks(query: str) -> list[str]:
    """The parts of a query between ``^NQ``. An escaped caret before the letters NQ splits nothing."""
    parts, current, position = [], "", 0
    while position < len(query):
        if query.startswith("^^", position):
            current, position = current + "^^", position + 2
        elif query.startswith("^NQ", position):
            parts.append(current)
            current, position = "", position + 3
        else:
            current, position = current + query[position], position + 1
    return [part for part in (*parts, current) if part]


def restrict(query: str, condition: str) -> str:
    """``query`` AND ``condition``, also when the query has ``^NQ`` blocks.

    Raises ValueError for a query that sorts: a sort term in the middle would change its meaning.
    """
    if _SORTED.search(query.replace("^^", "")):
        raise ValueError("the query already sorts; leave ORDERBY out")
    if not condition:
        return query
    return either(*(all_of(block, condition) for block in blocks(query) or [""]))


def after(order: tuple[str, str], key: tuple[str, str]) -> str:
    """Behind ``key``, in ascending ``order`` of two fields; an empty second value is before all others."""
    (first, second), (high, low) = order, key
    terms = [term(first, ">=", high)]
    if low:
        # Behind (u, s) is: u or later, and (later than u or a greater s).
        terms.append(any_of(term(first, ">", high), term(second, ">", low)))
    return all_of(*terms)


def order_by(*fields: str) -> str:
    """Ascending sort terms; a leading ``-`` sorts descending."""
    return "^".join(
        f"ORDERBYDESC{field_name(name[1:])}" if name.startswith("-") else f"ORDERBY{field_name(name)}"
        for name in fields
    )
