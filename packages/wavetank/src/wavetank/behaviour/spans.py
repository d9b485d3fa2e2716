"""Lengths of time, as the platform keeps them: whole seconds, or a moment that long after 1970 began."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from wavetank.database.expressions import to_local, to_utc

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = int((datetime(9999, 12, 31, tzinfo=UTC) - _ZERO).total_seconds())


def seconds(start: str, end: str) -> int | None:
    """From one stored moment to another, never negative; None when one of them is none."""
    try:
        first, last = to_local(start, "UTC"), to_local(end, "UTC")
    except ValueError:
        return None
    return max(0, int((last - first).total_seconds()))


def duration(length: int) -> str:
    """Seconds as a stored duration; the longest there is for what is longer."""
    return to_utc(_ZERO + timedelta(seconds=min(length, _LONGEST)))


def one_more(count: str) -> str:
    """A stored count, counted on; what is no number counts as none."""
    return str(int(count) + 1 if count.isdecimal() else 1)
