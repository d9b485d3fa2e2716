"""Why an API key was refused: read, from the plugin to the mapping, with the administrator's eyes.

The platform answers every one of these with the same 401 (ServiceNow docs: Configure API key; Create REST
API access policy).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from linkspan.connection import Connection
from linkspan.connection.auth.api_key import HEADER
from linkspan.core import clock, query
from linkspan.core.check import Cause
from linkspan.preflight.context import Context
from linkspan.schema.api_keys import availability

_UNAVAILABLE = {"inactive": "plugin_inactive", "too_old": "release_too_old", "absent": "plugin_missing"}
_PATH = "now/table"
_EVERYTHING = ("apply_all_methods", "apply_all_versions", "apply_all_resources", "apply_all_tables")
_MOST = 200


def guesses(context: Context) -> list[Cause]:
    """Without anybody's eyes: what it can be, likeliest first."""
    names = ("wrong_api_key", "api_key_inactive", "api_key_expired", "inactive", "policy_not_mapped")
    return [context.cause(name, "possible") for name in names]


def causes(context: Context, admin: Connection) -> list[Cause]:
    """Most probable first, never empty."""
    found = availability(admin)
    if found.state in _UNAVAILABLE:
        return [context.cause(_UNAVAILABLE[found.state], release=found.release)]
    user = admin.table.first(
        "sys_user",
        query.term("user_name", "=", context.account.user_name),
        ("sys_id", "active", "locked_out"),
    )
    if user is None:
        return [context.cause("user_missing")]
    known = [*_of_user(context, user), *_of_keys(context, admin, str(user["sys_id"]))]
    known += _of_policies(context, admin)
    return known or [context.cause("wrong_api_key", "likely")]


def _of_user(context: Context, user: dict[str, Any]) -> list[Cause]:
    found = []
    if user.get("active") == "false":
        found.append(context.cause("inactive"))
    if user.get("locked_out") == "true":
        found.append(context.cause("locked_out"))
    return found


def _of_keys(context: Context, admin: Connection, user: str) -> list[Cause]:
    """Of the key that is in use: the oldest that we know, or any of the user's."""
    fields = ("name", "active", "expires")
    rows = admin.table.page("api_key", query=query.term("user", "=", user), fields=fields, limit=_MOST).rows
    ours = [row for name in context.api_keys[:1] for row in rows if row.get("name") == name]
    judged = ours or ([] if context.api_keys else rows)
    if not judged:
        return [context.cause("api_key_missing")]
    reasons = [_reason(row) for row in judged]
    if not all(reasons):
        return []  # one of them is good, and which one the token belongs to nobody can tell
    return [
        context.cause(id, key=str(row.get("name", "")), until=str(row.get("expires", "")))
        for id, row in zip(reasons, judged, strict=True)
    ]


def _reason(key: dict[str, Any]) -> str:
    if str(key.get("active")) == "false":
        return "api_key_inactive"
    now = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S")
    return "api_key_expired" if "" < str(key.get("expires") or "") <= now else ""


def _of_policies(context: Context, admin: Connection) -> list[Cause]:
    fields = ("sys_id", "name", "active", *_EVERYTHING)
    rows = admin.table.page(
        "sys_api_access_policy", query=query.term("api_path", "=", _PATH), fields=fields, limit=_MOST
    ).rows
    active = [row for row in rows if row.get("active") == "true"]
    if not active:
        asleep = ", ".join(str(row.get("name")) for row in rows)
        return [context.cause("policy_missing", detail=f"inactive: {asleep}" if asleep else "there is none")]
    profiles = {str(row["sys_id"]): _key_profiles(admin, str(row["sys_id"])) for row in active}
    found = [
        context.cause("policy_not_mapped", policy=str(row.get("name")))
        for row in active
        if not profiles[str(row["sys_id"])]
    ]
    for row in active:
        found += _of_profiles(context, admin, str(row.get("name")), profiles[str(row["sys_id"])])
    if not found and all(_narrow(row) for row in active):
        found = [
            context.cause("policy_narrow", "likely", policy=str(row.get("name")), detail=_narrow(row))
            for row in active
        ]
    return found


def _narrow(policy: dict[str, Any]) -> str:
    return ", ".join(name for name in _EVERYTHING if policy.get(name) == "false")


def _key_profiles(admin: Connection, policy: str) -> list[dict[str, Any]]:
    """The API key profiles that a policy maps."""
    mapped = admin.table.page(
        "sys_auth_profile_mapping",
        query=query.term("api_access_policy", "=", policy),
        fields=("inbound_auth_profile",),
        limit=_MOST,
    ).rows
    profiles = [str(row.get("inbound_auth_profile") or "") for row in mapped]
    if not any(profiles):
        return []
    fields = ("name", "active", "auth_parameter")
    return admin.table.page(
        "http_key_auth", query=query.one_of("sys_id", profiles), fields=fields, limit=_MOST
    ).rows


def _of_profiles(
    context: Context, admin: Connection, policy: str, profiles: Sequence[dict[str, Any]]
) -> list[Cause]:
    """Of a policy's key profiles, unless one of them is good."""
    found = []
    for profile in profiles:
        name = str(profile.get("name", ""))
        if profile.get("active") == "false":
            found.append(context.cause("auth_profile_inactive", profile=name, policy=policy))
        elif not _takes_our_header(admin, str(profile.get("auth_parameter") or "")):
            found.append(context.cause("wrong_auth_parameter", profile=name, policy=policy))
        else:
            return []
    return found


def _takes_our_header(admin: Connection, parameter: str) -> bool:
    if not parameter:
        return False
    row = admin.table.get("sys_token_auth_parameter", parameter, fields=("parameter_name", "type")) or {}
    name, kind = str(row.get("parameter_name", "")), str(row.get("type", ""))
    return name.lower() == HEADER and kind == "auth_header"
