"""API keys, profiles and policies as records of the Table API."""

from typing import Any

import pytest

from wavetank.security import plugins

NAME = "Table GET API Access Policy"


@pytest.fixture
def service(admin: Any) -> str:
    return str(admin.create("sys_user", {"user_name": "svc", "web_service_access_only": "true"})["sys_id"])


@pytest.mark.claim("api-key-token")
def test_the_platform_makes_the_token_and_shows_it_sealed(admin: Any, service: str) -> None:
    made = admin.create("api_key", {"name": "K", "user": service, "token": "mine"})
    assert made["active"] == "true"
    token = admin.instance.seal.open(admin.instance.database.get("api_key", made["sys_id"])["token"])
    assert token.startswith("now_")
    assert token not in admin.call("GET", f"api_key/{made['sys_id']}").text
    shown = admin.get(f"api_key/{made['sys_id']}", sysparm_display_value="true")
    assert token not in str(shown)
    assert shown["token"] == "********"


@pytest.mark.claim("api-key-token")
def test_nobody_writes_the_token_of_a_key(admin: Any, service: str) -> None:
    made = admin.create("api_key", {"name": "K", "user": service})
    changed = admin.change("api_key", made["sys_id"], {"token": "mine", "name": "L"})
    assert (changed["name"], changed["token"]) == ("L", made["token"])


@pytest.mark.claim("api-key-roles")
def test_the_roles_of_keys_and_policies(admin: Any, service: str) -> None:
    keeper, access, agent = (
        admin.user("keeper", "api_service_admin"),
        admin.user("access", "adaptive_auth_policy_admin"),
        admin.user("agent", "itil"),
    )
    assert keeper.create("api_key", {"name": "K", "user": service})
    assert keeper.create("sys_api_access_policy", {"name": "P", "active": "false"})
    assert keeper.refused("POST", "http_key_auth", json={"name": "H"})[0] == 403
    assert access.create("http_key_auth", {"name": "H"})
    assert access.create("sys_auth_profile_mapping", {})
    assert access.refused("POST", "api_key", json={"name": "K"})[0] == 403
    assert access.get("api_key") != []
    for table in ("api_key", "sys_api_access_policy", "inbound_auth_profile"):
        assert agent.get(table) == []


@pytest.mark.claim("policy-shipped")
def test_what_is_shipped(admin: Any) -> None:
    (policy,) = admin.get("sys_api_access_policy", sysparm_query=f"name={NAME}")
    wanted = {"active": "false", "http_method": "GET", "apply_all_tables": "false", "api_path": "now/table"}
    assert {name: policy[name] for name in wanted} == wanted
    (profile,) = admin.get("std_http_auth", sysparm_query="nameLIKEBasicAuth for none public processors")
    assert (profile["type"], profile["active"]) == ("basic_auth", "true")
    found = admin.get("sys_token_auth_parameter", sysparm_query="parameter_name=x-sn-apikey^type=auth_header")
    assert len(found) == 1


@pytest.mark.claim("policy-api-choice")
def test_the_rest_api_of_a_policy_is_a_choice_whose_label_is_not_its_value(admin: Any) -> None:
    (shipped,) = admin.get("sys_api_access_policy", sysparm_query=f"name={NAME}")
    by_label = admin.create("sys_api_access_policy", {"name": "A", "api": "Table API", "active": "false"})
    assert (by_label["api"], by_label["api_path"]) == ("", "")
    by_value = admin.create("sys_api_access_policy", {"name": "B", "api": shipped["api"], "active": "false"})
    assert by_value["api_path"] == "now/table"
    defaults = ("apply_all_methods", "apply_all_resources", "apply_all_versions", "apply_all_tables")
    assert {by_value[name] for name in defaults} == {"true"}


def test_deleting_a_profile_or_a_policy_takes_its_mappings(admin: Any) -> None:
    policy = admin.create("sys_api_access_policy", {"name": "P", "active": "false"})["sys_id"]
    profiles = [admin.create("http_key_auth", {"name": "H"})["sys_id"] for _ in range(2)]
    for profile in profiles:
        values = {"api_access_policy": policy, "inbound_auth_profile": profile}
        admin.create("sys_auth_profile_mapping", values)
    admin.call("DELETE", f"http_key_auth/{profiles[0]}")
    assert len(admin.get("sys_auth_profile_mapping")) == 1
    admin.call("DELETE", f"sys_api_access_policy/{policy}")
    assert admin.get("sys_auth_profile_mapping") == []


@pytest.mark.claim("plugin-tables")
def test_the_tables_of_an_inactive_plugin_are_no_tables(admin: Any) -> None:
    database = admin.instance.database
    row = database.first("sys_plugins", source=plugins.API_KEYS)
    assert row is not None
    database.update("sys_plugins", row["sys_id"], {"active": "inactive"})
    for table in ("api_key", "http_key_auth", "http_hmac_auth", "sys_token_auth_parameter"):
        assert admin.refused("GET", table)[:2] == (400, f"Invalid table {table}")
    assert admin.get("std_http_auth") != []


@pytest.mark.claim("plugin-list")
def test_plugins_are_seen_by_id_and_not_written(admin: Any) -> None:
    query = f"id={plugins.API_KEYS}"
    for table in ("sys_plugins", "v_plugin"):
        (row,) = admin.get(table, sysparm_query=query)
        assert (row["name"], row["active"]) == ("API Key and HMAC Authentication", "active")
        path = f"{table}/{row['sys_id']}"
        assert admin.refused("PATCH", path, json={"active": "inactive"})[0] == 403
        assert admin.refused("DELETE", path)[0] == 403
    assert admin.refused("POST", "v_plugin", json={"id": "x"})[0] == 403
    nobody = admin.user("nobody.much")
    assert nobody.refused("GET", "sys_plugins")[0] == 403
    assert nobody.get("v_plugin") == []


@pytest.mark.claim("api-key-runs-as-user")
def test_a_key_opens_the_table_api_as_its_user(admin: Any, service: str) -> None:
    key = admin.create("api_key", {"name": "K", "user": service})
    (parameter,) = admin.get(
        "sys_token_auth_parameter", sysparm_query="type=auth_header^parameter_name=x-sn-apikey"
    )
    (basic,) = admin.get("std_http_auth", sysparm_query="type=basic_auth")
    (shipped,) = admin.get("sys_api_access_policy", sysparm_query=f"name={NAME}")
    profile = admin.create("http_key_auth", {"name": "H", "auth_parameter": parameter["sys_id"]})
    policy = admin.create("sys_api_access_policy", {"name": "P", "api": shipped["api"], "active": "false"})
    for each in (basic, profile):
        values = {"api_access_policy": policy["sys_id"], "inbound_auth_profile": each["sys_id"]}
        admin.create("sys_auth_profile_mapping", values)
    admin.change("sys_api_access_policy", policy["sys_id"], {"active": "true"})
    token = admin.instance.seal.open(admin.instance.database.get("api_key", key["sys_id"])["token"])
    admin.client.auth = None
    found = admin.call(
        "GET",
        "sys_user",
        params={"sysparm_query": "sys_id=javascript:gs.getUserID()", "sysparm_fields": "user_name"},
        headers={"x-sn-apikey": token},
    )
    assert found.json() == {"result": [{"user_name": "svc"}]}
