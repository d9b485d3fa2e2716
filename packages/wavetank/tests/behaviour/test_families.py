"""Problems, changes, and what records take along: children, tasks, approvals."""

from collections.abc import Callable

import pytest

from wavetank.behaviour import pipeline
from wavetank.behaviour.change_request import CHECK
from wavetank.database.store import Row
from wavetank.errors import PlatformError
from wavetank.instance import Instance
from wavetank.security.who import Session

Make = Callable[..., Row]
DONE = {"close_code": "Solution provided", "close_notes": "done"}


def _now(instance: Instance, table: str, row: Row) -> Row:
    here = instance.database.get(table, row["sys_id"])
    assert here is not None
    return here


@pytest.mark.claim("parent-child-sync")
def test_children_follow_their_parent_as_documented(instance: Instance, make: Make, edit: Make) -> None:
    parent = make()
    child, closed = make(parent_incident=parent["sys_id"]), make(parent_incident=parent["sys_id"], state="8")

    def now(**values: str) -> tuple[str, str]:
        edit("incident", parent, **values)
        assert _now(instance, "incident", closed)["state"] == "8"
        row = _now(instance, "incident", child)
        return row["state"], row["hold_reason"]

    assert now(state="2") == ("2", "")
    assert now(state="3", hold_reason="1") == ("2", "")
    assert now(hold_reason="5") == ("3", "5")
    assert now(state="6", **DONE) == ("6", "")
    resolved = _now(instance, "incident", child)
    assert (resolved["close_code"], resolved["close_notes"]) == ("Solution provided", "done")
    assert now(state="7") == ("6", "")


@pytest.mark.claim("incident-tasks-close")
@pytest.mark.parametrize(("state", "left"), [("7", "4"), ("8", "7")])
def test_open_incident_tasks_end_with_their_incident(
    instance: Instance, make: Make, add: Make, edit: Make, state: str, left: str
) -> None:
    incident = make()
    task, done = (add("incident_task", incident=incident["sys_id"]) for _ in range(2))
    edit("incident_task", done, state="3")
    edit("incident", incident, state=state, **DONE)
    ended = _now(instance, "incident_task", task)
    assert (ended["state"], ended["active"]) == (left, "false")
    assert _now(instance, "incident_task", done)["state"] == "3"


@pytest.mark.claim("incident-tasks-close")
def test_a_property_keeps_incident_tasks_open(instance: Instance, make: Make, add: Make, edit: Make) -> None:
    instance.set_property("com.snc.incident.incident_task.closure", "false")
    incident = make()
    task = add("incident_task", incident=incident["sys_id"])
    edit("incident", incident, state="8")
    assert _now(instance, "incident_task", task)["active"] == "true"


@pytest.mark.claim("problem-life")
def test_the_life_of_a_problem(instance: Instance, add: Make, edit: Make, beth: Session) -> None:
    made = add("problem", short_description="p")
    assert (made["state"], made["problem_state"], made["active"]) == ("101", "101", "true")
    task = add("problem_task", problem=made["sys_id"])
    assert task["state"] == "151"
    assert edit("problem", made, state="103")["problem_state"] == "103"
    assert edit("problem", made, problem_state="104")["state"] == "104"
    resolved = edit("problem", made, state="106", resolution_code="fix_applied")
    assert (resolved["resolved_by"], resolved["active"]) == (beth.sys_id, "true")
    assert resolved["resolved_at"] == resolved["sys_updated_on"]
    closed = edit("problem", made, state="107")
    assert (closed["active"], closed["closed_by"]) == ("false", beth.sys_id)
    ended = _now(instance, "problem_task", task)
    assert (ended["state"], ended["close_code"], ended["active"]) == ("157", "canceled", "false")
    again = edit("problem", made, state="103")
    assert (again["active"], again["problem_state"]) == ("true", "103")


@pytest.mark.claim("problem-reopened")
def test_reopening_a_problem_is_counted_and_stamped(add: Make, edit: Make, beth: Session) -> None:
    made = add("problem", short_description="p")
    assert edit("problem", made, state="103")["reopen_count"] == "0"
    edit("problem", made, state="107")
    again = edit("problem", made, state="106")
    assert (again["reopen_count"], again["reopened_at"]) == ("0", "")
    again = edit("problem", made, state="103")
    assert (again["reopen_count"], again["reopened_by"]) == ("1", beth.sys_id)
    assert again["reopened_at"] == again["sys_updated_on"]


@pytest.mark.claim("problem-resolves-incidents")
def test_incidents_that_wait_for_a_problem_are_resolved_by_its_fix(
    instance: Instance, make: Make, add: Make, edit: Make
) -> None:
    problem = add("problem", fix_notes="patched")
    waiting = make(problem_id=problem["sys_id"], state="3", hold_reason="3")
    busy = make(problem_id=problem["sys_id"], state="2")
    assert _now(instance, "problem", problem)["related_incidents"] == "2"
    edit("problem", problem, state="106", resolution_code="fix_applied")
    row = _now(instance, "incident", waiting)
    assert (row["state"], row["close_code"], row["hold_reason"]) == ("6", "Resolved by problem", "")
    assert problem["number"] in row["close_notes"]
    said = instance.database.find("sys_journal_field", element_id=row["sys_id"])
    assert [each["value"] for each in said] == ["patched"]
    assert _now(instance, "incident", busy)["state"] == "2"


@pytest.mark.claim("problem-form-only")
def test_what_the_problem_form_asks_for_is_not_asked_over_rest(add: Make, edit: Make) -> None:
    assert edit("problem", add("problem"), state="107")["state"] == "107"


@pytest.mark.claim("change-model")
@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("normal", ["-4", "-3", "-2", "-1", "0", "3"]),
        ("standard", ["-2", "-1", "0", "3"]),
        ("emergency", ["-3", "-2", "-1", "0", "3"]),
        ("normal", ["-4", "-5", "-4", "4"]),
    ],
)
def test_a_change_goes_the_way_of_its_type(add: Make, edit: Make, kind: str, way: list[str]) -> None:
    made = add("change_request", type=kind)
    assert made["state"] == "-5"
    for state in way:
        made = edit("change_request", made, state=state)
        assert made["state"] == state
    assert made["active"] == "false"


@pytest.mark.claim("change-transition-refused")
@pytest.mark.parametrize(("way", "wrong"), [([], "-1"), (["-4", "-3", "-2", "-1", "0"], "4"), (["4"], "-5")])
def test_a_step_beside_the_way_is_refused(
    instance: Instance, add: Make, edit: Make, way: list[str], wrong: str
) -> None:
    made = add("change_request")
    for state in way:
        edit("change_request", made, state=state)
    with pytest.raises(PlatformError) as refused:
        edit("change_request", made, state=wrong)
    assert refused.value.status == 403
    assert f"aborted by Business Rule '{CHECK}^" in (refused.value.detail or "")
    instance.configure({"change_transitions": "free"})
    assert edit("change_request", made, state=wrong)["state"] == wrong


@pytest.mark.claim("change-form-only")
def test_close_information_of_a_change_is_asked_by_the_form_only(add: Make, edit: Make) -> None:
    made = add("change_request", type="standard")
    for state in ("-2", "-1", "0", "3"):
        made = edit("change_request", made, state=state)
    assert (made["close_code"], made["closed_at"]) == ("", made["sys_updated_on"])


@pytest.mark.claim("change-on-hold")
def test_a_change_on_hold_takes_its_tasks_along_and_can_only_be_canceled(
    instance: Instance, add: Make, edit: Make
) -> None:
    made = add("change_request", type="standard")
    task, own = (add("change_task", change_request=made["sys_id"]) for _ in range(2))
    edit("change_task", own, on_hold="true", on_hold_reason="mine")

    def held(row: Row) -> tuple[str, str]:
        here = _now(instance, "change_task", row)
        return here["on_hold"], here["on_hold_reason"]

    edit("change_request", made, on_hold="true", on_hold_reason="wait")
    assert (held(task), held(own)) == (("true", "wait"), ("true", "mine"))
    with pytest.raises(PlatformError, match=CHECK):
        edit("change_request", made, state="-2")
    edit("change_request", made, on_hold="false")
    assert (held(task), held(own)) == (("false", ""), ("true", "mine"))
    edit("change_request", made, on_hold="true")
    canceled = edit("change_request", made, state="4")
    assert (canceled["on_hold"], canceled["active"]) == ("false", "false")
    assert {_now(instance, "change_task", each)["state"] for each in (task, own)} == {"4"}


@pytest.mark.claim("change-open-tasks")
def test_a_change_is_not_closed_over_open_tasks(add: Make, edit: Make) -> None:
    made = add("change_request", type="standard")
    task = add("change_task", change_request=made["sys_id"])
    for state in ("-2", "-1", "0"):
        edit("change_request", made, state=state)
    with pytest.raises(PlatformError, match=CHECK):
        edit("change_request", made, state="3")
    edit("change_task", task, state="3")
    assert edit("change_request", made, state="3")["active"] == "false"


@pytest.mark.claim("change-approvals")
def test_approvals_rest_on_hold_and_end_with_a_revert(
    instance: Instance, add: Make, edit: Make, beth: Session
) -> None:
    made = edit("change_request", add("change_request"), state="-4")
    asked = pipeline.insert(
        instance,
        None,
        "sysapproval_approver",
        {"sysapproval": made["sys_id"], "approver": beth.sys_id, "state": "requested"},
    )

    def state() -> str:
        return _now(instance, "sysapproval_approver", asked)["state"]

    edit("change_request", made, on_hold="true")
    assert state() == "not_required"
    edit("change_request", made, on_hold="false")
    assert state() == "requested"
    assert edit("change_request", made, state="-5")["approval"] == "not requested"
    assert state() == "cancelled"


@pytest.mark.claim("change-rejected")
def test_a_rejected_change_is_new_again(add: Make, edit: Make) -> None:
    made = edit("change_request", add("change_request"), state="-4")
    row = edit("change_request", made, approval="rejected")
    assert (row["state"], row["approval"]) == ("-5", "rejected")


@pytest.mark.claim("change-approved")
def test_an_approved_change_goes_on(add: Make, edit: Make) -> None:
    made = edit("change_request", add("change_request"), state="-4")
    row = edit("change_request", made, approval="approved")
    assert (row["state"], row["approval"]) == ("-3", "not requested")
    assert edit("change_request", made, approval="approved")["state"] == "-2"


@pytest.mark.claim("task-active")
def test_active_and_state_of_a_task_go_together(make: Make, add: Make, edit: Make) -> None:
    assert edit("incident", make(), active="false", description="x")["active"] == "true"
    made = add("sc_task")
    assert edit("sc_task", made, active="false")["state"] == "3"
    assert edit("sc_task", made, active="true")["state"] == "1"


@pytest.mark.claim("states-collide")
def test_the_same_number_is_another_state_in_another_class(instance: Instance, make: Make, add: Make) -> None:
    held, closed = make(state="3"), add("task", state="3")
    change = add("change_request", state="3")
    assert [row["active"] for row in (held, closed, change)] == ["true", "false", "false"]
    found = {row["sys_id"] for row in instance.database.select("task", "state=3")}
    assert {held["sys_id"], closed["sys_id"], change["sys_id"]} <= found
    only = instance.database.select("task", "state=3^sys_class_name=incident")
    assert closed["sys_id"] not in {row["sys_id"] for row in only}
