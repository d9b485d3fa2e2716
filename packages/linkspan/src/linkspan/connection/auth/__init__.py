"""How a credential is used: one small value and one generator flow a scheme."""

from __future__ import annotations

import json

import httpx2

from linkspan.connection.auth.basic import Basic
from linkspan.connection.auth.oauth_client import OAuthClient
from linkspan.connection.auth.oauth_password import OAuthPassword
from linkspan.core.errors import ConfigError

Credential = Basic | OAuthPassword | OAuthClient

__all__ = ["Basic", "Credential", "OAuthClient", "OAuthPassword", "credential", "flow"]


def flow(credential: Credential, base_url: str, *, where: str = "") -> httpx2.Auth:
    """The flow that puts ``credential`` on requests to the instance at ``base_url``, named ``where``."""
    return credential.flow(base_url, where)


def credential(
    scheme: str, secret: str, *, user: str = "", client_id: str = "", client_secret: str = "", where: str = ""
) -> Credential:
    """The credential of ``scheme`` (basic, oauth_password, oauth_client) from its parts.

    ``secret`` is the password, for oauth_client the client secret; or a JSON object that holds the
    parts by name (user, password, client_id, client_secret), as the secret store keeps them; its
    parts win. Raises ConfigError when a part is missing or the scheme is not built yet.
    """
    parts = {"user": user, "password": secret, "client_id": client_id, "client_secret": client_secret}
    if scheme == "oauth_client":
        parts["client_secret"] = secret
    parts |= _stored_parts(secret)
    if scheme == "basic":
        return Basic(*_needed(scheme, parts, where, "user", "password"))
    if scheme == "oauth_password":
        return OAuthPassword(*_needed(scheme, parts, where, "client_id", "client_secret", "user", "password"))
    if scheme == "oauth_client":
        return OAuthClient(*_needed(scheme, parts, where, "client_id", "client_secret"))
    raise ConfigError(
        f"scheme {scheme} is not built yet", where=where, fix="use basic, oauth_password or oauth_client"
    )


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


def _needed(scheme: str, parts: dict[str, str], where: str, *names: str) -> tuple[str, ...]:
    missing = [name for name in names if not parts.get(name)]
    if missing:
        raise ConfigError(f"scheme {scheme} needs {', '.join(missing)}", where=where, fix=f"add {missing[0]}")
    return tuple(parts[name] for name in names)
