"""What an account may be brought to, given what was asked for and carried out before."""

from __future__ import annotations

import pytest

from linkspan.governance import EXPLORE, EXPLORING, MINIMIZE, SETTLED, allows, is_governed, only_narrows


@pytest.mark.parametrize(
    ("standing", "profile", "actions", "allowed"),
    [
        (None, EXPLORING, {"create"}, False),
        (EXPLORE, EXPLORING, {"create", "update"}, True),
        (MINIMIZE, EXPLORING, {"create"}, False),
        (MINIMIZE, SETTLED, {"create"}, True),
        (None, SETTLED, {"create"}, False),
        (None, SETTLED, {"update", "delete"}, True),
        (None, EXPLORING, {"manual"}, True),
        (None, EXPLORING, set(), True),
    ],
)
def test_what_a_standing_allows(standing: str | None, profile: str, actions: set[str], allowed: bool) -> None:
    assert allows(standing, profile=profile, actions=actions) is allowed


def test_an_account_is_asked_for_only_where_it_can_explore_and_settle() -> None:
    assert is_governed({"exploring", "settled", "other"})
    assert not is_governed({"settled"})


def test_taking_rights_away_only_narrows_and_taking_the_account_does_not() -> None:
    assert only_narrows({"membership", "group_role"})
    assert not only_narrows({"membership", "user"})
