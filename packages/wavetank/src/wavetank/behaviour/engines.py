"""The engines between the two halves of the before rules: assignment, data policies, data lookups.

Order: ServiceNow docs "Execution order of scripts and engines".
"""

from __future__ import annotations

from wavetank.behaviour.assignment import Assignment
from wavetank.behaviour.change import Change
from wavetank.behaviour.lookups import Lookups
from wavetank.behaviour.policies import Policies
from wavetank.database.store import Database


class Engines:
    """The engines of one instance."""

    def __init__(self, database: Database) -> None:
        self._assignment = Assignment(database)
        self._policies = Policies(database)
        self._lookups = Lookups(database)

    def forget(self) -> None:
        """Rows that the engines go by have changed."""
        self._assignment.forget()
        self._policies.forget()
        self._lookups.forget()

    def run(self, change: Change) -> None:
        """Complete and check a write. Raises PlatformError when a data policy refuses it."""
        if change.operation == "delete":
            return
        self._lookups.assign(change)
        self._assignment.run(change)
        self._policies.check(change)
        self._lookups.prioritize(change)
