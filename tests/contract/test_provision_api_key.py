"""Accounts that sign in with an API key: what linkspan makes, what a person does, and who is not shut out."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request

import pytest

from linkspan.demo.person import Person
from linkspan.store.ledger import Ledger
from linkspan.store.owned import OwnedRecords
from tests.contract.accounts import House, change, last_request, requests_since, rows

POLICY = "name=linkspan Table API"


@pytest.fixture
def house(tmp_path, tank, capsys):
    house = House(tmp_path, [tank], capsys)
    house.write("api_key", recipe="rad-security", profile="write")
    return house


def reveal(tank, name="linkspan.responder"):
    """The token of a key, as a person sees it."""
    (key,) = rows(tank, "api_key", f"name={name}")
    with Person(tank.url, *tank.admin) as person:
        person.sign_in()
        return person.api_key_token(key["sys_id"])


def give(house, tank, token):
    """What `linkspan secrets set` does with it."""
    with house.wiring() as wiring:
        wiring.secrets.put(f"{tank.name}/responder/api_key", token, pending=True)


def working(house, tank):
    """The account all the way."""
    assert house.command("apply", "--yes")["exit"] == 4
    give(house, tank, reveal(tank))
    applied = house.command("apply", "--yes")
    assert applied["exit"] == 0, applied
    return house


def steps(document, tank):
    return [(one["action"], one["kind"]) for one in document["result"]["instances"][tank.name]["changes"]]


def ask_as_admin(tank):
    """The status of a call by basic authentication: somebody else's integration."""
    request = urllib.request.Request(f"{tank.url}/api/now/table/incident?sysparm_limit=1")
    request.add_header("Authorization", "Basic " + base64.b64encode(b"admin:admin").decode())
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status
    except urllib.error.HTTPError as refused:
        return refused.code


def test_from_nothing_to_a_proven_key(house, tank):
    assert house.command("plan")["exit"] == 1
    first = house.command("apply", "--yes")
    assert first["exit"] == 4, first["problems"]
    (one,) = first["result"]["instances"].values()
    assert [step["kind"] for step in one["manual"]] == ["credential"]
    assert f"linkspan secrets set {tank.name}/responder/api_key" in one["manual"][0]["artefact"]
    assert "linkspan.responder" in one["manual"][0]["artefact"]
    assert one["logins"] == {}
    assert steps(house.command("plan"), tank) == [("manual", "credential")]

    token = reveal(tank)
    give(house, tank, token)
    assert steps(house.command("plan"), tank) == [("update", "credential")]
    second = house.command("apply", "--yes")
    assert second["exit"] == 0, second["problems"]
    assert second["result"]["instances"][tank.name]["logins"] == {"responder": "svc.responder"}
    assert house.command("plan")["exit"] == 0
    with house.wiring() as wiring:
        assert wiring.connection("responder", tank.name).whoami()["user_name"] == "svc.responder"
        assert not wiring.secrets.is_pending(f"{tank.name}/responder/api_key")
        book = str(Ledger(wiring.database).entries()) + str(OwnedRecords(wiring.database).find(tank.name))
    assert token not in book
    assert token not in json.dumps([first, second])


def test_the_records_of_the_guide(house, tank):
    working(house, tank)
    (user,) = rows(tank, "sys_user", "user_name=svc.responder")
    (key,) = rows(tank, "api_key", "name=linkspan.responder")
    assert (key["user"], key["active"]) == (user["sys_id"], "true")
    (profile,) = rows(tank, "http_key_auth", "name=linkspan API key")
    (parameter,) = rows(tank, "sys_token_auth_parameter", f"sys_id={profile['auth_parameter']}")
    assert (parameter["parameter_name"], parameter["type"]) == ("x-sn-apikey", "auth_header")
    assert profile["auth_processor"] == "true"
    (policy,) = rows(tank, "sys_api_access_policy", POLICY)
    assert policy["api_path"] == "now/table"
    names = ("active", "apply_all_methods", "apply_all_versions", "apply_all_resources", "apply_all_tables")
    assert {policy[name] for name in names} == {"true"}
    mapped = {
        row["inbound_auth_profile"]
        for row in rows(tank, "sys_auth_profile_mapping", f"api_access_policy={policy['sys_id']}")
    }
    standard = {row["type"]: row["sys_id"] for row in rows(tank, "std_http_auth", "nameSTARTSWITHlinkspan")}
    assert set(standard) == {"basic_auth", "oauth"}
    assert mapped == {profile["sys_id"], *standard.values()}


def test_nobody_else_is_ever_shut_out(house, tank):
    """Every request of the run by basic authentication is answered, and after it OAuth works as before."""
    assert ask_as_admin(tank) == 200
    start = last_request(tank)
    working(house, tank)
    sent = requests_since(tank, start)
    assert [one for one in sent if one["status"] == 401] == []
    assert ask_as_admin(tank) == 200
    house.config.write_text(
        house.config.read_text()
        .replace("responder:", "other:")
        .replace("api_key}", "oauth_client}")
        .replace("svc.responder", "svc.other")
    )
    assert house.command("apply", "--yes")["exit"] == 0
    assert house.command("plan")["exit"] == 0


def test_the_policy_sleeps_until_all_methods_are_mapped(house, tank):
    """Stopped between the mappings, nothing is shut out; the next run goes on."""
    match = {"method": "POST", "path": "/api/now/table/sys_auth_profile_mapping"}
    tank.control("faults", [{"match": match, "do": "drop_before", "after": 1, "times": 1}])
    assert house.command("apply", "--yes")["exit"] == 3
    (policy,) = rows(tank, "sys_api_access_policy", POLICY)
    assert policy["active"] == "false"
    assert ask_as_admin(tank) == 200
    working(house, tank)
    assert ask_as_admin(tank) == 200


def test_a_second_account_shares_the_policy(house, tank):
    working(house, tank)
    text = house.config.read_text()
    line = text.splitlines()[-1]
    house.config.write_text(f"{text}{line.replace('responder', 'second')}\n")
    plan = house.command("plan")
    kinds = [kind for _, kind in steps(plan, tank)]
    assert "api_key" in kinds
    assert not {"access_policy", "policy_mapping", "policy_activation", "inbound_auth_profile"} & set(kinds)


def test_a_wrong_token_is_refused_and_the_next_one_is_taken(house, tank):
    assert house.command("apply", "--yes")["exit"] == 4
    give(house, tank, "now_nonsense")
    refused = house.command("apply", "--yes")
    assert (refused["exit"], refused["problems"][0]["code"]) == (1, "not_authenticated")
    assert "now_nonsense" not in json.dumps(refused)
    give(house, tank, reveal(tank))
    assert house.command("apply", "--yes")["exit"] == 0
    assert house.command("plan")["exit"] == 0


def test_a_key_that_is_made_anew_asks_for_its_token_again(house, tank):
    working(house, tank)
    (key,) = rows(tank, "api_key", "name=linkspan.responder")
    tank.control(f"records/api_key/{key['sys_id']}", method="DELETE")
    assert steps(house.command("plan"), tank) == [("create", "api_key"), ("manual", "credential")]
    assert house.command("apply", "--yes")["exit"] == 4
    assert steps(house.command("plan"), tank) == [("manual", "credential")]
    give(house, tank, reveal(tank))
    assert house.command("apply", "--yes")["exit"] == 0
    assert house.command("plan")["exit"] == 0


def test_an_administrator_may_sign_in_with_a_key_too(house, tank, monkeypatch):
    working(house, tank)
    (admin,) = rows(tank, "sys_user", "user_name=admin")
    key = {"name": "provisioner", "user": admin["sys_id"], "token": "now_provisioner", "active": "true"}
    tank.control("records/api_key", key)
    monkeypatch.setenv("ADMIN_KEY", "now_provisioner")
    basic = 'admin: {scheme: basic, user: admin, secret: "env:TANK_ADMIN"}'
    text = house.config.read_text()
    assert basic in text
    house.config.write_text(text.replace(basic, 'admin: {scheme: api_key, secret: "env:ADMIN_KEY"}'))
    start = last_request(tank)
    assert house.command("plan")["exit"] == 0
    assert {one["scheme"] for one in requests_since(tank, start)} == {"api_key"}


def test_drift_of_key_policy_and_mapping_is_mended(house, tank):
    working(house, tank)
    change(tank, "api_key", "name=linkspan.responder", active="false")
    change(tank, "sys_api_access_policy", POLICY, active="false", apply_all_versions="false")
    (key,) = rows(tank, "http_key_auth", "name=linkspan API key")
    (mapping,) = rows(tank, "sys_auth_profile_mapping", f"inbound_auth_profile={key['sys_id']}")
    tank.control(f"records/sys_auth_profile_mapping/{mapping['sys_id']}", method="DELETE")
    assert steps(house.command("plan"), tank) == [
        ("update", "access_policy"),
        ("create", "policy_mapping"),
        ("update", "policy_activation"),
        ("update", "api_key"),
    ]
    assert house.command("apply", "--yes")["exit"] == 0
    assert house.command("plan")["exit"] == 0, "the token is still the proven one"


CHOICE = "name=sys_api_access_policy^element=api^label=Table API"


def test_the_value_of_an_api_is_taken_from_another_policy(house, tank):
    change(tank, "sys_choice", CHOICE, label="Tabellen-API")
    working(house, tank)
    (policy,) = rows(tank, "sys_api_access_policy", POLICY)
    assert policy["api_path"] == "now/table"
    assert house.command("plan")["exit"] == 0


def test_an_api_that_rest_does_not_set_is_left_to_a_person(house, tank):
    (choice,) = rows(tank, "sys_choice", CHOICE)
    change(tank, "sys_choice", CHOICE, label="Tabellen-API")
    (shipped,) = rows(tank, "sys_api_access_policy", "api_path=now/table")
    tank.control(f"records/sys_api_access_policy/{shipped['sys_id']}", method="DELETE")
    first = house.command("apply", "--yes")
    assert first["exit"] == 4, first
    manual = first["result"]["instances"][tank.name]["manual"]
    assert [step["kind"] for step in manual] == ["access_policy", "credential"]
    (policy,) = rows(tank, "sys_api_access_policy", POLICY)
    assert (policy["api_path"], policy["active"]) == ("", "false")
    waiting = [("manual", "access_policy"), ("manual", "credential")]
    assert steps(house.command("plan"), tank) == waiting

    change(
        tank, "sys_api_access_policy", POLICY, api=choice["value"], api_path="now/table"
    )  # the person's choice
    assert ("update", "policy_activation") in steps(house.command("plan"), tank)
    working(house, tank)
    assert house.command("plan")["exit"] == 0


@pytest.mark.parametrize(("state", "words"), [("inactive", "not active"), ("gone", "licence")])
def test_without_the_plugin_one_step_is_left_and_the_rest_is_made(house, tank, state, words):
    query = "source=com.glide.tokenbased_auth"
    if state == "inactive":
        change(tank, "sys_plugins", query, active="inactive")
    else:
        (plugin,) = rows(tank, "sys_plugins", query)
        tank.control(f"records/sys_plugins/{plugin['sys_id']}", method="DELETE")
    applied = house.command("apply", "--yes")
    assert applied["exit"] == 4, applied
    (manual,) = applied["result"]["instances"][tank.name]["manual"]
    assert manual["kind"] == "plugin"
    assert words in manual["artefact"]
    assert rows(tank, "sys_user", "user_name=svc.responder")
    assert steps(house.command("plan"), tank) == [("manual", "plugin")]


def test_a_release_that_is_too_old_is_told(house, tank):
    tank.control("settings", {"release": "vancouver"})
    build = "glide-vancouver-07-06-2023__patch1-07-20-2023"
    change(tank, "sys_properties", "name=glide.buildtag.last", value=build)
    (change_,) = [
        one
        for one in house.command("plan")["result"]["instances"][tank.name]["changes"]
        if one["action"] == "manual"
    ]
    assert change_["kind"] == "plugin"
    assert "Washington DC" in change_["artefact"]


def test_a_role_of_our_own_and_its_access_control(house, tank):
    house.write("api_key", recipe="rad-security", profile="least")
    applied = house.command("apply", "--yes")
    assert applied["exit"] == 4
    manual = [step["kind"] for step in applied["result"]["instances"][tank.name]["manual"]]
    assert manual == ["acl", "credential"]
    (role,) = rows(tank, "sys_user_role", "name=rad_security_integration")
    (user,) = rows(tank, "sys_user", "user_name=svc.responder")
    assert rows(tank, "sys_user_has_role", f"user={user['sys_id']}^role={role['sys_id']}")
    house.write("api_key", recipe="rad-security", profile="write")
    assert ("delete", "custom_role") not in steps(house.command("plan"), tank)


def test_the_guide_as_it_is_written_lacks_a_role(house, tank):
    house.write("api_key", recipe="rad-security", profile="documented")
    manual = house.command("apply", "--yes")["result"]["instances"][tank.name]["manual"]
    assert [(step["kind"], step["key"]) for step in manual if step["kind"] == "role"] == [
        ("role", "u_ticket_user")
    ]
    assert rows(tank, "sys_user_role", "name=u_ticket_user") == []


@pytest.mark.slow
@pytest.mark.parametrize("do", ["drop_after_commit", "drop_before"])
def test_it_goes_on_after_any_lost_answer(house, tank, tmp_path, monkeypatch, do):
    """Creates and updates of an apply are lost once each, and nobody is shut out meanwhile."""
    for number in range(0, 30, 4):
        tank.reset()
        monkeypatch.setenv("LINKSPAN_HOME", str(tmp_path / f"home{number}"))
        for method in ("POST", "PATCH"):
            match = {"method": method, "path": "/api/now/*"}
            tank.control("faults", [{"match": match, "do": do, "after": number, "times": 1}])
        house.command("apply", "--yes")
        hits = sum(one["hits"] for one in tank.control("faults")["result"])
        tank.control("faults", method="DELETE")
        assert ask_as_admin(tank) == 200, number
        assert house.command("apply", "--yes")["exit"] == 4, number
        assert steps(house.command("plan"), tank) == [("manual", "credential")], number
        assert len(rows(tank, "api_key")) == 1
        assert len(rows(tank, "sys_auth_profile_mapping")) == 3
        assert len(rows(tank, "sys_api_access_policy", POLICY)) == 1
        if not hits:
            break
    assert number >= 8
    assert not hits
