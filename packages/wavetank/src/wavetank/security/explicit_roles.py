"""Explicit roles: every user is internal or external, never both (ServiceNow docs: Explicit Roles).

All of it needs the plugin, which an instance does not have by itself. What `snc_internal` opens is for the
access controls to say.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from wavetank.security import roles
from wavetank.security.names import listed

if TYPE_CHECKING:
    from wavetank.instance import Instance

PLUGIN = "com.glide.explicit_roles"
INTERNAL, EXTERNAL = "snc_internal", "snc_external"
_FAMILY = "glide.security.explicit_roles."
DO_NOT_FIX = _FAMILY + "do_not_fix"
EXCLUDED = _FAMILY + "ignore.snc_internal.exclude_role_list"


def active(instance: "Instance") -> bool:
    """Whether the plugin is there."""
    return instance.plugins.active(PLUGIN)


def at_login(instance: "Instance", user: str) -> None:
    """Makes a user (sys_id) internal who is neither; properties except everybody or holders of roles."""
    if not active(instance) or instance.property(DO_NOT_FIX, "false") == "true":
        return
    database = instance.database
    held = {row["role"] for row in database.find("sys_user_has_role", user=user)}
    names = set(roles.names(instance, held))
    internal = database.first("sys_user_role", name=INTERNAL)
    if internal is None or names & ({INTERNAL, EXTERNAL} | listed(instance.property(EXCLUDED))):
        return
    grant = {
        "user": user,
        "role": internal["sys_id"],
        "inherited": "false",
        "inh_count": "0",
        "state": "active",
    }
    with database.transaction():
        database.insert("sys_user_has_role", grant)
        roles.rebuild(instance, [user])


def collision(instance: "Instance", table: str, row: Mapping[str, str], users: Iterable[str] | None) -> bool:
    """Whether a row of a table that gives roles leaves a role, a group or a user with both."""
    if not active(instance):
        return False
    both = _both(instance)
    if any(both <= given for given in roles.closures(instance, table, row)):
        return True
    held: dict[str, set[str]] = {}
    for user, role in roles.tallies(instance, users):
        held.setdefault(user, set()).add(role)
    return any(both <= given for given in held.values())


def _both(instance: "Instance") -> set[str]:
    rows = (instance.database.first("sys_user_role", name=name) for name in (INTERNAL, EXTERNAL))
    return {row["sys_id"] if row else "\0" for row in rows}
