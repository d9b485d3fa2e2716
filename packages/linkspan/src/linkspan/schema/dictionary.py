"""What fields a table has, by the instance's own dictionary (ServiceNow docs: System dictionary).

A table inherits the fields of the tables it extends; an entry of the extending table wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import NotAuthorized, NotFound, Rejected

_TABLES = "sys_db_object"
_TABLE = ("sys_id", "name", "super_class")
_ENTRY = ("sys_id", "sys_updated_on", "name", "element", "internal_type", "reference")
DEEPEST = 12
IDS_PER_REQUEST = 50


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
    try:
        own = connection.table.first(_TABLES, query.term("name", "=", table), _TABLE)
        if own is None or "name" not in own:
            return None
        return Hierarchy(above=tuple(_above(connection, own)), below=tuple(sorted(_below(connection, own))))
    except (NotAuthorized, NotFound, Rejected):
        return None


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


def _above(connection: Connection, own: dict[str, str]) -> Iterator[str]:
    """The table and what it extends, nearest first."""
    here: dict[str, str] | None = own
    for _ in range(DEEPEST):
        if here is None:
            return
        yield here["name"]
        above = here.get("super_class")
        here = connection.table.get(_TABLES, above, _TABLE) if above else None


def _below(connection: Connection, own: dict[str, str]) -> Iterator[str]:
    """Every table that extends it, directly or not."""
    level = [own["sys_id"]]
    for _ in range(DEEPEST):
        rows = [row for part in _parts(level) for row in _extending(connection, part)]
        if not rows:
            return
        yield from (row["name"] for row in rows)
        level = [row["sys_id"] for row in rows]


def _extending(connection: Connection, sys_ids: list[str]) -> Iterator[dict[str, str]]:
    terms = query.one_of("super_class", sys_ids)
    for page in connection.table.keyset(_TABLES, query=terms, fields=(*_TABLE, "sys_updated_on")):
        yield from page


def _parts(sys_ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(sys_ids), IDS_PER_REQUEST):
        yield sys_ids[start : start + IDS_PER_REQUEST]
