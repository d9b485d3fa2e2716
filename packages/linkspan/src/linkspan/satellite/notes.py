"""What the parts of a satellite know of themselves, in one place: for the heartbeat and for people."""

from __future__ import annotations

import threading
from typing import Any

import structlog

from linkspan.core.errors import LinkspanError
from linkspan.ingest.values import State
from linkspan.satellite.spool import Stream

log = structlog.get_logger("linkspan.satellite")


class Notes:
    """Thread-safe. A trouble stands under a name until that part works again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._troubles: dict[str, LinkspanError] = {}
        self._streams: dict[Stream, dict[str, Any]] = {}

    def failed(self, part: str, error: LinkspanError) -> None:
        """This part does not work; it is said once."""
        with self._lock:
            before, self._troubles[part] = self._troubles.get(part), error
        if before is None or (before.code, before.cause) != (error.code, error.cause):
            log.warning("trouble", part=part, **error.problem())

    def works(self, part: str) -> None:
        """This part works."""
        with self._lock:
            before = self._troubles.pop(part, None)
        if before is not None:
            log.info("works again", part=part)

    def trouble(self, part: str) -> LinkspanError | None:
        """What is wrong with a part."""
        with self._lock:
            return self._troubles.get(part)

    def problems(self) -> list[LinkspanError]:
        """Everything that does not work."""
        with self._lock:
            return [self._troubles[part] for part in sorted(self._troubles)]

    def read(self, stream: Stream, state: State) -> None:
        """A stream was read up to here."""
        self._note(stream, number=state.number, finished=state.finished, compared=state.compared)

    def compared(self, stream: Stream, *, counted: int, hidden: int, verified: bool) -> None:
        """A stream was compared with what the hub stores."""
        self._note(stream, counted=counted, hidden=hidden, verified=verified)

    def streams(self) -> list[dict[str, Any]]:
        """Each stream with what is known of it: {instance, table, number, finished, …}."""
        with self._lock:
            return [
                {"instance": instance, "table": table, **note}
                for (instance, table), note in sorted(self._streams.items())
            ]

    def _note(self, stream: Stream, **values: Any) -> None:
        with self._lock:
            self._streams[stream] = {**self._streams.get(stream, {}), **values}
