"""From the spool to the hub: oldest first, one at a time, at a bounded rate, until the hub says it has it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from linkspan import __version__
from linkspan.connection.uplink import Uplink
from linkspan.core import clock
from linkspan.core.errors import BadReply, LinkspanError, RateLimited, Stale
from linkspan.ingest.values import State
from linkspan.satellite.notes import Notes
from linkspan.satellite.spool import Spool, SpoolBroken, Stream

BEAT_SECONDS = 15.0
IDLE_SECONDS = 0.5
PACE_SECONDS = 0.1  # at most ten batches a second, however many wait
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
FAILING_AFTER = 3
MOST_SKEW = 30.0
LONGEST_TEXT = 500
MOST_TROUBLES = 50
PART = "uplink"
_BEGIN_ANEW = frozenset({"era", "gap", "damaged"})

T = TypeVar("T")


class _Standing(msgspec.Struct, kw_only=True):
    instance: str
    table: str
    state: State


class _Answer(msgspec.Struct, kw_only=True):
    held: bool
    era: str
    seconds: float
    clock: float
    states: list[_Standing] | None = None


class Differences(msgspec.Struct, kw_only=True):
    """What the hub finds wrong with a part of a stream."""

    missing: list[str]
    stale: list[str]
    vanished: list[str]
    stored: int
    gaps: list[dict[str, Any]]


class Courier:
    """The one who talks to the hub. ``beat``, ``push`` and ``compare`` may be called by any thread."""

    def __init__(
        self,
        line: Uplink,
        spool: Spool,
        notes: Notes,
        *,
        tenant: str,
        fingerprint: str,
        streams: Sequence[Stream],
    ) -> None:
        self._line = line
        self._spool = spool
        self._notes = notes
        self._path = f"/satellites/{tenant}"
        self._fingerprint = fingerprint
        self._streams = tuple(streams)
        self._standing_by = False
        self._failures = 0
        self._beaten = -BEAT_SECONDS

    @property
    def may_read(self) -> bool:
        """Whether the instances are this satellite's to read: the hub said so and nobody else since.

        A hub that cannot be reached does not change it; what is read meanwhile waits in the spool.
        """
        return bool(self._spool.era) and not self._standing_by

    @property
    def failing(self) -> bool:
        """Whether several attempts in a row did not get through."""
        return self._failures >= FAILING_AFTER

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``: heartbeats, and whatever waits."""
        while not stop.wait(self._step()):
            pass

    def beat(self, *, leaving: bool = False) -> None:
        """Show ourselves, and hear whose turn it is. Raises what the line raises, SpoolBroken."""
        answer = self._post("/heartbeat", msgspec.json.encode(self._said(leaving=leaving)), _Answer)
        self._beaten = time.monotonic()
        if leaving:
            return
        self._standing_by = not answer.held
        if answer.held and answer.era != self._spool.era:
            states = {(one.instance, one.table): one.state for one in answer.states or ()}
            self._spool.begin(answer.era, states)
        self._tell_skew(clock.now() - answer.clock)
        if self._standing_by:
            raise Stale(
                "another satellite reads for this tenant; this one stands by",
                where="hub",
                fix="nothing, or stop one of the two",
                code="lease",
            )

    def push(self) -> bool:
        """Bring the oldest batch to the hub; False when nothing waits. Raises what the line raises."""
        parcel = self._spool.oldest()
        if parcel is None or not self.may_read:
            return False
        body = self._spool.read(parcel)
        headers = {"Idempotency-Key": parcel.id, **self._holding()}
        answer = self._line.post(f"{self._path}/batches", body, headers)
        if not isinstance(answer, dict) or answer.get("id") != parcel.id:
            raise BadReply("the hub acknowledged something else", where="hub", fix="check satellite.url")
        self._spool.remove(parcel)
        return True

    def compare(self, census: dict[str, Any]) -> Differences:
        """Have the hub compare keys with what it stores. Raises what the line raises."""
        return self._post("/census", msgspec.json.encode(census), Differences)

    def _step(self) -> float:
        """One turn; seconds until the next."""
        try:
            if time.monotonic() - self._beaten >= BEAT_SECONDS or not self._spool.era:
                self.beat()
            moved = self.push()
        except LinkspanError as error:
            return self._pause(error)
        self._failures = 0
        self._notes.works(PART)
        return PACE_SECONDS if moved else IDLE_SECONDS

    def _pause(self, error: LinkspanError) -> float:
        self._notes.failed(PART, error)
        if error.code in _BEGIN_ANEW:
            try:
                self._spool.distrust()
            except SpoolBroken as broken:
                self._notes.failed(PART, broken)
                return LONGEST_PAUSE
            self._failures = 0
            return FIRST_PAUSE
        if isinstance(error, Stale) and error.code == "lease":
            self._standing_by = True
            self._beaten = -BEAT_SECONDS
            return BEAT_SECONDS
        self._failures += 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 10))
        if isinstance(error, RateLimited):
            pause = max(pause, error.retry_after)
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - so that many satellites do not come at once

    def _tell_skew(self, seconds: float) -> None:
        if abs(seconds) <= MOST_SKEW:
            self._notes.works("clock")
            return
        word = "ahead of" if seconds > 0 else "behind"
        self._notes.failed(
            "clock",
            LinkspanError(
                f"this machine's clock is {abs(seconds):.0f} s {word} the hub's",
                fix="synchronise both clocks; what is read does not depend on them",
                code="clock_skew",
            ),
        )

    def _said(self, *, leaving: bool) -> dict[str, Any]:
        noted = {(one["instance"], one["table"]): one for one in self._notes.streams()}
        streams = [noted.get(one, {"instance": one[0], "table": one[1]}) for one in self._streams]
        return {
            "holder": self._spool.holder,
            "era": self._spool.era,
            "version": __version__,
            "fingerprint": self._fingerprint,
            "clock": clock.now(),
            "spool_bytes": self._spool.size,
            "spool_batches": self._spool.count,
            "streams": streams,
            "trouble": [
                {name: text[:LONGEST_TEXT] for name, text in one.problem().items()}
                for one in self._notes.problems()[:MOST_TROUBLES]
            ],
            "leaving": leaving,
        }

    def _post(self, path: str, body: bytes, kind: type[T]) -> T:
        answer = self._line.post(self._path + path, body, self._holding())
        try:
            return msgspec.convert(answer, kind)
        except msgspec.ValidationError as error:
            raise BadReply(
                f"the hub's answer is not understood: {error}",
                where="hub",
                fix="run the same release of linkspan on both sides",
            ) from error

    def _holding(self) -> dict[str, str]:
        return {"Linkspan-Holder": self._spool.holder, "Linkspan-Era": self._spool.era}
