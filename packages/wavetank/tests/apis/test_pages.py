"""Rows of a page under access controls: asked for many at once, they must be what they are one by one."""

from typing import Any

import pytest

from wavetank.instance import Instance

ROLES = ((), ("itil",), ("sn_incident_read",), ("snc_internal",))


def _rules(instance: Instance) -> None:
    """A rule with a condition on rows, one on a field, and one on a field of a class below."""
    roles = {row["name"]: row["sys_id"] for row in instance.database.find("sys_user_role")}
    for name, condition in (
        ("incident", "priority=1^ORcategory=network"),
        ("incident.short_description", "priority=1"),
        ("task", "priority<=2"),
        ("problem.description", "priority=3"),
    ):
        rule = {"name": name, "operation": "read", "type": "record", "active": "true", "condition": condition}
        made = instance.database.insert("sys_security_acl", rule)
        held = {"sys_security_acl": made["sys_id"], "sys_user_role": roles["snc_internal"]}
        instance.database.insert("sys_security_acl_role", held)


@pytest.mark.parametrize("held", ROLES)
@pytest.mark.parametrize("table", ["task", "incident", "problem", "sys_user"])
@pytest.mark.parametrize("mode", ["false", "all"])
def test_a_page_shows_what_single_records_show(
    instance: Instance, admin: Any, held: tuple[str, ...], table: str, mode: str
) -> None:
    _rules(instance)
    caller = admin.user("somebody", *held)
    page = caller.get(table, sysparm_display_value=mode)
    shown = {_plain(row["sys_id"]): row for row in page if "sys_id" in row}
    for row in instance.database.select(table)[:60]:
        answer = caller.call("GET", f"{table}/{row['sys_id']}", params={"sysparm_display_value": mode})
        single = answer.json().get("result")
        assert shown.get(row["sys_id"]) == single
        if single is not None:
            access, session = instance.access, _session(instance, "somebody")
            assert access.row(session, "read", table, row)
            hidden = access.fields(session, "read", table, row)
            assert not hidden & set(single)


def _plain(value: Any) -> str:
    return value["value"] if isinstance(value, dict) else value


def _session(instance: Instance, name: str) -> Any:
    user = instance.database.first("sys_user", user_name=name)
    return instance.identity.session(user, "basic")


def test_the_rules_of_these_tests_do_hide(instance: Instance, admin: Any) -> None:
    _rules(instance)
    page = admin.user("somebody", "snc_internal").get("incident")
    assert 0 < len(page) < instance.database.count("incident")
    assert {"short_description" in row for row in page} == {True, False}
