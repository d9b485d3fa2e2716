"""Inbound rate limits as records of the instance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

RULES, COUNTS, VIOLATIONS = "sys_rate_limit_rules", "sys_rate_limit_count", "sys_rate_limit_violations"


@pytest.fixture
def clock(instance: Any) -> Any:
    instance.clock.freeze(datetime(2026, 3, 1, 10, 0, tzinfo=UTC))
    return instance.clock


def rule(admin: Any, limit: int, **more: str) -> Any:
    values = {"name": f"at most {limit}", "request_limit": str(limit), "rest_api": "Table API"}
    return admin.create(RULES, {**values, **more})


def asked(api: Any, path: str = "incident", **more: Any) -> Any:
    return api.call("GET", path, params={"sysparm_limit": "1"}, **more)


def statuses(api: Any, many: int, path: str = "incident") -> list[int]:
    return [asked(api, path).status_code for _ in range(many)]


@pytest.mark.claim("rate-limit-records")
def test_a_rule_refuses_what_is_beyond_it(admin: Any, instance: Any, clock: Any) -> None:
    instance.settings.update({"rate_commit_seconds": 0})
    made = rule(admin, 3, table="incident")
    agent = admin.user("agent", "itil")
    answers = [asked(agent) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    for answer in answers:
        assert answer.headers["x-ratelimit-limit"] == "3"
        assert answer.headers["x-ratelimit-rule"] == made["sys_id"]
        assert answer.headers["x-ratelimit-reset"] == str(int(clock.seconds()) + 3600)
        assert "x-ratelimit-remaining" not in answer.headers
    assert answers[3].headers["retry-after"] == "3600"
    assert answers[3].json()["error"]["detail"] == "Rate limit of 3 requests per hour for Table API exceeded"
    assert asked(agent, "problem").status_code == 200
    assert "x-ratelimit-limit" not in asked(agent, "problem").headers
    clock.advance(3600)
    assert asked(agent).status_code == 200


@pytest.mark.claim("rate-limit-lag")
def test_a_count_is_committed_every_half_minute(admin: Any, instance: Any, clock: Any) -> None:
    made = rule(admin, 2)
    agent = admin.user("agent", "itil")
    assert statuses(agent, 6) == [200] * 6
    assert admin.get(COUNTS, sysparm_query=f"user.user_name=agent^rate_limit_rule={made['sys_id']}") == []
    clock.advance(30)
    assert statuses(agent, 2) == [429, 429]
    [row] = instance.database.select(COUNTS, "user.user_name=agent")
    assert (row["request_count"], row["count_start"]) == ("6", "2026-03-01 10:00:00")
    [violation] = instance.database.select(VIOLATIONS, "user.user_name=agent")
    assert violation["rate_limit_rule"] == made["sys_id"]


@pytest.mark.claim("rate-limit-precedence")
def test_one_user_goes_before_a_role_and_a_role_before_all(admin: Any, instance: Any, clock: Any) -> None:
    instance.settings.update({"rate_commit_seconds": 0})
    one, two, three = (admin.user(name, "itil", "import_admin") for name in ("one", "two", "three"))
    joe = admin.user("joe")
    database = instance.database
    roles = {name: database.first("sys_user_role", name=name)["sys_id"] for name in ("itil", "import_admin")}
    sys_ids = {name: database.first("sys_user", user_name=name)["sys_id"] for name in ("one", "two")}
    rule(admin, 3, type="Role", role=roles["itil"])
    rule(admin, 2, type="Role", role=roles["import_admin"])
    rule(admin, 5, type="User", user=sys_ids["one"])
    rule(admin, 1)
    assert statuses(one, 6) == [200] * 5 + [429]
    assert statuses(two, 3) == [200, 200, 429]
    assert statuses(three, 3) == [200, 200, 429]
    assert statuses(joe, 2) == [200, 429]


@pytest.mark.claim("rate-limit-records")
def test_what_a_rule_is_about(admin: Any, instance: Any, clock: Any) -> None:
    instance.settings.update({"rate_commit_seconds": 0})
    agent = admin.user("agent", "itil")
    made = rule(admin, 1, resource="GET /now/table/{tableName}/{sys_id}", version="v2", table="incident")
    assert made["rest_api_resource"] == "GET /now/v2/table/incident/{sys_id}"
    sys_id = agent.get("incident", sysparm_limit="1")[0]["sys_id"]
    assert statuses(agent, 2, f"incident/{sys_id}") == [200, 200]
    assert statuses(agent, 2, "/api/now/v2/table/incident") == [200, 200]
    assert statuses(agent, 2, f"/api/now/v2/table/incident/{sys_id}") == [200, 429]
    admin.change(RULES, made["sys_id"], {"active": "false"})
    assert statuses(agent, 2, f"/api/now/v2/table/incident/{sys_id}") == [200, 200]


@pytest.mark.claim("rate-limit-reset")
def test_another_limit_starts_the_hour_anew(admin: Any, instance: Any, clock: Any) -> None:
    instance.settings.update({"rate_commit_seconds": 0})
    agent = admin.user("agent", "itil")
    made = rule(admin, 1)
    assert statuses(agent, 2) == [200, 429]
    # A rule for one user goes first: it lets the administrator through.
    instance.settings.update({"rate_rules": [{"user": "admin", "limit": 100}]})
    admin.change(RULES, made["sys_id"], {"request_limit": "2"})
    assert instance.database.select(VIOLATIONS, "user.user_name=agent") == []
    assert statuses(agent, 3) == [200, 200, 429]


@pytest.mark.claim("rate-limit-reset")
def test_counts_go_daily_and_violations_after_two_weeks(admin: Any, instance: Any, clock: Any) -> None:
    agent = admin.user("agent", "itil")
    rule(admin, 1, table="problem")
    for _ in range(2):
        statuses(agent, 2, "problem")
        clock.advance(30)
    statuses(agent, 1, "problem")
    assert instance.database.count(COUNTS) == 1
    assert instance.database.count(VIOLATIONS) == 1
    clock.advance(86_400)
    statuses(agent, 1, "problem")
    clock.advance(30)
    statuses(agent, 1, "problem")
    assert instance.database.count(COUNTS) == 1
    clock.advance(15 * 86_400)
    statuses(agent, 1, "problem")
    clock.advance(30)
    statuses(agent, 1, "problem")
    assert instance.database.count(VIOLATIONS) <= 1


@pytest.mark.claim("rate-limit-records")
def test_who_may_write_rules(admin: Any) -> None:
    assert admin.user("agent", "itil").refused("POST", RULES, json={"name": "mine"})[0] == 403
    made = admin.user("keeper", "rate_limit_admin").create(RULES, {"name": "ours", "request_limit": "9"})
    assert made["type"] == "All"
