"""Inbound OAuth 2.0: `/oauth_token.do` and `/oauth_revoke_token.do`. `/oauth_auth.do` is a page of the UI.

Nearly every failure is the same 401 (measured on developer instances); the true cause is only in the
instance's own log, here the `wavetank` logger. Sources: ServiceNow docs: OAuth API request parameters,
Create an endpoint for external clients.
"""

import base64
import binascii
import hmac
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wavetank.instance import Instance

CLIENT_GRANT = "glide.oauth.inbound.client.credential.grant_type.enabled"
PASSWORD_GRANT_OFF = "glide.oauth.inbound.ropc.grant_type.disabled"  # noqa: S105
BODY_ONLY = "glide.oauth.allow.parameters.in.post.body.only"
STATE_REQUIRED = "glide.oauth.state.parameter.required"
DEFAULT_ACCESS = 1800
DEFAULT_REFRESH = 8_640_000
# What a client without a secret may ask for (ServiceNow docs: Authorization code grant workflow).
_PUBLIC = frozenset({"authorization_code", "refresh_token"})

log = logging.getLogger("wavetank.oauth")
Form = Mapping[str, str]
Row = Mapping[str, str]


class Refused(Exception):
    """A token request that fails; the text is the true cause, which the caller never sees."""

    def __init__(self, cause: str, error: str = "server_error", description: str = "access_denied") -> None:
        super().__init__(cause)
        self.error = error
        self.description = description


def routes() -> list[Route]:
    return [
        Route("/oauth_token.do", token, methods=["POST"]),
        Route("/oauth_revoke_token.do", revoke, methods=["GET", "POST"]),
    ]


async def token(request: Request) -> Response:
    instance: Instance = request.app.state.instance
    body = await request.body()
    with instance.lock:
        try:
            form = _form(instance, request, body)
            answer = _grant(instance, form)
        except Refused as refused:
            log.info("Exception on token flow - %s", refused)
            return _json(401, {"error_description": refused.description, "error": refused.error})
    return _json(200, answer)


async def revoke(request: Request) -> Response:
    """Ends a token. Needs no authentication, and an unknown token is no error."""
    instance: Instance = request.app.state.instance
    body = await request.body()
    given = dict(request.query_params) | dict(parse_qsl(body.decode("latin-1")))
    with instance.lock:
        instance.identity.tokens.revoke(given.get("token", ""))
    return Response(b"", 200, {"content-type": "text/html;charset=UTF-8"})


def _grant(instance: Instance, form: Form) -> dict[str, Any]:
    if not instance.identity.tokens.on:
        raise Refused("oauth_inactive: the OAuth plugin is switched off")
    grants: dict[str, Callable[[Instance, Row, Form], dict[str, Any]]] = {
        "password": _password,
        "client_credentials": _client_credentials,
        "refresh_token": _refresh,
        "authorization_code": _authorization_code,
    }
    kind = form.get("grant_type", "")
    if kind not in grants:
        raise Refused(f"unsupported grant type {kind!r}", "unsupported_grant_type", "unsupported_grant_type")
    client = _client(instance, form, kind)
    wanted = form.get("scope", "")
    if not scopes_known(instance, client, wanted):
        raise Refused(f"invalid_scope: {wanted}")
    return grants[kind](instance, client, form)


def _password(instance: Instance, client: Row, form: Form) -> dict[str, Any]:
    if instance.property(PASSWORD_GRANT_OFF, "false") == "true":
        raise Refused("the password grant is switched off")
    user = instance.identity.prove(form.get("username", ""), form.get("password", ""))
    if user is None or not instance.identity.may_log_in(user, minting=True):
        raise Refused(f"invalid_user: {form.get('username', '')}")
    return _answer(instance, user, client, "oauth_password", refresh=True)


def _client_credentials(instance: Instance, client: Row, _form: Form) -> dict[str, Any]:
    if instance.property(CLIENT_GRANT, "false") != "true":
        raise Refused(f"the client credentials grant is off: {CLIENT_GRANT}")
    if instance.settings.get("client_credentials_profile") == "needed":
        profile = {"oauth_entity": client["sys_id"], "grant_type": "client_credentials"}
        if instance.database.first("oauth_entity_profile", **profile) is None:
            raise Refused("the registry entry has no profile for the client credentials grant")
    user = instance.database.get("sys_user", client["user"]) if client["user"] else None
    if user is None:
        raise Refused("the registry entry has no OAuth application user")
    if not instance.identity.may_log_in(user, minting=True):
        raise Refused(f"the application user {user['user_name']} may not log in")
    return _answer(instance, user, client, "oauth_client", refresh=False)


def _refresh(instance: Instance, client: Row, form: Form) -> dict[str, Any]:
    secret = form.get("refresh_token", "")
    held = instance.identity.tokens.find(secret)
    if held is None or held.kind != "refresh" or held.client != client["sys_id"]:
        raise Refused("the refresh token is unknown, revoked, expired or another client's")
    user = instance.database.get("sys_user", held.user)
    if user is None or not instance.identity.may_log_in(user, minting=True):
        raise Refused(f"the user {held.user_name} may not log in")
    return _answer(instance, user, client, held.scheme, refresh=True)


def _authorization_code(instance: Instance, client: Row, form: Form) -> dict[str, Any]:
    """A code is used up by the first try, and only its own client gets anything for it."""
    grant = instance.identity.codes.take(form.get("code", ""))
    if grant is None or grant.client != client["sys_id"]:
        raise Refused("invalid_grant: the code is unknown, used, expired or another client's")
    if form.get("redirect_uri", "") != grant.redirect_uri:
        raise Refused("invalid_grant: the redirect URI is not the one the code was asked for with")
    if grant.challenge and not grant.verified_by(form.get("code_verifier", "")):
        raise Refused("invalid_grant: the code verifier does not fit the code challenge")
    user = instance.database.get("sys_user", grant.user)
    if user is None or not instance.identity.may_log_in(user, minting=True):
        raise Refused(f"the user {grant.user} may not log in")
    # Only private clients are given refresh tokens (ServiceNow docs: Authorization code grant workflow).
    return _answer(instance, user, client, "oauth_code", refresh=client["public_client"] != "true")


def _answer(instance: Instance, user: Row, client: Row, scheme: str, *, refresh: bool) -> dict[str, Any]:
    tokens = instance.identity.tokens
    seconds = _lifespan(client["access_token_lifespan"], DEFAULT_ACCESS)
    access, remaining = tokens.issue("access", user, client, scheme, seconds)
    answer: dict[str, Any] = {"access_token": access}
    if refresh:
        longer = _lifespan(client["refresh_token_lifespan"], DEFAULT_REFRESH)
        answer["refresh_token"] = tokens.issue("refresh", user, client, scheme, longer)[0]
    return answer | {"scope": "useraccount", "token_type": "Bearer", "expires_in": remaining}


def _lifespan(text: str, default: int) -> int:
    """Seconds, thirty years at most; the default for what is no number of seconds."""
    return min(int(text), 10**9) if text.isdecimal() and len(text) < 20 else default


def _client(instance: Instance, form: Form, kind: str) -> Row:
    """The registry entry that asks, proven by its secret; a public one may redeem codes without."""
    wanted = form.get("client_id", "")
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
        raise Refused(f"invalid_client: wrong secret for {wanted!r}")
    return client


def registered(instance: Instance, client_id: str) -> Row | None:
    """The active registry entry of a client id; None when there is none."""
    client = instance.database.first("oauth_entity", client_id=client_id) if client_id else None
    # The database compares without case; a client id does not.
    if client is None or client["client_id"] != client_id or client["active"] == "false":
        return None
    return client


def scopes_known(instance: Instance, client: Row, wanted: str) -> bool:
    """Whether every scope of a request, separated by blanks, is one of the client's."""
    return all(_has_scope(instance, client, scope) for scope in wanted.split())


def _has_scope(instance: Instance, client: Row, scope: str) -> bool:
    if scope == "useraccount":
        return True
    rows = instance.database.find("oauth_entity_scope", oauth_entity=client["sys_id"])
    return any(scope in (row["oauth_entity_scope"], row["name"]) for row in rows)


def _form(instance: Instance, request: Request, body: bytes) -> dict[str, str]:
    """The parameters: the form body; the URL too unless a property forbids it."""
    kind = request.headers.get("content-type", "application/x-www-form-urlencoded")
    if not kind.startswith("application/x-www-form-urlencoded"):
        raise Refused(f"unspecified: a token request is a form, not {kind}")
    form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    if instance.property(BODY_ONLY, "false") != "true":
        form = dict(request.query_params) | form
    if "client_id" not in form or "client_secret" not in form:
        form = _basic_client(instance, request) | form
    return form


def _basic_client(instance: Instance, request: Request) -> dict[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic" or instance.settings.get("oauth_client_basic") == "refuse":
        return {}
    try:
        name, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": name, "client_secret": secret} if colon else {}


def _json(status: int, value: Any) -> Response:
    return Response(msgspec.json.encode(value), status, {"content-type": "application/json;charset=UTF-8"})
