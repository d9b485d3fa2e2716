"""The engines between the two halves of the before rules: data policies, then data lookups.

Order: ServiceNow docs "Execution order of scripts and engines".
"""

from __future__ import annotations

from dataclasses import dataclass

from wavetank.behaviour.change import Change
from wavetank.database import query
from wavetank.database.store import Database
from wavetank.errors import operation_failed


@dataclass(frozen=True, slots=True)
class Policy:
    """One data policy: on which class, under which condition, which fields must not be empty."""

    table: str
    conditions: str
    inherit: bool
    mandatory: tuple[str, ...]


class Engines:
    """The data policies and lookups of one instance, kept until their rows change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._policies: tuple[int, list[Policy]] = (-1, [])
        self._matrix: tuple[int, dict[tuple[str, str], str]] = (-1, {})

    def run(self, change: Change) -> None:
        """Check and complete a write. Raises PlatformError when a mandatory field is empty."""
        if change.operation == "delete":
            return
        self._check(change)
        if change.table.name == "incident":
            self._prioritize(change)

    def _check(self, change: Change) -> None:
        hierarchy = change.instance.dictionary.hierarchy(change.table.name)
        for policy in self._all_policies():
            applies = policy.table == change.table.name or (policy.inherit and policy.table in hierarchy)
            if not applies or not matches(change, policy.conditions):
                continue
            labels = [
                change.table.fields[name].label
                for name in policy.mandatory
                if name in change.table.fields and not change.row.get(name)
            ]
            if labels:
                raise operation_failed(
                    f"Data Policy Exception: The following fields are mandatory: {', '.join(labels)}"
                )

    def _prioritize(self, change: Change) -> None:
        priority = self._all_priorities().get((change.row["impact"], change.row["urgency"]))
        if priority is not None:
            change.row["priority"] = priority

    def _all_policies(self) -> list[Policy]:
        revision = self._database.revision("sys_data_policy2", "sys_data_policy_rule")
        if self._policies[0] != revision:
            rules: dict[str, list[str]] = {}
            for row in self._database.find("sys_data_policy_rule", mandatory="true"):
                rules.setdefault(row["sys_data_policy"], []).append(row["field"])
            found = [
                Policy(
                    row["model_table"],
                    row["conditions"],
                    row["inherit"] == "true",
                    tuple(rules.get(row["sys_id"], ())),
                )
                for row in self._database.find("sys_data_policy2", active="true")
            ]
            self._policies = (revision, found)
        return self._policies[1]

    def _all_priorities(self) -> dict[tuple[str, str], str]:
        revision = self._database.revision("dl_u_priority")
        if self._matrix[0] != revision:
            rows = self._database.find("dl_u_priority", active="true")
            self._matrix = (revision, {(row["impact"], row["urgency"]): row["priority"] for row in rows})
        return self._matrix[1]


def matches(change: Change, conditions: str) -> bool:
    """Whether the record, as it is about to be, meets an encoded query."""
    if not conditions:
        return True
    context = query.Context(now=change.now, user=change.user, user_name=change.user_name)
    return change.instance.database.matches(change.table.name, change.row, conditions, context)
