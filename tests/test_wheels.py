"""What is published works without the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repository import PACKAGES, ROOT, tracked

pytestmark = pytest.mark.slow
INSTALL_SECONDS = 300


def uv(*arguments: str, cwd: Path) -> None:
    """Run the checkout's uv, from its cache alone where that is enough, else from the network."""
    bootstrap = [sys.executable, str(ROOT / "tools" / "bootstrap.py"), "uv"]
    printed = subprocess.run(bootstrap, capture_output=True, text=True, timeout=120, check=True).stdout
    env = {**os.environ, "UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    env.pop("VIRTUAL_ENV", None)
    if (ROOT / ".tools" / "cache").is_dir():
        env.setdefault("UV_CACHE_DIR", str(ROOT / ".tools" / "cache"))
    for mode in (["--offline"], []):
        run = subprocess.run(
            [printed.strip(), *arguments, *mode], cwd=cwd, env=env, capture_output=True, text=True,
            timeout=INSTALL_SECONDS, check=False,
        )  # fmt: skip
        if run.returncode == 0:
            return
    raise AssertionError(f"uv {' '.join(arguments)}: {run.stderr[-3000:]}")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels, built."""
    out = tmp_path_factory.mktemp("dist")
    for package in PACKAGES:
        uv("build", "--wheel", "--quiet", "--out-dir", str(out), str(ROOT / "packages" / package), cwd=out)
    return {package: next(out.glob(f"{package}-*.whl")) for package in PACKAGES}


@pytest.fixture(scope="module")
def programs(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with both programs, installed from the wheels alone, far from the checkout."""
    place = tmp_path_factory.mktemp("clean")
    uv("venv", "--quiet", "--python", sys.executable, str(place / "venv"), cwd=place)
    python = str(place / "venv" / "bin" / "python")
    # The versions the project is tested with.
    pinned = str(place / "constraints.txt")
    export = ["export", "--quiet", "--locked", "--no-dev", "--no-emit-workspace", "--no-hashes"]
    uv(*export, "--project", str(ROOT), "--output-file", pinned, cwd=place)
    install = ["pip", "install", "--quiet", "--python", python, "--constraints", pinned]
    uv(*install, *map(str, wheels.values()), cwd=place)
    return place / "venv" / "bin"


@pytest.fixture
def installed(programs: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts an installed program in an empty folder with an empty home."""
    env = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1",
    }
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

    def start(program: str, *arguments: str) -> subprocess.Popen[str]:
        command = [str(programs / program), *arguments]
        return subprocess.Popen(command, cwd=tmp_path, env=env, text=True, **pipes)

    return start


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_a_package_is_in_its_wheel(wheels: dict[str, Path], package: str) -> None:
    """Templates, static files, recipes, packs, migrations and claims travel with the code."""
    source = ROOT / "packages" / package / "src"
    wanted = {path.relative_to(source).as_posix() for path in tracked() if path.is_relative_to(source)}
    with zipfile.ZipFile(wheels[package]) as archive:
        held = set(archive.namelist())
    assert f"{package}/py.typed" in wanted
    assert wanted <= held, f"not in the wheel: {sorted(wanted - held)}"
    assert any(member.endswith("licenses/LICENSE") for member in held)


def test_nothing_of_the_checkout_is_used(installed: Callable[..., subprocess.Popen[str]]) -> None:
    code = "import linkspan, wavetank; print(linkspan.__file__, wavetank.__file__)"
    where, _ = installed("python", "-c", code).communicate(timeout=60)
    assert "linkspan" in where
    assert str(ROOT) not in where


def test_an_installed_wavetank_serves(installed: Callable[..., subprocess.Popen[str]]) -> None:
    instance = installed("wavetank", "serve", "--port", "0")
    try:
        ready = json.loads(instance.stdout.readline())
        assert ready["event"] == "ready"
        request = urllib.request.Request(ready["url"].rstrip("/") + "/api/now/table/incident?sysparm_limit=1")
        request.add_header("Authorization", "Basic YWRtaW46YWRtaW4=")
        with urllib.request.urlopen(request, timeout=30) as reply:
            assert "result" in json.load(reply)
    finally:
        instance.terminate()
        instance.communicate(timeout=10)


def test_an_installed_linkspan_tells_the_whole_story(installed: Callable[..., subprocess.Popen[str]]) -> None:
    helped, _ = installed("linkspan", "--help").communicate(timeout=60)
    assert "demo" in helped
    story = installed("linkspan", "demo", "--once", "--json", "--events", "20")
    said, complained = story.communicate(timeout=240)
    assert story.returncode == 0, complained[-3000:]
    summary = json.loads(said)
    assert summary["instances"] == 3
    assert summary["sync"]["differences"] == 0
