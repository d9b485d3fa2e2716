"""What the compilation of one statement, and of those inside it, has in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from wavetank.database.dictionary import Dictionary
from wavetank.database.expressions import Context
from wavetank.database.references import Column, Source

Param = str | int | float
Sql = tuple[str, list[Param]]
NEVER: Sql = ("0", [])
ALWAYS: Sql = ("1", [])


@dataclass(slots=True)
class Scope:
    """One statement: its table, and what was used of it so far.

    `unknown` collects terms that mean nothing. `moving` is set when the meaning depends on the clock or on
    rows read while compiling. `related` are the fields used of other tables.
    """

    source: Source
    dictionary: Dictionary
    context: Context
    fields: list[str] = field(default_factory=list)
    ranged: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    related: list[tuple[str, str]] = field(default_factory=list)
    moving: bool = False
    numbers: count[int] = field(default_factory=lambda: count(1))

    @property
    def key(self) -> str:
        """The sys_id of the row in question, as SQL."""
        return f'{self.source.name}."sys_id"'

    def column(self, path: str) -> Column | None:
        """The column of a path, remembered as one that the statement needs."""
        column = self.source.column(path)
        if column is not None:
            self.columns.append(path.partition(".")[0])
        return column

    def within(self, table: str) -> Scope | None:
        """The scope of a statement inside this one; None when there is no such table."""
        if self.dictionary.table(table) is None:
            return None
        prefix = f"r{next(self.numbers)}_"
        return Scope(
            Source(self.dictionary, table, prefix),
            self.dictionary,
            self.context,
            unknown=self.unknown,
            related=self.related,
            numbers=self.numbers,
        )


Builder = Callable[[Scope, Column, str], Sql | None]


def joined(parts: Sequence[str], word: str) -> str:
    """Parts joined by AND or OR as a shallow tree: SQLite bounds the depth of an expression."""
    if len(parts) == 1:
        return parts[0]
    if len(parts) > 100:
        size = -(-len(parts) // 100)
        parts = [joined(parts[start : start + size], word) for start in range(0, len(parts), size)]
    return f"({f' {word} '.join(parts)})" if parts else ""


def either(parts: Sequence[Sql], word: str = "OR") -> Sql:
    """Several conditions as one."""
    return joined([sql for sql, _ in parts], word), [param for _, params in parts for param in params]


def class_condition(scope: Scope) -> tuple[list[str], list[Param]]:
    """What keeps rows of other classes out of a physical table that several classes share.

    The planner is told that it keeps about a quarter: an index on a condition or on the order is better.
    """
    table = scope.source.table
    if table.name == table.root or not table.shared:
        return [], []
    names = [table.name, *scope.dictionary.descendants(table.name)]
    column = f'{scope.source.name}."sys_class_name"'
    test = f"{column} IN ({', '.join('?' * len(names))})" if len(names) > 1 else f"{column} = ?"
    return [f"likelihood({test}, 0.25)"], [*names]
