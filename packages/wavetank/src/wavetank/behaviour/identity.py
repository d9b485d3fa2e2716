"""Rules of users. Those of groups and roles are in `grants`."""

from __future__ import annotations

from wavetank.behaviour.change import Change
from wavetank.errors import operation_failed, write_refused


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


def minimum(change: Change) -> None:
    """A user has a User ID and one of its names, where every write is asked for them.

    ServiceNow docs: "Create a user". Whether more than the form asks is not verified: setting `user_minimum`.
    """
    row, settings = change.row, change.instance.settings
    if change.who is None or settings.get("user_minimum") == "form":
        return
    if not row["user_name"] or not (row["first_name"] or row["last_name"]):
        raise operation_failed("A user needs a User ID, and a First name or a Last name")


def agent(change: Change) -> None:
    """What is an AI agent stays one, and nothing becomes one (ServiceNow docs: "Create a user")."""
    kinds = (change.before("identity_type"), change.row["identity_type"])
    if change.who and change.changes("identity_type") and "ai_agent" in kinds:
        raise operation_failed("The identity type AI is not changed")


def own_lock(change: Change) -> None:
    """Nobody who is admin locks itself out (ServiceNow docs: "Create a user"); the words are not verified."""
    who = change.who
    if (
        who
        and who.is_admin
        and who.sys_id == change.row["sys_id"]
        and change.changes_to("locked_out", "true")
    ):
        raise operation_failed("Administrators do not lock themselves out")


def others_password(change: Change) -> None:
    """Changing somebody else's password takes an elevated session, where the setting says so.

    Refused on one developer instance, not verified on others: setting `password_change`.
    """
    who, settings = change.who, change.instance.settings
    if who is None or who.sys_id == change.row["sys_id"] or settings.get("password_change") == "allowed":
        return
    if change.changes("user_password") and not who.elevated:
        raise operation_failed("Error during update of sys_user")


def admins_row(change: Change) -> None:
    """The row of an admin is written by an admin, where the setting says so; not verified."""
    who, settings = change.who, change.instance.settings
    if who is None or who.is_admin or settings.get("admin_row_write") == "open":
        return
    admin = change.instance.database.first("sys_user_role", name="admin")
    held = {"user": change.before("sys_id"), "role": admin["sys_id"] if admin else ""}
    if change.instance.database.first("sys_user_has_role", **held):
        raise write_refused(change.operation)
