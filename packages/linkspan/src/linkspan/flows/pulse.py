"""Tells the pages of a hub that something has changed, at most twice a second however much happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

INTERVAL_SECONDS = 0.5
QUIET_SECONDS = 10.0


class Pulse:
    """One look at the hub serves every open page. Lives on one event loop.

    ``stamp`` is called on a worker thread. While nobody listens nothing runs.
    """

    def __init__(self, stamp: Callable[[], object], *, interval: float = INTERVAL_SECONDS) -> None:
        self._stamp = stamp
        self._interval = interval
        self._listeners = 0
        self._beats = 0
        self._changed = asyncio.Condition()
        self._watcher: asyncio.Task[None] | None = None
        self._stopping = False

    async def beats(self) -> AsyncIterator[int]:
        """A number whenever there is something new to show: at once, on each change, and every 10 s.

        Ends when the hub stops.
        """
        self._listeners += 1
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        try:
            seen = self._beats
            while not self._stopping:
                yield seen
                seen = await self._next(seen)
        finally:
            self._listeners -= 1

    async def stop(self) -> None:
        """End every iteration."""
        self._stopping = True
        async with self._changed:
            self._changed.notify_all()

    async def _next(self, seen: int) -> int:
        async with self._changed:
            try:
                await asyncio.wait_for(
                    self._changed.wait_for(lambda: self._stopping or self._beats != seen), QUIET_SECONDS
                )
            except TimeoutError:
                return seen
            return self._beats

    async def _watch(self) -> None:
        last: object = None
        while self._listeners and not self._stopping:
            stamp = await asyncio.to_thread(self._stamp)
            if stamp != last:
                last = stamp
                async with self._changed:
                    self._beats += 1
                    self._changed.notify_all()
            await asyncio.sleep(self._interval)
