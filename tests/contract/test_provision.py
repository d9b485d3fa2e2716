"""Accounts as code on running instances: plan, apply, and a second plan that is empty."""

from __future__ import annotations

import json

import pytest

from linkspan.flows.setup import apply_all, plan_all
from linkspan.store.ledger import Ledger
from linkspan.store.owned import OwnedRecords
from tests.contract.accounts import House, change, last_request, requests_since, rows

SCHEMES = ("basic", "oauth_password", "oauth_client")


@pytest.fixture
def house(tmp_path, wavetank, capsys):
    return House(tmp_path, [wavetank], capsys)


@pytest.fixture
def fleet(tmp_path, wavetank_fleet, capsys):
    return House(tmp_path, wavetank_fleet.values(), capsys)


def secret_of(house: House, instance: str, scheme: str) -> str | None:
    with house.wiring() as wiring:
        return wiring.secrets.get(f"{instance}/responder/{scheme}")


def only(house: House):
    return next(iter(house.instances.values()))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_plan_apply_plan_on_three_instances(fleet, scheme):
    fleet.write(scheme)
    first = fleet.command("plan")
    assert first["exit"] == 1
    assert set(first["result"]["instances"]) == {"dev", "qa", "prod"}

    applied = fleet.command("apply", "--yes")
    assert applied["exit"] == 0, applied["problems"]
    for one in applied["result"]["instances"].values():
        assert one["logins"] == {"responder": "svc.responder"}

    second = fleet.command("plan")
    assert second["exit"] == 0, second["result"]
    assert all(one["changes"] == [] for one in second["result"]["instances"].values())

    secrets = {secret_of(fleet, name, scheme) for name in fleet.instances}
    assert len(secrets) == 3
    assert None not in secrets


def test_plan_only_reads(house):
    house.write("oauth_client")
    tank = only(house)
    start = last_request(tank)
    assert house.command("plan")["exit"] == 1
    sent = requests_since(tank, start)
    assert sent
    assert {one["method"] for one in sent} == {"GET"}


def test_an_account_as_it_should_be(house):
    house.apply()
    tank = only(house)
    (user,) = rows(tank, "sys_user", "user_name=svc.responder")
    assert user["identity_type"] == "machine"
    assert user["web_service_access_only"] == "true"
    assert user["time_zone"] == "GMT"
    (owner,) = rows(tank, "sys_user", "user_name=abel.tuter")
    assert user["manager"] == owner["sys_id"]
    (role,) = rows(tank, "sys_user_role", "name=sn_incident_write")
    held = rows(tank, "sys_user_has_role", f"user={user['sys_id']}^role={role['sys_id']}")
    assert held, "the role comes through the group"
    assert all(row["inherited"] == "true" for row in held)


def test_it_works_where_basic_authentication_is_restricted(house):
    tank = only(house)
    house.apply()
    tank.control("settings", {"basic_auth_restriction": "enforce"})
    with house.wiring() as wiring:
        assert wiring.connection("responder", tank.name).whoami()["user_name"] == "svc.responder"


def test_every_change_is_owned_and_in_the_ledger(house):
    house.write("oauth_client")
    result = house.apply()
    with house.wiring() as wiring:
        entries = Ledger(wiring.database).entries()
        owned = OwnedRecords(wiring.database).find(only(house).name)
    assert len(entries) == len(result.plan.changes)
    assert {(one.kind, bool(one.sys_id)) for one in owned} == {
        ("group", True),
        ("group_role", True),
        ("user", True),
        ("membership", True),
        ("oauth_application", True),
        ("oauth_profile", True),
    }
    secret = secret_of(house, only(house).name, "oauth_client")
    assert json.loads(secret)["client_secret"] not in str(entries)


def test_drift_is_found_and_mended(house):
    house.apply()
    tank = only(house)
    change(
        tank, "sys_user", "user_name=svc.responder", web_service_access_only="false", time_zone="US/Pacific"
    )
    plan = house.command("plan")
    (found,) = plan["result"]["instances"][tank.name]["changes"]
    assert found["action"] == "update"
    assert set(found["fields"]) == {"web_service_access_only", "time_zone"}
    assert house.command("apply", "--yes")["exit"] == 0
    assert house.command("plan")["exit"] == 0


def test_another_profile_changes_only_the_grants(house):
    house.apply()
    house.write(profile="documented")
    (dev,) = house.command("plan")["result"]["instances"].values()
    assert sorted((one["action"], one["kind"]) for one in dev["changes"]) == [
        ("create", "group_role"),
        ("delete", "group_role"),
        ("delete", "group_role"),
    ]


def test_a_foreign_user_of_the_same_name_stops_that_instance_only(fleet):
    dev = fleet.instances["dev"]
    dev.control("records/sys_user", {"user_name": "svc.responder", "last_name": "Person"})
    applied = fleet.command("apply", "--yes")
    assert applied["exit"] == 1
    (problem,) = applied["problems"]
    assert (problem["code"], problem["where"]) == ("brake", "dev")
    assert rows(dev, "sys_user_group", "name=linkspan.responder") == []
    assert applied["result"]["instances"]["prod"]["ok"]

    brake = fleet.command("plan")["result"]["instances"]["dev"]["brakes"][0]["id"]
    assert fleet.command("apply", "--yes", "--accept", brake)["exit"] == 0
    assert fleet.command("plan")["exit"] == 0


def test_a_missing_role_is_left_to_a_person(house):
    (house.folder / "mine.yaml").write_text(
        "recipe: mine\nprofiles:\n  least:\n    grants:\n"
        "      - {role: sn_incident_write, because: it writes}\n"
        "      - {role: u_ticket_user, because: the guide says so}\n"
    )
    house.write(recipe="mine.yaml")
    applied = house.command("apply", "--yes")
    assert applied["exit"] == 4
    (one,) = applied["result"]["instances"].values()
    assert [step["key"] for step in one["manual"]] == ["u_ticket_user"]
    assert rows(only(house), "sys_user_role", "name=u_ticket_user") == []


def test_exactly_the_reviewed_plan_or_nothing(house, tmp_path):
    reviewed = tmp_path / "plan.json"
    reviewed.write_text(json.dumps(house.command("plan")))
    house.write("oauth_client")
    moved = house.command("apply", "--plan", str(reviewed))
    assert moved["exit"] == 1
    assert moved["problems"][0]["code"] == "plan_moved"
    assert rows(only(house), "sys_user", "user_name=svc.responder") == []
    house.write("basic")
    assert house.command("apply", "--plan", str(reviewed))["exit"] == 0


def test_without_a_terminal_apply_wants_a_yes(house):
    asked = house.command("apply")
    assert asked["exit"] == 2
    assert "--yes" in asked["problems"][0]["fix"]


def test_an_unreachable_instance_does_not_stop_the_others(fleet):
    fleet.write(qa="http://127.0.0.1:9")
    applied = fleet.command("apply", "--yes")
    assert applied["exit"] == 3
    assert [problem["where"] for problem in applied["problems"]] == ["qa"]
    assert applied["result"]["instances"]["dev"]["ok"]
    assert applied["result"]["instances"]["prod"]["ok"]


def test_a_wrong_administrator_is_told_and_nothing_changes(house, monkeypatch):
    monkeypatch.setenv("TANK_ADMIN", "guess")
    applied = house.command("apply", "--yes")
    assert applied["exit"] == 1
    assert applied["problems"][0]["code"] == "not_authenticated"
    assert rows(only(house), "sys_user_group", "name=linkspan.responder") == []


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("scheme", "do"),
    [
        ("basic", "drop_after_commit"),
        ("oauth_client", "drop_after_commit"),
        pytest.param("oauth_password", "drop_after_commit", marks=SLOW),
        pytest.param("basic", "drop_before", marks=SLOW),
        pytest.param("oauth_password", "drop_before", marks=SLOW),
        pytest.param("oauth_client", "drop_before", marks=SLOW),
    ],
)
def test_it_goes_on_after_any_lost_answer(house, tmp_path, monkeypatch, scheme, do):
    """Every create and every update of an apply is lost once, before or after it was committed."""
    tank = only(house)
    house.write(scheme)
    applications = 0 if scheme == "basic" else 1
    for number in range(20):
        tank.reset()
        monkeypatch.setenv("LINKSPAN_HOME", str(tmp_path / f"home{number}"))
        for method in ("POST", "PATCH"):
            match = {"method": method, "path": "/api/now/*"}
            tank.control("faults", [{"match": match, "do": do, "after": number, "times": 1}])
        with house.wiring() as wiring:
            apply_all(wiring, plan_all(wiring))
            hits = sum(fault["hits"] for fault in faults(tank))
            tank.control("faults", method="DELETE")
            assert apply_all(wiring, plan_all(wiring)).problems == (), number
            assert plan_all(wiring).changes == (), number
        assert len(rows(tank, "sys_user", "user_name=svc.responder")) == 1
        assert len(rows(tank, "sys_user_group", "name=linkspan.responder")) == 1
        assert len(rows(tank, "sys_user_grmember", "group.name=linkspan.responder")) == 1
        assert len(rows(tank, "sys_group_has_role", "group.name=linkspan.responder")) == 2
        assert len(rows(tank, "oauth_entity", "name=linkspan.responder")) == applications
        if not hits:
            break
    assert number >= 4
    assert not hits


def faults(tank):
    answer = tank.control("faults")
    return answer.get("result", answer) if isinstance(answer, dict) else answer


def test_an_instance_that_asks_for_a_grant_profile_finds_one(house):
    """Client credentials without a profile of that grant are refused on some instances."""
    only(house).control("settings", {"client_credentials_profile": "needed"})
    house.write("oauth_client")
    house.apply()
    (application,) = rows(only(house), "oauth_entity", "name=linkspan.responder")
    (profile,) = rows(only(house), "oauth_entity_profile", f"oauth_entity={application['sys_id']}")
    assert (profile["grant_type"], profile["default"]) == ("client_credentials", "true")
    assert house.command("plan")["exit"] == 0


def test_a_profile_that_came_with_the_application_is_taken_as_it_is(house):
    """Some releases make it together with the application, that is after the plan was made."""
    house.write("oauth_client")
    with house.wiring() as wiring:
        plan = plan_all(wiring)
        made_along = []

        def announce(instance, change):
            if change.kind == "oauth_profile":
                (application,) = rows(only(house), "oauth_entity", "name=linkspan.responder")
                row = {
                    "oauth_entity": application["sys_id"],
                    "grant_type": "client_credentials",
                    "default": "false",
                }
                made_along.append(
                    only(house).control("records/oauth_entity_profile", {"name": "theirs", **row})
                )

        result = apply_all(wiring, plan, announce=announce)
    assert made_along
    assert result.problems == ()
    (profile,) = rows(only(house), "oauth_entity_profile")
    assert (profile["name"], profile["default"]) == ("theirs", "true")
    assert house.command("plan")["exit"] == 0
