"""The restriction of Basic authentication (ServiceNow docs: Basic authentication restriction).

Interactive accounts may not use Basic authentication on the APIs any more. An upgraded instance only
tracks who still does; a new one refuses. The refusal looks exactly like a wrong password.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavetank.instance import Instance

FAMILY = "glide.authenticate.basic_auth."
ACTIVE = FAMILY + "restriction.active"
ENFORCE = FAMILY + "restriction.enforce"
EXCEPTIONS = "sys_user_basic_auth_exception"
MODES = {"off": ("false", "false"), "track": ("true", "false"), "enforce": ("true", "true")}


def mode(properties: Mapping[str, str]) -> str:
    """off, track or enforce, as the instance's properties say."""
    if properties.get(ACTIVE, "true") != "true":
        return "off"
    return "enforce" if properties.get(ENFORCE, "false") == "true" else "track"


def set_mode(instance: "Instance", wanted: str) -> None:
    """Writes the properties that mean this mode."""
    for name, value in zip((ACTIVE, ENFORCE), MODES[wanted], strict=True):
        instance.set_property(name, value)


def exempt(user: Mapping[str, str], roles: frozenset[str], properties: Mapping[str, str]) -> bool:
    """Whether the account may use Basic authentication even where the restriction is enforced.

    Roles count only when held: what admin merely implies does not help.
    """
    if properties.get(FAMILY + "allow_wsao", "true") == "true" and user["web_service_access_only"] == "true":
        return True
    allowed = _names(properties.get(FAMILY + "allowed_roles", "snc_basic_auth_api_access"))
    if properties.get(FAMILY + "allow_snc_external", "true") == "true":
        allowed |= {"snc_external"}
    return bool(allowed & roles) or user["sys_id"] in _names(properties.get(FAMILY + "allowed_users", ""))


def track(instance: "Instance", user: Mapping[str, str]) -> None:
    """Notes that an interactive account used Basic authentication, at most once a minute."""
    database = instance.database
    if instance.dictionary.table(EXCEPTIONS) is None:
        return
    now = instance.clock.text()
    row = database.first(EXCEPTIONS, user=user["sys_id"])
    if row is None:
        fresh = {"user": user["sys_id"], "decision": "global", "last_seen": now, "usage_count": "1"}
        database.insert(EXCEPTIONS, fresh)
    elif row["last_seen"][:16] != now[:16]:
        count = str(int(row["usage_count"] or 0) + 1)
        database.update(EXCEPTIONS, row["sys_id"], {"last_seen": now, "usage_count": count})


def _names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}
