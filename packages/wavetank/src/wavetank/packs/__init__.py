"""Packs: what a fresh instance holds. `base` is always there; others come on top of it, in their order."""

from __future__ import annotations

from collections.abc import Callable

from wavetank.database.store import Database
from wavetank.packs import demo, incident_io, scan_engine
from wavetank.packs.base import rows as base

PACKS: dict[str, Callable[[Database], None]] = {
    "base": lambda _: None,
    "demo": demo.load,
    "scan_engine": scan_engine.load,
    "incident_io": incident_io.load,
}


def load(database: Database, pack: str = "") -> None:
    """Fill an empty database with the base pack and then with the named ones, separated by commas.

    Raises ValueError for a pack that does not exist.
    """
    names = list(dict.fromkeys(name.strip() for name in pack.split(",") if name.strip()))
    unknown = [name for name in names if name not in PACKS]
    if unknown:
        raise ValueError(f"no pack {unknown[0]!r}; there are {', '.join(sorted(PACKS))}")
    with database.transaction():
        base.load(database)
        for name in names:
            PACKS[name](database)
