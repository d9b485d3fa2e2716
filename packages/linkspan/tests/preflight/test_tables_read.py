"""Tables are read as an ingestion reads them: what changed since a moment, in the order of change."""

from __future__ import annotations

import pytest

from linkspan.connection import Page
from linkspan.core.errors import NotAuthorized
from linkspan.preflight.checks import tables_read


class Line:
    """Answers a page with ``ranged`` where it is asked by the moment of change, else with ``plain``."""

    def __init__(self, *, ranged=(), plain=None, total=0, error=None):
        self.table = self
        self.ranged, self.total, self.error = list(ranged), total, error
        self.plain = self.ranged if plain is None else list(plain)
        self.asked: list[str] = []

    def page(self, _table, *, query="", fields=(), limit=0):
        self.asked.append(query)
        if self.error:
            raise self.error
        return Page(rows=self.ranged if query else self.plain, total=self.total)

    def first(self, *_):
        return None


ROW = {"sys_id": "1", "sys_updated_on": "2026-01-01 00:00:00"}


def run(context, line, admin=None):
    return tables_read.run(context(uses=("incident", "sys_user"), line=lambda: line, admin=lambda: admin))


def test_a_table_that_answers_by_its_moment_of_change_passes(context):
    line = Line(ranged=[ROW], total=7)
    answer = run(context, line)
    assert (answer.outcome, answer.evidence["counted"]) == ("pass", {"sys_user": 7})
    assert line.asked == ["sys_updated_on>=2000-01-01 00:00:00^ORDERBYsys_updated_on"]


@pytest.mark.parametrize(
    ("line", "admin", "cause"),
    [
        (Line(ranged=[{"sys_id": "1"}], total=1), None, "field_hidden"),
        (Line(plain=[ROW]), None, "range_query_refused"),
        (Line(total=3), None, "table_rows_hidden"),
        (Line(), Line(ranged=[ROW]), "table_rows_hidden"),
        (Line(error=NotAuthorized("no")), None, "read_denied"),
    ],
)
def test_each_way_of_not_seeing_has_its_cause(context, line, admin, cause):
    answer = run(context, line, admin)
    assert answer.outcome == "fail"
    assert [one.id for one in answer.causes] == [cause]
    assert "sys_user" in answer.causes[0].fix


def test_an_empty_table_is_no_failure(context):
    answer = run(context, Line(), Line())
    assert (answer.outcome, answer.evidence["empty"]) == ("pass", ["sys_user"])


def test_without_other_tables_there_is_nothing_to_ask(context):
    answer = tables_read.run(context(uses=("incident",)))
    assert (answer.outcome, answer.evidence["counted"]) == ("pass", {})
