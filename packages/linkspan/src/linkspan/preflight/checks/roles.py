"""Does the account hold the roles its recipe names?"""

from __future__ import annotations

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.check import Answer, Cause, Check, Outcome
from linkspan.preflight.context import Context, RequiredRole

_RULING = ("admin", "security_admin")
_MOST = 1000
_DEPTH = 20


def run(context: Context) -> Answer:
    """Effective roles: granted, inherited through groups, and contained in others. Best seen by an admin."""
    admin = context.admin()
    line = admin or context.line()
    held = effective(line, context.learned.user_sys_id) if context.learned.user_sys_id else set()
    if not held and admin is None:
        return Answer(outcome="unknown", causes=(context.cause("roles_hidden"),))
    lacking = [role for role in context.roles if role.name not in held]
    missing = [role.name for role in lacking]
    found = [_why(context, admin, role) for role in lacking]
    ruling = [context.cause("holds_admin", role=role) for role in _RULING if role in held]
    outcome: Outcome = "fail" if missing else "warn" if ruling else "pass"
    return Answer(
        outcome=outcome,
        causes=tuple(_distinct([*found, *ruling])),
        evidence={
            "roles": sorted(held),
            "missing": missing,
            "needed": {role.name: role.because for role in context.roles},
            "seen_by": "admin" if admin else "account",
        },
    )


def effective(line: Connection, user: str) -> set[str]:
    """Names of the roles a user holds, those contained in others included."""
    rows = line.table.page(
        "sys_user_has_role",
        query=query.all_of(query.term("user", "=", user), query.term("state", "!=", "inactive")),
        fields=("role", "role.name"),
        limit=_MOST,
    ).rows
    names = {str(row.get("role")): str(row.get("role.name", "")) for row in rows if row.get("role")}
    fresh = list(names)
    for _ in range(_DEPTH):
        if not fresh:
            break
        contained = line.table.page(
            "sys_user_role_contains",
            query=query.one_of("role", fresh),
            fields=("contains", "contains.name"),
            limit=_MOST,
        ).rows
        inside = {str(row.get("contains")): str(row.get("contains.name", "")) for row in contained}
        fresh = [sys_id for sys_id in inside if sys_id and sys_id not in names]
        names |= inside
    return set(names.values()) - {""}


def _why(context: Context, admin: Connection | None, wanted: RequiredRole) -> Cause:
    """Not there at all, switched off, the way to it broken, or simply not granted."""
    role = wanted.name
    if admin is None:
        return context.cause("role_not_granted", "likely", role=role)
    if admin.table.first("sys_user_role", query.term("name", "=", role), ("sys_id",)) is None:
        return context.cause("custom_role_missing" if wanted.made else "role_missing_on_instance", role=role)
    granted = query.all_of(
        query.term("user", "=", context.learned.user_sys_id),
        query.term("role.name", "=", role),
        query.term("state", "=", "inactive"),
    )
    if admin.table.first("sys_user_has_role", granted, ("sys_id",)) is not None:
        return context.cause("role_inactive", role=role)
    carried = admin.table.first(
        "sys_group_has_role",
        query.all_of(query.term("group.name", "=", context.group), query.term("role.name", "=", role)),
        ("sys_id",),
    )
    member = admin.table.first(
        "sys_user_grmember",
        query.all_of(
            query.term("group.name", "=", context.group), query.term("user", "=", context.learned.user_sys_id)
        ),
        ("sys_id",),
    )
    if carried is not None and member is None:
        return context.cause("group_membership_lost")
    return context.cause("role_not_granted", role=role)


def _distinct(causes: list[Cause]) -> list[Cause]:
    return list({(cause.id, cause.fix): cause for cause in causes}.values())


CHECK = Check(name="roles", title="It holds the roles its recipe names", run=run, needs=("identity",))
