"""What only an elevated session in the UI may write, by whatever else an administrator calls."""

from __future__ import annotations

from typing import Any

import pytest

from packages.wavetank.tests.access.broker import Broker
from packages.wavetank.tests.access.outside import Caller, House, denied, fine, unauthenticated

RULE = {"name": "incident", "operation": "read", "type": "record", "active": "true"}


def by_token(house: House) -> Caller:
    broker = Broker(house)
    house.grant(broker.user, "admin")
    return house.bearer(broker.token())


def by_key(house: House) -> Caller:
    key = house.admin.create(
        "api_key", {"name": "K", "user": house.admin.first("sys_user", "user_name=admin")["sys_id"]}
    )
    token = house.admin.reveal(key["sys_id"])
    house.policy(house.key_profile())
    return house.key(token)


CALLERS: dict[str, Any] = {
    "Basic": lambda house: house.basic(*house.instance.admin),
    "an OAuth token": by_token,
    "an API key": by_key,
    "a session that is not elevated": lambda house: house.admin,
    "another session while one is elevated": lambda house: (house.guard, house.person(*house.instance.admin))[
        1
    ],
}


@pytest.mark.claim("acl-elevation")
@pytest.mark.claim("session-elevated")
@pytest.mark.parametrize("name", CALLERS)
def test_access_controls_are_written_by_elevated_sessions_alone(house: House, name: str) -> None:
    caller: Caller = CALLERS[name](house)
    rule = house.rule("incident", "read", "itil")
    denied("Insert")(caller.call("POST", "sys_security_acl", json=RULE))
    denied("Update")(caller.call("PATCH", f"sys_security_acl/{rule}", json={"active": "false"}))
    denied("Delete")(caller.call("DELETE", f"sys_security_acl/{rule}"))
    link = {"sys_security_acl": rule, "sys_user_role": house.role("itil")}
    denied("Insert")(caller.call("POST", "sys_security_acl_role", json=link))
    fine(caller.get(f"sys_security_acl/{rule}"))
    house.guard.delete("sys_security_acl", rule)
    house.instance.configure(elevation="off")
    fine(caller.call("POST", "sys_security_acl", json=RULE))


@pytest.mark.claim("session-token")
def test_an_elevated_session_brings_its_token(house: House) -> None:
    guard = house.guard
    token = guard.headers.pop("X-UserToken")
    answer = guard.call("POST", "sys_security_acl", json=RULE)
    assert (answer.status_code, answer.headers["x-usertoken-response"]) == (401, token)
    guard.headers["X-UserToken"] = token
    fine(guard.call("POST", "sys_security_acl", json=RULE))


@pytest.mark.claim("session-elevation-held")
def test_admin_alone_cannot_elevate(house: House) -> None:
    house.user("boss", "admin", web_service_access_only="false")
    boss = house.person("boss")
    assert boss.submit("/elevated_role_dialog.do", {"security_admin": "true"}).status_code == 403
    denied("Insert")(boss.call("POST", "sys_security_acl", json=RULE))


@pytest.mark.claim("roles-who-may-grant")
def test_security_admin_is_granted_by_elevated_sessions_alone(house: House) -> None:
    row = {"user": house.user("boss", "admin")["sys_id"], "role": house.role("security_admin")}
    denied("Insert")(house.admin.call("POST", "sys_user_has_role", json=row))
    fine(house.guard.call("POST", "sys_user_has_role", json=row))


def test_leaving_the_session_leaves_the_elevation(house: House) -> None:
    guard = house.guard
    guard.page("/logout.do")
    unauthenticated(guard.get("incident"))
    denied("Insert")(guard.sign_in().call("POST", "sys_security_acl", json=RULE))
