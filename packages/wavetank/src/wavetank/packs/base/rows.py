"""The rows of the base pack, area by area."""

from __future__ import annotations

from wavetank.database.store import Database
from wavetank.packs.base import (
    accounts,
    behaviour,
    catalog,
    guards,
    items,
    money,
    operation,
    organisation,
    platform,
    queries,
    security,
    ways_in,
    web_services,
)
from wavetank.packs.base.tables import definitions
from wavetank.packs.writing import choices, write, write_access

HERE = "wavetank.packs.base"
# Each has `rows()`: tables and what to write into them. A new area is a new module and its name here.
AREAS = (
    accounts,
    platform,
    operation,
    organisation,
    security,
    behaviour,
    catalog,
    items,
    money,
    web_services,
    queries,
    guards,
    ways_in,
)


def load(database: Database) -> None:
    """Create the tables and write the base pack's rows."""
    database.create_tables(definitions(HERE))
    write(database, "sys_choice", choices(HERE))
    for area in AREAS:
        for table, rows in area.rows():
            write(database, table, rows)
    for number in database.select("sys_number"):
        table = database.known(number["category"])
        database.update("sys_db_object", table.sys_id, {"number_ref": number["sys_id"]}, system=False)
    write_access(database, HERE)
