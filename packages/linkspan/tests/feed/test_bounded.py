"""Spans of keys and the size of pages: what is cut in two is whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkspan.core.clock import platform_time
from linkspan.feed.bounded import SURE, PageSize, Span

HIGHEST = "g"  # behind every hexadecimal sys_id
times = st.integers(0, 40).map(lambda n: platform_time(1_700_000_000 + n))
ids = st.text("0123456789abcdef", min_size=32, max_size=32)
keys = st.tuples(times, ids)


def holds(span, key):
    high = (span.high[0], HIGHEST if span.high[1] is None else span.high[1])
    return span.low < key <= high


@given(low=st.tuples(times, ids | st.just("")), high=st.tuples(times, ids | st.none()), key=keys)
def test_each_key_of_a_span_is_in_one_of_its_halves(low, high, key):
    span = Span(low=low, high=high)
    if span.is_single:
        return
    left, right = span.halves()
    assert holds(left, key) + holds(right, key) == holds(span, key)


@settings(deadline=None)
@given(low=st.tuples(times, ids | st.just("")), key=keys)
def test_halving_comes_to_one_key(low, key):
    span = Span(low=low, high=(platform_time(1_700_000_040), None))
    if not holds(span, key):
        return
    for _ in range(6 + 128 + 2):
        if span.is_single:
            return
        span = next(half for half in span.halves() if holds(half, key))
    raise AssertionError(f"{key} is not found by halving")


def test_a_span_is_written_as_a_condition():
    day = "2026-01-01 00:00:00"
    assert Span(low=(day, ""), high=(day, None)).condition() == f"sys_updated_on>={day}^sys_updated_on<={day}"
    assert Span(low=(day, "a"), high=(day, "b")).condition() == (
        f"sys_updated_on>={day}^sys_updated_on>{day}^ORsys_id>a"
        f"^sys_updated_on<={day}^sys_updated_on<{day}^ORsys_id<=b"
    )


def test_pages_shrink_at_once_and_grow_slowly():
    size = PageSize(1000)
    assert [size.failed() for _ in range(3)] == [True] * 3
    assert size.now == 125
    for _ in range(3):
        size.worked(125)
    assert size.now == 250
    for _ in range(20):
        size.worked(250)
    assert size.now == 1000


def test_a_page_of_one_row_cannot_be_smaller():
    size = PageSize(1)
    assert not size.failed()


@pytest.mark.parametrize(("seen", "covers"), [(0, SURE), (40, SURE), (700, 700), (5000, 1000)])
def test_a_page_counts_as_large_as_one_was_seen_to_be(seen, covers):
    size = PageSize(1000)
    size.worked(seen)
    assert size.covers == covers
