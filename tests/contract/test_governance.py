"""Requests for accounts on running instances: asked here, decided there, nothing without a yes."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from linkspan.core import clock
from linkspan.store.requests import Requests
from linkspan.store.tables import ledger
from tests.contract.accounts import House, change, last_request, requests_since, rows
from tests.contract.test_json_output import shapes, unlike

RECIPE = """\
recipe: mine
profiles:
  exploring:
    grants:
      - {role: sn_incident_write, because: it writes}
      - {role: rest_api_explorer, because: its owner tries calls out}
  settled:
    grants:
      - {role: sn_incident_write, because: it writes}
"""
ASK = ("accounts", "request", "responder", "--by", "abel.tuter", "--reason", "nightly report")
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
def house(tmp_path: Path, wavetank_fleet, capsys) -> House:
    """Abel Tuter owns the account and asks; Beth Anglin is his manager on record."""
    (tmp_path / "mine.yaml").write_text(RECIPE)
    house = House(tmp_path, wavetank_fleet.values(), capsys)
    house.write("oauth_password", recipe="mine.yaml", profile="settled")
    prod = house.instances["prod"]
    (beth,) = rows(prod, "sys_user", "user_name=beth.anglin")
    change(prod, "sys_user", "user_name=abel.tuter", manager=beth["sys_id"])
    return house


def writes(house: House, since: dict[str, int]) -> list[str]:
    """What was asked of any instance since then that is not a read."""
    return [
        f"{name} {one['method']} {one['path']}"
        for name, instance in house.instances.items()
        for one in requests_since(instance, since[name])
        if one["method"] in WRITES and not one["path"].startswith("/-/")
    ]


def now_on(house: House) -> dict[str, int]:
    return {name: last_request(instance) for name, instance in house.instances.items()}


def give_password(instance: Any, user_name: str, password: str) -> None:
    (user,) = rows(instance, "sys_user", f"user_name={user_name}")
    path = f"/api/now/table/sys_user/{user['sys_id']}?sysparm_input_display_value=true"
    assert call(instance, "PATCH", path, {"user_password": password})[0] == 200


def call(
    instance: Any, method: str, path: str, body: Any = None, login: tuple[str, str] = ("admin", "admin")
) -> tuple[int, Any]:
    """One call of the REST API as somebody."""
    request = urllib.request.Request(
        f"{instance.url}{path}", method=method, data=None if body is None else json.dumps(body).encode()
    )
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def decide(house: House, state: str, user_name: str = "beth.anglin") -> None:
    """Somebody answers in ServiceNow, signed in as themselves."""
    prod = house.instances["prod"]
    give_password(prod, user_name, "Their own 1!")
    (approval,) = rows(prod, "sysapproval_approver", "")
    path = f"/api/now/table/sysapproval_approver/{approval['sys_id']}"
    status, answer = call(prod, "PATCH", path, {"state": state}, (user_name, "Their own 1!"))
    assert status == 200, answer
    (approval,) = rows(prod, "sysapproval_approver", "")
    assert approval["state"] == state, approval


def code_of(document: dict[str, Any]) -> str:
    return document["problems"][0]["code"]


def test_a_yes_makes_the_account_and_closes_the_item(house):
    asked = house.command(*ASK)
    assert asked["exit"] == 0, asked["problems"]
    assert asked["result"]["manager"] == "beth.anglin"
    assert house.command("accounts", "status", "1")["exit"] == 4
    decide(house, "approved")
    since = now_on(house)
    seen = house.command("accounts", "status", "1")
    assert (seen["exit"], seen["result"]["requests"][0]["state"]) == (4, "approved")
    assert writes(house, since) == []

    done = house.command("accounts", "status", "1", "--apply")
    assert done["exit"] == 0, done["problems"]
    (request,) = done["result"]["requests"]
    assert (request["state"], request["decided_by"]) == ("fulfilled", "beth.anglin")
    prod = house.instances["prod"]
    (item,) = rows(prod, "sc_req_item", "correlation_idSTARTSWITHlinkspan:account:")
    assert item["state"] == "3"
    for instance in house.instances.values():
        assert rows(instance, "sys_user", "user_name=svc.responder")
    assert house.command("accounts", "status", "1", "--apply")["exit"] == 0


@pytest.mark.parametrize("answer", ["rejected", "expired"])
def test_a_no_and_no_answer_change_nothing(house, answer):
    house.command(*ASK)
    if answer == "rejected":
        decide(house, "rejected")
    else:
        later = clock.now() + 15 * 86_400
        clock.set_clock(lambda: later)
    try:
        since = now_on(house)
        said = house.command("accounts", "status", "1", "--apply")
        assert (said["exit"], said["result"]["requests"][0]["state"]) == (1, answer)
        assert house.command("accounts", "status", "--apply")["exit"] == 0
        assert writes(house, since) == []
    finally:
        clock.set_clock(None)
    for instance in house.instances.values():
        assert rows(instance, "sys_user", "user_name=svc.responder") == []


def test_a_late_yes_is_none(house):
    house.command(*ASK)
    decide(house, "approved")
    later = clock.now() + 15 * 86_400
    clock.set_clock(lambda: later)
    try:
        said = house.command("accounts", "status", "1", "--apply")
    finally:
        clock.set_clock(None)
    assert said["result"]["requests"][0]["state"] == "expired"
    assert rows(house.instances["prod"], "sys_user", "user_name=svc.responder") == []


def test_an_administrators_yes_is_not_the_managers(house):
    house.command(*ASK)
    change(house.instances["prod"], "sysapproval_approver", "state=requested", state="approved")
    since = now_on(house)
    said = house.command("accounts", "status", "1", "--apply")
    assert (said["exit"], code_of(said)) == (4, "not_the_manager")
    assert writes(house, since) == []


def test_a_yes_to_another_question_does_not_count(house):
    house.command(*ASK)
    decide(house, "approved")
    recipe = house.folder / "mine.yaml"
    recipe.write_text(RECIPE.replace("rest_api_explorer", "user_admin"))
    since = now_on(house)
    said = house.command("accounts", "status", "1", "--apply")
    assert code_of(said) == "request_changed"
    assert writes(house, since) == []
    recipe.write_text(RECIPE)
    assert house.command("accounts", "status", "1", "--apply")["exit"] == 0


def test_nobody_asks_themselves(house):
    prod = house.instances["prod"]
    (abel,) = rows(prod, "sys_user", "user_name=abel.tuter")
    since = now_on(house)
    for by, manager in (("abel.tuter", abel["sys_id"]), ("beth.anglin", abel["sys_id"])):
        change(prod, "sys_user", f"user_name={by}", manager=manager)
        refused = house.command(*ASK[:4], by, *ASK[5:])
        assert (refused["exit"], code_of(refused)) == (1, "self_approval")
    assert writes(house, since) == []
    assert rows(prod, "sc_req_item", "correlation_idISNOTEMPTY") == []


def test_only_one_request_is_open_for_an_account(house):
    assert house.command(*ASK)["exit"] == 0
    assert code_of(house.command(*ASK)) == "request_open"
    decide(house, "rejected")
    assert house.command("accounts", "status", "1")["exit"] == 1
    assert house.command(*ASK)["exit"] == 0, "after a no one may ask again"


@pytest.mark.parametrize("number", range(3))
def test_a_lost_answer_asks_nothing_twice(house, number):
    prod = house.instances["prod"]
    match = {"method": "POST", "path": "/api/now/table/*"}
    prod.control("faults", [{"match": match, "do": "drop_after_commit", "after": number, "times": 1}])
    first = house.command(*ASK)
    assert (first["exit"], code_of(first)) == (3, "ambiguous")
    again = house.command(*ASK)
    assert again["exit"] == 0, again["problems"]
    for table in ("sc_request", "sc_req_item"):
        assert len(rows(prod, table, "correlation_idSTARTSWITHlinkspan:account:")) == 1
    assert len(rows(prod, "sysapproval_approver", "")) == 1
    assert len(house.command("accounts", "status")["result"]["requests"]) == 1


def test_apply_makes_nothing_that_nobody_allowed(house):
    since = now_on(house)
    refused = house.command("apply", "--yes")
    assert (refused["exit"], {problem["code"] for problem in refused["problems"]}) == (1, {"brake"})
    assert writes(house, since) == []
    (brake,) = house.command("plan")["result"]["instances"]["prod"]["brakes"]
    assert brake["id"] == "unasked:responder"
    assert house.command("apply", "--yes", "--accept", brake["id"])["exit"] == 0
    assert house.command("plan")["exit"] == 0


def test_apply_widens_nothing_once_it_is_reduced(house):
    house.command(*ASK)
    decide(house, "approved")
    house.command("accounts", "status", "1", "--apply")
    narrowing = house.command("plan")
    assert narrowing["exit"] == 1, "linkspan.yaml says settled"
    assert all(one["brakes"] == [] for one in narrowing["result"]["instances"].values())
    assert house.command("accounts", "minimize", "responder", "--by", "abel.tuter")["exit"] == 0
    house.write("oauth_password", recipe="mine.yaml", profile="exploring")
    assert code_of(house.command("apply", "--yes")) == "brake"


def test_what_is_cut_off_is_carried_on(house):
    """One instance is down, then the answer to the last write is lost; nothing is made twice."""
    house.command(*ASK)
    decide(house, "approved")
    qa, prod = house.instances["qa"], house.instances["prod"]
    qa.control("faults", [{"match": {"path": "/api/*"}, "do": "status", "status": 503}])
    down = house.command("accounts", "status", "1", "--apply")
    assert (down["exit"], down["result"]["requests"][0]["state"]) == (4, "approved")
    assert [problem["where"] for problem in down["problems"]] == ["qa"]
    assert rows(prod, "sys_user", "user_name=svc.responder")

    qa.control("faults", method="DELETE")
    closing = {"method": "PATCH", "path": "/api/now/table/sc_req_item/*"}
    prod.control("faults", [{"match": closing, "do": "drop_after_commit", "times": 1}])
    lost = house.command("accounts", "status", "1", "--apply")
    assert (lost["exit"], lost["result"]["requests"][0]["state"]) == (4, "approved")
    done = house.command("accounts", "status", "1", "--apply")
    assert (done["exit"], done["result"]["requests"][0]["state"]) == (0, "fulfilled")
    for instance in house.instances.values():
        assert len(rows(instance, "sys_user", "user_name=svc.responder")) == 1


def test_an_account_without_an_owner_cannot_be_asked_for(house):
    house.config.write_text(house.config.read_text().replace("owner: abel.tuter, ", ""))
    refused = house.command(*ASK)
    assert (refused["exit"], refused["problems"][0]["where"]) == (2, "linkspan.yaml:7")


def test_minimize_needs_somebody_who_is_there(house):
    house.command(*ASK)
    decide(house, "approved")
    assert house.command("accounts", "status", "1", "--apply")["exit"] == 0
    refused = house.command("accounts", "minimize", "responder", "--by", "nobody.known")
    assert (refused["exit"], code_of(refused)) == (1, "unknown_person")
    assert house.command("accounts", "minimize", "responder", "--by", "abel.tuter")["exit"] == 0


def test_minimize_needs_an_account_that_was_asked_for(house):
    refused = house.command("accounts", "minimize", "responder", "--by", "abel.tuter")
    assert (refused["exit"], code_of(refused)) == (1, "not_requested")


def test_the_inventory_only_reads_and_says_what_it_cannot_know(house):
    house.apply()
    dev = house.instances["dev"]
    dev.control("records/sys_user", {"user_name": "svc.other", "internal_integration_user": "true"})
    since = now_on(house)
    listed = house.command("accounts", "list")
    assert listed["exit"] == 0, listed["problems"]
    assert writes(house, since) == []
    accounts = {one["user_name"]: one for one in listed["result"]["instances"]["dev"]["accounts"]}
    ours, other = accounts["svc.responder"], accounts["svc.other"]
    assert ours["account"] == "responder"
    assert ours["owner"] == "abel.tuter"
    assert (ours["standing"], other["standing"]) == ("unasked", None), "apply made it without a request"
    assert {"name": "sn_incident_write", "inherited": True} in ours["roles"]
    assert "sn_incident_read" in {role["name"] for role in ours["roles"]}, "roles of roles too"
    assert ours["last_used"], "apply proved its credential by a token"
    assert ours["credential_since"]
    assert (other["last_used"], "never signed in" in other["because"]) == ("", True)
    assert (other["account"], other["owner"], other["credential_since"]) == ("", "", None)
    assert other["why"] == ["internal integration user"]
    assert "abel.tuter" not in accounts


def test_an_instance_that_does_not_answer_is_told_and_the_others_are_listed(house):
    house.write("oauth_password", recipe="mine.yaml", profile="settled", qa="http://127.0.0.1:9")
    listed = house.command("accounts", "list")
    assert listed["exit"] == 3
    assert set(listed["result"]["instances"]) == {"dev", "prod"}


def test_a_changed_row_of_the_ledger_is_found(house):
    house.command(*ASK)
    whole = house.command("accounts", "ledger")
    assert (whole["exit"], whole["result"]["verified"]) == (0, True)
    assert [entry["action"] for entry in whole["result"]["entries"]] == ["open", "request"]
    with house.wiring() as wiring, wiring.database.begin() as transaction:
        assert Requests(wiring.database).list()
        transaction.execute(sa.update(ledger).where(ledger.c.seq == 1).values(actor="joe.employee"))
    broken = house.command("accounts", "ledger")
    assert (broken["exit"], code_of(broken)) == (1, "ledger_broken")
    assert broken["result"]["broken_at"] == 1


def test_what_is_documented_is_what_is_printed(house):
    shape = shapes()
    asked = house.command(*ASK)
    assert unlike(shape["accounts request"], asked["result"]) == []
    house.apply()
    listed = house.command("accounts", "list")
    assert listed["result"]["instances"]["prod"]["accounts"]
    assert unlike(shape["accounts list"], listed["result"]) == []
    requests = house.command("accounts", "status")["result"]
    assert requests["requests"]
    assert unlike(shape["accounts status"], requests) == []
    assert unlike(shape["accounts ledger"], house.command("accounts", "ledger")["result"]) == []
