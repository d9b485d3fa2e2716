"""A person allows an account's OAuth application in a browser, and what that gives is proven and kept."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

from linkspan.connection import Connection, OAuthConsent, connect
from linkspan.connection.redirect import Redirect, address
from linkspan.core import query
from linkspan.core.errors import ConfigError, LinkspanError, NotAuthorized, NotFound, Rejected
from linkspan.core.secret import Secret
from linkspan.flows.wiring import Wiring
from linkspan.provision.credentials import Credentials
from linkspan.store.ledger import Ledger

CONSENT_PATH = "/oauth_auth.do"
TIMEOUT = 300.0
_SCHEME = "oauth_code"


@dataclass(frozen=True, kw_only=True)
class Authorized:
    """Who allowed which account on which instance; ``secret`` is where the refresh token is kept."""

    account: str
    instance: str
    user_name: str
    secret: str


def authorize(
    wiring: Wiring,
    account: str,
    instance: str,
    *,
    open_page: Callable[[str], None],
    timeout: float = TIMEOUT,
) -> Authorized:
    """Let the account's person allow its application, exchange the code, prove who it was, keep the token.

    ``open_page`` is given the consent page's address once we listen for the way back; ``timeout`` is seconds.
    The code is bound to this run by a state and a PKCE verifier (RFC 7636, S256), and what a wrong person
    allowed is revoked again. Raises ConfigError, NotAuthorized when denied, NotAuthenticated, Rejected for
    the wrong person or redirect, Unreachable when nobody comes back.
    """
    wanted, target = wiring.account(account), wiring.instance(instance)
    held = _prepared(wiring, account, instance)
    if wiring.has_admin(instance):
        _check_redirect(wiring.admin(instance), held.client_id, address(wanted.redirect_port), instance)
    state, verifier = Secret(secrets.token_urlsafe(32)), Secret(secrets.token_urlsafe(48))
    with Redirect(wanted.redirect_port, state) as back:
        open_page(_page(target.url, held.client_id, back.url, state, verifier))
        code = back.wait(timeout)
        redirect_uri = back.url
    given: list[str] = []
    consent = OAuthConsent(
        client_id=held.client_id,
        client_secret=held.client_secret(),
        code=code,
        redirect_uri=redirect_uri,
        verifier=verifier,
        keep=given.append,
    )
    with connect(target, consent) as line:
        try:
            name = _who(line)
        except LinkspanError as error:
            _revoke(line, given)  # nobody will ever hold it
            error.fix = error.fix or "run it again; nothing of it is kept"
            raise
        if name != wanted.user_name:
            _revoke(line, given)
            raise Rejected(
                f"{name or 'somebody'} allowed it, not {wanted.user_name}; nothing of it is kept",
                fix=f"sign out of {target.url} there, run it again and sign in as {wanted.user_name}",
                where=instance,
                code="wrong_account",
            )
    if not given:
        raise Rejected(
            "the instance gave no refresh token, so the consent would end with the first access token",
            fix="let the application registry give refresh tokens (Refresh Token Lifespan)",
            where=instance,
            code="no_refresh_token",
        )
    held.consent(given[-1])
    Ledger(wiring.database).append(
        "linkspan authorize", "authorize", f"{instance}/credential/store:{held.name}", {"by": name}
    )
    return Authorized(account=account, instance=instance, user_name=name, secret=f"store:{held.name}")


def _prepared(wiring: Wiring, account: str, instance: str) -> Credentials:
    """The credential as far as apply has made it. Raises ConfigError."""
    wanted = wiring.account(account)
    if wanted.scheme != _SCHEME:
        raise ConfigError(
            f"{account} signs in with {wanted.scheme}; only {_SCHEME} is allowed by a person",
            fix=f"nothing to do, or set scheme: {_SCHEME}",
            where=wiring.config.where("accounts", account, "scheme"),
        )
    if instance not in wanted.instances:
        raise ConfigError(
            f"{account} is not wanted on {instance}",
            fix=f"use one of: {', '.join(wanted.instances)}",
            where=wiring.config.where("accounts", account, "instances"),
        )
    held = wiring.credentials(account, instance)
    if not held.client_id:
        raise ConfigError(
            f"{account} has no OAuth application on {instance} yet",
            fix=f"run `linkspan apply {account} --instance {instance}` first",
            where=wanted.where,
        )
    return held


def _check_redirect(admin: Connection, client_id: str, url: str, instance: str) -> None:
    """The instance compares redirect URLs letter by letter, and shows its refusal in the browser only."""
    try:
        row = admin.table.first(
            "oauth_entity", query.term("client_id", "=", client_id), fields=("redirect_url",)
        )
    except LinkspanError:
        return  # a check beforehand; without an administrator's eyes the page itself will tell
    if row is None:
        raise NotFound(
            "the OAuth application is gone", fix="run `linkspan apply`", where=instance, code="wrong_client"
        )
    registered = str(row.get("redirect_url") or "").replace("\n", ",").split(",")
    if url not in {one.strip() for one in registered}:
        raise Rejected(
            f"the OAuth application does not know the redirect URL {url}",
            fix="run `linkspan apply`; it registers exactly this one",
            where=instance,
            code="wrong_redirect",
        )


def _page(instance_url: str, client_id: str, redirect_uri: str, state: Secret, verifier: Secret) -> str:
    """The address of the consent page (ServiceNow docs: OAuth authorization code grant flow)."""
    digest = hashlib.sha256(verifier.reveal().encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "state": state.reveal(),
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    return f"{instance_url}{CONSENT_PATH}?{urlencode(asked)}"


def _who(line: Connection) -> str:
    """The user name of whoever allowed it; empty when they may not even read their own row."""
    try:
        return str(line.whoami().get("user_name") or "")
    except (NotFound, NotAuthorized):
        return ""


def _revoke(line: Connection, tokens: list[str]) -> None:
    """Take back what the wrong person gave (ServiceNow docs: Revoke OAuth token)."""
    for token in tokens:
        with suppress(LinkspanError):  # it is not kept in any case, and the error to tell is another
            line.call("GET", "/oauth_revoke_token.do", params={"token": token}, headers={"Accept": "*/*"})
