"""Dot-walks: reaching a field of a referenced record, as joins of one SQL statement."""

from __future__ import annotations

from dataclasses import dataclass

from wavetank.database.dictionary import Dictionary, Field

# SQLite joins at most 64 tables.
MOST_JOINS = 60


@dataclass(frozen=True, slots=True)
class Column:
    """A field as SQL can name it. `joined` columns may belong to a record that is not there."""

    sql: str
    field: Field
    path: str
    joined: bool


class Source:
    """The FROM of one statement: the table as t0 and a left join for each reference walked."""

    def __init__(self, dictionary: Dictionary, table: str) -> None:
        known = dictionary.table(table)
        if known is None:
            raise KeyError(table)
        self._dictionary = dictionary
        self._table = known
        self._aliases: dict[str, str] = {"": "t0"}
        self._joins: list[str] = []
        self.table = known

    @property
    def sql(self) -> str:
        """`FROM … LEFT JOIN …`, for every path asked for so far."""
        return " ".join([f'FROM "{self._table.root}" t0', *self._joins])

    def column(self, path: str) -> Column | None:
        """The column of a dot-walked path, joining what is needed; None when the path leads nowhere."""
        if "." not in path:
            field = self._table.fields.get(path)
            return None if field is None else Column(f't0."{path}"', field, path, joined=False)
        steps = self._dictionary.walk(self._table.name, path)
        if steps is None or len(self._joins) + len(steps) > MOST_JOINS:
            return None
        alias = self._alias(path.rpartition(".")[0], steps[:-1])
        sql = f"IFNULL({alias}.\"{steps[-1].name}\", '') COLLATE NOCASE"
        return Column(sql, steps[-1], path, joined=True)

    def display(self, column: Column) -> Column:
        """The display field of the record that a reference column points to."""
        target = self._dictionary.table(column.field.reference)
        if target is None or column.field.key == "name":
            return column
        return self.column(f"{column.path}.{target.display}") or column

    def _alias(self, path: str, steps: list[Field]) -> str:
        if path in self._aliases:
            return self._aliases[path]
        before, _, _ = path.rpartition(".")
        parent = self._alias(before, steps[:-1])
        field = steps[-1]
        target = self._dictionary.table(field.reference)
        assert target is not None
        alias = f"t{len(self._aliases)}"
        self._aliases[path] = alias
        self._joins.append(
            f'LEFT JOIN "{target.root}" {alias} ON {alias}."{field.key}" = {parent}."{field.name}"'
            f" AND {parent}.\"{field.name}\" <> ''"
        )
        return alias
