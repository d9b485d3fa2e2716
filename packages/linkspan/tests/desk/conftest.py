from collections.abc import Iterator
from pathlib import Path

import pytest

from linkspan.desk import Desk
from linkspan.store import Database


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.delenv("LINKSPAN_DATABASE_URL", raising=False)
    database = Database.open(tmp_path)
    yield database
    database.close()


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)
