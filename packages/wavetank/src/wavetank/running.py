"""An instance in a process of its own, as a test or a notebook holds it.

Only the standard library is imported here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

PATIENCE = 15.0
Rows = list[dict[str, str]]
# No proxy of the environment between a test and its own machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Instance:
    """A running instance. As a context manager it ends with the block; else call `close`.

    `url` and `tls_url` are its addresses without a trailing slash, `ca` the file of the certificate
    authority that https needs, `admin` user and password of the administrator.
    """

    name: str
    url: str
    tls_url: str
    ca: Path
    release: str
    admin: tuple[str, str]

    def __init__(
        self,
        *,
        name: str = "dev",
        pack: str = "",
        release: str = "",
        zboot: bool = False,
        store: Path | None = None,
        tls_dir: Path | None = None,
        client_ca: Path | None = None,
    ) -> None:
        """Starts an instance on free ports of 127.0.0.1 and waits until it answers.

        `pack` is what it holds beside the base ("demo,scan_engine"), `store` a file that keeps its rows,
        `tls_dir` where the certificate authority lies or is made, `client_ca` a file with the authorities
        whose certificates callers over https may show. It ends when this process does, however that goes.
        Raises RuntimeError when it does not start; its own words are on standard error.
        """
        arguments = ["serve", "--name", name, "--port", "0", "--tls-port", "0", "--with-parent"]
        arguments += ["--zboot"] if zboot else []
        arguments += ["--store", str(store)] if store else []
        arguments += ["--client-ca", str(client_ca)] if client_ca else []
        self._process: subprocess.Popen[str] | None = _spawn([*arguments, *_common(pack, release, tls_dir)])
        self._read(_ready_line(self._process))

    @classmethod
    def of(cls, ready: Mapping[str, Any]) -> Instance:
        """The instance that a ready line of `wavetank serve` or `wavetank fleet` tells of."""
        made = cls.__new__(cls)
        made._process = None
        made._read(ready)
        return made

    def _read(self, ready: Mapping[str, Any]) -> None:
        self.name, self.release = str(ready["name"]), str(ready["release"])
        self.url, self.tls_url = str(ready["url"]), str(ready["tls_url"] or "")
        self.ca = Path(str(ready["ca"] or ""))
        self.admin = ("admin", "admin")

    def __repr__(self) -> str:
        return f"<wavetank {self.name} at {self.url}>"

    def __enter__(self) -> Instance:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process, if this object started one."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    # -- the control surface

    def control(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Calls the control surface: `control("faults", [{…}])`, `control("requests?since=3")`.

        POST with a body, else GET, unless a method is named. Returns the decoded answer; raises
        AssertionError with the instance's words when it refuses.
        """
        request = urllib.request.Request(  # noqa: S310  an instance on this machine
            f"{self.url}/-/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method or ("GET" if body is None else "POST"),
            headers={"Content-Type": "application/json"},
        )
        try:
            with _DIRECT.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{request.get_method()} /-/{path}: {refused.read().decode()}") from refused

    def reset(self) -> None:
        """As new: rows, clock, settings, faults, requests, tokens and sessions."""
        self.control("reset", {})

    def snapshot(self, name: str) -> None:
        """Keeps the present rows under a name."""
        self.control("snapshot", {"name": name})

    def restore(self, name: str) -> None:
        """Goes back to the rows kept under a name."""
        self.control("restore", {"name": name})

    def configure(self, **settings: Any) -> None:
        """Changes settings: `configure(acl="off", latency_ms=20)`."""
        self.control("settings", settings)

    def freeze(self, at: str) -> None:
        """Stops the instance's clock at a UTC moment such as `2026-03-01T00:00:00Z`."""
        self.control("clock", {"freeze": at})

    def advance(self, seconds: float) -> None:
        """Moves the instance's clock; what falls due on the way is done before this returns."""
        self.control("clock", {"advance": seconds})

    def fail(self, do: str, *, match: Mapping[str, str] | None = None, **how: Any) -> None:
        """Makes requests fail: `fail("status", status=503, match={"table": "incident"}, times=1)`."""
        self.control("faults", {"do": do, "match": dict(match or {}), **how})

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """The requests it has answered after number `since`, oldest first."""
        found: list[dict[str, Any]] = self.control(f"requests?since={since}")["result"]
        return found

    def rows(self, table: str, query: str = "") -> Rows:
        """Records past every rule, by an encoded query."""
        asked = urlencode({"sysparm_query": query})
        found: Rows = self.control(f"records/{table}?{asked}")["result"]
        return found

    def insert(self, table: str, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Rows:
        """Records put in past every rule, exactly as given."""
        made: Rows = self.control(f"records/{table}", rows if isinstance(rows, list) else [rows])["result"]
        return made


@contextmanager
def fleet(
    names: Sequence[str] = ("dev", "qa", "prod"),
    *,
    pack: str = "",
    release: str = "",
    tls_dir: Path | None = None,
) -> Iterator[dict[str, Instance]]:
    """Several instances by name, for as long as the context lasts. Raises RuntimeError as `Instance` does."""
    arguments = ["fleet", "--names", ",".join(names), "--base-port", "0", "--with-parent"]
    process = _spawn([*arguments, *_common(pack, release, tls_dir)])
    try:
        ready = {one.name: one for one in [Instance.of(_ready_line(process)) for _ in names]}
        yield {name: ready[name] for name in names}
    finally:
        _end(process)


def _common(pack: str, release: str, tls_dir: Path | None) -> list[str]:
    given = (("--pack", pack), ("--release", release), ("--tls-dir", str(tls_dir or "")))
    return [word for option, value in given if value for word in (option, value)]


def _spawn(arguments: Sequence[str]) -> subprocess.Popen[str]:
    """The `wavetank` command in a process of its own; it ends when its standard input closes."""
    line = [sys.executable, "-m", "wavetank", *arguments]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603


def _ready_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next ready line of a process. Raises RuntimeError when it ends instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        status = process.wait(PATIENCE)
        raise RuntimeError(f"wavetank did not start: {process.args!r} ended with {status}")
    ready: dict[str, Any] = json.loads(line)
    return ready


def _end(process: subprocess.Popen[str]) -> None:
    """Asks a process to end, and sees to it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.terminate()
    process.stdin.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
