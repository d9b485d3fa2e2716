"""Packs: what a fresh instance holds. `base` is always there; others come on top of it."""

from __future__ import annotations

from collections.abc import Callable

from wavetank.database.store import Database
from wavetank.packs import demo
from wavetank.packs.base import rows as base

PACKS: dict[str, Callable[[Database], None]] = {"": lambda _: None, "base": lambda _: None, "demo": demo.load}


def load(database: Database, pack: str = "") -> None:
    """Fill an empty database with the base pack and then with the named one.

    Raises ValueError for a pack that does not exist.
    """
    if pack not in PACKS:
        raise ValueError(f"no pack {pack!r}; there are {', '.join(sorted(filter(None, PACKS)))}")
    with database.transaction():
        base.load(database)
        PACKS[pack](database)
