"""Rules of users, groups and roles."""

from __future__ import annotations

from wavetank.behaviour.change import Change
from wavetank.errors import write_refused


def full_name(change: Change) -> None:
    """A user's name is its parts joined."""
    parts = (change.row["first_name"], change.row["middle_name"], change.row["last_name"])
    name = " ".join(part for part in parts if part)
    if name:
        change.row["name"] = name
    elif not change.row["name"]:
        change.row["name"] = change.row["user_name"]


def machine(change: Change) -> None:
    """Identity type Machine ticks web service access only; Human and AI agent untick it.

    ServiceNow docs: "Create a user". A value written in the same breath wins.
    """
    if not change.changes("identity_type") or "web_service_access_only" in change.given:
        return
    kind = change.row["identity_type"]
    if kind == "machine":
        change.row["web_service_access_only"] = "true"
    elif kind in {"human", "ai_agent"}:
        change.row["web_service_access_only"] = "false"


def grants(change: Change) -> None:
    """Only an admin hands out admin, by whatever way; only an elevated session hands out security_admin.

    ServiceNow docs: "Elevated privileges".
    """
    from wavetank.security import roles

    if change.who is None:
        return
    given = roles.handed_out(change.instance, change.table.name, change.row)
    strict = change.instance.settings.get("elevation") == "required"
    beyond = {"admin": not change.who.is_admin, "security_admin": strict and not change.who.elevated}
    if any(beyond.get(role) for role in given):
        raise write_refused(change.operation)


def inherited_roles(change: Change) -> None:
    """Bring the inherited roles of everybody concerned in line."""
    from wavetank.security import roles

    users: set[str] = set()
    for row in (change.previous, change.row):
        if row is None:
            continue
        found = roles.affected(change.instance, change.table.name, row)
        if found is None:
            roles.rebuild(change.instance, None)
            return
        users |= found
    if users:
        roles.rebuild(change.instance, users)
