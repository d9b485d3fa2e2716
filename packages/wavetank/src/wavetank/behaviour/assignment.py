"""Assignment rules: rows of `sysrule_assignment` that fill the group and the person of an unassigned task.

ServiceNow docs: "Assignment rules module", "Create an assignment rule". A rule with a script only does not
run here.
"""

from __future__ import annotations

from wavetank.behaviour.change import Change
from wavetank.behaviour.conditions import matches
from wavetank.database.store import Database, Row

TABLE = "sysrule_assignment"


class Assignment:
    """The assignment rules of an instance by class, kept until one changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[str, list[Row]] = {}

    def run(self, change: Change) -> None:
        """The matching rule of the lowest order assigns; nothing that is assigned is overwritten."""
        row = change.row
        if "assignment_group" not in row or row["assignment_group"] or row["assigned_to"]:
            return
        for rule in self._of(change.table.name):
            if _meets(change, rule):
                row["assignment_group"], row["assigned_to"] = rule["group"], rule["user"]
                return

    def forget(self) -> None:
        """Assignment rules have changed."""
        self._kept = {}

    def _of(self, table: str) -> list[Row]:
        if table not in self._kept:
            above = ",".join(self._database.dictionary.hierarchy(table))
            self._kept[table] = self._database.select(TABLE, f"active=true^tableIN{above}^ORDERBYorder")
        return self._kept[table]


def _meets(change: Change, rule: Row) -> bool:
    """All of the conditions, or one of them."""
    if rule["match_conditions"] != "ANY":
        return matches(change, rule["condition"])
    terms = [each for each in rule["condition"].split("^") if each and each != "EQ"]
    return not terms or any(matches(change, each.removeprefix("OR")) for each in terms)
