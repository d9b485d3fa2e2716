"""A refused credential is not tried again and again: the platform locks accounts for that.

Lockout comes after ``glide.user.max_unlock_attempts`` failures (5 when unset) and, with automatic
unlock, ends after 15 minutes (ServiceNow docs: Lockout for failed logins).
"""

from __future__ import annotations

import threading
import time

from linkspan.core.errors import NotAuthenticated

FIRST_SECONDS = 30.0
NEXT_SECONDS = 15 * 60.0


class Hold:
    """Keeps requests back after a 401. When its time is over one request goes ahead as a probe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refusals = 0
        self._until = 0.0
        self._last: NotAuthenticated | None = None

    def check(self) -> None:
        """Pass, or raise the refusal again without sending anything."""
        with self._lock:
            if self._last is None:
                return
            now = time.monotonic()
            if now >= self._until:
                self._until = now + FIRST_SECONDS  # this one probes, the others wait for its answer
                return
            raise NotAuthenticated(
                f"{self._last.cause} (not asked again for {self._until - now:.0f} s, so that the account "
                "is not locked)",
                fix=self._last.fix,
                where=self._last.where,
                code=self._last.code,
            )

    def refused(self, error: NotAuthenticated) -> None:
        """The credential was refused."""
        with self._lock:
            self._refusals += 1
            self._last = error
            wait = FIRST_SECONDS if self._refusals == 1 else NEXT_SECONDS
            self._until = time.monotonic() + wait

    def accepted(self) -> None:
        """The credential works."""
        if self._last is not None:
            with self._lock:
                self._refusals, self._last = 0, None
