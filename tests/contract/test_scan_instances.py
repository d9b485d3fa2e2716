"""Each of the six connection statuses is produced on purpose on a fleet that has the Scan Engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.contract.accounts import House, change, last_request, requests_since, rows, surround
from tests.contract.test_json_output import shapes, unlike
from wavetank import Instance
from wavetank.running import fleet

TABLE = "sn_se_my_sn_instances"
USER = "user_name=svc.responder"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Instance]]:
    with fleet(pack="scan_engine", tls_dir=tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.fixture(scope="module")
def applied(running: Mapping[str, Instance], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home after one apply; each instance remembers that moment as ``applied``."""
    folder = tmp_path_factory.mktemp("applied")
    with pytest.MonkeyPatch.context() as monkeypatch:
        surround(monkeypatch, folder / "home")
        house = House(folder, running.values(), capsys=None)
        configure(house)
        house.apply()
    for one in running.values():
        one.control("snapshot", {"name": "applied"})
    return folder / "home"


@pytest.fixture
def house(
    tmp_path: Path,
    applied: Path,
    running: Mapping[str, Instance],
    capsys: pytest.CaptureFixture[str],
) -> House:
    """The account is on the three instances, and each knows all three."""
    shutil.copytree(applied, tmp_path / "home")
    for one in running.values():
        one.control("restore", {"name": "applied"})
    house = House(tmp_path, running.values(), capsys)
    configure(house)
    return house


def configure(house: House, **urls: str) -> None:
    house.write(recipe="scan-engine", **urls)
    house.config.write_text(house.config.read_text() + "scan: {account: responder}\n")


def instances(house: House) -> dict[str, Any]:
    answer = house.command("scan", "instances")
    found: dict[str, Any] = answer["result"]["instances"]
    assert answer["exit"] == (1 if any(one["problems"] for one in found.values()) else 0)
    return found


def verdict(house: House, name: str) -> tuple[str, str]:
    """Status and first cause of one instance."""
    found = instances(house)[name]
    return found["status"], found["problems"][0]["cause"]


def mended(house: House) -> bool:
    """Whether the fix that was named, apply, makes every connection valid."""
    house.command("apply", "--yes")
    return {one["status"] for one in instances(house).values()} == {"Connection Valid"}


def test_what_is_printed_is_what_is_documented(house: House) -> None:
    change(house.instances["prod"], TABLE, "instance_name=dev", instance_url="https://elsewhere")
    for command in ("scan instances", "scan run", "scan findings", "scan compare"):
        printed = house.command(*command.split())["result"]
        assert printed
        assert unlike(shapes()[command], printed) == [], command


def remove(instance: Instance, table: str, query: str) -> None:
    for row in rows(instance, table, query):
        instance.control(f"records/{table}/{row['sys_id']}", method="DELETE")


def test_connection_valid(house: House) -> None:
    starts = {name: last_request(one) for name, one in house.instances.items()}
    found = instances(house)
    for name, one in found.items():
        assert (one["status"], one["problems"], one["certain"], one["hidden"]) == (
            "Connection Valid",
            [],
            True,
            [],
        )
        assert one["instance_name"] == name
        assert {row["on"] for row in one["registrations"]} == {"dev", "qa", "prod"}
    asked = [
        request for name, one in house.instances.items() for request in requests_since(one, starts[name])
    ]
    assert {request["method"] for request in asked} == {"GET"}


def test_user_not_set_up_on_the_target(house: House) -> None:
    remove(house.instances["qa"], "sys_user", USER)
    assert verdict(house, "qa") == ("User not setup on target instance", "user_missing")
    assert mended(house)


def test_an_inactive_user_is_not_set_up_either(house: House) -> None:
    change(house.instances["qa"], "sys_user", USER, active="false")
    assert verdict(house, "qa") == ("User not setup on target instance", "user_inactive")
    assert mended(house)


def test_a_missing_role_is_found_and_admin_does_not_replace_it(house: House) -> None:
    dev = house.instances["dev"]
    (user,) = rows(dev, "sys_user", USER)
    remove(dev, "sys_user_has_role", f"user={user['sys_id']}^role.name=sn_se.internal_rest_integration")
    (admin,) = rows(dev, "sys_user_role", "name=admin")
    dev.control(
        "records/sys_user_has_role", {"user": user["sys_id"], "role": admin["sys_id"], "state": "active"}
    )
    assert verdict(house, "dev") == ("API User is missing role", "role_missing")
    assert "sn_se.internal_rest_integration" in instances(house)["dev"]["problems"][0]["says"]
    assert mended(house)


def test_an_authentication_method_is_not_configured(house: House) -> None:
    change(house.instances["prod"], TABLE, "instance_name=dev", authentication_type="")
    assert verdict(house, "dev") == ("Authentication method is not configured", "no_authentication_type")
    assert instances(house)["qa"]["status"] == "Connection Valid"
    assert mended(house)
    change(house.instances["prod"], TABLE, "instance_name=dev", api_credential_config="")
    assert verdict(house, "dev") == ("Authentication method is not configured", "no_credential_record")
    assert mended(house)
    remove(house.instances["qa"], TABLE, "instance_name=dev")
    assert verdict(house, "dev") == ("Authentication method is not configured", "not_registered")
    assert mended(house)


def test_a_wrong_password_is_an_invalid_connection_and_is_tried_once(house: House) -> None:
    with house.wiring() as wiring:
        wiring.secrets.put("qa/responder/basic", "not-the-password", pending=False)
    assert verdict(house, "qa") == ("Connection Invalid", "login_refused")
    (user,) = rows(house.instances["qa"], "sys_user", USER)
    assert user["failed_attempts"] == "1"


def test_a_locked_account_is_an_invalid_connection(house: House) -> None:
    change(house.instances["qa"], "sys_user", USER, locked_out="true")
    assert verdict(house, "qa") == ("Connection Invalid", "locked_out")
    assert mended(house)


@pytest.mark.parametrize("form", ["{url}/", "{url}/navpage.do"])
def test_a_url_in_another_form_is_an_invalid_connection(house: House, form: str) -> None:
    wrong = form.format(url=house.instances["dev"].url)
    change(house.instances["prod"], TABLE, "instance_name=dev", instance_url=wrong)
    assert verdict(house, "dev") == ("Connection Invalid", "wrong_url")
    assert mended(house)


def test_the_name_has_to_be_the_instances_own(house: House) -> None:
    change(house.instances["dev"], "sys_properties", "name=instance_name", value="acmedev")
    assert verdict(house, "dev") == ("Connection Invalid", "wrong_name")


def test_two_productions_break_every_connection(house: House) -> None:
    text = house.config.read_text().replace("environment: development", "environment: production", 1)
    house.config.write_text(text)
    found = instances(house)
    assert {one["status"] for one in found.values()} == {"Connection Invalid"}
    assert "several_productions" in [problem["cause"] for problem in found["prod"]["problems"]]


def test_approvals_are_not_configured_in_production(house: House) -> None:
    change(
        house.instances["prod"],
        "sn_se_properties",
        "",
        enable_exception_reason_approvals_in_production="false",
    )
    found = instances(house)
    assert {one["status"] for one in found.values()} == {"Approvals not configured in production"}
    assert found["dev"]["problems"][0]["cause"] == "approvals_off"


def test_an_instance_that_does_not_answer(house: House) -> None:
    configure(house, qa="http://127.0.0.1:9")
    assert verdict(house, "qa") == ("Connection Invalid", "unreachable")


def test_before_apply_there_is_no_credential(house: House, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("LINKSPAN_HOME", str(tmp_path / "another-home"))
    assert verdict(house, "dev") == ("Authentication method is not configured", "secret_missing")


def test_without_an_administrator_what_is_hidden_is_said(house: House) -> None:
    text = house.config.read_text().replace(
        ', admin: {scheme: basic, user: admin, secret: "env:TANK_ADMIN"}', ""
    )
    house.config.write_text(text)
    found = instances(house)["dev"]
    assert (found["status"], found["certain"]) == ("Connection Valid", False)
    assert any("Labels" in reason for reason in found["hidden"])
