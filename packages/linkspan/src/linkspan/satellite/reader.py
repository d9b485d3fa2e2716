"""From one instance into the spool: read-only, and what is excluded is not asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from linkspan.config.satellite import IntegrationConfig, SatelliteConfig
from linkspan.connection import Basic, Connection, connect
from linkspan.core.errors import ConfigError, LinkspanError
from linkspan.core.secret import Secret
from linkspan.feed import bounded
from linkspan.ingest import verify
from linkspan.ingest.exclude import Exclusion
from linkspan.ingest.extract import extract, records, shape
from linkspan.ingest.run import is_too_many
from linkspan.ingest.values import Batch, Gone, Shape
from linkspan.satellite.courier import Courier
from linkspan.satellite.notes import Notes
from linkspan.satellite.spool import Spool, Stream, Superseded

COMPARE_SECONDS = 3600.0
MOST_COMPARED = 500_000
KEYS_PER_PART = 20_000
DRAIN_SECONDS = 30.0
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 900.0
STANDING_BY_SECONDS = 0.5
COUNTS = 3


class Reader:
    """One integration. Not thread-safe; it is one thread's."""

    def __init__(
        self,
        config: SatelliteConfig,
        integration: IntegrationConfig,
        spool: Spool,
        courier: Courier,
        notes: Notes,
        *,
        hash_key: bytes,
    ) -> None:
        self._config = config
        self._integration = integration
        self._spool = spool
        self._courier = courier
        self._notes = notes
        self._exclusions = {
            table: Exclusion(
                exclude=frozenset(one.exclude),
                hash=frozenset(one.hash),
                key=hash_key if one.hash else b"",
            )
            for table, one in integration.streams.items()
        }
        self._line: tuple[Secret, Connection] | None = None
        self._compared: dict[Stream, float] = {}

    @property
    def streams(self) -> list[Stream]:
        """What is read, by instance name and table."""
        return [(self._integration.name, table) for table in self._integration.streams]

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``: read what is new, and compare what is due."""
        failures = 0
        while not stop.is_set():
            if not self._courier.may_read:
                stop.wait(STANDING_BY_SECONDS)
                continue
            good = self.read(stop.is_set)
            if good and self._drained(stop):
                good = self.compare(stop.is_set, every=COMPARE_SECONDS)
            failures = 0 if good else failures + 1
            poll = self._config.poll_seconds
            pause = poll if good else max(poll, min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 10)))
            stop.wait(pause)

    def read(self, give_up: Callable[[], bool]) -> bool:
        """One pass over every stream; False when something went wrong, which is noted."""
        good = [self._noted(stream, self._read, give_up) for stream in self.streams if not give_up()]
        return all(good)

    def compare(self, give_up: Callable[[], bool], *, every: float = 0.0) -> bool:
        """Compare every stream that is due; what is missing is put into the spool. False as ``read``."""
        due = [one for one in self.streams if self._is_due(one, every)]
        good = [self._noted(stream, self._compare, give_up) for stream in due if not give_up()]
        return all(good)

    def close(self) -> None:
        """Close the line."""
        if self._line is not None:
            self._line[1].close()

    def _noted(
        self, stream: Stream, work: Callable[[Stream, Callable[[], bool]], None], give_up: Callable[[], bool]
    ) -> bool:
        part = "/".join(stream)
        try:
            work(stream, give_up)
        except Superseded:
            return True  # the next pass reads from where the hub is
        except LinkspanError as error:
            self._notes.failed(part, error)
            return False
        self._notes.works(part)
        return True

    def _read(self, stream: Stream, give_up: Callable[[], bool]) -> None:
        turn, line, exclusion = self._spool.turn, self._connection(), self._exclusions[stream[1]]
        form = shape(line, stream[1], exclusion)
        state = self._spool.state(stream)
        if state.fingerprint and state.fingerprint != form.fingerprint:
            raise ConfigError(
                f"{stream[1]} was read from another address until now",
                where=self._integration.where,
                code="base_changed",
                fix="give the integration another id, or write the old url again",
            )
        for batch in folded(extract(line, form, exclusion, state)):
            self._spool.put(batch, turn, give_up=give_up)
            self._notes.read(stream, batch.state)
            if give_up():
                return

    def _compare(self, stream: Stream, give_up: Callable[[], bool]) -> None:
        """As the ingestion on the hub does it, the two sides of the comparison on two machines."""
        turn, line, exclusion = self._spool.turn, self._connection(), self._exclusions[stream[1]]
        form = shape(line, stream[1], exclusion)
        counted = bounded.count(line, form.table, form.query)
        if counted > MOST_COMPARED:
            return
        keys, counted = _keys(line, form, counted)
        found = self._differences(stream, keys, counted)
        state = self._spool.state(stream)
        wanted = [*found["missing"], *found["stale"]]
        for batch in records(line, form, exclusion, state, wanted):
            self._spool.put(batch, turn, give_up=give_up)
        gone, kept = self._gone(line, form, found)
        if gone:
            self._spool.put(Batch(shape=form, state=state, deleted=gone), turn, give_up=give_up)
        hidden = max(0, counted - len(keys))
        state = replace(state, compared=state.finished, hidden=hidden, number=state.number + 1)
        self._spool.put(Batch(shape=form, state=state), turn, give_up=give_up)
        self._notes.read(stream, state)
        self._notes.compared(stream, counted=counted, hidden=hidden, verified=not found["gaps"])
        if kept:
            raise LinkspanError(
                f"{kept} records are stored and not visible any more: the instance still counts them, or "
                "they are so many that it looks like lost rights",
                where="/".join(stream),
                fix="check the account's roles; nothing was marked as deleted",
                code="visibility_changed",
            )
        if not found["gaps"]:
            self._compared[stream] = time.monotonic()

    def _gone(self, line: Connection, form: Shape, found: dict[str, Any]) -> tuple[tuple[Gone, ...], int]:
        """Those of the vanished that were deleted, and how many are only hidden or too many to believe."""
        vanished = found["vanished"]
        # The hub names so many that fit into its answer, and counts them all.
        counted = sum(gap["count"] for gap in found["gaps"] if gap["kind"] == "vanished")
        lost = max(counted, len(vanished))
        if not vanished or is_too_many(lost, found["stored"]):
            return (), lost
        stands = bounded.standing(line, form.table, vanished, condition=form.query)
        at = bounded.server_time(line, form.table)
        still = stands.visible | stands.hidden
        return tuple(Gone(sys_id=one, at=at) for one in vanished if one not in still), len(stands.hidden)

    def _differences(self, stream: Stream, keys: list[tuple[str, str, str]], counted: int) -> dict[str, Any]:
        found: dict[str, Any] = {"missing": [], "stale": [], "vanished": [], "gaps": [], "stored": 0}
        for low, high, part in _parts(keys):
            census = {"instance": stream[0], "table": stream[1], "counted": counted, "keys": part}
            answer = self._courier.compare({**census, "low": low, "high": high})
            found["missing"] += answer.missing
            found["stale"] += answer.stale
            found["vanished"] += answer.vanished
            found["gaps"] += answer.gaps
            found["stored"] += answer.stored
        return found

    def _is_due(self, stream: Stream, every: float) -> bool:
        last = self._compared.get(stream)
        return every == 0.0 or last is None or time.monotonic() - last >= every

    def _drained(self, stop: threading.Event) -> bool:
        """Whether the hub has everything of these streams, after some patience."""
        if not any(self._is_due(one, COMPARE_SECONDS) for one in self.streams):
            return True
        deadline = time.monotonic() + DRAIN_SECONDS
        while any(self._spool.waits(one) for one in self.streams):
            if time.monotonic() > deadline or stop.wait(0.2):
                return False
        return True

    def _connection(self) -> Connection:
        """The line as the account; a new one when its password was exchanged."""
        password = self._integration.password.resolve(self._config.base)
        if self._line is not None and self._line[0] != password:
            self._line[1].close()
            self._line = None
        if self._line is None:
            instance = self._config.instance(self._integration)
            line = connect(instance, Basic(self._integration.username, password), read_only=True)
            bounded.require_utc_literals(line, "sys_user")
            self._line = (password, line)
        return self._line[1]


def folded(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same with fewer batches: one without records only moves on the state of the one before.

    What was read before something goes wrong is handed on before that is raised.
    """
    held: Batch | None = None
    try:
        for batch in batches:
            if held is None:
                held = batch
            elif batch.rows or batch.deleted or batch.quarantined or batch.restart:
                yield held
                held = batch
            else:
                held = replace(held, state=batch.state)
    except LinkspanError:
        if held is not None:
            yield held
        raise
    if held is not None:
        yield held


def _keys(line: Connection, form: Shape, counted: int) -> tuple[list[tuple[str, str, str]], int]:
    """The newest key of every visible row, by sys_id, and the count that goes with them."""
    for _ in range(COUNTS):
        newest: dict[str, tuple[str, str, str]] = {}
        for page in verify.keys(line, form):
            for row in page:
                key = (row["sys_id"], row.get("sys_updated_on", ""), row.get("sys_mod_count", ""))
                newest[key[0]] = max(key, newest.get(key[0], key))
        after = bounded.count(line, form.table, form.query)
        if after == counted:
            break
        counted = after
    return [newest[sys_id] for sys_id in sorted(newest)], counted


def _parts(
    keys: list[tuple[str, str, str]],
) -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
    """The keys in parts, each with the sys_ids from which and before which it is everything."""
    starts = range(0, len(keys), KEYS_PER_PART) if keys else range(1)
    for start in starts:
        end = start + KEYS_PER_PART
        low = keys[start][0] if start else ""
        high = keys[end][0] if end < len(keys) else ""
        yield low, high, keys[start:end]
