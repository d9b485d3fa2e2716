"""How a credential is used: one small value and one generator flow a scheme."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx2

from linkspan.connection.auth.api_key import ApiKey
from linkspan.connection.auth.basic import Basic
from linkspan.connection.auth.oauth_client import OAuthClient
from linkspan.connection.auth.oauth_code import OAuthCode, OAuthConsent
from linkspan.connection.auth.oauth_password import OAuthPassword
from linkspan.core.errors import ConfigError

Credential = Basic | ApiKey | OAuthPassword | OAuthClient | OAuthCode | OAuthConsent

__all__ = [
    "ApiKey",
    "Basic",
    "Credential",
    "OAuthClient",
    "OAuthCode",
    "OAuthConsent",
    "OAuthPassword",
    "credential",
    "flow",
    "of_parts",
]


@dataclass(frozen=True)
class _Scheme:
    """How a credential is made of its parts, in their order, and which of them a bare secret is."""

    make: Callable[..., Credential]
    needs: tuple[str, ...]
    secret: str


_SCHEMES = {
    "basic": _Scheme(Basic, ("user", "password"), "password"),
    "api_key": _Scheme(ApiKey, ("token",), "token"),
    "oauth_password": _Scheme(OAuthPassword, ("client_id", "client_secret", "user", "password"), "password"),
    "oauth_client": _Scheme(OAuthClient, ("client_id", "client_secret"), "client_secret"),
    "oauth_code": _Scheme(OAuthCode, ("client_id", "client_secret", "refresh_token"), "refresh_token"),
}


def flow(credential: Credential, base_url: str, *, where: str = "") -> httpx2.Auth:
    """The flow that puts ``credential`` on requests to the instance at ``base_url``, named ``where``."""
    return credential.flow(base_url, where)


def credential(
    scheme: str, secret: str, *, user: str = "", client_id: str = "", client_secret: str = "", where: str = ""
) -> Credential:
    """The credential of ``scheme`` from its parts.

    ``secret`` is the password, for oauth_client the client secret, for api_key the token, for oauth_code the
    refresh token; or a JSON object that holds the parts by name (user, password, client_id, client_secret,
    token, refresh_token), as the secret store keeps them; its parts win.
    Raises ConfigError when a part is missing or the scheme is not built yet.
    """
    parts = {"user": user, "client_id": client_id, "client_secret": client_secret}
    parts[_known(scheme, where).secret] = secret
    return of_parts(scheme, parts | _stored_parts(secret), where=where)


def of_parts(scheme: str, parts: Mapping[str, str], *, where: str = "") -> Credential:
    """The credential of ``scheme`` from its parts by name, those it has no use for left aside.

    Raises ConfigError when a part is missing or the scheme is not built yet.
    """
    known = _known(scheme, where)
    missing = [name for name in known.needs if not parts.get(name)]
    if missing:
        raise ConfigError(f"scheme {scheme} needs {', '.join(missing)}", where=where, fix=f"add {missing[0]}")
    return known.make(*(parts[name] for name in known.needs))


def _known(scheme: str, where: str) -> _Scheme:
    if scheme not in _SCHEMES:
        raise ConfigError(
            f"scheme {scheme} is not built yet", where=where, fix=f"use one of: {', '.join(_SCHEMES)}"
        )
    return _SCHEMES[scheme]


def _stored_parts(secret: str) -> dict[str, str]:
    if not secret.startswith("{"):
        return {}
    try:
        found = json.loads(secret)
    except ValueError:
        return {}  # a password may start with a brace
    if not isinstance(found, dict):
        return {}
    return {str(name): str(value) for name, value in found.items()}
