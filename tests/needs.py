"""What a test may need and a machine may lack, and how it is found.

``require("browser")`` skips the running test with a reason when the thing is absent. With
REQUIRE=browser,postgres,clients in the environment such a skip becomes a failure.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# linkspan as a program that hears Ctrl-C: what a shell starts in its background is deaf to it.
LINKSPAN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from linkspan.cli import main; main()",
]
NAMES = ("browser", "postgres", "clients")
CLIENTS = ("pysnc",)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def required() -> frozenset[str]:
    """Names whose absence is a failure in this run."""
    return frozenset(filter(None, os.environ.get("REQUIRE", "").replace(" ", "").split(",")))


def browser() -> str | None:
    """Path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def postgres_programs() -> Path | None:
    """Folder with initdb and pg_ctl, or None. Debian keeps them off PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    candidates = [Path(found).parent] if found else []
    return next(
        (f for f in candidates + folders if (f / "initdb").exists() and (f / "pg_ctl").exists()), None
    )


@functools.cache
def absent(name: str) -> str:
    """Why ``name`` cannot be used here; empty when it can."""
    if name == "browser" and browser() is None:
        return f"none of {', '.join(BROWSERS)} is installed"
    if name == "postgres" and postgres_programs() is None:
        return "PostgreSQL's initdb and pg_ctl are not installed"
    if name == "clients":
        missing = [client for client in CLIENTS if importlib.util.find_spec(client) is None]
        if missing:
            return f"{', '.join(missing)} cannot be imported"
    return ""


def require(name: str) -> None:
    """Skip the running test unless ``name`` is there."""
    if name not in NAMES:
        raise ValueError(f"{name!r} is none of {', '.join(NAMES)}")
    if why := absent(name):
        pytest.skip(f"needs {name}: {why}")


def forbid_skip(report: pytest.TestReport | pytest.CollectReport, marked: set[str]) -> None:
    """Make the skip ``report`` a failure when it is about something this run requires."""
    reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
    about = marked | {name for name in NAMES if f"needs {name}" in reason}
    if broken := about & required():
        report.outcome = "failed"
        report.longrepr = f"REQUIRE={','.join(sorted(broken))} forbids this skip: {reason}"


def _unprivileged() -> list[str]:
    """What to put before a PostgreSQL command: the server refuses to run as root."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


@contextmanager
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of its own on a free loopback port; gives ``postgresql://…:port``."""
    require("postgres")
    programs = postgres_programs()
    assert programs is not None
    run_as = _unprivileged()

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*run_as, str(programs / program), "-D", str(data), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd="/", timeout=120, check=False, text=True, errors="replace",
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stdout[-2000:]}")

    # Not in pytest's folders: they are closed to the user that the server runs as.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        if run_as:
            Path(folder).chmod(0o711)
            shutil.chown(data, "postgres", "postgres")
        port = free_ports(1)
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        run("pg_ctl", "-w", "-t", "60", "-l", str(data / "log"), "-o", settings, "start")
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            run("pg_ctl", "-w", "-t", "60", "-m", "immediate", "stop")


def free_ports(count: int) -> int:
    """The first of ``count`` free loopback ports in a row, below those the system hands out by itself."""
    for _ in range(200):
        base = random.randrange(20_000, 32_000)
        if all(map(_is_free, range(base, base + count))):
            return base
    raise RuntimeError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def new_postgres_database(cluster: str) -> str:
    """URL of a new, empty database on ``cluster``."""
    import psycopg

    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{cluster}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{cluster}/{name}"
