"""One performance: both streams at once, the wait for quiet, and the verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linkspan.core.errors import Unreachable
from linkspan.demo.cast import Cast, gather
from linkspan.demo.compare import Expected, Verdict, compare, fetch
from linkspan.demo.line import Line
from linkspan.demo.log import LogEvent
from linkspan.demo.marks import Marks, Observer, percentile
from linkspan.demo.pace import Pace
from linkspan.demo.stage import NAMES, SYNCED, USER_NAME, Stage
from linkspan.demo.streams import DeskPeople, Editors
from linkspan.demo.translate import Edit, Skip, translate

FATES = ("applied", "coalesced", "echo", "filtered", "parked", "dead", "pending")
HUB_PATIENCE = 60.0
START_SECONDS = 60.0
LOOK_EVERY = 0.25
SYNC = "desk"


@dataclass(frozen=True)
class Script:
    """The events to replay and what each becomes."""

    events: Sequence[LogEvent]
    steps: Sequence[Edit | Skip]

    @classmethod
    def of(cls, events: Sequence[LogEvent]) -> Script:
        """The script of a log."""
        return cls(events, translate(events))

    @property
    def edits(self) -> list[tuple[int, Edit]]:
        """Edits with their place in the log."""
        return [(place, step) for place, step in enumerate(self.steps) if isinstance(step, Edit)]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a performance came to. Lags in seconds, None when no note made the trip."""

    events: int
    edits: int
    skipped: int
    ledger: Mapping[str, int]
    verdict: Verdict
    lag_p50: float | None
    lag_p95: float | None
    requests: int

    @property
    def balanced(self) -> bool:
        """Every event received has one fate, and none is left."""
        left = self.ledger["pending"]
        return not left and self.ledger["received"] == sum(self.ledger[fate] for fate in FATES)

    @property
    def good(self) -> bool:
        """Nothing differs, nothing is doubled, the ledger adds up."""
        return self.balanced and not self.verdict.differences and not self.verdict.duplicates


class Performance:
    """``start``, ``wait``, ``settle``, ``outcome``, in this order; the hub may die in between."""

    def __init__(
        self, stage: Stage, script: Script, cast: Cast, *, per_second: float, desk_edits: int, seed: int = 1
    ) -> None:
        self._stage, self._script, self._desk_edits = stage, script, desk_edits
        self._marks = Marks()
        self._pace = Pace(per_second)
        self._admin, self._hub = stage.instance(SYNCED), stage.hub(patience=HUB_PATIENCE)
        self._editors = Editors(stage.instance(SYNCED), cast, self._marks, self._pace, seed=seed)
        self._people = DeskPeople(self._hub, self._marks, self._pace, seed=seed)
        self._observer = Observer(self._marks, instance=stage.instance(SYNCED), hub=stage.hub())
        self._threads: list[threading.Thread] = []
        self._requests_before: dict[str, int] = {}

    @classmethod
    def prepare(cls, stage: Stage, script: Script, **wishes: Any) -> Performance:
        """Let the admin create everybody the script names, then be ready to start."""
        cast = gather(stage.instance(SYNCED), script.events, [edit for _, edit in script.edits])
        return cls(stage, script, cast, **wishes)

    def start(self) -> None:
        """Begin both streams, once the sync has looked at both sides: what was there before is no news."""
        self._until_quiet(START_SECONDS)
        self._requests_before = {name: _last_request(self._stage.instance(name)) for name in NAMES}
        self._observer.start()
        self._pace.begin()
        self._threads = [*self._editors.threads(self._script.edits), self._people.thread(self._desk_edits)]
        for thread in self._threads:
            thread.start()

    @property
    def running(self) -> bool:
        """Whether a stream still makes edits."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def made(self) -> int:
        """Edits made so far, both sides."""
        return self._editors.tally.edits + self._people.tally.edits

    def wait(self, seconds: float) -> bool:
        """Wait for the streams to end, at most so long; whether they have. Raises what a stream raised."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._pace.raise_failure()
        return not self.running

    def settle(self, seconds: float) -> Mapping[str, Any]:
        """Wait until the sync is quiet; its status then. Raises Unreachable when it takes longer."""
        status = self._until_quiet(seconds)
        self._observer.stop()
        return status

    def status(self) -> Mapping[str, Any]:
        """What the hub says about the sync."""
        found: Mapping[str, Any] = self._hub.get("/api/sync/status")["syncs"][SYNC]
        return found

    def stop(self) -> None:
        """End the streams before their next edit."""
        self._pace.end()
        for thread in self._threads:
            thread.join(HUB_PATIENCE)

    def outcome(self, status: Mapping[str, Any]) -> Outcome:
        """Compare both sides and add everything up."""
        requests = self._requests()  # first: comparing asks the instance too, though as the admin
        editors, people = self._editors.tally, self._people.tally
        expected = Expected(records=editors.created, incidents=people.created, marks=self._marks.records)
        edits = editors.edits + people.edits
        return Outcome(
            events=len(self._script.steps),
            edits=edits,
            skipped=len(self._script.steps) + self._desk_edits - edits,
            ledger={name: status["ledger"][name] for name in ("received", *FATES)},
            verdict=compare(fetch(self._admin, self._hub), expected),
            lag_p50=percentile(self._marks.lags, 0.50),
            lag_p95=percentile(self._marks.lags, 0.95),
            requests=requests,
        )

    def _until_quiet(self, seconds: float) -> Mapping[str, Any]:
        deadline = time.monotonic() + seconds
        while not (status := self.status())["quiet"]:
            if time.monotonic() > deadline:
                raise Unreachable(f"the sync is not quiet after {seconds:.0f} s: {status}", where="demo")
            time.sleep(LOOK_EVERY)
        return status

    def _requests(self) -> int:
        return sum(self._requests_to(name) for name in NAMES)

    def _requests_to(self, name: str) -> int:
        seen = _requests_since(self._stage.instance(name), self._requests_before[name])
        return sum(request["user"] == USER_NAME for request in seen)


def _last_request(instance: Line) -> int:
    seen = _requests_since(instance, 0)
    return int(seen[-1]["n"]) if seen else 0


def _requests_since(instance: Line, since: int) -> list[Mapping[str, Any]]:
    reply = instance.get("/-/requests", since=since)
    rows: list[Mapping[str, Any]] = reply["result"] if isinstance(reply, dict) else reply
    return rows
