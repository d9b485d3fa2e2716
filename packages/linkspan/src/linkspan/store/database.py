"""One database, one transaction object.

SQLite in WAL mode with full synchronisation: a committed event survives a power cut. Writers of one
process queue on a lock (SQLite's own busy waiting is slow and unfair), other processes on the
busy timeout. On PostgreSQL, writers that append to a sequence take an advisory lock, so that a
reader who follows the sequence never passes a row that commits late.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy import event

from linkspan.core.errors import ConfigError, Unreachable

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MILLISECONDS = 30_000
APPEND_LOCK = 0x6C696E6B  # any fixed number, the same for every process of one store


class Database:
    """The store. ``begin`` writes, ``read`` reads; both yield a SQLAlchemy connection in a transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._writer = threading.RLock()

    @classmethod
    def open(cls, home: Path) -> Self:
        """The store of this home: LINKSPAN_DATABASE_URL if set, else ``linkspan.db`` in it, migrated.

        Raises ConfigError when the URL cannot be used, Unreachable when the database does not answer.
        """
        url = os.environ.get("LINKSPAN_DATABASE_URL") or f"sqlite:///{home / 'linkspan.db'}"
        database = cls(make_engine(url))
        try:
            database.migrate()
        except sa.exc.OperationalError as error:
            raise Unreachable(
                f"the store does not answer: {str(error.orig).splitlines()[0]}",
                fix="start the database, or check LINKSPAN_DATABASE_URL and the free space of the disk",
                where="store",
                code="store_unreachable",
            ) from error
        return database

    @property
    def engine(self) -> sa.Engine:
        """For migrations and tests."""
        return self._engine

    def migrate(self) -> None:
        """Bring the schema to this release. Cheap when it is there already."""
        if self._revision() == newest_revision():
            return
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _revision(self) -> str | None:
        with self.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A writing transaction: committed at the end, rolled back on an exception."""
        with self._writer if self._is_sqlite else nullcontext(), self._engine.connect() as connection:
            writing = connection.execution_options(linkspan_writes=True)
            with writing.begin():
                if not self._is_sqlite:
                    writing.execute(sa.select(sa.func.pg_advisory_xact_lock(APPEND_LOCK)))
                yield writing

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A reading transaction: one consistent view."""
        # PostgreSQL's default level takes a new view for each statement.
        level = {} if self._is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._engine.connect() as fresh:
            connection = fresh.execution_options(**level)
            with connection.begin():
                yield connection

    def problem(self) -> str:
        """Why the store does not answer, as a sentence; empty when it does."""
        try:
            with self.read() as connection:
                connection.execute(sa.text("SELECT 1 FROM alembic_version"))
        except sa.exc.SQLAlchemyError as error:
            return f"the store does not answer: {type(error).__name__}"
        return ""

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()


def newest_revision() -> str:
    """The revision of the newest migration; each file's name begins with its own."""
    return max(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def make_engine(url: str) -> sa.Engine:
    """An engine for a SQLite or PostgreSQL URL, set up as this module says. Raises ConfigError."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise ConfigError(
            "LINKSPAN_DATABASE_URL is not a database URL",
            fix="write postgresql://user@host/name, or unset it to use SQLite",
            where="LINKSPAN_DATABASE_URL",
        ) from error
    if parsed.get_backend_name() == "postgresql":
        driver = parsed.set(drivername="postgresql+psycopg")
        # An error shall not carry the rows it was about into a log.
        return sa.create_engine(driver, pool_pre_ping=True, hide_parameters=True)
    if parsed.get_backend_name() != "sqlite":
        raise ConfigError(
            f"{parsed.get_backend_name()} is not supported as a store",
            fix="use PostgreSQL, or unset it to use SQLite",
            where="LINKSPAN_DATABASE_URL",
        )
    waiting = {"timeout": BUSY_MILLISECONDS / 1000}
    engine = sa.create_engine(parsed, connect_args=waiting, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_MILLISECONDS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("linkspan_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def upsert(
    connection: sa.Connection, table: sa.Table, values: dict[str, Any], *, keys: tuple[str, ...]
) -> None:
    """Insert a row, or bring the one with the same ``keys`` to these values."""
    connection.execute(_upsert(connection.dialect.name, table, tuple(values), keys), values)


def columns(table: sa.Table, shape: type[Any], *, but: tuple[str, ...] = ()) -> list[sa.Column[Any]]:
    """The columns of a table that a dataclass has as fields, but for some."""
    return [table.c[one.name] for one in fields(shape) if one.name not in but]


def insert_new(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> bool:
    """Insert a row unless a unique rule forbids it; True if it is new."""
    # Without the option the count is lost on PostgreSQL (-1), as it is for any insert.
    counted = {"preserve_rowcount": True}
    done = connection.execute(_insert_new(connection.dialect.name, table), values, execution_options=counted)
    return done.rowcount > 0


def insert_all_new(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> int:
    """Insert rows of the same columns unless a unique rule forbids them; how many are new."""
    counted = {"preserve_rowcount": True}
    statement = _insert_new(connection.dialect.name, table)
    return connection.execute(statement, rows, execution_options=counted).rowcount


# Building a statement costs more than running it: these are built once for each table and shape.


@cache
def _insert_new(dialect: str, table: sa.Table) -> Any:
    return _insert(dialect, table).on_conflict_do_nothing()


@cache
def _upsert(dialect: str, table: sa.Table, columns: tuple[str, ...], keys: tuple[str, ...]) -> Any:
    statement = _insert(dialect, table)
    rest = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=list(keys), set_=rest)


def _insert(dialect: str, table: sa.Table) -> Any:
    from sqlalchemy.dialects import postgresql, sqlite

    return (sqlite if dialect == "sqlite" else postgresql).insert(table)
