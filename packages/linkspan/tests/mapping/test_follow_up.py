"""The mapping of follow-ups: what is written is understood, nothing swings to and fro, nothing is guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkspan.mapping.contract import RecordMapping, Unmapped, Untaken
from linkspan.mapping.follow_up import (
    COLUMNS,
    COMPATIBLE,
    FIELDS,
    PRIORITY_OF,
    STATE_OF,
    FollowUpMapping,
)

ADA, BOB = "a" * 32, "b" * 32
STATES = ("-5", "1", "2", "3", "4", "7")


class Known:
    """Two people with an address, whoever else there is."""

    _users = {"ada@example.com": ADA, "bob@example.com": BOB}  # noqa: RUF012

    def user(self, email: str) -> str:
        return self._users.get(email, "")

    def email(self, sys_id: str) -> str:
        return next((email for email, user in self._users.items() if user == sys_id), "")


MAPPING: RecordMapping = FollowUpMapping(people=Known())
texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30).map(str.strip)


def task(**values: str) -> dict[str, str]:
    stock = {
        "sys_id": "f" * 32,
        "number": "TASK0010001",
        "short_description": "Write a runbook",
        "description": "",
        "state": "1",
        "priority": "4",
        "assigned_to": "",
        "parent.state": "2",
    }
    return stock | values


tasks = st.builds(
    lambda title, text, state, priority, who: task(
        short_description=title, description=text, state=state, priority=priority, assigned_to=who
    ),
    texts,
    texts,
    st.sampled_from(STATES),
    st.sampled_from("12345"),
    st.sampled_from(["", ADA, BOB]),
)
peers = st.fixed_dictionaries(
    {
        "title": texts.filter(bool),
        "description": texts,
        "status": st.sampled_from(sorted(STATE_OF)),
        "priority": st.sampled_from(["", "Urgent", *PRIORITY_OF]),
        "assignee": st.sampled_from(["", "ada@example.com", "Bob@Example.com"]),
    }
)
names = st.sampled_from(FIELDS)


@given(record=tasks, peer=peers, name=names)
def test_what_is_written_agrees(record: dict[str, str], peer: dict[str, str], name: str) -> None:
    after = record | MAPPING.write(name, peer[name], record)
    assert MAPPING.agrees(name, peer[name], after)


@given(record=tasks, peer=peers, name=names)
def test_what_comes_back_agrees_and_stays(record: dict[str, str], peer: dict[str, str], name: str) -> None:
    back = MAPPING.back(name, record, peer[name])
    value = peer[name] if back is None else back
    assert MAPPING.agrees(name, value, record)
    assert MAPPING.back(name, record, value) is None


@given(peer=peers, name=names)
def test_there_and_back_and_there_again_is_there(peer: dict[str, str], name: str) -> None:
    once = task() | MAPPING.write(name, peer[name], task())
    again = once | MAPPING.write(name, MAPPING.value(name, once), once)
    assert again == once


@given(record=tasks)
def test_a_new_task_agrees_with_what_it_becomes(record: dict[str, str]) -> None:
    assert all(MAPPING.agrees(name, MAPPING.value(name, record), record) for name in FIELDS)


def test_every_state_has_one_meaning_and_every_status_writes_a_compatible_one() -> None:
    meanings = [status for state in STATES for status, states in COMPATIBLE.items() if state in states]
    assert len(meanings) == len(STATES)
    assert all(STATE_OF[status] in COMPATIBLE[status] for status in COMPATIBLE)
    assert set(STATE_OF) == set(COMPATIBLE)
    assert set(COLUMNS) == set(FIELDS)


def test_a_higher_priority_never_becomes_a_lower_one() -> None:
    numbers = [MAPPING.write("priority", word, None)["priority"] for word in PRIORITY_OF]
    assert numbers == sorted(numbers) == ["2", "3", "4", "5"]
    assert MAPPING.value("priority", task(priority="1")) == "urgent"


def test_no_priority_says_nothing() -> None:
    assert MAPPING.write("priority", "", None) == {}
    assert MAPPING.agrees("priority", "", task(priority="2"))
    assert MAPPING.back("priority", task(priority=""), "high") is None


@pytest.mark.parametrize(("field", "value"), [("priority", "P0"), ("assignee", "cora@example.com")])
def test_what_a_task_cannot_hold_is_left_and_told(field: str, value: str) -> None:
    for record in (None, task(assigned_to=ADA)):
        with pytest.raises(Untaken) as left:
            MAPPING.write(field, value, record)
        assert (left.value.by, left.value.value) == ("instance", value)
        assert left.value.fix


def test_a_user_without_an_address_is_left_and_told() -> None:
    with pytest.raises(Untaken) as left:
        MAPPING.back("assignee", task(assigned_to="c" * 32), "ada@example.com")
    assert left.value.by == "peer"
    assert not MAPPING.agrees("assignee", "", task(assigned_to="c" * 32))


@pytest.mark.parametrize("incident", ["6", "7", "8"])
def test_closed_incomplete_with_its_incident_decides_nothing(incident: str) -> None:
    closed = task(state="4", **{"parent.state": incident})
    with pytest.raises(Untaken) as left:
        MAPPING.back("status", closed, "outstanding")
    assert left.value.by == "peer"
    assert MAPPING.agrees("status", "not_doing", closed)
    assert MAPPING.back("status", task(state="4"), "outstanding") == "not_doing"


@pytest.mark.parametrize(("field", "column"), [("status", "state"), ("priority", "priority")])
def test_an_unknown_value_is_not_guessed(field: str, column: str) -> None:
    with pytest.raises(Unmapped, match=column):
        MAPPING.value(field, task(**{column: "42"}))
    with pytest.raises(Unmapped):
        MAPPING.agrees("status", "someday", task())


def test_a_follow_up_that_is_gone_skips_an_open_task_only() -> None:
    assert MAPPING.when_gone(task(), "the desk") == {
        "state": "7",
        "work_notes": "The follow-up was deleted on the desk.",
    }
    assert all(MAPPING.when_gone(task(state=state), "the desk") == {} for state in ("3", "4", "7"))


def test_line_ends_of_the_instance_stay_there() -> None:
    assert MAPPING.value("description", task(description="One\r\nTwo\r\n")) == "One\nTwo"
