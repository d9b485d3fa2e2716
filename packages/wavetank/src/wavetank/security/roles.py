"""Which roles a user holds: granted, contained in others, and inherited through groups.

`sys_user_has_role` is the truth a session reads: one row for each user and role, `inherited` when the
role was not granted to the user itself, `inh_count` saying through how many ways it comes
(ServiceNow docs: Role Management V2). `rebuild` derives the inherited rows from the others.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

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
    database = instance.database
    graph = _graph(instance)
    if users is None:
        holders = {row["user"] for row in database.find("sys_user_has_role")}
        users = holders | {row["user"] for row in database.find("sys_user_grmember")}
    with database.transaction():
        return sum(_settle(instance, user, graph) for user in sorted(set(users)) if user)


def affected(instance: "Instance", table: str, row: Mapping[str, str]) -> set[str] | None:
    """Whose roles a written row of one of SOURCES may change; None when it may be everybody's."""
    if table in ("sys_user_has_role", "sys_user_grmember"):
        return {row["user"]} if row.get("user") else set()
    if table in ("sys_group_has_role", "sys_user_group"):
        group = row.get("group" if table == "sys_group_has_role" else "sys_id", "")
        below = _graph(instance).below(group)
        members = (instance.database.find("sys_user_grmember", group=each) for each in below)
        return {member["user"] for found in members for member in found}
    return None


def handed_out(instance: "Instance", table: str, row: Mapping[str, str]) -> set[str]:
    """The names of the roles that a row of one of SOURCES gives somebody, contained ones too."""
    return {
        role["name"]
        for each in _graph(instance).handed_out(table, row)
        if (role := instance.database.get("sys_user_role", each))
    }


def _settle(instance: "Instance", user: str, graph: "_Graph") -> int:
    """Writes what is missing, corrects what is wrong, deletes what is no longer inherited."""
    database = instance.database
    rows = database.find("sys_user_has_role", user=user)
    groups = [row["group"] for row in database.find("sys_user_grmember", user=user)]
    granted = {row["role"]: row for row in rows if row["inherited"] != "true"}
    derived = {row["role"]: row for row in rows if row["inherited"] == "true"}
    ways = graph.ways(granted, groups)
    changed = 0
    for role in ways.keys() | granted.keys():
        count = str(ways[role])
        row = granted.get(role) or derived.pop(role, None)
        if row is None:
            fresh = {"user": user, "role": role, "inherited": "true", "inh_count": count, "state": "active"}
            database.insert("sys_user_has_role", fresh)
        elif (row["inh_count"] or "0") != count:
            database.update("sys_user_has_role", row["sys_id"], {"inh_count": count}, system=False)
        else:
            continue
        changed += 1
    # What is left was inherited and no longer is, or was granted as well: one row a role.
    for row in derived.values():
        database.delete("sys_user_has_role", row["sys_id"])
    return changed + len(derived)


class _Graph:
    """Containment of roles, and what groups hold and hand down."""

    def __init__(self, instance: "Instance") -> None:
        database = instance.database
        self._contains = _pairs(database.find("sys_user_role_contains"), "role", "contains")
        self._parent = {row["sys_id"]: row["parent"] for row in database.find("sys_user_group")}
        self._held: dict[str, list[tuple[str, bool]]] = {}
        for row in database.find("sys_group_has_role"):
            self._held.setdefault(row["group"], []).append((row["role"], row["inherits"] != "false"))
        self._closures: dict[str, frozenset[str]] = {}

    def ways(self, granted: Iterable[str], groups: Iterable[str]) -> Counter[str]:
        """For each inherited role, through how many grants it comes."""
        ways: Counter[str] = Counter()
        for role in granted:
            ways.update(self._closure(role) - {role})
        for group in groups:
            for role in self._roles(group):
                ways.update(self._closure(role))
        return ways

    def handed_out(self, table: str, row: Mapping[str, str]) -> set[str]:
        """What a row gives, by sys_id: a role with its closure, or the roles of a group or a parent."""
        if table in ("sys_user_grmember", "sys_user_group"):
            given = self._roles(row.get("group" if table == "sys_user_grmember" else "parent", ""))
        else:
            given = [row.get("contains" if table == "sys_user_role_contains" else "role", "")]
        return {each for role in given for each in self._closure(role)}

    def below(self, group: str) -> set[str]:
        """The group and every group below it."""
        return {group} | {each for each in self._parent if group in self._above(each)}

    def _closure(self, role: str) -> frozenset[str]:
        """The role and everything it contains, however deep; a circle is walked once."""
        if role not in self._closures:
            seen: set[str] = set()
            todo = [role]
            while todo:
                here = todo.pop()
                if here not in seen:
                    seen.add(here)
                    todo.extend(self._contains.get(here, []))
            self._closures[role] = frozenset(seen)
        return self._closures[role]

    def _roles(self, group: str) -> list[str]:
        """The group's own roles and those its parents hand down (ServiceNow docs: create a group)."""
        own = [role for role, _ in self._held.get(group, [])]
        return own + [
            role for above in self._above(group) for role, inherits in self._held.get(above, []) if inherits
        ]

    def _above(self, group: str) -> list[str]:
        found: list[str] = []
        here = self._parent.get(group, "")
        while here and here not in found:
            found.append(here)
            here = self._parent.get(here, "")
        return found


_graphs: "WeakKeyDictionary[Instance, tuple[int, _Graph]]" = WeakKeyDictionary()


def _graph(instance: "Instance") -> _Graph:
    """The graph of the moment, read again only after one of its tables was written."""
    revision = instance.database.revision("sys_user_role_contains", "sys_user_group", "sys_group_has_role")
    known = _graphs.get(instance)
    if known is None or known[0] != revision:
        known = _graphs[instance] = (revision, _Graph(instance))
    return known[1]


def _pairs(rows: Iterable[Mapping[str, str]], key: str, value: str) -> dict[str, list[str]]:
    pairs: dict[str, list[str]] = {}
    for row in rows:
        pairs.setdefault(row[key], []).append(row[value])
    return pairs
