"""Marks time the trip of a note, by one clock, once."""

from __future__ import annotations

import time

import pytest

from linkspan.demo.marks import Marks, marks_in, percentile
from linkspan.demo.pace import Pace


def test_a_mark_travels_in_the_text_whatever_is_put_around_it():
    mark, text = Marks().write("d", "We see errors.")
    assert marks_in(f"Ana via desk:\n{text}\n") == [mark]


def test_marks_differ_by_side_and_number():
    marks = Marks()
    assert len({marks.write("s", "")[0], marks.write("d", "")[0], marks.write("d", "")[0]}) == 3


def test_only_the_first_sight_counts():
    marks = Marks()
    mark, _ = marks.write("s", "")
    sent = time.monotonic()
    marks.saw(mark, sent + 5)
    marks.saw(mark, sent + 900)
    assert marks.lags == [pytest.approx(5, abs=0.5)]


def test_a_side_is_waiting_until_its_marks_are_seen():
    marks = Marks()
    mark, _ = marks.write("d", "")
    assert (marks.waiting("d"), marks.waiting("s")) == (True, False)
    marks.saw(mark, 1e12)
    assert not marks.waiting("d")


def test_a_refused_note_is_not_waited_for():
    marks = Marks()
    mark, _ = marks.write("d", "")
    marks.drop(mark)
    assert not marks.waiting("d")
    assert marks.records == {}


def test_foreign_marks_are_no_arrivals():
    marks = Marks()
    marks.saw("s99", 1.0)
    assert marks.lags == []


def test_percentiles():
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.5) == 51
    assert percentile(values, 0.95) == 96
    assert percentile([3.0], 0.95) == 3
    assert percentile([], 0.5) is None


def test_a_failure_ends_the_pace_for_everybody_and_is_raised_once_asked():
    pace = Pace(0.001)
    pace.begin()
    assert pace.due(0)
    pace.fail(RuntimeError("first"))
    pace.fail(RuntimeError("second"))
    assert not pace.due(5)
    with pytest.raises(RuntimeError, match="first"):
        pace.raise_failure()
