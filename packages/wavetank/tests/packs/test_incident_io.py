"""The Store app incident.io, and the access to `task` that its role lacks."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from wavetank.clock import Clock
from wavetank.database.store import Database
from wavetank.instance import Instance

ROLE = "x_incident_io.api_user"
CONFIGURATION = "x_incident_io_sync_configuration"
GUIDE = (ROLE, "cmdb_read", "sn_cmdb_user", "incident_manager")
FOLLOW_UP = {
    "short_description": "Raise the limit",
    "description": "It ran full twice",
    "state": "2",
    "priority": "3",
    "correlation_id": "01HX",
}


@pytest.fixture
def instance(make_database: Callable[..., Database]) -> Iterator[Instance]:
    made = Instance("dev", make_database("demo,incident_io"), Clock())
    yield made
    made.close()


def open_task(instance: Instance, role: str, *operations: str, table: str = "task") -> None:
    """Access controls that let a role do something with a table."""
    held = instance.database.first("sys_user_role", name=role)
    assert held
    for operation in operations:
        rule = {"name": table, "operation": operation, "type": "record", "active": "true"}
        acl = instance.database.insert("sys_security_acl", rule)
        link = {"sys_security_acl": acl["sys_id"], "sys_user_role": held["sys_id"]}
        instance.database.insert("sys_security_acl_role", link)


@pytest.mark.claim("incident-io-tables")
def test_the_app_is_recognised_by_scope_and_table(admin: Any) -> None:
    (app,) = admin.get("sys_store_app", sysparm_query="scope=x_incident_io")
    assert (app["name"], app["active"], app["vendor"]) == ("incident.io", "true", "incident.io")
    (role,) = admin.get("sys_user_role", sysparm_query=f"name={ROLE}")
    assert role["suffix"] == "api_user"
    assert admin.get(CONFIGURATION) == []


def test_without_the_pack_there_is_no_app(make_database: Callable[..., Database]) -> None:
    database = make_database("sample")
    assert database.dictionary.table(CONFIGURATION) is None
    assert database.first("sys_user_role", name=ROLE) is None


@pytest.mark.claim("incident-io-role")
def test_the_role_configures_and_writes_incidents_and_no_tasks(instance: Instance, admin: Any) -> None:
    app = admin.user("io", ROLE)
    made = app.create(CONFIGURATION, {"name": "major", "endpoint": "https://api.example"})
    assert app.change(CONFIGURATION, made["sys_id"], {"active": "false"})["active"] == "false"
    incident = app.create("incident", {"short_description": "x"})
    assert app.change("incident", incident["sys_id"], {"urgency": "1"})["urgency"] == "1"
    assert app.refused("DELETE", f"incident/{incident['sys_id']}")[0] == 403
    assert app.refused("POST", "task", json=FOLLOW_UP)[0] == 403
    assert app.get("task", sysparm_query="sys_class_name=task") == []
    assert app.refused("POST", "problem", json={})[0] == 403
    other = admin.user("other")
    assert other.get(CONFIGURATION) == []
    assert other.refused("POST", CONFIGURATION, json={"name": "x"})[0] == 403


@pytest.mark.claim("acl-task-role")
def test_a_role_of_its_own_opens_task_and_nothing_below(instance: Instance, admin: Any) -> None:
    instance.database.insert("sys_user_role", {"name": "u_follow_ups"})
    writer = admin.user("writer", "u_follow_ups")
    open_task(instance, "u_follow_ups", "create", "read")
    parent = admin.create("incident", {"short_description": "Outage"})
    beth = instance.database.first("sys_user", user_name="beth.anglin")
    assert beth
    more = {"parent": parent["sys_id"], "assigned_to": beth["sys_id"]}
    made = writer.create("task", {**FOLLOW_UP, **more}, sysparm_exclude_reference_link="true")
    assert {name: made[name] for name in (*FOLLOW_UP, *more)} == {**FOLLOW_UP, **more}
    assert (made["sys_class_name"], made["number"][:4]) == ("task", "TASK")
    path = f"task/{made['sys_id']}"
    assert writer.refused("PATCH", path, json={"state": "3"}) == (
        403,
        "Operation Failed",
        "ACL Exception Update Failed due to security constraints",
    )
    open_task(instance, "u_follow_ups", "write")
    done = writer.change("task", made["sys_id"], {"state": "3", "short_description": "Raised"})
    assert (done["state"], done["active"], done["short_description"]) == ("3", "false", "Raised")
    assert writer.refused("DELETE", path)[0] == 403
    assert {row["sys_class_name"] for row in writer.get("task")} == {"task"}
    for table in ("incident", "problem", "change_request"):
        assert writer.get(table) == []
        assert writer.refused("POST", table, json={})[0] == 403
    there = f"{parent['sys_id']}"
    assert writer.refused("PATCH", f"task/{there}", json={"state": "2"})[0] in (403, 404)
    assert admin.get(f"incident/{there}")["state"] == "1"


@pytest.mark.claim("acl-task-role")
def test_a_class_without_rules_of_its_own_follows_task(instance: Instance, admin: Any) -> None:
    instance.database.insert(
        "sys_db_object", {"name": "u_chore", "label": "Chore", "super_class": _id(instance)}
    )
    instance.database.insert("sys_user_role", {"name": "u_follow_ups"})
    writer = admin.user("writer", "u_follow_ups")
    assert writer.refused("POST", "u_chore", json={})[0] == 403
    open_task(instance, "u_follow_ups", "create", "read")
    assert writer.create("u_chore", {"short_description": "x"})["sys_class_name"] == "u_chore"


@pytest.mark.claim("acl-task-role")
def test_a_field_rule_of_a_class_does_not_reach_plain_tasks(instance: Instance, admin: Any) -> None:
    instance.database.insert("sys_user_role", {"name": "u_follow_ups"})
    writer = admin.user("writer", "u_follow_ups")
    open_task(instance, "u_follow_ups", "create", "read", "write")
    open_task(instance, "itil", "write", table="incident.*")
    made = writer.create("task", FOLLOW_UP)
    assert writer.change("task", made["sys_id"], {"description": "y"})["description"] == "y"
    open_task(instance, "itil", "write", table="task.description")
    assert writer.change("task", made["sys_id"], {"description": "z", "state": "3"})["description"] == "y"


@pytest.mark.claim("role-guide-incident-io")
def test_the_roles_of_the_guide(instance: Instance, admin: Any) -> None:
    full, least = admin.user("full", *GUIDE), admin.user("least", ROLE)
    held = {row["role"] for row in instance.database.find("sys_user_has_role", user=_user(instance, "full"))}
    names = {row["name"] for row in instance.database.find("sys_user_role") if row["sys_id"] in held}
    assert {"itil", "sn_incident_write", "cmdb_query_builder", "app_service_user"} <= names
    assert "admin" not in names
    assert full.create("problem", {})["number"]
    assert full.create("task", FOLLOW_UP)
    for reader in (full, least):
        assert reader.get("sys_user", sysparm_limit="1")
        assert reader.get("sys_user_group", sysparm_limit="1")
    admin.create("cmdb_ci_server", {"name": "db1"})
    assert full.get("cmdb_ci_server")
    assert least.get("cmdb_ci_server") == []
    for role in ("sn_cmdb_user", "cmdb_read"):
        reader = admin.user(role, role)
        assert reader.get("cmdb_ci_server")
        assert reader.refused("POST", "cmdb_ci_server", json={"name": "db2"})[0] == 403
        assert reader.refused("POST", "sys_user", json={"user_name": "x"})[0] == 403


def _id(instance: Instance) -> str:
    found = instance.database.first("sys_db_object", name="task")
    assert found
    return found["sys_id"]


def _user(instance: Instance, name: str) -> str:
    found = instance.database.first("sys_user", user_name=name)
    assert found
    return found["sys_id"]
