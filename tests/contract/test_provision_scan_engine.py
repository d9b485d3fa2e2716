"""The recipe scan-engine on a fleet that has the Store app: one account, three secrets, nine registrations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from linkspan.flows.setup import apply_all, plan_all
from linkspan.store.ledger import Ledger
from linkspan.store.owned import OwnedRecords
from tests.contract.accounts import House, change, rows
from wavetank import Instance
from wavetank.running import fleet

ROLES = {"sn_se.internal_rest_integration", "sn_se.scan_engine_admin"}
INSTANCES = "sn_se_my_sn_instances"
PROFILES = "sys_auth_profile_basic"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Instance]]:
    with fleet(pack="scan_engine", tls_dir=tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.fixture
def house(tmp_path, running, capsys):
    for one in running.values():
        one.reset()
    house = House(tmp_path, running.values(), capsys)
    house.write(recipe="scan-engine")
    return house


def changes_of(document, instance):
    return [
        (one["action"], one["kind"], one["key"])
        for one in document["result"]["instances"][instance]["changes"]
    ]


@pytest.mark.parametrize("profile", ["least", "documented"])
def test_a_fleet_that_knows_itself_and_a_second_plan_that_is_empty(house, profile):
    house.write(recipe="scan-engine", profile=profile)
    applied = house.command("apply", "--yes")
    assert applied["exit"] == 0, applied["problems"]
    assert house.command("plan")["exit"] == 0

    for name, one in house.instances.items():
        (user,) = rows(one, "sys_user", "user_name=svc.responder")
        expected = ("machine", "true") if profile == "least" else ("human", "false")
        assert (user["identity_type"], user["web_service_access_only"]) == expected
        held = rows(one, "sys_user_has_role", f"user={user['sys_id']}^inherited=false")
        names = {rows(one, "sys_user_role", f"sys_id={row['role']}")[0]["name"] for row in held}
        assert names == ROLES
        assert rows(one, "sys_user_grmember", f"user={user['sys_id']}") == []

        registered = {row["instance_name"]: row for row in rows(one, INSTANCES)}
        assert set(registered) == set(house.instances)
        for target, row in registered.items():
            assert row["instance_url"] == house.instances[target].url
            assert row["environment"] == ("Production" if target == "prod" else "Development")
            assert row["authentication_type"] == "Basic"
            (profile_row,) = rows(one, PROFILES, f"sys_id={row['api_credential_config']}")
            assert profile_row["username"] == "svc.responder", (name, target)


def test_every_instance_has_a_secret_of_its_own_that_nobody_can_read(house):
    house.apply()
    with house.wiring() as wiring:
        secrets = {wiring.secrets.get(f"{name}/responder/basic") for name in house.instances}
        ledger = str(Ledger(wiring.database).entries())
        owned = str(OwnedRecords(wiring.database).find("dev"))
    assert len(secrets) == 3
    kept = str([rows(one, PROFILES) for one in house.instances.values()])
    for secret in secrets:
        assert secret
        assert secret not in ledger + owned + kept
    assert all(row["password"] for row in rows(house.instances["dev"], PROFILES))


def test_the_plan_says_what_a_direct_grant_costs(house):
    document = house.command("plan")
    found = [one for one in document["result"]["instances"]["dev"]["changes"] if one["kind"] == "user_role"]
    assert len(found) == 2
    assert all("explicit" in one["because"] and "sn_SE10104" in one["because"] for one in found)
    text = str(document)
    assert "the account's secret on prod" in text


def test_the_name_is_what_the_instance_calls_itself(house):
    change(house.instances["prod"], "sys_properties", "name=instance_name", value="acmeprod")
    house.apply()
    found = {row["instance_name"] for row in rows(house.instances["dev"], INSTANCES)}
    assert found == {"dev", "qa", "acmeprod"}


def test_an_instance_that_does_not_answer_is_left_open_and_nothing_is_taken_back(house):
    house.apply()
    house.write(recipe="scan-engine", qa="http://127.0.0.1:9")
    document = house.command("plan")
    assert changes_of(document, "dev") == [("manual", "instance_registration", "qa")]
    assert [problem["where"] for problem in document["problems"]] == ["qa"]


def test_registrations_of_an_instance_that_left_the_fleet_go(house):
    house.apply()
    text = house.config.read_text().replace("[dev, qa, prod]", "[dev, prod]")
    house.config.write_text(text)
    document = house.command("plan")
    gone = [
        ("delete", "instance_registration", "qa"),
        ("delete", "auth_profile", "linkspan.responder.qa"),
    ]
    assert changes_of(document, "dev") == gone
    assert house.command("apply", "--yes")["exit"] == 0
    assert {row["instance_name"] for row in rows(house.instances["dev"], INSTANCES)} == {"dev", "prod"}
    assert house.command("plan")["exit"] == 0


def test_a_new_secret_goes_to_every_instance_that_calls(house):
    house.apply()
    with house.wiring() as wiring:
        wiring.secrets.put("prod/responder/basic", "Another-secret-of-32-characters.", pending=True)
    document = house.command("plan")
    assert changes_of(document, "dev") == [("update", "auth_profile", "linkspan.responder.prod")]
    assert house.command("apply", "--yes")["exit"] == 0
    assert house.command("plan")["exit"] == 0


def test_a_registration_made_by_hand_is_foreign_until_accepted(house):
    prod = house.instances["prod"]
    house.instances["dev"].control(
        f"records/{INSTANCES}", {"instance_name": "prod", "instance_url": f"{prod.url}/"}
    )
    brakes = house.command("plan")["result"]["instances"]["dev"]["brakes"]
    assert [one["id"] for one in brakes] == ["foreign_record:instance_registration/prod"]
    assert house.command("apply", "--yes", "--accept", brakes[0]["id"])["exit"] == 0
    (row,) = rows(house.instances["dev"], INSTANCES, "instance_name=prod")
    assert row["instance_url"] == prod.url
    assert house.command("plan")["exit"] == 0


@pytest.mark.parametrize("environment", ["development", "production"])
def test_anything_but_one_production_instance_is_a_mistake(house, environment):
    text = house.config.read_text()
    changed = (
        text.replace("environment: production", "environment: development")
        if environment == "development"
        else text.replace("environment: development", "environment: production", 1)
    )
    house.config.write_text(changed)
    document = house.command("plan")
    assert document["exit"] == 2
    assert "exactly one production" in document["problems"][0]["cause"]
    assert document["problems"][0]["where"].startswith("linkspan.yaml:")


def test_a_scheme_without_a_password_cannot_be_registered(house):
    house.write("oauth_client", recipe="scan-engine")
    assert house.command("plan")["exit"] == 2


def test_without_the_app_one_step_is_left_to_a_person_and_the_account_is_made(tmp_path, wavetank, capsys):
    house = House(tmp_path, [wavetank], capsys)
    house.write(recipe="scan-engine")
    house.config.write_text(house.config.read_text().replace("development", "production"))
    applied = house.command("apply", "--yes")
    assert applied["exit"] == 4
    (one,) = applied["result"]["instances"].values()
    assert [(step["kind"], step["key"]) for step in one["manual"]] == [("store_app", "Scan Engine (sn_se)")]
    assert "ServiceNow Store" in one["manual"][0]["artefact"]
    assert one["logins"] == {"responder": "svc.responder"}


@pytest.mark.slow
@pytest.mark.parametrize("do", ["drop_after_commit", "drop_before"])
def test_it_goes_on_after_any_lost_answer(house, tmp_path, monkeypatch, do):
    """Each create and update on one instance is lost once; the rest of the fleet is as good as new."""
    dev = house.instances["dev"]
    for number in range(0, 20, 3):
        dev.reset()
        monkeypatch.setenv("LINKSPAN_HOME", str(tmp_path / f"home{number}"))
        for one in house.instances.values():
            one.reset()
        for method in ("POST", "PATCH"):
            match = {"method": method, "path": "/api/now/*"}
            dev.control("faults", [{"match": match, "do": do, "after": number, "times": 1}])
        with house.wiring() as wiring:
            apply_all(wiring, plan_all(wiring))
            answer = dev.control("faults")
            hits = sum(one["hits"] for one in (answer["result"] if isinstance(answer, dict) else answer))
            dev.control("faults", method="DELETE")
            assert apply_all(wiring, plan_all(wiring)).problems == (), number
            assert plan_all(wiring).changes == (), number
        assert len(rows(dev, INSTANCES)) == 3
        assert len(rows(dev, PROFILES)) == 3
        if not hits:
            break
    assert number >= 6
    assert not hits
