"""The store keeps its word on both of its databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from linkspan.core.errors import ConfigError
from linkspan.store import Database, inbox, links
from linkspan.store.ledger import Ledger


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """An empty store."""
    if request.param == "postgres":
        monkeypatch.setenv("LINKSPAN_DATABASE_URL", request.getfixturevalue("postgres_url"))
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


def new_link(database: Database, sys_id: str = "a" * 32) -> links.Link:
    with database.begin() as transaction:
        return links.open_link(
            transaction, sync="desk", instance="prod", table_name="incident", born="instance", sys_id=sys_id
        )


def receive(database: Database, link: links.Link, event_id: str) -> bool:
    with database.begin() as transaction:
        return inbox.append(
            transaction, sync="desk", link_id=link.id, side="instance", event_id=event_id, version=1
        )


def test_the_schema_is_brought_to_this_release_twice_without_harm(database: Database) -> None:
    database.migrate()
    assert new_link(database).id == new_link(database).id


def test_an_event_enters_once_waits_in_order_and_leaves_with_one_fate(database: Database) -> None:
    link = new_link(database)
    assert [receive(database, link, event) for event in ("c", "a", "b", "a")] == [True, True, True, False]
    with database.begin() as transaction:
        waiting = inbox.waiting(transaction, link.id)
        assert [event.event_id for event in waiting] == ["c", "a", "b"]
        inbox.settle(transaction, [waiting[0].seq], "applied")
        inbox.settle(transaction, [waiting[1].seq], "parked", "because")
    with database.read() as transaction:
        ledger = inbox.counts(transaction, "desk")
    assert ledger["received"] == 3 == sum(count for fate, count in ledger.items() if fate != "received")
    assert (ledger["applied"], ledger["parked"], ledger["pending"]) == (1, 1, 1)


def test_what_an_exception_interrupts_was_never_there(database: Database) -> None:
    link = new_link(database)
    with pytest.raises(RuntimeError), database.begin() as transaction:  # noqa: PT012 - the block is the test
        inbox.append(transaction, sync="desk", link_id=link.id, side="peer", event_id="x", version=1)
        raise RuntimeError
    with database.read() as transaction:
        assert inbox.received(transaction, "desk") == 0


def test_a_reading_transaction_sees_one_moment(database: Database) -> None:
    link = new_link(database)
    receive(database, link, "a")
    with database.read() as transaction:
        before = inbox.counts(transaction, "desk")
        receive(database, link, "b")
        assert inbox.counts(transaction, "desk") == before
    with database.read() as transaction:
        assert inbox.received(transaction, "desk") == 2


def test_a_reader_of_the_sequence_never_passes_an_entry_that_commits_later(database: Database) -> None:
    """Writers at once: whoever has seen entry n has seen every entry before n."""
    ledger = Ledger(database)
    writers = [
        threading.Thread(target=lambda: [ledger.append("a", "b", "c", {}) for _ in range(20)])
        for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    seen: list[int] = []
    writing = True
    while writing:
        writing = any(writer.is_alive() for writer in writers)
        seen += [entry["seq"] for entry in ledger.entries(after=seen[-1] if seen else 0)]
    for writer in writers:
        writer.join(30)
    assert len(seen) == len(set(seen)) == 80


def test_another_kind_of_database_is_refused_with_a_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKSPAN_DATABASE_URL", "mysql://localhost/x")
    with pytest.raises(ConfigError, match="PostgreSQL"):
        Database.open(tmp_path)
