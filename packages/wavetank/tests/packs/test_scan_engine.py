"""The Store app Scan Engine on an instance."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from wavetank import packs
from wavetank.app import Options, create
from wavetank.clock import Clock
from wavetank.control import records
from wavetank.database.store import Database
from wavetank.instance import Instance

TABLE = "sn_se_my_sn_instances"
ADMIN_ROLE = "sn_se.scan_engine_admin"


@pytest.fixture
def instance(make_database: Callable[..., Database]) -> Iterator[Instance]:
    """An instance with the app and the demo rows."""
    made = Instance("dev", make_database("demo, scan_engine"), Clock())
    yield made
    made.close()


def entry(name: str, environment: str) -> dict[str, str]:
    return {"instance_name": name, "instance_url": f"https://{name}.example", "environment": environment}


def test_packs_come_in_a_comma_list(instance: Instance) -> None:
    assert len(instance.database.find("incident")) == 67
    assert instance.database.first("sys_store_app", scope="sn_se")
    numbers = {row["number"] for row in instance.database.find("sn_se_definition")}
    assert {"sn_SE10444", "sn_SE10104"} < numbers
    with pytest.raises(ValueError, match="no pack 'nope'"):
        packs.load(instance.database, "demo,nope")


def test_without_the_pack_there_is_no_trace_of_the_app(database: Database) -> None:
    assert database.dictionary.table(TABLE) is None
    assert database.first("sys_store_app", scope="sn_se") is None
    assert database.first("sys_user_role", name=ADMIN_ROLE) is None
    assert not database.find("sys_script", collection=TABLE)


def test_an_instance_is_started_with_the_app() -> None:
    made, _ = create(Options(pack="scan_engine"))
    assert made.database.first("sys_user_role", name=ADMIN_ROLE)
    made.close()


def test_references_choices_and_access_controls_of_the_pack_are_sound(instance: Instance) -> None:
    database = instance.database
    for table in database.dictionary:
        if table.name.startswith(("sn_se_", "sys_auth_profile")):
            assert all(
                database.dictionary.table(field.reference) for field in table.own if field.is_reference
            )
    for row in database.find("sys_choice"):
        assert database.known(row["name"]).fields[row["element"]].choice, row
    for row in database.find("sys_security_acl", type="record"):
        table_name, _, field = row["name"].partition(".")
        assert table_name == "*" or field in {"", "*", *database.known(table_name).fields}, row["name"]


@pytest.mark.claim("scan-engine-roles")
def test_only_the_apps_roles_and_the_admin_override_open_its_tables(admin: Any) -> None:
    admin.create(TABLE, entry("prod", "Production"))
    app, reader, agent = (
        admin.user("app", ADMIN_ROLE),
        admin.user("reader", "sn_se.scan_engine_user"),
        admin.user("agent", "itil"),
    )
    assert [row["instance_name"] for row in app.get(TABLE)] == ["prod"]
    assert [row["instance_name"] for row in reader.get(TABLE)] == ["prod"]
    assert agent.get(TABLE) == []
    assert agent.refused("POST", TABLE, json=entry("dev", "Development"))[0] == 403
    assert reader.refused("POST", TABLE, json=entry("dev", "Development"))[0] == 403
    app.create(TABLE, entry("dev", "Development"))


@pytest.mark.claim("scan-engine-columns")
def test_the_fields_are_found_by_their_labels(instance: Instance) -> None:
    labels = {row["column_label"] for row in instance.database.find("sys_dictionary", name=TABLE)}
    assert labels >= {
        "Instance Name",
        "Instance URL",
        "Environment",
        "Authentication Type",
        "API Credential Config",
        "OAuth Application Registry",
        "OAuth User Profile",
        "Validated",
        "Connection Status",
    }
    words = {row["label"] for row in instance.database.find("sys_choice", element="connection_status")}
    assert words == {
        "Approvals not configured in production",
        "Authentication method is not configured",
        "Connection Valid",
        "Connection Invalid",
        "API User is missing role",
        "User not setup on target instance",
    }


@pytest.mark.claim("scan-engine-read-only")
def test_what_the_app_finds_out_cannot_be_written_over_rest(admin: Any) -> None:
    wish = {"validated": "true", "connection_status": "Connection Valid"}
    made = admin.create(TABLE, {**entry("prod", "Production"), **wish})
    assert (made["validated"], made["connection_status"]) == ("false", "")
    app = admin.user("app", ADMIN_ROLE)
    for who in (admin, app):
        changed = who.change(TABLE, made["sys_id"], {**wish, "instance_name": "other"})
        assert (changed["validated"], changed["connection_status"]) == ("false", "")
        assert changed["instance_name"] == "other"


@pytest.mark.claim("scan-engine-validate")
def test_a_test_writes_the_outcome_of_a_validation(admin: Any, instance: Instance) -> None:
    sys_id = admin.create(TABLE, entry("prod", "Production"))["sys_id"]
    for word in ("API User is missing role", "Connection Valid"):
        records.update(instance, (TABLE, sys_id), {"connection_status": word})
        assert admin.get(f"{TABLE}/{sys_id}", sysparm_display_value="true")["connection_status"] == word


@pytest.mark.claim("scan-engine-properties")
def test_the_properties_of_the_app(admin: Any) -> None:
    reader = admin.user("reader", "sn_se.internal_rest_integration")
    (row,) = reader.get("sn_se_properties")
    assert (row["scan_read_only"], row["full_scan_batch_size"], row["keep_days_finding_history"]) == (
        "true",
        "50000",
        "30",
    )
    app = admin.user("app", ADMIN_ROLE)
    wish = {"enable_exception_reason_approvals_in_production": "false", "full_scan_batch_size": "7"}
    changed = app.change("sn_se_properties", row["sys_id"], wish)
    assert changed["enable_exception_reason_approvals_in_production"] == "false"
    assert changed["full_scan_batch_size"] == "50000"
    assert reader.refused("PATCH", f"sn_se_properties/{row['sys_id']}", json=wish)[0] == 403


@pytest.mark.claim("scan-engine-one-production", "scan-engine-one-production-word")
def test_a_second_production_is_taken_and_breaks_the_integration(admin: Any, instance: Instance) -> None:
    found = {"validated": "true", "connection_status": "Connection Valid"}
    prod, dev = (
        admin.create(TABLE, entry(name, kind))["sys_id"]
        for name, kind in (("prod", "Production"), ("dev", "Development"))
    )
    for sys_id in (prod, dev):
        instance.database.update(TABLE, sys_id, found, system=False)
    admin.create(TABLE, entry("qa", "Test"))
    assert {row["connection_status"] for row in admin.get(TABLE)} == {"Connection Valid", ""}
    admin.create(TABLE, entry("prod2", "Production"))
    for row in admin.get(TABLE):
        assert row["connection_status"] in {"Connection Invalid", ""}
        assert row["validated"] == "false"


def test_a_credential_is_kept_sealed(admin: Any, instance: Instance) -> None:
    made = admin.create("sys_auth_profile_basic", {"name": "se", "username": "svc", "password": "sesame"})
    assert made["password"] not in {"", "sesame"}
    stored = instance.database.get("sys_auth_profile_basic", made["sys_id"])
    assert stored is not None
    assert instance.seal.open(stored["password"]) == "sesame"
    listed = admin.create(TABLE, {**entry("prod", "Production"), "api_credential_config": made["sys_id"]})
    shown = admin.get(f"{TABLE}/{listed['sys_id']}", sysparm_display_value="true")
    assert shown["api_credential_config"]["display_value"] == "se"
