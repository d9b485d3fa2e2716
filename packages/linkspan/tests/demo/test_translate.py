"""What an event becomes: an edit of what changed, or a skip with a reason."""

from __future__ import annotations

import pytest

from linkspan.demo.log import COLUMNS, LogEvent
from linkspan.demo.translate import STATES, Edit, Reference, Skip, choice_value, is_title, translate


def event(state: str = "New", edition: int = 0, number: str = "INC1", **columns: str) -> LogEvent:
    filled = dict.fromkeys(COLUMNS, "") | {"impact": "2 - Medium", "urgency": "2 - Medium"} | columns
    return LogEvent(
        number=number,
        at=(2016, 3, 1, 9, edition),
        edition=edition,
        editor=f"Updated by {edition}",
        state=state,
        columns=filled,
    )


def values(*events: LogEvent) -> dict:
    """The values of the last event's edit."""
    step = translate(events)[-1]
    assert isinstance(step, Edit), step
    return dict(step.values)


def test_the_first_event_creates_with_everything_known():
    (step,) = translate([event(caller_id="Caller 7", category="Category 26", knowledge="true")])
    assert step.creates
    assert step.editor == "Updated by 0"
    assert step.values["caller_id"] == Reference("sys_user", "Caller 7")
    assert step.values["category"] == "category_26"
    assert step.values["impact"] == "2"
    assert step.values["knowledge"] == "true"
    assert step.values["state"] == "1"
    assert "assigned_to" not in step.values


def test_later_events_hold_only_what_changed():
    changed = values(event(assignment_group="Group 1"), event(edition=1, assignment_group="Group 2"))
    assert changed == {"assignment_group": Reference("sys_user_group", "Group 2")}


def test_a_column_that_becomes_null_is_emptied():
    assert values(event(assigned_to="Resolver 1"), event(edition=1)) == {"assigned_to": ""}


def test_an_event_that_changes_nothing_is_skipped():
    first, second = translate([event(), event(edition=1)])
    assert isinstance(first, Edit)
    assert second == Skip(number="INC1", reason="changes nothing")


def test_close_fields_wait_until_the_incident_is_resolved():
    before = event("Active", closed_code="code 6")
    assert not {"close_code", "close_notes"} & set(values(before))
    resolved = values(before, event("Resolved", 1, closed_code="code 6"))
    assert resolved["state"] == "6"
    assert resolved["close_code"] == "code_6"
    assert resolved["close_notes"]


def test_derived_columns_of_the_log_are_never_written():
    written = set(values(event("Resolved", closed_code="code 1")))
    assert not written & {
        "resolved_at",
        "resolved_by",
        "closed_at",
        "priority",
        "active",
        "made_sla",
        "number",
    }


def test_closing_fills_in_the_form_again():
    changed = values(event("Resolved", closed_code="code 6"), event("Closed", 1, closed_code="code 6"))
    assert set(changed) == {"state", "close_code", "close_notes"}


def test_resolving_without_a_code_in_the_log_still_names_one():
    assert values(event("Resolved"))["close_code"] == "code_not_given"


@pytest.mark.parametrize(
    ("state", "code", "hold_reason"),
    [
        ("New", "1", ""),
        ("Active", "2", ""),
        ("Awaiting User Info", "3", "1"),
        ("Awaiting Problem", "3", "3"),
        ("Awaiting Vendor", "3", "4"),
        ("Awaiting Evidence", "3", "20"),
        ("Resolved", "6", ""),
        ("Closed", "7", ""),
    ],
)
def test_states(state, code, hold_reason):
    written = values(event(state))
    assert (written["state"], written.get("hold_reason", "")) == (code, hold_reason)
    assert state in STATES


def test_leaving_hold_empties_the_reason():
    changed = values(event("Awaiting Vendor"), event("Active", 1))
    assert changed == {"state": "2", "hold_reason": ""}


def test_one_hold_reason_may_follow_another():
    assert values(event("Awaiting Vendor"), event("Awaiting Problem", 1)) == {"hold_reason": "3"}


def test_the_state_of_no_meaning_is_skipped_and_the_next_event_compares_with_the_one_before():
    steps = translate([event("Active"), event("-100", 1), event("Active", 2)])
    assert [getattr(step, "reason", "edit") for step in steps] == [
        "edit",
        "state is none of the platform's",
        "changes nothing",
    ]


def test_closed_is_never_left_but_may_be_edited():
    steps = translate(
        [
            event("Closed"),
            event("Active", 1, assigned_to="Resolver 3"),
            event("Closed", 2, assigned_to="Resolver 3"),
        ]
    )
    assert steps[1] == Skip(number="INC1", reason="leaves Closed")
    assert steps[2].values == {"assigned_to": Reference("sys_user", "Resolver 3")}
    assert not steps[2].creates


def test_resolved_may_be_reopened():
    assert values(event("Resolved"), event("Active", 1))["state"] == "2"


def test_incidents_do_not_meet():
    steps = translate([event(), event(number="INC2"), event("Active", 1)])
    assert [step.creates for step in steps] == [True, True, False]


def test_titles_follow_the_category():
    changed = values(event(category="Category 1"), event(edition=1, category="Category 2"))
    assert set(changed) == {"category", "short_description"}
    assert "Category 2" in changed["short_description"]
    assert is_title(changed["short_description"])


@pytest.mark.parametrize(
    "name", ["Checkout fails", "[HIGH] OpenSSL before 3.0.7 (CVE-2022-3602)", "Login: down"]
)
def test_what_others_made_has_no_title_of_the_log(name):
    assert not is_title(name)


def test_choice_values_are_plain():
    assert choice_value("Self service") == "self_service"
    assert choice_value("code 8s") == "code_8s"
