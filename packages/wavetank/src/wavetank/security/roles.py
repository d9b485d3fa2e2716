"""Which roles a user holds: granted, contained in others, and inherited through groups.

`sys_user_has_role` is the truth a session reads: one row for each user and role, `inherited` when the
role was not granted to the user itself, `inh_count` saying through how many ways it comes
(ServiceNow docs: Role Management V2). `rebuild` derives the inherited rows from the others.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavetank.instance import Instance

# A write to one of these may change what somebody inherits.
SOURCES = frozenset(
    {
        "sys_user_has_role",
        "sys_user_role_contains",
        "sys_user_grmember",
        "sys_group_has_role",
        "sys_user_group",
    }
)


def rebuild(instance: "Instance", users: Iterable[str] | None = None) -> int:
    """Brings the inherited rows of some users (sys_ids; None is everybody) in line.

    Returns how many rows were written or deleted.
    """
    graph = _Graph(instance)
    rows: dict[str, list[dict[str, str]]] = {}
    wanted = None if users is None else set(users)
    for row in _held(instance, wanted):
        rows.setdefault(row["user"], []).append(row)
    everybody = set(rows) | set(graph.groups_of) if wanted is None else wanted
    with instance.database.transaction():
        return sum(_settle(instance, user, rows.get(user, []), graph) for user in sorted(everybody) if user)


def affected(instance: "Instance", table: str, row: dict[str, str]) -> set[str] | None:
    """Whose roles a written row of one of SOURCES may change; None when it may be everybody's."""
    if table in ("sys_user_has_role", "sys_user_grmember"):
        return {row["user"]} if row.get("user") else set()
    if table == "sys_group_has_role":
        return _Graph(instance).members_below(row.get("group", ""))
    if table == "sys_user_group":
        return _Graph(instance).members_below(row.get("sys_id", ""))
    return None


def _held(instance: "Instance", users: set[str] | None) -> list[dict[str, str]]:
    if users is None:
        return instance.database.find("sys_user_has_role")
    return [row for user in sorted(users) for row in instance.database.find("sys_user_has_role", user=user)]


def _settle(instance: "Instance", user: str, rows: list[dict[str, str]], graph: "_Graph") -> int:
    """Writes what is missing, corrects what is wrong, deletes what is no longer inherited."""
    granted = {row["role"]: row for row in rows if row["inherited"] != "true"}
    derived = {row["role"]: row for row in rows if row["inherited"] == "true"}
    ways = graph.ways(user, granted)
    changed = 0
    for role, count in ways.items():
        row = granted.get(role) or derived.pop(role, None)
        if row is None:
            fresh = {
                "user": user,
                "role": role,
                "inherited": "true",
                "inh_count": str(count),
                "state": "active",
            }
            instance.database.insert("sys_user_has_role", fresh)
        elif row["inh_count"] != str(count):
            instance.database.update(
                "sys_user_has_role", row["sys_id"], {"inh_count": str(count)}, system=False
            )
        else:
            continue
        changed += 1
    for role, row in derived.items():
        if role not in ways or role in granted:
            instance.database.delete("sys_user_has_role", row["sys_id"])
            changed += 1
    for role, row in granted.items():
        if role not in ways and row["inh_count"] not in ("", "0"):
            instance.database.update("sys_user_has_role", row["sys_id"], {"inh_count": "0"}, system=False)
            changed += 1
    return changed


class _Graph:
    """Containment of roles and membership of groups, read once."""

    def __init__(self, instance: "Instance") -> None:
        database = instance.database
        self.contains: dict[str, list[str]] = {}
        for row in database.find("sys_user_role_contains"):
            self.contains.setdefault(row["role"], []).append(row["contains"])
        self.parent = {row["sys_id"]: row["parent"] for row in database.find("sys_user_group")}
        self.group_roles: dict[str, list[tuple[str, bool]]] = {}
        for row in database.find("sys_group_has_role"):
            grant = (row["role"], row["inherits"] != "false")
            self.group_roles.setdefault(row["group"], []).append(grant)
        self.groups_of: dict[str, list[str]] = {}
        for row in database.find("sys_user_grmember"):
            self.groups_of.setdefault(row["user"], []).append(row["group"])
        self._closures: dict[str, frozenset[str]] = {}

    def ways(self, user: str, granted: Iterable[str]) -> Counter[str]:
        """For each inherited role, through how many grants it comes."""
        ways: Counter[str] = Counter()
        for role in granted:
            ways.update(self.closure(role) - {role})
        for group in self.groups_of.get(user, []):
            for role in self.roles_of_group(group):
                ways.update(self.closure(role))
        return ways

    def closure(self, role: str) -> frozenset[str]:
        """The role and everything it contains, however deep; a circle is walked once."""
        if role not in self._closures:
            seen: set[str] = set()
            todo = [role]
            while todo:
                here = todo.pop()
                if here not in seen:
                    seen.add(here)
                    todo.extend(self.contains.get(here, []))
            self._closures[role] = frozenset(seen)
        return self._closures[role]

    def roles_of_group(self, group: str) -> list[str]:
        """The group's own roles and those its parents hand down (ServiceNow docs: create a group)."""
        own = [role for role, _ in self.group_roles.get(group, [])]
        above = [
            role
            for ancestor in self._ancestors(group)
            for role, inherits in self.group_roles.get(ancestor, [])
            if inherits
        ]
        return own + above

    def members_below(self, group: str) -> set[str]:
        """The members of a group and of every group below it."""
        return {
            user
            for user, groups in self.groups_of.items()
            if any(group == each or group in self._ancestors(each) for each in groups)
        }

    def _ancestors(self, group: str) -> list[str]:
        found: list[str] = []
        here = self.parent.get(group, "")
        while here and here not in found:
            found.append(here)
            here = self.parent.get(here, "")
        return found
