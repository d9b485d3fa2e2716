"""Who is asking: from what a request presents to a Session, or to the one 401 that tells nothing.

Unknown user, wrong password, locked, inactive, restricted: the platform answers all of them with the
same status and body (measured on developer instances), and so does this module.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from wavetank.clock import parse
from wavetank.errors import PlatformError
from wavetank.releases import release
from wavetank.security import restriction
from wavetank.security.codes import Codes
from wavetank.security.credentials import Presented
from wavetank.security.keys import Keys
from wavetank.security.passwords import Passwords
from wavetank.security.policies import BASIC
from wavetank.security.tokens import Tokens
from wavetank.security.who import Session

if TYPE_CHECKING:
    from wavetank.instance import Instance

CHALLENGE = {"WWW-Authenticate": BASIC}
# Whose rows decide about a session; a write to any of them ends every cached one.
SOURCES = ("sys_user", "sys_user_has_role", "sys_user_role", "sys_properties", "oauth_entity")
ROLES = """
SELECT r."name", h."inherited" FROM "sys_user_has_role" h JOIN "sys_user_role" r ON r."sys_id" = h."role"
WHERE h."user" = ? AND h."state" IN ('active', '')
"""


def authenticate(instance: "Instance", presented: Presented) -> Session:
    """The session of what was presented. Raises PlatformError 401."""
    return instance.identity.authenticate(presented)


class Identity:
    """The users of one instance as callers."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._passwords = Passwords()
        self._sessions: dict[tuple[str, str, str], Session] = {}
        self._revision = -1
        self.tokens = Tokens(instance)
        self.keys = Keys(instance)
        self.codes = Codes(instance)
        self.resume()

    def claimed(self, presented: Presented) -> str:
        """The user name a request claims, unproven; "" when it names none."""
        if presented.scheme == "bearer":
            token = self.tokens.find(presented.secret)
            return token.user_name if token else ""
        if presented.scheme == "api_key":
            key = self.keys.find(presented.secret)
            user = self._instance.database.get("sys_user", key["user"]) if key else None
            return user["user_name"] if user else ""
        return presented.user

    def authenticate(self, presented: Presented) -> Session:
        """The session of what was presented. Raises PlatformError 401."""
        if presented.scheme == "basic":
            session = self._basic(presented.user, presented.secret)
        elif presented.scheme == "bearer":
            session = self._bearer(presented.secret)
        elif presented.scheme == "api_key":
            session = self._key(presented.secret)
        else:
            session = None
        if session is None:
            raise self.refusal()
        return session

    def refusal(self) -> PlatformError:
        """The 401, in the words of the instance's release."""
        message = release(self._instance.release).unauthenticated
        return PlatformError(401, message, "Required to provide Auth information", CHALLENGE)

    def prove(self, user_name: str, password: str) -> Mapping[str, str] | None:
        """The user row when name and password are right and the account may log in; else None.

        Counts failures and locks the account at the limit.
        """
        user = self._instance.database.first("sys_user", user_name=user_name) if user_name else None
        if user is None:
            return None
        if not self._passwords.match(user["user_password"], password):
            self._failed(user)
            return None
        if not self.may_log_in(user):
            return None
        if user["failed_attempts"] not in ("", "0"):
            self._instance.database.update("sys_user", user["sys_id"], {"failed_attempts": "0"}, system=False)
        return user

    def may_log_in(self, user: Mapping[str, str], *, minting: bool = False) -> bool:
        """Active, not locked, and no password change outstanding that matters.

        An outstanding change blocks minting tokens always, other calls only with the hardening property
        (ServiceNow docs: enforce password reset on API requests).
        """
        if user["active"] == "false" or user["locked_out"] == "true":
            return False
        if user["password_needs_reset"] != "true":  # noqa: S105
            return True
        mandatory = self._instance.property("glide.authenticate.api.user.reset_password.mandatory", "false")
        return not minting and mandatory != "true"

    def session(self, user: Mapping[str, str], scheme: str, client: str = "") -> Session:
        """A session of the user with its roles of the moment."""
        self._forget_stale()
        key = (user["sys_id"], scheme, client)
        if key not in self._sessions:
            self._sessions[key] = self._load(user, scheme, client)
        return self._sessions[key]

    def resume(self) -> None:
        """Takes up the unlocks that are still to come, after a start or a restore."""
        if self._instance.dictionary.table("sys_user") is None:
            return
        for user in self._instance.database.find("sys_user", locked_out="true"):
            if int(user["failed_attempts"] or 0) >= self._limit():
                self._unlock_later(user["sys_id"], user["sys_updated_on"])

    def _basic(self, user_name: str, password: str) -> Session | None:
        user = self.prove(user_name, password)
        if user is None:
            return None
        session = self.session(user, "basic")
        properties = self._instance.properties
        mode = restriction.mode(properties)
        if mode == "off" or restriction.exempt(user, session.roles, properties):
            return session
        if mode == "enforce":
            return None
        restriction.track(self._instance, user)
        return session

    def _bearer(self, secret: str) -> Session | None:
        token = self.tokens.find(secret)
        if token is None or token.kind != "access" or not self.tokens.on:
            return None
        user = self._instance.database.get("sys_user", token.user)
        if user is None or not self.may_log_in(user):
            return None
        return self.session(user, token.scheme, token.client)

    def _key(self, secret: str) -> Session | None:
        key = self.keys.good(secret)
        user = self._instance.database.get("sys_user", key["user"]) if key else None
        if key is None or user is None or not self.may_log_in(user):
            return None
        # A key whose scopes are asked is the client of its session.
        scoped = self._instance.settings.get("api_key_scope") == "asked"
        return self.session(user, "api_key", key["sys_id"] if scoped else "")

    def _load(self, user: Mapping[str, str], scheme: str, client: str) -> Session:
        held = self._instance.database.execute(ROLES, (user["sys_id"],)).fetchall()
        default = self._instance.property("glide.sys.default.tz", "US/Pacific")
        return Session(
            user=user,
            roles=frozenset(name for name, _ in held),
            explicit_roles=frozenset(name for name, inherited in held if inherited != "true"),
            scheme=scheme,
            time_zone=user["time_zone"] or default,
            client=client,
        )

    def _forget_stale(self) -> None:
        revision = self._instance.database.revision(*SOURCES)
        if revision != self._revision:
            self._sessions.clear()
            self._revision = revision

    def _failed(self, user: Mapping[str, str]) -> None:
        if user["locked_out"] == "true":
            return
        attempts = int(user["failed_attempts"] or 0) + 1
        changes = {"failed_attempts": str(attempts)}
        if attempts >= self._limit():
            changes["locked_out"] = "true"
        now = self._instance.clock.text()
        # Stamped, so that the moment of locking outlives a restart.
        self._instance.database.update(
            "sys_user", user["sys_id"], {**changes, "sys_updated_on": now}, system=False
        )
        if "locked_out" in changes:
            self._unlock_later(user["sys_id"], now)

    def _limit(self) -> int:
        return int(self._instance.number("glide.user.max_unlock_attempts", 5))

    def _unlock_later(self, sys_id: str, since: str) -> None:
        minutes = min(self._instance.number("glide.user.unlock_timeout_in_mins", 15), 10**9)
        self._instance.clock.at(parse(since) + timedelta(minutes=minutes), lambda: self._unlock(sys_id))

    def _unlock(self, sys_id: str) -> None:
        user = self._instance.database.get("sys_user", sys_id)
        if user and user["locked_out"] == "true" and int(user["failed_attempts"] or 0) >= self._limit():
            fresh = {"locked_out": "false", "failed_attempts": "0"}
            self._instance.database.update("sys_user", sys_id, fresh, system=False)
