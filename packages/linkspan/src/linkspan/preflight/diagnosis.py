"""Why a login was refused. The platform answers every reason alike, so the difference is read with
the administrator's eyes; without an administrator the possible causes are listed, likeliest first.

Reads only, and no second login: a doctor that tries again locks accounts.
"""

from __future__ import annotations

from typing import Any

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.check import Cause
from linkspan.core.errors import LinkspanError, NotAuthenticated
from linkspan.preflight import refused_key
from linkspan.preflight.context import Context

_PROPERTIES = {
    "restriction": "glide.authenticate.basic_auth.restriction.active",
    "enforce": "glide.authenticate.basic_auth.restriction.enforce",
    "allow_wsao": "glide.authenticate.basic_auth.allow_wsao",
    "reset_mandatory": "glide.authenticate.api.user.reset_password.mandatory",
    "oauth": "com.snc.platform.security.oauth.is.active",
    "client_credentials": "glide.oauth.inbound.client.credential.grant_type.enabled",
    "ropc_disabled": "glide.oauth.inbound.ropc.grant_type.disabled",
}
_EXEMPT_ROLE = "snc_basic_auth_api_access"
_USER = (
    "sys_id",
    "user_name",
    "active",
    "locked_out",
    "password_needs_reset",
    "web_service_access_only",
    "user_password",
)
_CLIENT = ("sys_id", "client_id", "active", "user", "default_grant_type", "inbound_grant_type")


def of_refused_login(context: Context, error: NotAuthenticated) -> list[Cause]:
    """Causes of a refused login, most probable first; never empty."""
    if error.code in ("mfa_required", "api_key_spaces"):
        return [context.cause(error.code)]
    admin = context.admin()
    if admin is None:
        return [*_guesses(context), *_blindness(context, context.learned.admin_problem)]
    try:
        if context.account.scheme == "api_key":
            return refused_key.causes(context, admin)
        return _Privileged(context, admin).causes()
    except LinkspanError as problem:
        return [*_guesses(context), *_blindness(context, problem)]


def _blindness(context: Context, problem: LinkspanError | None) -> list[Cause]:
    """Why we cannot see more, when there is an administrator to see with."""
    if problem is None:
        return []
    id = "admin_login_refused" if isinstance(problem, NotAuthenticated) else "platform_error"
    return [context.cause(id, detail=problem.cause)]


def _guesses(context: Context) -> list[Cause]:
    if context.account.scheme == "api_key":
        return refused_key.guesses(context)
    names = {
        "basic": (
            "wrong_password",
            "basic_auth_restricted",
            "locked_out",
            "inactive",
            "password_stored_literal",
        ),
        "oauth_client": (
            "wrong_client_secret",
            "client_credentials_disabled",
            "oauth_user_missing",
            "wrong_client",
        ),
        "oauth_code": ("authorization_ended", "inactive", "locked_out", "wrong_client_secret"),
        "oauth_password": (
            "wrong_password",
            "wrong_client_secret",
            "locked_out",
            "ropc_disabled",
            "needs_reset",
        ),
    }
    return [
        context.cause(name, "possible") for name in names.get(context.account.scheme, ("wrong_password",))
    ]


class _Privileged:
    """The same questions, answered by reading what only an administrator sees."""

    def __init__(self, context: Context, admin: Connection) -> None:
        self._context = context
        self._admin = admin
        self._settings = self._read_settings()

    def causes(self) -> list[Cause]:
        scheme = self._context.account.scheme
        if scheme == "basic":
            return self._basic()
        client = self._client_causes()
        if client:
            return client
        if scheme == "oauth_code":
            return self._user_causes(basic=False) or [
                self._cause("authorization_ended", "likely"),
                self._cause("wrong_client_secret", "possible"),
            ]
        if scheme == "oauth_client":
            return self._user_causes(basic=False) or [self._cause("wrong_client_secret", "likely")]
        return self._user_causes(basic=False) or [
            self._cause("wrong_password", "likely"),
            self._cause("wrong_client_secret", "possible"),
        ]

    def _basic(self) -> list[Cause]:
        return self._user_causes(basic=True) or [
            self._cause("wrong_password", "likely"),
            self._cause("access_policy", "possible"),
        ]

    def _user_causes(self, *, basic: bool) -> list[Cause]:
        user = self._admin.table.first(
            "sys_user", query.term("user_name", "=", self._context.account.user_name), _USER
        )
        if user is None:
            return [self._cause("user_missing")]
        found: list[Cause] = []
        if not _true(user, "active", default=True):
            found.append(self._cause("inactive"))
        if _true(user, "locked_out"):
            found.append(self._cause("locked_out"))
        if _true(user, "password_needs_reset") and (not basic or self._on("reset_mandatory")):
            found.append(self._cause("needs_reset"))
        if basic and self._restricted(user):
            found.append(self._cause("basic_auth_restricted"))
        if self._context.account.scheme != "oauth_client":
            found += self._stored_literally(user)
        return found

    def _restricted(self, user: dict[str, Any]) -> bool:
        """Enforced, and neither web service access only nor the role granted explicitly."""
        if not (self._on("restriction", default=True) and self._on("enforce")):
            return False
        if _true(user, "web_service_access_only") and self._on("allow_wsao", default=True):
            return False
        granted = self._admin.table.first(
            "sys_user_has_role",
            query.all_of(query.term("user", "=", user["sys_id"]), query.term("role.name", "=", _EXEMPT_ROLE)),
            ("sys_id",),
        )
        return granted is None

    def _stored_literally(self, user: dict[str, Any]) -> list[Cause]:
        """A hash never equals the password nor has its length; text kept as typed does
        (measured on a developer instance)."""
        password, kept = self._context.password() or "", str(user.get("user_password") or "")
        if not password or not kept.strip("*"):
            return []
        if kept == password:
            return [self._cause("password_stored_literal")]
        return [self._cause("password_stored_literal", "likely")] if len(kept) == len(password) else []

    def _client_causes(self) -> list[Cause]:
        scheme = self._context.account.scheme
        if not self._on("oauth", default=True):
            return [self._cause("oauth_inactive")]
        if scheme == "oauth_client" and not self._on("client_credentials"):
            return [self._cause("client_credentials_disabled")]
        if scheme == "oauth_password" and self._on("ropc_disabled"):
            return [self._cause("ropc_disabled")]
        client = self._admin.table.first(
            "oauth_entity", query.term("client_id", "=", self._context.client_id() or ""), _CLIENT
        )
        if client is None or not client.get("client_id"):
            return [self._cause("wrong_client")]
        found: list[Cause] = []
        if not _true(client, "active", default=True):
            found.append(self._cause("oauth_application_inactive"))
        if scheme == "oauth_client" and "user" in client and not client["user"]:
            found.append(self._cause("oauth_user_missing"))
        if scheme == "oauth_client" and client.get("inbound_grant_type") not in (
            None,
            "",
            "client_credential",
            "multiple",
        ):
            found.append(self._cause("oauth_wrong_grant"))
        return found

    def _cause(self, id: str, certainty: Any = "certain") -> Cause:
        return self._context.cause(id, certainty)

    def _read_settings(self) -> dict[str, str]:
        rows = self._admin.table.page(
            "sys_properties",
            query=query.one_of("name", _PROPERTIES.values()),
            fields=("name", "value"),
            limit=50,
        ).rows
        return {str(row.get("name")): str(row.get("value", "")) for row in rows}

    def _on(self, short: str, *, default: bool = False) -> bool:
        value = self._settings.get(_PROPERTIES[short], "").strip().lower()
        return default if value == "" else value == "true"


def _true(row: dict[str, Any], field: str, *, default: bool = False) -> bool:
    value = str(row.get(field, "")).strip().lower()
    return default if value == "" else value in ("true", "1")
