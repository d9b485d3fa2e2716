"""Inbound rate limits (ServiceNow docs: inbound REST API rate limiting)."""

import fnmatch
from collections.abc import Mapping
from typing import Any

from wavetank.clock import Clock
from wavetank.errors import PlatformError
from wavetank.settings import Settings

HOUR = 3600
NAMES = {"table": "Table", "stats": "Aggregate", "import": "Import Set", "attachment": "Attachment"}


class Rates:
    """Counts requests per rule, user and window; the windows follow the instance's clock."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._counts: dict[tuple[int, str], tuple[int, int]] = {}

    def take(self, user: str, path: str, table: str) -> dict[str, str]:
        """Counts one request. The first matching rule decides.

        Answers the headers a limited request carries; raises PlatformError 429 above the limit.
        """
        for index, rule in enumerate(self._settings.get("rate_rules")):
            if _applies(rule, user, path, table):
                return self._count(index, rule, user, path)
        return {}

    def refusal(self, seconds: int, path: str, limit: int = 100, rule: str = "") -> PlatformError:
        """The 429 itself: asks the caller to come back after so many seconds."""
        api = path.removeprefix("/api/now/").split("/")
        name = NAMES.get(api[1] if api[0].startswith("v") and len(api) > 1 else api[0], "REST")
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Reset": str(int(self._clock.seconds()) + seconds),
            "X-RateLimit-Rule": rule or "0" * 32,
            "Retry-After": str(seconds),
        }
        detail = f"Rate limit of {limit} requests per hour for {name} API exceeded"
        return PlatformError(429, "Rate limit exceeded", detail, headers)

    def clear(self) -> None:
        self._counts.clear()

    def _count(self, index: int, rule: Mapping[str, Any], user: str, path: str) -> dict[str, str]:
        window = int(rule.get("seconds", HOUR))
        now = int(self._clock.seconds())
        number = now // window
        last, used = self._counts.get((index, user), (number, 0))
        used = used if last == number else 0
        limit = int(rule.get("limit", 0))
        reset = (number + 1) * window
        name = str(rule.get("sys_id", f"{index + 1:032x}"))
        if used >= limit:
            raise self.refusal(max(1, reset - now), path, limit, name)
        self._counts[index, user] = (number, used + 1)
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Rule": name,
        }


def _applies(rule: Mapping[str, Any], user: str, path: str, table: str) -> bool:
    return (
        rule.get("user", user) == user
        and rule.get("table", table) == table
        and fnmatch.fnmatchcase(path, rule.get("path", "*"))
    )
