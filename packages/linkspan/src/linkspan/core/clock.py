"""One clock for the whole program, so that tests can move it.

ServiceNow stores times as UTC text with second precision (``2026-03-01 09:30:00``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

PLATFORM_FORMAT = "%Y-%m-%d %H:%M:%S"

_now: Callable[[], float] = time.time


def set_clock(now: Callable[[], float] | None) -> None:
    """Follow another clock (seconds since the epoch); ``None`` goes back to the machine's own."""
    global _now  # noqa: PLW0603 - the one clock is the point
    _now = now or time.time


def now() -> float:
    """Seconds since the epoch, UTC."""
    return _now()


def platform_time(seconds: float) -> str:
    """Epoch seconds as the platform's UTC text, fraction dropped."""
    return datetime.fromtimestamp(seconds, UTC).strftime(PLATFORM_FORMAT)


def parse_platform_time(text: str) -> float:
    """The platform's UTC text as epoch seconds. Raises ValueError for any other form."""
    return datetime.strptime(text, PLATFORM_FORMAT).replace(tzinfo=UTC).timestamp()


def iso_time(seconds: float) -> str:
    """Epoch seconds as ISO 8601 UTC with milliseconds, for people and JSON."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
