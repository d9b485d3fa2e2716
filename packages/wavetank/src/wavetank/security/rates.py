"""Inbound rate limits: the rules of sys_rate_limit_rules, and those of the setting `rate_rules`.

ServiceNow docs: "Inbound REST API rate limiting", "Create an inbound REST API rate limit". A rule for one
user goes before those for a role, those before the ones for all; of several the lowest limit counts. A node
commits what it has counted every 30 seconds, and only what is committed is compared with the limit.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wavetank.clock import text_of
from wavetank.errors import PlatformError
from wavetank.security.policies import Target, fits

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change
    from wavetank.clock import Clock
    from wavetank.database.store import Row
    from wavetank.instance import Instance
    from wavetank.security.who import Session

HOUR, DAY = 3600, 86_400
RULES, COUNTS, VIOLATIONS = "sys_rate_limit_rules", "sys_rate_limit_count", "sys_rate_limit_violations"
# The path of an API below /api, and the name it goes by in a rule and in the refusal.
NAMES = {
    "now/table": "Table",
    "now/stats": "Aggregate",
    "now/import": "Import Set",
    "now/attachment": "Attachment",
    "now/batch": "Batch",
}
_KEPT_DAYS = 14  # of violations; counts go daily


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit: on which requests, for whom, how many in how many seconds. Empty text means any.

    `lag` is the time, in seconds, between two commits of a count.
    """

    sys_id: str
    limit: int
    seconds: int = HOUR
    lag: int = 0
    api: str = ""
    version: str = ""
    method: str = ""
    resource: str = ""
    tables: frozenset[str] = frozenset()
    glob: str = ""
    user: str = ""
    role: str = ""
    record: bool = False

    @property
    def rank(self) -> tuple[int, int]:
        """The smallest decides."""
        return (0 if self.user else 1 if self.role else 2, self.limit)

    def covers(self, target: Target, path: str) -> bool:
        if self.api and not f"{target.path}/".startswith(f"{self.api}/"):
            return False
        if self.version not in ("", "latest", target.version):
            return False
        if self.method and self.method != target.method:
            return False
        if self.resource and not fits(self.resource, target.path):
            return False
        if self.glob and not fnmatch.fnmatchcase(path, self.glob):
            return False
        return not self.tables or target.table in self.tables

    def is_for(self, session: Session) -> bool:
        if self.user:
            return self.user in (session.sys_id, session.user_name)
        return not self.role or self.role in session.roles


@dataclass(slots=True)
class _Count:
    """What one node has counted for a rule and a user in one window, and what of it is committed."""

    window: int
    seen: int = 0
    committed: int = 0
    due: float = 0.0


class Rates:
    """Counts requests per rule, user and window; the windows follow the instance's clock."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._clock: Clock = instance.clock
        self._counts: dict[tuple[str, str], _Count] = {}
        self._rules: tuple[tuple[int, int], tuple[Rule, ...]] = ((-1, -1), ())

    def take(self, session: Session, method: str, path: str, table: str) -> dict[str, str]:
        """Counts one request. The rule that goes first decides.

        Answers the headers a limited request carries; raises PlatformError 429 above the limit.
        """
        rules = (*_set(self._instance.settings.get("rate_rules")), *self._recorded())
        if not rules:
            return {}
        target = Target.of(method, path, table)
        matching = [rule for rule in rules if rule.covers(target, path) and rule.is_for(session)]
        return self._count(min(matching, key=lambda rule: rule.rank), session, path) if matching else {}

    def refusal(self, seconds: int, path: str, limit: int = 100, rule: str = "") -> PlatformError:
        """The 429 itself: asks the caller to come back after so many seconds."""
        api = "/".join(Target.of("", path, "").path.split("/")[:2])
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Reset": str(int(self._clock.seconds()) + seconds),
            "X-RateLimit-Rule": rule or "0" * 32,
            "Retry-After": str(seconds),
        }
        detail = f"Rate limit of {limit} requests per hour for {NAMES.get(api, 'REST')} API exceeded"
        return PlatformError(429, "Rate limit exceeded", detail, headers)

    def forget(self, rule: str) -> None:
        """Starts a rule's counts of this hour anew."""
        for key in [key for key in self._counts if key[0] == rule]:
            del self._counts[key]

    def clear(self) -> None:
        self._counts.clear()

    def _count(self, rule: Rule, session: Session, path: str) -> dict[str, str]:
        now = int(self._clock.seconds())
        window = now // rule.seconds
        held = self._counts.get((rule.sys_id, session.sys_id))
        if held is None or held.window != window:
            held = self._counts[rule.sys_id, session.sys_id] = _Count(window, due=now + rule.lag)
        if now >= held.due and held.committed != held.seen:
            self._commit(rule, session, held, now)
        reset = (window + 1) * rule.seconds
        if held.committed >= rule.limit:
            self._violated(rule, session, now)
            raise self.refusal(max(1, reset - now), path, rule.limit, rule.sys_id)
        held.seen += 1
        if not rule.lag:
            held.committed = held.seen
        return {
            "X-RateLimit-Limit": str(rule.limit),
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Rule": rule.sys_id,
        }

    def _commit(self, rule: Rule, session: Session, held: _Count, now: int) -> None:
        held.committed, held.due = held.seen, now + rule.lag
        if not rule.record:
            return
        database = self._instance.database
        start = text_of(held.window * rule.seconds)
        who = {"rate_limit_rule": rule.sys_id, "user": session.sys_id}
        row = database.first(COUNTS, count_start=start, **who)
        shown = {"request_count": str(held.committed)}
        if row is not None:
            database.update(COUNTS, row["sys_id"], shown)
            return
        self._tidy(now)
        database.insert(COUNTS, {**who, "count_start": start, **shown})

    def _violated(self, rule: Rule, session: Session, now: int) -> None:
        """One row an hour says that a user went beyond a rule."""
        if not rule.record:
            return
        database = self._instance.database
        who = {"rate_limit_rule": rule.sys_id, "user": session.sys_id}
        since = text_of(now // HOUR * HOUR)
        if not any(row["sys_created_on"] >= since for row in database.find(VIOLATIONS, **who)):
            database.insert(VIOLATIONS, who)

    def _tidy(self, now: int) -> None:
        """Counts are cleared daily, violations every two weeks."""
        database = self._instance.database
        for table, days, stamp in ((COUNTS, 1, "count_start"), (VIOLATIONS, _KEPT_DAYS, "sys_created_on")):
            before = text_of((now // DAY - days + 1) * DAY)
            for row in database.find(table):
                if row[stamp] < before:
                    database.delete(table, row["sys_id"])

    def _recorded(self) -> tuple[Rule, ...]:
        lag = int(self._instance.settings.get("rate_commit_seconds"))
        key = (self._instance.database.revision(RULES, "sys_user_role"), lag)
        if self._rules[0] != key:
            database = self._instance.database
            made = (self._rule(row, lag) for row in database.find(RULES, active="true"))
            self._rules = (key, tuple(rule for rule in made if rule is not None))
        return self._rules[1]

    def _rule(self, row: Row, lag: int) -> Rule | None:
        if not row["request_limit"].isdecimal():
            return None
        role = self._instance.database.get("sys_user_role", row["role"])
        if (row["type"] == "User" and not row["user"]) or (row["type"] == "Role" and role is None):
            return None
        method, _, resource = row["resource"].rpartition(" ")
        tables = filter(None, (row["table"], row["import_set_table"]))
        return Rule(
            sys_id=row["sys_id"],
            limit=int(row["request_limit"]),
            lag=lag,
            api=_path(row["rest_api"]),
            version=row["version"],
            method=method.upper(),
            resource=_path(resource),
            tables=frozenset(tables),
            user=row["user"] if row["type"] == "User" else "",
            role=role["name"] if role and row["type"] == "Role" else "",
            record=True,
        )


def describe(change: Change) -> None:
    """The resource a rule shows follows from its other fields."""
    row = change.row
    method, _, resource = row["resource"].rpartition(" ")
    shown = f"/{_path(resource) or _path(row['rest_api'])}"
    if row["version"] and row["version"] != "latest":
        app, _, rest = shown[1:].partition("/")
        shown = f"/{app}/{row['version']}/{rest}"
    table = row["table"] or row["import_set_table"]
    row["rest_api_resource"] = f"{method} {shown}".strip().replace("{tableName}", table or "{tableName}")


def start_anew(change: Change) -> None:
    """Another limit sets the counts of this hour to 0 and deletes its violations."""
    if change.operation == "update" and not change.changes("request_limit"):
        return
    sys_id = change.before("sys_id") or change.row["sys_id"]
    change.instance.rates.forget(sys_id)
    hour = f"{change.now[:13]}:00:00"
    database = change.instance.database
    for row in database.find(COUNTS, rate_limit_rule=sys_id, count_start=hour):
        database.update(COUNTS, row["sys_id"], {"request_count": "0"})
    for row in database.find(VIOLATIONS, rate_limit_rule=sys_id):
        if row["sys_created_on"] >= hour:
            database.delete(VIOLATIONS, row["sys_id"])


def _set(rules: Iterable[dict[str, object]]) -> Iterable[Rule]:
    """The rules of the setting: counted and committed at once."""
    for index, rule in enumerate(rules):
        yield Rule(
            sys_id=str(rule.get("sys_id", f"{index + 1:032x}")),
            limit=int(str(rule.get("limit", 0))),
            seconds=int(str(rule.get("seconds", HOUR))),
            tables=frozenset({str(rule["table"])}) if "table" in rule else frozenset(),
            glob=str(rule.get("path", "")),
            user=str(rule.get("user", "")),
        )


def _path(api: str) -> str:
    """The path of an API that a rule names, by its name ("Table API") or its path ("/now/table")."""
    by_name = {name: path for path, name in NAMES.items()}
    return by_name.get(api.removesuffix(" API").strip(), api.strip("/"))
