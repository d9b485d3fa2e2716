"""Sessions of people in the UI: opened by a login, carried by the JSESSIONID cookie, ended by time.

A session keeps the roles its user had at login; roles granted or taken later show only in the next one
(ServiceNow docs: Assign a role to a user). REST calls may ride on it with the cookie and the session's
token in X-UserToken. Sessions live in memory: a restart ends them all.
"""

import hmac
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from wavetank.security import one_time, time_limited
from wavetank.security.who import Session

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change
    from wavetank.errors import PlatformError
    from wavetank.instance import Instance

COOKIE = "JSESSIONID"
TIMEOUT = "glide.ui.session_timeout"
TOKEN_ENDS = "glide.authenticate.oauth.post.token.expiration.cookie_auth.disabled"  # noqa: S105  a property
# Sessions that API calls open (ServiceNow docs: Integration sessions).
CALLS_TIMEOUT = "glide.integration.session_timeout"
# How many minutes a session lasts however much it is used, where the first of these is true; 0 is for ever.
ENDS_ACTIVE = "glide.active.session.timeout.invalidate.session"
LIFE, CALLS_LIFE = "glide.ui.active.session.life_span", "glide.integrations.active.session.life_span"
_MANY = 1000  # open sessions, from which on those that are over are looked for
DEFAULT, LONGEST = 30, 1440  # minutes; a longer timeout counts as one day
SWEPT = 60  # seconds
ELEVATED_ROLE = "security_admin"
SAFE = frozenset({"GET", "HEAD"})
_PAST = "Max-Age=0; Expires=Thu, 01-Jan-1970 00:00:10 GMT; Path=/; HttpOnly"
# What the JSON login says to somebody whose password was right (ServiceNow's command line tool looks for it).
CODE_REQUIRED = "mfa_code_required"
_INVALID = "User name or password invalid"


class LoginRefused(Exception):
    """A login that opens no session. `status` is the word the JSON login answers with."""

    def __init__(self, message: str, status: str = "error") -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class UiSession:
    """One open session: its cookie value, its token, who it is, and when it was last used (seconds).

    `bound` is the record (a sys_id) of the access token it came with, "" for a login; `calls` says that an
    API call opened it. Such sessions are for REST calls only. `began` is in seconds too.
    """

    cookie: str
    token: str
    who: Session
    used: float
    bound: str = ""
    calls: bool = False
    began: float = math.inf

    @property
    def of_person(self) -> bool:
        return not self.bound and not self.calls

    def proves(self, token: str) -> bool:
        """Whether a presented token is this session's."""
        return hmac.compare_digest(token.encode(), self.token.encode())


class Sessions:
    """The open UI sessions of one instance. The caller holds the instance's lock."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._open: dict[str, UiSession] = {}
        self._bound: dict[str, UiSession] = {}
        self._swept = 0.0

    def log_in(self, user_name: str, password: str, code: str = "") -> UiSession:
        """A new session of the user. Raises LoginRefused.

        Refused are all who could not authenticate at all, accounts for web services only (ServiceNow docs:
        Create a user), and who has paired an authenticator and brings no good code. Only this, and no API
        call, stamps the last login.
        """
        instance = self._instance
        user = instance.identity.prove(user_name, password)
        if user is None or user["web_service_access_only"] == "true":
            raise LoginRefused(_INVALID)
        if user["password_needs_reset"] == "true":  # noqa: S105
            raise LoginRefused("The password must be changed first, and this login page cannot do that")
        self._ask_code(user, code)
        now = instance.clock.text()
        stamps = {"last_login": now[:10], "last_login_time": now} if instance.identity.lockout.clears else {}
        if stamps:
            instance.database.update("sys_user", user["sys_id"], stamps, system=False)
        self._sweep()
        who = instance.identity.session({**user, **stamps}, "session")
        return self._begin(who)

    def bind(self, who: Session, token: str) -> UiSession:
        """The session that comes with an access token (the sys_id of its record), the same each time.

        ServiceNow docs: Invalidate session after OAuth token expiration.
        """
        held = self._used(self._bound.get(token))
        if held is None:
            self._sweep()
            held = self._bound[token] = self._begin(who, token)
        return held

    def of_person(self, headers: Mapping[bytes, bytes]) -> UiSession | None:
        """As `find`, but only a session that somebody logged in to."""
        held = self.find(headers)
        return held if held is not None and held.of_person else None

    def carry(self, who: Session, headers: Mapping[bytes, bytes]) -> tuple[Session, str]:
        """Who an API call with credentials is, and the cookie of the session it opens; "" when it opens none.

        Where the setting `api_sessions` keeps them, a call that brings the cookie of an earlier one goes on
        in its session, with the roles its user had then.
        """
        if self._instance.settings.get("api_sessions") != "kept" or who.scheme == "guest":
            return who, ""
        held = self.find(headers)
        if held is not None and held.calls and (held.who.sys_id, held.who.client) == (who.sys_id, who.client):
            return replace(held.who, scheme=who.scheme), ""
        if len(self._open) >= _MANY:
            self._sweep()
        return who, self._begin(who, calls=True).cookie

    def _begin(self, who: Session, bound: str = "", *, calls: bool = False) -> UiSession:
        now = self._instance.clock.seconds()
        cookie, token = secrets.token_hex(16).upper(), secrets.token_hex(36)
        held = self._open[cookie] = UiSession(cookie, token, who, now, bound, calls, now)
        return held

    def _ask_code(self, user: Mapping[str, str], code: str) -> None:
        """Raises LoginRefused for somebody who must prove more than the password and does not."""
        instance = self._instance
        wanted = user["enable_multifactor_authn"] == "true" or one_time.enrolled(instance, user["sys_id"])
        if not wanted or instance.property(one_time.ON, "true") != "true":
            return
        if not code:
            raise LoginRefused("A verification code is required", CODE_REQUIRED)
        if not one_time.good(instance, user["sys_id"], code):
            raise LoginRefused("Your 6-digit verification code is incorrect", CODE_REQUIRED)

    def find(self, headers: Mapping[bytes, bytes]) -> UiSession | None:
        """The session a request's cookie names, used once more; None when there is none or it is over."""
        return self._used(self._open.get(cookie_value(headers)))

    def admit(self, held: UiSession, method: str, headers: Mapping[bytes, bytes]) -> Session:
        """Who a REST call on this session is. Raises PlatformError 401, which tells the right token."""
        reads = held.of_person and self._instance.settings.get("session_token") == "all"
        asked = method not in SAFE or reads
        if asked and not held.proves(headers.get(b"x-usertoken", b"").decode("latin-1")):
            raise self.token_refusal(held)
        return held.who

    def token_refusal(self, held: UiSession) -> "PlatformError":
        """The 401 of a call without the session's token; X-UserToken-Response gives it."""
        refusal = self._instance.identity.refusal()
        return replace(refusal, headers={**refusal.headers, "X-UserToken-Response": held.token})

    def elevate(self, held: UiSession, *, on: bool) -> bool:
        """Raises the session to security_admin, or lowers it; False when its user does not hold the role."""
        if on and ELEVATED_ROLE not in held.who.roles | held.who.elevatable:
            return False
        held.who = held.who.raised(on=on)
        return True

    def end(self, held: UiSession) -> None:
        self._open.pop(held.cookie, None)
        self._bound.pop(held.bound, None)

    def end_all(self, user: str | None = None) -> None:
        """Ends every session, or those of one user (a sys_id)."""
        for held in list(self._open.values()):
            if user in (None, held.who.sys_id):
                self.end(held)

    def retake(self, user: str) -> None:
        """Takes from the sessions of a user (a sys_id) the roles that were lent to it and are due."""
        for held in self._open.values():
            if held.who.sys_id == user:
                held.who = held.who.returned(time_limited.held(self._instance, user))

    def _used(self, held: UiSession | None) -> UiSession | None:
        """The session, used once more; None when there is none or it is over."""
        if held is None:
            return None
        if self._over(held):
            self.end(held)
            return None
        held.used = self._instance.clock.seconds()
        return held

    def _over(self, held: UiSession) -> bool:
        """Unused for too long, of a token that is over, or of a user who is gone or locked.

        Failed logins lock past every rule.
        """
        now = self._instance.clock.seconds()
        if now - held.used >= self._seconds(held) or now - held.began >= self._life(held):
            return True
        ends = self._instance.property(TOKEN_ENDS, "false") == "true"
        if held.bound and ends and not self._instance.identity.tokens.runs(held.bound):
            return True
        user = self._instance.database.get("sys_user", held.who.sys_id)
        return user is None or user["locked_out"] == "true"

    def _seconds(self, held: UiSession) -> float:
        """How long a session may be unused; those of calls have a property of their own, if it is set."""
        names = (TIMEOUT,) if held.of_person else (CALLS_TIMEOUT, TIMEOUT)
        texts = (self._instance.property(name) for name in names)
        minutes = next((int(text) for text in texts if text.isdecimal() and int(text)), DEFAULT)
        return 60.0 * min(minutes, LONGEST)

    def _life(self, held: UiSession) -> float:
        """How long a session may last at all."""
        if self._instance.property(ENDS_ACTIVE, "false") != "true":
            return math.inf
        minutes = self._instance.number(LIFE if held.of_person else CALLS_LIFE, 0)
        return 60 * minutes or math.inf

    def _sweep(self) -> None:
        """Forgets the sessions that are over, once in a while: looking at all of them takes its time."""
        now = self._instance.clock.seconds()
        if abs(now - self._swept) < SWEPT:
            return
        self._swept = now
        for held in list(self._open.values()):
            if self._over(held):
                self.end(held)


def log_out(change: "Change") -> None:
    """Locking a user out, or deactivating, ends the user's sessions at once."""
    if change.changes_to("locked_out", "true") or change.changes_to("active", "false"):
        change.instance.sessions.end_all(change.row["sys_id"])


def cookie_value(headers: Mapping[bytes, bytes]) -> str:
    """The JSESSIONID a request carries; "" when it carries none."""
    raw = headers.get(b"cookie", b"")
    if b"JSESSIONID=" not in raw:
        return ""
    try:
        found = SimpleCookie(raw.decode("latin-1")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def cookies(instance: "Instance", session: str, *, secure: bool) -> list[str]:
    """The cookies that begin a session: names and shapes as recorded, values our own."""
    ids = instance.ids
    tail = "; Path=/; HttpOnly" + ("; SameSite=None; Secure" if secure else "")
    node = ids.hex(32)
    return [
        f"glide_user=; {_PAST}",
        f"glide_user_session=; {_PAST}",
        f"{COOKIE}={session}{tail}",
        f"glide_user_route=glide.{node}; Max-Age=2147483647{tail}",
        f"glide_node_id_for_js={node}; Max-Age=2147483647{tail}",
        f"glide_session_store={ids.hex(32).upper()}; Max-Age=1800{tail}",
        f"BIGipServerpool_{instance.name}={ids.hex(32)}{tail}",
    ]


def gone() -> str:
    """The cookie that makes a browser forget its session."""
    return f"{COOKIE}=; {_PAST}"
