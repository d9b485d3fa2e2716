"""Rules of the dictionary's own rows: what an instance needs to go on cannot be taken from it."""

from __future__ import annotations

from wavetank.behaviour.change import Change
from wavetank.database.dictionary import NAME
from wavetank.database.shipped import sys_id_for
from wavetank.errors import operation_failed

# Names that SQLite gives to its own row numbers.
_TAKEN = frozenset({"rowid", "oid", "_rowid_"})


def base_stays(change: Change) -> None:
    """Shipped tables and fields are not deleted, renamed or deactivated; no table changes its super class.

    Tables that were added stay as well: rows of theirs lie in the database. How the platform words its
    refusal is not verified.
    """
    old = change.previous or {}
    is_table = change.table.name == "sys_db_object" or not old["element"]
    keys = (old["name"],) if change.table.name == "sys_db_object" else (old["name"], old["element"])
    shipped = is_table or old["sys_id"] == sys_id_for(change.table.name, *keys)
    if change.operation == "delete":
        if shipped:
            raise operation_failed("Tables and fields of the base system cannot be deleted")
        return
    fixed = {"name", "element", "super_class"} | ({"active"} if shipped else set())
    if any(change.changes(name) for name in fixed & set(change.row)):
        raise operation_failed("Tables and fields keep their names and places")


def named(change: Change) -> None:
    """A table or a field has a name that can name a column and is not taken."""
    is_field = change.table.name == "sys_dictionary"
    name = change.row["element" if is_field else "name"]
    if is_field and not name:
        return
    known = change.instance.dictionary.table(change.row["name"]) if is_field else None
    taken = {each.lower() for each in known.fields} if known else set()
    if not NAME.fullmatch(name) or name.lower() in _TAKEN | taken:
        raise operation_failed(f"{name!r} cannot name a table or a field, or is taken")
