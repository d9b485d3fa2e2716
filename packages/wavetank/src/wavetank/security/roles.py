"""Which roles a user holds: granted, contained in others, and inherited through groups.

`sys_user_has_role` is the truth a session reads: one row for each user and role, `inherited` when the
role was not granted to the user itself, `inh_count` saying through how many ways it comes
(ServiceNow docs: Role Management V2). `rebuild` derives the inherited rows from the others. A grant whose
state is not active gives nothing.
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


ACTIVE = frozenset({"", "active"})


def rebuild(instance: "Instance", users: Iterable[str] | None = None) -> int:
    """Brings the inherited rows of some users (sys_ids; None is everybody) in line.

    Returns how many rows were written or deleted.
    """
    database = instance.database
    graph = _graph(instance)
    with database.transaction():
        return sum(_settle(instance, user, graph) for user in concerned(instance, users))


def concerned(instance: "Instance", users: Iterable[str] | None) -> list[str]:
    """The users by sys_id; None is everybody who has a role or is in a group."""
    if users is None:
        database = instance.database
        holders = {row["user"] for row in database.find("sys_user_has_role")}
        users = holders | {row["user"] for row in database.find("sys_user_grmember")}
    return sorted({user for user in users if user})


def tallies(instance: "Instance", users: Iterable[str] | None) -> dict[tuple[str, str], int]:
    """In how many ways users have their roles, as the rows say: by user and role."""
    found: dict[tuple[str, str], int] = {}
    for user in concerned(instance, users):
        for row in instance.database.find("sys_user_has_role", user=user):
            key = (user, row["role"])
            found[key] = found.get(key, 0) + tally(row)
    return found


def tally(row: Mapping[str, str]) -> int:
    """In how many ways one row gives its role."""
    if row["state"] not in ACTIVE:
        return 0
    return int(row["inh_count"] or 0) + (row["inherited"] != "true")


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


def closures(instance: "Instance", table: str, row: Mapping[str, str]) -> list[frozenset[str]]:
    """What each role and each group that a row of one of SOURCES concerns gives whoever has it, by sys_id."""
    return _graph(instance).closures(table, row)


def names(instance: "Instance", roles: Iterable[str]) -> list[str]:
    """The names of those of some roles (sys_ids) that are there."""
    rows = (instance.database.get("sys_user_role", each) for each in roles)
    return [row["name"] for row in rows if row]


def contained(instance: "Instance", roles: Iterable[str]) -> frozenset[str]:
    """The names of some roles (sys_ids) and of all they contain."""
    graph = _graph(instance)
    there = (each for each in roles if instance.database.get("sys_user_role", each))
    return frozenset(names(instance, {each for role in there for each in graph.closure(role)}))


def handed_out(instance: "Instance", table: str, row: Mapping[str, str]) -> set[str]:
    """The names of the roles that a row of one of SOURCES gives somebody, contained ones too."""
    return set(names(instance, _graph(instance).handed_out(table, row)))


def _settle(instance: "Instance", user: str, graph: "_Graph") -> int:
    """Writes what is missing, corrects what is wrong, deletes what is no longer inherited."""
    database = instance.database
    rows = database.find("sys_user_has_role", user=user)
    groups = {row["group"] for row in database.find("sys_user_grmember", user=user)}
    direct = [row for row in rows if row["inherited"] != "true"]
    granted = {row["role"]: row for row in direct if row["state"] in ACTIVE}
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
    return changed + len(derived) + _write_names(instance, user, granted)


def _write_names(instance: "Instance", user: str, granted: Iterable[str]) -> int:
    """Keeps the user's field `roles`: the names of the roles that were granted to the user itself."""
    database = instance.database
    row = database.get("sys_user", user)
    if row is None:
        return 0
    listed = ",".join(sorted(names(instance, granted)))
    if row["roles"] == listed:
        return 0
    database.update("sys_user", user, {"roles": listed}, system=False)
    return 1


class _Graph:
    """Containment of roles, and what groups hold and hand down."""

    def __init__(self, instance: "Instance") -> None:
        database = instance.database
        self._contains = _pairs(database.find("sys_user_role_contains"), "role", "contains")
        groups = database.find("sys_user_group")
        self._parent = {row["sys_id"]: row["parent"] for row in groups}
        gone = instance.settings.get("inactive_group_roles") == "gone"
        self._asleep = {row["sys_id"] for row in groups if gone and row["active"] == "false"}
        self._held: dict[str, list[tuple[str, bool]]] = {}
        for row in database.find("sys_group_has_role"):
            self._held.setdefault(row["group"], []).append((row["role"], row["inherits"] != "false"))
        self._closures: dict[str, frozenset[str]] = {}

    def ways(self, granted: Iterable[str], groups: Iterable[str]) -> Counter[str]:
        """For each inherited role, through how many grants it comes."""
        ways: Counter[str] = Counter()
        for role in granted:
            ways.update(self.closure(role) - {role})
        for group in groups:
            for role in self._roles(group):
                ways.update(self.closure(role))
        return ways

    def handed_out(self, table: str, row: Mapping[str, str]) -> set[str]:
        """What a row gives, by sys_id: a role with its closure, or the roles of a group or a parent."""
        if table in ("sys_user_grmember", "sys_user_group"):
            given = self._roles(row.get("group" if table == "sys_user_grmember" else "parent", ""))
        else:
            given = [row.get("contains" if table == "sys_user_role_contains" else "role", "")]
        return {each for role in given for each in self.closure(role)}

    def closures(self, table: str, row: Mapping[str, str]) -> list[frozenset[str]]:
        """What the roles and groups that a row concerns give: all of them where containment changes."""
        if table == "sys_user_role_contains":
            roles = {*self._contains, *(role for held in self._held.values() for role, _ in held)}
            groups = set(self._parent)
        else:
            roles = {row.get("role", "")}
            group = row.get("sys_id" if table == "sys_user_group" else "group", "")
            groups = self.below(group) if group else set()
        given = [frozenset().union(*map(self.closure, self._roles(each))) for each in groups]
        return [*(self.closure(role) for role in roles), *given]

    def below(self, group: str) -> set[str]:
        """The group and every group below it."""
        return {group} | {each for each in self._parent if group in self._above(each)}

    def closure(self, role: str) -> frozenset[str]:
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
        if group in self._asleep:
            return []
        own = [role for role, _ in self._held.get(group, [])]
        return own + [
            role
            for above in self._above(group)
            if above not in self._asleep
            for role, inherits in self._held.get(above, [])
            if inherits
        ]

    def _above(self, group: str) -> list[str]:
        found: list[str] = []
        here = self._parent.get(group, "")
        while here and here not in found:
            found.append(here)
            here = self._parent.get(here, "")
        return found


_graphs: "WeakKeyDictionary[Instance, tuple[tuple[int, str], _Graph]]" = WeakKeyDictionary()


def _graph(instance: "Instance") -> _Graph:
    """The graph of the moment, read again only after one of its tables was written."""
    tables = ("sys_user_role_contains", "sys_user_group", "sys_group_has_role")
    moment = (instance.database.revision(*tables), str(instance.settings.get("inactive_group_roles")))
    known = _graphs.get(instance)
    if known is None or known[0] != moment:
        known = _graphs[instance] = (moment, _Graph(instance))
    return known[1]


def _pairs(rows: Iterable[Mapping[str, str]], key: str, value: str) -> dict[str, list[str]]:
    pairs: dict[str, list[str]] = {}
    for row in rows:
        pairs.setdefault(row[key], []).append(row[value])
    return pairs
