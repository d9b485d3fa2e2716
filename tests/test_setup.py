"""The set-up needs nothing but a Python, and trusts nothing it did not pin."""

from __future__ import annotations

import ast
import importlib.util
import os
import stat
import subprocess
import sys
import urllib.request
from email.message import Message
from io import BytesIO
from pathlib import Path
from types import ModuleType
from urllib.response import addinfourl

import pytest

from tests.repository import ROOT

BOOTSTRAP = ROOT / "tools" / "bootstrap.py"
ABSENT_ON_DEBIAN = {"pip", "ensurepip", "venv", "setuptools", "distutils"}


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """tools/bootstrap.py, at work in a checkout of its own."""
    spec = importlib.util.spec_from_file_location("bootstrap", BOOTSTRAP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    for variable in ("UV", "UV_CACHE_DIR", "XDG_CACHE_HOME", "VIRTUAL_ENV"):
        monkeypatch.delenv(variable, raising=False)
    return module


def test_it_imports_only_what_a_bare_debian_python_has() -> None:
    imported = set()
    for node in ast.walk(ast.parse(BOOTSTRAP.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= sys.stdlib_module_names - ABSENT_ON_DEBIAN


def test_a_wheel_with_another_hash_is_refused(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel, _ = bootstrap.wheel()

    def index(url: str, timeout: float) -> addinfourl:
        body = (
            f'<a href="/files/{wheel}#sha256=00">x</a>'.encode() if url.endswith("/uv/") else b"not the wheel"
        )
        return addinfourl(BytesIO(body), Message(), url, 200)

    monkeypatch.setattr(urllib.request, "urlopen", index)
    with pytest.raises(SystemExit):
        bootstrap.install()
    assert "pinned sha256" in capsys.readouterr().err
    assert not (bootstrap.ROOT / ".tools").exists()


@pytest.mark.parametrize(("home", "own_cache"), [("", True), ("missing", False), ("file", True)])
def test_the_cache_goes_where_it_can_be_written(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str, own_cache: bool
) -> None:
    (tmp_path / "file").touch()
    if home:
        monkeypatch.setenv("HOME", str(tmp_path / home))
    else:
        monkeypatch.delenv("HOME")
    expected = str(tmp_path / ".tools" / "cache") if own_cache else None
    assert bootstrap.environment().get("UV_CACHE_DIR") == expected


def test_what_a_command_prints_is_its_own(tmp_path: Path) -> None:
    """A set-up before ``make demo --json`` writes nothing to standard output, whatever uv says there."""
    talkative = tmp_path / "uv"
    talkative.write_text("#!/bin/sh\necho chatter\n")
    talkative.chmod(talkative.stat().st_mode | stat.S_IXUSR)
    run = subprocess.run(
        [sys.executable, str(BOOTSTRAP)], env={**os.environ, "UV": str(talkative)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert run.stdout == ""
    assert "chatter" in run.stderr


def test_make_is_quiet_on_standard_output() -> None:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    dry = subprocess.run(
        ["make", "-n", "demo"], cwd=ROOT, env=outside, capture_output=True, text=True, timeout=60, check=True
    )
    assert dry.stdout.strip().splitlines()[-1].startswith("exec ")
    assert "@exec" in (ROOT / "Makefile").read_text()
