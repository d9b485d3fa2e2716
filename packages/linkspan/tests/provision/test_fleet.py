"""Recipes that register instances: columns by label, secrets of other instances, and what is left to a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linkspan.provision import recipe
from linkspan.provision.kinds import Intent, Member

COLUMNS = {
    "Instance name": "u_1",  # another case than the documents write
    "Instance URL": "u_2",
    "Environment": "u_3",
    "Authentication Type": "u_4",
    "API Credential Config": "u_5",
}
TABLE = "sn_se_my_sn_instances"


@pytest.fixture
def scanned(world):
    """``dev`` with the Store app; its columns and choices are named as nobody would guess."""
    world.tables.add("sys_db_object", name=TABLE)
    for label, column in COLUMNS.items():
        world.tables.add("sys_dictionary", name=TABLE, element=column, column_label=label)
    for label, value in (("Production", "30"), ("Development", "10"), ("Test", "20")):
        world.tables.add("sys_choice", name=TABLE, element="u_3", label=label, value=value)
    for role in ("sn_se.internal_rest_integration", "sn_se.scan_engine_admin"):
        world.tables.add("sys_user_role", name=role)
    return world


def intent(profile: str = "least") -> Intent:
    found = recipe.load("scan-engine")
    fleet = (
        Member(name="dev", instance_name="acmedev", url="https://acmedev.x", environment="sandbox"),
        Member(name="prod", instance_name="acme", url="https://acme.x", environment="production"),
        Member(name="qa", instance_name="acmeqa", url="https://acmeqa.x", environment="uat"),
    )
    return Intent(
        account="responder",
        user_name="svc.responder",
        owner="abel.tuter",
        profile=found.profile(profile),
        scheme="basic",
        store_app=found.application,
        registers=found.registers,
        fleet=fleet,
    )


def settle(world, wanted):
    applied = world.apply(world.plan(wanted), wanted)
    assert applied.problem is None
    assert world.plan(wanted).changes == ()
    return applied


def test_registrations_are_written_by_label_and_by_the_choices_of_the_instance(scanned):
    settle(scanned, intent())
    found = {row["u_1"]: (row["u_2"], row["u_3"], row["u_4"]) for row in scanned.tables.rows[TABLE]}
    assert found == {
        "acmedev": ("https://acmedev.x", "10", "Basic"),
        "acme": ("https://acme.x", "30", "Basic"),
        "acmeqa": ("https://acmeqa.x", "20", "Basic"),
    }


def test_each_profile_carries_the_secret_of_its_target(scanned):
    settle(scanned, intent())
    for row in scanned.tables.rows["sys_auth_profile_basic"]:
        target = row["name"].removeprefix("linkspan.responder.")
        assert row["password"] == scanned.shelf.newest(f"{target}/responder/basic")
    assert len({row["password"] for row in scanned.tables.rows["sys_auth_profile_basic"]}) == 3


def test_a_changed_secret_is_sent_again_and_never_shown(scanned):
    settle(scanned, intent())
    scanned.shelf.put("prod/responder/basic", "a password somebody chose", pending=True)
    (change,) = scanned.plan(intent()).changes
    assert (change.action, change.id) == ("update", "auth_profile/linkspan.responder.prod")
    assert "somebody" not in str(change.document())
    settle(scanned, intent())
    assert "a password somebody chose" in [
        row["password"] for row in scanned.tables.rows["sys_auth_profile_basic"]
    ]
    assert "somebody" not in str(scanned.marks.rows) + str(scanned.ledger.entries)


def test_a_secret_counts_as_sent_only_when_it_was(scanned):
    settle(scanned, intent())
    scanned.shelf.put("prod/responder/basic", "another", pending=True)
    scanned.tables.break_at = (len(scanned.tables.writes) + 1, "before")
    assert scanned.apply(scanned.plan(intent()), intent()).problem is not None
    scanned.tables.break_at = None
    assert [change.kind for change in scanned.plan(intent()).changes] == ["auth_profile"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_it_goes_on_wherever_it_was_stopped(scanned, when):
    for number in range(1, 40):
        fresh = type(scanned)()
        fresh.tables.rows = {name: [dict(row) for row in rows] for name, rows in scanned.tables.rows.items()}
        fresh.tables.added = scanned.tables.added
        fresh.tables.break_at = (number, when)
        fresh.apply(fresh.plan(intent()), intent())
        stopped = len(fresh.tables.writes) >= number
        fresh.tables.break_at = None
        settle(fresh, intent())
        for table in (TABLE, "sys_auth_profile_basic"):
            assert len(fresh.tables.rows[table]) == 3, (number, table)
        assert len(fresh.tables.rows["sys_user_has_role"]) == 2
        if not stopped:
            break
    assert 8 < number < 39


def test_a_missing_column_is_left_to_a_person_with_the_values_to_enter(scanned):
    scanned.tables.rows["sys_dictionary"].pop()
    steps = [change for change in scanned.plan(intent()).changes if change.action == "manual"]
    assert [step.key for step in steps] == ["dev", "prod", "qa"]
    assert "API Credential Config" in steps[0].artefact
    assert "https://acmedev.x" in steps[0].artefact


def test_without_the_app_there_is_one_step_for_a_person(world):
    plan = world.plan(intent())
    assert [change.id for change in plan.changes if change.action == "manual"] == [
        "store_app/Scan Engine (sn_se)"
    ]
    assert {change.kind for change in plan.changes} == {"store_app", "user", "credential"}
    assert world.apply(plan, intent()).logins == {"responder": "svc.responder"}


def test_a_member_nobody_could_ask_is_told_and_its_registration_stays(scanned):
    settle(scanned, intent())
    first, *others = intent().fleet
    unknown = replace(first, instance_name="", unknown="dev could not be asked")
    (change,) = scanned.plan(replace(intent(), fleet=(unknown, *others))).changes
    assert (change.action, change.id, change.artefact) == (
        "manual",
        "instance_registration/dev",
        "dev could not be asked",
    )


def test_inherited_roles_are_not_the_direct_grant(scanned):
    settle(scanned, intent())
    for row in scanned.tables.rows["sys_user_has_role"]:
        row["inherited"] = "true"
    assert [(one.action, one.kind) for one in scanned.plan(intent()).changes] == [
        ("create", "user_role"),
        ("create", "user_role"),
    ]


def test_granting_admin_directly_is_a_brake(world):
    profile = recipe.Profile(
        name="least", says="", grants=(recipe.Grant(role="admin", because="a guide says so", direct=True),)
    )
    plan = world.plan(replace(world.intent(), profile=profile))
    assert [brake.id for brake in plan.brakes] == ["sacred_role:admin"]


def test_a_direct_role_of_ours_goes_and_a_foreign_one_is_told(world):
    least = recipe.Profile(name="least", says="", grants=(), left_roles=("itil",))
    wide = replace(
        least,
        name="documented",
        grants=(recipe.Grant(role="itil", because="it is asked for", direct=True),),
        left_roles=(),
    )
    settle(world, replace(world.intent(), profile=wide))
    narrow = replace(world.intent(), profile=least)
    changes = world.plan(narrow).changes
    assert ("delete", "user_role/svc.responder: itil") in [(one.action, one.id) for one in changes]

    world.marks.forget("dev", "user_role", "svc.responder: itil")
    assert ("manual", "user_role/svc.responder: itil") in [
        (one.action, one.id) for one in world.plan(narrow).changes
    ]


def test_what_was_begun_while_exploring_is_taken_back_although_its_end_is_unknown(world):
    world.tables.add("sys_user_role", name="rest_api_explorer")
    found = recipe.load("governed-account")
    exploring = replace(world.intent(), profile=found.profile("exploring"))
    settled = replace(world.intent(), profile=found.profile("settled"))
    settle(world, exploring)
    key = ("dev", "membership", "svc.responder in ServiceNow API Explorers")
    world.marks.rows[key].sys_id = ""
    changes = world.plan(settled).changes
    assert [(one.action, one.kind) for one in changes] == [("update", "user"), ("delete", "membership")]
    settle(world, settled)
    assert key not in world.marks.rows


def test_what_takes_away_comes_last(world):
    settle(world, world.intent())
    other = replace(world.intent(roles=("itil",)), owner="")
    actions = [one.action for one in world.plan(other).changes]
    assert "delete" in actions
    assert actions == sorted(actions, key=lambda action: action == "delete")
