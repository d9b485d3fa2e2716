"""Fetches the third-party files of the web pages from npm, at exact versions, and writes their manifest.

    python tools/vendor.py           fetch what the list below names and write the files and manifest.json
    python tools/vendor.py --check   compare the files with the manifest; no network

A new version is a change of the list here, a run, and a look at the difference.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).parent.parent / "packages/linkspan/src/linkspan/web/static/vendor"
MANIFEST = VENDOR / "manifest.json"
# (file here, npm package, version, path in the package, licence)
WANTED = [
    ("htmx.min.js", "htmx.org", "4.0.1", "dist/htmx.min.js", "0BSD"),
    ("hx-sse.min.js", "htmx.org", "4.0.1", "dist/ext/hx-sse.min.js", "0BSD"),
    (
        "inter-latin.woff2",
        "@fontsource-variable/inter",
        "5.2.8",
        "files/inter-latin-wght-normal.woff2",
        "OFL-1.1",
    ),
    # The font's licence asks to travel with it.
    ("inter-LICENSE.txt", "@fontsource-variable/inter", "5.2.8", "LICENSE", "OFL-1.1"),
]


def fetch() -> None:
    """Write every file and the manifest."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    entries = []
    for file, package, version, path, licence in WANTED:
        content = _from_npm(package, version, path)
        (VENDOR / file).write_bytes(content)
        entries.append(
            {
                "file": file,
                "package": package,
                "version": version,
                "sha256": hashlib.sha256(content).hexdigest(),
                "licence": licence,
            }
        )
    MANIFEST.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def differences() -> list[str]:
    """What is not as the manifest says, a sentence each."""
    entries = json.loads(MANIFEST.read_text(encoding="utf-8"))
    named = {entry["file"] for entry in entries} | {MANIFEST.name}
    found = [f"{path.name} is not in the manifest" for path in VENDOR.iterdir() if path.name not in named]
    for entry in entries:
        path = VENDOR / entry["file"]
        if not path.is_file():
            found.append(f"{entry['file']} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            found.append(f"{entry['file']} is not {entry['package']} {entry['version']}")
    return found


def _from_npm(package: str, version: str, path: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, f"{package}@{version}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as opened:
            member = opened.extractfile(f"package/{path}")
            if member is None:
                raise FileNotFoundError(path)
            return member.read()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        problems = differences()
        print("\n".join(problems) or "the vendored files are as the manifest says")
        sys.exit(bool(problems))
    fetch()
