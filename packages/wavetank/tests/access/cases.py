"""A row of a table: what was done to a call that works, what the caller sees then, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from packages.wavetank.tests.access.outside import Answer, fine

Act = Callable[[Any], object]
Look = Callable[[Answer], object]


@dataclass(frozen=True)
class Case:
    """`ask` is the call, the scene's own if none is named. `starts` is what it answers before anything is wrong."""

    name: str
    spoil: Act
    shows: Look
    mend: Act
    ask: Callable[[Any], Answer] | None = None
    works: Look = fine
    starts: Look | None = None

    def walk(self, scene: Any) -> None:
        """It works; with the cause it shows the symptom; with the fix it works again."""
        ask = self.ask or type(scene).ask
        (self.starts or self.works)(ask(scene))
        self.spoil(scene)
        self.shows(ask(scene))
        self.mend(scene)
        self.works(ask(scene))


def rows(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """`@rows(CASES)`: the test runs for each, by name."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in cases])
