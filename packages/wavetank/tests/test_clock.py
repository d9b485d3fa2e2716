from datetime import UTC, datetime

import pytest

from wavetank.clock import Clock, parse

DAWN = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_frozen_clock_stands_still_and_moves_only_when_told():
    clock = Clock()
    clock.freeze(DAWN)
    assert clock.text() == "2026-03-01 00:00:00"
    clock.advance(90)
    assert clock.text() == "2026-03-01 00:01:30"
    assert clock.frozen


def test_a_running_clock_keeps_the_distance_it_was_advanced():
    clock = Clock()
    before = clock.seconds()
    clock.advance(3600)
    assert 3600 <= clock.seconds() - before < 3610


def test_run_goes_on_from_where_the_clock_stood():
    clock = Clock()
    clock.freeze(DAWN)
    clock.run()
    assert not clock.frozen
    assert 0 <= clock.seconds() - DAWN.timestamp() < 10


def test_each_job_sees_its_own_moment_in_order():
    clock = Clock()
    clock.freeze(DAWN)
    seen = []
    clock.after(30, lambda: seen.append(("later", clock.text())))
    clock.after(10, lambda: seen.append(("sooner", clock.text())))
    clock.advance(60)
    assert seen == [("sooner", "2026-03-01 00:00:10"), ("later", "2026-03-01 00:00:30")]
    assert clock.text() == "2026-03-01 00:01:00"


def test_a_job_that_is_not_due_waits():
    clock = Clock()
    clock.freeze(DAWN)
    clock.after(30, lambda: pytest.fail("ran too early"))
    clock.advance(29)
    assert clock.run_due() == 0


def test_time_does_not_run_backwards():
    with pytest.raises(ValueError, match="forward"):
        Clock().advance(-1)


@pytest.mark.parametrize("text", ["2026-03-01T00:00:00Z", "2026-03-01 00:00:00", "2026-03-01T01:00:00+01:00"])
def test_both_ways_of_writing_a_moment_mean_utc(text):
    assert parse(text) == DAWN


def test_a_recurring_job_goes_on_after_the_clock_was_set_back() -> None:
    clock = Clock()
    clock.freeze(parse("2026-03-01 08:00:00"))
    ran: list[str] = []
    clock.every(60, lambda: ran.append(clock.text()))
    clock.advance(120)
    clock.freeze(parse("2026-02-01 08:00:00"))
    clock.advance(60)
    assert ran == ["2026-03-01 08:01:00", "2026-03-01 08:02:00", "2026-02-01 08:01:00"]
    clock.reset()
    clock.advance(600)
    assert len(ran) == 3
