"""What is told of an instance that hides rows, fields or tables. Whole instances are scanned in tests/contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from linkspan.connection import Page
from linkspan.core.errors import NotAuthorized, Unreachable
from linkspan.scan.definitions import Definition, parse
from linkspan.scan.evaluate import Evaluator, Outcome
from linkspan.scan.run import scan_instance

HEAD = "id: it, level: act, category: security, says: It is so., fix: Change it."


def definition(text: str) -> Definition:
    (one,) = parse("mine", f"- {{{HEAD}, {text}}}")
    return one


USERS = definition("kind: records, table: sys_user, query: active=true, display: user_name")
HOLDERS = definition("kind: roles, roles: [admin]")
CROWD = definition("kind: roles, roles: [admin], most: 1")
PROPERTY = definition('kind: property, name: a.b, expect: "true", absent: found')


@dataclass
class Tables:
    """Rows as they are visible, totals as they are counted, whatever is asked."""

    rows: list[dict[str, str]]
    total: int | None
    matching: list[dict[str, str]] | None = None
    problem: Exception | None = None
    requests_made: int = 0
    asked: list[str] = field(default_factory=list)

    @property
    def table(self) -> Tables:
        return self

    def whoami(self) -> dict[str, str]:
        return {"user_name": "svc.scan"}

    def page(self, table: str, *, query: str = "", fields: Sequence[str] = (), limit: int = 1000) -> Page:
        self.asked.append(query)
        if self.problem is not None:
            raise self.problem
        found = self.rows if not query or self.matching is None else self.matching
        return Page(rows=found[:limit], total=self.total)

    def keyset(
        self, table: str, *, query: str, fields: Sequence[str], page_size: int = 1000
    ) -> Iterator[Any]:
        yield self.rows if self.matching is None else self.matching


def evaluate(one: Definition, *args: Any, **kwargs: Any) -> Outcome:
    return Evaluator(Tables(*args, **kwargs), [one]).evaluate(one)


USER = {"sys_id": "1", "active": "true", "user_name": "a"}


def test_what_is_seen_whole_is_found_or_clean():
    found = evaluate(USERS, [USER], 1)
    assert (found.verdict, found.count, found.reason) == ("found", 1, "")
    assert found.findings[0].display == "a"
    assert evaluate(USERS, [USER], 0).verdict == "clean"


def test_rows_that_are_counted_and_not_shown_are_unknown_never_clean():
    none = evaluate(USERS, [USER], 3, matching=[])
    assert (none.verdict, none.reason) == ("unknown", "3 of 3 rows are hidden from this account")
    some = evaluate(USERS, [USER], 3)
    assert (some.verdict, some.count, some.reason) == ("found", 1, "2 of 3 rows are hidden from this account")


def test_an_instance_that_does_not_count_proves_nothing_clean():
    assert evaluate(USERS, [USER], None, matching=[]).verdict == "unknown"


def test_a_table_without_a_visible_row_is_unknown():
    assert "none of 9 rows" in evaluate(USERS, [], 9).reason
    assert "empty or hidden" in evaluate(USERS, [], 0).reason


def test_a_field_nobody_shows_is_unknown_because_its_term_would_be_dropped():
    found = evaluate(USERS, [{"sys_id": "1", "user_name": "a"}], 1)
    assert (found.verdict, "active cannot be read" in found.reason) == ("unknown", True)


def test_a_refused_table_is_unknown_and_a_broken_line_is_not_hidden():
    assert evaluate(USERS, [], 0, problem=NotAuthorized("no")).reason == "no"
    with pytest.raises(Unreachable):
        evaluate(USERS, [], 0, problem=Unreachable("gone"))


def grants(*users: str) -> list[dict[str, str]]:
    return [
        {"sys_id": str(n), "user": name, "user.user_name": name, "role.name": "admin", "state": "active"}
        for n, name in enumerate(users)
    ]


def test_holders_are_one_finding_each_and_a_crowd_is_one():
    rows = grants("a", "b", "a")
    assert [one.display for one in evaluate(HOLDERS, rows, 3).findings] == ["a", "b"]
    (crowd,) = evaluate(CROWD, rows, 3).findings
    assert (crowd.display, crowd.detail) == ("admin", {"holders": 2})
    assert evaluate(CROWD, grants("a", "a"), 2).verdict == "clean"


def test_holders_that_may_be_hidden_leave_a_crowd_unknown():
    assert evaluate(CROWD, grants("a"), 2).verdict == "unknown"


def test_an_absent_property_is_judged_only_when_none_is_hidden():
    other = [{"sys_id": "1", "name": "c.d", "value": "x"}]
    assert evaluate(PROPERTY, other, 0, matching=[]).verdict == "found"
    hidden = evaluate(PROPERTY, other, 1, matching=[])
    assert (hidden.verdict, "not visible" in hidden.reason) == ("unknown", True)


def test_one_look_at_a_table_serves_every_definition():
    tables = Tables([USER], 0)
    evaluator = Evaluator(tables, [USERS, USERS])
    evaluator.evaluate(USERS)
    evaluator.evaluate(USERS)
    assert tables.asked.count("") == 1


def test_an_instance_lost_on_the_way_leaves_the_rest_unknown():
    def line() -> Any:
        return Tables([], 0, problem=Unreachable("gone"))

    done = scan_instance("dev", line, [USERS])
    assert done.problem is not None
    assert (done.outcomes["it"].verdict, done.outcomes["it"].reason) == ("unknown", "gone")
