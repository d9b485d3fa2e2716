"""Scans against running instances: what is there is found, what may not be read is unknown, nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.contract.accounts import House, change, last_request, requests_since, rows


@pytest.fixture
def house(tmp_path: Path, wavetank_fleet: Mapping[str, Any], capsys: pytest.CaptureFixture[str]) -> House:
    """The account ``responder`` on three instances, chosen as the one that scans."""
    house = House(tmp_path, wavetank_fleet.values(), capsys)
    house.config.write_text(house.config.read_text() + "scan: {account: responder}\n")
    house.apply()
    return house


def cells(house: House, definition: str) -> dict[str, Any]:
    """The cells of one definition by instance."""
    compared = house.command("scan", "compare", "--all")["result"]["definitions"]
    return next(row["instances"] for row in compared if row["definition"] == definition)


def displays(house: House, definition: str, instance: str = "dev") -> list[str]:
    found = house.command("scan", "findings", "--definition", definition, "--instance", instance)
    return [row["display"] for row in found["result"]["findings"]]


def user(instance: Any, user_name: str, **values: str) -> str:
    made = instance.control("records/sys_user", {"user_name": user_name, "active": "true", **values})
    return str(made["result"][0]["sys_id"])


def grant(instance: Any, sys_id: str, role: str, **values: str) -> None:
    (found,) = rows(instance, "sys_user_role", f"name={role}")
    held = {"user": sys_id, "role": found["sys_id"], "state": "active", "inherited": "false", **values}
    instance.control("records/sys_user_has_role", held)


def script(instance: Any, name: str, text: str) -> None:
    instance.control("records/sys_script", {"name": name, "active": "true", "script": text})


def test_a_run_asks_every_instance_and_writes_nothing(house: House) -> None:
    starts = {name: last_request(one) for name, one in house.instances.items()}
    done = house.command("scan", "run")
    assert (done["exit"], done["problems"]) == (0, [])
    assert set(done["result"]["instances"]) == {"dev", "qa", "prod"}
    assert done["result"]["definitions"] >= 12
    for name, one in house.instances.items():
        asked = requests_since(one, starts[name])
        assert {request["method"] for request in asked} == {"GET"}
        assert len(asked) == done["result"]["instances"][name]["requests"]
        assert done["result"]["instances"][name]["user"] == "svc.responder"


def test_what_the_account_may_not_read_is_unknown_and_never_clean(house: House) -> None:
    script(house.instances["dev"], "Leaky", "var password = 'hunter2hunter2';")
    house.command("scan", "run")
    for definition, reason in (
        ("credential_in_script", "sys_script"),
        ("soap_without_sign_in", "sys_properties"),
    ):
        cell = cells(house, definition)["dev"]
        assert cell["verdict"] == "unknown"
        assert reason in cell["reason"]
        assert "visible" in cell["reason"]
    found = house.command("scan", "findings", "--instance", "dev")["result"]
    assert {one["definition"] for one in found["unknown"]} >= {"credential_in_script", "soap_without_sign_in"}
    house.command("scan", "run", "--as-admin")
    assert cells(house, "credential_in_script")["dev"]["count"] == 1


def test_an_integration_account_with_admin_is_found_on_the_instance_that_has_it(house: House) -> None:
    dev = house.instances["dev"]
    sys_id = user(dev, "svc.legacy", web_service_access_only="true")
    grant(dev, sys_id, "admin")
    house.command("scan", "run")
    assert displays(house, "integration_account_is_admin") == ["svc.legacy"]
    assert displays(house, "web_service_account_is_elevated") == ["svc.legacy"]
    assert "svc.legacy: admin" in displays(house, "role_granted_directly")
    assert "svc.legacy" in displays(house, "integration_account_without_owner")
    compared = {row["definition"]: row for row in house.command("scan", "compare")["result"]["definitions"]}
    assert compared["integration_account_is_admin"]["differs"] == [
        {"display": "svc.legacy", "found_on": ["dev"], "missing_on": ["qa", "prod"]}
    ]


def test_people_with_admin_are_no_integration_accounts(house: House) -> None:
    house.command("scan", "run")
    assert displays(house, "integration_account_is_admin") == []
    assert cells(house, "integration_account_is_admin")["dev"]["verdict"] == "clean"
    assert displays(house, "default_admin_active") == ["admin"]


def test_an_inactive_user_with_roles_and_a_machine_with_the_interface_are_found(house: House) -> None:
    qa = house.instances["qa"]
    grant(qa, user(qa, "gone", active="false"), "itil")
    user(qa, "svc.both", identity_type="machine", web_service_access_only="false")
    user(qa, "svc.hidden", internal_integration_user="true", manager="6816f79cc0a8016401c5a33be04be441")
    house.command("scan", "run", "--suite", "accounts")
    assert displays(house, "inactive_user_holds_roles", "qa") == ["gone"]
    assert displays(house, "machine_can_use_the_interface", "qa") == ["svc.both"]
    assert displays(house, "internal_integration_user", "qa") == ["svc.hidden"]
    assert displays(house, "integration_account_without_owner", "qa") == ["svc.both"]


def test_eleven_holders_are_a_crowd_and_ten_are_not(house: House) -> None:
    dev, qa = house.instances["dev"], house.instances["qa"]
    there = len(rows(qa, "sys_user_has_role", "role.name=oauth_admin^user.active=true"))  # with admin, say
    for instance, many in ((dev, 11 - there), (qa, 10 - there)):
        for number in range(many):
            grant(instance, user(instance, f"oauth.{number}"), "oauth_admin")
    house.command("scan", "run", "--suite", "accounts")
    found = house.command("scan", "findings", "--definition", "crowded_ruling_role")["result"]["findings"]
    assert [(one["instance"], one["display"], one["detail"]["holders"]) for one in found] == [
        ("dev", "oauth_admin", 11)
    ]


def test_properties_are_judged_by_their_value_or_their_absence(house: House) -> None:
    dev, prod = house.instances["dev"], house.instances["prod"]
    dev.control("records/sys_properties", {"name": "glide.basicauth.required.soap", "value": "true"})
    dev.control("records/sys_properties", {"name": "glide.user.show.password.field", "value": "true"})
    dev.control("records/sys_properties", {"name": "glide.user.default_password", "value": "password"})
    change(prod, "sys_properties", "name=glide.invalid_query.returns_no_rows", value="true")
    house.command("scan", "run", "--as-admin", "--suite", "security")
    soap = cells(house, "soap_without_sign_in")
    assert (soap["dev"]["verdict"], soap["qa"]["verdict"]) == ("clean", "found")
    assert {name: cell["verdict"] for name, cell in cells(house, "password_field_shown").items()} == {
        "dev": "found",
        "qa": "clean",
        "prod": "clean",
    }
    rows_ = cells(house, "invalid_query_returns_rows")
    assert (rows_["dev"]["verdict"], rows_["prod"]["verdict"]) == ("found", "clean")
    unset = cells(house, "reset_password_not_asked_of_apis")["dev"]
    assert (unset["verdict"], "not set" in unset["reason"]) == ("unknown", True)
    (secret,) = house.command("scan", "findings", "--definition", "default_password_is_password")["result"][
        "findings"
    ]
    assert secret["detail"] == {}


def test_scripts_are_read_line_by_line_and_their_text_is_not_kept(house: House) -> None:
    dev = house.instances["dev"]
    script(dev, "Leaky", "// password = 'not this one'\nvar password = 'hunter2hunter2';\n")
    script(dev, "Sleepy", "gs.sleep(5000);")
    house.command("scan", "run", "--as-admin", "--suite", "scripts")
    (leak,) = house.command("scan", "findings", "--definition", "credential_in_script")["result"]["findings"]
    assert (leak["display"], leak["detail"], leak["table"]) == ("Leaky", {"lines": [2]}, "sys_script")
    assert displays(house, "sleep_in_script") == ["Sleepy"]
    assert "hunter2" not in str(house.command("scan", "findings")["result"])


def test_a_table_the_instance_does_not_have_is_unknown(house: House) -> None:
    absent = {"error": {"message": "Invalid table sys_ws_operation", "detail": None}, "status": "failure"}
    fault = {"match": {"table": "sys_ws_operation"}, "do": "status", "status": 400, "body": absent}
    house.instances["dev"].control("faults", fault)
    house.command("scan", "run", "--as-admin")
    cell = cells(house, "scripted_rest_without_sign_in")["dev"]
    assert (cell["verdict"], "Invalid table" in cell["reason"]) == ("unknown", True)


def test_findings_are_cut_at_the_limit_and_still_counted(house: House) -> None:
    dev = house.instances["dev"]
    many = [
        {"user_name": f"svc.many.{number:03d}", "active": "true", "web_service_access_only": "true"}
        for number in range(205)
    ]
    dev.control("records/sys_user", many)
    house.command("scan", "run", "--suite", "accounts", "--instance", "dev")
    cell = cells(house, "integration_account_without_owner")["dev"]
    assert (cell["kept"], cell["count"]) == (200, 205)


def test_the_same_problem_has_the_same_fingerprint_in_the_next_run(house: House) -> None:
    marks = []
    for _ in range(2):
        house.command("scan", "run", "--suite", "accounts")
        found = house.command("scan", "findings", "--definition", "default_admin_active")["result"]
        marks.append((found["run"], {one["fingerprint"] for one in found["findings"]}))
    assert marks[0][1] == marks[1][1]
    assert len(marks[0][1]) == 3
    assert marks[0][0] != marks[1][0]


def test_an_instance_that_is_away_is_unknown_and_the_others_are_scanned(house: House) -> None:
    house.write(qa="http://127.0.0.1:9")
    house.config.write_text(house.config.read_text() + "scan: {account: responder}\n")
    done = house.command("scan", "run")
    assert done["exit"] == 3
    assert [problem["where"] for problem in done["problems"]] == ["qa"]
    assert done["result"]["instances"]["qa"]["verdicts"]["unknown"] == done["result"]["definitions"]
    assert done["result"]["instances"]["prod"]["verdicts"]["clean"] > 0


def test_fail_on_decides_the_exit(house: House) -> None:
    assert house.command("scan", "findings")["problems"][0]["code"] == "not_found"
    house.command("scan", "run", "--suite", "scripts", "--as-admin")
    assert house.command("scan", "findings", "--fail-on", "act")["exit"] == 0
    script(house.instances["prod"], "Evil", "eval(current.description);")
    house.command("scan", "run", "--suite", "scripts", "--as-admin")
    assert house.command("scan", "findings")["exit"] == 0
    assert house.command("scan", "findings", "--fail-on", "act")["exit"] == 1
    assert house.command("scan", "findings", "--fail-on", "act", "--instance", "dev")["exit"] == 0
    assert house.command("scan", "findings", "--fail-on", "severe")["exit"] == 2


def test_without_a_scan_in_the_configuration_the_fix_says_what_to_write(house: House) -> None:
    house.write()
    refused = house.command("scan", "run")
    assert refused["exit"] == 2
    assert "scan: {account" in refused["problems"][0]["fix"]
