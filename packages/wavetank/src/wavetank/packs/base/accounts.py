"""What answers failed logins: the script actions of a new instance, and which of them are active."""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.packs.writing import Rows
from wavetank.security import lockout

# name: sys_id, event, active after a zBoot (ServiceNow docs: Specify lockout for failed login attempts)
_ACTIONS = {
    "SNC User Lockout Check with Auto Unlock": (lockout.AUTO_UNLOCK, lockout.FAILED, True),
    "SNC User Lockout Check": (lockout.LOCK, lockout.FAILED, False),
    "SNC User Clear": (lockout.CLEAR, "login", True),
}


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield lockout.ACTIONS, _script_actions()


def _script_actions() -> Rows:
    for name, (sys_id, event, active) in _ACTIONS.items():
        yield {
            "sys_id": sys_id,
            "name": name,
            "event_name": event,
            "active": "true" if active else "false",
            "script": "// Built in: wavetank does this itself. Set active to false to switch it off.",
        }
