"""The merge of values that one side does not take: left, told, and taken up again when they change."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from linkspan.mapping.follow_up import COLUMNS, FIELDS, STATE_OF, FollowUpMapping
from linkspan.sync.merge import Base, Left, merge, rebase

ADA, CORA = "a" * 32, "c" * 32


class Known:
    """Ada has an address; Cora is a user without one."""

    def user(self, email: str) -> str:
        return ADA if email == "ada@example.com" else ""

    def email(self, sys_id: str) -> str:
        return "ada@example.com" if sys_id == ADA else ""


MAPPING = FollowUpMapping(people=Known())
RECORD = {
    "number": "TASK0010001",
    "short_description": "Write a runbook",
    "description": "",
    "state": "1",
    "priority": "4",
    "assigned_to": "",
    "parent.state": "6",
}
peer_edits = st.one_of(
    st.tuples(st.just("status"), st.sampled_from(sorted(STATE_OF))),
    st.tuples(st.just("priority"), st.sampled_from(["urgent", "low", "P0"])),
    st.tuples(st.just("assignee"), st.sampled_from(["", "ada@example.com", "nobody@example.com"])),
)
record_edits = st.one_of(
    st.tuples(st.just("state"), st.sampled_from(["-5", "1", "2", "3", "4", "7"])),
    st.tuples(st.just("priority"), st.sampled_from("12345")),
    st.tuples(st.just("assigned_to"), st.sampled_from(["", ADA, CORA])),
)


class Pair:
    """Two sides, the base between them, and what was left."""

    def __init__(self) -> None:
        self.record = dict(RECORD)
        self.peer = {name: MAPPING.value(name, self.record) for name in FIELDS}
        self.base = rebase(MAPPING, Base(peer={}, record={}), peer=self.peer, record=self.record)
        self.left: dict[str, Left] = {}

    def settle(self, source: Any) -> int:
        """Merge until both agree but for what is left; how many rounds wrote something."""
        for round_ in range(6):
            decided = merge(
                MAPPING, self.base, peer=self.peer, record=self.record, source=source, left=self.left
            )
            self.left = dict(decided.left)
            self.peer = {**self.peer, **decided.to_peer}
            self.record = {**self.record, **decided.to_record}
            if decided.settled:
                self.base = rebase(MAPPING, self.base, peer=self.peer, record=self.record, left=self.left)
                return round_
        raise AssertionError("does not come to rest")


edits = st.lists(st.tuples(st.booleans(), peer_edits, record_edits), max_size=5)


@settings(max_examples=400)
@given(rounds=st.lists(edits, max_size=5), source=st.sampled_from(["peer", "instance"]))
def test_any_edits_come_to_rest_and_only_what_is_left_differs(rounds: list[Any], source: str) -> None:
    pair = Pair()
    for batch in rounds:
        for on_peer, (field, value), (column, column_value) in batch:
            if on_peer:
                pair.peer = {**pair.peer, field: value}
            else:
                pair.record = {**pair.record, column: column_value}
        assert pair.settle(source) <= 1
        apart = {name for name in FIELDS if not MAPPING.agrees(name, pair.peer[name], pair.record)}
        assert apart <= set(pair.left)
        assert pair.settle(source) == 0, "what was left is not offered again"
        for name in pair.left:
            assert pair.base.peer[name] != pair.peer[name] or any(
                pair.base.record[column] != pair.record[column] for column in COLUMNS[name]
            ), "the base claims no agreement on what was left"


def test_the_other_sides_next_word_overtakes_what_was_left() -> None:
    pair = Pair()
    pair.peer["assignee"] = "nobody@example.com"
    pair.settle("peer")
    assert pair.left["assignee"].by == "instance"
    pair.record["assigned_to"] = ADA
    pair.settle("peer")
    assert (pair.peer["assignee"], pair.left) == ("ada@example.com", {})


def test_what_was_left_is_taken_up_when_its_own_side_changes_it() -> None:
    pair = Pair()
    pair.record["assigned_to"] = CORA
    pair.settle("instance")
    assert (pair.left["assignee"].by, pair.peer["assignee"]) == ("peer", "")
    pair.record["assigned_to"] = ADA
    pair.settle("instance")
    assert (pair.peer["assignee"], pair.left) == ("ada@example.com", {})
