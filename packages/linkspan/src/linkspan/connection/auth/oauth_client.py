"""OAuth client credentials: calls are made as the registry's OAuth Application User."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx2

from linkspan.connection.auth.oauth import OAuthFlow
from linkspan.core.secret import Secret


@dataclass(frozen=True)
class OAuthClient:
    """An OAuth client that is its own user."""

    client_id: str
    client_secret: Secret | str = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "client_secret", Secret.of(self.client_secret))

    def flow(self, base_url: str, where: str) -> httpx2.Auth:
        return OAuthFlow(
            base_url,
            {
                "grant_type": "client_credentials",
                "client_id": self.client_id,
                "client_secret": self.client_secret,
            },
            where=where,
        )
