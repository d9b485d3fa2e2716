"""An API key: one token in a header, with every request."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import httpx2

from linkspan.core.errors import NotAuthenticated
from linkspan.core.secret import Secret

# The header of the platform's standard authentication parameter (ServiceNow docs: Configure API key).
# A key may also stand in the query string, and then in every log on the way; ours never does.
HEADER = "x-sn-apikey"


@dataclass(frozen=True)
class ApiKey:
    """The token of a record in ``api_key``; calls are made as the record's user.

    ``current`` tells which token is in use now, so that a key can be replaced while requests go on; None
    when it is always this one.
    """

    token: Secret | str = field(repr=False)
    current: Callable[[], Secret] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "token", Secret.of(self.token))

    def flow(self, _base_url: str, where: str) -> httpx2.Auth:
        return _ApiKeyFlow(self, where)


def badly_copied(token: str) -> bool:
    """Whether this cannot be a token as it was shown: it is empty, or a space or a line came with it."""
    return not token.isascii() or not token.isprintable() or any(one.isspace() for one in token) or not token


class _ApiKeyFlow(httpx2.Auth):
    def __init__(self, credential: ApiKey, where: str) -> None:
        token = Secret.of(credential.token)
        self._current = credential.current or (lambda: token)
        self._where = where

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        token = self._current()
        request.headers[HEADER] = self._checked(token)
        response = yield request
        if response.status_code == 401 and (newer := self._current()) != token:
            request.headers[HEADER] = self._checked(newer)
            yield request  # the key was replaced just now; a refused request has done nothing

    def _checked(self, token: Secret) -> str:
        if badly_copied(token.reveal()):
            raise NotAuthenticated(
                "the API key holds a space, a line break or another character that no key has",
                where=self._where,
                fix="copy it again, the token alone",
                code="api_key_spaces",
            )
        return token.reveal()
