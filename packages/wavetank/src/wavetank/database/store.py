"""Rows on SQLite: real columns, one physical table for each class hierarchy, no rules and no access control.

Every value is text; "" is the platform's empty and NULL at once. Columns compare without regard to case
(ASCII), as the platform's database does.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from wavetank.database import physical, schema
from wavetank.database.dictionary import Definition, Dictionary, Shape, Table, definitions_from_rows
from wavetank.database.expressions import Context
from wavetank.database.indexing import Indexing
from wavetank.database.physical import ForeignFile

__all__ = ["Database", "ForeignFile", "Row", "UnknownField", "UnknownTable"]

Row = dict[str, str]
Kept = TypeVar("Kept")
MOST_KEPT = 2000
MOST_IMAGES = 3
STEPS = 100_000  # of SQLite's machine, a few milliseconds, between two looks at the clock


class UnknownField(ValueError):
    """A write names a field that the table does not have."""


class UnknownTable(ValueError):
    """The instance has no such table."""


@dataclass(frozen=True)
class _Moment:
    """What is known of the rows at one moment: their dictionary, and the names of their contents."""

    shape: Shape
    revisions: Mapping[str, int]
    floor: int


# Reading the dictionary of an image costs more than copying its rows: what was read once is remembered.
_shapes: dict[bytes, Shape] = {}


class Database:
    """All rows of one instance. Not thread-safe: the caller holds the instance's lock."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        now: Callable[[], str],
        new_sys_id: Callable[[], str],
        in_memory: bool = False,
    ) -> None:
        self._connection = connection
        self._in_memory = in_memory
        # What the open transaction round all others would go back to; None when there is none.
        self._base: object = None
        self._now = now
        self.new_sys_id = new_sys_id
        self._depth = 0
        self._moments = itertools.count(1)
        self._floor = 0
        self._revisions: dict[str, int] = {}
        self._roots: dict[tuple[str, ...], tuple[int, tuple[str, ...]]] = {}
        self._snapshots: dict[str, tuple[sqlite3.Connection, _Moment]] = {}
        self._images: dict[bytes, tuple[sqlite3.Connection, _Moment]] = {}
        self._kept: dict[Hashable, Any] = {}
        self._kept_revision = -1
        self.indexing = Indexing(connection, busy=lambda: self._depth > 0)
        # Until when statements may run, on the clock of time.perf_counter; longer ones are interrupted.
        self.deadline: float | None = None
        connection.set_progress_handler(self._overdue, STEPS)
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
            physical.refuse_foreign(connection, path)
            # One process a file: what is kept in memory would not see another's writes.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA cache_size=-65536")
        return cls(connection, now=now, new_sys_id=new_sys_id, in_memory=path is None)

    def _overdue(self) -> int:
        return int(self.deadline is not None and time.perf_counter() > self.deadline)

    def close(self) -> None:
        """Close the file; the snapshots are gone."""
        for connection, _ in (*self._snapshots.values(), *self._images.values()):
            connection.close()
        self._connection.close()

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
        named = tuple(equal)
        sql, params, names = self.kept(
            ("find", table, named, limit), lambda: self._finding(self.known(table), named, limit)
        )
        cursor = self._connection.execute(sql, (*params, *equal.values()))
        return [dict(zip(names, values, strict=True)) for values in cursor]

    def _finding(
        self, table: Table, named: Sequence[str], limit: int | None
    ) -> tuple[str, list[Any], tuple[str, ...]]:
        terms, params = self.class_condition(table)
        for name in named:
            if name not in table.fields:
                raise UnknownField(f"{table.name} has no field {name}")
            terms.append(f't0."{name}" = ?')
        names = tuple(table.fields)
        wanted = ", ".join(f't0."{name}"' for name in names)
        where = f" WHERE {' AND '.join(terms)}" if terms else ""
        tail = "" if limit is None else f" LIMIT {limit}"
        # A sys_id names one row: an order would only keep SQLite from taking its index.
        order = "" if "sys_id" in named else " ORDER BY t0.rowid"
        return f'SELECT {wanted} FROM "{table.root}" t0{where}{order}{tail}', params, names  # noqa: S608

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

        compiled = query.compile(self.dictionary, table, encoded_query, self._context())
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

        compiled = query.compile(self.dictionary, table, encoded_query, self._context())
        sql = f"SELECT COUNT(*) {compiled.from_sql} WHERE {compiled.where_sql}"
        return int(self._connection.execute(sql, compiled.params).fetchone()[0])

    def _context(self) -> Context:
        return Context(now=self._now(), rows=self)

    def matches(self, table: str, row: Mapping[str, str], encoded_query: str, context: Context) -> bool:
        """Whether a row, stored or not, meets an encoded query."""
        from wavetank.database import query

        compiled = query.compile(self.dictionary, table, encoded_query, context)
        known = self.known(table)
        names = sorted(set(compiled.columns) & set(known.fields))
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
        """A number that names the present content of some tables: the key of every cache.

        It never names another content; rows that come back (by a restore, by an undone transaction) bring
        their number back.
        """
        shape = self.dictionary.revision
        cached = self._roots.get(tables)
        if cached is None or cached[0] != shape:
            known = (self.dictionary.table(name) for name in tables)
            cached = (shape, tuple({table.root for table in known if table}))
            self._roots[tables] = cached
        newest, written = self._floor, self._revisions
        for root in cached[1]:  # the last write to any of them: no later one can have a smaller number
            if root in written and written[root] > newest:
                newest = written[root]
        return newest

    # -- writing

    def insert(
        self, table: str, values: Mapping[str, str], *, system: bool = True, by: str = "system"
    ) -> Row:
        """Insert a row and return it whole. With `system`, absent sys_ fields are filled in.

        Raises UnknownTable, UnknownField, and sqlite3.IntegrityError when the sys_id is taken.
        """
        known = self.known(table)
        row = self._filled(known, values, by) if system else self._named(known, values)
        self._write(self._insertion(known, tuple(row)), tuple(row.values()))
        self._touched(known)
        stored = {name: row.get(name, "") for name in known.fields}
        schema.written(self, table, stored)
        return stored

    def insert_many(
        self, table: str, rows: Iterable[Mapping[str, str]], *, system: bool = True, by: str = "system"
    ) -> None:
        """Insert rows as `insert` does, but the dictionary does not follow: not for its own tables' sake."""
        known = self.known(table)
        filled = (self._filled(known, row, by) if system else self._named(known, row) for row in rows)
        with self._uninterrupted():
            for names, alike in itertools.groupby(filled, key=tuple):
                self._connection.executemany(
                    self._insertion(known, names), (tuple(row.values()) for row in alike)
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
        counts = system and "sys_mod_count" in known.fields
        if counts:
            changes.setdefault("sys_updated_on", self._now())
            changes.setdefault("sys_updated_by", by)
        if counts and "sys_mod_count" not in changes:
            counted = ', "sys_mod_count" = CAST(CAST("sys_mod_count" AS INTEGER) + 1 AS TEXT)'
        else:
            counted = ""
        if not changes:
            stored = self.get(table, sys_id)
        else:
            sql = self._updating(known, tuple(changes), counted)
            found = self._write(sql, (*changes.values(), sys_id))
            stored = dict(zip(known.fields, found[0], strict=True)) if found else None
            self._touched(known)
        if stored is None:
            raise KeyError(f"{table} {sys_id}")
        schema.written(self, table, stored)
        return stored

    def _updating(self, table: Table, names: tuple[str, ...], counted: str) -> str:
        def make() -> str:
            changes = ", ".join(f'"{name}" = ?' for name in self._known_names(table, names)) + counted
            shown = ", ".join(f'"{name}"' for name in table.fields)
            return f'UPDATE "{table.root}" SET {changes} WHERE "sys_id" = ? RETURNING {shown}'  # noqa: S608

        return self.kept(("update", table.name, names, counted), make)

    def delete(self, table: str, sys_id: str) -> bool:
        """Delete one row; says whether there was one."""
        known = self.known(table)
        row = self.get(table, sys_id)
        if row is None:
            return False
        self._write(f'DELETE FROM "{known.root}" WHERE "sys_id" = ?', (sys_id,))  # noqa: S608
        self._touched(known)
        schema.deleted(self, table, row)
        return True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; may be nested."""
        point = f"level{self._depth}"
        before = self._moment()
        within = self._depth > 0 or self._base is not None
        self._connection.execute(f"SAVEPOINT {point}" if within else "BEGIN IMMEDIATE")
        self._depth += 1
        try:
            with self._uninterrupted():
                yield
            self._connection.execute(f"RELEASE {point}" if within else "COMMIT")
        except BaseException:
            self._undo(point if within else "")
            self._put(before)
            raise
        finally:
            self._depth -= 1

    @contextmanager
    def _uninterrupted(self) -> Iterator[None]:
        """Without a deadline: an interrupted write would undo all that is not committed, back to the base."""
        deadline, self.deadline = self.deadline, None
        try:
            yield
        finally:
            self.deadline = deadline

    def _write(self, sql: str, params: Sequence[Any]) -> list[tuple[str, ...]]:
        with self._uninterrupted():
            return self._connection.execute(sql, params).fetchall()

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
        self.reload()  # whatever they have written

    def _undo(self, point: str) -> None:
        # A full disk makes SQLite roll everything back by itself: then there is nothing left to undo.
        if not self._connection.in_transaction:
            self._base = None
        elif point:
            self._connection.execute(f"ROLLBACK TO {point}")
            self._connection.execute(f"RELEASE {point}")
        else:
            self._connection.execute("ROLLBACK")

    # -- the whole

    def create_tables(self, definitions: Sequence[Definition]) -> None:
        """Declare tables and write their metadata rows. Parents may come in any order.

        Every definition and field must carry its sys_id; `sys_db_object` and `sys_dictionary` must be
        among the tables, or exist.
        """
        self.dictionary.load([*self.dictionary.shape.definitions.values(), *definitions])
        with self.transaction():
            for root in sorted({self.known(each.name).root for each in definitions}):
                self.create(root)
            schema.describe(self, definitions)
            physical.create_views(self._connection, self.dictionary)

    def create(self, root: str, *, views: bool = False) -> None:
        """Make a physical table as the dictionary has it, or what it lacks; with `views`, those over it."""
        physical.create(self._connection, self.dictionary, root)
        if views:
            physical.create_views(self._connection, self.dictionary)

    def reload(self) -> None:
        """Read the dictionary again from its rows, after all rows have been exchanged."""
        self._reload(None)

    def _reload(self, shape: Shape | None) -> None:
        """As `reload`; a shape that is known already need not be read."""
        if shape is not None:
            self.dictionary.shape = shape
        else:
            self._read_dictionary()
        self._revisions = {}
        self._floor = next(self._moments)

    def _read_dictionary(self) -> None:
        found = self._connection.execute(
            "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('sys_db_object', 'sys_dictionary')"
        ).fetchone()[0]
        if found == 2:
            objects = self._raw("sys_db_object", schema.OBJECT_COLUMNS)
            fields = self._raw("sys_dictionary", schema.FIELD_COLUMNS)
            self.dictionary.load(definitions_from_rows(objects, fields))

    def _moment(self) -> _Moment:
        return _Moment(self.dictionary.shape, dict(self._revisions), self._floor)

    def _put(self, moment: _Moment) -> None:
        self.dictionary.shape = moment.shape
        self._revisions, self._floor = dict(moment.revisions), moment.floor

    def image(self) -> bytes:
        """The whole database as bytes; `load_image` takes them. For making many instances quickly."""
        self._settle()
        return self._connection.serialize()

    def load_image(self, image: bytes) -> None:
        """Become the database that `image` was taken of. A second time the same one is quick."""
        known = self._images.get(image)
        if known is not None:
            self._return_to(known)
            return
        source = sqlite3.connect(":memory:", check_same_thread=False)
        source.deserialize(image)
        self._settle()
        source.backup(self._connection)
        self._reload(_shapes.get(image))
        if len(_shapes) < MOST_IMAGES:
            _shapes[image] = self.dictionary.shape
        if len(self._images) < MOST_IMAGES:
            self._images[image] = source, self._moment()
            self._found(self._images[image])
        else:
            source.close()

    def snapshot(self, name: str) -> None:
        """Keep the present rows under a name, in memory, replacing an older one of that name."""
        self._settle()
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        self._connection.backup(copy)
        old = self._snapshots.pop(name, None)
        if old:
            old[0].close()
        self._snapshots[name] = copy, self._moment()
        self._found(self._snapshots[name])

    def restore(self, name: str) -> None:
        """Go back to the rows kept under a name. Raises KeyError for an unknown one."""
        self._return_to(self._snapshots[name])

    # In memory all writes since the last known state lie in one open transaction: going back to that state
    # is to roll it back, which costs what was written and keeps every prepared statement.

    def _found(self, state: object) -> None:
        if self._in_memory:
            self._connection.execute("BEGIN")
            self._base = state

    def _settle(self) -> None:
        if self._base is not None:
            self._connection.execute("COMMIT")
            self._base = None

    def _return_to(self, state: tuple[sqlite3.Connection, _Moment]) -> None:
        if self._base is state:
            self._connection.execute("ROLLBACK")
        else:
            self._settle()
            state[0].backup(self._connection)
        self._found(state)
        self._put(state[1])

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

    def _raw(self, table: str, names: Sequence[str]) -> Iterator[Row]:
        listed = ", ".join(f'"{name}"' for name in names)
        cursor = self._connection.execute(f'SELECT {listed} FROM "{table}"')  # noqa: S608
        return (dict(zip(names, values, strict=True)) for values in cursor)

    def _known_names(self, table: Table, values: Iterable[str]) -> list[str]:
        unknown = [name for name in values if name not in table.fields]
        if unknown:
            raise UnknownField(f"{table.name} has no field {', '.join(sorted(unknown))}")
        return list(values)

    def _filled(self, table: Table, values: Mapping[str, str], by: str) -> Row:
        now = self._now()
        made = {"sys_created_on": now, "sys_created_by": by}
        if "sys_mod_count" in table.fields:
            made |= {"sys_updated_on": now, "sys_updated_by": by, "sys_mod_count": "0"}
        return self._named(table, {**made, **values})

    def _named(self, table: Table, values: Mapping[str, str]) -> Row:
        """With a sys_id and the class."""
        row = dict(values)
        if not row.get("sys_id"):
            row["sys_id"] = self.new_sys_id()
        if "sys_class_name" in table.fields and not row.get("sys_class_name"):
            row["sys_class_name"] = table.name
        return row

    def _insertion(self, table: Table, names: tuple[str, ...]) -> str:
        def make() -> str:
            columns = ", ".join(f'"{name}"' for name in self._known_names(table, names))
            marks = ", ".join("?" * len(names))
            return f'INSERT INTO "{table.root}" ({columns}) VALUES ({marks})'  # noqa: S608

        return self.kept(("insert", table.name, names), make)

    def _touched(self, table: Table) -> None:
        self._revisions[table.root] = next(self._moments)
