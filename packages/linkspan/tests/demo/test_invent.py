"""The invented log has the shape of the real one, and is the same for the same seed."""

from __future__ import annotations

from collections import Counter

from linkspan.demo.invent import invent
from linkspan.demo.translate import Edit, translate


def test_the_same_seed_tells_the_same_story():
    assert invent(200, 7) == invent(200, 7)
    assert invent(200, 7) != invent(200, 8)


def test_events_are_in_order_and_as_many_as_asked():
    events = invent(500)
    assert len(events) == 500
    assert [event.order for event in events] == sorted(event.order for event in events)


def test_every_incident_begins_with_its_first_edition():
    first = {}
    for event in invent(800):
        first.setdefault(event.number, event.edition)
    assert set(first.values()) == {0}


def test_the_figures_are_those_of_the_data_set():
    events = invent(6000)
    incidents = len({event.number for event in events})
    states = Counter(event.state for event in events)
    assert 4.5 < len(events) / incidents < 6.5
    assert 0.2 < states["New"] / len(events) < 0.32
    assert 0.2 < states["Active"] / len(events) < 0.34
    assert 0.14 < states["Resolved"] / len(events) < 0.22
    assert 0.06 < states["Awaiting User Info"] / len(events) < 0.16
    skipped = sum(not isinstance(step, Edit) for step in translate(events))
    assert 0.15 < skipped / len(events) < 0.28
    middle = sum(event.columns["impact"] == "2 - Medium" for event in events)
    assert middle / len(events) > 0.9


def test_long_stories_hold_the_odd_things_too():
    reasons = Counter(getattr(step, "reason", "edit") for step in translate(invent(20_000, 2)))
    assert set(reasons) == {"edit", "changes nothing", "leaves Closed", "state is none of the platform's"}
