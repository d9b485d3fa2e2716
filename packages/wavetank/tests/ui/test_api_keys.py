"""The form of an API key, and UI sessions beside access policies."""

from typing import Any

import pytest

from wavetank.behaviour import pipeline
from wavetank.database.shipped import sys_id_for
from wavetank.security.policies import TABLE_API


@pytest.fixture
def key(instance: Any, person: Any) -> Any:
    user = person("svc", web_service_access_only="true")["sys_id"]
    row = pipeline.insert(instance, None, "api_key", {"name": "K", "user": user, "active": "true"})
    return row["sys_id"], instance.seal.open(row["token"])


@pytest.mark.claim("api-key-reveal")
@pytest.mark.parametrize("role", ["admin", "api_service_admin"])
def test_a_person_reads_the_token_in_the_form(browser: Any, person: Any, key: Any, role: str) -> None:
    person("ann", role)
    browser.log_in("ann")
    sys_id, token = key
    masked = browser.get(f"/api_key.do?sys_id={sys_id}").text
    assert 'id="api_key.token"' in masked
    assert token not in masked
    shown = browser.get(f"/api_key.do?sys_id={sys_id}&sysparm_reveal=token").text
    assert f'value="{token}"' in shown


@pytest.mark.claim("api-key-reveal-address")
@pytest.mark.parametrize("role", ["adaptive_auth_policy_admin", "itil"])
def test_nobody_else_reads_it(browser: Any, person: Any, key: Any, role: str) -> None:
    sys_id, token = key
    address = f"/api_key.do?sys_id={sys_id}&sysparm_reveal=token"
    assert browser.get(address).headers["location"].startswith("/login.do")
    person("ann", role)
    browser.log_in("ann")
    answer = browser.get(address)
    assert answer.status_code == (404 if role == "itil" else 200)
    assert token not in answer.text


@pytest.mark.claim("policy-session")
def test_a_session_goes_on_under_a_policy_unless_told_otherwise(
    browser: Any, person: Any, instance: Any
) -> None:
    every = {f"apply_all_{each}": "true" for each in ("methods", "resources", "versions", "tables")}
    row = {"name": "P", "active": "true", "api": TABLE_API, "api_path": "now/table", **every}
    policy = instance.database.insert("sys_api_access_policy", row)["sys_id"]
    profile = sys_id_for("std_http_auth", "oauth")
    mapping = {"api_access_policy": policy, "inbound_auth_profile": profile}
    instance.database.insert("sys_auth_profile_mapping", mapping)
    person("ann", "itil")
    assert browser.basic("ann").status_code == 401
    browser.log_in("ann")
    token = browser.ask_token()
    assert browser.rest("GET", "incident", token).status_code == 200
    instance.configure({"policy_session": "refused"})
    assert browser.rest("GET", "incident", token).status_code == 401
    assert browser.get("/incident_list.do").status_code == 200
