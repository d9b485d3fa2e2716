"""What can be ordered. The catalog, its hardware and the laptop have the sys_ids of every instance."""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.database.shipped import sys_id_for
from wavetank.packs.writing import Rows

_CATALOG = "e0d08b13c3330100c8b837659bba8fb4"
_HARDWARE = "d258b953c611227a0146101fb1be7c31"


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "sc_catalog", _catalogs()
    yield "sc_category", _categories()
    yield "sc_cat_item", _items()


def _catalogs() -> Rows:
    yield {"sys_id": _CATALOG, "title": "Service Catalog", "description": "What the IT department offers"}


def _categories() -> Rows:
    yield {"sys_id": _HARDWARE, "title": "Hardware", "sc_catalog": _CATALOG}


def _items() -> Rows:
    name = "ServiceNow service account"
    yield {
        "sys_id": sys_id_for("sc_cat_item", name),
        "name": name,
        "short_description": "An account with which a program, not a person, uses this instance",
        "sc_catalogs": _CATALOG,
    }
    yield {
        "sys_id": "04b7e94b4f7b4200086eeed18110c7fd",
        "name": "Standard Laptop",
        "short_description": "The laptop that everybody gets",
        "sc_catalogs": _CATALOG,
        "category": _HARDWARE,
    }
