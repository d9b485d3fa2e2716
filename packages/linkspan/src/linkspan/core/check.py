"""What a preflight check is, so that any capability can bring its own.

A check answers one question about one account on one instance. It never raises for a "no": it
returns an outcome with causes. Cause ids are published and stable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["pass", "warn", "fail", "skip", "unknown"]
Certainty = Literal["certain", "likely", "possible"]


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One reason a check did not pass. ``id`` is stable; ``fix`` says exactly what to do."""

    id: str
    certainty: Certainty
    fix: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a check found; causes most probable first, empty when it passed."""

    outcome: Outcome
    causes: tuple[Cause, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question. ``needs`` names checks that must have passed first, else this one is skipped.

    ``run`` receives the preflight's context (see ``linkspan.preflight.context``). ``writes`` marks a
    check that runs only with ``--write``, on a writing connection.
    """

    name: str
    title: str
    run: Callable[[Any], Answer]
    needs: tuple[str, ...] = ()
    writes: bool = False


PASSED = Answer(outcome="pass")
