"""A fleet of its own for tests that need packs: `dev`, `qa` and `prod`, one process each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wavetank.pytest_plugin import NAMES, Wavetank


@contextmanager
def fleet(tls: Path, packs: str) -> Iterator[dict[str, Wavetank]]:
    """Three instances that hold ``packs``, a comma list, for as long as the context lasts."""
    line = [sys.executable, "-m", "wavetank", "fleet", "--names", ",".join(NAMES), "--base-port", "0"]
    line += ["--tls-dir", str(tls), "--pack", packs]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            ready = {one.name: one for one in [_ready(process) for _ in NAMES]}
            yield {name: ready[name] for name in NAMES}
        finally:
            process.terminate()
            process.wait(15)


def _ready(process: subprocess.Popen[str]) -> Wavetank:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the fleet did not start: it ended with {process.wait(5)}"
    ready = json.loads(line)
    return Wavetank(ready["name"], ready["url"], ready["tls_url"], Path(ready["ca"]), ready["release"])
