"""The threads of the hub that keep syncs running: pollers, wakes, and the sweeper behind them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from linkspan.core import clock
from linkspan.core.errors import LinkspanError, NotAuthenticated, RateLimited
from linkspan.engine import Wakes
from linkspan.store import Database, inbox, watermarks
from linkspan.sync.binding import Binding, follow_ups_of
from linkspan.sync.intake import InstanceIntake, PeerIntake
from linkspan.sync.settle import Settler

SWEEP_SECONDS = 1.0
RETENTION_SECONDS = 60.0
LONGEST_BACKOFF = 30.0
REFUSED_FIRST_SECONDS = 30.0
REFUSED_SECONDS = 15 * 60.0

log = structlog.get_logger("linkspan.sync")


@dataclass(frozen=True, kw_only=True)
class Sync:
    """A sync that is to run. ``bind`` signs in and may fail; it is tried until it succeeds.

    What it binds are its lines: incidents first, then what belongs to them.
    """

    name: str
    poll_seconds: float
    bind: Callable[[], Sequence[Binding]]


class Runner:
    """Runs syncs until stopped. One per process and home."""

    def __init__(self, home: Path, database: Database, syncs: Sequence[Sync]) -> None:
        self._database = database
        self._syncs = tuple(syncs)
        self._settlers: dict[str, Settler] = {}
        self._wakes = Wakes(home, self._drain)
        self._stopping = threading.Event()
        self._nudges = {
            name: threading.Event() for sync in syncs for name in (sync.name, follow_ups_of(sync.name))
        }
        self._looked = {sync.name: threading.Event() for sync in syncs}
        self._threads: list[threading.Thread] = []

    def start(self, *, wait: float = 5) -> None:
        """Begin: engine first, so that what an earlier process left is taken up.

        Returns when every sync has polled its instance once or failed to, after ``wait`` seconds at
        most: what is opened on an instance from then on is news, not history.
        """
        until = time.monotonic() + wait
        self._wakes.start()
        self._spawn("sweeper", self._sweep)
        for sync in self._syncs:
            self._spawn(sync.name, self._open, sync)
        for looked in self._looked.values():
            looked.wait(max(until - time.monotonic(), 0))

    def nudge(self, line: str) -> None:
        """The far side has news for this line: look now instead of at the next poll."""
        self._nudges[line].set()

    def nudge_all(self) -> None:
        """Every far side may have news."""
        for event in self._nudges.values():
            event.set()

    def stop(self, *, timeout: float = 8) -> None:
        """Stop polling, let running drains end (bounded), close the engine."""
        until = time.monotonic() + timeout
        self._stopping.set()
        self.nudge_all()
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.1))
        self._wakes.stop(timeout=max(until - time.monotonic(), 1))

    # --- threads

    def _spawn(self, name: str, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _open(self, sync: Sync) -> None:
        """Sign in, then poll both sides of each line, each on a thread of its own."""
        bound: list[Binding] = []
        opening = _Round(self._database, sync.name, "instance", every=sync.poll_seconds)
        while not bound and not self._stopping.is_set():
            wait = opening.run(lambda: bound.extend(sync.bind()))
            if not bound:
                self._looked[sync.name].set()
                self._stopping.wait(wait)
        if self._stopping.is_set():
            return
        unlooked = {binding.name for binding in bound}

        def looked(name: str) -> None:
            unlooked.discard(name)
            if not unlooked:
                self._looked[sync.name].set()

        for binding in bound:
            self._settlers[binding.name] = Settler(binding)
            nudge = self._nudges[binding.name]
            self._spawn(f"{binding.name}-peer", self._poll, binding, "peer", PeerIntake(binding).poll, nudge)
        incidents, *others = bound
        for binding in others:
            self._spawn(binding.name, self._poll_instance, binding, looked)
        self._poll_instance(incidents, looked)

    def _poll_instance(self, binding: Binding, looked: Callable[[str], None]) -> None:
        intake = InstanceIntake(binding)
        self._poll(binding, "instance", intake.poll, self._stopping, lambda: looked(binding.name))

    def _poll(
        self,
        binding: Binding,
        side: str,
        poll: Callable[[], list[int]],
        nudge: threading.Event,
        done: Callable[[], object] = lambda: None,
    ) -> None:
        every = binding.poll_seconds if side == "instance" else binding.peer_poll_seconds
        polling = _Round(self._database, binding.name, side, every=every)

        def once() -> None:
            for link_id in dict.fromkeys(poll()):
                self._wake(binding.name, link_id)

        while not self._stopping.is_set():
            if nudge is not self._stopping:
                nudge.clear()
            wait = polling.run(once)
            done()
            nudge.wait(wait)

    def _sweep(self) -> None:
        """Wake what a lost wake left behind: enqueueing is not part of the inbox's transaction."""
        forgotten = time.monotonic()
        while not self._stopping.wait(SWEEP_SECONDS):
            try:
                for name in tuple(self._settlers):
                    with self._database.read() as connection:
                        waiting = inbox.waiting_links(connection, name)
                    for link_id in waiting:
                        self._wake(name, link_id)
                if time.monotonic() - forgotten > RETENTION_SECONDS:
                    forgotten = time.monotonic()
                    self._wakes.forget_finished()
            except Exception:
                log.exception("sweep failed")

    def _wake(self, sync: str, link_id: int) -> None:
        self._wakes.wake(f"{sync}/{link_id}")

    def _drain(self, key: str) -> None:
        sync, _, link_id = key.rpartition("/")
        settler = self._settlers.get(sync)
        if settler is None:
            return  # not signed in yet, or taken out of linkspan.yaml: its events wait for the sweeper
        settler.drain(int(link_id))


class _Round:
    """One repeated piece of work of a thread: how long to wait after it, what to say when it fails."""

    def __init__(self, database: Database, sync: str, side: str, *, every: float) -> None:
        self._database = database
        self._sync = sync
        self._side = side
        self._every = every
        self._failures = 0
        self._cleared = False  # an earlier process may have died in trouble

    def run(self, work: Callable[[], object]) -> float:
        """Do it once; the seconds to wait before the next time."""
        try:
            work()
        except NotAuthenticated as error:
            log.warning("refused", sync=self._sync, side=self._side, cause=error.cause, fix=error.fix)
            self._tell(error.problem())
            self._failures += 1
            # Each try is a failed login, and a handful of those locks the account.
            return REFUSED_FIRST_SECONDS if self._failures == 1 else REFUSED_SECONDS
        except LinkspanError as error:
            log.warning("trouble", sync=self._sync, side=self._side, cause=error.cause, fix=error.fix)
            self._tell(error.problem())
            return max(self._backoff(), error.retry_after if isinstance(error, RateLimited) else 0)
        except Exception as error:
            # A poller must not die in silence: the rest of the hub goes on, and the page says so.
            log.exception("bug", sync=self._sync, side=self._side)
            fix = "report it with the log"
            self._tell({"code": "bug", "where": self._sync, "cause": repr(error), "fix": fix})
            return self._backoff()
        self._failures = 0
        if not self._cleared:
            self._cleared = self._tell(None)
        return self._every

    def _backoff(self) -> float:
        self._failures = min(self._failures + 1, 20)
        return min(max(self._every, 0.5) * 2.0**self._failures, LONGEST_BACKOFF)

    def _tell(self, problem: dict[str, str] | None) -> bool:
        """Keep the trouble, None when it is over; False when the store itself is the trouble."""
        self._cleared = False
        name = f"sync:{self._sync}:{self._side}:trouble"
        try:
            with self._database.begin() as connection:
                watermarks.save(connection, name, {"problem": problem, "at": clock.now()})
        except sa.exc.SQLAlchemyError:
            log.exception("the store does not answer", sync=self._sync, side=self._side)
            return False
        return True
