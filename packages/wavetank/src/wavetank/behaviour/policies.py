"""Data policies: the rows of `sys_data_policy2` and their rules, checked on every write.

ServiceNow docs: "Data policy", "Data policy fields". They apply to the Table API whatever their options for
import sets and SOAP say; fields are named by their labels.
"""

from __future__ import annotations

from dataclasses import dataclass

from wavetank.behaviour.change import Change
from wavetank.behaviour.conditions import matches
from wavetank.database.store import Database, Row
from wavetank.errors import operation_failed


@dataclass(frozen=True, slots=True)
class Policy:
    """What one policy asks while its condition holds, and what while it does not (`reversed`)."""

    conditions: str
    mandatory: tuple[str, ...]
    locked: tuple[str, ...]
    reversed_mandatory: tuple[str, ...]
    reversed_locked: tuple[str, ...]


class Policies:
    """The data policies of an instance by class, kept until their rows change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[str, tuple[Policy, ...]] = {}

    def check(self, change: Change) -> None:
        """Raises PlatformError naming what is missing or may not be changed."""
        missing: dict[str, None] = {}
        locked: dict[str, None] = {}
        for policy in self._of(change.table.name):
            holds = matches(change, policy.conditions)
            mandatory = policy.mandatory if holds else policy.reversed_mandatory
            missing.update((name, None) for name in mandatory if _missing(change, name))
            fixed = policy.locked if holds else policy.reversed_locked
            locked.update((name, None) for name in fixed if _touched(change, name))
        if missing:
            raise _refusal("mandatory", change, missing)
        if locked:
            raise _refusal("read only", change, locked)

    def forget(self) -> None:
        """Policies have changed."""
        self._kept = {}

    def _of(self, table: str) -> tuple[Policy, ...]:
        if table not in self._kept:
            names = self._database.dictionary.hierarchy(table)
            rows = [
                row
                for row in self._database.find("sys_data_policy2", active="true")
                if row["model_table"] == table or (row["inherit"] == "true" and row["model_table"] in names)
            ]
            self._kept[table] = tuple(self._read(row) for row in rows)
        return self._kept[table]

    def _read(self, row: Row) -> Policy:
        rules = self._database.find("sys_data_policy_rule", sys_data_policy=row["sys_id"])
        back = rules if row["reverse_if_false"] == "true" else []
        return Policy(
            conditions=row["conditions"],
            mandatory=_fields(rules, "mandatory", "true"),
            locked=_fields(rules, "disabled", "true"),
            reversed_mandatory=_fields(back, "mandatory", "false"),
            reversed_locked=_fields(back, "disabled", "false"),
        )


def _fields(rules: list[Row], column: str, value: str) -> tuple[str, ...]:
    return tuple(rule["field"] for rule in rules if rule[column] == value)


def _missing(change: Change, name: str) -> bool:
    field = change.table.fields.get(name)
    if field is None:
        return False
    if field.is_journal:
        return all(each != name for each, _ in change.journals)
    return not change.row.get(name)


def _touched(change: Change, name: str) -> bool:
    """Whether the caller changes a field; on insert: gives it a value."""
    return name in change.given and name in change.table.fields and change.changes(name)


def _refusal(kind: str, change: Change, names: dict[str, None]) -> Exception:
    labels = ", ".join(change.table.fields[name].label for name in names)
    return operation_failed(f"Data Policy Exception: The following fields are {kind}: {labels}")
