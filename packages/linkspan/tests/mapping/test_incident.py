"""The default mapping: what is written is understood, and nothing swings to and fro."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkspan.mapping.contract import Unmapped
from linkspan.mapping.incident import (
    COLUMNS,
    COMPATIBLE,
    FIELDS,
    LEVELS,
    STATE_OF,
    STOCK_MATRIX,
    IncidentMapping,
)

MAPPING = IncidentMapping()
STATES = ("1", "2", "3", "6", "7", "8")
texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30).map(str.strip)


def record(**values: str) -> dict[str, str]:
    pair = values.get("impact", "2"), values.get("urgency", "2")
    stock = {
        "sys_id": "a" * 32,
        "number": "INC0010001",
        "short_description": "Disk full",
        "description": "",
        "impact": pair[0],
        "urgency": pair[1],
        "priority": STOCK_MATRIX[pair],
        "state": "1",
    }
    return stock | values


records = st.builds(
    lambda pair, state, name, summary: record(
        impact=pair[0], urgency=pair[1], state=state, short_description=name, description=summary
    ),
    st.sampled_from(sorted(STOCK_MATRIX)),
    st.sampled_from(STATES),
    texts,
    texts,
)
peers = st.fixed_dictionaries(
    {
        "name": texts.filter(bool),
        "summary": texts,
        "severity": st.sampled_from(LEVELS),
        "status": st.sampled_from(sorted(STATE_OF)),
    }
)


def written(before: dict[str, str], columns: dict[str, str]) -> dict[str, str]:
    """The record after the platform took these columns: priority follows impact and urgency."""
    after = before | columns
    return after | {"priority": STOCK_MATRIX[after["impact"], after["urgency"]]}


@given(record=records, peer=peers, name=st.sampled_from(FIELDS))
def test_what_is_written_agrees(record: dict[str, str], peer: dict[str, str], name: str) -> None:
    after = written(record, MAPPING.write(name, peer[name], record))
    assert MAPPING.agrees(name, peer[name], after)


@given(record=records, peer=peers, name=st.sampled_from(FIELDS))
def test_what_comes_back_agrees(record: dict[str, str], peer: dict[str, str], name: str) -> None:
    back = MAPPING.back(name, record, peer[name])
    value = peer[name] if back is None else back
    assert name == "status" or MAPPING.agrees(name, value, record)
    assert MAPPING.back(name, record, value) is None


@given(record=records)
def test_a_new_record_agrees_with_what_it_becomes(record: dict[str, str]) -> None:
    values = {name: MAPPING.value(name, record) for name in FIELDS}
    assert all(MAPPING.agrees(name, values[name], record) for name in FIELDS)


@given(record=records, level=st.sampled_from(LEVELS))
def test_priority_is_never_written(record: dict[str, str], level: str) -> None:
    assert set(MAPPING.write("severity", level, record)) <= {"impact", "urgency"}


def test_a_higher_severity_never_gets_a_lower_priority() -> None:
    numbers = [written(record(), MAPPING.write("severity", level, None))["priority"] for level in LEVELS]
    assert numbers == ["1", "2", "3", "4", "5"]


def test_least_change_is_chosen() -> None:
    assert MAPPING.write("severity", "high", record(impact="2", urgency="2")) == {"impact": "1"}
    assert MAPPING.write("severity", "high", record(impact="2", urgency="1")) == {}


def test_resolved_brings_its_close_fields() -> None:
    assert set(MAPPING.write("status", "learning", record())) == {"state", "close_code", "close_notes"}


def test_every_status_writes_a_compatible_state() -> None:
    assert all(STATE_OF[status] in COMPATIBLE[status] for status in STATE_OF)


def test_long_names_are_cut_visibly_and_stay_in_agreement() -> None:
    columns = MAPPING.write("name", "x" * 300, None)
    assert len(columns["short_description"]) == 160
    assert columns["short_description"].endswith("…")
    assert MAPPING.agrees("name", "x" * 300, record(**columns))


def test_a_nameless_record_goes_by_its_number() -> None:
    assert MAPPING.value("name", record(short_description="")) == "INC0010001"


@pytest.mark.parametrize(("field", "value"), [("state", "42"), ("priority", "9")])
def test_an_unknown_value_is_not_guessed(field: str, value: str) -> None:
    with pytest.raises(Unmapped, match=field):
        MAPPING.value({"state": "status", "priority": "severity"}[field], record(**{field: value}))


def test_every_field_has_columns() -> None:
    assert set(COLUMNS) == set(FIELDS)


def test_a_priority_that_does_not_follow_its_pair_is_written_at_not_taken_for_agreed() -> None:
    overridden = record(impact="2", urgency="2", priority="1")
    assert not MAPPING.agrees("severity", "moderate", overridden)
    assert MAPPING.write("severity", "moderate", overridden) == {"impact": "2", "urgency": "2"}


def test_line_ends_of_the_instance_stay_there() -> None:
    assert MAPPING.value("summary", record(description="One\r\nTwo\r\n")) == "One\nTwo"
