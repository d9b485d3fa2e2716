"""Who asks, when and where: all that an expression or a query can see besides the rows it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from wavetank.database.dictionary import Dictionary
from wavetank.database.expressions.moments import to_local

Change = tuple[str, str]


class Rows(Protocol):
    """The rows of an instance, as far as an expression may look at them."""

    dictionary: Dictionary

    def find(self, table: str, /, **equal: str) -> list[dict[str, str]]:
        """Every row whose fields equal the given values."""
        ...


@dataclass(frozen=True)
class Context:
    """Who asks, when and where: what an expression can see.

    `now` is UTC text. `unknown_field` says what becomes of a query term whose field does not exist:
    drop, refuse or no_rows; `unknown_by_table` says it for single tables. `literal_time_zone` is utc or
    user: how date literals in queries are read. `change` is asked by VALCHANGES, CHANGESFROM and
    CHANGESTO for a field's value before and after; without it they mean nothing. The other switches are
    settings of the same names.
    """

    now: str
    user: str = ""
    user_name: str = ""
    time_zone: str = "UTC"
    unknown_field: str = "drop"
    literal_time_zone: str = "utc"
    groups: Callable[[], Sequence[str]] = field(default=tuple)
    roles: frozenset[str] = frozenset()
    interactive: bool = False
    rows: Rows | None = None
    change: Callable[[str], Change] | None = None
    unknown_by_table: Mapping[str, str] = field(default_factory=dict)
    week_start: str = "sunday"
    refused_script: str = "no_rows"
    negation_on_empty: str = "left_out"
    null_word: str = "empty"
    empty_value: str = "empty"
    journal_query: str = "entries"
    join_conditions: str = "all"
    relative_days: str = "moment"
    now_date_time: str = "utc"

    @property
    def moment(self) -> datetime:
        """Now, in the user's time zone."""
        return to_local(self.now, self.time_zone)

    def find(self, table: str, /, **equal: str) -> list[dict[str, str]]:
        """Rows of a table; none when the instance has no such table, or none may be looked at."""
        if self.rows is None or self.rows.dictionary.table(table) is None:
            return []
        return self.rows.find(table, **equal)

    def first(self, table: str, /, **equal: str) -> dict[str, str]:
        """The first of them; an empty row when there is none."""
        return next(iter(self.find(table, **equal)), {})

    def unknown_in(self, table: str) -> str:
        """What becomes of an unknown field in a query on that table."""
        return self.unknown_by_table.get(table, self.unknown_field)
