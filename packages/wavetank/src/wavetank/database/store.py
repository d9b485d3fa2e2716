"""Rows on SQLite: real columns, one physical table for each class hierarchy, no rules and no access control.

Every value is text; "" is the platform's empty and NULL at once. Columns compare without regard to case
(ASCII), as the platform's database does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from wavetank.database.dictionary import (
    APART,
    COMPUTED,
    NAME,
    Definition,
    Dictionary,
    Table,
    definitions_from_rows,
    field_from_row,
    field_row,
    system_fields,
    table_rows,
)
from wavetank.database.expressions import Context

Row = dict[str, str]
Kept = TypeVar("Kept")
MOST_KEPT = 1000
_INDEXES = (
    ("number",),
    ("correlation_id",),
    ("sys_updated_on", "sys_id"),
    ("sys_class_name", "sys_updated_on", "sys_id"),
    ("name", "element"),
    ("element_id", "element"),
    ("documentkey",),
    ("user_name",),
    ("user",),
    ("group",),
    ("role",),
    ("name",),
    ("sys_security_acl",),
    ("client_id",),
    ("token",),
    ("table_sys_id",),
    ("id", "definition"),
)


class UnknownField(ValueError):
    """A write names a field that the table does not have."""


class UnknownTable(ValueError):
    """The instance has no such table."""


class ForeignFile(ValueError):
    """The file is an SQLite database of something else."""


class Database:
    """All rows of one instance. Not thread-safe: the caller holds the instance's lock."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        now: Callable[[], str],
        new_sys_id: Callable[[], str],
    ) -> None:
        self._connection = connection
        self._now = now
        self._new_sys_id = new_sys_id
        self._depth = 0
        self._epoch = 0
        self._revisions: dict[str, int] = {}
        self._roots: dict[tuple[str, ...], tuple[int, tuple[str, ...]]] = {}
        self._snapshots: dict[str, sqlite3.Connection] = {}
        self._columns: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._columns_revision = -1
        self._kept: dict[Hashable, Any] = {}
        self._kept_revision = -1
        self.dictionary = Dictionary()
        self.reload()

    @classmethod
    def open(
        cls,
        path: Path | None = None,
        *,
        now: Callable[[], str],
        new_sys_id: Callable[[], str],
    ) -> Database:
        """Open a database file, or a new one in memory. It may still be empty: see `wavetank.packs`.

        `now` gives the time as "YYYY-MM-DD HH:MM:SS" in UTC, `new_sys_id` 32 hexadecimal digits.
        Raises ForeignFile for a database of something else, sqlite3.Error for a file that is none, that
        cannot be opened, or that another process has open.
        """
        connection = sqlite3.connect(
            str(path) if path else ":memory:",
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        if path:
            _refuse_foreign(connection, path)
            # One process a file: what is kept in memory would not see another's writes.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA cache_size=-65536")
        return cls(connection, now=now, new_sys_id=new_sys_id)

    def close(self) -> None:
        """Close the file; the snapshots are gone."""
        for connection in (*self._snapshots.values(), self._connection):
            connection.close()

    # -- reading

    def get(self, table: str, sys_id: str) -> Row | None:
        """One row by sys_id with the fields of `table`, or None."""
        return self.first(table, sys_id=sys_id)

    def first(self, table: str, /, **equal: str) -> Row | None:
        """The first row whose fields equal the given values, or None."""
        return next(iter(self._find(table, equal, 1)), None)

    def find(self, table: str, /, **equal: str) -> list[Row]:
        """Every row whose fields equal the given values, oldest first."""
        return self._find(table, equal, None)

    def _find(self, table: str, equal: Mapping[str, str], limit: int | None) -> list[Row]:
        known = self.known(table)
        terms, params = self.class_condition(known)
        for name, value in equal.items():
            if name not in known.fields:
                raise UnknownField(f"{table} has no field {name}")
            terms.append(f't0."{name}" = ?')
            params.append(value)
        select, names = self._select(known)
        where = f" WHERE {' AND '.join(terms)}" if terms else ""
        tail = "" if limit is None else f" LIMIT {limit}"
        cursor = self._connection.execute(f"{select}{where} ORDER BY t0.rowid{tail}", params)
        return [dict(zip(names, values, strict=True)) for values in cursor]

    def select(
        self,
        table: str,
        encoded_query: str = "",
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Row]:
        """Rows that match an encoded query, in its order. Unknown fields in the query are dropped."""
        from wavetank.database import query

        compiled = query.compile(self.dictionary, table, encoded_query, query.Context(now=self._now()))
        known = self.known(table)
        names = tuple(columns) if columns is not None else tuple(known.fields)
        wanted = ", ".join(f't0."{name}"' for name in names)
        sql = f"SELECT {wanted} {compiled.from_sql} WHERE {compiled.where_sql} {compiled.order_sql}"
        params = list(compiled.params)
        if limit is not None or offset:
            sql += " LIMIT ? OFFSET ?"
            params += [limit if limit is not None else -1, offset]
        return [dict(zip(names, values, strict=True)) for values in self._connection.execute(sql, params)]

    def count(self, table: str, encoded_query: str = "") -> int:
        """How many rows match an encoded query."""
        from wavetank.database import query

        compiled = query.compile(self.dictionary, table, encoded_query, query.Context(now=self._now()))
        sql = f"SELECT COUNT(*) {compiled.from_sql} WHERE {compiled.where_sql}"
        return int(self._connection.execute(sql, compiled.params).fetchone()[0])

    def matches(self, table: str, row: Mapping[str, str], encoded_query: str, context: Context) -> bool:
        """Whether a row, stored or not, meets an encoded query."""
        from wavetank.database import query

        compiled = query.compile(self.dictionary, table, encoded_query, context)
        known = self.known(table)
        needed = {path.partition(".")[0] for path in compiled.fields} & set(known.fields)
        names = sorted(needed | {"sys_id"} | ({"sys_class_name"} if known.shared else set()))
        values = ", ".join(f'? COLLATE NOCASE AS "{name}"' for name in names)
        source = compiled.from_sql.replace(f'"{known.root}" t0', f"(SELECT {values}) t0", 1)
        sql = f"SELECT 1 {source} WHERE {compiled.where_sql}"
        held = {"sys_class_name": table, **{name: value for name, value in row.items() if value}}
        params = [*(held.get(name, "") for name in names), *compiled.params]
        return self._connection.execute(sql, params).fetchone() is not None

    def execute(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Cursor:
        """Run one SQL statement that only reads; for the compiled queries of this package."""
        return self._connection.execute(sql, params)

    def kept(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """What `make` makes, made once until the dictionary changes: prepared statements and the like."""
        if self._kept_revision != self.dictionary.revision or len(self._kept) > MOST_KEPT:
            self._kept.clear()
            self._kept_revision = self.dictionary.revision
        found: Kept | None = self._kept.get(key)
        if found is None:
            found = self._kept[key] = make()
        return found

    def revision(self, *tables: str) -> int:
        """A number that grows whenever a row of one of the tables is written: the key of every cache."""
        shape = self.dictionary.revision
        cached = self._roots.get(tables)
        if cached is None or cached[0] != shape:
            known = (self.dictionary.table(name) for name in tables)
            cached = (shape, tuple({table.root for table in known if table}))
            self._roots[tables] = cached
        total = self._epoch
        for root in cached[1]:
            total += self._revisions.get(root, 0)
        return total

    # -- writing

    def insert(
        self, table: str, values: Mapping[str, str], *, system: bool = True, by: str = "system"
    ) -> Row:
        """Insert a row and return it whole. With `system`, absent sys_ fields are filled in.

        Raises UnknownTable, UnknownField, and sqlite3.IntegrityError when the sys_id is taken.
        """
        known = self.known(table)
        row = self._filled(known, values, by) if system else self._named(known, values)
        self._insert(known, row)
        stored = self.get(table, row["sys_id"])
        assert stored is not None
        self._schema_written(table, stored)
        return stored

    def insert_many(self, table: str, rows: Iterable[Mapping[str, str]], *, by: str = "system") -> None:
        """Insert rows as `insert` does, without reading them back. Not for tables of the dictionary."""
        known = self.known(table)
        filled = [self._filled(known, row, by) for row in rows]
        for names, alike in groupby(filled, key=tuple):
            self._connection.executemany(
                self._insertion(known, names), [tuple(row.values()) for row in alike]
            )
            self._touched(known)

    def update(
        self,
        table: str,
        sys_id: str,
        values: Mapping[str, str],
        *,
        system: bool = True,
        by: str = "system",
    ) -> Row:
        """Change fields of one row and return it whole. With `system`, the stamps and the count move.

        Raises KeyError when there is no such row, UnknownTable, UnknownField.
        """
        known = self.known(table)
        changes = dict(values)
        if system:
            changes.setdefault("sys_updated_on", self._now())
            changes.setdefault("sys_updated_by", by)
        names = self._known_names(known, changes)
        if names or system:
            assignments = [f'"{name}" = ?' for name in names]
            if system and "sys_mod_count" not in changes:
                assignments.append('"sys_mod_count" = CAST(CAST("sys_mod_count" AS INTEGER) + 1 AS TEXT)')
            sql = f'UPDATE "{known.root}" SET {", ".join(assignments)} WHERE "sys_id" = ?'  # noqa: S608
            self._connection.execute(sql, [*(changes[name] for name in names), sys_id])
            self._touched(known)
        stored = self.get(table, changes.get("sys_id", sys_id))
        if stored is None:
            raise KeyError(f"{table} {sys_id}")
        self._schema_written(table, stored)
        return stored

    def delete(self, table: str, sys_id: str) -> bool:
        """Delete one row; says whether there was one."""
        known = self.known(table)
        row = self.get(table, sys_id)
        if row is None:
            return False
        self._connection.execute(f'DELETE FROM "{known.root}" WHERE "sys_id" = ?', [sys_id])  # noqa: S608
        self._touched(known)
        if table == "sys_dictionary" and row["element"] and self.dictionary.table(row["name"]):
            self.dictionary.remove_field(row["name"], row["element"])
        return True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; may be nested."""
        point = f"level{self._depth}"
        shape = self.dictionary.revision
        self._connection.execute(f"SAVEPOINT {point}" if self._depth else "BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
            self._connection.execute(f"RELEASE {point}" if self._depth > 1 else "COMMIT")
        except BaseException:
            self._undo(point)
            if self.dictionary.revision != shape:
                self.reload()
            raise
        finally:
            self._depth -= 1

    @contextmanager
    def recorded(self, statements: list[str]) -> Iterator[None]:
        """Add the statements that write, with their values in place, to a list; `replay` takes them."""
        writing = ("INSERT", "UPDATE", "DELETE", "ALTER", "CREATE")
        self._connection.set_trace_callback(
            lambda each: statements.append(each) if each.startswith(writing) else None
        )
        try:
            yield
        finally:
            self._connection.set_trace_callback(None)

    def replay(self, statements: Iterable[str]) -> None:
        """Do again what was recorded and then undone."""
        with self.transaction():
            for statement in statements:
                self._connection.execute(statement)
        self.reload()

    def _undo(self, point: str) -> None:
        # A full disk makes SQLite roll everything back by itself: then there is nothing left to undo.
        if self._connection.in_transaction:
            if self._depth > 1:
                self._connection.execute(f"ROLLBACK TO {point}")
                self._connection.execute(f"RELEASE {point}")
            else:
                self._connection.execute("ROLLBACK")
        self._epoch += 1_000_000

    # -- the whole

    def create_tables(self, definitions: Sequence[Definition]) -> None:
        """Declare tables and write their metadata rows. Parents may come in any order.

        Every definition and field must carry its sys_id; `sys_db_object` and `sys_dictionary` must be
        among the tables, or exist.
        """
        known = [
            Definition(t.name, t.label, t.super, t.own, t.audited, t.ws_access, t.sys_id)
            for t in self.dictionary
        ]
        self.dictionary.load([*known, *definitions])
        with self.transaction():
            for root in sorted({self.known(each.name).root for each in definitions}):
                self._create(root)
            for definition in definitions:
                self._describe(definition)
            self._create_views()

    def reload(self) -> None:
        """Read the dictionary again from its rows."""
        found = self._connection.execute(
            "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('sys_db_object', 'sys_dictionary')"
        ).fetchone()[0]
        if found == 2:
            self.dictionary.load(
                definitions_from_rows(self._raw("sys_db_object"), self._raw("sys_dictionary"))
            )
        self._epoch += 1_000_000

    def image(self) -> bytes:
        """The whole database as bytes; `load_image` takes them. For making many instances quickly."""
        return self._connection.serialize()

    def load_image(self, image: bytes) -> None:
        """Become the database that `image` was taken of."""
        source = sqlite3.connect(":memory:")
        source.deserialize(image)
        source.backup(self._connection)
        source.close()
        self.reload()

    def snapshot(self, name: str) -> None:
        """Keep the present rows under a name, in memory, replacing an older one of that name."""
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        self._connection.backup(copy)
        old = self._snapshots.pop(name, None)
        if old:
            old.close()
        self._snapshots[name] = copy

    def restore(self, name: str) -> None:
        """Go back to the rows kept under a name. Raises KeyError for an unknown one."""
        self._snapshots[name].backup(self._connection)
        self.reload()

    def known(self, table: str) -> Table:
        """The table of the dictionary. Raises UnknownTable."""
        known = self.dictionary.table(table)
        if known is None:
            raise UnknownTable(f"no table {table}")
        return known

    def class_condition(self, table: Table) -> tuple[list[str], list[Any]]:
        """SQL terms and parameters that keep rows of other classes out."""
        if table.name == table.root or not table.shared:
            return [], []
        below = self.dictionary.descendants(table.name)
        if not below:
            return ['t0."sys_class_name" = ?'], [table.name]
        marks = ", ".join("?" * (1 + len(below)))
        return [f't0."sys_class_name" IN ({marks})'], [table.name, *below]

    # -- within

    def _raw(self, table: str) -> list[Row]:
        cursor = self._connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608
        names = [each[0] for each in cursor.description]
        return [dict(zip(names, values, strict=True)) for values in cursor]

    def _select(self, table: Table) -> tuple[str, tuple[str, ...]]:
        if self._columns_revision != self.dictionary.revision:
            self._columns.clear()
            self._columns_revision = self.dictionary.revision
        if table.name not in self._columns:
            names = tuple(table.fields)
            wanted = ", ".join(f't0."{name}"' for name in names)
            self._columns[table.name] = (f'SELECT {wanted} FROM "{table.root}" t0', names)  # noqa: S608
        return self._columns[table.name]

    def _known_names(self, table: Table, values: Iterable[str]) -> list[str]:
        unknown = [name for name in values if name not in table.fields]
        if unknown:
            raise UnknownField(f"{table.name} has no field {', '.join(sorted(unknown))}")
        return list(values)

    def _filled(self, table: Table, values: Mapping[str, str], by: str) -> Row:
        now = self._now()
        made = {"sys_created_on": now, "sys_created_by": by, "sys_updated_on": now, "sys_updated_by": by}
        return self._named(table, {**made, "sys_mod_count": "0", **values})

    def _named(self, table: Table, values: Mapping[str, str]) -> Row:
        """With a sys_id and the class."""
        row = dict(values)
        if not row.get("sys_id"):
            row["sys_id"] = self._new_sys_id()
        if "sys_class_name" in table.fields and not row.get("sys_class_name"):
            row["sys_class_name"] = table.name
        return row

    def _insertion(self, table: Table, names: Iterable[str]) -> str:
        columns = ", ".join(f'"{name}"' for name in self._known_names(table, names))
        marks = ", ".join("?" * (columns.count(",") + 1))
        return f'INSERT INTO "{table.root}" ({columns}) VALUES ({marks})'  # noqa: S608

    def _insert(self, table: Table, row: Mapping[str, str]) -> None:
        self._connection.execute(self._insertion(table, row), list(row.values()))
        self._touched(table)

    def _touched(self, table: Table) -> None:
        self._revisions[table.root] = self._revisions.get(table.root, 0) + 1

    def _create(self, root: str) -> None:
        if root in APART:
            return
        columns = self.dictionary.columns(root)
        if root in COMPUTED:
            shown, other = COMPUTED[root]
            listed = ", ".join(f'"{other.get(name, name)}" AS "{name}"' for name in columns)
            sql = f'CREATE VIEW IF NOT EXISTS "{root}" AS SELECT rowid, {listed} FROM "{shown}"'  # noqa: S608
            self._connection.execute(sql)
            return
        parts = ", ".join(_column(name) for name in columns)
        self._connection.execute(f'CREATE TABLE IF NOT EXISTS "{_checked(root)}" ({parts})')
        present = {each[1] for each in self._connection.execute(f'PRAGMA table_info("{root}")')}
        for name in columns:
            if name not in present:
                self._connection.execute(f'ALTER TABLE "{root}" ADD COLUMN {_column(name)}')
        for index in _INDEXES:
            if all(name in columns for name in index):
                listed = ", ".join(f'"{name}"' for name in index)
                name = f"{root}__{'__'.join(index)}"
                self._connection.execute(f'CREATE INDEX IF NOT EXISTS "{name}" ON "{root}" ({listed})')

    def _create_views(self) -> None:
        for name in APART:
            table = self.dictionary.table(name)
            if table is None:
                continue
            listed = ", ".join(f'"{field}"' for field in table.fields)
            roots = sorted({self.known(each).root for each in self.dictionary.descendants(name)})
            parts = [f'SELECT rowid, {listed} FROM "{root}"' for root in roots]  # noqa: S608
            self._connection.execute(f'DROP VIEW IF EXISTS "{name}"')
            if parts:
                self._connection.execute(f'CREATE VIEW "{name}" AS {" UNION ALL ".join(parts)}')

    def _describe(self, definition: Definition) -> None:
        parent = self.dictionary.table(definition.super)
        db_object, collection = table_rows(definition, parent.sys_id if parent else "")
        fields = [field_row(definition.name, field) for field in definition.fields]
        now = self._now()
        stamps = {
            "sys_created_on": now,
            "sys_created_by": "system",
            "sys_updated_on": now,
            "sys_updated_by": "system",
            "sys_mod_count": "0",
        }
        self._insert(self.known("sys_db_object"), {**stamps, "sys_class_name": "sys_db_object", **db_object})
        for row in (collection, *fields):
            row.setdefault("sys_id", "")
            row["sys_id"] = row["sys_id"] or self._new_sys_id()
            self._insert(self.known("sys_dictionary"), {**stamps, "sys_class_name": "sys_dictionary", **row})

    def _schema_written(self, table: str, row: Row) -> None:
        if table == "sys_db_object":
            self._table_written(row)
        elif table == "sys_dictionary" and row["element"]:
            self._field_written(row)

    def _table_written(self, row: Row) -> None:
        if not NAME.fullmatch(row["name"]):
            return
        old = self.dictionary.table(row["name"])
        if old is not None:
            definition = Definition(
                old.name,
                row["label"],
                old.super,
                old.own,
                old.audited,
                row["ws_access"] != "false",
                old.sys_id,
            )
            self.dictionary.add(definition)
            return
        parents = [table for table in self.dictionary if table.sys_id == row["super_class"]]
        parent = parents[0].name if row["super_class"] and parents else ""
        definition = Definition(
            row["name"],
            row["label"] or row["name"],
            parent,
            ()
            if parent
            else tuple(replace(f, sys_id=self._new_sys_id()) for f in system_fields(row["name"])),
            ws_access=row["ws_access"] != "false",
            sys_id=row["sys_id"],
        )
        self.dictionary.add(definition)
        self._create(self.known(definition.name).root)
        _, collection = table_rows(definition, "")
        for each in (collection, *(field_row(definition.name, field) for field in definition.fields)):
            each.setdefault("sys_id", self._new_sys_id())
            each["sys_class_name"] = "sys_dictionary"
            self._insert(self.known("sys_dictionary"), each)
        if parent in APART:
            self._create_views()

    def _field_written(self, row: Row) -> None:
        known = self.dictionary.table(row["name"])
        if known is None or not NAME.fullmatch(row["element"]):
            return
        if row["active"] == "false":
            self.dictionary.remove_field(row["name"], row["element"])
            return
        field = field_from_row(row)
        if known.fields.get(field.name) == field:
            return
        self.dictionary.add_field(known.name, field)
        for root in {
            self.known(name).root for name in (known.name, *self.dictionary.descendants(known.name))
        }:
            self._create(root)


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """An empty file will be filled; a file with tables must be one of ours, or filling would wipe it."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if tables and not {"sys_db_object", "sys_dictionary"} <= tables:
        connection.close()
        raise ForeignFile(f"{path} is a database of something else; it is left alone")


def _column(name: str) -> str:
    primary = " PRIMARY KEY" if name == "sys_id" else ""
    return f"\"{_checked(name)}\" TEXT COLLATE NOCASE NOT NULL DEFAULT ''{primary}"


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a table or a field")
    return name
