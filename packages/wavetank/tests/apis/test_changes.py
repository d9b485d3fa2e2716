"""Changes, and what deletions leave behind, over the Table API."""

from typing import Any

import pytest

LISTED = "glide.ui.audit_deleted_tables"


@pytest.mark.claim("change-life")
def test_a_change_goes_its_way(admin: Any) -> None:
    agent = admin.user("agent", "itil")
    made = agent.create("change_request", {"short_description": "New switch", "type": "normal"})
    assert (made["state"], made["active"], made["number"][:3]) == ("-5", "true", "CHG")
    me = agent.get("sys_user", sysparm_query="user_name=agent", sysparm_fields="sys_id")[0]["sys_id"]
    assert made["requested_by"]["value"] == me
    for state in ("-4", "-3", "-2", "-1", "0"):
        assert agent.change("change_request", made["sys_id"], {"state": state})["active"] == "true"
    closed = agent.change(
        "change_request",
        made["sys_id"],
        {"state": "3", "close_code": "successful", "close_notes": "Done"},
    )
    assert (closed["active"], closed["close_code"], closed["closed_by"]["value"]) == (
        "false",
        "successful",
        me,
    )
    assert closed["closed_at"] == closed["sys_updated_on"]
    assert admin.user("other").refused("POST", "change_request", json={})[0] == 403


def _gone(admin: Any, table: str, values: dict[str, str], above: str = "") -> list[Any]:
    """The rows that making and deleting a record leave in sys_audit_delete."""
    made = admin.create(table, values)
    assert admin.call("DELETE", f"{above or table}/{made['sys_id']}").status_code == 204
    found: list[Any] = admin.get("sys_audit_delete", sysparm_query=f"documentkey={made['sys_id']}")
    return found


@pytest.mark.claim("audit-delete")
def test_a_deletion_names_the_class_of_what_was_deleted(admin: Any) -> None:
    admin.instance.clock.freeze()
    (row,) = _gone(admin, "change_request", {"short_description": "x"}, above="task")
    assert (row["tablename"], row["sys_created_by"]) == ("change_request", "admin")
    assert row["sys_created_on"] == admin.instance.clock.text()
    (server,) = _gone(admin, "cmdb_ci_linux_server", {"name": "lnx"}, above="cmdb_ci")
    assert (server["tablename"], server["display_value"]) == ("cmdb_ci_linux_server", "lnx")


@pytest.mark.claim("audit-delete-exempt")
def test_tables_of_the_system_are_kept_when_listed(admin: Any) -> None:
    assert _gone(admin, "sys_user", {"user_name": "a"}) == []
    admin.instance.set_property(LISTED, "sys_user_group, sys_user")
    (row,) = _gone(admin, "sys_user", {"user_name": "b", "user_password": "secret"})
    assert row["tablename"] == "sys_user"
    assert "secret" not in row["payload"]
    assert _gone(admin, "sys_user_role", {"name": "r"}) == []


@pytest.mark.claim("audit-delete-exempt")
@pytest.mark.parametrize("attribute", ["no_audit_delete", "hasLabels=true,no_audit_delete=true"])
def test_an_attribute_of_the_table_itself_exempts_it(admin: Any, attribute: str) -> None:
    database = admin.instance.database

    def mark(table: str) -> None:
        entry = database.first("sys_dictionary", name=table, element="")
        database.update("sys_dictionary", entry["sys_id"], {"attributes": attribute})

    mark("task")
    assert len(_gone(admin, "incident", {})) == 1
    mark("incident")
    assert _gone(admin, "incident", {}) == []


@pytest.mark.claim("audit-delete-admin")
def test_only_admin_reads_what_was_deleted(admin: Any) -> None:
    assert len(_gone(admin, "incident", {})) == 1
    assert admin.user("agent", "itil").get("sys_audit_delete") == []
