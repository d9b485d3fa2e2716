"""Wakes on DBOS: one queue, partitioned by key, one run at a time per key.

What is known about DBOS 3.4 and handled here: it does not start on SQLite before 3.42 (its schema
wants ``unixepoch('subsec')``); its own SQLite engine sets no WAL; queues exist only after launch;
work of a process that died is taken up by the process with the same executor id; finished
workflows are kept until somebody deletes them.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy as sa

QUEUE = "wakes"
APPLICATION_VERSION = "1"  # work of another version is not picked up: raise only for incompatible bodies
POLL_SECONDS = 0.1
WORKERS = 4
KEEP_FINISHED = timedelta(minutes=10)
FORGET_AT_ONCE = 1000

Drain = Callable[[str], None]


class Wakes:
    """Runs ``drain(key)`` soon after ``wake(key)``, on this process, surviving its death.

    One engine per process. ``drain`` must be safe to repeat: a crash in the middle runs it again.
    """

    def __init__(self, home: Path, drain: Drain, *, executor: str = "hub") -> None:
        self._home = home
        self._drain = drain
        self._executor = executor
        self._counter = 0
        self._started = f"{time.time():.3f}"
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._workflow: Any = None

    def start(self) -> None:
        """Open ``engine.db``, take up what an earlier process left, and begin to serve wakes."""
        from dbos import DBOS

        logging.getLogger("dbos").setLevel(logging.WARNING)
        DBOS(
            config={
                "name": "linkspan",
                "system_database_engine": _make_engine(self._home / "engine.db"),
                "application_version": APPLICATION_VERSION,
                "executor_id": self._executor,
                "log_level": "WARNING",
                "enable_otlp": False,
                "max_executor_threads": WORKERS + 4,
            }
        )

        def drain(key: str) -> None:  # DBOS marks the function it is given; a bound method cannot be marked
            self._run(key)

        self._workflow = DBOS.workflow(name="drain")(drain)
        DBOS.launch()
        DBOS.register_queue(
            QUEUE, worker_concurrency=WORKERS, partition_concurrency=1, polling_interval_sec=POLL_SECONDS
        )

    def wake(self, key: str) -> None:
        """Have this key drained. Cheap when a wake of the key already waits."""
        from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

        with self._lock:
            if key in self._waiting:
                return
            self._waiting.add(key)
            self._counter += 1
            wake_id = f"{key}/{self._started}/{self._counter}"
        try:
            with SetWorkflowID(wake_id), SetEnqueueOptions(queue_partition_key=key):
                DBOS.enqueue_workflow(QUEUE, self._workflow, key)
        except BaseException:
            # It does not wait after all: left in the set, the key could never be woken again.
            with self._lock:
                self._waiting.discard(key)
            raise

    def _run(self, key: str) -> None:
        # Forgotten before the drain reads, so that an event committed meanwhile brings a new wake.
        with self._lock:
            self._waiting.discard(key)
        self._drain(key)

    def forget_finished(self) -> int:
        """Delete finished wakes older than ten minutes; how many were deleted."""
        from dbos import DBOS

        before = (datetime.now(UTC) - KEEP_FINISHED).isoformat()
        forgotten = 0
        while True:
            finished = DBOS.list_workflows(
                status=["SUCCESS", "ERROR", "CANCELLED"],
                completed_before=before,
                load_input=False,
                load_output=False,
                limit=FORGET_AT_ONCE,
            )
            if finished:
                DBOS.delete_workflows([workflow.workflow_id for workflow in finished])
            forgotten += len(finished)
            if len(finished) < FORGET_AT_ONCE:
                return forgotten

    def stop(self, *, timeout: float = 5) -> None:
        """Finish what runs (bounded by ``timeout`` seconds) and let go of the database."""
        from dbos import DBOS

        DBOS.destroy(workflow_completion_timeout_sec=int(timeout))


def _make_engine(path: Path) -> sa.Engine:
    import sqlalchemy as sa

    engine = sa.create_engine(
        f"sqlite:///{path}", connect_args={"timeout": 30, "isolation_level": "IMMEDIATE"}
    )
    sa.event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: Any, _record: Any) -> None:
    # A wake lost in a power cut is found again by the sweeper, so the engine need not wait for the disk.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")
    if sqlite3.sqlite_version_info < (3, 42):
        connection.create_function("unixepoch", -1, _unixepoch)


def _unixepoch(*arguments: str) -> float | int:
    if arguments in {(), ("subsec",), ("now", "subsec")}:
        return time.time() if arguments else int(time.time())
    raise ValueError(f"unixepoch{arguments} is not provided on this SQLite")
