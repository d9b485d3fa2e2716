"""Which tables there are, and the columns of one."""

from typing import Any

import pytest


@pytest.mark.claim("metadata-tables")
def test_the_tables_a_caller_may_read(admin: Any) -> None:
    tables = admin.get("/api/now/doc/table/schema")
    assert {"label": "Incident", "value": "incident", "reference": False} in tables
    labels = [each["label"].lower() for each in tables]
    assert labels == sorted(labels)
    names = {each["value"] for each in tables}
    assert {"task", "sys_user", "cmdb_ci"} < names
    seen = {
        each["value"] for each in admin.user("reader", "sn_incident_read").get("/api/now/doc/table/schema")
    }
    assert "incident" in seen
    assert "problem" not in seen
    assert seen < names


@pytest.mark.claim("metadata-columns")
@pytest.mark.parametrize("path", ["/api/now/doc/table/schema/incident", "/api/now/ui/meta/incident"])
def test_the_columns_of_a_table(admin: Any, path: str) -> None:
    columns = admin.get(path)["columns"]
    assert set(columns) == set(admin.instance.dictionary.table("incident").fields)
    caller = columns["caller_id"]
    assert (caller["label"], caller["type"], caller["reference"]) == ("Caller", "reference", "sys_user")
    assert caller["reference_display_field"] == "name"
    assert (caller["mandatory"], caller["read_only"]) == (False, False)
    assert {"value": "2", "label": "In Progress"} in columns["state"]["choices"]
    assert columns["short_description"]["max_length"] == 160
    assert columns["short_description"]["base_table"] == "task"
    assert "choices" not in columns["short_description"]
    assert "reference" not in columns["short_description"]


@pytest.mark.claim("metadata-columns")
def test_a_column_that_may_not_be_read_is_not_named(admin: Any) -> None:
    assert "user_password" in admin.get("/api/now/ui/meta/sys_user")["columns"]
    assert "user_password" not in admin.user("eve", "itil").get("/api/now/ui/meta/sys_user")["columns"]


def test_a_new_column_is_there_at_once(admin: Any) -> None:
    admin.create("sys_dictionary", {"name": "incident", "element": "u_door", "internal_type": "boolean"})
    assert admin.get("/api/now/ui/meta/incident")["columns"]["u_door"]["type"] == "boolean"


@pytest.mark.claim("metadata-schema-shape")
def test_the_schema_of_a_table_may_be_a_list(admin: Any) -> None:
    admin.instance.configure({"table_schema": "list"})
    columns = admin.get("/api/now/doc/table/schema/incident")
    assert {"number", "state"} <= {each["value"] for each in columns}
    assert admin.get("/api/now/ui/meta/incident")["columns"]["number"]


@pytest.mark.parametrize("path", ["/api/now/doc/table/schema/", "/api/now/ui/meta/"])
def test_what_is_refused(admin: Any, path: str) -> None:
    assert admin.refused("GET", path + "nope") == (400, "Invalid table nope", None)
    assert admin.user("nobody.special").refused("GET", path + "problem")[0] == 403
    assert admin.refused("POST", path + "incident", json={})[0] == 405
    row = admin.instance.database.first("sys_db_object", name="problem")
    admin.instance.database.update("sys_db_object", row["sys_id"], {"ws_access": "false"})
    assert admin.refused("GET", path + "problem")[0] == 403


@pytest.mark.claim("metadata-tables")
@pytest.mark.claim("metadata-columns")
@pytest.mark.claim("tinyurl-make")
@pytest.mark.claim("tinyurl-resolve")
def test_an_instance_may_do_without_what_is_not_documented(admin: Any) -> None:
    admin.instance.configure({"undocumented_apis": "absent"})
    absent = (400, "Requested URI does not represent any resource", None)
    for path in ("doc/table/schema", "doc/table/schema/incident", "ui/meta/incident", "tinyurl/abc"):
        assert admin.refused("GET", f"/api/now/{path}") == absent
    assert admin.refused("POST", "/api/now/tinyurl", json={"url": "incident_list.do?x=y"}) == absent
