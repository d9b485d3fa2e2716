"""The Table API: what is asked, and that a sweep by key sees every visible row once."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkspan.connection import Connection, Reply, TableApi
from linkspan.core.errors import Ambiguous, BadReply, NotAuthorized

from .conftest import Answer, Script


def test_page(line: Connection, script: Script) -> None:
    script.rule = lambda _: Answer(json={"result": [{"number": "INC1"}]}, headers={"X-Total-Count": "5"})
    page = line.table.page(
        "incident", query="a=1", fields=("number", "sys_id"), limit=2, offset=4, display="all"
    )
    assert (page.rows, page.total) == ([{"number": "INC1"}], 5)
    (seen,) = script.seen
    assert seen.path == "/api/now/table/incident"
    assert seen.query == {
        "sysparm_query": "a=1",
        "sysparm_fields": "number,sys_id",
        "sysparm_limit": "2",
        "sysparm_offset": "4",
        "sysparm_display_value": "all",
        "sysparm_exclude_reference_link": "true",
        "sysparm_suppress_pagination_header": "true",
    }


def test_first(line: Connection, script: Script) -> None:
    script.answers = [Answer(json={"result": [{"sys_id": "1"}]}), Answer(json={"result": []})]
    assert line.table.first("incident", "number=INC1") == {"sys_id": "1"}
    assert line.table.first("incident", "number=INC2") is None
    assert script.seen[0].query["sysparm_limit"] == "1"
    assert script.seen[0].query["sysparm_no_count"] == "true"


def test_get(line: Connection, script: Script) -> None:
    missing = {"error": {"message": "No Record found", "detail": "…"}, "status": "failure"}
    script.answers = [Answer(json={"result": {"sys_id": "1"}}), Answer(status=404, json=missing)]
    assert line.table.get("incident", "1", fields=("sys_id",)) == {"sys_id": "1"}
    assert line.table.get("incident", "2") is None
    assert script.seen[0].path == "/api/now/table/incident/1"


def test_writes(line: Connection, script: Script) -> None:
    script.rule = lambda seen: (
        Answer(status=204) if seen.method == "DELETE" else Answer(json={"result": {"sys_id": "1"}})
    )
    assert line.table.create("sys_user", {"active": True, "manager": None, "n": 3}, input_display=True) == {
        "sys_id": "1"
    }
    assert line.table.update("sys_user", "1", {"active": False}, fields=("sys_id",)) == {"sys_id": "1"}
    assert line.table.delete("sys_user", "1") is True
    create, update, delete = script.seen
    assert (create.method, create.json) == ("POST", {"active": "true", "manager": "", "n": "3"})
    assert create.query["sysparm_input_display_value"] == "true"
    assert (update.method, update.path, update.json) == (
        "PATCH",
        "/api/now/table/sys_user/1",
        {"active": "false"},
    )
    assert update.query == {"sysparm_exclude_reference_link": "true", "sysparm_fields": "sys_id"}
    assert (delete.method, delete.path) == ("DELETE", "/api/now/table/sys_user/1")
    script.answers = [Answer(status=404, json={"error": {"message": "No Record found", "detail": ""}})]
    assert line.table.delete("sys_user", "2") is False


def test_a_write_without_its_record_is_in_doubt(line: Connection, script: Script) -> None:
    script.rule = lambda _: Answer(status=204)
    with pytest.raises(Ambiguous):
        line.table.create("incident", {"a": "b"})
    with pytest.raises(Ambiguous):
        line.table.update("incident", "1", {"a": "b"})


@pytest.mark.parametrize("table", ["", "incident/1", "../x", "incident?x=1", "a b"])
def test_names_that_are_no_tables(line: Connection, script: Script, table: str) -> None:
    with pytest.raises(ValueError, match="not a table name"):
        line.table.page(table)
    assert script.seen == []


@pytest.mark.parametrize("sys_id", ["", "1/2", "..", "a?b", "x" * 65])
def test_ids_that_are_no_ids(line: Connection, script: Script, sys_id: str) -> None:
    for call in (line.table.get, line.table.delete):
        with pytest.raises(ValueError, match="not a sys_id"):
            call("incident", sys_id)
    assert script.seen == []


def test_an_answer_of_another_shape(line: Connection, script: Script) -> None:
    script.rule = lambda _: Answer(json={"result": "x"})
    with pytest.raises(BadReply):
        line.table.page("incident")


# ── the sweep ────────────────────────────────────────────────────────────────────────────────────

_BEHIND = re.compile(r"sys_updated_on>=(?P<u>\d+)\^sys_updated_on>\d+\^ORsys_id>(?P<s>\w+)")


class Rows:
    """A platform of rows (updated, id, visible): limit and offset first, access control after."""

    def __init__(self, rows: list[tuple[str, str, bool]], *, counts: bool = True) -> None:
        self.rows, self.counts, self.asked = sorted(rows), counts, 0

    def call(self, method, path, *, params=None, json=None) -> Reply:
        self.asked += 1
        assert self.asked < 500
        found = self.rows
        behind = _BEHIND.search(params["sysparm_query"])
        if behind:
            found = [row for row in found if (row[0], row[1]) > (behind["u"], behind["s"])]
        offset, limit = params.get("sysparm_offset", 0), params["sysparm_limit"]
        page = [{"sys_updated_on": u, "sys_id": s} for u, s, seen in found[offset : offset + limit] if seen]
        told = self.counts and params.get("sysparm_no_count") != "true"
        headers = {"x-total-count": str(len(found))} if told else {}
        return Reply(status=200, headers=headers, body=b"", json={"result": page})


rows = st.lists(
    st.tuples(st.integers(10, 14).map(str), st.text("abc", min_size=1, max_size=4), st.booleans()),
    unique_by=lambda row: row[1],
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(rows, st.integers(1, 7))
def test_a_sweep_sees_every_visible_row_once_and_in_order(
    found: list[tuple[str, str, bool]], size: int
) -> None:
    pages = list(TableApi(Rows(found)).keyset("incident", page_size=size))
    swept = [(row["sys_updated_on"], row["sys_id"]) for page in pages for row in page]
    assert swept == sorted((u, s) for u, s, seen in found if seen)
    assert all(pages)


@given(rows, st.integers(1, 7))
def test_without_counts_a_sweep_still_passes_short_pages(
    found: list[tuple[str, str, bool]], size: int
) -> None:
    everything = [(u, s, True) for u, s, _ in found]
    pages = list(TableApi(Rows(everything, counts=False)).keyset("incident", page_size=size))
    assert [row["sys_id"] for page in pages for row in page] == [s for _, s, _ in sorted(everything)]


def test_a_sweep_goes_on_behind_a_key() -> None:
    api = TableApi(Rows([("1", "a", True), ("1", "b", True), ("2", "a2", True)]))
    assert [[row["sys_id"] for row in page] for page in api.keyset("t", after=("1", "a"))] == [["b", "a2"]]


def test_a_quiet_poll_costs_one_request() -> None:
    platform = Rows([("1", "a", True), ("1", "b", False)])
    assert len(list(TableApi(platform).keyset("t"))) == 1
    assert platform.asked == 1


def test_the_query_of_a_sweep(line: Connection, script: Script) -> None:
    list(
        line.table.keyset(
            "incident", query="a=1^NQb=2", fields=("number",), after=("2026-01-01 00:00:00", "x")
        )
    )
    behind = "sys_updated_on>=2026-01-01 00:00:00^sys_updated_on>2026-01-01 00:00:00^ORsys_id>x"
    query = script.seen[0].query
    assert query["sysparm_query"] == f"a=1^{behind}^NQb=2^{behind}^ORDERBYsys_updated_on^ORDERBYsys_id"
    assert query["sysparm_fields"] == "number,sys_updated_on,sys_id"
    assert query["sysparm_exclude_reference_link"] == "true"


def test_an_instance_that_ignores_the_key_does_not_hold_us_forever(line: Connection, script: Script) -> None:
    same = {"result": [{"sys_updated_on": "1", "sys_id": "a"}]}
    script.rule = lambda _: Answer(json=same, headers={"X-Total-Count": "9"})
    with pytest.raises(BadReply) as caught:
        list(line.table.keyset("incident", page_size=1))
    assert caught.value.code == "keyset_stuck"
    assert len(script.seen) == 2


def test_a_key_that_may_not_be_read(line: Connection, script: Script) -> None:
    script.rule = lambda _: Answer(json={"result": [{"sys_id": "a"}]})
    with pytest.raises(NotAuthorized) as caught:
        list(line.table.keyset("incident"))
    assert caught.value.code == "field_hidden"
