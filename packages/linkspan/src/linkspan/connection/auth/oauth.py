"""What the OAuth schemes share: one access token for all threads, renewed by one of them.

The token endpoint takes forms only, answers a repeated request inside the lifetime with the current
token and its remaining seconds, and hides every cause of a refusal behind one 401
(ServiceNow docs: OAuth API request parameters; measured on developer instances).
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass

import httpx2
import msgspec

from linkspan.connection.failures import Sent, decode, failure
from linkspan.connection.transport import TOKEN_PATH
from linkspan.core import clock
from linkspan.core.errors import BadReply
from linkspan.core.secret import Secret

# Renew this long before the end, or in the last tenth of a short life.
EARLY_SECONDS = 60.0

_Flow = Generator[httpx2.Request, httpx2.Response, None]


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token; ``renew_at`` is epoch seconds."""

    access: Secret
    refresh: Secret | None
    renew_at: float


class OAuthFlow(httpx2.Auth):
    """Bearer tokens by ``grant`` (the form of the token request, client id and secret included)."""

    def __init__(self, base_url: str, grant: Mapping[str, str | Secret], *, where: str = "") -> None:
        self._base_url = base_url
        self._grant = grant
        self._sent = Sent(method="POST", path=TOKEN_PATH, where=where, safe=True, token_request=True)
        self._token: Token | None = None
        # Held across the token request, so that other threads wait for its result instead of asking too.
        self._lock = threading.RLock()

    def sync_auth_flow(self, request: httpx2.Request) -> _Flow:
        token = yield from self._valid_token()
        request.headers["Authorization"] = f"Bearer {token.access.reveal()}"
        response = yield request
        if response.status_code != 401:
            return
        response.read()
        token = yield from self._renewed_after(token)
        request.headers["Authorization"] = f"Bearer {token.access.reveal()}"
        yield request

    def _valid_token(self) -> Generator[httpx2.Request, httpx2.Response, Token]:
        with self._lock:
            if self._token is None or clock.now() >= self._token.renew_at:
                self._token = yield from self._request_token()
            return self._token

    def _renewed_after(self, refused: Token) -> Generator[httpx2.Request, httpx2.Response, Token]:
        """A token other than the refused one; another thread may have fetched it already."""
        with self._lock:
            if self._token is refused:
                self._token = yield from self._request_token()
            assert self._token is not None
            return self._token

    def _request_token(self) -> Generator[httpx2.Request, httpx2.Response, Token]:
        if self._token is not None and self._token.refresh is not None:
            form: dict[str, str | Secret] = {
                "grant_type": "refresh_token",
                "refresh_token": self._token.refresh,
                "client_id": self._grant["client_id"],
                "client_secret": self._grant["client_secret"],
            }
            response = yield self._token_request(form)
            if response.status_code == 200:
                return self._read(response)
            response.read()
        return self._read((yield self._token_request(self._grant)))

    def _token_request(self, form: Mapping[str, str | Secret]) -> httpx2.Request:
        revealed = {name: Secret.of(value).reveal() for name, value in form.items()}
        return httpx2.Request(
            "POST", self._base_url + TOKEN_PATH, data=revealed, headers={"Accept": "application/json"}
        )

    def _read(self, response: httpx2.Response) -> Token:
        body = response.read()
        error = failure(
            self._sent, response.status_code, {k.lower(): v for k, v in response.headers.items()}, body
        )
        if error is not None:
            raise error
        return self._token_of(decode(self._sent, body))

    def _token_of(self, answer: object) -> Token:
        try:
            grant = msgspec.convert(answer, _Grant)
        except msgspec.ValidationError as problem:
            raise BadReply(
                f"the token endpoint answered something else: {problem}", where=self._sent.where
            ) from problem
        access = Secret(grant.access_token)
        early = min(EARLY_SECONDS, grant.expires_in / 10)
        if self._token is not None and self._token.access == access:
            early = 0.0  # the current token again: asking earlier brings nothing new
        renew_at = clock.now() + max(grant.expires_in - early, 1.0)
        refresh = Secret(grant.refresh_token) if grant.refresh_token else None
        return Token(access=access, refresh=refresh, renew_at=renew_at)


class _Grant(msgspec.Struct):
    access_token: str
    expires_in: float = 1800.0
    refresh_token: str | None = None
