"""A refused credential is held back, probed once, and released by a success."""

import pytest

from linkspan.connection import hold
from linkspan.core.errors import NotAuthenticated


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1000.0]
    monkeypatch.setattr(hold.time, "monotonic", lambda: at[0])
    return at


def refusal() -> NotAuthenticated:
    return NotAuthenticated("refused", fix="set the right password", where="dev")


def test_a_refusal_keeps_the_next_requests_back(now: list[float]) -> None:
    kept = hold.Hold()
    kept.check()
    kept.refused(refusal())
    with pytest.raises(NotAuthenticated, match="not asked again"):
        kept.check()


def test_one_probe_goes_ahead_when_the_time_is_over(now: list[float]) -> None:
    kept = hold.Hold()
    kept.refused(refusal())
    now[0] += hold.FIRST_SECONDS
    kept.check()
    with pytest.raises(NotAuthenticated):
        kept.check()


def test_a_second_refusal_waits_longer_than_an_account_stays_locked(now: list[float]) -> None:
    kept = hold.Hold()
    kept.refused(refusal())
    now[0] += hold.FIRST_SECONDS
    kept.check()
    kept.refused(refusal())
    now[0] += hold.NEXT_SECONDS - 1
    with pytest.raises(NotAuthenticated):
        kept.check()
    now[0] += 1
    kept.check()


def test_success_forgets_it(now: list[float]) -> None:
    kept = hold.Hold()
    kept.refused(refusal())
    kept.accepted()
    kept.check()
