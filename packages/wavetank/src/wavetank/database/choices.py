"""Choice lists: the rows of `sys_choice`, found through the class hierarchy and kept until one changes."""

from __future__ import annotations

from dataclasses import dataclass

from wavetank.database.store import Database


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a list."""

    value: str
    label: str
    inactive: bool


@dataclass(frozen=True, slots=True)
class ChoiceList:
    """The list of one field, with the two ways to look something up in it."""

    choices: tuple[Choice, ...]
    labels: dict[str, str]
    values: dict[str, str]

    def allows(self, value: str) -> bool:
        """True for the value of an active choice."""
        return any(each.value == value and not each.inactive for each in self.choices)


class Choices:
    """Every choice list of an instance."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: tuple[int, int] = (-1, -1)
        self._rows: dict[tuple[str, str], list[Choice]] = {}
        self._lists: dict[tuple[str, str], ChoiceList | None] = {}

    def find(self, table: str, element: str) -> ChoiceList | None:
        """The list of a field: the nearest class up the hierarchy that has one. None when none has."""
        self._refresh()
        key = (table, element)
        if key not in self._lists:
            self._lists[key] = self._nearest(table, element)
        return self._lists[key]

    def _nearest(self, table: str, element: str) -> ChoiceList | None:
        for name in self._database.dictionary.hierarchy(table):
            rows = self._rows.get((name, element))
            if rows:
                return ChoiceList(
                    choices=tuple(rows),
                    labels={each.value: each.label for each in reversed(rows)},
                    values={each.label.lower(): each.value for each in reversed(rows)},
                )
        return None

    def _refresh(self) -> None:
        seen = (self._database.revision("sys_choice"), self._database.dictionary.revision)
        if seen == self._seen:
            return
        self._rows = {}
        sql = (
            "SELECT name, element, value, label, inactive FROM sys_choice WHERE language IN ('en', '')"
            " ORDER BY CAST(sequence AS INTEGER), rowid"
        )
        for name, element, value, label, inactive in self._database.execute(sql):
            self._rows.setdefault((name, element), []).append(Choice(value, label, inactive == "true"))
        self._lists = {}
        self._seen = seen
