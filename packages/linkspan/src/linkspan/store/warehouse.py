"""The warehouse: what was ingested, in one DuckDB file that processes use in turns.

DuckDB lets one process at a time have a file, so every use is short: take the lease, open, work,
close. Rows are staged as lines of JSON in a private folder, read back with a schema and merged on
``sys_id``; what was read and how far go into one transaction, so a kill leaves both or neither.
No extension is downloaded, and SQL reaches no file but the spool and the folder of an export.

Layout: ``"INSTANCE"."STREAM"`` holds the rows of one stream, ``"_linkspan"`` how they got there.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from linkspan.core import clock
from linkspan.core.errors import LinkspanError

if TYPE_CHECKING:
    import duckdb

FILE = "warehouse.duckdb"
LEASE_SECONDS = 60.0
# With it a process that loads 200,000 rows of 58 fields stays below 500 MB (measured; 600 MB with 512MB).
MEMORY = "256MB"
BOOKS = "_linkspan"

_BOOKS = f"""
CREATE SCHEMA IF NOT EXISTS "{BOOKS}";
CREATE TABLE IF NOT EXISTS "{BOOKS}".stream (
    instance VARCHAR NOT NULL, stream VARCHAR NOT NULL, state VARCHAR NOT NULL, saved_at TIMESTAMP NOT NULL);
CREATE TABLE IF NOT EXISTS "{BOOKS}".field (
    instance VARCHAR NOT NULL, stream VARCHAR NOT NULL, field VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    treatment VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS "{BOOKS}".event (
    noted_at TIMESTAMP NOT NULL, instance VARCHAR NOT NULL, stream VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    detail VARCHAR NOT NULL);
CREATE TABLE IF NOT EXISTS "{BOOKS}".quarantine (
    instance VARCHAR NOT NULL, stream VARCHAR NOT NULL, sys_id VARCHAR NOT NULL, noted_at TIMESTAMP NOT NULL,
    reason VARCHAR NOT NULL);
"""


class WarehouseBusy(LinkspanError):
    """Somebody else has the lease of the warehouse or of a stream."""

    code = "warehouse_busy"
    retryable = True


class WarehouseBroken(LinkspanError):
    """The warehouse could not be read or written: a full disk, a damaged or foreign file."""

    code = "warehouse_unusable"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


class Warehouse:
    """The warehouse of one home. Thread-safe: every use takes its own turn."""

    def __init__(self, home: Path, *, wait: float = LEASE_SECONDS) -> None:
        """``wait`` is how many seconds a use waits for its turn."""
        self._home = home
        self._wait = wait
        self.file = home / FILE
        self.spool = home / "spool"

    @property
    def exists(self) -> bool:
        """Whether anything was ever ingested here."""
        return self.file.exists()

    @contextmanager
    def use(
        self, purpose: str, *, wait: float | None = None, folder: Path | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """The open warehouse, alone. SQL may touch files of the spool and of ``folder`` only.

        Raises WarehouseBusy naming who has it after ``wait`` seconds (None: as the warehouse was made),
        WarehouseBroken when it cannot be used. What is not committed inside is rolled back.
        """
        import duckdb

        patience = self._wait if wait is None else wait
        with lease(self._home / "warehouse.lock", purpose, wait=patience):
            # DuckDB makes its files as open as the umask leaves them. The lease lets one thread at a
            # time come here, so the old mask is always the process's own.
            mask = os.umask(0o077)
            try:
                with _broken_if(duckdb.Error, self.file):
                    connection = self._open(folder)
                    try:
                        yield connection
                    finally:
                        connection.close()
            finally:
                os.umask(mask)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query, each by column name. A read door: what it would change is rolled back.

        Empty when there is no warehouse yet. Raises WarehouseBusy and WarehouseBroken (also for SQL that
        names what is not there).
        """
        if not self.exists:
            return []
        with self.reading() as ask:
            return ask(sql, parameters)

    @contextmanager
    def reading(self) -> Iterator[Callable[[str, Sequence[Any]], list[dict[str, Any]]]]:
        """As ``rows`` for several questions about the same moment."""
        with self.use("read") as connection:
            connection.execute("BEGIN TRANSACTION READ ONLY")

            def ask(sql: str, parameters: Sequence[Any]) -> list[dict[str, Any]]:
                found = connection.execute(sql, list(parameters))
                names = [column[0] for column in found.description or ()]
                return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

            yield ask

    def streams(self) -> list[tuple[str, str]]:
        """(instance, stream) of everything that is stored, sorted."""
        found = self.rows(f'SELECT instance, stream FROM "{BOOKS}".stream ORDER BY ALL')  # noqa: S608
        return [(row["instance"], row["stream"]) for row in found]

    def columns(self, instance: str, stream: str) -> dict[str, str]:
        """SQL type by column name of a stream's table; empty when it is not stored."""
        sql = (
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE schema_name = ? AND table_name = ? AND NOT internal ORDER BY column_index"
        )
        return {row["column_name"]: row["data_type"] for row in self.rows(sql, (instance, stream))}

    @staticmethod
    def table(instance: str, stream: str) -> str:
        """The table of a stream as it is written in SQL."""
        return f"{quoted(Path(FILE).stem)}.{quoted(instance)}.{quoted(stream)}"

    @contextmanager
    def spooled(self, rows: Iterator[Sequence[Mapping[str, Any]]]) -> Iterator[Path]:
        """A private file with these rows, a line of JSON each, for as long as the context lasts."""
        self.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep_spool()
        # The name says whose it is: a killed process leaves its file behind.
        descriptor, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", suffix=".ndjson", dir=self.spool)
        path = Path(name)
        try:
            with _broken_if(OSError, self.spool), os.fdopen(descriptor, "wb") as file:
                encoder = msgspec.json.Encoder()
                for page in rows:
                    file.write(encoder.encode_lines(page))
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _sweep_spool(self) -> None:
        for path in self.spool.glob("*-*.ndjson"):
            pid = path.name.partition("-")[0]
            if pid.isdigit() and not _alive(int(pid)):
                path.unlink(missing_ok=True)

    def _open(self, folder: Path | None) -> duckdb.DuckDBPyConnection:
        import duckdb

        self.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = duckdb.connect(
            str(self.file),
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
                "memory_limit": MEMORY,
                "threads": "2",
            },
        )
        try:
            reachable = [f"{self.spool}/"] + ([f"{folder}/"] if folder else [])
            connection.execute(f"SET temp_directory = {_text(str(self.spool))}")
            connection.execute(f"SET allowed_directories = [{', '.join(map(_text, reachable))}]")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET lock_configuration = true")
            connection.execute(_BOOKS)
        except BaseException:
            connection.close()
            raise
        return connection

    def rewrite(self) -> None:
        """Copy what is stored into a new file and put it in the old one's place.

        Dropped columns leave their old blocks in a DuckDB file; a new file never held them.
        """
        import duckdb

        fresh = self.file.with_name(f"{FILE}.new")
        with lease(self._home / "warehouse.lock", "rewrite", wait=LEASE_SECONDS):
            mask = os.umask(0o077)
            try:
                with _broken_if(duckdb.Error, self.file):
                    fresh.unlink(missing_ok=True)
                    fresh.with_name(f"{fresh.name}.wal").unlink(missing_ok=True)
                    self.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
                    with duckdb.connect(
                        ":memory:",
                        config={"memory_limit": MEMORY, "threads": "2", "temp_directory": str(self.spool)},
                    ) as connection:
                        connection.execute(f"ATTACH {_text(str(self.file))} AS old")
                        connection.execute(f"ATTACH {_text(str(fresh))} AS new")
                        connection.execute("COPY FROM DATABASE old TO new")
                        connection.execute("CHECKPOINT new")
                        connection.execute("DETACH new")
                        connection.execute("DETACH old")
                    _synced(fresh)
                    fresh.replace(self.file)
                    _synced(self._home)
            finally:
                os.umask(mask)


@contextmanager
def lease(path: Path, purpose: str, *, wait: float) -> Iterator[None]:
    """The one holder of ``path``, which the system takes back when the process dies.

    Raises WarehouseBusy naming the holder after ``wait`` seconds.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + wait
        while not _locked(descriptor):
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace") or "another process"
                raise WarehouseBusy(
                    f"{path.stem} is in use by {holder}",
                    where=str(path),
                    fix="wait until it has ended, or end it",
                )
            time.sleep(0.02)
        text = f"process {os.getpid()} ({purpose}, since {clock.iso_time(clock.now())})".encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


@contextmanager
def _broken_if(kind: type[Exception], where: Path) -> Iterator[None]:
    try:
        yield
    except kind as error:
        raise WarehouseBroken(
            f"the warehouse cannot be used: {_said(error)}",
            where=str(where),
            fix="check the free space of the disk and that the file is a warehouse of this release",
        ) from None


def _said(error: Exception) -> str:
    """What an engine's error says, unless it may quote a stored value."""
    name = type(error).__name__
    if name in ("ConversionException", "InvalidInputException", "OutOfRangeException", "ConstraintException"):
        return name
    return next(iter(str(error).splitlines()), name)[:200]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
