"""Rows and dictionary."""

import sqlite3
import time
from pathlib import Path

import pytest

from wavetank import packs
from wavetank.database.store import Database, UnknownField
from wavetank.ids import new_sys_id

NOW = "2026-03-10 12:00:00"


def test_a_parent_class_sees_rows_of_its_children_with_its_own_fields(database: Database) -> None:
    made = database.insert("incident", {"number": "INC1", "caller_id": "x"})
    seen = database.get("task", made["sys_id"])
    assert seen is not None
    assert seen["sys_class_name"] == "incident"
    assert "caller_id" not in seen
    assert database.get("problem", made["sys_id"]) is None


def test_system_fields_move(database: Database) -> None:
    made = database.insert("incident", {}, by="abel")
    assert (made["sys_created_by"], made["sys_mod_count"]) == ("abel", "0")
    changed = database.update("incident", made["sys_id"], {"state": "2"}, by="beth")
    assert (changed["sys_updated_by"], changed["sys_mod_count"], changed["state"]) == ("beth", "1", "2")
    raw = database.update("incident", made["sys_id"], {"state": "3"}, system=False)
    assert (raw["sys_updated_by"], raw["sys_mod_count"]) == ("beth", "1")


def test_a_wrong_field_is_refused(database: Database) -> None:
    with pytest.raises(UnknownField, match="no field nope"):
        database.insert("incident", {"nope": "1"})


def test_a_dictionary_row_adds_a_column(database: Database) -> None:
    database.insert(
        "sys_dictionary", {"name": "task", "element": "u_ref", "internal_type": "string", "active": "true"}
    )
    made = database.insert("incident", {"u_ref": "42"})
    assert database.first("incident", u_ref="42") == made
    assert "u_ref" in database.known("problem").fields


def test_a_table_row_adds_a_table_with_what_it_inherits(database: Database) -> None:
    task = database.known("task").sys_id
    database.insert(
        "sys_db_object", {"name": "u_visit", "label": "Visit", "super_class": task, "ws_access": "true"}
    )
    database.insert("sys_dictionary", {"name": "u_visit", "element": "u_door", "active": "true"})
    made = database.insert("u_visit", {"number": "V1", "u_door": "north"})
    assert made["sys_class_name"] == "u_visit"
    assert database.get("task", made["sys_id"])
    database.insert("sys_db_object", {"name": "u_plain", "label": "Plain", "ws_access": "true"})
    assert database.insert("u_plain", {})["sys_mod_count"] == "0"


def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    before = database.revision("incident")

    def half() -> None:
        with database.transaction():
            database.insert("incident", {"number": "lost"})
            database.insert("sys_dictionary", {"name": "incident", "element": "u_lost", "active": "true"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert database.first("incident", number="lost") is None
    assert "u_lost" not in database.known("incident").fields
    assert database.revision("incident") == before  # what was known of the rows is true again


def test_a_snapshot_brings_rows_and_fields_back(database: Database) -> None:
    database.snapshot("then")
    database.insert("incident", {"number": "later"})
    database.insert("sys_dictionary", {"name": "incident", "element": "u_later", "active": "true"})
    database.restore("then")
    assert database.first("incident", number="later") is None
    assert "u_later" not in database.known("incident").fields
    with pytest.raises(KeyError):
        database.restore("never")


def test_a_file_keeps_rows_and_added_fields(tmp_path: Path) -> None:
    path = tmp_path / "dev.db"
    first = Database.open(path, now=lambda: NOW, new_sys_id=new_sys_id)
    packs.load(first)
    first.insert("sys_dictionary", {"name": "incident", "element": "u_kept", "active": "true"})
    first.insert("incident", {"number": "kept", "u_kept": "yes"})
    first.close()
    again = Database.open(path, now=lambda: NOW, new_sys_id=new_sys_id)
    row = again.first("incident", number="kept")
    assert row is not None
    assert row["u_kept"] == "yes"
    again.close()


def test_the_metadata_parent_shows_every_kind(database: Database) -> None:
    kinds = {row["sys_class_name"] for row in database.find("sys_metadata")}
    assert {"sys_script", "sys_dictionary", "sys_user_role", "sys_security_acl"} <= kinds


def test_comparing_ignores_case(database: Database) -> None:
    assert database.first("sys_user_group", name="network")
    assert database.count("sys_user_group", "name=NETWORK") == 1


def test_a_full_disk_undoes_the_write_and_the_next_one_works(tmp_path: Path) -> None:
    store = Database.open(tmp_path / "dev.db", now=lambda: NOW, new_sys_id=new_sys_id)
    packs.load(store)
    pages = store.execute("PRAGMA page_count").fetchone()[0]
    store.execute(f"PRAGMA max_page_count={pages}")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="full"), store.transaction(), store.transaction():
            store.insert("incident", {"number": "LOST", "description": "x" * 10_000_000})
    store.execute("PRAGMA max_page_count=1000000")
    with store.transaction():
        store.insert("incident", {"number": "KEPT"})
    assert [row["number"] for row in store.find("incident")] == ["KEPT"]
    store.close()


def test_what_runs_too_long_is_interrupted_and_a_write_never(database: Database) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
    database.deadline = time.perf_counter() + 0.05
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        database.execute(endless).fetchone()
    database.insert_many("incident", ({"number": f"N{n}"} for n in range(3000)))
    row = database.insert("incident", {"number": "LAST"})
    for _ in range(3000):
        database.update("incident", row["sys_id"], {"state": "1"})
    database.deadline = None
    assert database.count("incident") == 3001


def test_going_back_undoes_rows_columns_and_later_snapshots_still_hold(database: Database) -> None:
    database.snapshot("one")
    database.insert("incident", {"number": "A"})
    database.snapshot("two")
    database.insert("sys_dictionary", {"name": "incident", "element": "u_new", "active": "true"})
    database.insert("incident", {"number": "B", "u_new": "x"})
    for _ in range(2):
        database.restore("two")
        assert [row["number"] for row in database.select("incident")] == ["A"]
        assert "u_new" not in database.known("incident").fields
        database.insert("incident", {"number": "C"})
    database.restore("one")
    assert database.count("incident") == 0
    database.restore("two")
    image = database.image()
    database.insert("incident", {"number": "D"})
    assert database.count("incident") == 2
    for _ in range(2):
        database.load_image(image)
        assert [row["number"] for row in database.select("incident")] == ["A"]
        database.insert("incident", {"number": "E"})


def test_an_undone_write_leaves_the_writes_before_it(database: Database) -> None:
    database.snapshot("base")
    database.insert("incident", {"number": "KEPT"})

    def lose() -> None:
        with database.transaction():
            database.insert("incident", {"number": "LOST"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        lose()
    with database.transaction(), database.transaction():
        database.insert("incident", {"number": "ALSO"})
    assert [row["number"] for row in database.select("incident", "ORDERBYnumber")] == ["ALSO", "KEPT"]
