"""Who got and lost which role: the rows of `sys_audit_role`.

With Role Management V2 they are written only where a property says so (ServiceNow docs: Audit user roles;
Enable role auditing with Role Management V2).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from wavetank.security import roles

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change

TABLE = "sys_audit_role"
PROPERTY = "glide.role_management.v2.audit_roles"
ADDED, REMOVED = "1", "2"
Counts = dict[tuple[str, str], int]


def before(change: "Change", users: Iterable[str] | None) -> Counts:
    """In how many ways users had their roles before a write whose row is stored, and nothing after it yet."""
    if not _on(change):
        return {}
    counts = roles.tallies(change.instance, users)
    if change.table.name == "sys_user_has_role":
        for row, sign in ((change.row, -1), (change.previous, 1)):
            if row:
                key = (row["user"], row["role"])
                counts[key] = counts.get(key, 0) + sign * roles.tally(row)
    return counts


def note(change: "Change", users: Iterable[str] | None, counts: Counts) -> None:
    """A row for each user and role that is had in more or in fewer ways than before."""
    if not _on(change):
        return
    after = roles.tallies(change.instance, users)
    for user, role in sorted(counts.keys() | after.keys()):
        was, now = counts.get((user, role), 0), after.get((user, role), 0)
        if was != now:
            row = {
                "user": user,
                "role": role,
                "operation": ADDED if now > was else REMOVED,
                "count_after_change": str(now),
                "granted_by_group": _group(change),
                "changed_by": change.user_name,
            }
            change.instance.database.insert(TABLE, row, by=change.user_name)


def _group(change: "Change") -> str:
    """The group through which a role came or went; "" for what has none."""
    row = change.row or change.previous or {}
    return row.get("sys_id" if change.table.name == "sys_user_group" else "group", "")


def _on(change: "Change") -> bool:
    return change.instance.property(PROPERTY, "false") == "true"
