"""What happens around a write to one table, worked out once and kept until rules or dictionary change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wavetank.behaviour import custom
from wavetank.behaviour.change import JAVASCRIPT, Change, Operation
from wavetank.behaviour.rules import BUILT_IN
from wavetank.database import audit
from wavetank.database.dictionary import Table
from wavetank.database.store import Database, Row

ENGINES_AT = 1000
_BUILT_IN = {rule.sys_id: rule for rule in BUILT_IN}


@dataclass(frozen=True, slots=True)
class Step:
    """One active rule, ready to run."""

    when: str
    order: int
    operations: frozenset[str]
    run: Callable[[Change], None]


@dataclass(frozen=True, slots=True)
class Program:
    """One table's defaults, unique and audited fields, and its rules in order.

    `blank` is a row of constant defaults; `computed` are the fields whose default is an expression.
    """

    blank: Mapping[str, str]
    computed: tuple[tuple[str, str], ...]
    unique: tuple[str, ...]
    audited: tuple[str, ...]
    early: Mapping[Operation, tuple[Step, ...]]
    late: Mapping[Operation, tuple[Step, ...]]
    after: Mapping[Operation, tuple[Step, ...]]
    afterwards: Mapping[Operation, tuple[Step, ...]]


class Programs:
    """The programs of an instance's tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: dict[str, list[Row]] | None = None
        self._kept: dict[str, Program] = {}

    def of(self, table: Table) -> Program:
        """The program of a class, with the rules of the classes above it."""
        found = self._kept.get(table.name)
        if found is None:
            found = self._kept[table.name] = self._make(table)
        return found

    def forget(self) -> None:
        """Rules or dictionary have changed."""
        self._rows, self._kept = None, {}

    def _make(self, table: Table) -> Program:
        if self._rows is None:
            self._rows = {}
            for row in self._database.find("sys_script", active="true"):
                self._rows.setdefault(row["collection"], []).append(row)
        names = self._database.dictionary.hierarchy(table.name)
        rows = [row for name in names for row in self._rows.get(name, ())]
        steps = sorted((self._step(row) for row in rows), key=lambda step: step.order)
        before = [step for step in steps if step.when == "before"]
        defaults = {field.name: field.default for field in table.fields.values()}
        computed = {name: text for name, text in defaults.items() if text.startswith(JAVASCRIPT)}
        blank = {
            name: ""
            if name in computed
            else text or ("false" if table.fields[name].type == "boolean" else "")
            for name, text in defaults.items()
        }
        if table.shared:
            blank["sys_class_name"] = table.name
        return Program(
            blank=blank,
            computed=tuple(computed.items()),
            unique=tuple(field.name for field in table.fields.values() if field.unique),
            audited=audit.fields_of(self._database, table),
            early=_by_operation([step for step in before if step.order < ENGINES_AT]),
            late=_by_operation([step for step in before if step.order >= ENGINES_AT]),
            after=_by_operation([step for step in steps if step.when == "after"]),
            afterwards=_by_operation([step for step in steps if step.when.startswith("async")]),
        )

    def _step(self, row: Row) -> Step:
        operations = frozenset(
            name for name in ("insert", "update", "delete") if row[f"action_{name}"] == "true"
        )
        order = int(row["order"]) if row["order"].lstrip("-").isdecimal() else 100
        built_in = _BUILT_IN.get(row["sys_id"])
        if built_in is not None:
            return Step(row["when"], order, operations, built_in.run)
        rule = custom.read(row)
        return Step(row["when"], order, operations, lambda change: custom.run(rule, change))


def _by_operation(steps: list[Step]) -> dict[Operation, tuple[Step, ...]]:
    operations: tuple[Operation, ...] = ("insert", "update", "delete")
    return {each: tuple(step for step in steps if each in step.operations) for each in operations}
