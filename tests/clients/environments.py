"""Third-party clients as their users have them: each in an environment of its own, from PyPI, pinned.

`tests/clients/<client>/requirements.txt` names every distribution with its hashes; it is compiled from
`requirements.in` beside it:

    uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
        requirements.in -o requirements.txt

The environment lies under `.tools/clients/`, named for the file's hash, and is made once.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.repository import ROOT
from tools import bootstrap

HERE = Path(__file__).resolve().parent
CACHE = ROOT / ".tools" / "clients"
CLIENTS = tuple(sorted(file.parent.name for file in HERE.glob("*/requirements.txt")))
# What uv says when it cannot reach an index, as against being refused or given a wrong file.
UNREACHABLE = ("error sending request", "dns error", "client error (Connect)")
PATIENCE = 60


class Raised(Exception):
    """The client raised: `kind` is the exception's class, the text is its own."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


class Client:
    """A client in its environment. `do` calls a function of `tests/clients/<name>/acts.py` there."""

    def __init__(self, name: str, variables: Mapping[str, str]) -> None:
        self.name = name
        self.programs = environment(name)
        self.variables = {**_bare(self.programs), **variables}
        self._acting: subprocess.Popen[str] | None = None

    def do(self, act: str, **given: Any) -> Any:
        """What the act returned, through JSON. Raises Raised with what the client raised."""
        process = self._process()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"act": act, "given": given}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, f"{self.name} ended with {process.wait(5)}"
        answer = json.loads(line)
        if "raised" in answer:
            raise Raised(*answer["raised"])
        return answer["returned"]

    def run(self, program: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """One of the environment's programs, with `more` in its environment."""
        line = [str(self.programs / program), *arguments]
        return subprocess.run(
            line, env={**self.variables, **more}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip

    def close(self) -> None:
        """Ends the process that `do` started."""
        process, self._acting = self._acting, None
        if process is not None:
            process.terminate()
            process.communicate(timeout=PATIENCE)

    def _process(self) -> subprocess.Popen[str]:
        if self._acting is None:
            line = [str(self.programs / "python"), "-I", str(HERE / "actor.py"), str(HERE / self.name)]
            pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self._acting = subprocess.Popen(line, env=self.variables, text=True, **pipes)
        return self._acting


@functools.cache
def environment(client: str) -> Path:
    """The folder of the client's programs; made when it is not there. Skips when PyPI is out of reach."""
    pins = HERE / client / "requirements.txt"
    place = CACHE / f"{client}-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    with _alone(client):
        if not place.exists():
            for old in CACHE.glob(f"{client}-*"):
                shutil.rmtree(old)
            _make(pins, place)
    return place / "bin"


def _make(pins: Path, place: Path) -> None:
    part = place.with_name(f".{place.name}-{uuid.uuid4().hex[:8]}")
    try:
        _uv("venv", "--quiet", "--no-project", "--relocatable", "--python", sys.executable, str(part))
        python = str(part / "bin" / "python")
        _uv("pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", str(pins))
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _uv(*arguments: str) -> None:
    line: Sequence[str] = [str(bootstrap.install()), *arguments]
    done = subprocess.run(line, env=bootstrap.environment(), capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if any(word.lower() in done.stderr.lower() for word in UNREACHABLE):
        pytest.skip(f"needs clients: PyPI cannot be reached: {done.stderr.strip()[-200:]}")
    raise RuntimeError(f"uv {arguments[0]}: {done.stderr.strip()[-2000:]}")


@contextmanager
def _alone(client: str) -> Iterator[None]:
    """One process at a time makes a client's environment."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f".{client}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _bare(programs: Path) -> dict[str, str]:
    """A shell without settings of whoever runs the tests: no proxy, no certificates of their own."""
    path = os.pathsep.join([str(programs), os.environ.get("PATH", "/usr/bin:/bin")])
    return {"PATH": path, "LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1,localhost", "PYTHONUTF8": "1"}
