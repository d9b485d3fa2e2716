"""Tables and fields as records: what a row of `sys_db_object` or `sys_dictionary` does when it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from wavetank.database.dictionary import (
    APART,
    NAME,
    Definition,
    field_from_row,
    field_row,
    system_fields,
    table_rows,
)

if TYPE_CHECKING:
    from wavetank.database.store import Database

# The columns that a dictionary is read from.
OBJECT_COLUMNS = ("sys_id", "name", "label", "super_class", "ws_access")
FIELD_COLUMNS = (
    "sys_id", "name", "element", "column_label", "internal_type", "reference", "max_length", "default_value",
    "mandatory", "read_only", "display", "choice", "unique", "attributes", "active", "audit",
)  # fmt: skip


def describe(database: Database, definitions: Iterable[Definition]) -> None:
    """Write the metadata rows of tables that are declared already."""
    objects: list[Mapping[str, str]] = []
    fields: list[Mapping[str, str]] = []
    for definition in definitions:
        parent = database.dictionary.table(definition.super)
        db_object, collection = table_rows(definition, parent.sys_id if parent else "")
        objects.append(db_object)
        fields.append(collection)
        fields += (field_row(definition.name, field) for field in definition.fields)
    database.insert_many("sys_db_object", objects)
    database.insert_many("sys_dictionary", fields)


def written(database: Database, table: str, row: Mapping[str, str]) -> None:
    """A row of a table has been written: the dictionary and the columns follow."""
    if table == "sys_db_object":
        _table_written(database, row)
    elif table == "sys_dictionary" and row["element"]:
        _field_written(database, row)


def deleted(database: Database, table: str, row: Mapping[str, str]) -> None:
    """A row of a table has been deleted: the dictionary follows; columns stay."""
    if table == "sys_dictionary" and row["element"] and database.dictionary.table(row["name"]):
        database.dictionary.remove_field(row["name"], row["element"])


def _table_written(database: Database, row: Mapping[str, str]) -> None:
    if not NAME.fullmatch(row["name"]):
        return
    dictionary, allowed = database.dictionary, row["ws_access"] != "false"
    old = dictionary.table(row["name"])
    if old is not None:
        if (old.label, old.ws_access) != (row["label"], allowed):
            known = dictionary.shape.definitions[old.name]
            dictionary.add(replace(known, label=row["label"], ws_access=allowed))
        return
    parents = [table for table in dictionary if table.sys_id == row["super_class"]]
    parent = parents[0].name if row["super_class"] and parents else ""
    own = (
        () if parent else tuple(replace(f, sys_id=database.new_sys_id()) for f in system_fields(row["name"]))
    )
    definition = Definition(
        row["name"], row["label"] or row["name"], parent, own, ws_access=allowed, sys_id=row["sys_id"]
    )
    dictionary.add(definition)
    database.create(definition.name, views=parent in APART)
    _, collection = table_rows(definition, "")
    fields = (field_row(definition.name, field) for field in own)
    database.insert_many("sys_dictionary", [collection, *fields], system=False)


def _field_written(database: Database, row: Mapping[str, str]) -> None:
    known = database.dictionary.table(row["name"])
    if known is None or not NAME.fullmatch(row["element"]):
        return
    if row["active"] == "false":
        database.dictionary.remove_field(row["name"], row["element"])
        return
    field = field_from_row(row)
    if known.fields.get(field.name) == field:
        return
    database.dictionary.add_field(known.name, field)
    below = (known.name, *database.dictionary.descendants(known.name))
    for root in {database.known(name).root for name in below}:
        database.create(root)
