"""The grants of inbound OAuth: from the parameters of a token request to tokens, or to the cause why not.

Sources: ServiceNow docs: OAuth API request parameters; Authorization code grant workflow; Client credentials
grant workflow; Create an OAuth JWT API endpoint for external clients.
"""

import hmac
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wavetank.errors import PlatformError
from wavetank.security import profiles
from wavetank.security.assertions import TABLE as JWT_CLIENTS
from wavetank.security.assertions import AdminRejected, Rejected, claimed_client

if TYPE_CHECKING:
    from wavetank.instance import Instance

CLIENT_GRANT = "glide.oauth.inbound.client.credential.grant_type.enabled"
PASSWORD_GRANT_OFF = "glide.oauth.inbound.ropc.grant_type.disabled"  # noqa: S105
DEFAULT_ACCESS = 1800
DEFAULT_REFRESH = 8_640_000
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CODE, PASSWORD, CLIENT, REFRESH = "authorization_code", "password", "client_credentials", "refresh_token"
# What a client without a secret may ask for (ServiceNow docs: Authorization code grant workflow; Create an
# OAuth JWT API endpoint for external clients).
_PUBLIC = frozenset({CODE, REFRESH, JWT})
# What a registry entry's inbound grant type calls each grant, and those that leave it open.
_INBOUND = {CODE: "authz_code", PASSWORD: "ropc", CLIENT: "client_credential", JWT: "jwt"}
_ANY = frozenset({"", "multiple", "default", "uncertain"})

Form = Mapping[str, str]
Row = Mapping[str, str]


class Refused(Exception):
    """A token request that fails; the text is the true cause, which the caller does not see.

    `error` and `description` are what the caller sees instead.
    """

    def __init__(self, cause: str, error: str = "server_error", description: str = "access_denied") -> None:
        super().__init__(cause)
        self.error = error
        self.description = description


def grant(instance: "Instance", form: Form) -> dict[str, Any]:
    """The answer to a token request. Raises Refused. The caller holds the instance's lock."""
    if not instance.identity.tokens.on:
        raise Refused("oauth_inactive: OAuth is switched off on this instance")
    kind = form.get("grant_type", "")
    if kind not in _GRANTS:
        raise Refused(
            f"unsupported_grant_type: {kind!r} is no grant of this instance",
            "unsupported_grant_type",
            "unsupported_grant_type",
        )
    client = _client(instance, form, kind)
    if not allows(instance, client, kind):
        raise Refused(f"unauthorized_client: {client['name']!r} is not registered for {kind}")
    return _GRANTS[kind](instance, client, form)


def registered(instance: "Instance", client_id: str) -> Row | None:
    """The active registry entry of a client id; None when there is none."""
    client = instance.database.first("oauth_entity", client_id=client_id) if client_id else None
    # The database compares without case; a client id does not.
    if client is None or client["client_id"] != client_id or client["active"] == "false":
        return None
    return client


def allows(instance: "Instance", client: Row, kind: str) -> bool:
    """Whether a registry entry is for a grant type; refreshing is not asked about."""
    named = _INBOUND.get(kind)
    if named is None or instance.settings.get("inbound_grant_type") == "ignored":
        return True
    return client["inbound_grant_type"] in _ANY or client["inbound_grant_type"] == named


def scope_of(instance: "Instance", client: Row, kind: str, wanted: str) -> str:
    """The scope of a new token. Raises Refused."""
    try:
        return profiles.granted(instance, client, kind, wanted)
    except profiles.InvalidScope as wrong:
        raise Refused(f"invalid_scope: {wrong}") from wrong


def access_seconds(client: Row) -> int:
    """How long an access token of a client runs."""
    return _lifespan(client["access_token_lifespan"], DEFAULT_ACCESS)


def _password(instance: "Instance", client: Row, form: Form) -> dict[str, Any]:
    if instance.property(PASSWORD_GRANT_OFF, "false") == "true":
        raise Refused(f"unsupported_grant_type: the password grant is off: {PASSWORD_GRANT_OFF}")
    scope = scope_of(instance, client, PASSWORD, form.get("scope", ""))
    name = form.get("username", "")
    try:
        user, _ = instance.identity.prove_for_integration(name, form.get("password", ""))
    except PlatformError as code:
        raise Refused(f"invalid_user: {name!r} needs a one-time code with the password") from code
    if user is None:
        raise Refused(f"invalid_user: wrong name or password, or an account that may not log in: {name!r}")
    machine = "true" in (user["web_service_access_only"], user["internal_integration_user"])
    if machine and instance.settings.get("ropc_machine_users") == "refused":
        raise Refused(f"invalid_user: {name!r} has no interactive sessions")
    _may_log_in(instance, user)
    return _answer(instance, user, client, "oauth_password", scope, refresh=True)


def _client_credentials(instance: "Instance", client: Row, form: Form) -> dict[str, Any]:
    if instance.property(CLIENT_GRANT, "false") != "true":
        raise Refused(f"unsupported_grant_type: the client credentials grant is off: {CLIENT_GRANT}")
    if instance.settings.get("client_credentials_profile") == "needed":
        if profiles.of(instance, client, CLIENT) is None:
            raise Refused("invalid_client: the registry entry has no profile for client credentials")
        if client["default_grant_type"] not in ("", CLIENT):
            raise Refused("invalid_client: the registry entry's default grant type is another")
    user = instance.database.get("sys_user", client["user"]) if client["user"] else None
    if user is None:
        raise Refused("invalid_client: the registry entry has no OAuth application user")
    scope = scope_of(instance, client, CLIENT, form.get("scope", ""))
    _may_log_in(instance, user)
    return _answer(instance, user, client, "oauth_client", scope, refresh=False)


def _refresh(instance: "Instance", client: Row, form: Form) -> dict[str, Any]:
    held = instance.identity.tokens.find(form.get("refresh_token", ""))
    if held is None or held.kind != "refresh" or held.client != client["sys_id"]:
        raise Refused("invalid_token: the refresh token is unknown, revoked, expired or another client's")
    user = instance.database.get("sys_user", held.user)
    if user is None:
        raise Refused(f"invalid_user: {held.user_name!r} is gone")
    scope = scope_of(instance, client, REFRESH, form.get("scope", "") or held.scope)
    _may_log_in(instance, user)
    answer = _answer(instance, user, client, held.scheme, scope, refresh=False)
    # The refresh token stays the one that was presented, with the end it has.
    return {"access_token": answer.pop("access_token"), "refresh_token": form["refresh_token"], **answer}


def _authorization_code(instance: "Instance", client: Row, form: Form) -> dict[str, Any]:
    """A code is used up by the first try, and only its own client gets anything for it."""
    given = instance.identity.codes.take(form.get("code", ""))
    if given is None or given.client != client["sys_id"]:
        raise Refused("invalid_grant: the code is unknown, used, expired or another client's")
    if form.get("redirect_uri", "") != given.redirect_uri:
        raise Refused("invalid_grant: the redirect URI is not the one the code was asked for with")
    if given.challenge and not given.verified_by(form.get("code_verifier", "")):
        raise Refused("invalid_grant: the code verifier does not fit the code challenge")
    user = instance.database.get("sys_user", given.user)
    if user is None:
        raise Refused("invalid_user: the person who consented is gone")
    _may_log_in(instance, user)
    # Only private clients are given refresh tokens (ServiceNow docs: Authorization code grant workflow).
    private = client["public_client"] != "true"
    return _answer(instance, user, client, "oauth_code", given.scope, refresh=private)


def _jwt_bearer(instance: "Instance", client: Row, form: Form) -> dict[str, Any]:
    """Gives no refresh token (ServiceNow docs: Create an OAuth JWT API endpoint for external clients)."""
    entry = instance.database.get(JWT_CLIENTS, client["sys_id"])
    if entry is None:
        raise Refused("invalid_client: the registry entry is none for JWT bearer tokens")
    scope = scope_of(instance, client, JWT, form.get("scope", ""))
    try:
        user = instance.identity.tokens.assertions.subject(entry, form.get("assertion", ""))
    except AdminRejected as refused:
        told = instance.settings.get("jwt_admin_refusal") == "told"
        raise Refused(
            f"invalid_grant: {refused}", description=str(refused) if told else "access_denied"
        ) from refused
    except Rejected as refused:
        raise Refused(f"invalid_grant: {refused}") from refused
    _may_log_in(instance, user)
    return _answer(instance, user, client, "oauth_jwt", scope, refresh=False)


_GRANTS: Mapping[str, Callable[["Instance", Row, Form], dict[str, Any]]] = {
    PASSWORD: _password,
    CLIENT: _client_credentials,
    REFRESH: _refresh,
    CODE: _authorization_code,
    JWT: _jwt_bearer,
}


def _may_log_in(instance: "Instance", user: Row) -> None:
    if not instance.identity.may_log_in(user, minting=True):
        raise Refused(f"invalid_user: {user['user_name']!r} may not log in")


def _answer(
    instance: "Instance", user: Row, client: Row, scheme: str, scope: str, *, refresh: bool
) -> dict[str, Any]:
    tokens = instance.identity.tokens
    access, remaining = tokens.issue("access", user, client, scheme, access_seconds(client), scope)
    answer: dict[str, Any] = {"access_token": access}
    if refresh:
        longer = _lifespan(client["refresh_token_lifespan"], DEFAULT_REFRESH)
        answer["refresh_token"] = tokens.issue("refresh", user, client, scheme, longer, scope)[0]
    return answer | {"scope": scope, "token_type": "Bearer", "expires_in": remaining}


def _lifespan(text: str, default: int) -> int:
    """Seconds, thirty years at most; the default for what is no number of seconds."""
    return min(int(text), 10**9) if text.isdecimal() and len(text) < 20 else default


def _client(instance: "Instance", form: Form, kind: str) -> Row:
    """The registry entry that asks, proven by its secret; a public one may do without, where that is safe."""
    wanted = form.get("client_id", "")
    if not wanted and kind == JWT:
        wanted = claimed_client(form.get("assertion", ""))
    client = registered(instance, wanted)
    if client is None:
        raise Refused(f"invalid_client: {wanted!r} is unknown or inactive")
    if client["public_client"] == "true" and kind in _PUBLIC and "client_secret" not in form:
        return client
    try:
        secret = instance.seal.open(client["client_secret"])
    except ValueError as unreadable:
        raise Refused(f"invalid_client: the secret of {wanted!r} is {unreadable}") from unreadable
    if not secret or not hmac.compare_digest(secret.encode(), form.get("client_secret", "").encode()):
        raise Refused(f"invalid_client: client_secret of {wanted!r} is wrong")
    return client
