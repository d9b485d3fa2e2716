"""Failed logins: counted, answered by locking the account, and undone by time.

Script actions do it on events, and only while they are active (ServiceNow docs: Specify lockout for failed
login attempts; Managing failed login attempts). A failed login leaves the event `login.failed`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from wavetank.clock import parse
from wavetank.database.shipped import sys_id_for

if TYPE_CHECKING:
    from wavetank.instance import Instance

ACTIONS = "sysevent_script_action"
# The docs print these sys_ids in the order of these names; that they belong together is not verified.
AUTO_UNLOCK = "d92636b2975301008e00958e3b297567"
LOCK = "5e44f9bf0a0a0a0a019a6440b2137767"
CLEAR = sys_id_for(ACTIONS, "SNC User Clear")
FAILED = "login.failed"
LIMIT, MINUTES = "glide.user.max_unlock_attempts", "glide.user.unlock_timeout_in_mins"
_LIMIT = 5  # of the action without auto unlock, and of the other where its property says nothing


class Lockout:
    """What becomes of the accounts of one instance whose logins fail."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance

    def failed(self, user_name: str, user: Mapping[str, str] | None) -> None:
        """Notes a failed login under a name, whose user there may be none of."""
        self._event(user_name, user)
        if user is None or user["locked_out"] == "true":
            return
        unlocks = self._active(AUTO_UNLOCK)
        if not unlocks and not self._active(LOCK):
            return
        attempts = int(user["failed_attempts"] or 0) + 1
        changes = {"failed_attempts": str(attempts)}
        if attempts >= (self._limit() if unlocks else _LIMIT):
            changes["locked_out"] = "true"
        now = self._instance.clock.text()
        # Stamped, so that the moment of locking outlives a restart.
        self._instance.database.update(
            "sys_user", user["sys_id"], {**changes, "sys_updated_on": now}, system=False
        )
        if unlocks and "locked_out" in changes:
            self._unlock_later(user["sys_id"], now)

    def passed(self, user: Mapping[str, str]) -> None:
        """Forgets the failed logins of a user who has proven to be that user."""
        if user["failed_attempts"] not in ("", "0") and self.clears:
            self._instance.database.update("sys_user", user["sys_id"], {"failed_attempts": "0"}, system=False)

    @property
    def clears(self) -> bool:
        """Whether a login updates the user's row."""
        return self._active(CLEAR)

    def resume(self) -> None:
        """Takes up the unlocks that are still to come, after a start or a restore."""
        if self._instance.dictionary.table("sys_user") is None or not self._active(AUTO_UNLOCK):
            return
        for user in self._instance.database.find("sys_user", locked_out="true"):
            if int(user["failed_attempts"] or 0) >= self._limit():
                self._unlock_later(user["sys_id"], user["sys_updated_on"])

    def _active(self, action: str) -> bool:
        row = self._instance.database.get(ACTIONS, action)
        return row is not None and row["active"] != "false"

    def _event(self, user_name: str, user: Mapping[str, str] | None) -> None:
        now = self._instance.clock.text()
        event = {"name": FAILED, "parm1": user_name[:4000], "state": "processed", "process_on": now}
        if user is not None:
            event |= {"table": "sys_user", "instance": user["sys_id"]}
        self._instance.database.insert("sysevent", {**event, "processed": now})

    def _limit(self) -> int:
        return int(self._instance.number(LIMIT, _LIMIT))

    def _unlock_later(self, sys_id: str, since: str) -> None:
        minutes = min(self._instance.number(MINUTES, 15), 10**9)
        self._instance.clock.at(parse(since) + timedelta(minutes=minutes), lambda: self._unlock(sys_id))

    def _unlock(self, sys_id: str) -> None:
        user = self._instance.database.get("sys_user", sys_id)
        if user and user["locked_out"] == "true" and int(user["failed_attempts"] or 0) >= self._limit():
            fresh = {"locked_out": "false", "failed_attempts": "0"}
            self._instance.database.update("sys_user", sys_id, fresh, system=False)
