"""Data lookups: the priority that impact and urgency make, and assignment by what an incident is about.

ServiceNow docs: "Default priority lookup rules", "Create an assignment data lookup rule",
"Data lookup and record matching support". An empty matcher field matches anything.
"""

from __future__ import annotations

from wavetank.behaviour.change import Change
from wavetank.database.store import Database, Row

PRIORITIES, ASSIGNMENTS = "dl_u_priority", "dl_u_assignment"
_PRIORITIZED = frozenset({"incident", "problem"})
_MATCHED = ("category", "subcategory", "cmdb_ci", "location")
_ASSIGNED = ("assignment_group", "assigned_to")


class Lookups:
    """The lookup rows of an instance, kept until one changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._matrix: dict[tuple[str, str], str] | None = None
        self._assignments: list[Row] | None = None

    def prioritize(self, change: Change) -> None:
        """The priority of incidents and problems always follows; one that is written is overwritten."""
        if change.table.name not in _PRIORITIZED:
            return
        priority = self._priorities().get((change.row["impact"], change.row["urgency"]))
        if priority is not None:
            change.row["priority"] = priority

    def assign(self, change: Change) -> None:
        """The first matching row fills the group and the person of an unassigned incident."""
        if change.table.name != "incident" or any(change.row[name] for name in _ASSIGNED):
            return
        for row in self._rows():
            if all(row[name] in ("", change.row[name]) for name in _MATCHED):
                change.row.update((name, row[name]) for name in _ASSIGNED if row[name])
                return

    def forget(self) -> None:
        """Lookup rows have changed."""
        self._matrix = self._assignments = None

    def _priorities(self) -> dict[tuple[str, str], str]:
        if self._matrix is None:
            rows = self._database.find(PRIORITIES, active="true")
            self._matrix = {(row["impact"], row["urgency"]): row["priority"] for row in rows}
        return self._matrix

    def _rows(self) -> list[Row]:
        if self._assignments is None:
            self._assignments = self._database.select(ASSIGNMENTS, "active=true^ORDERBYorder")
        return self._assignments
