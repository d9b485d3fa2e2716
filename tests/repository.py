"""The checkout as the repository's own tests see it."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("linkspan", "wavetank")
_IGNORED = {".git", ".venv", ".tools", ".linkspan", "dist", "__pycache__", "node_modules"}


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Every file that is, or is about to be, in the repository."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        git = ["git", "-C", str(ROOT), "-c", f"safe.directory={ROOT}"]
        command = [*git, "ls-files", "-z", "-co", "--exclude-standard"]
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        files = (ROOT / name for name in listed.split("\0") if name)
    else:
        files = (path for path in ROOT.rglob("*") if not _IGNORED & set(path.relative_to(ROOT).parts))
    return tuple(sorted(path for path in files if path.is_file()))


def texts() -> dict[Path, str]:
    """The tracked files that are text, but for the lock file and foreign ones."""
    found = {}
    for path in tracked():
        if path.name == "uv.lock" or "vendor" in path.parts:
            continue
        body = path.read_bytes()
        if b"\0" not in body[:8000]:
            found[path] = body.decode()
    return found


def sources(package: str) -> tuple[Path, ...]:
    """The Python files of a package's source."""
    folder = ROOT / "packages" / package / "src"
    return tuple(path for path in tracked() if path.suffix == ".py" and path.is_relative_to(folder))


def pages() -> tuple[Path, ...]:
    """The Markdown pages."""
    return tuple(path for path in tracked() if path.suffix == ".md" and "vendor" not in path.parts)


def slug(heading: str) -> str:
    """The anchor a heading gets where the pages are read."""
    words = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).strip().lower())
    return words.replace(" ", "-")


def name(path: Path) -> str:
    """A tracked file's name in the repository."""
    return path.relative_to(ROOT).as_posix()
