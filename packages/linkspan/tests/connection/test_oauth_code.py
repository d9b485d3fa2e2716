"""A refresh token that a person's consent gave: used by one, replaced and kept, and told when it has ended."""

from __future__ import annotations

import threading

import pytest

from linkspan.connection import OAuthCode, OAuthConsent, connect, credential
from linkspan.core.errors import LinkspanError, NotAuthenticated
from linkspan.core.secret import Secret

from .conftest import Answer


class Instance:
    """Gives a new access token for the right refresh token, and another refresh token when told to."""

    def __init__(self, script) -> None:
        self.right, self.next, self.given = "r1", "", 0
        self.script = script
        script.rule = self.answer

    def answer(self, seen) -> Answer:
        if seen.path != "/oauth_token.do":
            known = seen.headers["authorization"] == f"Bearer a{self.given}"
            return Answer(json={"result": []}) if known else Answer(401, json={"error": "gone"})
        form = seen.form
        if form["grant_type"] == "authorization_code":
            right = (form["code"], form["code_verifier"], form["redirect_uri"]) == ("c1", "v1", "http://back")
        else:
            right = form["refresh_token"] == self.right
        if not right:
            return Answer(401, json={"error": "server_error", "error_description": "access_denied"})
        self.right, self.next = self.next or self.right, ""
        self.given += 1
        return Answer(
            json={"access_token": f"a{self.given}", "refresh_token": self.right, "expires_in": 1800}
        )

    @property
    def forms(self):
        return [seen.form for seen in self.script.seen if seen.path == "/oauth_token.do"]


@pytest.fixture
def there(script):
    return Instance(script)


def line_of(instance, **values):
    return connect(instance, OAuthCode("id", "secret", "r1", **values))


def test_the_refresh_token_gives_access_and_never_a_password(instance, there):
    with line_of(instance) as line:
        line.call("GET", "/api/x")
        line.call("GET", "/api/x")
    assert there.forms == [
        {"grant_type": "refresh_token", "client_id": "id", "client_secret": "secret", "refresh_token": "r1"}
    ]


def test_a_replaced_refresh_token_is_kept_and_used_from_then_on(instance, there):
    kept: list[str] = []
    there.next = "r2"
    with line_of(instance, keep=kept.append) as line:
        line.call("GET", "/api/x")
        assert kept == ["r2"]
        there.given += 1  # every access token is void
        line.call("GET", "/api/x")
    assert [form["refresh_token"] for form in there.forms] == ["r1", "r2"]
    assert kept == ["r2"]


def test_one_of_many_threads_asks(instance, there):
    with line_of(instance) as line:
        threads = [threading.Thread(target=line.call, args=("GET", "/api/x")) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(there.forms) == 1


def test_what_another_process_kept_is_tried_before_giving_up(instance, there):
    there.right = "r9"
    with line_of(instance, reread=lambda: "r9") as line:
        line.call("GET", "/api/x")
    assert [form["refresh_token"] for form in there.forms] == ["r1", "r9"]


def test_an_ended_authorization_says_what_to_do(instance, there):
    there.right = "other"
    with line_of(instance) as line, pytest.raises(NotAuthenticated) as caught:
        line.call("GET", "/api/x")
    assert caught.value.code == "authorization_ended"
    assert "linkspan authorize" in caught.value.fix
    assert len(there.forms) == 1


def consent(**values):
    parts = {"client_id": "id", "client_secret": "secret", "code": "c1", "redirect_uri": "http://back"}
    return OAuthConsent(**{**parts, "verifier": "v1", **values})


def test_a_code_is_exchanged_once_with_its_verifier(instance, there):
    kept: list[str] = []
    with connect(instance, consent(keep=kept.append)) as line:
        line.call("GET", "/api/x")
        line.call("GET", "/api/x")
        there.given += 1
        with pytest.raises(LinkspanError) as caught:
            line.call("GET", "/api/x")
    assert caught.value.code == "authorization_refused"
    assert kept == ["r1"]
    assert [form["grant_type"] for form in there.forms] == ["authorization_code"]


def test_a_code_whose_answer_was_lost_is_not_sent_again(instance, there, script):
    script.answers = [Answer(drop=True)]
    with connect(instance, consent()) as line, pytest.raises(LinkspanError):
        line.call("GET", "/api/x")
    assert len(there.forms) == 1


def test_nothing_of_it_shows(instance):
    shown = repr(OAuthCode("id", "secret1", "token1")) + repr(consent(code="code1", verifier="v9"))
    assert not [word for word in ("secret1", "token1", "code1", "v9") if word in shown]


def test_it_is_made_of_stored_parts():
    stored = '{"client_id": "c", "client_secret": "s", "refresh_token": "r"}'
    assert credential("oauth_code", stored) == OAuthCode("c", Secret("s"), Secret("r"))
