"""When the n-th edit of a stream is due, and a way to end all streams together."""

from __future__ import annotations

import threading
import time


class Pace:
    """``per_second`` edits a second from ``begin`` on; safe to use from several threads.

    Once a stream has failed, ``due`` says no to everybody.
    """

    def __init__(self, per_second: float) -> None:
        self._gap = 1.0 / per_second
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._failures: list[BaseException] = []

    def begin(self) -> None:
        """The edit at place 0 is due now."""
        self._began = time.monotonic()

    def due(self, place: int) -> bool:
        """Wait until the edit at ``place`` is due; False when the streams shall end instead."""
        left = self._began + place * self._gap - time.monotonic()
        return not (self._ended.wait(left) if left > 0 else self._ended.is_set())

    def end(self) -> None:
        """Let every stream end before its next edit."""
        self._ended.set()

    def fail(self, error: BaseException) -> None:
        """Remember the failure and end all streams."""
        self._failures.append(error)
        self.end()

    def raise_failure(self) -> None:
        """Raise the first failure of a stream, if there was one."""
        if self._failures:
            raise self._failures[0]
