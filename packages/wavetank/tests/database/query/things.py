"""A small world with a field of every type, for queries to be asked about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from wavetank import packs
from wavetank.database.dictionary import Definition, Field, system_fields
from wavetank.database.query import Context, compile
from wavetank.database.shipped import sys_id_for
from wavetank.database.store import Database
from wavetank.ids import new_sys_id

NOW = "2026-03-10 18:00:00"
ZONE = "US/Pacific"
ADA, BOB, CYD, DOT, GONE = (letter * 32 for letter in "abcde")
TREE, LINES = sys_id_for("test", "tree"), sys_id_for("test", "lines")

# Types of u_thing's fields; u_thing_big, below it, has `extra` besides.
TYPES: dict[str, tuple[str, str]] = {
    "title": ("string", ""),
    "other": ("string", ""),
    "count": ("integer", ""),
    "limit": ("integer", ""),
    "weight": ("decimal", ""),
    "price": ("currency", ""),
    "open": ("boolean", ""),
    "late": ("boolean", ""),
    "begun": ("glide_date_time", ""),
    "due": ("glide_date_time", ""),
    "day": ("glide_date", ""),
    "long": ("glide_duration", ""),
    "owner": ("reference", "u_owner"),
    "helper": ("reference", "u_owner"),
    "watchers": ("glide_list", "u_owner"),
    "notes": ("journal_input", ""),
}
# name, boss: two rows are each other's boss.
OWNERS: dict[str, dict[str, str]] = {
    ADA: {"name": "Ada", "boss": "", "level": "10"},
    BOB: {"name": "Bob Stone", "boss": ADA, "level": "9"},
    CYD: {"name": "", "boss": DOT, "level": ""},
    DOT: {"name": "dot_50%", "boss": CYD, "level": "2"},
}


def _table(name: str, above: str, fields: Mapping[str, tuple[str, str]], display: str) -> Definition:
    own = [
        Field(
            name=each,
            type=kind,
            label=each,
            table=name,
            reference=reference,
            display=each == display,
            sys_id=sys_id_for(name, each),
        )
        for each, (kind, reference) in fields.items()
    ]
    system = [] if above else [*system_fields(name)]
    filled = tuple(
        Field(each.name, each.type, each.label, name, sys_id=sys_id_for(name, each.name)) for each in system
    )
    return Definition(name, name, above, (*filled, *own), sys_id=sys_id_for(name))


@cache
def world() -> Database:
    """The base pack and the tables of this world, the owners in them."""
    database = Database.open(None, now=lambda: NOW, new_sys_id=new_sys_id)
    packs.load(database)
    database.create_tables(
        [
            _table("u_thing", "", {"sys_class_name": ("sys_class_name", ""), **TYPES}, "title"),
            _table("u_thing_big", "u_thing", {"extra": ("string", "")}, ""),
            _table(
                "u_owner",
                "",
                {"name": ("string", ""), "boss": ("reference", "u_owner"), "level": ("integer", "")},
                "name",
            ),
            _table("u_part", "", {"thing": ("reference", "u_thing"), "size": ("integer", "")}, ""),
        ]
    )
    for sys_id, row in OWNERS.items():
        database.insert("u_owner", {"sys_id": sys_id, **row})
    for sys_id, label, field in ((LINES, "Lines", "boss"), (TREE, "Things", "no_such_field")):
        database.insert(
            "sys_record_hierarchy",
            {"sys_id": sys_id, "label": label, "table": "u_owner", "reference_field": field},
        )
    return database


def fill(things: Sequence[Mapping[str, str]], parts: Sequence[Mapping[str, str]]) -> None:
    """Put these rows, and no others, into the world. `notes` become entries of the journal."""
    database = world()
    with database.transaction():
        for table in ("u_thing", "u_part", "sys_journal_field"):
            database._connection.execute(f'DELETE FROM "{table}"')
        for thing in things:
            row = {name: value for name, value in thing.items() if name != "notes"}
            database.insert(thing["sys_class_name"], row)
            for entry in filter(None, thing["notes"].split("|")):
                database.insert(
                    "sys_journal_field",
                    {"element_id": thing["sys_id"], "element": "notes", "name": "u_thing", "value": entry},
                )
        for part in parts:
            database.insert("u_part", dict(part))


def context(**more: object) -> Context:
    """What a query of Ada's sees."""
    values: dict[str, object] = {"now": NOW, "user": ADA, "time_zone": ZONE, "rows": world(), **more}
    return Context(**values)  # type: ignore[arg-type]


def asked(encoded: str, table: str = "u_thing", **more: object) -> list[str]:
    """The sys_ids of the rows that a query finds, in its order."""
    database = world()
    compiled = compile(database.dictionary, table, encoded, context(**more))
    sql = f'SELECT t0."sys_id" {compiled.from_sql} WHERE {compiled.where_sql} {compiled.order_sql}'
    return [row[0] for row in database.execute(sql, compiled.params)]
