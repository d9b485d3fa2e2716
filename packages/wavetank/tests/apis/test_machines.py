"""Machine identity access controls, calls without signing in, and what is not for plain admins."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from wavetank.security import restriction
from wavetank.security.policies import PATHS, TABLE_API


@pytest.fixture
def machine(admin: Any) -> Any:
    view = admin.user("robot", "itil", "admin")
    database = admin.instance.database
    row = database.first("sys_user", user_name="robot")
    database.update("sys_user", row["sys_id"], {"web_service_access_only": "true"})
    return view


def _control(admin: Any, tables: str, *, children: str = "false", **narrowed: str) -> dict[str, Any]:
    policy = {"name": "Robot", "api": TABLE_API, "active": "false", **narrowed}
    sys_id = admin.create("sys_api_access_policy", policy)["sys_id"]
    values = {
        "name": "Robot",
        "rest_api_policy": sys_id,
        "tables": tables,
        "applies_to_child_tables": children,
    }
    made: dict[str, Any] = admin.create("sys_machine_identity_access", values)
    robot = admin.instance.database.first("sys_user", user_name="robot")["sys_id"]
    admin.create("sys_machine_identity_access_user", {"access_control": made["sys_id"], "user": robot})
    return made


REFUSED = (403, "User Not Authorized", "Failed API level ACL Validation")


@pytest.mark.claim("machine-access")
@pytest.mark.claim("machine-access-refusal")
def test_a_machine_on_a_control_reaches_only_what_it_names(admin: Any, machine: Any) -> None:
    assert machine.get("sys_user", sysparm_limit="1") != []
    control = _control(admin, "incident")
    assert machine.get("incident", sysparm_limit="1") != []
    assert machine.refused("GET", "sys_user") == REFUSED
    assert machine.refused("GET", "/api/now/attachment") == REFUSED
    assert machine.refused("GET", "/api/now/stats/incident?sysparm_count=true") == REFUSED
    assert admin.get("sys_user", sysparm_limit="1") != []
    admin.change("sys_machine_identity_access", control["sys_id"], {"active": "false"})
    assert machine.get("sys_user", sysparm_limit="1") != []


@pytest.mark.claim("machine-access")
def test_the_policy_narrows_the_method(admin: Any, machine: Any) -> None:
    _control(admin, "incident", http_method="GET", apply_all_methods="false")
    assert machine.get("incident", sysparm_limit="1") != []
    assert machine.refused("POST", "incident", json={"short_description": "x"}) == REFUSED


@pytest.mark.claim("machine-access-children")
def test_tables_below_are_opened_only_where_it_says_so(admin: Any, machine: Any) -> None:
    control = _control(admin, "task")
    assert machine.refused("GET", "incident") == REFUSED
    admin.change("sys_machine_identity_access", control["sys_id"], {"applies_to_child_tables": "true"})
    assert machine.get("incident", sysparm_limit="1") != []
    assert machine.refused("GET", "cmdb_ci") == REFUSED


@pytest.mark.claim("machine-access-users")
def test_people_are_not_put_on_a_control(admin: Any, machine: Any) -> None:
    control = _control(admin, "incident")
    admin.user("person")
    person = admin.instance.database.first("sys_user", user_name="person")["sys_id"]
    values = {"access_control": control["sys_id"], "user": person}
    assert admin.refused("POST", "sys_machine_identity_access_user", json=values)[0] == 403


@pytest.mark.claim("sign-in-not-required")
def test_without_the_need_to_sign_in_guest_calls(admin: Any) -> None:
    nobody = TestClient(admin.client.app, base_url="http://dev.example:8080")
    mine = {"sysparm_query": "sys_id=javascript:gs.getUserID()"}
    assert nobody.get("/api/now/table/sys_user", params=mine).status_code == 401
    admin.instance.set_property("glide.basicauth.required.api", "false")
    answer = nobody.get("/api/now/table/incident")
    assert (answer.status_code, answer.json()["result"]) == (200, [])
    assert nobody.get("/api/now/table/incident", auth=("admin", "wrong")).status_code == 401
    assert nobody.get("/incident.do?JSONv2").status_code == 401
    admin.instance.set_property("glide.basicauth.required.jsonv2", "false")
    assert nobody.get("/incident.do?JSONv2").json() == {"records": []}
    assert nobody.get("/api/now/table/incident", auth=("admin", "admin")).json()["result"] != []


@pytest.mark.claim("basic-restriction-exceptions-hidden")
def test_exceptions_are_not_for_plain_admins(admin: Any) -> None:
    admin.get("incident", sysparm_limit="1")
    assert admin.instance.database.find(restriction.EXCEPTIONS) != []
    assert admin.refused("GET", restriction.EXCEPTIONS)[0] == 403
    admin.instance.configure({"elevation": "off"})
    assert len(admin.get(restriction.EXCEPTIONS)) == 1


@pytest.mark.claim("basic-restriction-guarded")
def test_the_restrictions_properties_take_an_elevated_session(admin: Any) -> None:
    (row,) = admin.get("sys_properties", sysparm_query=f"name={restriction.ENFORCE}")
    path = f"sys_properties/{row['sys_id']}"
    assert admin.refused("PATCH", path, json={"value": "true"})[0] == 403
    assert admin.refused("DELETE", path)[0] == 403
    (other,) = admin.get("sys_properties", sysparm_query="name=glide.ui.session_timeout")
    assert admin.change("sys_properties", other["sys_id"], {"value": "5"})["value"] == "5"
    rule = admin.instance.database.first("sys_script", name="Basic restriction properties")
    admin.instance.database.update("sys_script", rule["sys_id"], {"active": "false"})
    assert admin.change("sys_properties", row["sys_id"], {"value": "true"})["value"] == "true"


@pytest.mark.claim("policy-apis")
def test_policies_are_made_for_five_apis(admin: Any) -> None:
    for value, path in PATHS.items():
        made = admin.create("sys_api_access_policy", {"name": path, "api": value, "active": "false"})
        assert (made["api"], made["api_path"]) == (value, path)
    assert len(PATHS) == 5


@pytest.mark.claim("policy-apis")
def test_a_policy_for_attachments_leaves_tables_alone(admin: Any) -> None:
    value = next(value for value, path in PATHS.items() if path == "now/attachment")
    policy = admin.create("sys_api_access_policy", {"name": "A", "api": value, "active": "false"})["sys_id"]
    (oauth,) = admin.get("std_http_auth", sysparm_query="type=oauth")
    mapping = {"api_access_policy": policy, "inbound_auth_profile": oauth["sys_id"]}
    admin.create("sys_auth_profile_mapping", mapping)
    assert admin.call("GET", "/api/now/attachment").status_code == 200
    admin.change("sys_api_access_policy", policy, {"active": "true"})
    answer = admin.call("GET", "/api/now/attachment")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'BEARER realm="Service-now"')
    assert admin.get("incident", sysparm_limit="1") != []


@pytest.mark.claim("ip-own-address")
def test_an_administrator_can_shut_the_own_address_out(admin: Any) -> None:
    admin.instance.configure({"forwarded_for": "trusted"})
    admin.client.headers["X-Forwarded-For"] = "192.0.2.7"
    rule = {"type": "deny", "range_start": "192.0.2.0", "range_end": "192.0.2.255"}
    made = admin.create("ip_access", rule)
    assert (made["active"], made["direction"]) == ("true", "inbound")
    answer = admin.call("GET", "incident")
    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html;charset=UTF-8")


@pytest.mark.claim("policy-filters")
def test_there_are_no_authentication_policies(admin: Any) -> None:
    assert admin.refused("GET", "auth_policy_mapping")[:2] == (400, "Invalid table auth_policy_mapping")
