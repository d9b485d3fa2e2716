"""The sweep on tables that show an account only a part of their rows and fields."""

from types import SimpleNamespace
from typing import Any

import pytest

from linkspan.connection.apis.table import Page
from linkspan.core.errors import NotAuthorized
from linkspan.feed import sweep


class Table:
    """Rows newest first; ``None`` is a row that an access control hides after the limit was applied."""

    def __init__(self, rows: list[dict[str, str] | None]) -> None:
        self.rows = rows

    def page(self, _table: str, *, limit: int, offset: int = 0, **_: Any) -> Page:
        part = [row for row in self.rows[offset : offset + limit] if row is not None]
        return Page(rows=part, total=len(self.rows))

    def keyset(self, _table: str, **_: Any) -> Any:
        yield [row for row in self.rows if row is not None]


def line(*rows: dict[str, str] | None) -> Any:
    return SimpleNamespace(table=Table(list(rows)))


SEEN = {"sys_id": "a", "sys_updated_on": "2026-03-01 10:00:00"}


def test_the_newest_row_is_found_behind_hidden_ones() -> None:
    assert sweep.newest(line(*[None] * 1200, SEEN), "incident") == SEEN["sys_updated_on"]
    assert sweep.newest(line(*[None] * 1200), "incident") == ""
    assert sweep.newest(line(), "incident") == ""


def test_a_hidden_field_is_named() -> None:
    fields = ("sys_id", "sys_updated_on", "description")
    with pytest.raises(NotAuthorized, match="description is hidden"):
        list(sweep.changed_since(line(SEEN), "incident", since="2026-01-01 00:00:00", fields=fields))
