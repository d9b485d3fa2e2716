"""Each cause is produced on purpose on a running instance; preflight has to name it first."""

from __future__ import annotations

import pytest

from linkspan.flows.doctor import preflight_all
from tests.contract.accounts import House, change, last_request, requests_since, rows

USER = "user_name=svc.responder"


@pytest.fixture
def house(tmp_path, tank, capsys):
    tank.control("records/incident", {"short_description": "The mail server is slow", "number": "INC0000001"})
    return House(tmp_path, [tank], capsys)


def ask(house, *, write=False):
    with house.wiring() as wiring:
        return {one.check: one.answer for one in preflight_all(wiring, write=write).findings}


def first_failure(house, **options):
    """Check and first cause of the first check that failed."""
    for name, answer in ask(house, **options).items():
        if answer.outcome == "fail":
            return name, answer.causes[0].id, answer.causes[0].certainty
    return None


def mended(house):
    """Whether what the fix says, apply, makes everything pass."""
    assert house.command("apply", "--yes")["exit"] == 0
    return first_failure(house) is None


def forget_password(house, tank, scheme="basic"):
    with house.wiring() as wiring:
        wiring.secrets.put(f"{tank.name}/responder/{scheme}", "not-the-password", pending=False)


@pytest.mark.parametrize("scheme", ["basic", "oauth_password", "oauth_client"])
def test_a_healthy_account_passes_everything(house, tank, scheme):
    house.write(scheme)
    house.apply()
    answers = ask(house, write=True)
    assert {name: answer.outcome for name, answer in answers.items()} == dict.fromkeys(answers, "pass")
    written = answers["incident_write"].evidence
    assert written["removed"] in ("deleted", "resolved")
    left = rows(tank, "incident", "correlation_idSTARTSWITHlinkspan-preflight-")
    assert all(row["state"] in ("6", "7") for row in left)


def test_without_write_nothing_is_written(house, tank):
    house.apply()
    start = last_request(tank)
    assert house.command("preflight")["exit"] == 0
    assert {one["method"] for one in requests_since(tank, start)} == {"GET"}


def test_an_empty_table_is_no_proof(house, tank):
    house.apply()
    for row in rows(tank, "incident"):
        tank.control(f"records/incident/{row['sys_id']}", method="DELETE")
    answer = ask(house)["incident_read"]
    assert (answer.outcome, answer.causes[0].id) == ("unknown", "table_empty")


def test_before_apply_there_is_no_credential(house):
    assert first_failure(house) == ("login", "secret_missing", "certain")
    assert mended(house)


def test_wrong_password(house, tank):
    house.apply()
    forget_password(house, tank)
    assert first_failure(house) == ("login", "wrong_password", "likely")
    with house.wiring() as wiring:
        name = f"{tank.name}/responder/basic"
        wiring.secrets.put(name, "Another-password-1", pending=True)  # as secrets set --generate does
    assert mended(house)


def test_a_wrong_password_is_tried_once(house, tank):
    house.apply()
    forget_password(house, tank)
    ask(house)
    (user,) = rows(tank, "sys_user", USER)
    assert user["failed_attempts"] == "1"


def test_locked_out(house, tank):
    house.apply()
    change(tank, "sys_user", USER, locked_out="true")
    assert first_failure(house) == ("login", "locked_out", "certain")
    assert mended(house)


def test_inactive(house, tank):
    house.apply()
    change(tank, "sys_user", USER, active="false")
    assert first_failure(house) == ("login", "inactive", "certain")
    assert mended(house)


def test_user_missing(house, tank):
    house.apply()
    (user,) = rows(tank, "sys_user", USER)
    tank.control(f"records/sys_user/{user['sys_id']}", method="DELETE")
    assert first_failure(house) == ("login", "user_missing", "certain")
    assert mended(house)


def test_basic_auth_restricted(house, tank):
    house.apply()
    change(tank, "sys_user", USER, web_service_access_only="false")
    tank.control("settings", {"basic_auth_restriction": "enforce"})
    # The administrator of a restricted instance signs in by other means; here it is made exempt.
    change(tank, "sys_user", "user_name=admin", web_service_access_only="true")
    assert first_failure(house) == ("login", "basic_auth_restricted", "certain")
    assert mended(house)


def test_needs_reset(house, tank):
    house.apply()
    change(tank, "sys_user", USER, password_needs_reset="true")
    name = "glide.authenticate.api.user.reset_password.mandatory"
    found = rows(tank, "sys_properties", f"name={name}")
    if found:
        change(tank, "sys_properties", f"name={name}", value="true")
    else:
        tank.control("records/sys_properties", {"name": name, "value": "true"})
    assert first_failure(house) == ("login", "needs_reset", "certain")
    assert mended(house)


def test_password_stored_literal(house, tank):
    house.apply()
    with house.wiring() as wiring:
        password = wiring.credentials("responder", tank.name).proven_parts()["password"]
        (user,) = rows(tank, "sys_user", USER)
        # What a plain PATCH does: no display value, so the text is kept as it is.
        wiring.admin(tank.name, read_only=False).table.update(
            "sys_user", user["sys_id"], {"user_password": password}
        )
    assert first_failure(house) == ("login", "password_stored_literal", "certain")


def test_without_an_administrator_causes_are_only_possible(house, tank):
    house.apply()
    forget_password(house, tank)
    text = house.config.read_text()
    start = text.index(", admin: {")
    house.config.write_text(text[:start] + text[text.index("}}", start) + 1 :])
    answer = ask(house)["login"]
    assert answer.outcome == "fail"
    assert len(answer.causes) > 2
    assert {cause.certainty for cause in answer.causes} == {"possible"}


def test_a_refused_administrator_is_told(house, tank, monkeypatch):
    house.apply()
    forget_password(house, tank)
    monkeypatch.setenv("TANK_ADMIN", "guess")
    assert "admin_login_refused" in [cause.id for cause in ask(house)["login"].causes]


@pytest.fixture
def client(house):
    house.write("oauth_client")
    house.apply()
    return house


def test_client_credentials_disabled(client, tank):
    name = "glide.oauth.inbound.client.credential.grant_type.enabled"
    change(tank, "sys_properties", f"name={name}", value="false")
    assert first_failure(client) == ("login", "client_credentials_disabled", "certain")
    assert mended(client)


def test_wrong_client_secret(client, tank):
    with client.wiring() as wiring:
        credentials = wiring.credentials("responder", tank.name)
        parts = credentials.proven_parts()
        text = f'{{"client_id": "{parts["client_id"]}", "client_secret": "wrong"}}'
        wiring.secrets.put(credentials.name, text, pending=False)
    assert first_failure(client) == ("login", "wrong_client_secret", "likely")


def test_wrong_client(client, tank):
    (application,) = rows(tank, "oauth_entity", "name=linkspan.responder")
    tank.control(f"records/oauth_entity/{application['sys_id']}", method="DELETE")
    assert first_failure(client) == ("login", "wrong_client", "certain")
    assert mended(client)


def test_oauth_user_missing(client, tank):
    change(tank, "oauth_entity", "name=linkspan.responder", user="")
    assert first_failure(client) == ("login", "oauth_user_missing", "certain")
    assert mended(client)


def test_oauth_application_inactive(client, tank):
    change(tank, "oauth_entity", "name=linkspan.responder", active="false")
    assert first_failure(client) == ("login", "oauth_application_inactive", "certain")
    assert mended(client)


def test_wrong_account(client, tank):
    (other,) = rows(tank, "sys_user", "user_name=abel.tuter")
    change(tank, "oauth_entity", "name=linkspan.responder", user=other["sys_id"])
    assert first_failure(client) == ("identity", "wrong_account", "certain")
    assert mended(client)


def test_account_flags_only_warn(house, tank):
    house.apply()
    change(
        tank,
        "sys_user",
        USER,
        web_service_access_only="false",
        identity_type="human",
        time_zone="US/Pacific",
        manager="",
        internal_integration_user="true",
    )
    answer = ask(house)["account_flags"]
    assert answer.outcome == "warn"
    assert {cause.id for cause in answer.causes} == {
        "web_service_access_off",
        "not_machine",
        "time_zone_not_gmt",
        "owner_missing",
        "internal_integration_user",
    }


def test_group_membership_lost(house, tank):
    house.apply()
    with house.wiring() as wiring:
        (member,) = rows(tank, "sys_user_grmember", "group.name=linkspan.responder")
        wiring.admin(tank.name, read_only=False).table.delete("sys_user_grmember", member["sys_id"])
    assert first_failure(house) == ("roles", "group_membership_lost", "certain")
    assert mended(house)


def test_role_not_granted(house, tank):
    house.apply()
    with house.wiring() as wiring:
        for grant in rows(tank, "sys_group_has_role", "group.name=linkspan.responder"):
            wiring.admin(tank.name, read_only=False).table.delete("sys_group_has_role", grant["sys_id"])
    answers = ask(house, write=True)
    assert answers["roles"].causes[0].id == "role_not_granted"
    assert answers["incident_read"].causes[0].id in ("rows_hidden_by_acl", "read_denied")
    assert answers["incident_write"].causes[0].id == "create_denied"
    assert mended(house)


def test_a_business_rule_that_refuses_is_named(house, tank):
    house.apply()
    fault = {
        "match": {"method": "POST", "path": "/api/now/table/incident"},
        "do": "status",
        "status": 403,
        "body": {
            "error": {
                "message": "Operation Failed",
                "detail": "Operation against file 'incident' was aborted by Business Rule 'No robots^0123'. "
                "Business Rule Stack:No robots",
            },
            "status": "failure",
        },
    }
    tank.control("faults", [fault])
    answer = ask(house, write=True)["incident_write"]
    assert answer.causes[0].id == "business_rule_abort"
    assert "No robots" in answer.causes[0].fix


def test_a_lost_answer_to_the_sample_record_leaves_one_record(house, tank):
    house.apply()
    match = {"method": "POST", "path": "/api/now/table/incident"}
    tank.control("faults", [{"match": match, "do": "drop_after_commit", "times": 1}])
    assert ask(house, write=True)["incident_write"].outcome == "pass"
    assert len(rows(tank, "incident", "correlation_idSTARTSWITHlinkspan-preflight-")) <= 1


def test_the_other_side_of_tls(house, tank):
    house.apply()
    house.write(**{tank.name: tank.tls_url})
    assert first_failure(house) == ("tls", "tls_unknown_authority", "certain")
    text = house.config.read_text().replace("admin: {", f'ca: "{tank.ca}", admin: {{')
    house.config.write_text(text)
    assert first_failure(house) is None


def test_the_report_is_kept_for_the_page(house, tank):
    from linkspan.store.reports import Reports

    house.apply()
    assert house.command("preflight")["exit"] == 0
    with house.wiring() as wiring:
        kept = Reports(wiring.database).load("preflight", f"{tank.name}/responder")
    assert kept is not None
    assert kept["summary"]["failed"] == 0
