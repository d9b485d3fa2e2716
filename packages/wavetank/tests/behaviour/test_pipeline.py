"""What rules do around a write."""

from collections.abc import Callable

import pytest

from wavetank.behaviour import pipeline
from wavetank.behaviour.rules import BUILT_IN
from wavetank.database.store import Row
from wavetank.errors import PlatformError
from wavetank.instance import Instance
from wavetank.security.who import Session

Make = Callable[..., Row]


@pytest.mark.claim("incident-defaults")
def test_a_new_incident_has_the_recorded_defaults(make: Make, beth: Session) -> None:
    made = make()
    expected = {
        "number": "INC0010001",
        "state": "1",
        "incident_state": "1",
        "impact": "3",
        "urgency": "3",
        "priority": "5",
        "severity": "3",
        "category": "inquiry",
        "active": "true",
        "approval": "not requested",
        "upon_approval": "proceed",
        "upon_reject": "cancel",
        "escalation": "0",
        "notify": "1",
        "made_sla": "true",
        "knowledge": "false",
        "reassignment_count": "0",
        "reopen_count": "0",
        "child_incidents": "0",
        "opened_by": beth.sys_id,
        "task_effective_number": "INC0010001",
        "sys_mod_count": "0",
        "contact_type": "",
        "sys_created_by": "beth.anglin",
        "sys_domain": "global",
    }
    assert {name: made[name] for name in expected} == expected
    assert made["opened_at"] == made["sys_created_on"]


@pytest.mark.claim("incident-priority")
@pytest.mark.parametrize(
    ("impact", "urgency", "priority"),
    [(cell[0], cell[1], cell[2]) for cell in ("111", "122", "133", "212", "223", "234", "313", "324", "335")],
)
def test_priority_comes_from_the_lookup(
    make: Make, change: Make, impact: str, urgency: str, priority: str
) -> None:
    made = make(impact=impact, urgency=urgency, priority="1")
    assert made["priority"] == priority
    assert change(make(), impact=impact, urgency=urgency)["priority"] == priority
    assert change(made, priority="4")["priority"] == priority


def test_the_lookup_is_its_rows(instance: Instance, make: Make) -> None:
    row = instance.database.first("dl_u_priority", impact="3", urgency="3")
    assert row is not None
    instance.database.update("dl_u_priority", row["sys_id"], {"priority": "4"})
    assert make()["priority"] == "4"


@pytest.mark.claim("numbers-gap")
def test_a_refused_insert_uses_up_its_number(instance: Instance, make: Make) -> None:
    make()
    with pytest.raises(PlatformError):
        make(state="6")
    assert make()["number"] == "INC0010003"
    assert make(number="MINE1")["number"] == "MINE1"
    assert make()["number"] == "INC0010004"


def test_foreign_counts_and_endless_spans_do_no_harm(instance: Instance, make: Make, change: Make) -> None:
    """The control surface writes anything; rules must live with it."""
    made = make(assignment_group="a" * 32)
    odd = {"reassignment_count": "many", "reopen_count": "-1", "opened_at": "0001-01-01 00:00:00"}
    row = instance.database.update("incident", made["sys_id"], odd, system=False)
    row = change(row, assignment_group="b" * 32, state="6", close_code="Duplicate", close_notes="x")
    assert row["reassignment_count"] == "1"
    row = change(row, state="2")
    assert row["reopen_count"] == "1"
    far = change(row, state="6", resolved_at="9999-12-31 23:59:59")
    assert far["calendar_duration"] == "9999-12-31 00:00:00"
    broken = change(far, opened_at="soon", state="2")
    assert change(broken, state="6", resolved_at="later")["state"] == "6"


def test_a_number_has_bounded_digits(instance: Instance, make: Make) -> None:
    row = instance.database.first("sys_number", category="incident")
    assert row is not None
    instance.database.update("sys_number", row["sys_id"], {"maximum_digits": "999999999"})
    assert len(make()["number"]) == 43
    instance.database.update("sys_number", row["sys_id"], {"maximum_digits": "few"})
    counter = instance.database.first("sys_number_counter", table="incident")
    assert counter is not None
    instance.database.update("sys_number_counter", counter["sys_id"], {"number": "lots"})
    assert make()["number"] == "INC0010001"


@pytest.mark.claim("numbers-not-unique")
def test_a_number_may_be_given_twice(make: Make) -> None:
    assert [make(number="MINE1")["number"] for _ in range(2)] == ["MINE1", "MINE1"]


@pytest.mark.claim("number-series")
def test_a_series_is_its_rows(instance: Instance, add: Make, make: Make) -> None:
    database = instance.database
    row = database.first("sys_number", category="incident")
    counter = database.first("sys_number_counter", table="incident")
    assert row is not None
    assert counter is not None
    database.update("sys_number", row["sys_id"], {"prefix": "VOR", "maximum_digits": "4"})
    database.update("sys_number_counter", counter["sys_id"], {"number": "41"})
    assert [make()["number"] for _ in range(2)] == ["VOR0042", "VOR0043"]
    assert (database.get("sys_number_counter", counter["sys_id"]) or {})["number"] == "43"
    database.delete("sys_number_counter", counter["sys_id"])
    database.update("sys_number", row["sys_id"], {"number": "7000"})
    assert make()["number"] == "VOR7001"
    database.delete("sys_number", row["sys_id"])
    assert make()["number"].startswith("TASK")


@pytest.mark.claim("default-expressions")
def test_defaults_are_constants_or_allowed_expressions(instance: Instance, make: Make, beth: Session) -> None:
    entry = instance.database.first("sys_dictionary", name="incident", element="cause")
    assert entry is not None
    for default, value in (
        ("plain", "plain"),
        ("javascript:gs.getUserName()", "beth.anglin"),
        ("javascript:gs.getUserID();", beth.sys_id),
        ("javascript:while(true){}", ""),
    ):
        instance.database.update("sys_dictionary", entry["sys_id"], {"default_value": default})
        assert make()["cause"] == value
        assert make(cause="mine")["cause"] == "mine"
        assert make(cause="")["cause"] == ""


@pytest.mark.claim("incident-close-policy")
@pytest.mark.parametrize("state", ["6", "7"])
def test_close_information_is_mandatory_and_named_by_its_labels(make: Make, change: Make, state: str) -> None:
    made = make()
    with pytest.raises(PlatformError) as refused:
        change(made, state=state)
    assert refused.value.status == 403
    assert refused.value.message == "Operation Failed"
    assert refused.value.detail == (
        "Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes"
    )
    with pytest.raises(PlatformError, match="mandatory: Resolution notes"):
        change(made, state=state, close_code="Duplicate")


@pytest.mark.claim("incident-life")
def test_the_life_of_an_incident(instance: Instance, make: Make, change: Make, beth: Session) -> None:
    instance.clock.freeze(instance.clock.now())
    made = make()
    held = change(made, state="3", hold_reason="1")
    assert (held["incident_state"], held["hold_reason"], held["active"]) == ("3", "1", "true")
    instance.clock.advance(3600)
    done = change(held, state="6", close_code="Solution provided", close_notes="done")
    assert (done["incident_state"], done["active"], done["hold_reason"]) == ("6", "true", "")
    assert (done["resolved_by"], done["resolved_at"]) == (beth.sys_id, instance.clock.text())
    assert (done["calendar_stc"], done["calendar_duration"]) == ("3600", "1970-01-01 01:00:00")
    again = change(done, state="2")
    assert (again["reopen_count"], again["reopened_by"]) == ("1", beth.sys_id)
    assert again["reopened_time"] == instance.clock.text()
    closed = change(again, state="7")
    assert (closed["active"], closed["closed_by"], closed["closed_at"]) == (
        "false",
        beth.sys_id,
        instance.clock.text(),
    )
    assert change(closed, state="2")["active"] == "true"
    assert change(make(), state="8")["active"] == "false"


@pytest.mark.claim("incident-two-states")
def test_either_state_carries_the_other(make: Make, change: Make) -> None:
    assert change(make(), state="2")["incident_state"] == "2"
    assert change(make(), incident_state="2")["state"] == "2"
    assert change(make(), state="3", incident_state="2")["state"] == "2"
    assert make(state="2")["incident_state"] == "2"
    assert make(incident_state="2")["state"] == "2"


@pytest.mark.claim("caller-answers")
def test_an_answer_of_the_caller_ends_waiting(instance: Instance, make: Make, beth: Session) -> None:
    held = make(state="3", hold_reason="1", caller_id=beth.sys_id)
    answered = pipeline.update(instance, beth, "incident", held, {"comments": "here you are"})
    assert (answered["state"], answered["hold_reason"]) == ("2", "")
    other = make(state="3", hold_reason="1")
    assert pipeline.update(instance, beth, "incident", other, {"comments": "hm"})["state"] == "3"


@pytest.mark.claim("reassignment-count")
def test_handing_over_counts_the_first_assignment_does_not(make: Make, change: Make) -> None:
    made = change(make(), assignment_group="a" * 32)
    assert made["reassignment_count"] == "0"
    assert change(made, assignment_group="b" * 32)["reassignment_count"] == "1"


@pytest.mark.claim("no-op-update")
def test_a_write_that_changes_nothing_leaves_no_trace(instance: Instance, make: Make, change: Make) -> None:
    made = change(make(), state="2")
    instance.clock.advance(60)
    assert change(made, state="2", short_description="it broke") == made
    instance.configure({"no_op_update": "counted"})
    assert change(made, state="2")["sys_mod_count"] == "2"


@pytest.mark.claim("journal-rows")
@pytest.mark.claim("audit-rows")
def test_journals_and_changes_are_recorded(instance: Instance, make: Make, change: Make) -> None:
    made = make(work_notes="first")
    changed = change(made, work_notes="second", comments="hello", urgency="1")
    assert changed["work_notes"] == ""
    assert changed["sys_mod_count"] == "1"
    rows = instance.database.find("sys_journal_field", element_id=made["sys_id"])
    assert [(row["name"], row["element"], row["value"], row["sys_created_by"]) for row in rows] == [
        ("incident", "work_notes", "first", "beth.anglin"),
        ("incident", "work_notes", "second", "beth.anglin"),
        ("incident", "comments", "hello", "beth.anglin"),
    ]
    recorded = {
        "sys_id",
        "sys_created_on",
        "sys_created_by",
        "sys_tags",
        "name",
        "element",
        "element_id",
        "value",
    }
    assert all(set(row) == recorded for row in rows)
    audits = instance.database.find("sys_audit", documentkey=made["sys_id"])
    assert {(row["fieldname"], row["oldvalue"], row["newvalue"]) for row in audits} == {
        ("urgency", "3", "1"),
        ("priority", "5", "3"),
        ("work_notes", "JOURNAL FIELD ADDITION", "first"),
        ("work_notes", "JOURNAL FIELD ADDITION", "second"),
        ("comments", "JOURNAL FIELD ADDITION", "hello"),
    }


@pytest.mark.claim("audit-delete")
def test_a_deletion_is_remembered_and_takes_details_along(
    instance: Instance, make: Make, beth: Session
) -> None:
    made = make(work_notes="gone")
    pipeline.delete(instance, beth, "task", instance.database.get("task", made["sys_id"]) or {})
    assert instance.database.get("incident", made["sys_id"]) is None
    row = instance.database.first("sys_audit_delete", documentkey=made["sys_id"])
    assert row is not None
    assert (row["tablename"], row["display_value"], row["sys_created_by"]) == (
        "incident",
        made["number"],
        "beth.anglin",
    )
    assert instance.database.find("sys_journal_field", element_id=made["sys_id"]) == []


def test_writing_through_the_parent_class_runs_the_childs_rules(
    instance: Instance, make: Make, beth: Session
) -> None:
    made = make()
    seen = instance.database.get("task", made["sys_id"])
    assert seen is not None
    changed = pipeline.update(instance, beth, "task", seen, {"impact": "1"})
    assert changed["priority"] == "3"
    assert "caller_id" not in changed


@pytest.mark.claim("rules-as-rows")
def test_a_built_in_rule_is_a_row_that_switches_it_off(instance: Instance, make: Make, change: Make) -> None:
    for rule in (each for each in BUILT_IN if not each.pack):
        row = instance.database.get("sys_script", rule.sys_id)
        assert row is not None
        assert (row["name"], row["collection"], row["order"]) == (rule.name, rule.collection, str(rule.order))
    row = instance.database.first("sys_script", name="Keep states in step")
    assert row is not None
    instance.database.update("sys_script", row["sys_id"], {"active": "false"})
    assert change(make(), state="2")["incident_state"] == "1"


@pytest.mark.claim("rule-abort")
def test_a_rule_added_as_a_row_acts_and_aborts(instance: Instance, make: Make, change: Make) -> None:
    database = instance.database
    database.insert(
        "sys_script",
        {
            "name": "Escalate",
            "collection": "task",
            "when": "before",
            "order": "100",
            "active": "true",
            "action_update": "true",
            "filter_condition": "assignment_groupVALCHANGES^EQ",
            "template": "escalation=2^EQ",
        },
    )
    rule = database.insert(
        "sys_script",
        {
            "name": "No reopening",
            "collection": "incident",
            "when": "before",
            "order": "1100",
            "active": "true",
            "action_update": "true",
            "filter_condition": "stateCHANGESTO2^short_descriptionLIKEbroke^EQ",
            "abort_action": "true",
        },
    )
    made = change(make(), assignment_group="c" * 32)
    assert made["escalation"] == "2"
    with pytest.raises(PlatformError) as refused:
        change(made, state="2")
    assert refused.value.detail == (
        "Operation against file 'incident' was aborted by Business Rule"
        f" 'No reopening^{rule['sys_id']}'. Business Rule Stack:No reopening"
    )
    assert change(made, state="3")["state"] == "3"


@pytest.mark.claim("rule-order")
def test_policies_are_checked_between_the_two_halves_of_the_before_rules(
    instance: Instance, make: Make, change: Make
) -> None:
    """A before rule from order 1000 comes too late to satisfy a data policy."""
    rule = {
        "name": "Fill close information",
        "collection": "incident",
        "when": "before",
        "order": "1000",
        "active": "true",
        "action_update": "true",
        "filter_condition": "state=6^EQ",
        "template": "close_code=Duplicate^close_notes=filled^EQ",
    }
    row = instance.database.insert("sys_script", rule)
    made = make()
    with pytest.raises(PlatformError, match="Data Policy Exception"):
        change(made, state="6")
    instance.database.update("sys_script", row["sys_id"], {"order": "999"})
    assert change(made, state="6")["close_notes"] == "filled"


@pytest.mark.claim("unique-names")
def test_a_taken_name_is_refused(instance: Instance, beth: Session) -> None:
    with pytest.raises(PlatformError, match="Unique Key violation"):
        pipeline.insert(instance, beth, "sys_user", {"user_name": "ABEL.tuter", "last_name": "x"})


def test_users_get_their_name_and_access_from_what_they_are(instance: Instance, beth: Session) -> None:
    made = pipeline.insert(
        instance,
        beth,
        "sys_user",
        {"user_name": "svc", "first_name": "Sync", "last_name": "Account", "identity_type": "machine"},
    )
    assert (made["name"], made["web_service_access_only"]) == ("Sync Account", "true")


def test_roles_follow_groups(instance: Instance, beth: Session) -> None:
    database = instance.database
    user = pipeline.insert(instance, beth, "sys_user", {"user_name": "new.one", "last_name": "One"})
    group = database.first("sys_user_group", name="Network")
    assert group is not None
    member = pipeline.insert(
        instance, beth, "sys_user_grmember", {"user": user["sys_id"], "group": group["sys_id"]}
    )
    itil = database.first("sys_user_role", name="itil")
    assert itil is not None
    held = database.first("sys_user_has_role", user=user["sys_id"], role=itil["sys_id"])
    assert held is not None
    assert held["inherited"] == "true"
    pipeline.delete(instance, beth, "sys_user_grmember", member)
    assert database.find("sys_user_has_role", user=user["sys_id"]) == []


def test_other_tasks_close_and_reopen(instance: Instance, beth: Session) -> None:
    task = pipeline.insert(instance, beth, "task", {"short_description": "x"})
    assert (task["number"], task["priority"], task["state"]) == ("TASK0010001", "4", "1")
    done = pipeline.update(instance, beth, "task", task, {"state": "3"})
    assert (done["active"], done["closed_by"]) == ("false", beth.sys_id)
    assert pipeline.update(instance, beth, "task", done, {"state": "2"})["active"] == "true"
    assert pipeline.update(instance, beth, "task", task, {"active": "false"})["state"] == "3"
    problem = pipeline.insert(instance, beth, "problem", {})
    assert (problem["number"], problem["state"]) == ("PRB0010001", "101")
    assert pipeline.update(instance, beth, "problem", problem, {"state": "107"})["active"] == "false"


def test_a_parent_counts_its_children(instance: Instance, make: Make, change: Make) -> None:
    parent = make()
    child = make(parent_incident=parent["sys_id"])
    assert (instance.database.get("incident", parent["sys_id"]) or {})["child_incidents"] == "1"
    change(child, parent_incident="")
    assert (instance.database.get("incident", parent["sys_id"]) or {})["child_incidents"] == "0"
