"""Who is asking: from what a request presents to a Session, or to the one 401 that tells nothing.

Unknown user, wrong password, locked, inactive, restricted: the platform answers all of them with the
same status and body (measured on developer instances), and so does this module.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from wavetank.errors import PlatformError
from wavetank.releases import release
from wavetank.security import explicit_roles, one_time, restriction, signatures, time_limited
from wavetank.security.codes import Codes
from wavetank.security.credentials import Presented
from wavetank.security.keys import Keys
from wavetank.security.lockout import Lockout
from wavetank.security.passwords import Passwords
from wavetank.security.policies import BASIC
from wavetank.security.tokens import Tokens
from wavetank.security.who import Session

if TYPE_CHECKING:
    from wavetank.instance import Instance

CHALLENGE = {"WWW-Authenticate": BASIC}
# Whose rows decide about a session; a write to any of them ends every cached one.
SOURCES = ("sys_user", "sys_user_has_role", "sys_user_role", "sys_properties", "oauth_entity", "sys_plugins")
ROLES = """
SELECT r."name", h."inherited", r."elevated_privilege"
FROM "sys_user_has_role" h JOIN "sys_user_role" r ON r."sys_id" = h."role"
WHERE h."user" = ? AND h."state" IN ('active', '')
"""
# Whether roles that need elevation always do; security_admin always does
# (ServiceNow docs: Enforce strict elevate privilege).
STRICT = "glide.security.strict_elevate_privilege"
Held = list[tuple[str, str, str]]


def authenticate(instance: "Instance", presented: Presented) -> Session:
    """The session of what was presented. Raises PlatformError 401."""
    return instance.identity.authenticate(presented)


class Identity:
    """The users of one instance as callers."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._passwords = Passwords()
        self._sessions: dict[tuple[str, str, str], Session] = {}
        self._revision: tuple[object, ...] = ()
        self._cached: dict[str, tuple[str, Held]] = {}
        self.lockout = Lockout(instance)
        self.tokens = Tokens(instance)
        self.keys = Keys(instance)
        self.codes = Codes(instance)
        self.resume()

    def claimed(self, presented: Presented) -> str:
        """The user name a request claims, unproven; "" when it names none."""
        match presented.scheme:
            case "bearer":
                token = self.tokens.find(presented.secret)
                return token.user_name if token else ""
            case "api_key":
                key = self.keys.find(presented.secret)
                return self._name(key["user"]) if key else ""
            case "hmac":
                secret = signatures.find(self._instance, presented.user)
                return self._name(secret["user"]) if secret else ""
            case "certificate":
                return self._name(presented.user)
            case _:
                return presented.user

    def authenticate(self, presented: Presented) -> Session:
        """The session of what was presented. Raises PlatformError 401."""
        if presented.scheme == "basic":
            session = self._basic(presented.user, presented.secret)
        elif presented.scheme == "bearer":
            session = self._bearer(presented.secret)
        elif presented.scheme == "api_key":
            session = self._key(presented.secret)
        elif presented.scheme == "hmac":
            session = self._signed(presented)
        elif presented.scheme == "certificate":
            session = self._of(presented.user, presented.scheme)
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
        if user is None or not self._passwords.match(user["user_password"], password):
            if user_name:
                self.lockout.failed(user_name, user)
            return None
        if not self.may_log_in(user):
            return None
        self.lockout.passed(user)
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
            explicit_roles.at_login(self._instance, user["sys_id"])
            self._sessions[key] = self._load(user, scheme, client)
        return self._sessions[key]

    def forget_roles(self) -> None:
        """Has every session that begins now read its roles again."""
        self._sessions.clear()

    def resume(self) -> None:
        """After a start or a restore: nothing is remembered, and what was to come still comes."""
        self._sessions.clear()
        self._cached.clear()
        self.lockout.resume()
        time_limited.resume(self._instance)

    def prove_for_integration(self, user_name: str, password: str) -> tuple[Mapping[str, str] | None, bool]:
        """As `prove`, for a caller that is no browser; and whether a one-time code came along.

        Who has paired an authenticator may append a code to the password. Where integrations must, a right
        password without a good one raises PlatformError 401, with a header that tells a wrong password apart.
        """
        instance = self._instance
        plain, code = self._parted(user_name, password)
        user = self.prove(user_name, plain)
        if user is None:
            return None, False
        passed = bool(code) and one_time.good(instance, user["sys_id"], code)
        asked = one_time.asked_of_integrations(instance) and one_time.enrolled(instance, user["sys_id"])
        if not passed and (code or asked):
            raise replace(self.refusal(), headers={**CHALLENGE, **one_time.CHALLENGE})
        return user, passed

    def _parted(self, user_name: str, password: str) -> tuple[str, str]:
        """Password and the code behind it; the whole is the password unless its user has codes."""
        if not user_name or not one_time.paired(self._instance):
            return password, ""
        user = self._instance.database.first("sys_user", user_name=user_name)
        if user is None or not one_time.enrolled(self._instance, user["sys_id"]):
            return password, ""
        whole = self._passwords.match(user["user_password"], password)
        return (password, "") if whole else one_time.parted(password)

    def _basic(self, user_name: str, password: str) -> Session | None:
        user, code = self.prove_for_integration(user_name, password)
        if user is None:
            return None
        restriction.start(self._instance)
        session = self.session(user, "basic")
        return session if restriction.admits(self._instance, session, code=code) else None

    def _signed(self, presented: Presented) -> Session | None:
        key, signature, body = presented.user, presented.secret, presented.signed
        row = signatures.good(self._instance, key, signature, body, presented.algorithm)
        return self._of(row["user"], presented.scheme) if row else None

    def _of(self, sys_id: str, scheme: str, client: str = "") -> Session | None:
        user = self._instance.database.get("sys_user", sys_id)
        return self.session(user, scheme, client) if user is not None and self.may_log_in(user) else None

    def _name(self, sys_id: str) -> str:
        user = self._instance.database.get("sys_user", sys_id)
        return user["user_name"] if user else ""

    def _bearer(self, secret: str) -> Session | None:
        token = self.tokens.find(secret)
        if token is None or token.kind != "access" or not self.tokens.on:
            return None
        return self._of(token.user, token.scheme, token.client)

    def _key(self, secret: str) -> Session | None:
        key = self.keys.good(secret)
        if key is None:
            return None
        # A key whose scopes are asked is the client of its session.
        scoped = self._instance.settings.get("api_key_scope") == "asked"
        return self._of(key["user"], "api_key", key["sys_id"] if scoped else "")

    def _load(self, user: Mapping[str, str], scheme: str, client: str) -> Session:
        held = self._held(user)
        borrowed = time_limited.held(self._instance, user["sys_id"])
        own = frozenset(name for name, _, _ in held)
        elevatable = self._elevatable(held)
        default = self._instance.property("glide.sys.default.tz", "US/Pacific")
        return Session(
            user=user,
            roles=(own | borrowed) - elevatable,
            explicit_roles=frozenset(name for name, inherited, _ in held if inherited != "true"),
            scheme=scheme,
            time_zone=user["time_zone"] or default,
            client=client,
            elevatable=elevatable,
            borrowed=borrowed - own,
        )

    def _held(self, user: Mapping[str, str]) -> Held:
        """The user's rows of roles: those of now, or those of when the user's own row was last written."""
        read = self._instance.database.execute(ROLES, (user["sys_id"],)).fetchall
        if self._instance.settings.get("role_cache") != "touch":
            return read()
        stamp = f"{user['sys_mod_count']} {user['sys_updated_on']}"
        known = self._cached.get(user["sys_id"])
        if known is None or known[0] != stamp:
            known = self._cached[user["sys_id"]] = (stamp, read())
        return known[1]

    def _elevatable(self, held: Held) -> frozenset[str]:
        """The roles that count only in a session that was raised."""
        if self._instance.settings.get("elevation") == "off":
            return frozenset()
        strict = self._instance.property(STRICT, "true") == "true"
        return frozenset(
            name for name, _, elevated in held if name == "security_admin" or (strict and elevated == "true")
        )

    def _forget_stale(self) -> None:
        settings = self._instance.settings
        revision = (
            self._instance.database.revision(*SOURCES),
            settings.get("elevation"),
            settings.get("role_cache"),
        )
        if revision != self._revision:
            self._sessions.clear()
            self._revision = revision
