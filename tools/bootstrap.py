"""Set up the checkout: fetch the pinned uv into .tools/ and sync .venv with uv.lock. Standard library only.

A bare machine has Python and make, and perhaps neither pip nor venv. uv brings both, and PyPI
carries it as a wheel, which is a zip file: nothing else is needed to unpack it.

Run as ``python3 tools/bootstrap.py`` (set up) or ``python3 tools/bootstrap.py uv`` (print uv's path).
Nothing is written to standard output by a set-up, so that a command behind it owns that stream.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import stat
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import NoReturn

VERSION = "0.13.9"
# (system, machine, libc) -> (wheel, sha256)
WHEELS = {
    ("linux", "x86_64", "glibc"): (
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("linux", "aarch64", "glibc"): (
        "manylinux_2_28_aarch64",
        "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
    ),
    ("linux", "x86_64", "musl"): (
        "musllinux_1_1_x86_64",
        "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
    ),
    ("linux", "aarch64", "musl"): (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
    ("darwin", "x86_64", ""): (
        "macosx_10_12_x86_64",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
    ("darwin", "arm64", ""): (
        "macosx_11_0_arm64",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
}
ROOT = Path(__file__).resolve().parent.parent


def fail(cause: str, fix: str) -> NoReturn:
    """Say what went wrong and what to do, and stop."""
    print(f"setup failed: {cause}\n  fix: {fix}", file=sys.stderr)
    raise SystemExit(1)


def wheel() -> tuple[str, str]:
    """The wheel's file name and sha256 for this machine."""
    system = platform.system().lower()
    libc = "" if system != "linux" else ("glibc" if platform.libc_ver()[0] == "glibc" else "musl")
    found = WHEELS.get((system, platform.machine(), libc))
    if found is None:
        fail(
            f"no pinned uv for {system} {platform.machine()} {libc}",
            f"install uv {VERSION} and set UV=/path/to/uv",
        )
    return f"uv-{VERSION}-py3-none-{found[0]}.whl", found[1]


def fetch(name: str, sha256: str) -> bytes:
    """The wheel's bytes, refused unless they hash to ``sha256``."""
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple"
    page_url = index.rstrip("/") + "/uv/"
    try:
        with urllib.request.urlopen(page_url, timeout=60) as page:
            links = re.findall(r'href="([^"#]+)', page.read().decode())
        url = next((link for link in links if link.endswith("/" + name)), None)
        if url is None:
            fail(f"{name} is not listed at {page_url}", "point UV_DEFAULT_INDEX at a full PyPI index")
        with urllib.request.urlopen(urllib.parse.urljoin(page_url, url), timeout=300) as reply:
            body: bytes = reply.read()
    except urllib.error.URLError as error:
        fail(
            f"{page_url} cannot be reached ({error.reason})",
            "check the network, HTTPS_PROXY and SSL_CERT_FILE",
        )
    if hashlib.sha256(body).hexdigest() != sha256:
        fail(f"{name} does not have the pinned sha256", "do not use it; try again from another network")
    return body


def install() -> Path:
    """Path of the uv program, fetched if it is not there yet."""
    if os.environ.get("UV"):
        return Path(os.environ["UV"])
    target = ROOT / ".tools" / f"uv-{VERSION}" / ("uv.exe" if os.name == "nt" else "uv")
    if target.exists():
        return target
    print(f"fetching uv {VERSION} (once)", file=sys.stderr)
    with zipfile.ZipFile(io.BytesIO(fetch(*wheel()))) as archive:
        member = next(n for n in archive.namelist() if n.endswith("/scripts/" + target.name))
        program = archive.read(member)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(program)
    part = Path(file.name)
    part.chmod(part.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    part.replace(target)
    return target


def environment() -> dict[str, str]:
    """What uv runs with: the machine's own certificates and interpreter, and a cache that can be written."""
    env = dict(os.environ)
    env.setdefault("UV_SYSTEM_CERTS", "1")
    env["UV_PYTHON_DOWNLOADS"] = "never"
    env["UV_PROJECT_ENVIRONMENT"] = str(ROOT / ".venv")
    env.pop("VIRTUAL_ENV", None)
    if "UV_CACHE_DIR" not in env and not home_is_writable(env):
        env["UV_CACHE_DIR"] = str(ROOT / ".tools" / "cache")
    return env


def home_is_writable(env: dict[str, str]) -> bool:
    """Whether uv's usual cache folder, in XDG_CACHE_HOME or HOME, can be made and written."""
    base = env.get("XDG_CACHE_HOME") or (env.get("HOME") and str(Path(env["HOME"]) / ".cache"))
    if not base:
        return False
    folder = Path(base) / "uv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def sync() -> int:
    """Make .venv what uv.lock says; uv's exit code."""
    options = ["--quiet", "--locked", "--project", str(ROOT), "--python", sys.executable]
    uv = [str(install()), "sync", *options]
    return subprocess.run(uv, env=environment(), stdout=sys.stderr, check=False).returncode


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - this file alone runs before anything checked the version
        fail(
            f"Python {platform.python_version()} is too old",
            "use Python 3.11 or newer: make PYTHON=python3.12 …",
        )
    if sys.argv[1:] == ["uv"]:
        print(install())
    else:
        raise SystemExit(sync())
