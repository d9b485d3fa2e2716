"""What the demo pack shows: the well-known names, numbers and sys_ids, and rows that hang together."""

from collections.abc import Callable, Iterator

import pytest

from wavetank.clock import Clock
from wavetank.database.store import Database
from wavetank.instance import Instance
from wavetank.security import roles

ADMIN_ROLE = "2831a114c611228501d4ea6c309d626d"


@pytest.fixture
def demo(make_database: Callable[..., Database]) -> Iterator[Database]:
    made = make_database("demo")
    yield made
    made.close()


STOCK = (
    ("incident", "number", "INC0000001", "9c573169c611228700193229fff72400"),
    ("incident", "number", "INC0000050", "ef43c6d40a0a0b5700c77f9bf387afe3"),
    ("incident", "number", "INC0009009", "57af7aec73d423002728660c4cf6a71c"),
    ("problem", "number", "PRB0000050", "04ce72c9c0a8016600b5b7f75ac67b5b"),
    ("change_request", "number", "CHG0000024", "b0dbda5347c12200e0ef563dbb9a718f"),
    ("sys_user", "user_name", "abel.tuter", "62826bf03710200044e0bfc8bcbe5df1"),
    ("sys_user", "user_name", "beth.anglin", "46d44a23a9fe19810012d100cca80666"),
    ("sys_user", "user_name", "employee", "681ccaf9c0a8016400b98a06818d57c7"),
    ("sys_user", "user_name", "howard.johnson", "46ca0887a9fe19810191e08e51927ebf"),
    ("sys_user_group", "name", "Network", "287ebd7da9fe198100f92cc8d1d2154e"),
    ("sys_user_group", "name", "Application Development", "0a52d3dcd7011200f2d224837e6103f2"),
    ("sys_user_role", "name", "itil", "282bf1fac6112285017366cb5f867469"),
    ("cmdb_ci_service", "name", "Email", "27d32778c0a8000b00db970eeaa60f16"),
    ("cmdb_ci_linux_server", "name", "lnux100", "53958ff0c0a801640171ec76aa0c8f86"),
    ("cmdb_rel_type", "name", "Runs on::Runs", "60bc4e22c0a8010e01f074cbe6bd73c3"),
    ("kb_knowledge_base", "title", "IT", "a7e8a78bff0221009b20ffffffffff17"),
    ("cmn_department", "name", "Finance", "a581ab703710200044e0bfc8bcbe5de8"),
    ("core_company", "name", "ACME North America", "31bea3d53790200044e0bfc8bcbe5dec"),
)


@pytest.mark.claim("demo-stock-records")
def test_well_known_records_have_their_sys_ids(demo: Database) -> None:
    for table, field, value, sys_id in STOCK:
        assert [row["sys_id"] for row in demo.find(table, **{field: value})] == [sys_id], value


@pytest.mark.claim("demo-incidents")
def test_the_incidents_are_those_of_a_developer_instance(demo: Database) -> None:
    rows = demo.find("incident")
    assert len(rows) == 67
    states = [row["state"] for row in rows]
    assert {state: states.count(state) for state in sorted(set(states))} == {
        "1": 13,
        "2": 20,
        "3": 7,
        "7": 27,
    }
    assert all(row["incident_state"] == row["state"] for row in rows)
    assert all((row["active"] == "false") == (row["state"] == "7") for row in rows)
    assert all(row["close_code"] and row["resolved_at"] for row in rows if row["state"] == "7")
    assert all(row["opened_at"] <= row["sys_updated_on"] for row in rows)


@pytest.mark.claim("demo-counts")
def test_there_is_as_much_as_clients_expect(demo: Database) -> None:
    assert demo.count("problem") >= 9
    assert demo.count("sys_metadata") > 500
    assert 11 <= len(demo.find("sys_user_has_role", role=ADMIN_ROLE)) <= 24
    named = {row["sys_id"] for row in demo.find("sys_user_role") if "admin" in row["name"]}
    groups = {row["group"] for row in demo.find("sys_group_has_role") if row["role"] in named}
    assert 3 <= len(groups) <= 7
    managers = {row["manager"] for row in demo.find("sys_user_group") if row["manager"]}
    assert len(managers) > 1
    assert sum(1 for row in demo.find("sys_user") if row["mobile_phone"]) < 20


def test_references_of_the_demo_rows_lead_somewhere(demo: Database) -> None:
    for table in (
        "incident",
        "problem",
        "change_request",
        "cmdb_ci",
        "sys_user",
        "sys_user_group",
        "alm_asset",
    ):
        known = demo.known(table)
        references = [
            field for field in known.fields.values() if field.is_reference and field.type == "reference"
        ]
        for row in demo.find(table):
            for field in references:
                value = row[field.name]
                # A developer instance refers to this user too, and does not have it.
                if value and value not in {"glide.maint", "global"}:
                    found = demo.find(field.reference, **{field.key: value})
                    assert found, f"{table} {row['sys_id']} {field.name} {value}"


def test_the_inherited_roles_are_what_the_rules_make(demo: Database) -> None:
    made = Instance("dev", demo, Clock())
    assert roles.rebuild(made) == 0


def test_nothing_has_the_number_that_comes_next(demo: Database) -> None:
    for table in ("incident", "problem", "change_request"):
        assert not [row for row in demo.find(table) if row["number"][3:] == "0010001"]
