"""The merge, against a model of both sides that people edit at will."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from linkspan.mapping.incident import COLUMNS, FIELDS, LEVELS, STATE_OF, STOCK_MATRIX, IncidentMapping
from linkspan.sync.merge import Base, merge, rebase

MAPPING = IncidentMapping()
RECORD = {
    "number": "INC0010001",
    "short_description": "Disk full",
    "description": "on db1",
    "impact": "2",
    "urgency": "2",
    "priority": "3",
    "state": "1",
}
names = st.sampled_from(["Disk full", "Disk is full", "Database down"])
peer_edits = st.one_of(
    st.tuples(st.just("name"), names),
    st.tuples(st.just("summary"), names),
    st.tuples(st.just("severity"), st.sampled_from(LEVELS)),
    st.tuples(st.just("status"), st.sampled_from(sorted(STATE_OF))),
)
record_edits = st.one_of(
    st.tuples(st.just("short_description"), names),
    st.tuples(st.just("description"), names),
    st.tuples(st.sampled_from(["impact", "urgency"]), st.sampled_from("123")),
    st.tuples(st.just("state"), st.sampled_from("123678")),
)


class Pair:
    """Two sides and the base between them."""

    def __init__(self) -> None:
        self.record: dict[str, str] = dict(RECORD)
        self.peer = {name: MAPPING.value(name, self.record) for name in FIELDS}
        self.base = rebase(MAPPING, Base(peer={}, record={}), peer=self.peer, record=self.record)

    def edit_record(self, column: str, value: str) -> None:
        if column == "state" and self.record["state"] == "7":
            return  # closed is final on the instance
        self.record[column] = value
        self.record["priority"] = STOCK_MATRIX[self.record["impact"], self.record["urgency"]]

    def settle(self, source: Any) -> int:
        """Merge until both agree; how many rounds wrote something."""
        for round_ in range(6):
            decided = merge(MAPPING, self.base, peer=self.peer, record=self.record, source=source)
            self.peer = {**self.peer, **decided.to_peer}
            self.record = {**self.record, **decided.to_record}
            self.record["priority"] = STOCK_MATRIX[self.record["impact"], self.record["urgency"]]
            self.base = rebase(MAPPING, self.base, peer=self.peer, record=self.record)
            if decided.settled:
                return round_
        raise AssertionError("does not come to rest")


edits = st.lists(st.tuples(st.booleans(), st.one_of(peer_edits), st.one_of(record_edits)), max_size=6)


@settings(max_examples=300)
@given(rounds=st.lists(edits, max_size=4), source=st.sampled_from(["peer", "instance"]))
def test_any_edits_come_to_rest_in_agreement(rounds: list[Any], source: str) -> None:
    pair = Pair()
    for batch in rounds:
        for on_peer, (field, value), (column, column_value) in batch:
            if on_peer:
                pair.peer = {**pair.peer, field: value}
            else:
                pair.edit_record(column, column_value)
        was_closed = pair.record["state"] == "7"
        assert pair.settle(source) <= 1
        apart = [name for name in FIELDS if not MAPPING.agrees(name, pair.peer[name], pair.record)]
        assert apart == []
        assert not was_closed or pair.record["state"] == "7"


@given(edit=peer_edits)
def test_one_edit_on_the_far_side_travels(edit: tuple[str, str]) -> None:
    pair = Pair()
    pair.peer = {**pair.peer, edit[0]: edit[1]}
    before = dict(pair.peer)
    decided = merge(MAPPING, pair.base, peer=pair.peer, record=pair.record, source="instance")
    assert not decided.to_peer
    assert not decided.conflicts
    pair.settle("instance")
    assert pair.peer == before
    untouched = [name for name in FIELDS if name != edit[0]]
    assert all(pair.record[column] == RECORD[column] for name in untouched for column in COLUMNS[name])


def test_edits_of_different_fields_do_not_collide() -> None:
    pair = Pair()
    pair.peer = {**pair.peer, "name": "Database down"}
    pair.edit_record("impact", "1")
    decided = merge(MAPPING, pair.base, peer=pair.peer, record=pair.record, source="peer")
    assert decided.to_record == {"short_description": "Database down"}
    assert decided.to_peer == {"severity": "high"}
    assert decided.conflicts == ()


def test_a_conflict_keeps_both_values_and_the_source_wins() -> None:
    for source, kept in (("peer", "Database down"), ("instance", "Disk is full")):
        pair = Pair()
        pair.peer = {**pair.peer, "name": "Database down"}
        pair.edit_record("short_description", "Disk is full")
        (conflict,) = merge(MAPPING, pair.base, peer=pair.peer, record=pair.record, source=source).conflicts
        assert (conflict.peer_value, conflict.instance_value) == ("Database down", "Disk is full")
        assert conflict.kept == source
        pair.settle(source)
        assert pair.peer["name"] == pair.record["short_description"] == kept


def test_closed_cannot_be_reopened_from_the_far_side() -> None:
    pair = Pair()
    pair.edit_record("state", "7")
    pair.settle("peer")
    assert pair.peer["status"] == "closed"
    pair.peer = {**pair.peer, "status": "live"}
    (conflict,) = merge(MAPPING, pair.base, peer=pair.peer, record=pair.record, source="peer").conflicts
    assert conflict.kept == "instance"
    pair.settle("peer")
    assert (pair.peer["status"], pair.record["state"]) == ("closed", "7")


def test_a_reopened_record_reopens_the_far_side() -> None:
    pair = Pair()
    pair.peer = {**pair.peer, "status": "learning"}
    pair.settle("peer")
    assert pair.record["state"] == "6"
    pair.edit_record("state", "2")
    pair.settle("peer")
    assert pair.peer["status"] == "live"
