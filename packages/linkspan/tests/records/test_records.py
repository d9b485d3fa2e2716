"""A note is written once or said not to be, through a line that may drop it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from linkspan.core import clock
from linkspan.core.errors import Ambiguous, Rejected
from linkspan.records import Records
from linkspan.store import Database
from linkspan.store.tables import intent

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


class Slow:
    """An instance whose creates take long; ``meanwhile`` happens while one is under way."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self.meanwhile: list[Callable[[], None]] = []
        self.looks: list[Callable[[], None]] = []
        self.answer: Exception | None = None

    def page(self, _table: str, **_: Any) -> SimpleNamespace:
        found = list(self.rows)
        if self.looks:
            self.looks.pop(0)()
        return SimpleNamespace(rows=found)

    def create(self, _table: str, values: dict[str, str], **_: Any) -> dict[str, str]:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        if self.answer is not None:
            answer, self.answer = self.answer, None
            raise answer
        self.rows.append({**values, "sys_id": f"{len(self.rows)}" * 32})
        return self.rows[-1]


def create(database: Database, instance: Slow) -> dict[str, str]:
    line: Any = SimpleNamespace(table=instance)
    records = Records(database, line, instance="prod", transaction_seconds=60)
    return records.create("incident", {}, correlation_id="f:1", fields=("sys_id",))


@pytest.fixture
def passing() -> Iterator[Callable[[float], None]]:
    yield lambda seconds: clock.set_clock(lambda: time.time() + seconds)
    clock.set_clock(None)


def test_of_two_that_repeat_a_lost_create_one_waits(
    database: Database, passing: Callable[[float], None]
) -> None:
    """A command and a hub on one home have both looked, seen nothing, and waited long enough."""
    instance, other = Slow(), Slow()
    instance.answer = Ambiguous("no answer")
    with pytest.raises(Ambiguous):
        create(database, instance)
    passing(61)
    instance.looks.append(lambda: instance.rows.append(create(database, other)))
    with pytest.raises(Ambiguous):
        create(database, instance)
    assert len(instance.rows) == 1  # the other's
    assert create(database, instance) == instance.rows[0]


def test_one_that_looks_while_the_other_is_refused_asks_again(database: Database) -> None:
    # The intent is there when the second looks, and gone when it wants to know how old it is.
    instance, other = Slow(), Slow()

    def second() -> None:
        other.looks.append(lambda: forget(database))
        with pytest.raises(Ambiguous):
            create(database, other)

    instance.meanwhile.append(second)
    create(database, instance)
    assert (len(instance.rows), other.rows) == (1, [])


def forget(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(sa.delete(intent))
