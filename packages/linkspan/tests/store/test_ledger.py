"""The ledger is chained: what is changed afterwards shows."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from linkspan.store import Database
from linkspan.store.database import MIGRATIONS, make_engine
from linkspan.store.ledger import Ledger
from linkspan.store.tables import ledger


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(make_engine(f"sqlite:///{tmp_path / 'linkspan.db'}"))
    made.migrate()
    return made


def filled(database: Database) -> Ledger:
    made = Ledger(database)
    for number in range(5):
        made.append("alice", "create", f"role {number}", {"number": number, "because": "é"})
    return made


def test_an_untouched_ledger_holds(database: Database) -> None:
    assert filled(database).verify() is None
    assert Ledger(database).head() == Ledger(database).latest(limit=1)[0]["hash"]


def test_an_empty_ledger_holds(database: Database) -> None:
    assert Ledger(database).verify() is None


@pytest.mark.parametrize(
    "change",
    [
        sa.update(ledger).where(ledger.c.seq == 3).values(actor="mallory"),
        sa.update(ledger).where(ledger.c.seq == 3).values(detail={"number": 7}),
        sa.update(ledger).where(ledger.c.seq == 3).values(at=1.0),
    ],
)
def test_a_changed_entry_is_named(database: Database, change: sa.Update) -> None:
    made = filled(database)
    with database.begin() as connection:
        connection.execute(change)
    assert made.verify() == 3


def test_a_missing_entry_breaks_the_next(database: Database) -> None:
    made = filled(database)
    with database.begin() as connection:
        connection.execute(sa.delete(ledger).where(ledger.c.seq == 3))
    assert made.verify() == 4


def test_entries_of_the_release_before_are_chained(tmp_path: Path) -> None:
    made = Database(make_engine(f"sqlite:///{tmp_path / 'old.db'}"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    old = sa.table("ledger", *(sa.column(name) for name in ("at", "actor", "action", "subject", "detail")))
    with made.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for number in range(3):
            row = {"at": 1.5 + number, "actor": "a", "action": "b", "subject": "c", "detail": '{"n": 1}'}
            connection.execute(old.insert().values(row))
    made.migrate()
    Ledger(made).append("a", "b", "c", {})
    assert len(Ledger(made).entries()) == 4
    assert Ledger(made).verify() is None
