"""Encoded queries, judged by set algebra over whatever rows an instance holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Target

TABLE = "sys_user"
A, B, C = "active=true", "user_nameLIKEa", "emailISNOTEMPTY"


@pytest.fixture
def sets(target: Target) -> dict[str, set[str]]:
    return {name: target.ids(TABLE, query) for name, query in {"": "", "A": A, "B": B, "C": C}.items()}


def test_and_or_and_new_query(target: Target, sets: dict[str, set[str]]) -> None:
    a, b, c = sets["A"], sets["B"], sets["C"]
    assert target.ids(TABLE, f"{A}^{B}") == a & b
    assert target.ids(TABLE, f"{A}^{B}^OR{C}") == a & (b | c)
    assert target.ids(TABLE, f"{A}^{B}^NQ{C}") == (a & b) | c
    assert target.ids(TABLE, f"^{A}^{B}^EQ") == a & b


def test_empty_and_not_empty_are_all(target: Target, sets: dict[str, set[str]]) -> None:
    empty = target.ids(TABLE, "emailISEMPTY")
    assert not empty & sets["C"]
    assert empty | sets["C"] == sets[""]


def test_likeness_ignores_case(target: Target, sets: dict[str, set[str]]) -> None:
    assert target.ids(TABLE, "user_nameLIKEA") == sets["B"]
    assert target.ids(TABLE, "user_nameCONTAINSa") == sets["B"]
    without = target.ids(TABLE, "user_nameNOT LIKEa")
    assert not without & sets["B"]
    assert without | sets["B"] == target.ids(TABLE, "user_nameISNOTEMPTY")
    assert target.ids(TABLE, "user_name=ADMIN") == target.ids(TABLE, "user_name=admin") != set()


def test_lists(target: Target) -> None:
    both = target.ids(TABLE, "user_nameINadmin,itil")
    assert both == target.ids(TABLE, "user_name=admin^ORuser_name=itil")
    others = target.ids(TABLE, "user_nameNOT INadmin,itil")
    assert not others & both


def test_a_field_that_does_not_exist_is_dropped(target: Target) -> None:
    everything = target.total("incident")
    assert target.total("incident", "no_such_field=banana") == everything
    assert target.total("incident", "^^^") == everything
    assert target.total("incident", "state=NOT_A_NUMBER") == 0
    assert target.total("incident", "state=99999") == 0


def test_order_and_keyset(target: Target) -> None:
    asked = {"sysparm_fields": "sys_id", "sysparm_limit": "1000"}
    up = [row["sys_id"] for row in target.list(TABLE, sysparm_query="ORDERBYsys_id", **asked)]
    down = [row["sys_id"] for row in target.list(TABLE, sysparm_query="ORDERBYDESCsys_id", **asked)]
    assert up == sorted(up)
    assert down == up[::-1]
    middle = up[len(up) // 2]
    after = target.list(TABLE, sysparm_query=f"sys_id>{middle}^ORDERBYsys_id", **asked)
    assert [row["sys_id"] for row in after] == up[len(up) // 2 + 1 :]


def test_dates(target: Target) -> None:
    everything = target.ids("incident", "sys_created_onISNOTEMPTY")
    [row] = target.list("incident", sysparm_limit="1", sysparm_fields="sys_id,sys_created_on")
    at = row["sys_created_on"]
    before, after = (
        target.ids("incident", f"sys_created_on<{at}"),
        target.ids("incident", f"sys_created_on>={at}"),
    )
    assert not before & after
    assert before | after == everything
    assert row["sys_id"] in target.ids("incident", f"sys_created_onBETWEEN{at}@{at}")
    ago = target.ids("incident", "sys_created_on>javascript:gs.daysAgoStart(0)")
    today = target.ids(
        "incident", "sys_created_onONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()"
    )
    assert today <= ago
    assert target.ids("incident", "sys_created_onRELATIVELT@year@ago@50") == set()


def test_fields_compared_with_fields(target: Target) -> None:
    same = target.ids("incident", "impactSAMEASurgency")
    other = target.ids("incident", "impactNSAMEASurgency")
    assert not same & other
    rows = target.list("incident", sysparm_fields="sys_id,impact,urgency", sysparm_limit="2000")
    assert same == {row["sys_id"] for row in rows if row["impact"] == row["urgency"]}


def test_who_asks(target: Target) -> None:
    [me] = target.list(
        TABLE, sysparm_query="sys_id=javascript:gs.getUserID()", sysparm_fields="sys_id,user_name"
    )
    assert target.ids(TABLE, f"user_name={me['user_name']}") == {me["sys_id"]}


def test_classes(target: Target) -> None:
    incidents = target.ids("task", "sys_class_name=incident")
    assert incidents == target.ids("incident")
    assert target.ids("task", "sys_class_nameINSTANCEOFincident") == incidents


def test_reference_fields_by_value_and_by_name(target: Target) -> None:
    asked = {"sysparm_query": "caller_idISNOTEMPTY", "sysparm_limit": "1", "sysparm_display_value": "all",
             "sysparm_fields": "caller_id"}  # fmt: skip
    [row] = target.list("incident", **asked)
    value, name = row["caller_id"]["value"], row["caller_id"]["display_value"]
    by_value = target.ids("incident", f"caller_id={value}")
    assert by_value
    assert by_value <= target.ids("incident", f"caller_id.name={name}")
    assert by_value <= target.ids("incident", f"caller_idLIKE{name}")
    assert by_value == target.ids("incident", f"caller_id.sys_id={value}")


def test_related_records(target: Target) -> None:
    members = target.list("sys_user_grmember", sysparm_fields="group", sysparm_limit="2000",
                          sysparm_exclude_reference_link="true")  # fmt: skip
    counts: dict[str, int] = {}
    for row in members:
        counts[row["group"]] = counts.get(row["group"], 0) + 1
    groups = target.ids("sys_user_group")
    many = {group for group, count in counts.items() if count >= 2} & groups
    assert target.ids("sys_user_group", "RLQUERYsys_user_grmember.group,>=2^ENDRLQUERY") == many
    joined = target.ids("sys_user_group", "JOINsys_user_group.sys_id=sys_user_grmember.group!active=true")
    assert joined <= groups
