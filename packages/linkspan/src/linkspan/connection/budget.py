"""How many requests a minute linkspan allows itself on one instance, whoever asks inside the process."""

from __future__ import annotations

import threading

from pyrate_limiter import GCRA, Limiter, Rate, SingleBucketFactory, StateBucket

from linkspan.core.errors import RateLimited

LONGEST_WAIT = 60.0
_MINUTE_MS = 60_000

_limiters: dict[tuple[str, int], Limiter] = {}
_guard = threading.Lock()


class Budget:
    """A steady rate with a tenth of a minute's requests as the burst; 0 a minute means no limit."""

    def __init__(self, instance_url: str, requests_per_minute: int) -> None:
        self._url = instance_url
        self._per_minute = requests_per_minute
        self._limiter = _shared(instance_url, requests_per_minute) if requests_per_minute > 0 else None

    def take(self, *, timeout: float = LONGEST_WAIT) -> None:
        """Wait for the right to send one request. Raises RateLimited after ``timeout`` seconds."""
        if self._limiter is None:
            return
        try:
            granted = self._limiter.try_acquire(self._url, timeout=timeout)
        except TimeoutError:
            granted = False
        if not granted:
            raise RateLimited(
                f"the budget of {self._per_minute} requests a minute is spent",
                where=self._url,
                retry_after=60.0 / self._per_minute,
                fix="raise requests_per_minute of the instance in linkspan.yaml",
            )


def _shared(url: str, per_minute: int) -> Limiter:
    with _guard:
        key = (url, per_minute)
        if key not in _limiters:
            rate = Rate(per_minute, _MINUTE_MS, burst=max(1, per_minute // 10))
            bucket = StateBucket([rate], algorithm=GCRA())
            # State of constant size needs no thread that forgets old entries.
            _limiters[key] = Limiter(SingleBucketFactory(bucket, schedule_leak=False), buffer_ms=1)
        return _limiters[key]
