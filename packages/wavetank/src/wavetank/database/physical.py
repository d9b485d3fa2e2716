"""How tables lie in SQLite: one physical table for each class hierarchy, its columns, indexes and views."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from wavetank.database.dictionary import APART, COMPUTED, NAME, Dictionary

_INDEXES = (
    ("number",),
    ("correlation_id",),
    ("name", "element"),
    ("element_id", "element"),
    ("documentkey",),
    ("user_name",),
    ("user",),
    ("group",),
    ("role",),
    ("name",),
    ("parent",),
    ("manager",),
    ("sys_security_acl",),
    ("client_id",),
    ("token",),
    ("table_sys_id",),
    ("sys_attachment", "position"),
    ("id", "definition"),
)
# What readers that come again and again go by; only for tables that grow.
_BY_TIME = (("sys_updated_on", "sys_id"), ("sys_class_name", "sys_updated_on", "sys_id"))
_GROWING = ("sys_user", "sys_audit", "sys_journal_field", "sys_attachment", "sys_email", "sys_history")


def create(connection: sqlite3.Connection, dictionary: Dictionary, root: str) -> None:
    """Make a physical table, or give it the columns and indexes that it lacks."""
    if root in APART:
        return
    columns = dictionary.columns(root)
    if root in COMPUTED:
        shown, other = COMPUTED[root]
        listed = ", ".join(f'"{other.get(name, name)}" AS "{name}"' for name in columns)
        sql = f'CREATE VIEW IF NOT EXISTS "{root}" AS SELECT rowid, {listed} FROM "{shown}"'  # noqa: S608
        connection.execute(sql)
        return
    parts = ", ".join(_column(name) for name in columns)
    connection.execute(f'CREATE TABLE IF NOT EXISTS "{_checked(root)}" ({parts})')
    present = {each[1] for each in connection.execute(f'PRAGMA table_info("{root}")')}
    for name in columns:
        if name not in present:
            connection.execute(f'ALTER TABLE "{root}" ADD COLUMN {_column(name)}')
    for index in (*_INDEXES, *(_BY_TIME if _grows(dictionary, root) else ())):
        if all(name in columns for name in index):
            listed = ", ".join(f'"{name}"' for name in index)
            name = f"{root}__{'__'.join(index)}"
            connection.execute(f'CREATE INDEX IF NOT EXISTS "{name}" ON "{root}" ({listed})')


def create_views(connection: sqlite3.Connection, dictionary: Dictionary) -> None:
    """Make the views that show hierarchies whose classes are stored apart."""
    for name in APART:
        table = dictionary.table(name)
        if table is None:
            continue
        listed = ", ".join(f'"{field}"' for field in table.fields)
        roots = sorted(
            {each.root for below in dictionary.descendants(name) if (each := dictionary.table(below))}
        )
        parts = [f'SELECT rowid, {listed} FROM "{root}"' for root in roots]  # noqa: S608
        connection.execute(f'DROP VIEW IF EXISTS "{name}"')
        if parts:
            connection.execute(f'CREATE VIEW "{name}" AS {" UNION ALL ".join(parts)}')


class ForeignFile(ValueError):
    """The file is an SQLite database of something else."""


def refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """An empty file will be filled; a file with tables must be one of ours, or filling would wipe it.

    Raises ForeignFile.
    """
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if tables and not {"sys_db_object", "sys_dictionary"} <= tables:
        connection.close()
        raise ForeignFile(f"{path} is a database of something else; it is left alone")


def _grows(dictionary: Dictionary, root: str) -> bool:
    if set(dictionary.hierarchy(root)) & APART:
        return False
    return not root.startswith("sys_") or root.startswith(_GROWING)


def _column(name: str) -> str:
    primary = " PRIMARY KEY" if name == "sys_id" else ""
    return f"\"{_checked(name)}\" TEXT COLLATE NOCASE NOT NULL DEFAULT ''{primary}"


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a table or a field")
    return name
