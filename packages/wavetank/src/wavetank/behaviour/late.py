"""Writes that are seen later than they are stamped.

A long transaction on a real instance stamps `sys_updated_on` when it writes and is seen when it commits: a
reader that goes by the stamp meets an older moment after a newer one. With the setting `commit_lag_seconds`
every write over the Table API does so. Its answer is given at once and whole; numbers are drawn at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavetank.instance import Instance

# Counters move at once: another write must not draw the same number meanwhile.
_COUNTER = '"sys_number_counter"'


class _Hold(Exception):
    """Ends a transaction whose statements are kept for later."""


@contextmanager
def commit(instance: Instance) -> Iterator[None]:
    """Hold back what is written inside until the clock is `commit_lag_seconds` further."""
    lag = float(instance.settings.get("commit_lag_seconds"))
    if not lag:
        yield
        return
    database = instance.database
    statements: list[str] = []
    try:
        with database.transaction(), database.recorded(statements):
            yield
            raise _Hold
    except _Hold:
        database.replay([each for each in statements if _COUNTER in each])
    held = [each for each in statements if _COUNTER not in each]
    era = instance.behaviour.era

    def seen() -> None:
        with instance.lock:
            if instance.behaviour.era != era:
                return
            try:
                database.replay(held)
            except sqlite3.IntegrityError as error:
                said = {"level": "2", "source": "late commit", "message": f"A late commit failed: {error}"}
                database.insert("syslog", said)

    instance.clock.after(lag, seen)
