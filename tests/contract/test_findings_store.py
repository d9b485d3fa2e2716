"""Sightings on both databases: received once, one fate each, and the sum is right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linkspan.core import clock
from linkspan.findings.finding import Finding
from linkspan.store import Database
from linkspan.store import findings as store


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    if request.param == "postgres":
        monkeypatch.setenv("LINKSPAN_DATABASE_URL", request.getfixturevalue("postgres_url"))
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


def found(uid: str) -> store.Received:
    one = Finding(product="P", rule="R", title="T", severity="high", identity=(uid,))
    return store.Received(place=uid, fingerprint=one.fingerprint, payload=one.document())


BROKEN = store.Received(place="x", payload="{", problem={"code": "cut_json", "cause": "cut", "fix": "again"})


def counts(database: Database) -> dict[str, int]:
    with database.read() as connection:
        told = store.counts(connection, "scanner")
    assert told["received"] == sum(told[fate] for fate in store.FATES)
    return told


def test_a_batch_is_received_once(database: Database) -> None:
    for new in (3, 0):
        with database.begin() as connection:
            assert store.receive(connection, "scanner", "b1", [found("1"), found("2"), BROKEN]) == new
    assert (counts(database)["queued"], counts(database)["quarantined"]) == (2, 1)
    with database.read() as connection:
        (need,) = store.in_need(connection, "scanner")
        assert store.counts(connection, "other")["received"] == 0
    assert (need["payload"], need["reason"]["code"]) == ("{", "cut_json")


def test_each_gets_one_fate_and_what_waits_comes_in_order(database: Database) -> None:
    with database.begin() as connection:
        store.receive(connection, "scanner", "b1", [found(str(number)) for number in range(4)])
        first, second, third, fourth = store.waiting(connection, "scanner")
        assert store.settle(connection, first.seq, "created")
        assert not store.settle(connection, first.seq, "unchanged")
        store.settle(connection, second.seq, "parked", {"code": "unknown_group", "cause": "c", "fix": "f"})
        store.postpone(connection, third.seq, clock.now() + 60, {"code": "budget", "cause": "c", "fix": ""})
        assert [one.seq for one in store.waiting(connection, "scanner")] == [fourth.seq]
        assert store.later(connection, "scanner") == 1
        assert len(store.created_since(connection, "scanner", clock.now() - 60)) == 1
        assert [row["fate"] for row in store.in_need(connection)] == ["parked"]
    told = counts(database)
    assert (told["created"], told["parked"], told["queued"]) == (1, 1, 2)
    with database.begin() as connection:
        assert store.retry(connection, "scanner") == 2
        assert len(store.waiting(connection, "scanner")) == 3
    counts(database)


def test_a_later_sighting_settles_what_was_parked(database: Database) -> None:
    with database.begin() as connection:
        store.receive(connection, "scanner", "b1", [found("1")])
        store.receive(connection, "scanner", "b2", [found("1")])
        old, new = store.waiting(connection, "scanner")
        store.settle(connection, old.seq, "parked", {"code": "c", "cause": "c", "fix": ""})
        store.settle(connection, new.seq, "created")
        store.supersede(connection, "scanner", new.fingerprint, new.seq, "unchanged")
        assert store.is_overtaken(connection, "scanner", old.fingerprint, old.seq)
        assert not store.is_overtaken(connection, "scanner", new.fingerprint, new.seq)
    told = counts(database)
    assert (told["parked"], told["unchanged"], told["created"]) == (0, 1, 1)


def test_a_finding_remembers_its_record_and_how_often_it_was_seen(database: Database) -> None:
    one = found("1")

    def remember(at: float, **record: Any) -> store.Known:
        with database.begin() as connection:
            store.remember(connection, "scanner", one.fingerprint, one.payload, seen_at=at, **record)
            known = store.known(connection, "scanner", one.fingerprint)
        assert known is not None
        return known

    remember(10.0, sys_id="a" * 32, number="INC1", written={"impact": "1"})
    known = remember(20.0)
    assert (known.sightings, known.first_seen_at, known.last_seen_at) == (2, 10.0, 20.0)
    assert (known.sys_id, known.number, known.written) == ("a" * 32, "INC1", {"impact": "1"})
