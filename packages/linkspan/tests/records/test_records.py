"""A note is written once or said not to be, through a line that may drop it."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from linkspan.core.errors import Rejected
from linkspan.records import Records
from linkspan.store import Database

SYS_ID = "a" * 32


class Instance:
    """One record's work notes; ``deaf`` takes a write and does nothing, ``uncounted`` keeps the count."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.deaf = self.uncounted = False
        self.count = 3

    def update(self, _table: str, _sys_id: str, values: Any, **_: Any) -> dict[str, str]:
        if not self.deaf:
            self.notes.append(values["work_notes"])
            self.count += not self.uncounted
        return {"sys_id": SYS_ID, "sys_mod_count": str(self.count)}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


def note(database: Database, instance: Instance, done: list[str]) -> None:
    line: Any = SimpleNamespace(table=instance)
    Records(database, line, instance="prod").add_note(
        "incident",
        SYS_ID,
        "ok",
        key="1",
        written_by_us=lambda: len(instance.notes),
        remembered=0,
        version=3,
        on_done=lambda _connection, result: done.append(result),
        fields=("sys_id",),
    )


def test_a_note_that_the_instance_drops_is_refused_and_sent_again_later(database: Database) -> None:
    instance, done = Instance(), []
    instance.deaf = True
    with pytest.raises(Rejected, match="not written"):
        note(database, instance, done)
    assert done == []
    instance.deaf = False
    note(database, instance, done)
    assert (done, instance.notes) == ([SYS_ID], ["ok"])


def test_a_note_that_left_the_count_alone_is_there_all_the_same(database: Database) -> None:
    instance, done = Instance(), []
    instance.uncounted = True
    note(database, instance, done)
    assert (done, instance.notes) == ([SYS_ID], ["ok"])
