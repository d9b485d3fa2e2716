"""The story in order: fleet, account, preflight, hub, streams, quiet, verdict."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linkspan.core.errors import LinkspanError, Unreachable
from linkspan.demo import guides
from linkspan.demo.cast import gather
from linkspan.demo.invent import invent
from linkspan.demo.log import LogEvent, read
from linkspan.demo.performance import Outcome, Performance, Script
from linkspan.demo.stage import NAMES, SYNCED, Stage

SETTLE_SECONDS = 180.0
STREAM_SECONDS = 1800.0
NEWS_EVERY = 5.0
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What to show. ``replay`` None means an invented log; ``home`` None a directory that is removed."""

    events: int = 300
    replay: Path | None = None
    port: int = 0
    per_second: float = 35.0
    seed: int = 1
    home: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The whole run: ``passed`` and ``failed`` count preflight checks."""

    accounts: int
    passed: int
    failed: int
    outcome: Outcome
    guides: Sequence[guides.Played]
    seconds: float

    @property
    def good(self) -> bool:
        """Whether everything is as it should be."""
        return not self.failed and self.outcome.good and all(guide.holds for guide in self.guides)

    def document(self) -> dict[str, Any]:
        """The published shape of ``linkspan demo --once --json``."""
        outcome = self.outcome
        return {
            "instances": len(NAMES),
            "accounts": self.accounts,
            "preflight": {"passed": self.passed, "failed": self.failed},
            "sync": {
                "events": outcome.events,
                "edits": outcome.edits,
                "skipped": outcome.skipped,
                "links": outcome.verdict.links,
                "ledger": dict(outcome.ledger),
                "differences": len(outcome.verdict.differences),
                "duplicates": len(outcome.verdict.duplicates),
                "lag_p50_s": _rounded(outcome.lag_p50),
                "lag_p95_s": _rounded(outcome.lag_p95),
                "requests": outcome.requests,
            },
            "guides": guides.document(self.guides),
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True)
class Ready:
    """A stage where everything runs and is proven."""

    stage: Stage
    accounts: int
    passed: int
    failed: int
    performance: Performance


def once(wishes: Wishes, say: Say) -> Summary:
    """The whole story once. Raises LinkspanError when it cannot be told to its end."""
    began = time.monotonic()
    with _ready(wishes, say) as ready:
        performance = ready.performance
        performance.start()
        played = _play_guides(ready.stage, say)
        _watch(performance, say)
        say("both streams have ended")
        shown = played.result()  # guides make incidents too: both sides are compared when all is done
        say("waiting for quiet")
        status = performance.settle(SETTLE_SECONDS)
        say("quiet; comparing both sides")
        outcome = performance.outcome(status)
    return Summary(
        accounts=ready.accounts,
        passed=ready.passed,
        failed=ready.failed,
        outcome=outcome,
        guides=shown,
        seconds=time.monotonic() - began,
    )


def live(wishes: Wishes, say: Say, opened: Callable[[Stage], None]) -> None:
    """Everything running, with a gentle stream, until KeyboardInterrupt. ``opened`` tells what to open."""
    with _ready(wishes, say) as ready:
        opened(ready.stage)
        ready.performance.start()
        _play_guides(ready.stage, say).add_done_callback(lambda _: _list_accounts(ready.stage, say))
        try:
            while not ready.performance.wait(NEWS_EVERY):
                pass
            say("the stream of edits has ended; the rest is yours")
            while True:
                time.sleep(NEWS_EVERY)
        finally:
            ready.performance.stop()


def _play_guides(stage: Stage, say: Say) -> Future[list[guides.Played]]:
    """Play the guides beside the streams."""
    crew = ThreadPoolExecutor(1, thread_name_prefix="guides")
    played = crew.submit(guides.play, stage, say)
    crew.shutdown(wait=False)
    return played


def _list_accounts(stage: Stage, say: Say) -> None:
    """Read the accounts once more: guides that came after the one that lists them made some."""
    try:
        stage.linkspan("accounts", "list")
    except LinkspanError as error:
        say(f"the accounts could not be read once more: {error}")
    say("the guides have ended; the pages of the hub show what they made")


@contextmanager
def _ready(wishes: Wishes, say: Say) -> Iterator[Ready]:
    script = Script.of(_events(wishes, say))
    with _home(wishes) as home, Stage(home, port=wishes.port) as stage:
        say("starting three instances")
        stage.start_fleet()
        with ThreadPoolExecutor(1) as crew:
            say("creating the people, groups, places and choices of the log on prod; meanwhile")
            cast = crew.submit(
                gather, stage.instance(SYNCED), script.events, [one for _, one in script.edits]
            )
            say("applying the account on each instance, and planning again")
            accounts = stage.provision()
            say("running preflight with sample records")
            outcomes = _outcomes(stage.preflight(), say)
            say("starting the hub")
            stage.start_hub()
        performance = Performance(
            stage,
            script,
            cast.result(),
            per_second=wishes.per_second,
            desk_edits=wishes.events,
            seed=wishes.seed,
        )
        say(f"{len(script.edits)} edits on prod and {wishes.events} on the desk")
        yield Ready(stage, accounts, outcomes.count("pass"), outcomes.count("fail"), performance)


def _outcomes(checks: Sequence[Mapping[str, Any]], say: Say) -> list[str]:
    """The outcome of each check; a failed one is told with its causes."""
    for check in checks:
        if check["outcome"] == "fail":
            say(f"preflight failed on {check['instance']}: {check['check']}: {check['causes']}")
    return [check["outcome"] for check in checks]


@contextmanager
def _home(wishes: Wishes) -> Iterator[Path]:
    if wishes.home is not None:
        wishes.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield wishes.home.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="linkspan-demo-") as directory:
        yield Path(directory)


def _events(wishes: Wishes, say: Say) -> list[LogEvent]:
    if wishes.replay is None:
        return invent(wishes.events, wishes.seed)
    say(f"reading {wishes.replay}")
    return read(wishes.replay, wishes.events)


def _watch(performance: Performance, say: Say) -> None:
    """Wait for the streams, with a line of news now and then."""
    deadline = time.monotonic() + STREAM_SECONDS
    while not performance.wait(NEWS_EVERY):
        status = performance.status()
        pending = status["ledger"]["pending"]
        say(f"{performance.made} edits made, {status['links']} links, {pending} events waiting")
        if time.monotonic() > deadline:
            raise Unreachable(f"the streams did not end within {STREAM_SECONDS:.0f} s", where="demo")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
