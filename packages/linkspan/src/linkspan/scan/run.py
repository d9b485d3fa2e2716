"""A run: every definition on every instance, kept in the store as it goes.

One instance failing does not stop the others. What could not be asked is ``unknown`` with its reason.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from linkspan.connection import Connection
from linkspan.core.errors import LinkspanError
from linkspan.scan.definitions import LEVELS, Definition
from linkspan.scan.evaluate import Evaluator, Outcome
from linkspan.store.scans import NewFinding, Scans

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class InstanceScan:
    """What became of one instance. ``user`` is who asked; ``problem`` stopped it before the end."""

    instance: str
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    user: str = ""
    requests: int = 0
    seconds: float = 0.0
    problem: LinkspanError | None = None

    def document(self) -> Document:
        """The published shape."""
        verdicts = Counter(one.verdict for one in self.outcomes.values())
        return {
            "user": self.user,
            "requests": self.requests,
            "seconds": round(self.seconds, 2),
            "verdicts": {word: verdicts[word] for word in ("clean", "found", "unknown")},
            "definitions": {
                name: {
                    "verdict": one.verdict,
                    "count": one.count,
                    "kept": len(one.findings),
                    "reason": one.reason,
                }
                for name, one in self.outcomes.items()
            },
        }


@dataclass(frozen=True, kw_only=True)
class FleetScan:
    """One run over the fleet, as it was stored under ``run``."""

    run: int
    suites: tuple[str, ...]
    definitions: tuple[Definition, ...]
    instances: Mapping[str, InstanceScan]

    @property
    def problems(self) -> tuple[LinkspanError, ...]:
        """Instances that could not be asked."""
        return tuple(one.problem for one in self.instances.values() if one.problem is not None)

    def document(self) -> Document:
        """The published shape."""
        return {
            "run": self.run,
            "suites": list(self.suites),
            "definitions": len(self.definitions),
            "levels": self.levels(),
            "instances": {name: one.document() for name, one in self.instances.items()},
        }

    def levels(self) -> dict[str, int]:
        """How many scan findings there are of each level."""
        counts = dict.fromkeys(LEVELS, 0)
        for one in self.instances.values():
            for definition in self.definitions:
                counts[definition.level] += one.outcomes[definition.id].count
        return {level: counts[level] for level in LEVELS}


def run(
    scans: Scans,
    definitions: Sequence[Definition],
    suites: Sequence[str],
    lines: Mapping[str, Callable[[], Connection]],
    *,
    announce: Callable[[InstanceScan], None] = lambda _done: None,
) -> FleetScan:
    """Scan the instances of ``lines``; each entry makes the read-only connection to its instance."""
    number = scans.open_run(suites)
    done: dict[str, InstanceScan] = {}
    for name, line in lines.items():
        done[name] = scan_instance(name, line, definitions)
        scans.add(number, name, _kept(done[name], definitions))
        announce(done[name])
    fleet = FleetScan(run=number, suites=tuple(suites), definitions=tuple(definitions), instances=done)
    scans.close_run(number, {"levels": fleet.levels(), "instances": fleet.document()["instances"]})
    return fleet


def scan_instance(
    name: str, make: Callable[[], Connection], definitions: Sequence[Definition]
) -> InstanceScan:
    """Every definition on one instance. Nothing is raised for an instance that does not answer."""
    started, outcomes, user, before = time.perf_counter(), {}, "", 0
    problem: LinkspanError | None = None
    line: Connection | None = None
    try:
        line = make()
        before = line.requests_made
        user = str(line.whoami().get("user_name", ""))
        evaluator = Evaluator(line, definitions)
        for definition in definitions:
            outcomes[definition.id] = evaluator.evaluate(definition)
    except LinkspanError as error:
        problem = error
        unasked = Outcome(verdict="unknown", reason=error.cause)
        outcomes = {one.id: outcomes.get(one.id, unasked) for one in definitions}
    return InstanceScan(
        instance=name,
        outcomes=outcomes,
        user=user,
        requests=line.requests_made - before if line is not None else 0,
        seconds=time.perf_counter() - started,
        problem=problem,
    )


def _kept(done: InstanceScan, definitions: Sequence[Definition]) -> Iterator[NewFinding]:
    for definition in definitions:
        for finding in done.outcomes[definition.id].findings:
            yield NewFinding(
                definition=definition.id,
                level=definition.level,
                category=definition.category,
                table=finding.table,
                # A property that is not set has no record; its name tells it from others.
                sys_id=finding.sys_id or finding.display,
                display=finding.display,
                detail=finding.detail,
            )
