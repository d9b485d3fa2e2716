"""A satellite put together: a courier, a reader for each integration, one spool between them."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from linkspan.config.satellite import SatelliteConfig
from linkspan.connection.uplink import Uplink
from linkspan.core.errors import ConfigError, LinkspanError, Stale
from linkspan.satellite.courier import PART, Courier
from linkspan.satellite.notes import Notes
from linkspan.satellite.reader import Reader
from linkspan.satellite.spool import Spool

MEGABYTE = 1024 * 1024
LEAST_HASH_KEY = 32
STOP_SECONDS = 3.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Done:
    """What one pass came to. ``streams`` by INSTANCE/TABLE."""

    streams: dict[str, dict[str, Any]]
    spool: dict[str, int]
    problems: list[LinkspanError]

    @property
    def verified(self) -> bool:
        """Whether the hub was shown to hold what each instance shows."""
        return all(one.get("verified") is not False for one in self.streams.values())


class Satellite:
    """One satellite.yml at work. It opens no port; use it as a context."""

    def __init__(self, config: SatelliteConfig, home: Path) -> None:
        """Raises ConfigError (another satellite runs on this home), SecretUnavailable, SpoolBroken."""
        self.config = config
        self._lock = _only_one(home)
        self._spool = Spool(home, room=config.spool_megabytes * MEGABYTE)
        self._notes = Notes()
        self._line = Uplink(config.hub(), config.api_key.resolve(config.base))
        streams = [(one.name, table) for one in config.integrations for table in one.streams]
        if not all(map(self._spool.knows, streams)):
            self._spool.distrust()  # a stream was added: how far the hub has it is not known
        self._courier = Courier(
            self._line,
            self._spool,
            self._notes,
            tenant=config.tenant,
            fingerprint=config.fingerprint,
            streams=streams,
        )
        key = _hash_key(config)
        self._readers = [
            Reader(config, one, self._spool, self._courier, self._notes, hash_key=key)
            for one in config.integrations
        ]
        self._stop = threading.Event()
        self._died: list[Exception] = []
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin on threads of its own; returns at once."""
        self._go(self._courier.run)
        for reader in self._readers:
            self._go(reader.run)

    def wait(self, enough: Callable[[], bool]) -> None:
        """Until ``enough`` says so; raises what a part has died of."""
        # Looked at, not told: a signal's handler must not touch a lock that it may have interrupted.
        while not enough() and not self._died:
            time.sleep(LOOK_SECONDS)
        if self._died:
            raise self._died[0]

    def stop(self) -> None:
        """End within ten seconds, whatever hangs: everything that counts is on the disk already."""
        self._stop.set()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads.clear()
        if self._spool.era and self._notes.trouble(PART) is None:
            leaving = threading.Thread(target=self._leave, daemon=True)
            leaving.start()
            leaving.join(STOP_SECONDS)

    def once(self) -> Done:
        """Read everything once, bring it to the hub, compare, and end."""
        self._first_beat()
        courier = self._go(self._courier.run)
        for reader in self._readers:
            reader.read(self._give_up)
        if self._drain():
            for reader in self._readers:
                reader.compare(self._give_up)
            if self._drain() and any(one.get("verified") is False for one in self._notes.streams()):
                for reader in self._readers:  # what was missing has arrived meanwhile
                    reader.compare(self._give_up)
                self._drain()
        if self._died:
            raise self._died[0]
        problems = self._notes.problems()
        if self._spool.count and not problems:
            problems = [_left(self._spool.count)]
        self._stop.set()
        courier.join(STOP_SECONDS)
        return Done(
            streams={f"{one.pop('instance')}/{one.pop('table')}": one for one in self._notes.streams()},
            spool={"batches": self._spool.count, "bytes": self._spool.size},
            problems=problems,
        )

    def close(self) -> None:
        """Stop, and close every line."""
        self.stop()
        for reader in self._readers:
            reader.close()
        self._line.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _first_beat(self) -> None:
        """Who never had the hub's word waits for it; who had it goes on without."""
        try:
            self._courier.beat()
        except Stale:
            raise
        except LinkspanError as error:
            if not self._spool.era:
                raise
            self._notes.failed(PART, error)

    def _give_up(self) -> bool:
        return self._stop.is_set() or (self._spool.full and self._courier.failing)

    def _drain(self) -> bool:
        """Wait until nothing is left to send; False when the hub does not take it."""
        while self._spool.count:
            if self._stop.wait(0.05) or self._courier.failing:
                return False
        return not self._courier.failing

    def _go(self, work: Callable[[threading.Event], None]) -> threading.Thread:
        thread = threading.Thread(target=self._watched, args=(work,), daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _watched(self, work: Callable[[threading.Event], None]) -> None:
        """A satellite of which a part has died does not look alive."""
        try:
            work(self._stop)
        except Exception as error:
            self._died.append(error)
            self._stop.set()

    def _leave(self) -> None:
        try:
            self._courier.beat(leaving=True)
        except LinkspanError as error:
            self._notes.failed(PART, error)


def _only_one(home: Path) -> Any:
    """Hold the home for this process. Raises ConfigError when another has it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (home / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ConfigError(
            "a satellite is already running on this home",
            fix="stop it first, or give this one a home of its own: --home DIR",
            where=str(home),
            code="already_running",
        ) from error
    return file


def _hash_key(config: SatelliteConfig) -> bytes:
    if config.hash_key is None:
        return b""
    text = config.hash_key.resolve(config.base).reveal()
    if len(text) < LEAST_HASH_KEY:
        raise ConfigError(
            f"the hash key has {len(text)} characters",
            where=config.hash_key.where,
            fix=f"use {LEAST_HASH_KEY} or more, as `openssl rand -hex 32` makes them",
        )
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode()


def _left(count: int) -> LinkspanError:
    return LinkspanError(
        f"{count} batches still wait for the hub",
        where="hub",
        fix="run it again; nothing is lost",
        code="undelivered",
    )
