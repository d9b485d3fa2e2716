"""What was asked of an instance: a bounded log of every request outside `/-/`."""

from collections import deque
from itertools import islice
from typing import Any

CAPACITY = 200_000
FIELDS = ("n", "at", "method", "path", "query", "user", "scheme", "status", "bytes", "ms")


class RequestLog:
    """The last 200,000 requests, numbered from 1. A status of 0 means the connection was dropped."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._rows: deque[tuple[Any, ...]] = deque(maxlen=capacity)
        self._n = 0

    def add(
        self,
        *,
        at: str,
        method: str,
        path: str,
        query: str,
        user: str,
        scheme: str,
        status: int,
        size: int,
        ms: float,
    ) -> None:
        self._n += 1
        self._rows.append((self._n, at, method, path, query, user, scheme, status, size, round(ms, 3)))

    def since(self, n: int = 0) -> list[dict[str, Any]]:
        """Requests numbered above n, oldest first."""
        if not self._rows:
            return []
        skip = max(0, n + 1 - self._rows[0][0])
        rows = list(self._rows)[skip:]
        return [dict(zip(FIELDS, row, strict=True)) for row in rows]

    def last(self, many: int) -> list[dict[str, Any]]:
        """The newest requests, newest first."""
        newest = islice(reversed(self._rows), many)
        return [dict(zip(FIELDS, row, strict=True)) for row in newest]

    def clear(self) -> None:
        """Forgets the requests; the numbering goes on, so a reader's `since` stays true."""
        self._rows.clear()
