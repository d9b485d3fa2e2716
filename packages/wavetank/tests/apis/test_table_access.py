"""Who may read and write what over the Table API."""

from typing import Any

import pytest

NOT_FOUND = (404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
QUERY_REFUSED = (
    403,
    "Insufficient rights to query records",
    "Field(s) present in the query do not have permission to be read",
)


@pytest.mark.claim("table-no-role-empty")
@pytest.mark.claim("table-count-before-acl")
def test_without_a_role_there_is_nothing_to_see(admin: Any, made: Any) -> None:
    nobody = admin.user("nobody.special")
    answer = nobody.call("GET", "incident?sysparm_limit=5")
    assert (answer.status_code, answer.json(), answer.headers["x-total-count"]) == (200, {"result": []}, "21")
    assert nobody.refused("GET", f"incident/{made['sys_id']}") == NOT_FOUND
    assert nobody.get("sys_properties") == []
    assert nobody.refused("GET", "sys_db_object") == (
        403,
        "Insufficient rights to query records",
        "No permission to read table 'sys_db_object'",
    )
    assert len(nobody.get("sys_user", sysparm_limit="3")) == 3
    assert nobody.get("sys_user_group", name="Network")
    admin.instance.configure({"total_count": "after_acl"})
    assert nobody.call("GET", "incident").headers["x-total-count"] == "0"


@pytest.mark.claim("incident-roles")
def test_the_incident_roles(admin: Any, made: Any) -> None:
    path = f"incident/{made['sys_id']}"
    reader, writer = admin.user("reader", "sn_incident_read"), admin.user("writer", "sn_incident_write")
    itil, cleaner = admin.user("itil.one", "itil"), admin.user("cleaner", "itil", "itil_admin")
    assert len(reader.get("incident")) == 21
    insert = (403, "Operation Failed", "ACL Exception Insert Failed due to security constraints")
    update = (403, "Operation Failed", "ACL Exception Update Failed due to security constraints")
    delete = (403, "Operation Failed", "ACL Exception Delete Failed due to security constraints")
    assert reader.refused("POST", "incident", json={}) == insert
    assert reader.refused("PATCH", path, json={"urgency": "1"}) == update
    assert writer.create("incident", {"short_description": "mine"})["sys_created_by"] == "writer"
    assert writer.change("incident", made["sys_id"], {"urgency": "1"})["urgency"] == "1"
    assert writer.refused("DELETE", path) == delete
    assert itil.refused("DELETE", path) == delete
    assert writer.get("task") == []
    assert writer.get("problem") == []
    assert len(itil.get("task", sysparm_query="sys_class_name=incident")) == 22
    assert cleaner.call("DELETE", path).status_code == 204


@pytest.mark.claim("journal-read")
def test_who_reads_journal_entries(admin: Any, made: Any) -> None:
    admin.change("incident", made["sys_id"], {"work_notes": "x"})
    writer, itil = admin.user("writer", "sn_incident_write"), admin.user("itil.one", "itil")
    assert len(itil.get("sys_journal_field")) == 1
    assert writer.get("sys_journal_field") == []
    admin.instance.configure({"journal_read": "sn_incident_read"})
    assert len(writer.get("sys_journal_field", element_id=made["sys_id"])) == 1


def _rule(admin: Any, name: str, operation: str, role: str = "", condition: str = "") -> None:
    database = admin.instance.database
    row = database.insert(
        "sys_security_acl",
        {
            "name": name,
            "operation": operation,
            "type": "record",
            "active": "true",
            "condition": condition,
            "decision_type": "allow",
            "admin_overrides": "true",
        },
    )
    if role:
        held = database.first("sys_user_role", name=role)["sys_id"]
        database.insert("sys_security_acl_role", {"sys_security_acl": row["sys_id"], "sys_user_role": held})


@pytest.mark.claim("table-acl-after-limit")
def test_rows_are_hidden_after_the_page_is_cut(admin: Any) -> None:
    for row in admin.instance.database.find("sys_security_acl", name="incident", operation="read"):
        admin.instance.database.update("sys_security_acl", row["sys_id"], {"condition": "state=2^EQ"})
    reader = admin.user("reader", "sn_incident_read")
    answer = reader.call("GET", "incident?sysparm_limit=10&sysparm_query=ORDERBYnumber&sysparm_fields=number")
    seen = [row["number"] for row in answer.json()["result"]]
    assert seen == ["INC0000001", "INC0000002", "INC0000004", "INC0000007"]
    assert answer.headers["x-total-count"] == "20"
    admin.instance.configure({"total_count": "after_acl"})
    assert reader.call("GET", "incident").headers["x-total-count"] == "7"
    hidden = admin.get("incident", number="INC0000003")[0]["sys_id"]
    assert reader.refused("GET", f"incident/{hidden}") == NOT_FOUND


@pytest.mark.claim("table-field-acl")
def test_a_field_that_may_not_be_read(admin: Any, made: Any) -> None:
    _rule(admin, "incident.description", "read", "itil")
    reader = admin.user("reader", "sn_incident_read")
    row = reader.get(f"incident/{made['sys_id']}")
    assert "description" not in row
    assert "short_description" in row
    assert "description" in admin.get(f"incident/{made['sys_id']}")
    for query in ("descriptionLIKEx", "ORDERBYdescription", "state=1^ORdescription=x"):
        assert reader.refused("GET", f"incident?sysparm_query={query}") == QUERY_REFUSED
    assert reader.refused("GET", "incident?description=x") == QUERY_REFUSED
    assert reader.refused("GET", "sys_choice?sysparm_query=name=incident^element=state") == QUERY_REFUSED
    assert "user_password" not in reader.get("sys_user", user_name="admin")[0]
    assert reader.get(f"incident/{made['sys_id']}", sysparm_fields="caller_id.user_password,number") == {
        "number": made["number"]
    }


def test_a_field_rule_with_a_condition_is_asked_for_each_row(admin: Any) -> None:
    _rule(admin, "incident.description", "read", "sn_incident_read", condition="state=2^EQ")
    reader = admin.user("reader", "sn_incident_read")
    rows = reader.get("incident", sysparm_fields="number,state,description")
    assert {row["state"] for row in rows if "description" in row} == {"2"}
    assert {row["state"] for row in rows if "description" not in row} == {"1", "3", "6", "7", "8"}


@pytest.mark.claim("stock-own-incidents")
def test_a_caller_without_roles_does_not_read_the_incident(admin: Any) -> None:
    caller = admin.user("caller")
    found = admin.get("sys_user", user_name="caller")[0]["sys_id"]
    made = admin.create("incident", {"short_description": "mine", "caller_id": found})
    assert caller.get("incident") == []
    assert caller.refused("GET", f"incident/{made['sys_id']}") == NOT_FOUND


@pytest.mark.claim("stock-choice-access")
def test_who_may_not_change_choices_sees_their_labels_alone(admin: Any) -> None:
    reader = admin.user("reader", "itil")
    row = reader.get("sys_choice", label="On Hold")[0]
    assert row["label"] == "On Hold"
    assert not {"name", "element", "value"} & set(row)
    for query in ("name=incident", "element=state", "value=3"):
        assert reader.refused("GET", f"sys_choice?sysparm_query={query}") == QUERY_REFUSED
    assert admin.user("editor", "personalize_choices").get("sys_choice", label="On Hold")[0]["value"] == "3"


@pytest.mark.claim("table-field-write-denied")
def test_a_field_that_may_not_be_written(admin: Any, made: Any) -> None:
    _rule(admin, "incident.urgency", "write", "itil")
    writer = admin.user("writer", "sn_incident_write")
    kept = writer.change("incident", made["sys_id"], {"urgency": "1", "impact": "1"})
    assert (kept["urgency"], kept["impact"]) == ("3", "1")
    admin.instance.configure({"field_write_denied": "403"})
    assert writer.refused("PATCH", f"incident/{made['sys_id']}", json={"urgency": "1"})[0] == 403


def test_a_table_closed_to_web_services(admin: Any) -> None:
    row = admin.instance.database.first("sys_db_object", name="problem")
    admin.instance.database.update("sys_db_object", row["sys_id"], {"ws_access": "false"})
    assert admin.refused("GET", "problem") == (403, "User Not Authorized", "Failed API level ACL Validation")


# ---------------------------------------------------------------- who may give what to whom

REFUSED_INSERT = (403, "Operation Failed", "ACL Exception Insert Failed due to security constraints")


def _id(admin: Any, table: str, **equal: str) -> str:
    row = admin.instance.database.first(table, **equal)
    assert row, equal
    return str(row["sys_id"])


@pytest.mark.claim("roles-who-may-grant")
@pytest.mark.parametrize("held", ["user_admin", "itil"])
@pytest.mark.parametrize("role", ["admin", "security_admin", "u_boss"])
def test_nobody_raises_himself(admin: Any, held: str, role: str) -> None:
    boss = admin.create("sys_user_role", {"name": "u_boss"})["sys_id"]
    admin.create(
        "sys_user_role_contains", {"role": boss, "contains": _id(admin, "sys_user_role", name="admin")}
    )
    wanted = _id(admin, "sys_user_role", name=role)
    plain = admin.create("sys_user_role", {"name": "u_plain"})["sys_id"]
    group = admin.create("sys_user_group", {"name": "Ruled"})["sys_id"]
    admin.instance.database.insert("sys_group_has_role", {"group": group, "role": wanted, "inherits": "true"})
    eve = admin.user("eve", held)
    user = _id(admin, "sys_user", user_name="eve")
    for table, values in (
        ("sys_user_has_role", {"user": user, "role": wanted}),
        ("sys_user_grmember", {"user": user, "group": group}),
        ("sys_group_has_role", {"group": _id(admin, "sys_user_group", name="Openspace"), "role": wanted}),
        ("sys_user_role_contains", {"role": plain, "contains": wanted}),
        ("sys_user_group", {"name": "Below", "parent": group}),
    ):
        assert eve.refused("POST", table, json=values) == REFUSED_INSERT, table
    held_now = admin.instance.database.find("sys_user_has_role", user=user)
    assert wanted not in {row["role"] for row in held_now}


@pytest.mark.claim("roles-who-may-grant")
def test_an_admin_grants_admin_and_a_user_admin_the_rest(admin: Any) -> None:
    target = _id(admin, "sys_user", user_name="abel.tuter")
    clerk = admin.user("clerk", "user_admin")
    clerk.create("sys_user_has_role", {"user": target, "role": _id(admin, "sys_user_role", name="itil")})
    admin.create("sys_user_has_role", {"user": target, "role": _id(admin, "sys_user_role", name="admin")})
    elevated = {"user": target, "role": _id(admin, "sys_user_role", name="security_admin")}
    assert admin.refused("POST", "sys_user_has_role", json=elevated) == REFUSED_INSERT
    admin.instance.configure({"elevation": "off"})
    admin.create("sys_user_has_role", elevated)


@pytest.mark.claim("access-dot-walk")
def test_a_dot_walk_does_not_open_a_closed_table(admin: Any) -> None:
    box = admin.create("cmdb_ci", {"name": "box", "serial_number": "SECRET"})["sys_id"]
    made = admin.create("problem", {"cmdb_ci": box})["sys_id"]
    reader = admin.user("reader", "sn_problem_read")
    assert reader.get("cmdb_ci") == []
    seen = reader.get(f"problem/{made}", sysparm_fields="number,cmdb_ci.serial_number")
    assert set(seen) == {"number"}
    query = {"sysparm_query": "cmdb_ci.serial_numberSTARTSWITHSECRET"}
    assert reader.refused("GET", "problem", params=query) == QUERY_REFUSED
    assert admin.get("problem", **query, sysparm_fields="sys_id") == [{"sys_id": made}]


def test_a_query_does_not_look_into_a_closed_table(admin: Any) -> None:
    reader = admin.user("reader", "sn_problem_read")
    assert reader.get("incident") == []
    for query in (
        "JOINproblem.number=incident.number!short_descriptionSTARTSWITHs",
        "RLQUERYincident.problem_id,>=1^short_descriptionSTARTSWITHs^ENDRLQUERY",
    ):
        assert admin.call("GET", "problem", params={"sysparm_query": query}).status_code == 200
        assert reader.refused("GET", "problem", params={"sysparm_query": query}) == QUERY_REFUSED
