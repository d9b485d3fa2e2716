"""What fields a table has, by the instance's own dictionary (ServiceNow docs: System dictionary).

A table inherits the fields of the tables it extends; an entry of the extending table wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import NotAuthorized, NotFound, Rejected

_ENTRY = ("sys_id", "sys_updated_on", "name", "element", "internal_type", "reference")
DEEPEST = 12


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column of a table. ``type`` is the platform's internal type, ``reference`` a table or ""."""

    name: str
    type: str
    reference: str = ""


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """A table with what it extends (itself first) and everything that extends it."""

    above: tuple[str, ...]
    below: tuple[str, ...]


def hierarchy(connection: Connection, table: str) -> Hierarchy | None:
    """Where the table stands; None when the account may not see ``sys_db_object``."""
    fields = ("sys_id", "sys_updated_on", "name", "super_class")
    try:
        rows = [row for page in connection.table.keyset("sys_db_object", fields=fields) for row in page]
    except (NotAuthorized, NotFound, Rejected):
        return None
    names = {row["sys_id"]: row.get("name", "") for row in rows}
    supers = {row.get("name", ""): names.get(row.get("super_class", ""), "") for row in rows}
    if table not in supers:
        return None
    return Hierarchy(
        above=tuple(_above(table, supers)),
        below=tuple(
            sorted(name for name in supers if name and name != table and table in _above(name, supers))
        ),
    )


def fields_of(connection: Connection, tables: tuple[str, ...]) -> dict[str, Field] | None:
    """The active fields of a table and of those it extends (given itself first), by name.

    None when the dictionary is closed to the account or shows it nothing of the table.
    """
    terms = query.all_of(query.one_of("name", tables), query.term("element", "ISNOTEMPTY"))
    try:
        pages = list(connection.table.keyset("sys_dictionary", query=terms, fields=_ENTRY))
    except (NotAuthorized, NotFound, Rejected):
        return None
    found: dict[str, Field] = {}
    rank = {name: place for place, name in enumerate(tables)}
    rows = [row for page in pages for row in page if row.get("internal_type") and row.get("element")]
    for row in sorted(rows, key=lambda row: -rank.get(row.get("name", ""), len(tables))):
        found[row["element"]] = Field(
            name=row["element"], type=row["internal_type"], reference=row.get("reference", "")
        )
    return found or None


def _above(table: str, supers: dict[str, str]) -> Iterator[str]:
    """The table and what it extends, nearest first."""
    for _ in range(DEEPEST):
        if not table:
            return
        yield table
        table = supers.get(table, "")
