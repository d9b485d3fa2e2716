"""Rules of roles: who may grant them, what they bring along, what cannot go together."""

from __future__ import annotations

from wavetank.behaviour.change import Change
from wavetank.database.store import Row
from wavetank.errors import operation_failed, write_refused
from wavetank.security import explicit_roles, role_audit, roles
from wavetank.security.time_limited import TABLE as TIME_LIMITED

# Where a role is given to somebody, by itself and not along with another.
_GIVEN = frozenset({"sys_user_has_role", "sys_group_has_role", TIME_LIMITED})
_DERIVED = ("inherited", "inh_count", "inh_map")


def allowed(change: Change) -> None:
    """Only an admin hands out admin, by whatever way; only an elevated session hands out security_admin.

    A role may name another that whoever assigns it holds, and may be one that is not granted by itself
    (ServiceNow docs: "Elevated privilege roles", "Role API").
    """
    who = change.who
    if who is None:
        return
    given = roles.handed_out(change.instance, change.table.name, change.row)
    strict = change.instance.settings.get("elevation") == "required"
    beyond = {"admin": not who.is_admin, "security_admin": strict and not who.elevated}
    if any(beyond.get(role) for role in given):
        raise write_refused(change.operation)
    if change.table.name in _GIVEN and change.changes("role"):
        _assignable(change)


def _assignable(change: Change) -> None:
    database = change.instance.database
    role = database.get("sys_user_role", change.row["role"])
    if role is None or change.who is None:
        return
    if role["grantable"] == "false":
        raise write_refused(change.operation)
    needed = database.get("sys_user_role", role["assignable_by"]) if role["assignable_by"] else None
    if needed is not None and not change.who.has_role(needed["name"]):
        raise write_refused(change.operation)


def single(change: Change) -> None:
    """Nobody writes what is derived, and what was granted is not granted again.

    ServiceNow docs: "Role Management V2". How a second grant is answered is not verified: `second_grant`.
    """
    if change.who is None:
        return
    for name in _DERIVED:
        change.row[name] = change.before(name)
    if change.previous is None:
        change.row |= {"inherited": "false", "inh_count": "0"}
    row = change.row
    if not change.changes("role") or change.instance.settings.get("second_grant") == "kept":
        return
    held = change.instance.database.find("sys_user_has_role", user=row["user"], role=row["role"])
    if any(each["inherited"] != "true" and each["sys_id"] != row["sys_id"] for each in held):
        raise change.taken()


def not_deleted(change: Change) -> None:
    """An inherited role is taken away where it comes from (ServiceNow docs: "Assign a role to a user")."""
    if change.who is not None and change.before("inherited") == "true":
        raise write_refused(change.operation)


def kept_name(change: Change) -> None:
    """A role is not renamed (ServiceNow docs: "System roles")."""
    if change.who is not None and change.changes("name"):
        raise operation_failed("Roles are not renamed")


def empty(change: Change) -> None:
    """The explicit roles contain no others (ServiceNow docs: "Explicit Roles")."""
    role = change.instance.database.get("sys_user_role", change.row["role"])
    if role is not None and role["name"] in (explicit_roles.INTERNAL, explicit_roles.EXTERNAL):
        raise operation_failed("snc_internal and snc_external contain no other roles")


def inherited_roles(change: Change) -> None:
    """Brings the inherited roles of everybody concerned in line, refuses collisions, and keeps the trail."""
    users = _users(change)
    before = role_audit.before(change, users)
    roles.rebuild(change.instance, users)
    if change.row and explicit_roles.collision(change.instance, change.table.name, change.row, users):
        raise operation_failed("snc_internal and snc_external exclude each other")
    role_audit.note(change, users, before)


def _users(change: Change) -> set[str] | None:
    """Whose roles a write may change; None when it may be everybody's."""
    users: set[str] = set()
    rows: list[Row] = [row for row in (change.previous, change.row) if row]
    for row in rows:
        found = roles.affected(change.instance, change.table.name, row)
        if found is None:
            return None
        users |= found
    return users
