"""Machine identity access controls: the only APIs and tables that a named integration user may reach.

ServiceNow docs: "Create a machine identity access control". A user on one reaches nothing else, whatever
roles it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wavetank.errors import operation_failed
from wavetank.security.policies import Policy, Target
from wavetank.security.remembered import Remembered

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change
    from wavetank.database.store import Row
    from wavetank.instance import Instance
    from wavetank.security.who import Session

TABLE, USERS = "sys_machine_identity_access", "sys_machine_identity_access_user"


@dataclass(frozen=True, slots=True)
class Control:
    """What one access control opens: the requests its policy covers, and of those the ones on its tables."""

    policy: Policy | None
    tables: frozenset[str]
    children: bool

    def opens(self, instance: Instance, target: Target) -> bool:
        if self.policy is None or not self.policy.covers(target):
            return False
        if not self.tables or not target.table:
            return True
        line = instance.dictionary.hierarchy(target.table) if self.children else [target.table]
        return not self.tables.isdisjoint(line)


class Machines:
    """The access controls of one instance by user, read again only after one of their tables was written."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._by_user = Remembered(instance, (TABLE, USERS, "sys_api_access_policy"), self._read)

    def admits(self, session: Session, method: str, path: str, table: str) -> bool:
        """Whether a caller may send a request to an API at all; all may who are on no control."""
        controls = self._by_user.now().get(session.sys_id)
        if controls is None:
            return True
        target = Target.of(method, path, table)
        return any(each.opens(self._instance, target) for each in controls)

    def _read(self) -> dict[str, tuple[Control, ...]]:
        database = self._instance.database
        if self._instance.dictionary.table(TABLE) is None:
            return {}
        known = {row["sys_id"]: self._control(row) for row in database.find(TABLE, active="true")}
        found: dict[str, tuple[Control, ...]] = {}
        for row in database.find(USERS):
            if row["access_control"] in known:
                found[row["user"]] = (*found.get(row["user"], ()), known[row["access_control"]])
        return found

    def _control(self, row: Row) -> Control:
        named = (self._table(name.strip()) for name in row["tables"].split(","))
        return Control(
            policy=self._instance.policies.read(row["rest_api_policy"]),
            tables=frozenset(name for name in named if name),
            children=row["applies_to_child_tables"] == "true",
        )

    def _table(self, name: str) -> str:
        """The name of a table that is named, or pointed at as the form does it."""
        row = self._instance.database.get("sys_db_object", name) if len(name) == 32 else None
        return row["name"] if row else name


def only_machines(change: Change) -> None:
    """A user on an access control is for web services only."""
    user = change.instance.database.get("sys_user", change.row["user"])
    if user is None or user["web_service_access_only"] != "true":
        raise operation_failed("Only users with web service access only can be on an access control")
