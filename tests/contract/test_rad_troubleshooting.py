"""Each entry of the RAD Security guide's troubleshooting section, produced on purpose and named by preflight."""

from __future__ import annotations

import shutil

import pytest

from linkspan.demo.person import Person
from linkspan.flows.doctor import preflight_all
from tests.contract.accounts import House, change, rows, surround

pytestmark = pytest.mark.slow

USER = "user_name=svc.responder"
KEY_RECORD = "name=linkspan.responder"
POLICY = "name=linkspan Table API"
ROLE = "rad_security_integration"


@pytest.fixture(scope="module")
def made(tmp_path_factory, _wavetank_instance):
    """Two houses whose accounts work, one a profile: set up once, kept as snapshots and homes."""
    tank, homes = _wavetank_instance, {}
    for profile in ("least", "write"):
        folder = tmp_path_factory.mktemp(profile)
        tank.reset()
        tank.control("records/incident", {"short_description": "Seen before", "number": "INC0000001"})
        with pytest.MonkeyPatch.context() as patch:
            surround(patch, folder / "home")
            house = Silent(folder, [tank], None)
            house.write("api_key", recipe="rad-security", profile=profile)
            apply(house, tank)
            if profile == "least":
                allow_create(tank)
        tank.control("snapshot", {"name": profile})
        homes[profile] = folder
    return homes


class Silent(House):
    """A house without a terminal."""


@pytest.fixture
def account(made, tank, tmp_path, monkeypatch, capsys):
    """``account(profile)``: a working account, as it was right after it was set up."""

    def given(profile="write"):
        tank.control("restore", {"name": profile})
        shutil.copytree(made[profile], tmp_path / profile)
        monkeypatch.setenv("LINKSPAN_HOME", str(tmp_path / profile / "home"))
        house = House(tmp_path / profile, [tank], capsys)
        house.write("api_key", recipe="rad-security", profile=profile)
        return house

    return given


def apply(house, tank):
    """Plan, apply, and what a person does with the token."""
    from linkspan.flows.setup import apply_all, plan_all

    with house.wiring() as wiring:
        assert apply_all(wiring, plan_all(wiring)).problems == ()
    (key,) = rows(tank, "api_key", KEY_RECORD)
    with Person(tank.url, *tank.admin) as person:
        person.sign_in()
        token = person.api_key_token(key["sys_id"])
    with house.wiring() as wiring:
        wiring.secrets.put(f"{tank.name}/responder/api_key", token, pending=True)
        assert apply_all(wiring, plan_all(wiring)).problems == ()


def allow_create(tank):
    """The access control of the guide's seventh step."""
    (role,) = rows(tank, "sys_user_role", f"name={ROLE}")
    made = tank.control(
        "records/sys_security_acl",
        {"name": "incident", "operation": "create", "type": "record", "active": "true"},
    )["result"]
    rule = made[0] if isinstance(made, list) else made
    tank.control(
        "records/sys_security_acl_role", {"sys_security_acl": rule["sys_id"], "sys_user_role": role["sys_id"]}
    )


def ask(house, *, write=False):
    with house.wiring() as wiring:
        return {one.check: one.answer for one in preflight_all(wiring, write=write).findings}


def causes(house, check, *, write=False):
    answer = ask(house, write=write)[check]
    assert answer.outcome == "fail", answer
    assert all("(" not in one.fix.split("`")[0] or "{" not in one.fix for one in answer.causes)
    return [one.id for one in answer.causes]


def delete(tank, table, query):
    for row in rows(tank, table, query):
        tank.control(f"records/{table}/{row['sys_id']}", method="DELETE")


def give(house, tank, token):
    with house.wiring() as wiring:
        wiring.secrets.put(f"{tank.name}/responder/api_key", token)


# --- it works


@pytest.mark.parametrize(("profile", "outcome"), [("least", "warn"), ("write", "pass")])
def test_a_healthy_account_is_connected_and_proven(account, tank, profile, outcome):
    answers = ask(account(profile), write=True)
    assert answers["login"].evidence["status"] == "Connected"
    left = {name: one.outcome for name, one in answers.items() if one.outcome != "pass"}
    assert left == ({"incident_write": "warn"} if outcome == "warn" else {})
    if profile == "least":
        assert [one.id for one in answers["incident_write"].causes] == ["sample_stays"]
    (sample,) = rows(tank, "incident", "correlation_idSTARTSWITHlinkspan-preflight-") or [None]
    assert sample is None or sample["number"] == answers["incident_write"].evidence["number"]


# --- authentication failed; token expired or revoked


def test_wrong_api_key(account, tank):
    house = account()
    give(house, tank, "now_" + "a" * 64)
    assert causes(house, "login") == ["wrong_api_key"]


@pytest.mark.parametrize("spoil", ["{} ", " {}", "{}\n", "now_abc def"])
def test_extra_spaces(account, tank, spoil):
    house = account()
    with house.wiring() as wiring:
        token = wiring.secrets.get(f"{tank.name}/responder/api_key")
    give(house, tank, spoil.format(token))
    assert causes(house, "login") == ["api_key_spaces"]


def test_expired(account, tank):
    house = account()
    change(tank, "api_key", KEY_RECORD, expires="2020-01-01 00:00:00")
    assert causes(house, "login") == ["api_key_expired"]


def test_revoked_by_switching_it_off(account, tank):
    house = account()
    change(tank, "api_key", KEY_RECORD, active="false")
    assert causes(house, "login") == ["api_key_inactive"]


def test_revoked_by_deleting_it(account, tank):
    house = account()
    delete(tank, "api_key", KEY_RECORD)
    assert causes(house, "login") == ["api_key_missing"]


def test_service_user_disabled(account, tank):
    house = account()
    change(tank, "sys_user", USER, active="false")
    assert causes(house, "login") == ["inactive"]


def test_service_user_deleted(account, tank):
    house = account()
    delete(tank, "sys_user", USER)
    assert causes(house, "login") == ["user_missing"]


def test_service_user_locked(account, tank):
    house = account()
    change(tank, "sys_user", USER, locked_out="true")
    assert causes(house, "login") == ["locked_out"]


def test_access_policy_switched_off(account, tank):
    house = account()
    change(tank, "sys_api_access_policy", POLICY, active="false")
    assert causes(house, "login") == ["policy_missing"]


def test_access_policy_without_the_key_profile(account, tank):
    house = account()
    (profile,) = rows(tank, "http_key_auth", "name=linkspan API key")
    delete(tank, "sys_auth_profile_mapping", f"inbound_auth_profile={profile['sys_id']}")
    assert causes(house, "login") == ["policy_not_mapped"]


def test_a_narrower_policy_of_somebody_else_wins(account, tank):
    house = account()
    change(
        tank,
        "sys_api_access_policy",
        "name=Table GET API Access Policy",
        active="true",
        apply_all_tables="true",
    )
    answer = ask(house)["login"]
    assert [one.id for one in answer.causes] == ["policy_not_mapped"]
    assert "Table GET API Access Policy" in answer.causes[0].fix


def test_access_policy_of_another_version(account, tank):
    house = account()
    change(tank, "sys_api_access_policy", POLICY, apply_all_versions="false", version="v1")
    assert causes(house, "login") == ["policy_narrow"]


def test_key_profile_switched_off(account, tank):
    house = account()
    change(tank, "http_key_auth", "name=linkspan API key", active="false")
    assert causes(house, "login") == ["auth_profile_inactive"]


def test_key_profile_that_looks_in_the_query(account, tank):
    house = account()
    (query,) = rows(tank, "sys_token_auth_parameter", "type=query_parameter^parameter_name=x-sn-apikey")
    change(tank, "http_key_auth", "name=linkspan API key", auth_parameter=query["sys_id"])
    assert causes(house, "login") == ["wrong_auth_parameter"]


def test_without_an_administrator_causes_are_only_possible(account, tank):
    house = account()
    change(tank, "api_key", KEY_RECORD, active="false")
    text = house.config.read_text()
    start = text.index(", admin: {")
    house.config.write_text(text[:start] + text[text.index("}}", start) + 1 :])
    answer = ask(house)["login"]
    assert {one.certainty for one in answer.causes} == {"possible"}
    assert "api_key_inactive" in [one.id for one in answer.causes]


# --- API key plugin not available


def test_plugin_not_activated(account, tank):
    house = account()
    change(tank, "sys_plugins", "source=com.glide.tokenbased_auth", active="inactive")
    assert causes(house, "login") == ["plugin_inactive"]


def test_plugin_not_among_the_licensed(account, tank):
    house = account()
    delete(tank, "sys_plugins", "source=com.glide.tokenbased_auth")
    assert causes(house, "login") == ["plugin_missing"]


def test_release_too_old(account, tank):
    house = account()
    tank.control("settings", {"release": "vancouver"})
    change(tank, "sys_properties", "name=glide.buildtag.last", value="glide-vancouver-07-06-2023__patch1")
    assert causes(house, "login") == ["release_too_old"]


# --- insufficient permissions


def test_a_required_role_is_not_granted(account, tank):
    house = account()
    delete(tank, "sys_group_has_role", "role.name=sn_incident_write^group.name=linkspan.responder")
    assert causes(house, "roles") == ["role_not_granted"]


def test_custom_role_is_not_assigned(account, tank):
    house = account("least")
    delete(tank, "sys_group_has_role", f"role.name={ROLE}")
    assert causes(house, "roles") == ["role_not_granted"]


def test_custom_role_is_gone(account, tank):
    house = account("least")
    delete(tank, "sys_group_has_role", f"role.name={ROLE}")
    delete(tank, "sys_user_has_role", f"role.name={ROLE}")
    delete(tank, "sys_user_role", f"name={ROLE}")
    assert causes(house, "roles") == ["custom_role_missing"]


def test_a_role_of_the_guide_that_the_instance_never_had(account, tank):
    house = account("least")
    house.write("api_key", recipe="rad-security", profile="documented")
    assert "role_missing_on_instance" in causes(house, "roles")


def test_a_grant_that_is_switched_off(account, tank):
    house = account()
    (user,) = rows(tank, "sys_user", USER)
    change(tank, "sys_user_has_role", f"user={user['sys_id']}^role.name=sn_incident_write", state="inactive")
    assert causes(house, "roles") == ["role_inactive"]


def test_removed_from_the_group(account, tank):
    house = account()
    (user,) = rows(tank, "sys_user", USER)
    delete(tank, "sys_user_grmember", f"user={user['sys_id']}")
    delete(tank, "sys_user_has_role", f"user={user['sys_id']}")
    assert causes(house, "roles") == ["group_membership_lost"]


def test_a_restriction_was_added_to_the_user(account, tank):
    house = account()
    (user,) = rows(tank, "sys_user", USER)
    (role,) = rows(tank, "sys_user_role", "name=snc_read_only")
    tank.control(
        "records/sys_user_has_role", {"user": user["sys_id"], "role": role["sys_id"], "state": "active"}
    )
    assert causes(house, "incident_write", write=True) == ["role_restriction"]


# --- cannot create incidents


def test_the_access_control_is_not_there(account, tank):
    house = account("least")
    change(tank, "sys_security_acl", "name=incident^operation=create^sys_idISNOTEMPTY", active="true")
    (role,) = rows(tank, "sys_user_role", f"name={ROLE}")
    delete(tank, "sys_security_acl_role", f"sys_user_role={role['sys_id']}")
    assert causes(house, "access_controls") == ["acl_missing"]
    assert causes(house, "incident_write", write=True) == ["acl_missing"]


def test_a_rule_that_denies(account, tank):
    house = account()
    tank.control(
        "records/sys_security_acl",
        {
            "name": "incident",
            "operation": "create",
            "type": "record",
            "active": "true",
            "decision_type": "deny",
            "condition": "short_description=never",
        },
    )
    assert causes(house, "incident_write", write=True) == ["role_restriction"]


def test_a_mandatory_field_is_not_mapped(account, tank):
    house = account()
    policy = tank.control(
        "records/sys_data_policy2",
        {"model_table": "incident", "active": "true", "apply_import_set": "true", "apply_soap": "true"},
    )["result"]
    policy = policy[0] if isinstance(policy, list) else policy
    tank.control(
        "records/sys_data_policy_rule",
        {"sys_data_policy": policy["sys_id"], "table": "incident", "field": "cmdb_ci", "mandatory": "true"},
    )
    answer = ask(house, write=True)["incident_write"]
    assert [one.id for one in answer.causes] == ["data_policy"]
    assert "Configuration item" in answer.causes[0].fix


def test_the_table_is_closed_to_web_services(account, tank):
    house = account()
    change(tank, "sys_db_object", "name=incident", ws_access="false")
    assert causes(house, "incident_read") == ["table_not_accessible"]


def test_a_business_rule_blocks_creation(account, tank):
    house = account()
    tank.control(
        "faults",
        [
            {
                "match": {"method": "POST", "path": "/api/now/table/incident"},
                "do": "status",
                "status": 403,
                "body": {
                    "error": {
                        "message": "Operation Failed",
                        "detail": "Operation against file 'incident' was aborted by Business Rule "
                        "'Change freeze^0123456789abcdef0123456789abcdef'. Business Rule Stack:Change freeze",
                    },
                    "status": "failure",
                },
                "times": 1,
            }
        ],
    )
    answer = ask(house, write=True)["incident_write"]
    assert [one.id for one in answer.causes] == ["business_rule_abort"]
    assert "Change freeze" in answer.causes[0].fix


# --- wrong instance url


@pytest.mark.parametrize(
    ("address", "check", "cause"),
    [
        ("https://no-such-instance.invalid", "reachable", "dns_failure"),
        ("https://developer.servicenow.com", "url_form", "url_developer_portal"),
        ("https://www.acme.service-now.com", "url_form", "url_has_www"),
    ],
)
def test_wrong_url(account, address, check, cause):
    house = account()
    house.write("api_key", recipe="rad-security", profile="write", dev=address)
    assert causes(house, check) == [cause]


@pytest.mark.parametrize("path", ["/api/", "/incident.do"])
def test_a_url_with_a_path_is_refused_where_it_is_written(account, tank, path):
    house = account()
    house.write("api_key", recipe="rad-security", profile="write", dev=tank.url + path)
    refused = house.command("preflight")
    assert refused["exit"] == 2
    assert refused["problems"][0]["where"].startswith("linkspan.yaml:")


def test_the_slash_at_the_end_that_the_guide_asks_for_does_no_harm(account, tank):
    house = account()
    house.write("api_key", recipe="rad-security", profile="write", dev=f"{tank.url}/")
    assert ask(house)["login"].outcome == "pass"
