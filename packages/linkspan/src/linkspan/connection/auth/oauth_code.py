"""OAuth authorization code: calls are made as the person who once allowed it in a browser.

What is kept is the refresh token. It lives long, and the instance may replace it with any answer
(ServiceNow docs: OAuth API request parameters).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import httpx2

from linkspan.connection.auth.oauth import OAuthFlow, Token
from linkspan.core.errors import NotAuthenticated
from linkspan.core.secret import Secret


def _nowhere(_refresh_token: str) -> None:
    """Where a replaced refresh token goes when nobody keeps it."""


@dataclass(frozen=True)
class OAuthCode:
    """An OAuth client and the refresh token that a person's consent gave it.

    ``keep`` is called with every refresh token that replaces the one held, before its access token is used.
    ``reread`` gives the one kept by now, which another process may have replaced; empty when unknown.
    """

    client_id: str
    client_secret: Secret | str = field(repr=False)
    refresh_token: Secret | str = field(repr=False)
    keep: Callable[[str], None] = field(default=_nowhere, repr=False)
    reread: Callable[[], str] = field(default=str, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "client_secret", Secret.of(self.client_secret))
        object.__setattr__(self, "refresh_token", Secret.of(self.refresh_token))

    def flow(self, base_url: str, where: str) -> httpx2.Auth:
        return _RefreshFlow(base_url, self, where)


@dataclass(frozen=True)
class OAuthConsent:
    """An authorization code that has just come back, exchanged with the first request; good for once.

    ``verifier`` is the PKCE code verifier. ``keep`` is called with the refresh token.
    """

    client_id: str
    client_secret: Secret | str = field(repr=False)
    code: Secret | str = field(repr=False)
    redirect_uri: str
    verifier: Secret | str = field(repr=False)
    keep: Callable[[str], None] = field(default=_nowhere, repr=False)

    def flow(self, base_url: str, where: str) -> httpx2.Auth:
        return _ConsentFlow(base_url, self, where)


class _RefreshFlow(OAuthFlow):
    """Every access token comes from the refresh token; one thread at a time asks, as in all OAuth flows."""

    def __init__(self, base_url: str, credential: OAuthCode, where: str) -> None:
        self._credential = credential
        self._refresh = Secret.of(credential.refresh_token)
        grant = {
            "grant_type": "refresh_token",
            "client_id": credential.client_id,
            "client_secret": credential.client_secret,
        }
        super().__init__(base_url, grant, where=where)

    def _request_token(self) -> Generator[httpx2.Request, httpx2.Response, Token]:
        response = yield self._token_request({**self._grant, "refresh_token": self._refresh})
        if response.status_code == 401 and self._replaced_elsewhere():
            response.read()
            response = yield self._token_request({**self._grant, "refresh_token": self._refresh})
        try:
            token = self._read(response)
        except NotAuthenticated as error:
            error.cause = "the refresh token was refused: the authorization has ended or was withdrawn"
            error.fix = "run `linkspan authorize` for the account; if it is refused again: " + error.fix
            error.code = "authorization_ended"
            raise
        if token.refresh is not None and token.refresh != self._refresh:
            self._credential.keep(token.refresh.reveal())
            self._refresh = token.refresh
        return token

    def _replaced_elsewhere(self) -> bool:
        kept = self._credential.reread()
        if not kept or Secret(kept) == self._refresh:
            return False
        self._refresh = Secret(kept)
        return True


class _ConsentFlow(OAuthFlow):
    """The code is sent once: a second use is refused and may end what the first one gave."""

    def __init__(self, base_url: str, credential: OAuthConsent, where: str) -> None:
        self._keep = credential.keep
        self._sent_code = False
        grant = {
            "grant_type": "authorization_code",
            "code": credential.code,
            "redirect_uri": credential.redirect_uri,
            "client_id": credential.client_id,
            "client_secret": credential.client_secret,
            "code_verifier": credential.verifier,
        }
        super().__init__(base_url, grant, where=where)

    def _request_token(self) -> Generator[httpx2.Request, httpx2.Response, Token]:
        if self._sent_code:
            raise NotAuthenticated(
                "the answer to the authorization code was lost, or its access token refused",
                where=self._sent.where,
                fix="run `linkspan authorize` again",
                code="authorization_refused",
            )
        self._sent_code = True
        token = self._read((yield self._token_request(self._grant)))
        if token.refresh is not None:
            self._keep(token.refresh.reveal())
        return token
