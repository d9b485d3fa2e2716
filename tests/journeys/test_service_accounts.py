"""A service account from the question to the machine: asked for, allowed, explored with, reduced, listed."""

from __future__ import annotations

import base64
import http.cookiejar
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.tables import ledger
from tests.contract.accounts import change, last_request, requests_since, rows
from tests.journeys.company import Company, at_home

pytestmark = pytest.mark.timeout(240)

ACCOUNTS, EXPLORERS = "ServiceNow Service Accounts", "ServiceNow API Explorers"
OWN = "Her own pass 1!"
FORTNIGHT = 15 * 86_400


class GovernedCompany(Company):
    """Three instances and one account; Abel Tuter owns it and reports to Beth Anglin."""

    example = "governed-account"


@pytest.fixture
def company(tmp_path: Path, wavetank_fleet, capsys, monkeypatch) -> Company:
    at_home(monkeypatch, tmp_path)
    company = GovernedCompany(tmp_path, wavetank_fleet.values(), capsys)
    prod = company.instances["prod"]
    (beth,) = rows(prod, "sys_user", "user_name=beth.anglin")
    change(prod, "sys_user", "user_name=abel.tuter", manager=beth["sys_id"])
    path = f"/api/now/table/sys_user/{beth['sys_id']}?sysparm_input_display_value=true"
    assert rest(prod, "PATCH", path, ("admin", "admin"), {"user_password": OWN})[0] == 200
    return company


def rest(
    instance: Any, method: str, path: str, login: tuple[str, str], body: Any = None
) -> tuple[int, dict[str, Any]]:
    """One call of an instance's REST API with a user name and a password."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{instance.url}{path}", method=method, data=data)
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read() or b"{}")


def signs_in(instance: Any, user_name: str, password: str) -> bool:
    """Whether the login page lets this user in to the home page."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    form = {"user_name": user_name, "user_password": password, "sys_action": "sysverb_login"}
    browser.open(f"{instance.url}/login.do", urllib.parse.urlencode(form).encode(), timeout=30).close()
    with browser.open(f"{instance.url}/navpage.do", timeout=30) as page:
        return "login.do" not in page.url


def groups_of(instance: Any, user_name: str) -> set[str]:
    """The groups of a user, by name."""
    members = rows(instance, "sys_user_grmember", f"user.user_name={user_name}")
    named = {row["sys_id"]: row["name"] for row in rows(instance, "sys_user_group")}
    return {named[row["group"]] for row in members}


def ask(company: Company) -> dict[str, Any]:
    return company.command(
        "accounts", "request", "reporter", "--by", "abel.tuter", "--reason", "Nightly report of open changes"
    )


def decide(company: Company, answer: str) -> None:
    """The manager answers in ServiceNow with her own login."""
    prod, beth = company.instances["prod"], ("beth.anglin", OWN)
    mine = urllib.parse.quote("approver.user_name=beth.anglin^state=requested")
    status, found = rest(prod, "GET", f"/api/now/table/sysapproval_approver?sysparm_query={mine}", beth)
    assert status == 200
    (approval,) = found["result"]
    path = f"/api/now/table/sysapproval_approver/{approval['sys_id']}"
    assert rest(prod, "PATCH", path, beth, {"state": answer})[0] == 200


def password_of(company: Company, instance: str) -> str:
    with company.wiring() as wiring:
        return wiring.credentials("reporter", instance).proven_parts()["password"]


def changes_since(company: Company, marks: dict[str, int]) -> list[str]:
    """Everything but reads that any instance was asked since then."""
    return [
        f"{name}: {one['method']} {one['path']}"
        for name, instance in company.instances.items()
        for one in requests_since(instance, marks[name])
        if one["method"] not in ("GET", "HEAD") and not one["path"].startswith("/-/")
    ]


def marks(company: Company) -> dict[str, int]:
    return {name: last_request(instance) for name, instance in company.instances.items()}


def test_from_the_question_to_the_machine(company: Company) -> None:
    asked = ask(company)
    assert asked["exit"] == 0, asked["problems"]
    assert (asked["result"]["state"], asked["result"]["manager"]) == ("requested", "beth.anglin")
    prod = company.instances["prod"]
    (item,) = rows(prod, "sc_req_item", f"number={asked['result']['item']}")
    for told in ("svc.reporter", "Abel Tuter", "Nightly report", ACCOUNTS, EXPLORERS, "itil"):
        assert told in item["description"]
    assert company.command("accounts", "status", "1", "--apply")["exit"] == 4, "nobody has decided yet"
    assert rows(prod, "sys_user", "user_name=svc.reporter") == []

    decide(company, "approved")
    done = company.command("accounts", "status", "1", "--apply")
    assert done["exit"] == 0, done["problems"]
    for name, instance in company.instances.items():
        (user,) = rows(instance, "sys_user", "user_name=svc.reporter")
        assert (user["identity_type"], user["web_service_access_only"]) == ("human", "false")
        assert groups_of(instance, "svc.reporter") == {ACCOUNTS, EXPLORERS}
        assert signs_in(instance, "svc.reporter", password_of(company, name))
    (abel,) = rows(prod, "sys_user", "user_name=abel.tuter")
    (user,) = rows(prod, "sys_user", "user_name=svc.reporter")
    assert user["manager"] == abel["sys_id"], "who asked answers for it"

    narrowed = company.command("accounts", "minimize", "reporter", "--by", "abel.tuter")
    assert narrowed["exit"] == 0, narrowed["problems"]
    for name, instance in company.instances.items():
        (user,) = rows(instance, "sys_user", "user_name=svc.reporter")
        assert (user["identity_type"], user["web_service_access_only"]) == ("machine", "true")
        assert groups_of(instance, "svc.reporter") == {ACCOUNTS}
        login = ("svc.reporter", password_of(company, name))
        assert not signs_in(instance, *login)
        status, _ = rest(instance, "POST", "/api/now/table/incident", login, {"short_description": "Works"})
        assert status == 201
    assert company.command("plan")["exit"] == 0, "linkspan.yaml says settled, and so it is"
    again = marks(company)  # a second time there is nothing left to do but to prove the login
    assert company.command("accounts", "minimize", "reporter", "--by", "abel.tuter")["exit"] == 0
    assert {one.split()[-1] for one in changes_since(company, again)} == {"/oauth_token.do"}

    listed = company.command("accounts", "list")["result"]["instances"]
    for one in listed.values():
        (reporter,) = [row for row in one["accounts"] if row["user_name"] == "svc.reporter"]
        assert (reporter["owner"], reporter["groups"]) == ("abel.tuter", [ACCOUNTS])
        assert reporter["standing"] == "minimize"
        assert {"name": "itil", "inherited": True} in reporter["roles"]
        assert "rest_api_explorer" not in {role["name"] for role in reporter["roles"]}
        assert reporter["last_used"]
        assert re.search("leaves? no mark", reporter["because"])

    book = company.command("accounts", "ledger", "--limit", "1000")
    assert (book["exit"], book["result"]["verified"]) == (0, True)
    actors = {entry["actor"] for entry in book["result"]["entries"]}
    assert {"abel.tuter", "beth.anglin", "abel.tuter (minimize)"} <= actors
    assert "abel.tuter, allowed by beth.anglin (request 1)" in actors
    with company.wiring() as wiring, wiring.database.begin() as transaction:
        approved = ledger.c.action == "approved"
        transaction.execute(sa.update(ledger).where(approved).values(actor="abel.tuter"))
    forged = company.command("accounts", "ledger")
    assert (forged["exit"], forged["problems"][0]["code"]) == (1, "ledger_broken")


@pytest.mark.parametrize("ending", ["rejected", "expired"])
def test_a_no_and_a_silence_change_nothing(company: Company, ending: str) -> None:
    ask(company)
    if ending == "rejected":
        decide(company, "rejected")
    else:
        later = clock.now() + FORTNIGHT
        clock.set_clock(lambda: later)
    try:
        before = marks(company)
        said = company.command("accounts", "status", "1", "--apply")
        assert changes_since(company, before) == []
    finally:
        clock.set_clock(None)
    assert (said["exit"], said["result"]["requests"][0]["state"]) == (1, ending)
    for instance in company.instances.values():
        assert rows(instance, "sys_user", "user_name=svc.reporter") == []
        assert rows(instance, "sys_user_group", f"name={ACCOUNTS}") == []


def test_nobody_allows_their_own(company: Company) -> None:
    prod = company.instances["prod"]
    (abel,) = rows(prod, "sys_user", "user_name=abel.tuter")
    change(prod, "sys_user", "user_name=abel.tuter", manager=abel["sys_id"])
    before = marks(company)
    refused = ask(company)
    assert (refused["exit"], refused["problems"][0]["code"]) == (1, "self_approval")
    assert changes_since(company, before) == []


@pytest.mark.browser
@pytest.mark.slow
def test_the_page_shows_it_as_it_happens(company: Company, chromium: Any) -> None:
    from playwright.sync_api import expect

    company.command("accounts", "list")
    company.config.write_text(company.config.read_text() + 'hub: {listen: "127.0.0.1:0"}\n')
    complaints: list[str] = []
    with company.hub() as ready:
        for width in (1280, 400):
            page = chromium.new_page(viewport={"width": width, "height": 900})
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(ready["open"])
            page.goto(f"{ready['url']}/accounts")
            if width == 1280:
                expect(page.get_by_label("Requests")).to_contain_text("Nobody has asked")
                ask(company)  # nobody reloads: the open page follows
            expect(page.get_by_label("Requests")).to_contain_text("Waits for the manager")
            expect(page.get_by_label("Ledger")).to_contain_text("Verified")
            wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wider <= 0, f"{wider} pixels wider than {width}"
            page.close()
    assert complaints == []
