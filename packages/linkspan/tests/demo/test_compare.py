"""The verdict must find every kind of difference and every kind of copy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linkspan.demo.compare import Expected, Sides, compare

LINK = {"id": 1, "sys_id": "s1", "peer_id": "d1", "number": "INC1", "peer_reference": "DESK-1"}
RECORD = {
    "sys_id": "s1",
    "number": "INC1",
    "short_description": "Down",
    "description": "All\r\nof it",
    "priority": "1",
    "state": "2",
    "correlation_id": "c1",
}
INCIDENT = {
    "id": "d1",
    "number": "DESK-1",
    "name": "Down",
    "summary": "All\nof it",
    "severity": "critical",
    "status": "live",
}
SIDES = Sides(
    links=[LINK],
    records={"s1": RECORD},
    incidents={"d1": INCIDENT},
    journal=[
        {"element_id": "s1", "value": "seen [mark s1]"},
        {"element_id": "s1", "value": "Ana: news [mark d2]"},
    ],
    updates=[
        {"incident": "d1", "text": "from there: seen [mark s1]"},
        {"incident": "d1", "text": "news [mark d2]"},
    ],
)
EXPECTED = Expected(records=["s1"], incidents=[], marks={"s1": "s1", "d2": "d1"})


def found(sides: Sides = SIDES, expected: Expected = EXPECTED) -> tuple[int, int]:
    verdict = compare(sides, expected)
    return len(verdict.differences), len(verdict.duplicates)


def test_two_sides_in_step():
    assert found() == (0, 0)


@pytest.mark.parametrize(
    "change",
    [{"name": "Up"}, {"summary": "else"}, {"severity": "high"}, {"severity": "odd"}, {"status": "learning"}],
)
def test_each_field_counts(change):
    assert found(replace(SIDES, incidents={"d1": INCIDENT | change})) == (1, 0)


@pytest.mark.parametrize(
    ("status", "states"),
    [
        ("triage", "123"),
        ("live", "23"),
        ("paused", "3"),
        ("learning", "67"),
        ("closed", "67"),
        ("canceled", "78"),
    ],
)
def test_a_status_goes_with_its_states_only(status, states):
    incident = {"d1": INCIDENT | {"status": status}}
    for state in "123678":
        sides = replace(SIDES, incidents=incident, records={"s1": RECORD | {"state": state}})
        assert found(sides) == (0 if state in states else 1, 0), (status, state)


def test_an_incident_without_a_link_is_a_difference():
    assert found(expected=replace(EXPECTED, records=["s1", "s2"])) == (1, 0)
    assert found(expected=replace(EXPECTED, incidents=["d9"])) == (1, 0)


def test_a_half_open_link_is_a_difference():
    assert found(replace(SIDES, links=[LINK | {"peer_id": None}], incidents={}))[0] >= 1


def test_a_lost_note_is_a_difference():
    assert found(replace(SIDES, journal=SIDES.journal[:1])) == (1, 0)
    assert found(replace(SIDES, updates=SIDES.updates[1:])) == (1, 0)


def test_a_note_on_the_wrong_record_is_a_difference():
    strayed = [SIDES.journal[0], {"element_id": "s7", "value": "Ana: news [mark d2]"}]
    assert found(replace(SIDES, journal=strayed)) == (1, 0)


def test_a_doubled_note_is_a_duplicate_on_either_side():
    assert found(replace(SIDES, journal=[*SIDES.journal, SIDES.journal[1]])) == (0, 1)
    assert found(replace(SIDES, journal=[*SIDES.journal, SIDES.journal[0]])) == (0, 1)
    assert found(replace(SIDES, updates=[*SIDES.updates, SIDES.updates[1]])) == (0, 1)


def test_two_records_with_one_correlation_id_are_a_duplicate():
    twin = {"s2": RECORD | {"sys_id": "s2"}}
    assert found(replace(SIDES, records=SIDES.records | twin)) == (0, 1)


def test_a_second_copy_on_the_desk_is_a_duplicate():
    twin = {"d2": INCIDENT | {"id": "d2", "number": "DESK-2"}}
    assert found(replace(SIDES, incidents=SIDES.incidents | twin)) == (0, 1)


def test_two_links_of_one_record_are_a_duplicate():
    twin = LINK | {"id": 2, "peer_id": "d2"}
    incidents = SIDES.incidents | {"d2": INCIDENT | {"id": "d2"}}
    assert found(replace(SIDES, links=[LINK, twin], incidents=incidents))[1] == 1


def test_records_that_were_there_before_count_for_nothing():
    old = {
        "s0": RECORD | {"sys_id": "s0", "correlation_id": ""},
        "s9": RECORD | {"sys_id": "s9", "correlation_id": ""},
    }
    assert found(replace(SIDES, records=SIDES.records | old)) == (0, 0)
