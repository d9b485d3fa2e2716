"""`/oauth_auth.do`: a person lets an application act in the person's name, or does not.

ServiceNow docs: Authorization code grant workflow; Authorization code flow state parameter requirement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from wavetank.apis import oauth
from wavetank.apis.ui import page
from wavetank.apis.ui.page import field, tag
from wavetank.security import oauth_grants as grants

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.sessions import UiSession

ADDRESS = "/oauth_auth.do"
MISSING_STATE = "Missing State parameter in request"
_KEPT = (
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
)
IMPLICIT = "glide.oauth.clients.allowed.for.implicit.grant"
# A SHA-256 digest in base64url (RFC 7636).
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def routes() -> list[Route]:
    return [Route(ADDRESS, _ask), Route(ADDRESS, _answer, methods=["POST"])]


class Wrong(Exception):
    """A request that must not redirect anywhere: nobody knows whether the address is the client's."""


class Denied(Exception):
    """A request that is answered at the client's address; the text is the OAuth error."""

    def __init__(self, error: str, asked: Asked) -> None:
        super().__init__(error)
        self.error = error
        self.asked = asked


@dataclass(frozen=True)
class Asked:
    """A request for authorization whose client and address are known to belong together."""

    client: Mapping[str, str]
    to: str
    form: Mapping[str, str]
    scope: str = ""

    def back(self, **answer: str) -> RedirectResponse:
        """To the client's address, with what became of its request and the state it sent."""
        if "state" in self.form:
            answer["state"] = self.form["state"]
        joint = "&" if "?" in self.to else "?"
        return page.to(f"{self.to}{joint}{urlencode(answer)}")


async def _ask(request: Request) -> Response:
    instance, held = _place(request)
    with instance.lock:
        try:
            asked = _asked(instance, request.query_params)
        except Wrong as wrong:
            return page.show(instance, str(wrong), held=held, status=400)
        except Denied as denied:
            return denied.asked.back(error=denied.error)
    if held is None:
        return page.to_login(request)
    name = asked.client["name"]
    kept = [field("hidden", key, asked.form[key]) for key in _KEPT if key in asked.form]
    form = tag(
        "form",
        field("hidden", "sysparm_ck", held.token),
        *kept,
        tag("button", "Allow", name_="sys_action", value="allow"),
        " ",
        tag("button", "Deny", name_="sys_action", value="deny"),
        method="post",
        action=ADDRESS,
    )
    says = tag(
        "p", tag("b", name), " asks to act on ", tag("b", instance.name), f" as {held.who.user['name']}."
    )
    return page.show(instance, f"Allow {name}?", says, form, held=held)


async def _answer(request: Request) -> Response:
    instance, held = _place(request)
    body = (await request.body()).decode("utf-8", "replace")
    form = dict(parse_qsl(body, keep_blank_values=True))
    if held is None:
        return page.to(page.LOGIN)
    if not held.proves(form.get("sysparm_ck", "")):
        return page.show(instance, page.UNPROVEN, held=held, status=403)
    with instance.lock:
        try:
            asked = _asked(instance, form)
        except Wrong as wrong:
            return page.show(instance, str(wrong), held=held, status=400)
        except Denied as denied:
            return denied.asked.back(error=denied.error)
        if form.get("sys_action") != "allow":
            return asked.back(error="access_denied")
        give = _implicit if form.get("response_type") == "token" else _code
        return asked.back(**give(instance, held, asked))


def _code(instance: Instance, held: UiSession, asked: Asked) -> dict[str, str]:
    form = asked.form
    code = instance.identity.codes.issue(
        held.who.sys_id,
        asked.client["sys_id"],
        form.get("redirect_uri", ""),
        form.get("code_challenge", ""),
        asked.scope,
    )
    return {"code": code}


def _implicit(instance: Instance, held: UiSession, asked: Asked) -> dict[str, str]:
    """A token at once and no refresh token, in the query (ServiceNow docs: OAuth implicit grants)."""
    tokens, client = instance.identity.tokens, asked.client
    seconds = grants.access_seconds(client)
    access, remaining = tokens.issue("access", held.who.user, client, "oauth_implicit", seconds, asked.scope)
    told = {"token_type": "Bearer", "expires_in": str(remaining), "scope": asked.scope}
    return {"access_token": access, **told}


def _asked(instance: Instance, form: Mapping[str, str]) -> Asked:
    """The request, judged. Raises Wrong and Denied."""
    required = instance.property(oauth.STATE_REQUIRED, "false") == "true"
    if required and not form.get("state", "").strip():
        raise Wrong(MISSING_STATE)
    client = grants.registered(instance, form.get("client_id", ""))
    if client is None:
        raise Wrong("The client is unknown or inactive")
    asked = Asked(client, _address(instance, client, form.get("redirect_uri", "")), form)
    error = _error(instance, asked)
    if error:
        raise Denied(error, asked)
    try:
        scope = grants.scope_of(instance, client, grants.CODE, form.get("scope", ""))
    except grants.Refused as unknown:
        raise Denied("invalid_scope", asked) from unknown
    return replace(asked, scope=scope)


def _address(instance: Instance, client: Mapping[str, str], given: str) -> str:
    """Where to answer: the registered URL that was named exactly, or the only one. Raises Wrong."""
    known = [each for each in re.split(r"[\s,]+", client["redirect_url"]) if each]
    if given in known:
        return given
    first = instance.settings.get("redirect_mismatch") == "first"
    if not known or (not first and (given or len(known) != 1)):
        raise Wrong("The redirect URI is not one that is registered for the client")
    return known[0]


def _error(instance: Instance, asked: Asked) -> str:
    form, client = asked.form, asked.client
    if not instance.identity.tokens.on:
        return "unauthorized_client"
    if form.get("response_type") == "token":
        allowed = re.split(r"[\s,]+", instance.property(IMPLICIT))
        return "" if client["client_id"] in allowed else "unsupported_response_type"
    if form.get("response_type") != "code":
        return "unsupported_response_type"
    if not grants.allows(instance, client, grants.CODE):
        return "unauthorized_client"
    challenge = form.get("code_challenge", "")
    needed = client["public_client"] == "true" or client["use_pkce"] == "true"
    sound = form.get("code_challenge_method") == "S256" and _CHALLENGE.fullmatch(challenge)
    return "invalid_request" if (needed or challenge) and not sound else ""


def _place(request: Request) -> tuple[Instance, UiSession | None]:
    held: UiSession | None = getattr(request.state, "held", None)
    return request.app.state.instance, held
