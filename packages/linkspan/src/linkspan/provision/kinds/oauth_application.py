"""The OAuth application (application registry) through which the account gets its tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from linkspan.connection import Connection
from linkspan.provision.credentials import Credentials
from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Ref, Value, Wanted


class OAuthApplication(Kind):
    """``oauth_entity``. We choose the client secret: the Table API only returns it encrypted
    (measured on a developer instance). Broadly scoped, because a narrower one is refused on every
    API without an auth scope (ServiceNow docs: REST API auth scope)."""

    name = "oauth_application"
    table = "oauth_entity"
    optional = frozenset(
        {
            "inbound_grant_type",
            "client_type",
            "scope_restriction_status",
            "send_client_credentials_as",
            "comments",
            "use_pkce",
        }
    )
    booleans = frozenset({"active", "use_pkce"})

    watched = ("client_id",)

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if not intent.uses_client:
            return
        user = Ref("user", intent.user_name)
        fields: dict[str, Value] = {
            "type": "client",
            "active": "true",
            "token_format": "opaque",
            "scope_restriction_status": "unrestricted",
            "send_client_credentials_as": "request_body_parameter",
            "access_token_lifespan": "1800",
            "comments": intent.mark,
        }
        after: tuple[str, ...] = ()
        if intent.scheme == "oauth_client":
            fields |= {
                "inbound_grant_type": "client_credential",
                "default_grant_type": "client_credentials",
                "client_type": "integration_as_a_user",
                "user": user,
            }
            after = (user.id,)
        elif intent.scheme == "oauth_code":
            fields |= {
                "inbound_grant_type": "authz_code",
                "default_grant_type": "authorization_code",
                "redirect_url": intent.redirect_url,
                "use_pkce": "true",
            }
        else:
            fields["default_grant_type"] = "password"
        yield Wanted(
            kind=self.name,
            key=intent.application,
            match={"name": intent.application},
            fields=fields,
            because=f"the account signs in with {intent.scheme}",
            after=after,
        )

    def create(self, line: Connection, values: Mapping[str, str], credentials: Credentials) -> dict[str, Any]:
        return line.table.create(
            self.table,
            {**values, "client_secret": credentials.client_secret()},
            fields=("sys_id", "client_id", *values),
        )


def set_client_secret(line: Connection, sys_id: str, secret: str) -> None:
    """Give an existing OAuth application this client secret."""
    line.table.update("oauth_entity", sys_id, {"client_secret": secret}, fields=("sys_id",))


def authorize_step(intent: Intent) -> str:
    """How the account's person allows the application."""
    return (
        f"Run `linkspan authorize {intent.account} --instance {intent.instance}`, sign in as "
        f"{intent.user_name} in the browser it opens, and allow the application. A new user has no password: "
        "set one on the user's form (Set Password), or let single sign-on know it."
    )


def client_id(line: Connection, sys_id: str) -> str:
    """The id the instance gave to the application."""
    row = line.table.get("oauth_entity", sys_id, fields=("client_id",)) or {}
    return str(row.get("client_id") or "")
