"""Indexes that a slow query leaves behind, and counts that are remembered."""

import pytest

from wavetank.database import listing, query
from wavetank.database.indexing import columns_for
from wavetank.database.store import Database


def _compiled(database: Database, text: str, table: str = "incident") -> query.Compiled:
    return query.compile(database.dictionary, table, text, query.Context(now="2026-01-01 00:00:00"))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("short_description=x^ORDERBYopened_at", ("sys_class_name", "short_description", "opened_at")),
        ("ORDERBYDESCopened_at^ORDERBYDESCsys_id", ("sys_class_name", "opened_at", "sys_id")),
        ("short_descriptionLIKEx^ORDERBYcategory", ("sys_class_name", "category", "short_description")),
        ("category=x^ORDERBYcaller_id", ("sys_class_name", "category")),  # sorted by another table's names
    ],
)
def test_the_index_for_a_kind_of_query(database: Database, text: str, columns: tuple[str, ...]) -> None:
    assert columns_for(_compiled(database, text)) == tuple(f'"{name}"' for name in columns)


def test_what_is_slow_on_two_pages_gets_an_index_that_answers_alone(database: Database) -> None:
    database.insert_many("incident", ({"number": f"I{n:04}", "category": f"c{n % 7}"} for n in range(50)))
    database.indexing.slow = -1.0
    wanted = _compiled(database, "category=c3^ORDERBYDESCnumber")
    before = list(listing.keys(database, wanted, 10, 0))
    plan = f"EXPLAIN QUERY PLAN SELECT t0.rowid {wanted.from_sql} WHERE {wanted.where_sql} {wanted.order_sql}"
    assert listing.total(database, wanted) == 7
    assert "demand__" not in str(database.execute(plan, wanted.params).fetchall())
    assert list(listing.keys(database, wanted, 10, 0)) == before
    shown = str(database.execute(plan, wanted.params).fetchall())
    assert "COVERING INDEX demand__task__" in shown
    assert "TEMP B-TREE" not in shown
    assert list(listing.keys(database, wanted, 10, 0)) == before


def test_only_so_many_indexes_are_kept(database: Database) -> None:
    database.indexing.slow = -1.0
    names = [name for name in database.known("incident").fields if not name.startswith("sys_")][:20]
    for name in names * 3:
        listing.keys(database, _compiled(database, f"{name}=x"), 1, 0)
    made = database.execute("SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'demand%'").fetchone()[0]
    assert made == 8


def test_a_count_follows_the_rows(database: Database) -> None:
    wanted = _compiled(database, "category=counted")
    assert listing.total(database, wanted) == 0
    row = database.insert("incident", {"category": "counted"})
    assert [listing.total(database, wanted), listing.total(database, wanted)] == [1, 1]
    walked = _compiled(database, "caller_id.name=Somebody")
    assert listing.total(database, walked) == 0
    user = database.insert("sys_user", {"name": "Somebody"})
    database.update("incident", row["sys_id"], {"caller_id": user["sys_id"]})
    assert listing.total(database, walked) == 1
    database.update("sys_user", user["sys_id"], {"name": "Nobody"})
    assert listing.total(database, walked) == 0


def test_content_that_comes_back_brings_its_name_back(database: Database) -> None:
    database.snapshot("then")
    then = database.revision("incident"), database.revision("incident", "sys_user")
    database.insert("incident", {"number": "I1"})
    database.insert("sys_user", {"name": "Somebody"})
    now = database.revision("incident"), database.revision("incident", "sys_user")
    assert not set(now) & set(then)
    database.restore("then")
    assert (database.revision("incident"), database.revision("incident", "sys_user")) == then
    database.insert("incident", {"number": "I2"})
    assert database.revision("incident") not in (then[0], now[0])
