"""The warehouse's file: who may read it, who may have it, and what a bad day leaves of it."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from linkspan.store.warehouse import Warehouse, WarehouseBroken, WarehouseBusy, lease


@pytest.fixture
def warehouse(tmp_path):
    return Warehouse(tmp_path / "home")


def keep(warehouse, count=10):
    with warehouse.use("test") as connection:
        connection.execute('CREATE SCHEMA IF NOT EXISTS "dev"')
        connection.execute(f'CREATE OR REPLACE TABLE "dev".t AS SELECT i AS n FROM range({count}) AS r(i)')


def test_the_first_look_finds_nothing_and_makes_nothing(warehouse):
    assert warehouse.rows("SELECT 1 AS one") == []
    assert not warehouse.exists
    assert warehouse.columns("dev", "t") == {}


def test_files_are_for_their_owner_even_where_the_umask_is_open(warehouse):
    old = os.umask(0)
    try:
        with warehouse.use("test") as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS n")
            log = warehouse.file.with_name("warehouse.duckdb.wal")
            modes = [stat.S_IMODE(path.stat().st_mode) for path in (warehouse.file, log) if path.exists()]
        assert set(modes) == {0o600}
        with warehouse.spooled(iter([[{"a": "b"}]])) as file:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
            assert json.loads(file.read_text()) == {"a": "b"}
        assert not file.exists()
        assert os.umask(0) == 0, "the process's own mask is given back"
    finally:
        os.umask(old)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "ATTACH '/tmp/other.duckdb'",
        "CREATE TABLE made AS SELECT 1",
        'DROP TABLE "dev".t',
    ],
)
def test_the_read_door_reads_only_the_warehouse(warehouse, sql):
    keep(warehouse)
    with pytest.raises(WarehouseBroken):
        warehouse.rows(sql)
    assert warehouse.rows('SELECT count(*) AS n FROM "dev".t') == [{"n": 10}]


def test_rows_have_names_and_parameters(warehouse):
    keep(warehouse)
    assert warehouse.rows('SELECT n, n * 2 AS twice FROM "dev".t WHERE n = ?', [4]) == [{"n": 4, "twice": 8}]
    assert warehouse.columns("dev", "t") == {"n": "BIGINT"}


def test_what_is_not_committed_is_gone(warehouse):
    keep(warehouse)
    with warehouse.use("test") as connection:
        connection.execute("BEGIN")
        connection.execute('DELETE FROM "dev".t')
    assert warehouse.rows('SELECT count(*) AS n FROM "dev".t') == [{"n": 10}]


def test_who_waits_too_long_learns_who_has_it(warehouse):
    keep(warehouse)
    with (
        warehouse.use("load dev/incident"),
        pytest.raises(WarehouseBusy) as busy,
        warehouse.use("x", wait=0.1),
    ):
        pass
    assert f"process {os.getpid()} (load dev/incident" in busy.value.cause


def test_threads_take_turns(warehouse):
    keep(warehouse, 0)

    def add(n):
        for _ in range(5):
            with warehouse.use("test") as connection:
                connection.execute('INSERT INTO "dev".t VALUES (?)', [n])

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warehouse.rows('SELECT n, count(*) AS c FROM "dev".t GROUP BY n ORDER BY n') == [
        {"n": n, "c": 5} for n in range(4)
    ]


def script(warehouse, body):
    text = f"from linkspan.store.warehouse import Warehouse\nfrom pathlib import Path\nwarehouse = Warehouse(Path({str(warehouse.file.parent)!r}))\n"
    return [sys.executable, "-c", text + textwrap.dedent(body)]


def test_a_process_that_dies_in_a_transaction_leaves_no_half_and_no_lock(warehouse):
    keep(warehouse)
    body = """
    with warehouse.spooled(iter([[{"a": "left behind"}]])), warehouse.use("test") as connection:
        connection.execute("BEGIN")
        connection.execute('INSERT INTO "dev".t SELECT i FROM range(100000) AS r(i)')
        print("inside", flush=True)
        import time; time.sleep(60)
    """
    with subprocess.Popen(script(warehouse, body), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "inside\n"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert warehouse.rows('SELECT count(*) AS n FROM "dev".t') == [{"n": 10}]
    assert [path.name for path in warehouse.spool.glob("*.ndjson")] != []
    with warehouse.spooled(iter([])):
        assert len(list(warehouse.spool.glob("*.ndjson"))) == 1, "what a dead process left is cleared away"


def test_a_full_disk_is_an_error_and_what_was_there_stays(warehouse):
    keep(warehouse)

    def little():
        resource.setrlimit(resource.RLIMIT_FSIZE, (warehouse.file.stat().st_size + 200_000,) * 2)

    body = """
    from linkspan.store.warehouse import WarehouseBroken
    try:
        with warehouse.use("test") as connection:
            connection.execute("BEGIN")
            connection.execute('INSERT INTO "dev".t SELECT hash(i) >> 2 FROM range(3000000) AS r(i)')
            connection.execute("COMMIT")
    except WarehouseBroken as error:
        print(error.code)
    """
    done = subprocess.run(
        script(warehouse, body), capture_output=True, text=True, preexec_fn=little, timeout=60, check=False
    )
    assert done.stdout == "warehouse_unusable\n", done.stderr
    assert warehouse.rows('SELECT count(*) AS n FROM "dev".t') == [{"n": 10}]


def test_a_foreign_file_is_refused_and_left_alone(warehouse):
    warehouse.file.parent.mkdir()
    warehouse.file.write_text("not a warehouse")
    with pytest.raises(WarehouseBroken):
        warehouse.rows("SELECT 1")
    assert warehouse.file.read_text() == "not a warehouse"


def test_a_rewritten_file_holds_the_same(warehouse):
    keep(warehouse, 1000)
    before = warehouse.file.stat().st_ino
    warehouse.rewrite()
    assert warehouse.file.stat().st_ino != before
    assert stat.S_IMODE(warehouse.file.stat().st_mode) == 0o600
    assert warehouse.rows('SELECT sum(n) AS n FROM "dev".t') == [{"n": 499500}]
    keep(warehouse, 5)


def test_a_lease_is_free_again_when_it_ends(tmp_path):
    for _ in range(2):
        with lease(tmp_path / "a.lock", "once", wait=0):
            pass
    started = time.monotonic()
    with (
        lease(tmp_path / "a.lock", "once", wait=0),
        pytest.raises(WarehouseBusy),
        lease(tmp_path / "a.lock", "twice", wait=0),
    ):
        pass
    assert time.monotonic() - started < 1
