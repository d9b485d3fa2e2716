"""Killing the hub at any moment loses nothing and doubles nothing."""

from __future__ import annotations

import random

import pytest

from linkspan.demo.invent import invent
from linkspan.demo.performance import Performance, Script
from linkspan.demo.stage import Stage

EVENTS = 300
KILLS = 5


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hub_killed_again_and_again_ends_in_step(tmp_path):
    chance = random.Random()
    seed = chance.randrange(1_000_000)
    moments = [chance.uniform(0.3, 3.0) for _ in range(KILLS)]
    print(f"seed {seed}, hub killed after {moments}")
    with Stage(tmp_path) as stage:
        stage.start_fleet()
        stage.provision()
        performance = Performance.prepare(
            stage, Script.of(invent(EVENTS, seed)), per_second=15, desk_edits=EVENTS, seed=seed
        )
        stage.start_hub()
        performance.start()
        kills = 0
        for moment in moments:
            ended = performance.wait(moment)
            stage.kill_hub()
            kills += not ended
            stage.start_hub()
        assert kills >= 4, "the streams ended before the hub was killed often enough"
        assert performance.wait(240)
        outcome = performance.outcome(performance.settle(240))
    assert list(outcome.verdict.differences) == []
    assert list(outcome.verdict.duplicates) == []
    assert outcome.balanced, outcome.ledger
    assert outcome.edits > EVENTS
