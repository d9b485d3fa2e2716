"""Sweeps over a running instance that hides rows, caps pages, cancels requests and ignores queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from linkspan.connection import Connection
from linkspan.core.errors import BadReply, LinkspanError, NotAuthorized
from linkspan.feed import bounded
from linkspan.feed.bounded import PageSize, Span
from tests.contract.intake import between, hide, member, plant

FIELDS = ("sys_id", "sys_updated_on", "short_description")
EVERYTHING = Span(low=(bounded.EARLIEST, ""), high=("2027-01-01 00:00:00", None))
MARK = "category=marked"


@pytest.fixture
def line(wavetank: Any) -> Iterator[Connection]:
    with member(wavetank, "itil") as line:
        yield line


def marked(instance: Any, stamps: Sequence[str], **more: str) -> list[str]:
    """Incidents with these stamps; their sys_ids in the order of the key."""
    made = plant(
        instance, "incident", [{"category": "marked", "sys_updated_on": stamp, **more} for stamp in stamps]
    )
    return [row["sys_id"] for row in sorted(made, key=lambda row: (row["sys_updated_on"], row["sys_id"]))]


def seconds(count: int, day: int = 1, step: int = 1) -> list[str]:
    return [
        f"2026-05-{day:02} {n * step // 3600:02}:{n * step // 60 % 60:02}:{n * step % 60:02}"
        for n in range(count)
    ]


def swept(line: Connection, *, size: int = 100, condition: str = MARK, span: Span = EVERYTHING) -> list[str]:
    pages = bounded.sweep(
        line, "incident", span=span, fields=FIELDS, condition=condition, size=PageSize(size, most=size)
    )
    return [row["sys_id"] for page in pages for row in page.rows]


def test_rows_of_one_second_come_once_each_in_order(wavetank: Any, line: Connection) -> None:
    wanted = marked(wavetank, ["2026-05-01 12:00:00"] * 1500)
    seen = between(line, lambda _path, _params: None)
    assert swept(line) == wanted
    assert len(seen) <= 17


@pytest.mark.parametrize("total_count", ["before_acl", "after_acl"])
def test_short_pages_are_not_the_end(wavetank: Any, line: Connection, total_count: str) -> None:
    wavetank.control("settings", {"total_count": total_count})
    marked(wavetank, seconds(400), priority="5")
    wanted = marked(wavetank, seconds(300, day=2), priority="1")
    marked(wavetank, seconds(100, day=3), priority="5")
    wanted += marked(wavetank, seconds(10, day=4), priority="1")
    hide(wavetank, "priority!=5")
    seen = between(line, lambda _path, _params: None)
    assert swept(line) == wanted
    assert len(seen) <= 4 * 9 + 30, "more than four times the pages, and what finding a block in time takes"


@pytest.mark.parametrize(
    "stamps", [["2026-05-01 12:00:00"] * 700, seconds(700)], ids=["one second", "many seconds"]
)
def test_what_is_hidden_is_passed_over_even_when_it_changes_meanwhile(
    wavetank: Any, line: Connection, stamps: list[str]
) -> None:
    """An offset would be carried past visible rows when hidden ones before them leave the range."""
    hidden = marked(wavetank, stamps, priority="5")
    wanted = marked(wavetank, seconds(150, day=2), priority="1")
    hide(wavetank, "priority!=5")
    left = iter(hidden)

    def leave(_path: str, _params: dict[str, Any]) -> None:
        for _ in range(60):
            sys_id = next(left, None)
            if sys_id is not None:
                wavetank.control(
                    f"records/incident/{sys_id}", {"sys_updated_on": "2026-07-01 00:00:00"}, method="PATCH"
                )

    between(line, leave)
    span = Span(low=(bounded.EARLIEST, ""), high=("2026-06-01 00:00:00", None))
    assert swept(line, span=span) == wanted


def test_an_instance_that_returns_fewer_rows_than_asked_for_loses_none(
    wavetank: Any, line: Connection
) -> None:
    wanted = marked(wavetank, seconds(730))

    def cap(_path: str, params: dict[str, Any]) -> None:
        params["sysparm_limit"] = min(int(params["sysparm_limit"]), 120)

    between(line, cap)
    assert swept(line, size=1000) == wanted


def test_hidden_rows_and_a_capped_page_together_lose_none(wavetank: Any, line: Connection) -> None:
    marked(wavetank, seconds(500), priority="5")
    wanted = marked(wavetank, seconds(200, day=2), priority="1")
    hide(wavetank, "priority!=5")

    def cap(_path: str, params: dict[str, Any]) -> None:
        params["sysparm_limit"] = min(int(params["sysparm_limit"]), 120)

    between(line, cap)
    assert swept(line, size=1000) == wanted


def test_a_page_that_is_too_heavy_is_asked_for_in_halves_and_grows_again(
    wavetank: Any, line: Connection
) -> None:
    wanted = marked(wavetank, seconds(600))
    wavetank.control("faults", [{"match": {"table": "incident"}, "do": "quota_200", "after": 1, "times": 4}])
    seen = between(line, lambda _path, _params: None)
    assert swept(line, size=200) == wanted
    sizes = [int(params["sysparm_limit"]) for params in seen]
    assert min(sizes) < 100
    assert max(sizes[sizes.index(min(sizes)) :]) > min(sizes)


def test_one_row_that_cannot_be_returned_is_named_and_the_rest_comes(wavetank: Any, line: Connection) -> None:
    wanted = marked(wavetank, seconds(90))
    poison = wanted[40]
    call = line.call

    def failing(method: str, path: str, **named: Any) -> Any:
        reply = call(method, path, **named)
        wide = "short_description" in named["params"]["sysparm_fields"]
        if wide and any(row["sys_id"] == poison for row in reply.result):
            raise BadReply("Transaction cancelled", code="transaction_cancelled")
        return reply

    line.call = failing  # type: ignore[method-assign]
    pages = list(bounded.sweep(line, "incident", span=EVERYTHING, fields=FIELDS, condition=MARK))
    found = [row["sys_id"] for page in pages for row in page.rows]
    assert found == [sys_id for sys_id in wanted if sys_id != poison]
    (bad,) = [page.poison for page in pages if page.poison]
    assert (bad.key[1], bad.reason) == (poison, "transaction_cancelled")


def test_an_instance_that_fails_altogether_is_an_error_and_no_poison(wavetank: Any, line: Connection) -> None:
    marked(wavetank, seconds(5))
    wavetank.control("faults", [{"match": {"table": "incident"}, "do": "html_200"}])
    with pytest.raises(BadReply) as failed:
        swept(line)
    assert failed.value.code in ("html", "hibernating")


def test_an_instance_that_ignores_the_query_is_found_out(wavetank: Any, line: Connection) -> None:
    marked(wavetank, seconds(5))
    span = Span(low=("2026-05-01 00:00:03", ""), high=("2026-05-02 00:00:00", None))
    between(line, lambda _path, params: params.update(sysparm_query="ORDERBYsys_updated_on^ORDERBYsys_id"))
    with pytest.raises(BadReply) as failed:
        swept(line, span=span)
    assert failed.value.code == "filter_ignored"


def test_an_instance_that_ignores_the_order_is_found_out(wavetank: Any, line: Connection) -> None:
    marked(wavetank, seconds(5))

    def unsorted(_path: str, params: dict[str, Any]) -> None:
        params["sysparm_query"] = params["sysparm_query"].replace("ORDERBYsys", "ORDERBYDESCsys")

    between(line, unsorted)
    with pytest.raises(BadReply) as failed:
        swept(line)
    assert failed.value.code == "order_ignored"


def test_a_hidden_key_is_refused_and_not_an_endless_loop(wavetank: Any, line: Connection) -> None:
    marked(wavetank, seconds(5))
    plant(
        wavetank,
        "sys_security_acl",
        [
            {
                "name": "incident.sys_updated_on",
                "operation": "read",
                "type": "record",
                "active": "true",
                "condition": "active=nonsense",
            }
        ],
    )
    with pytest.raises(NotAuthorized):
        swept(line)


def test_literals_in_another_zone_are_refused(wavetank: Any) -> None:
    marked(wavetank, seconds(3))
    with member(wavetank, "itil") as line:
        bounded.require_utc_literals(line, "incident")
        wavetank.control("settings", {"literal_time_zone": "user"})
        bounded.require_utc_literals(line, "incident")  # the account's zone is GMT
        (me,) = wavetank.control(f"records/sys_user?sysparm_query=sys_id={line.whoami()['sys_id']}")["result"]
        wavetank.control(f"records/sys_user/{me['sys_id']}", {"time_zone": "US/Pacific"}, method="PATCH")
        with pytest.raises(LinkspanError) as refused:
            bounded.require_utc_literals(line, "incident")
    assert refused.value.code == "time_zone"


def test_an_instance_that_counts_without_the_query_is_an_error_and_no_endless_loop(
    wavetank: Any, line: Connection
) -> None:
    marked(wavetank, seconds(300), priority="5")
    hide(wavetank, "priority!=5")
    call = line.call

    def counting(method: str, path: str, **named: Any) -> Any:
        reply = call(method, path, **named)
        if "x-total-count" in reply.headers:
            return replace(reply, headers={**reply.headers, "x-total-count": "300"})
        return reply

    line.call = counting  # type: ignore[method-assign]
    with pytest.raises(BadReply) as failed:
        swept(line)
    assert failed.value.code == "count_wrong"


def test_hidden_rows_that_are_deleted_while_they_are_counted_are_no_error(
    wavetank: Any, line: Connection
) -> None:
    hidden = marked(wavetank, seconds(300), priority="5")
    hide(wavetank, "priority!=5")
    seen: list[str] = []

    def delete(_path: str, params: dict[str, Any]) -> None:
        seen.append(params["sysparm_limit"])
        if len(seen) == 3:  # after the first counted page
            for sys_id in hidden:
                wavetank.control(f"records/incident/{sys_id}", method="DELETE")

    between(line, delete)
    assert swept(line) == []


def test_an_instance_that_does_not_count_is_an_error_and_no_endless_loop(
    wavetank: Any, line: Connection
) -> None:
    marked(wavetank, seconds(300), priority="5")
    hide(wavetank, "priority!=5")
    between(line, lambda _path, params: params.update(sysparm_no_count="true"))
    with pytest.raises(BadReply) as failed:
        swept(line)
    assert failed.value.code == "uncounted"
