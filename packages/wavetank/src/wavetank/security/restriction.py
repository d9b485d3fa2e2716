"""The restriction of Basic authentication (ServiceNow docs: Basic authentication restriction).

Interactive accounts may not use Basic authentication on the APIs any more. An upgraded instance only
tracks who still does; a new one refuses, another from its enforcement date on. The refusal looks exactly
like a wrong password; only the system log tells.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wavetank.errors import write_refused
from wavetank.security import roles
from wavetank.security.names import listed

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change
    from wavetank.database.store import Row
    from wavetank.instance import Instance
    from wavetank.security.who import Session

FAMILY = "glide.authenticate.basic_auth."
ACTIVE = FAMILY + "restriction.active"
ENFORCE = FAMILY + "restriction.enforce"
DATE = FAMILY + "restriction.enforcement_date"
DECISION = FAMILY + "restriction.default_decision"
EXCEPTIONS = "sys_user_basic_auth_exception"
ROLE = "snc_basic_auth_api_access"
MODES = {"off": ("false", "false"), "track": ("true", "false"), "enforce": ("true", "true")}
# The decisions by what the property with the default one may call them.
DECISIONS = {
    "maintain current login": "grant",
    "revoke basic auth api login": "no_grant",
    "revoke": "no_grant",
    "convert to web service access only": "converted",
}
_LOGGED_BY = "SNCRestrictBasicAuthUserAuthenticationGate"


def mode(properties: Mapping[str, str], now: str = "") -> str:
    """off, track or enforce, as the instance's properties say; until the enforcement date it only tracks.

    Without `now`, a moment as the platform writes it, the date is left out of account.
    """
    if properties.get(ACTIVE, "true") != "true":
        return "off"
    if properties.get(ENFORCE, "false") != "true":
        return "track"
    return "track" if now and properties.get(DATE, "") > now else "enforce"


def set_mode(instance: "Instance", wanted: str) -> None:
    """Writes the properties that mean this mode."""
    for name, value in zip((ACTIVE, ENFORCE), MODES[wanted], strict=True):
        instance.set_property(name, value)


def start(instance: "Instance") -> None:
    """Carries out what was decided of tracked accounts, once the enforcement date has come."""
    properties, now = instance.properties, instance.clock.text()
    due = properties.get(DATE, "") and mode(properties, now) == "enforce"
    if not due or instance.dictionary.table(EXCEPTIONS) is None:
        return
    for row in instance.database.find(EXCEPTIONS, action_taken="false"):
        _carry_out(instance, row)


def admits(instance: "Instance", session: "Session", *, code: bool) -> bool:
    """Whether a caller whose password was right may come in by it; notes and logs those who should not.

    `code` says that a one-time code came along.
    """
    properties = instance.properties
    now = mode(properties, instance.clock.text())
    if now == "off" or code or exempt(session.user, session.roles, properties):
        return True
    if now == "track":
        track(instance, session.user)
        return True
    message = (
        f"denied basic-auth API call for interactive-login user [{session.user_name}] under enforce=true"
    )
    instance.database.insert(
        "syslog", {"level": "1", "source": _LOGGED_BY, "message": f"{_LOGGED_BY}: {message}"}
    )
    return False


def exempt(user: Mapping[str, str], held: frozenset[str], properties: Mapping[str, str]) -> bool:
    """Whether the account may use Basic authentication even where the restriction is enforced.

    Roles count only when held: what admin merely implies does not help.
    """
    if properties.get(FAMILY + "allow_wsao", "true") == "true" and user["web_service_access_only"] == "true":
        return True
    allowed = listed(properties.get(FAMILY + "allowed_roles", ROLE))
    if properties.get(FAMILY + "allow_snc_external", "true") == "true":
        allowed |= {"snc_external"}
    return bool(allowed & held) or user["sys_id"] in listed(properties.get(FAMILY + "allowed_users", ""))


def track(instance: "Instance", user: Mapping[str, str]) -> None:
    """Notes that an interactive account used Basic authentication, at most once a minute."""
    database = instance.database
    if instance.dictionary.table(EXCEPTIONS) is None:
        return
    now = instance.clock.text()
    row = database.first(EXCEPTIONS, user=user["sys_id"])
    if row is None:
        fresh = {"user": user["sys_id"], "decision": "global", "last_seen": now, "usage_count": "1"}
        database.insert(EXCEPTIONS, {**fresh, "action_taken": "false"})
    elif row["last_seen"][:16] != now[:16]:
        count = str(int(row["usage_count"] or 0) + 1)
        database.update(EXCEPTIONS, row["sys_id"], {"last_seen": now, "usage_count": count})


def decided(change: "Change") -> None:
    """A decision on an account takes effect at once where the restriction is enforced, else at its start."""
    instance = change.instance
    if change.changes("decision") and mode(instance.properties, instance.clock.text()) == "enforce":
        _carry_out(instance, change.row)


def may_see(instance: "Instance", session: "Session") -> bool:
    """Whether a caller may look at the noted accounts: admins have to raise their session first."""
    return instance.settings.get("elevation") != "required" or session.elevated


def guarded(change: "Change") -> None:
    """The restriction's properties are written by an elevated session only, as on their page."""
    named = {change.row["name"], change.before("name")}
    if change.who is None or not any(name.startswith(FAMILY) for name in named):
        return
    if not may_see(change.instance, change.who):
        raise write_refused(change.operation)


def _carry_out(instance: "Instance", row: "Row") -> None:
    database, decision = instance.database, row["decision"]
    if decision == "global":
        said = instance.property(DECISION, "Maintain current login")
        decision = DECISIONS.get(said.strip().lower(), said)
    role = database.first("sys_user_role", name=ROLE)
    if decision == "converted":
        database.update("sys_user", row["user"], {"web_service_access_only": "true"})
    elif role is not None and decision in ("grant", "no_grant"):
        held = database.first("sys_user_has_role", user=row["user"], role=role["sys_id"])
        if decision == "grant" and held is None:
            grant = {"user": row["user"], "role": role["sys_id"], "inherited": "false", "state": "active"}
            database.insert("sys_user_has_role", grant)
        elif decision == "no_grant" and held is not None and held["inherited"] != "true":
            database.delete("sys_user_has_role", held["sys_id"])
        roles.rebuild(instance, [row["user"]])
    database.update(EXCEPTIONS, row["sys_id"], {"action_taken": "true"}, system=False)
