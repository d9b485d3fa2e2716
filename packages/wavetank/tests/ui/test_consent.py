"""The authorization code grant, from the first redirect to the refresh."""

import base64
import hashlib
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from wavetank.apis.oauth import STATE_REQUIRED
from wavetank.app import Options, create

BACK = "http://127.0.0.1:8123/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
DENIED = {"error_description": "access_denied", "error": "server_error"}


class App:
    """A registered application in front of a browser."""

    def __init__(self, browser: Any, instance: Any) -> None:
        self.browser, self.instance = browser, instance
        self.register()

    def register(self, client_id: str = "app", **values: str) -> None:
        row = {"name": "The App", "client_id": client_id, "active": "true", "redirect_url": BACK, **values}
        secret = self.instance.seal.seal("s3cret")
        self.instance.database.insert("oauth_entity", {**row, "client_secret": secret})

    def change(self, **values: str) -> None:
        row = self.instance.database.first("oauth_entity", client_id="app")
        self.instance.database.update("oauth_entity", row["sys_id"], values)

    def ask(self, **asked: str) -> Any:
        """The authorization request; a parameter given as "" is left out."""
        known = {"response_type": "code", "client_id": "app", "redirect_uri": BACK, "state": "s1", **asked}
        return self.browser.get(f"/oauth_auth.do?{urlencode({k: v for k, v in known.items() if v})}")

    def answer(self, page: Any, action: str = "allow", **changed: str) -> Any:
        """Presses a button of the consent page."""
        found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)
        form = {name: unescape(value) for name, value in found}
        return self.browser.post("/oauth_auth.do", {**form, "sys_action": action, **changed})

    def code(self, **asked: str) -> str:
        return str(_sent(self.answer(self.ask(**asked)))["code"])

    def token(self, code: str, **form: str) -> Any:
        """The token request; a parameter given as "" is left out."""
        known = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": "app",
            "client_secret": "s3cret",
            "redirect_uri": BACK,
            **form,
        }
        return self.browser.post("/oauth_token.do", {k: v for k, v in known.items() if v})


def _sent(answer: Any) -> dict[str, str]:
    """What a redirect to the client says."""
    assert answer.status_code == 302, answer.text
    location = answer.headers["location"]
    assert location.startswith(BACK + "?"), location
    return {name: value for name, (value,) in parse_qs(urlsplit(location).query).items()}


@pytest.fixture
def app(browser: Any, instance: Any) -> App:
    return App(browser, instance)


@pytest.fixture
def ann(browser: Any, person: Any, app: App) -> Any:
    """Ann, logged in."""
    row = person("ann", "itil")
    browser.log_in("ann")
    return row


@pytest.mark.claim("code-consent")
@pytest.mark.claim("code-consent-page")
def test_a_person_logs_in_consents_and_comes_back_with_a_code(browser: Any, person: Any, app: App) -> None:
    person("ann", "itil")
    first = app.ask(state="a b&c")
    assert first.status_code == 302
    goto = parse_qs(urlsplit(first.headers["location"]).query)["sysparm_goto_url"][0]
    page = browser.get(browser.log_in("ann", sysparm_goto_url=goto).headers["location"])
    assert "The App" in page.text
    assert "code=" not in page.text
    back = _sent(app.answer(page))
    assert (back.keys(), back["state"]) == ({"code", "state"}, "a b&c")


@pytest.mark.claim("oauth-code-grant")
def test_the_code_gives_tokens_of_the_person_who_consented(browser: Any, ann: Any, app: App) -> None:
    answer = app.token(app.code())
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access_token", "refresh_token", "scope", "token_type", "expires_in"}
    browser.client.cookies.clear()
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    query = "sysparm_query=sys_id=javascript:gs.getUserID()&sysparm_fields=user_name"
    found = browser.client.get(f"/api/now/table/sys_user?{query}", headers=bearer)
    assert found.json() == {"result": [{"user_name": "ann"}]}
    assert browser.instance.requests.since()[-1]["scheme"] == "oauth_code"
    form = {"grant_type": "refresh_token", "client_id": "app", "client_secret": "s3cret"}
    browser.instance.clock.advance(1900)
    again = browser.post("/oauth_token.do", {**form, "refresh_token": body["refresh_token"]}).json()
    assert again["access_token"] != body["access_token"]


@pytest.mark.claim("code-consent")
def test_a_person_may_refuse(ann: Any, app: App) -> None:
    assert _sent(app.answer(app.ask(), "deny")) == {"error": "access_denied", "state": "s1"}


@pytest.mark.claim("code-consent-page")
def test_nobody_is_made_to_consent(browser: Any, ann: Any, app: App) -> None:
    page = app.ask()
    assert app.answer(page, sysparm_ck="guessed").status_code == 403
    browser.client.cookies.clear()
    assert app.answer(page).headers["location"].startswith("/login.do")


@pytest.mark.claim("code-human-only")
def test_an_account_for_web_services_cannot_consent(browser: Any, person: Any, app: App) -> None:
    person("svc", web_service_access_only="true")
    browser.log_in("svc")
    assert app.ask().headers["location"].startswith("/login.do")


@pytest.mark.claim("code-redirect-exact")
@pytest.mark.parametrize(
    "asked",
    [{"redirect_uri": BACK + "/"}, {"redirect_uri": "http://evil.example/"}, {"client_id": "other"}],
    ids=["longer", "elsewhere", "unknown client"],
)
def test_nothing_is_sent_to_an_address_that_is_not_registered(
    ann: Any, app: App, asked: dict[str, str]
) -> None:
    page = app.ask(**asked)
    assert (page.status_code, "location" in page.headers) == (400, False)
    assert "Allow" not in page.text


@pytest.mark.claim("code-redirect-exact")
def test_the_address_may_be_left_out_when_there_is_one(ann: Any, app: App) -> None:
    assert app.token(app.code(redirect_uri=""), redirect_uri="").status_code == 200
    app.change(redirect_url=f"{BACK},http://b.example/\nhttp://c.example/")
    assert app.ask(redirect_uri="").status_code == 400
    assert app.ask().status_code == 200


@pytest.mark.claim("code-state-required")
def test_the_state_can_be_required(ann: Any, app: App) -> None:
    assert "state" not in _sent(app.answer(app.ask(state="")))
    app.instance.set_property(STATE_REQUIRED, "true")
    page = app.ask(state="")
    assert page.status_code == 400
    assert "Missing State parameter in request" in page.text
    assert app.ask().status_code == 200
    assert [create(Options(zboot=new))[0].property(STATE_REQUIRED) for new in (True, False)] == ["true", ""]


@pytest.mark.claim("code-pkce")
def test_a_public_client_proves_itself_by_its_verifier(ann: Any, app: App) -> None:
    app.change(public_client="true", use_pkce="true")
    assert _sent(app.ask())["error"] == "invalid_request"
    assert _sent(app.ask(**{**PKCE, "code_challenge_method": "plain"}))["error"] == "invalid_request"
    refused = app.token(app.code(**PKCE), client_secret="", code_verifier="w" * 43)
    assert (refused.status_code, refused.json()) == (401, DENIED)
    taken = app.token(app.code(**PKCE), client_secret="", code_verifier=VERIFIER)
    assert taken.status_code == 200
    assert "refresh_token" not in taken.json()


@pytest.mark.claim("code-pkce")
def test_a_challenge_binds_a_private_client_too(ann: Any, app: App) -> None:
    assert app.token(app.code(**PKCE)).status_code == 401
    assert app.token(app.code(**PKCE), client_secret="", code_verifier=VERIFIER).status_code == 401
    assert app.token(app.code(**PKCE), code_verifier=VERIFIER).status_code == 200


@pytest.mark.claim("code-errors")
@pytest.mark.parametrize(
    ("asked", "registered", "error"),
    [
        ({"response_type": "token"}, {}, "unsupported_response_type"),
        ({"scope": "everything"}, {}, "invalid_scope"),
        ({}, {"inbound_grant_type": "client_credential"}, "unauthorized_client"),
        ({}, {"inbound_grant_type": "ropc"}, "unauthorized_client"),
    ],
)
def test_a_wrong_request_goes_back_with_an_error(
    ann: Any, app: App, asked: dict[str, str], registered: dict[str, str], error: str
) -> None:
    app.change(**registered)
    assert _sent(app.ask(**asked)) == {"error": error, "state": "s1"}


@pytest.mark.claim("oauth-code-bound")
def test_a_code_is_good_once_and_for_what_it_was_asked_for(ann: Any, app: App) -> None:
    app.register("other")
    once = app.code()
    assert app.token(once).status_code == 200
    for code, form in (
        (once, {}),
        (app.code(), {"client_id": "other"}),
        (app.code(), {"redirect_uri": "http://b.example/"}),
        (app.code(), {"redirect_uri": ""}),
        ("made up", {}),
    ):
        refused = app.token(code, **form)
        assert (refused.status_code, refused.json()) == (401, DENIED)
    burnt = app.code()
    assert app.token(burnt, client_id="other").status_code == 401
    assert app.token(burnt).status_code == 401


@pytest.mark.claim("oauth-code-life")
def test_a_code_is_soon_over(ann: Any, app: App) -> None:
    app.instance.clock.freeze()
    code = app.code()
    app.instance.clock.advance(60)
    assert app.token(code).status_code == 401
    app.instance.configure({"authorization_code_seconds": 600})
    code = app.code()
    app.instance.clock.advance(60)
    assert app.token(code).status_code == 200


@pytest.mark.claim("oauth-code-grant")
def test_a_person_who_left_gets_no_token(ann: Any, app: App) -> None:
    code = app.code()
    app.instance.database.update("sys_user", ann["sys_id"], {"active": "false"})
    assert app.token(code).status_code == 401


@pytest.mark.claim("code-scope")
def test_the_tokens_have_the_scope_that_was_consented_to(ann: Any, app: App) -> None:
    entry = app.instance.database.first("oauth_entity", client_id="app")["sys_id"]
    app.instance.database.insert("oauth_entity_scope", {"oauth_entity": entry, "name": "read"})
    body = app.token(app.code(scope="read")).json()
    assert body["scope"] == "read"
    form = {"grant_type": "refresh_token", "client_id": "app", "client_secret": "s3cret"}
    again = app.browser.post("/oauth_token.do", {**form, "refresh_token": body["refresh_token"]})
    assert again.json()["scope"] == "read"
    assert app.token(app.code()).json()["scope"] == "useraccount"


@pytest.mark.claim("code-redirect-mismatch")
def test_an_unknown_address_may_mean_the_first(ann: Any, app: App) -> None:
    app.change(redirect_url=f"{BACK},http://b.example/")
    assert app.ask(redirect_uri="http://evil.example/").status_code == 400
    app.instance.configure({"redirect_mismatch": "first"})
    assert "code" in _sent(app.answer(app.ask(redirect_uri="http://evil.example/")))
    app.change(redirect_url="")
    assert app.ask(redirect_uri="http://evil.example/").status_code == 400


@pytest.mark.claim("oauth-implicit")
def test_the_implicit_grant_is_for_listed_clients_only(browser: Any, ann: Any, app: App) -> None:
    listed = "glide.oauth.clients.allowed.for.implicit.grant"
    for others in ("", "other, another"):
        app.instance.set_property(listed, others)
        assert _sent(app.ask(response_type="token"))["error"] == "unsupported_response_type"
    app.instance.set_property(listed, "other, app")
    page = app.ask(response_type="token")
    assert _sent(app.answer(page, "deny")) == {"error": "access_denied", "state": "s1"}
    sent = _sent(app.answer(page))
    assert set(sent) == {"access_token", "token_type", "expires_in", "scope", "state"}
    browser.client.cookies.clear()
    bearer = {"Authorization": f"Bearer {sent['access_token']}"}
    assert browser.client.get("/api/now/table/sys_user?sysparm_limit=1", headers=bearer).status_code == 200
    assert browser.instance.requests.since()[-1]["scheme"] == "oauth_implicit"
