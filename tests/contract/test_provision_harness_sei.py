"""The recipe harness-sei: an account that reads incidents, changes and users and writes nothing."""

from __future__ import annotations

import pytest

from linkspan.core.errors import NotAuthorized
from tests.contract.accounts import House, rows

TABLES = ("incident", "change_request", "sys_user")


@pytest.fixture
def house(tmp_path, wavetank, capsys):
    wavetank.control("records/incident", {"short_description": "Down"})
    wavetank.control("records/change_request", {"short_description": "Patch"})
    return House(tmp_path, [wavetank], capsys)


def granted(house, wavetank):
    found = rows(wavetank, "sys_group_has_role", "group.name=linkspan.responder")
    return {rows(wavetank, "sys_user_role", f"sys_id={one['role']}")[0]["name"] for one in found}


@pytest.mark.parametrize("profile", ["least", "custom_fields", "documented"])
@pytest.mark.parametrize("scheme", ["basic", "oauth_client"])
def test_validate_connection(house, wavetank, scheme, profile):
    house.write(scheme, recipe="harness-sei", profile=profile)
    house.apply()
    assert house.command("plan")["exit"] == 0
    checks = house.command("preflight", "--write")["result"]["checks"]
    outcomes = {one["check"]: one["outcome"] for one in checks}
    assert [one for one in checks if one["outcome"] in ("fail", "unknown")] == []
    assert (outcomes["tables_read"], outcomes["incident_write"]) == ("pass", "skip")
    assert ("oauth_admin" in granted(house, wavetank)) == (
        (scheme, profile) == ("oauth_client", "documented")
    )


def test_least_reads_three_tables_and_writes_nothing_whatever_it_is_given(house, wavetank):
    house.write("oauth_client", recipe="harness-sei")
    house.apply()
    (role,) = rows(wavetank, "sys_user_role", "name=itil")
    (group,) = rows(wavetank, "sys_user_group", "name=linkspan.responder")
    wavetank.control("records/sys_group_has_role", {"group": group["sys_id"], "role": role["sys_id"]})
    with house.wiring() as wiring:
        line = wiring.connection("responder", wavetank.name).table
        for table in TABLES:
            found = line.page(table, limit=1).rows
            assert found, table
            with pytest.raises(NotAuthorized):
                line.create(table, {})
            with pytest.raises(NotAuthorized):
                line.update(table, found[0]["sys_id"], {"short_description": "x", "title": "x"})
            with pytest.raises(NotAuthorized):
                line.delete(table, found[0]["sys_id"])


def test_custom_fields_are_known_and_no_column_can_be_changed(house, wavetank):
    field = {"name": "incident", "element": "u_ward", "internal_type": "string", "active": "true"}
    (made,) = wavetank.control("records/sys_dictionary", [field])["result"]
    house.write("oauth_client", recipe="harness-sei", profile="custom_fields")
    house.apply()
    with house.wiring() as wiring:
        line = wiring.connection("responder", wavetank.name).table
        assert line.first("sys_dictionary", "name=incident^element=u_ward")["sys_id"] == made["sys_id"]
        with pytest.raises(NotAuthorized):
            line.update("sys_dictionary", made["sys_id"], {"column_label": "x"})
        with pytest.raises(NotAuthorized):
            line.create("sys_dictionary", {**field, "element": "u_other"})


def test_preflight_says_what_each_role_is_needed_for(house):
    house.write("basic", recipe="harness-sei")
    house.apply()
    checks = house.command("preflight")["result"]["checks"]
    (roles,) = [one for one in checks if one["check"] == "roles"]
    assert roles["evidence"]["needed"]["sn_change_read"] == "change requests are read with it"
    assert set(roles["evidence"]["needed"]) <= set(roles["evidence"]["roles"])


def test_a_table_it_does_not_see_is_named(house, wavetank):
    house.write("basic", recipe="harness-sei")
    house.apply()
    (role,) = rows(wavetank, "sys_user_role", "name=sn_change_read")
    (group,) = rows(wavetank, "sys_user_group", "name=linkspan.responder")
    found = rows(wavetank, "sys_group_has_role", f"group={group['sys_id']}^role={role['sys_id']}")
    for one in found:
        with house.wiring() as wiring:
            wiring.admin(wavetank.name, read_only=False).table.delete("sys_group_has_role", one["sys_id"])
    checks = house.command("preflight")["result"]["checks"]
    (read,) = [one for one in checks if one["check"] == "tables_read"]
    assert read["outcome"] == "fail"
    assert [cause["id"] for cause in read["causes"]] in (["table_rows_hidden"], ["read_denied"])
    assert "change_request" in read["causes"][0]["fix"]
