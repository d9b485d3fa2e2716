"""What one instance allows in the fields of a record: how long a text may be, which choices there are.

A plain account often may read neither ``sys_dictionary`` nor the names in ``sys_choice``. What nobody
who was asked can see is unknown (None), which is not the same as absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import NotAuthorized, NotFound, Rejected

# The tables whose fields an incident has, the nearest first (ServiceNow docs: Task table).
INCIDENT = ("incident", "task")
_HIDDEN = (NotAuthorized, NotFound, Rejected)
_ORDER = ("sys_updated_on", "sys_id")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """``lengths`` is field → max_length; ``choices`` is field → value → label. None: nobody could see."""

    lengths: Mapping[str, int] | None = None
    choices: Mapping[str, Mapping[str, str]] | None = None

    def length(self, field: str, stock: int) -> int:
        """How much text a field takes; ``stock`` where that cannot be seen."""
        return (self.lengths or {}).get(field) or stock

    def has(self, field: str) -> bool | None:
        """Whether the field exists; None when that cannot be seen."""
        return None if self.lengths is None else field in self.lengths

    def choice(self, field: str, text: str) -> str | None:
        """The value that ``text``, a value or a label, names; None when it is none of the choices."""
        known = (self.choices or {}).get(field, {})
        if text in known:
            return text
        wanted = text.casefold()
        return next((value for value, label in known.items() if wanted == label.casefold()), None)


def limits(
    eyes: Iterable[Connection], choice_fields: Sequence[str], tables: Sequence[str] = INCIDENT
) -> Limits:
    """Ask one connection after the other until each part has been seen. Only reads leave."""
    lengths: dict[str, int] | None = None
    choices: dict[str, dict[str, str]] | None = None
    for line in eyes:
        lengths = lengths or _lengths(line, tables)
        choices = choices or _choices(line, tables, choice_fields)
        if lengths and choices:
            break
    return Limits(lengths=lengths, choices=choices)


def _lengths(line: Connection, tables: Sequence[str]) -> dict[str, int] | None:
    terms = query.all_of(query.one_of("name", tables), query.term("active", "=", "true"))
    rows = _rows(line, "sys_dictionary", terms, ("name", "element", "max_length"))
    found: dict[str, int] = {}
    for table in reversed(tables):  # the nearest table has the last word
        for row in rows:
            if row.get("name") == table and row.get("element"):
                length = row.get("max_length", "")
                found[row["element"]] = int(length) if length.isdigit() else 0
    return found if "short_description" in found else None


def _choices(
    line: Connection, tables: Sequence[str], fields: Sequence[str]
) -> dict[str, dict[str, str]] | None:
    # Every instance has states: an answer without any says that the choices are hidden.
    wanted = tuple(dict.fromkeys((*fields, "state")))
    terms = query.all_of(
        query.one_of("name", tables), query.one_of("element", wanted), query.term("inactive", "=", "false")
    )
    rows = _rows(line, "sys_choice", terms, ("name", "element", "value", "label"))
    found: dict[str, dict[str, str]] = {}
    for table in reversed(tables):
        own: dict[str, dict[str, str]] = {}
        for row in rows:
            if row.get("name") == table and row.get("element") in wanted and "value" in row:
                own.setdefault(row["element"], {}).setdefault(row["value"], row.get("label", ""))
        found |= own  # a table's own choices replace those of the table it extends
    return found if "state" in found else None


def _rows(line: Connection, table: str, terms: str, fields: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        pages = line.table.keyset(table, query=terms, fields=(*fields, *_ORDER))
        return [row for rows in pages for row in rows]
    except _HIDDEN:
        return []
