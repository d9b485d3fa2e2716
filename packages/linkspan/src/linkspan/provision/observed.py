"""What is: the wanted records as they stand on an instance. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.provision.kinds import BY_NAME, Kind
from linkspan.provision.kinds.base import text
from linkspan.provision.values import Ref, Value, Wanted


class Reader:
    """Finds wanted records on one instance and remembers the sys_ids it met."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._columns: dict[str, frozenset[str]] = {}
        self.known: dict[str, str] = {}

    def find(self, wanted: Wanted) -> dict[str, str] | None:
        """The record with this natural key, values as text, or None.

        None too when the key refers to a record that does not exist yet.
        """
        match = self.resolve(wanted.match)
        if match is None:
            return None
        kind = BY_NAME[wanted.kind]
        encoded = query.all_of(*(query.term(name, "=", value) for name, value in match.items()))
        row = self._line.table.first(kind.table, encoded, fields=("sys_id", *wanted.values, *kind.watched))
        if row is None:
            return None
        found = {name: text(value) for name, value in row.items()}
        self.known[wanted.id] = found["sys_id"]
        return found

    def resolve(self, values: Mapping[str, Value]) -> dict[str, str] | None:
        """The values with references as sys_ids; None when one of them is not known yet."""
        resolved: dict[str, str] = {}
        for name, value in values.items():
            if isinstance(value, Ref):
                if value.id not in self.known:
                    return None
                resolved[name] = self.known[value.id]
            else:
                resolved[name] = value
        return resolved

    def lacks(self, kind: Kind, field: str) -> bool:
        """Whether this release does not have an optional field. Unknown counts as present."""
        if field not in kind.optional:
            return False
        columns = self._columns_of(kind.table)
        return bool(columns) and field not in columns

    def rows(self, table: str, encoded: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
        """Rows of a small table, at most 1000."""
        return self._line.table.page(table, query=encoded, fields=fields, limit=1000).rows

    def _columns_of(self, table: str) -> frozenset[str]:
        if table not in self._columns:
            rows = self.rows("sys_dictionary", query.term("name", "=", table), ("element",))
            self._columns[table] = frozenset(text(row.get("element")) for row in rows) - {""}
        return self._columns[table]
