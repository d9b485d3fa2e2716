"""A poller's thread outlives whatever happens in it, and what it told is taken back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from linkspan.core.errors import Unreachable
from linkspan.store import Database
from linkspan.sync.runner import _Round
from linkspan.sync.status import status


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


def fail() -> None:
    raise Unreachable("no route", where="prod")


def trouble(database: Database) -> Any:
    return status(database, "desk")["trouble"]


def test_a_store_that_does_not_answer_ends_no_poller(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    polling = _Round(database, "desk", "instance", every=5)

    def down() -> None:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("connection refused"))

    with monkeypatch.context() as broken:
        broken.setattr(database, "begin", down)
        assert polling.run(down) > 5
        assert polling.run(fail) > 5
        assert polling.run(lambda: None) == 5
    assert polling.run(fail) > 5
    assert trouble(database)["cause"] == "no route"
    polling.run(lambda: None)
    assert trouble(database) is None


def test_the_trouble_of_an_earlier_process_is_over_when_this_one_succeeds(database: Database) -> None:
    _Round(database, "desk", "instance", every=5).run(fail)
    assert trouble(database)["cause"] == "no route"
    _Round(database, "desk", "instance", every=5).run(lambda: None)
    assert trouble(database) is None
