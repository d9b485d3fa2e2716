"""Access controls are read back: any rule that lets the role pass will do, and what does not is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linkspan.provision.recipe import Acl, Grant, Profile

RIGHT = {"name": "task", "operation": "read", "type": "record", "active": "true", "decision_type": "allow"}


@pytest.fixture
def wanted(world):
    profile = Profile(
        name="least",
        says="",
        grants=(Grant(role="itil", because="it must"),),
        acls=(Acl(role="itil", table="task", operation="read", because="tasks are read"),),
    )
    return replace(world.intent(), profile=profile, instance="dev")


def rule(world, role="itil", **values):
    made = world.tables.add("sys_security_acl", **{**RIGHT, **values})
    found = [row["sys_id"] for row in world.tables.rows["sys_user_role"] if row["name"] == role]
    for sys_id in found:
        world.tables.add("sys_security_acl_role", sys_security_acl=made, sys_user_role=sys_id)
    return made


def step(world, wanted):
    """What is left by hand about access controls."""
    found = [change for change in world.plan(wanted).changes if change.kind == "acl"]
    assert all(change.action == "manual" for change in found)
    return found[0].artefact if found else ""


def test_a_missing_one_is_one_step_with_its_command(world, wanted):
    found = step(world, wanted)
    assert "`linkspan app build responder --instance dev`" in found
    assert "Import Update Set from XML" in found
    assert "none serves" not in found


def test_one_that_serves_is_enough_beside_others_that_do_not(world, wanted):
    rule(world, active="false")
    rule(world, decision_type="deny")
    rule(world)
    assert step(world, wanted) == ""


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"active": "false"}, "is not active"),
        ({"condition": "priority=1^EQ"}, "has the condition priority=1"),
        ({"advanced": "true", "script": "answer = false"}, "has a script"),
        ({"security_attribute": "1"}, "asks for a security attribute"),
        ({"role": "admin"}, "lacks the role itil"),
        ({"role": ""}, "lacks the role itil"),
    ],
)
def test_one_that_does_not_serve_is_named_with_the_reason(world, wanted, values, said):
    made = rule(world, **values)
    assert f"{made} {said}" in step(world, wanted)


def test_the_recipes_own_condition_is_no_drift(world, wanted):
    (acl,) = wanted.profile.acls
    narrow = replace(wanted.profile, acls=(replace(acl, condition="active=true"),))
    wanted = replace(wanted, profile=narrow)
    made = rule(world)
    assert f"{made} lacks the condition" in step(world, wanted)
    rule(world, condition="active=true^EQ")
    assert step(world, wanted) == ""


def test_it_is_never_taken_back(world, wanted):
    rule(world)
    world.apply(world.plan(wanted), wanted)
    without = replace(wanted, profile=replace(wanted.profile, acls=()))
    assert [change for change in world.plan(without).changes if change.kind == "acl"] == []
    assert not [write for write in world.tables.writes if write[1].startswith("sys_security")]


def test_while_its_role_is_missing_only_the_role_is_told(world, wanted):
    (acl,) = wanted.profile.acls
    profile = replace(wanted.profile, acls=(replace(acl, role="x.user"),))
    found = world.plan(replace(wanted, profile=profile)).changes
    assert [(one.kind, one.key) for one in found if one.action == "manual"] == [("role", "x.user")]
