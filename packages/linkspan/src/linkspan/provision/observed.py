"""What is: the wanted records as they stand on an instance. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.provision.kinds import BY_NAME, Kind
from linkspan.provision.kinds.base import text
from linkspan.provision.values import Choice, Ref, Value, Wanted

_NAMED = ("group", "role", "custom_role")


class Reader:
    """Finds wanted records on one instance and remembers the sys_ids it met."""

    def __init__(self, line: Connection) -> None:
        self.line = line
        self._columns: dict[str, frozenset[str]] = {}
        self._labels: dict[str, dict[str, str]] = {}
        self._choices: dict[tuple[str, str], dict[str, str]] = {}
        self.known: dict[str, str] = {}

    def find(self, wanted: Wanted) -> dict[str, str] | None:
        """The record with this natural key, values as text by the names ``wanted`` uses, or None.

        None too when the key refers to a record that does not exist yet.
        """
        kind = BY_NAME[wanted.kind]
        match = self.cells(kind, wanted.match)
        if match is None:
            return None
        encoded = query.all_of(*(query.term(name, "=", value) for name, value in match.items()))
        columns = {name: self._column(kind, name) for name in (*wanted.match, *wanted.fields, *kind.watched)}
        row = self.line.table.first(kind.table, encoded, fields=("sys_id", *columns.values()))
        if row is None:
            return None
        found = {name: text(row[column]) for name, column in columns.items() if column in row}
        self.known[wanted.id] = text(row["sys_id"])
        return {**found, "sys_id": self.known[wanted.id]}

    def find_refs(self, wanted: Wanted) -> None:
        """Look for the records that the natural key refers to, groups and roles by their name."""
        for value in wanted.match.values():
            if isinstance(value, Ref) and value.kind in _NAMED and value.id not in self.known:
                self.find(Wanted(kind=value.kind, key=value.key, match={"name": value.key}, because=""))

    def cells(self, kind: Kind, values: Mapping[str, Value]) -> dict[str, str] | None:
        """The values as the instance keeps them: by column, references as sys_ids, choices as stored.

        None when one of them refers to a record that is not known yet.
        """
        cells: dict[str, str] = {}
        for name, value in values.items():
            cell = self.cell(kind, name, value)
            if cell is None:
                return None
            cells[self._column(kind, name)] = cell
        return cells

    def cell(self, kind: Kind, name: str, value: Value) -> str | None:
        """One value as the instance keeps it; None when it refers to a record that is not known yet."""
        if isinstance(value, Ref):
            return self.known.get(value.id)
        return self._stored(kind, self._column(kind, name), value) if isinstance(value, Choice) else value

    def unlabelled(self, kind: Kind) -> tuple[str, ...]:
        """Labels of the kind that no column of this instance has."""
        if not kind.labels:
            return ()
        columns = self._labelled(kind.table)
        return tuple(label for label in kind.labels if label.lower() not in columns)

    def lacks(self, kind: Kind, field: str) -> bool:
        """Whether this release does not have an optional field. Unknown counts as present."""
        if field not in kind.optional:
            return False
        columns = self._columns_of(kind.table)
        if kind.extends:
            columns |= self._columns_of(kind.extends)
        return bool(columns) and field not in columns

    def unlisted(self, kind: Kind, wanted: Wanted) -> dict[str, str]:
        """Choices, by field, that the instance must know and does not: their labels."""
        return {
            name: value.label
            for name, value in wanted.fields.items()
            if name in kind.strict and isinstance(value, Choice) and self._listed(kind, name, value) is None
        }

    def rows(self, table: str, encoded: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
        """Rows of a small table, at most 1000."""
        return self.line.table.page(table, query=encoded, fields=fields, limit=1000).rows

    def _columns_of(self, table: str) -> frozenset[str]:
        if table not in self._columns:
            rows = self.rows("sys_dictionary", query.term("name", "=", table), ("element",))
            self._columns[table] = frozenset(text(row.get("element")) for row in rows) - {""}
        return self._columns[table]

    def _column(self, kind: Kind, name: str) -> str:
        return self._labelled(kind.table)[name.lower()] if kind.labels else name

    def _labelled(self, table: str) -> dict[str, str]:
        """Columns by label in lower case."""
        if table not in self._labels:
            rows = self.rows("sys_dictionary", query.term("name", "=", table), ("element", "column_label"))
            self._labels[table] = {
                text(row.get("column_label")).lower(): text(row.get("element"))
                for row in rows
                if row.get("element")
            }
        return self._labels[table]

    def _stored(self, kind: Kind, column: str, choice: Choice) -> str:
        """What the instance keeps for a choice; the label itself where it lists no such choice."""
        found = self._listed(kind, column, choice)
        return choice.label if found is None else found

    def _listed(self, kind: Kind, column: str, choice: Choice) -> str | None:
        """By its label, or, where labels are in another language, by a value known for it."""
        if (kind.table, column) not in self._choices:
            encoded = query.all_of(query.term("name", "=", kind.table), query.term("element", "=", column))
            rows = self.rows("sys_choice", encoded, ("label", "value"))
            self._choices[kind.table, column] = {
                text(row.get("label")).lower(): text(row.get("value")) for row in rows
            }
        known = self._choices[kind.table, column]
        if choice.label.lower() in known:
            return known[choice.label.lower()]
        return next((value for value in choice.values if value in known.values()), None)
