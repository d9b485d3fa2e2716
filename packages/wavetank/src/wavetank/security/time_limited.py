"""Roles that a user has between two moments (ServiceNow docs: Time-limited role).

They are kept in a table of their own and never show in `sys_user_has_role`. They come and go with the clock,
within sessions that are open, too.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from wavetank.clock import parse
from wavetank.errors import operation_failed
from wavetank.security import roles

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change
    from wavetank.instance import Instance

TABLE = "sys_user_has_role_time_limited"
_FAMILY = "glide.security.timelimited.roles."
ALLOWED, DAYS = _FAMILY + "allowed_roles", _FAMILY + "allowed_max_days"
NAMES = "admin,snc_read_only,impersonator,snc_required_script_writer_permission"
AT_ONCE = 4


def held(instance: "Instance", user: str) -> frozenset[str]:
    """The names of the roles a user (sys_id) has for now, with all they contain."""
    if instance.dictionary.table(TABLE) is None:
        return frozenset()
    now = instance.clock.text()
    rows = instance.database.find(TABLE, user=user, active="true")
    ids = {row["role"] for row in rows if row["start_time"] <= now < row["end_time"]}
    return roles.contained(instance, ids) if ids else frozenset()


def sound(change: "Change") -> None:
    """Refuses what cannot be granted for a time: another role, for too long, too many at once."""
    row, instance = change.row, change.instance
    for name in ("user", "role", "start_time", "end_time"):
        if not row[name]:
            raise operation_failed(f"{change.table.fields[name].label} is needed")
    role = instance.database.get("sys_user_role", row["role"])
    allowed = {each.strip() for each in instance.property(ALLOWED, NAMES).split(",")}
    if role is None or role["name"] not in allowed:
        raise operation_failed("This role cannot be granted for a limited time")
    span = parse(row["end_time"]) - parse(row["start_time"])
    if not timedelta(0) < span <= timedelta(days=instance.number(DAYS, 5)):
        raise operation_failed("The end time is not within the allowed days of the start time")
    others = [
        each
        for each in instance.database.find(TABLE, user=row["user"], active="true")
        if each["sys_id"] != row["sys_id"] and _overlap(each, row)
    ]
    if row["active"] != "false" and len(others) >= AT_ONCE:
        raise operation_failed(f"A user has at most {AT_ONCE} time-limited roles at once")


def planned(change: "Change") -> None:
    """Has sessions look again when a role begins and ends, and at once."""
    _turn(change.instance, (change.previous or change.row).get("user", ""))
    if change.row:
        _plan(change.instance, change.row)


def resume(instance: "Instance") -> None:
    """Takes up what is still to begin and to end, after a start or a restore."""
    if instance.dictionary.table(TABLE) is not None:
        for row in instance.database.find(TABLE, active="true"):
            _plan(instance, row)


def _plan(instance: "Instance", row: Mapping[str, str]) -> None:
    user = row["user"]
    for moment in (row["start_time"], row["end_time"]):
        if moment > instance.clock.text():
            instance.clock.at(parse(moment), lambda: _turn(instance, user))


def _turn(instance: "Instance", user: str) -> None:
    instance.identity.forget_roles()
    instance.sessions.retake(user)


def _overlap(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return one["start_time"] < other["end_time"] and other["start_time"] < one["end_time"]
