"""The threads of the hub that keep syncs running: pollers, wakes, and the sweeper behind them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog

from linkspan.core import clock
from linkspan.core.errors import LinkspanError, RateLimited
from linkspan.engine import Wakes
from linkspan.store import Database, inbox, watermarks
from linkspan.sync.binding import Binding
from linkspan.sync.intake import InstanceIntake, PeerIntake
from linkspan.sync.settle import Settler

PEER_POLL_SECONDS = 1.0
SWEEP_SECONDS = 1.0
RETENTION_SECONDS = 60.0
LONGEST_BACKOFF = 30.0

log = structlog.get_logger("linkspan.sync")


class Runner:
    """Runs syncs until stopped. One per process and home."""

    def __init__(self, home: Path, database: Database, bindings: Sequence[Binding]) -> None:
        self._database = database
        self._bindings = {binding.name: binding for binding in bindings}
        self._settlers = {binding.name: Settler(binding) for binding in bindings}
        self._wakes = Wakes(home, self._drain)
        self._stopping = threading.Event()
        self._nudges = {binding.name: threading.Event() for binding in bindings}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin: engine first, so that what an earlier process left is taken up."""
        self._wakes.start()
        self._spawn("sweeper", self._sweep)
        for binding in self._bindings.values():
            instance = InstanceIntake(binding)
            peer = PeerIntake(binding)
            never = threading.Event()
            nudge = self._nudges[binding.name]
            self._spawn(f"{binding.name}-instance", self._poll, binding, "instance", instance.poll, never)
            self._spawn(f"{binding.name}-peer", self._poll, binding, "peer", peer.poll, nudge)

    def nudge(self, sync: str) -> None:
        """The far side has news: look now instead of at the next poll."""
        self._nudges[sync].set()

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

    def _poll(
        self, binding: Binding, side: str, poll: Callable[[], list[int]], nudge: threading.Event
    ) -> None:
        every = binding.poll_seconds if side == "instance" else PEER_POLL_SECONDS
        failures = 0
        while not self._stopping.is_set():
            nudge.clear()
            wait = every
            try:
                touched = poll()
                if failures:
                    self._trouble(binding, side, None)
                failures = 0
                for link_id in dict.fromkeys(touched):
                    self._wake(binding, link_id)
            except LinkspanError as error:
                failures += 1
                wait = min(every * 2**failures, LONGEST_BACKOFF)
                if isinstance(error, RateLimited):
                    wait = max(wait, error.retry_after)
                self._trouble(binding, side, error)
            except Exception:
                # A poller must not die in silence: the rest of the hub goes on, and the page says so.
                failures += 1
                wait = min(every * 2**failures, LONGEST_BACKOFF)
                log.exception("poll failed", sync=binding.name, side=side)
            if side == "instance":
                self._stopping.wait(wait)
            else:
                nudge.wait(wait)

    def _sweep(self) -> None:
        """Wake what a lost wake left behind: enqueueing is not part of the inbox's transaction."""
        forgotten = time.monotonic()
        while not self._stopping.wait(SWEEP_SECONDS):
            try:
                for binding in self._bindings.values():
                    with self._database.read() as connection:
                        waiting = inbox.waiting_links(connection, binding.name)
                    for link_id in waiting:
                        self._wake(binding, link_id)
                if time.monotonic() - forgotten > RETENTION_SECONDS:
                    forgotten = time.monotonic()
                    self._wakes.forget_finished()
            except Exception:
                log.exception("sweep failed")

    def _wake(self, binding: Binding, link_id: int) -> None:
        self._wakes.wake(f"{binding.name}/{link_id}")

    def _drain(self, key: str) -> None:
        sync, _, link_id = key.rpartition("/")
        settler = self._settlers.get(sync)
        if settler is None:
            return  # the sync was taken out of linkspan.yaml; its events wait until it is back
        settler.drain(int(link_id))

    def _trouble(self, binding: Binding, side: str, error: LinkspanError | None) -> None:
        problem = error.problem() if error else None
        if error:
            log.warning("poll failed", sync=binding.name, side=side, cause=error.cause, fix=error.fix)
        with self._database.begin() as connection:
            watermarks.save(
                connection, f"sync:{binding.name}:{side}:trouble", {"problem": problem, "at": clock.now()}
            )
