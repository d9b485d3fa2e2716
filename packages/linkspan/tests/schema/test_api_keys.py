"""Whether an instance can take API keys, by what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from linkspan.connection import Page
from linkspan.core.errors import NotAuthorized, Rejected, Unreachable
from linkspan.schema.api_keys import availability, release


class Tables:
    """Answers by table: rows, or an error to raise."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def page(self, table: str, *, query: str = "", fields: Sequence[str] = (), limit: int = 0) -> Page:
        answer = self.answers.get(table, [])
        if isinstance(answer, Exception):
            raise answer
        return Page(rows=answer, total=None)

    def first(self, table: str, query: str, fields: Sequence[str] = ()) -> dict[str, str] | None:
        return next(iter(self.page(table).rows), None)


class Line:
    def __init__(self, **answers: Any) -> None:
        self.table = Tables(**answers)


def built(tag: str) -> list[dict[str, str]]:
    return [{"name": "glide.war", "value": tag}]


NO_TABLE = Rejected("no", code="invalid_table")
HIDDEN = NotAuthorized("no")


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({"v_plugin": [{"active": "active"}]}, "ready"),
        ({"v_plugin": [{"active": "inactive"}]}, "inactive"),
        ({"v_plugin": HIDDEN}, "ready"),
        ({"v_plugin": NO_TABLE}, "ready"),
        ({"v_plugin": HIDDEN, "api_key": HIDDEN}, "hidden"),
        ({"api_key": NO_TABLE, "sys_properties": built("glide-zurich-07-01-2025__patch2.zip")}, "absent"),
        ({"api_key": NO_TABLE, "sys_properties": built("glide-australia-02-01-2026")}, "absent"),
        ({"api_key": NO_TABLE, "sys_properties": built("glide-vancouver-07-06-2023")}, "too_old"),
        ({"api_key": NO_TABLE}, "absent"),
    ],
)
def test_what_is_seen_decides(answers: dict[str, Any], state: str) -> None:
    assert availability(Line(**answers)).state == state  # type: ignore[arg-type]


@pytest.mark.parametrize("table", ["v_plugin", "api_key"])
def test_what_is_no_answer_is_not_taken_for_one(table: str) -> None:
    for error in (Unreachable("away"), Rejected("odd")):
        with pytest.raises(type(error)):
            availability(Line(**{table: error}))  # type: ignore[arg-type]


def test_the_last_build_goes_before_the_first() -> None:
    rows = [
        {"name": "glide.buildtag", "value": "glide-xanadu-07-02-2024"},
        {"name": "glide.buildtag.last", "value": "glide-zurich-07-01-2025"},
    ]
    assert release(Line(sys_properties=rows)) == "zurich"  # type: ignore[arg-type]
    assert release(Line(sys_properties=[])) == ""  # type: ignore[arg-type]
