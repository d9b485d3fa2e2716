"""OAuth authorization code: provisioned, allowed once by the account's person, proven, kept and renewed."""

from __future__ import annotations

import json
import threading
import urllib.request
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from linkspan.config.values import REDIRECT_PORT
from linkspan.connection.redirect import address
from linkspan.core.errors import LinkspanError, NotAuthenticated
from linkspan.demo.line import Line, basic
from linkspan.demo.person import Person
from linkspan.flows.authorize import authorize
from linkspan.store.ledger import Ledger
from tests.contract.accounts import House, change, requests_since, rows

PASSWORD = "Their own pass 1!"


@pytest.fixture
def house(tmp_path, tank, capsys, unused_port):
    house = House(tmp_path, [tank], capsys)
    house.write("oauth_code", recipe="harness-sei")
    text = house.config.read_text().replace(
        "scheme: oauth_code", f"scheme: oauth_code, redirect_port: {unused_port}"
    )
    house.config.write_text(text)
    return house


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def give_password(tank, user="svc.responder"):
    """What an administrator does on the user's form."""
    line = Line(tank.url, basic(*tank.admin))
    (found,) = line.rows("sys_user", f"user_name={user}", "sys_id")
    line.change("sys_user", found["sys_id"], {"user_password": PASSWORD}, input_display=True)


class Browser:
    """Somebody who is given the page's address and answers it, beside the waiting command."""

    def __init__(self, tank, user="svc.responder", password=PASSWORD, *, allow=True, twist=lambda url: url):
        self.tank, self.user, self.password, self.allow, self.twist = tank, user, password, allow, twist
        self.url = ""
        self.status = 0

    def open(self, url):
        self.url = url
        self.thread = threading.Thread(target=self._answer, daemon=True)
        self.thread.start()

    def _answer(self):
        with Person(self.tank.url, self.user, self.password) as person:
            person.sign_in()
            self.status = person.consent(self.twist(self.url), allow=self.allow)


def run(house, browser, timeout=20.0):
    with house.wiring() as wiring:
        return authorize(wiring, "responder", browser.tank.name, open_page=browser.open, timeout=timeout)


def refused(house, browser, timeout=20.0):
    with pytest.raises(LinkspanError) as caught:
        run(house, browser, timeout)
    assert caught.value.fix
    return caught.value.code


def ready(house, tank):
    applied = house.command("apply", "--yes")
    assert applied["exit"] == 4, applied["problems"]
    give_password(tank)
    return applied


def test_from_nothing_to_a_running_account(house, tank):
    applied = ready(house, tank)
    (one,) = applied["result"]["instances"].values()
    (step,) = one["manual"]
    assert step["kind"] == "credential"
    assert f"`linkspan authorize responder --instance {tank.name}`" in step["artefact"]
    assert one["logins"] == {}
    (left,) = house.command("plan")["result"]["instances"][tank.name]["changes"]
    assert left["action"] == "manual"

    browser = Browser(tank)
    done = run(house, browser)
    assert (done.user_name, done.secret) == ("svc.responder", f"store:{tank.name}/responder/oauth_code")
    browser.thread.join(5)
    assert browser.status == 200
    assert house.command("plan")["exit"] == 0
    assert house.command("apply", "--yes")["result"]["instances"][tank.name]["logins"] == {
        "responder": "svc.responder"
    }
    checks = house.command("preflight", "--write")["result"]["checks"]
    outcomes = {one["check"]: one["outcome"] for one in checks}
    assert "fail" not in outcomes.values()
    assert (outcomes["tables_read"], outcomes["incident_write"]) == ("pass", "skip")
    with house.wiring() as wiring:
        entries = Ledger(wiring.database).entries()
        secret = wiring.secrets.get(f"{tank.name}/responder/oauth_code")
    assert ("linkspan authorize", "authorize") in {(one["actor"], one["action"]) for one in entries}
    assert secret
    assert "refresh_token" in secret
    assert "refresh_token" not in str(entries)


def test_the_account_is_a_person_and_the_application_knows_the_way_back(house, tank):
    ready(house, tank)
    (user,) = rows(tank, "sys_user", "user_name=svc.responder")
    assert (user["identity_type"], user["web_service_access_only"]) == ("human", "false")
    (application,) = rows(tank, "oauth_entity", "name=linkspan.responder")
    with house.wiring() as wiring:
        port = wiring.account("responder").redirect_port
    assert port != REDIRECT_PORT
    assert application["redirect_url"] == address(port)
    assert application["use_pkce"] == "true"
    assert application["default_grant_type"] == "authorization_code"
    asked = []

    class Reader(Browser):
        def open(self, url):
            asked.append(url)
            super().open(url)

    run(house, Reader(tank))
    sent = {name: values[0] for name, values in parse_qs(urlsplit(asked[0]).query).items()}
    assert sent["code_challenge_method"] == "S256"
    assert len(sent["code_challenge"]) == 43
    assert len(sent["state"]) >= 32
    assert sent["redirect_uri"] == address(port)


def test_denied(house, tank):
    ready(house, tank)
    assert refused(house, Browser(tank, allow=False)) == "authorization_denied"
    assert house.command("plan")["exit"] == 1


def test_another_state(house, tank):
    ready(house, tank)

    def twist(url):
        parts = urlsplit(url)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return f"{parts.path}?{urlencode({**asked, 'state': 'another'})}"

    assert refused(house, Browser(tank, twist=twist)) == "authorization_wrong_state"


def test_nobody_comes_back(house, tank):
    ready(house, tank)

    class Nobody(Browser):
        def open(self, url):
            self.url = url

    assert refused(house, Nobody(tank), timeout=0.5) == "authorization_timeout"


def test_the_wrong_person_and_nothing_of_it_stays(house, tank):
    ready(house, tank)
    assert refused(house, Browser(tank, *tank.admin)) == "wrong_account"
    with house.wiring() as wiring:
        assert not wiring.credentials("responder", tank.name).has_consent
    revoked = [one for one in requests_since(tank) if one["path"] == "/oauth_revoke_token.do"]
    assert [one["status"] for one in revoked] == [200]


def test_what_cannot_be_proven_is_revoked(house, tank):
    ready(house, tank)
    match = {"method": "GET", "path": "/api/now/table/sys_user", "user": "svc.responder"}
    tank.control("faults", [{"match": match, "do": "status", "status": 503}])
    refused(house, Browser(tank))
    with house.wiring() as wiring:
        assert not wiring.credentials("responder", tank.name).has_consent
    revoked = [one for one in requests_since(tank) if one["path"] == "/oauth_revoke_token.do"]
    assert [one["status"] for one in revoked] == [200]


def test_another_redirect_is_told_before_the_page_opens(house, tank):
    ready(house, tank)
    change(tank, "oauth_entity", "name=linkspan.responder", redirect_url="http://127.0.0.1:1/other")
    browser = Browser(tank)
    assert refused(house, browser) == "wrong_redirect"
    assert browser.url == ""


def test_a_stolen_code_is_worth_nothing_without_the_verifier(house, tank):
    ready(house, tank)

    def twist(url):
        parts = urlsplit(url)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return f"{parts.path}?{urlencode({**asked, 'code_challenge': 'A' * 43})}"

    assert refused(house, Browser(tank, twist=twist)) == "oauth_refused"


def test_by_the_command_line(house, tank, monkeypatch):
    ready(house, tank)
    browser = Browser(tank)
    monkeypatch.setattr("webbrowser.open", lambda url: browser.open(url) or True)
    done = house.command("authorize", "responder", "--instance", tank.name, "--timeout", "20")
    assert done["exit"] == 0, done["problems"]
    assert done["result"]["user_name"] == "svc.responder"
    assert "refresh" not in str(done)
    late = house.command("authorize", "responder", "--instance", tank.name, "--no-browser", "--timeout", "1")
    assert (late["exit"], late["problems"][0]["code"]) == (3, "authorization_timeout")
    assert house.command("plan")["exit"] == 0


def test_a_refresh_token_given_by_hand_is_proven_too(house, tank):
    ready(house, tank)
    run(house, Browser(tank))
    with house.wiring() as wiring:
        held = wiring.credentials("responder", tank.name)
        token = held.refresh_token()
        wiring.secrets.put(held.name, token, pending=True)
    assert house.command("apply", "--yes")["exit"] == 0
    assert house.command("plan")["exit"] == 0
    with house.wiring() as wiring:
        assert wiring.connection("responder", tank.name).whoami()["user_name"] == "svc.responder"


def test_an_administrator_may_sign_in_so_too(house, tank, monkeypatch):
    """With a refresh token of the administrator's own, kept in the secret store."""
    tank.control(
        "records/oauth_entity",
        {"name": "ops", "type": "client", "active": "true", "client_id": "ops", "client_secret": "s1"},
    )
    form = {
        "grant_type": "password",
        "client_id": "ops",
        "client_secret": "s1",
        "username": "admin",
        "password": "admin",
    }
    with urllib.request.urlopen(f"{tank.url}/oauth_token.do", urlencode(form).encode()) as answer:
        token = json.load(answer)["refresh_token"]
    monkeypatch.setenv("OPS_SECRET", "s1")
    text = house.config.read_text()
    house.config.write_text(
        text.replace(
            'admin: {scheme: basic, user: admin, secret: "env:TANK_ADMIN"}',
            'admin: {scheme: oauth_code, client_id: ops, client_secret: "env:OPS_SECRET", secret: "store:ops"}',
        )
    )
    with house.wiring() as wiring:
        wiring.secrets.put("ops", token)
    assert house.command("plan")["exit"] == 1


def test_before_apply_there_is_nothing_to_allow(house, tank):
    found = house.command("authorize", "responder", "--instance", tank.name, "--no-browser")
    assert found["exit"] == 2
    assert "linkspan apply" in found["problems"][0]["fix"]
    house.write("oauth_client", recipe="harness-sei")
    found = house.command("authorize", "responder", "--instance", tank.name, "--no-browser")
    assert found["exit"] == 2
    assert "oauth_client" in found["problems"][0]["cause"]


def test_a_withdrawn_authorization_is_named(house, tank):
    ready(house, tank)
    run(house, Browser(tank))
    with house.wiring() as wiring:
        token = wiring.credentials("responder", tank.name).refresh_token()
    anonymous = Line(tank.url)
    anonymous.call("GET", "/oauth_revoke_token.do", params={"token": token})
    with house.wiring() as wiring, pytest.raises(NotAuthenticated) as caught:
        wiring.connection("responder", tank.name).whoami()
    assert caught.value.code == "authorization_ended"
    checks = house.command("preflight")["result"]["checks"]
    (login,) = [one for one in checks if one["check"] == "login"]
    assert login["causes"][0]["id"] == "authorization_ended"


def test_a_recreated_application_has_to_be_allowed_again(house, tank):
    ready(house, tank)
    run(house, Browser(tank))
    (application,) = rows(tank, "oauth_entity", "name=linkspan.responder")
    tank.control(f"records/oauth_entity/{application['sys_id']}", method="DELETE")
    found = house.command("plan")["result"]["instances"][tank.name]["changes"]
    assert [(one["action"], one["kind"]) for one in found] == [
        ("create", "oauth_application"),
        ("update", "credential"),
        ("manual", "credential"),
    ]
    assert house.command("apply", "--yes")["exit"] == 4
    run(house, Browser(tank))
    assert house.command("plan")["exit"] == 0
