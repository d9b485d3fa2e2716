"""Fixtures for tests of ServiceNow integrations: `wavetank`, one instance, and `wavetank_fleet`, three.

The processes start with the first test that asks and live until the session ends; every test finds its
instances as fresh as new. Only the standard library is imported here: pytest loads this file always.
"""

import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("dev", "qa", "prod")


@dataclass(frozen=True)
class Wavetank:
    """A running instance: where it answers, whom to be, what to trust."""

    name: str
    url: str
    tls_url: str
    ca: Path
    release: str
    admin: tuple[str, str] = field(default=("admin", "admin"))

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
        self.control("reset", {})


# No proxy of the environment between a test and its own machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def wavetank(_wavetank_instance: Wavetank) -> Wavetank:
    """One instance, fresh for this test."""
    _wavetank_instance.reset()
    return _wavetank_instance


@pytest.fixture
def wavetank_fleet(_wavetank_instances: Mapping[str, Wavetank]) -> Mapping[str, Wavetank]:
    """Three instances by name: dev, qa and prod, each fresh for this test."""
    for instance in _wavetank_instances.values():
        instance.reset()
    return _wavetank_instances


@pytest.fixture(scope="session")
def _wavetank_instance(pytestconfig: pytest.Config) -> Iterator[Wavetank]:
    with _Running(pytestconfig, ["serve", "--port", "0", "--tls-port", "0", "--with-parent"], 1) as found:
        yield found[0]


@pytest.fixture(scope="session")
def _wavetank_instances(pytestconfig: pytest.Config) -> Iterator[Mapping[str, Wavetank]]:
    arguments = ["fleet", "--names", ",".join(NAMES), "--base-port", "0"]
    with _Running(pytestconfig, arguments, len(NAMES)) as found:
        by_name = {instance.name: instance for instance in found}
        yield {name: by_name[name] for name in NAMES}


class _Running:
    """A `wavetank` process for as long as the context lasts."""

    def __init__(self, config: pytest.Config, arguments: list[str], expected: int) -> None:
        # The certificate authority is kept between runs: making one costs most of a start.
        cache = getattr(config, "cache", None)  # absent with -p no:cacheprovider
        tls = cache.mkdir("wavetank-tls") if cache else Path(tempfile.mkdtemp(prefix="wavetank-tls-"))
        self._line = [sys.executable, "-m", "wavetank", *arguments, "--tls-dir", str(tls)]
        self._expected = expected

    def __enter__(self) -> list[Wavetank]:
        self._process = subprocess.Popen(  # noqa: S603
            self._line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return [self._next() for _ in range(self._expected)]

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.terminate()
        self._process.stdin.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _next(self) -> Wavetank:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"wavetank did not start: {' '.join(self._line)} ended with {self._process.wait(5)}"
            )
        ready = json.loads(line)
        return Wavetank(ready["name"], ready["url"], ready["tls_url"], Path(ready["ca"]), ready["release"])
