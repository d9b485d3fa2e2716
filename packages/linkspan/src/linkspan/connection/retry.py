"""Safe requests are repeated a little; writes never."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import stamina
import stamina.instrumentation

from linkspan.core.errors import LinkspanError, RateLimited

ATTEMPTS = 3
# A longer Retry-After is handed to the caller, who can put the work aside.
LONGEST_WAIT = 60.0

_log = logging.getLogger(__name__)
# Repeating these brings the same answer.
_FINAL_CODES = frozenset(
    {"tls", "dns", "hibernating", "html", "redirected", "too_large", "transaction_cancelled"}
)

T = TypeVar("T")


def _log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    _log.warning("retry %d in %.1f s: %s", details.retry_num, details.wait_for, details.caused_by)


# The default hooks print to standard output, which belongs to --json.
stamina.instrumentation.set_on_retry_hooks([_log_retry])


class Pause:
    """The moment until which an instance asked for patience; shared by all threads of a connection."""

    def __init__(self) -> None:
        self._until = 0.0
        self._guard = threading.Lock()

    def ask(self, seconds: float) -> None:
        """Hold further requests back for this long."""
        with self._guard:
            self._until = max(self._until, time.monotonic() + seconds)

    def wait(self, where: str) -> None:
        """Sleep until the pause is over. Raises RateLimited when that is longer than a minute away."""
        left = self._until - time.monotonic()
        if left <= 0:
            return
        if left > LONGEST_WAIT:
            raise RateLimited("the instance asked for patience", retry_after=left, where=where)
        time.sleep(left)


def repeat(send: Callable[[], T]) -> T:
    """``send()``, again up to three times in all while its error is worth repeating."""
    for attempt in stamina.retry_context(
        on=_worth_repeating,
        attempts=ATTEMPTS,
        timeout=LONGEST_WAIT * 2,
        wait_initial=0.2,
        wait_max=2.0,
        wait_jitter=0.3,
    ):
        with attempt:
            return send()
    raise AssertionError("unreachable: the last attempt raises")


def _worth_repeating(error: Exception) -> bool | float:
    if not isinstance(error, LinkspanError) or not error.retryable or error.code in _FINAL_CODES:
        return False
    if isinstance(error, RateLimited):
        return error.retry_after if error.retry_after <= LONGEST_WAIT else False
    return True
