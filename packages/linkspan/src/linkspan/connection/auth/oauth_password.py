"""OAuth with the user's password (resource owner password credentials)."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx2

from linkspan.connection.auth.oauth import OAuthFlow
from linkspan.core.secret import Secret


@dataclass(frozen=True)
class OAuthPassword:
    """An OAuth client and a user of the instance; calls are made as that user."""

    client_id: str
    client_secret: Secret | str = field(repr=False)
    user: str
    password: Secret | str = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "client_secret", Secret.of(self.client_secret))
        object.__setattr__(self, "password", Secret.of(self.password))

    def flow(self, base_url: str, where: str) -> httpx2.Auth:
        return OAuthFlow(
            base_url,
            {
                "grant_type": "password",
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "username": self.user,
                "password": self.password,
            },
            where=where,
        )
