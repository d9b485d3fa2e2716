"""Queries that clients repeat without end use an index and need no sorting."""

import pytest

from packages.wavetank.tests.database.query import things
from packages.wavetank.tests.database.query.things import context
from wavetank.database.query import compile

SINCE = "sys_updated_on>=2026-01-01 00:00:00^ORDERBYsys_updated_on^ORDERBYsys_id"


def plan(table: str, encoded: str) -> str:
    database = things.world()
    compiled = compile(database.dictionary, table, encoded, context())
    sql = f'SELECT t0."sys_id", t0."sys_created_by" {compiled.from_sql} WHERE {compiled.where_sql}'
    rows = database.execute(f"EXPLAIN QUERY PLAN {sql} {compiled.order_sql} LIMIT 10", compiled.params)
    return " | ".join(row[3] for row in rows)


@pytest.mark.parametrize("table", ["incident", "task", "cmdb_ci", "sys_user"])
@pytest.mark.parametrize(
    ("encoded", "index"),
    [
        (f"sys_id={'a' * 32}", "sys_id=?"),
        (f"sys_id>{'a' * 32}^ORDERBYsys_id", "sys_id>?"),
        (f"sys_idIN{'a' * 32},{'b' * 32}^ORDERBYsys_id", "sys_id=?"),
        (SINCE, "sys_updated_on>?"),
        (SINCE.replace("=", "", 1), "sys_updated_on>?"),
    ],
)
def test_keyset_paging_is_a_search_in_order(table: str, encoded: str, index: str) -> None:
    steps = plan(table, encoded)
    assert steps.startswith("SEARCH t0"), steps
    assert index in steps, steps
    assert "TEMP B-TREE" not in steps, steps


@pytest.mark.parametrize(
    ("table", "encoded", "index"),
    [
        ("incident", "number=INC0010001", "number=?"),
        ("task", "number=INC0010001^ORnumber=INC0010002", "number"),
        ("incident", "numberINa,b,c", "number=?"),
        ("incident", "numberSTARTSWITHINC001", "number>?"),
        ("incident", "correlation_id=x", "correlation_id=?"),
        ("sys_user", "user_name=abel.tuter", "user_name=?"),
        ("sys_user_grmember", "user=" + "a" * 32, "user=?"),
    ],
)
def test_looked_up_fields_are_found_by_index(table: str, encoded: str, index: str) -> None:
    assert index in plan(table, encoded)


def test_related_rows_are_looked_for_once() -> None:
    steps = plan("sys_user", "RLQUERYsys_user_has_role.user,>=1^role.name=admin^ENDRLQUERY")
    assert "CORRELATED" not in steps
    assert "SCAN t0" not in steps
