"""Basic: user and password with every request."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import httpx2

from linkspan.core.secret import Secret


@dataclass(frozen=True)
class Basic:
    """User name and password; the password is kept as a Secret."""

    user: str
    password: Secret | str = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "password", Secret.of(self.password))

    def flow(self, _base_url: str, _where: str) -> httpx2.Auth:
        return _BasicFlow(self)


class _BasicFlow(httpx2.Auth):
    def __init__(self, credential: Basic) -> None:
        self._inner = httpx2.BasicAuth(credential.user, Secret.of(credential.password).reveal())

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        yield from self._inner.auth_flow(request)
