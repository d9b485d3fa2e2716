"""The vendors' setup guides, played to their end on the stage while the sync runs.

A guide is one file: it does what the guide's reader would do, with linkspan's own commands, then looks
at the instances and says what it found as checks. A guide holds when all its checks do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from linkspan.core.errors import LinkspanError
from linkspan.demo.guides import harness_sei, incident_io, rad_security, scan_engine, service_accounts
from linkspan.demo.guides.checked import Checked
from linkspan.demo.stage import Stage

GUIDES: Mapping[str, Callable[[Stage], list[Checked]]] = {
    "scan_engine": scan_engine.play,
    "service_accounts": service_accounts.play,
    "incident_io": incident_io.play,
    "rad_security": rad_security.play,
    "harness_sei": harness_sei.play,
}
# Behind a busy stream of edits their own take a while; they give no commands, so they disturb none.
WAITING = ("incident_io",)


@dataclass(frozen=True, kw_only=True)
class Played:
    """One guide that was played."""

    name: str
    checks: Sequence[Checked]

    @property
    def holds(self) -> bool:
        """Whether it was played to its end and all it promises is there."""
        return bool(self.checks) and all(check.ok for check in self.checks)


def play(stage: Stage, say: Callable[[str], None]) -> list[Played]:
    """Play every guide, in their order; one that waits for the sync beside the others."""
    with ThreadPoolExecutor(len(WAITING), thread_name_prefix="guide") as crew:
        beside = {name: crew.submit(_play, name, stage, say) for name in WAITING}
        played = {name: _play(name, stage, say) for name in GUIDES if name not in WAITING}
        played |= {name: one.result() for name, one in beside.items()}
    return [played[name] for name in GUIDES]


def _play(name: str, stage: Stage, say: Callable[[str], None]) -> Played:
    """One guide. That it breaks off is a check that does not hold, and stops no other."""
    try:
        checks = GUIDES[name](stage)
    except LinkspanError as error:
        checks = [Checked(check="played to its end", ok=False, seen=str(error))]
    for check in checks:
        if not check.ok:
            say(f"guide {name}: {check.check}: {check.seen}")
    say(f"guide {name}: {sum(check.ok for check in checks)} of {len(checks)} checks hold")
    return Played(name=name, checks=tuple(checks))


def document(played: Sequence[Played]) -> dict[str, Any]:
    """``{NAME: holds, …, "checks": {NAME: [{check, ok, seen}]}}``."""
    checks = {one.name: [check.document() for check in one.checks] for one in played}
    return {**{one.name: one.holds for one in played}, "checks": checks}
