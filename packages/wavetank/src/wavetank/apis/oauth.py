"""Inbound OAuth 2.0: `/oauth_token.do`, `/oauth_revoke_token.do`, `/api/now/oauth/jwks`.

`/oauth_auth.do` is a page of the UI. Nearly every failure is the same 401 (measured on developer instances);
the true cause is only in the instance's system log. Sources: ServiceNow docs: OAuth API request parameters,
Create an endpoint for external clients.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wavetank.instance import Instance
from wavetank.security import remote_keys, sessions
from wavetank.security.assertions import KeysWanted
from wavetank.security.oauth_grants import JWT, Refused, grant

BODY_ONLY = "glide.oauth.allow.parameters.in.post.body.only"
STATE_REQUIRED = "glide.oauth.state.parameter.required"
JWKS = "/api/now/oauth/jwks"
LOG_SOURCE = "OAuth token flow"

log = logging.getLogger("wavetank.oauth")


def routes() -> list[Route]:
    return [
        Route("/oauth_token.do", token, methods=["POST"]),
        Route("/oauth_revoke_token.do", revoke, methods=["GET", "POST"]),
        Route(JWKS, jwks, methods=["GET"]),
    ]


async def token(request: Request) -> Response:
    instance: Instance = request.app.state.instance
    body = await request.body()
    for _ in range(2):
        try:
            return _token(instance, request, body)
        except KeysWanted as wanted:
            address = str(wanted)
        try:  # outside the lock: somebody else is asked
            keys = await asyncio.to_thread(remote_keys.fetch, address)
        except remote_keys.Unreadable as unreadable:
            return _refusal(instance, Refused(f"invalid_grant: {unreadable}"))
        with instance.lock:
            instance.identity.tokens.assertions.remote.keep(address, keys)
    return _refusal(instance, Refused("invalid_grant: the keys of the assertion are kept for no time"))


def _token(instance: Instance, request: Request, body: bytes) -> Response:
    """The answer to a token request. Raises KeysWanted."""
    with instance.lock:
        try:
            answer = grant(instance, _form(instance, request, body))
        except Refused as refused:
            return _refusal(instance, refused)
        response = _json(200, answer)
        for each in _cookies(instance, request, answer["access_token"]):
            response.headers.append("set-cookie", each)
    return response


def _refusal(instance: Instance, refused: Refused) -> Response:
    """The true cause goes where only an administrator reads it (measured on developer instances)."""
    message = f"Exception on token flow - {refused}"
    log.info("%s", message)
    with instance.lock:
        instance.database.insert("syslog", {"level": "2", "source": LOG_SOURCE, "message": message})
    return _json(401, {"error_description": refused.description, "error": refused.error})


async def revoke(request: Request) -> Response:
    """Ends a token. Needs no authentication, and an unknown token is no error."""
    instance: Instance = request.app.state.instance
    body = await request.body()
    given = dict(request.query_params) | dict(parse_qsl(body.decode("latin-1")))
    with instance.lock:
        instance.identity.tokens.revoke(given.get("token", ""))
    return Response(b"", 200, {"content-type": "text/html;charset=UTF-8"})


async def jwks(request: Request) -> Response:
    """The keys that verify access tokens in the format JWT."""
    instance: Instance = request.app.state.instance
    with instance.lock:
        keys = instance.identity.tokens.signing.published()
    return _json(200, {"keys": keys})


def _cookies(instance: Instance, request: Request, access: str) -> list[str]:
    """Those of the session that comes with an access token; none for somebody who is logged in already."""
    if getattr(request.state, "held", None) is not None:
        return []
    token = instance.identity.tokens.find(access)
    user = instance.database.get("sys_user", token.user) if token else None
    if token is None or user is None:  # a lifespan of no second
        return []
    held = instance.sessions.bind(instance.identity.session(user, "session"), token.row)
    return sessions.cookies(instance, held.cookie, secure=request.url.scheme == "https")


def _form(instance: Instance, request: Request, body: bytes) -> dict[str, str]:
    """The parameters: the form body; the URL too unless a property forbids it. Raises Refused."""
    kind = request.headers.get("content-type", "application/x-www-form-urlencoded")
    if not kind.startswith("application/x-www-form-urlencoded"):
        raise Refused(f"unspecified: a token request is a form, not {kind}")
    form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    if instance.property(BODY_ONLY, "false") != "true":
        form = dict(request.query_params) | form
    if "client_id" not in form or "client_secret" not in form:
        form = _basic_client(instance, request) | form
    if form.get("grant_type") == JWT and "assertion" not in form:
        form |= _header_assertion(instance, request)
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


def _header_assertion(instance: Instance, request: Request) -> dict[str, str]:
    """The assertion as ServiceNow's own client for Python sends it: in a header called Authentication."""
    scheme, _, assertion = request.headers.get("authentication", "").partition(" ")
    if scheme.lower() != "bearer" or instance.settings.get("jwt_bearer_header") == "refuse":
        return {}
    return {"assertion": assertion.strip()}


def _json(status: int, value: Mapping[str, Any]) -> Response:
    return Response(msgspec.json.encode(value), status, {"content-type": "application/json;charset=UTF-8"})
