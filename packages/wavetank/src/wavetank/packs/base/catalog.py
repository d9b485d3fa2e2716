"""What can be ordered."""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.database.shipped import sys_id_for
from wavetank.packs.writing import Rows


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "sc_cat_item", _catalog()


def _catalog() -> Rows:
    name = "ServiceNow service account"
    yield {
        "sys_id": sys_id_for("sc_cat_item", name),
        "name": name,
        "short_description": "An account with which a program, not a person, uses this instance",
    }
