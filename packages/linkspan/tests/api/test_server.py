"""``linkspan serve`` as a process."""

import http.client
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

YAML = """\
version: 1
instances:
  dev: {url: "http://127.0.0.1:9", environment: development}
hub: {listen: "127.0.0.1:0"}
"""


class Serving:
    """One hub process; ``ready`` is the line it printed."""

    def __init__(self, home: Path, *options: str) -> None:
        config = home / "linkspan.yaml"
        config.write_text(YAML)
        program = [sys.executable, "-c", "from linkspan.cli import main; main()"]
        self.process = subprocess.Popen(
            [*program, "serve", "--config", str(config), *options],
            env={**os.environ, "LINKSPAN_HOME": str(home / "state")},
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def ready(self) -> dict[str, Any]:
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)  # type: ignore[no-any-return]
        raise AssertionError(self.process.stderr.read())

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    hub = Serving(tmp_path, "--json")
    yield hub
    hub.end()


def get(url: str, path: str, token: str = "") -> http.client.HTTPResponse:
    line = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    line.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    return line.getresponse()


def test_serves_tells_and_stops(serving: Serving, tmp_path: Path) -> None:
    ready = serving.ready
    note = tmp_path / "state/hub.json"
    assert ready["event"] == "ready"
    assert json.loads(note.read_text()) == {"url": ready["url"], "pid": serving.process.pid}
    assert stat.S_IMODE((tmp_path / "state/hub.token").stat().st_mode) == 0o600
    token = ready["open"].partition("token=")[2]
    assert get(ready["url"], "/healthz").status == 200
    assert get(ready["url"], "/api/fleet").status == 401
    assert json.loads(get(ready["url"], "/api/fleet", token).read())["instances"][0]["name"] == "dev"

    live = get(ready["url"], "/live", token)  # an open stream does not hold the hub up
    assert live.readline().startswith(b"event: status")
    started = time.monotonic()
    serving.process.send_signal(signal.SIGTERM)
    rest, _ = serving.process.communicate(timeout=15)
    assert (serving.process.returncode, rest) == (0, "")
    assert time.monotonic() - started < 10
    assert not note.exists()


def test_one_hub_a_home_even_after_a_kill(serving: Serving, tmp_path: Path) -> None:
    first = serving.ready
    second = Serving(tmp_path)
    _, error = second.process.communicate(timeout=60)
    assert second.process.returncode == 2
    assert "a hub is already running on this home" in error
    assert get(first["url"], "/healthz").status == 200
    serving.process.kill()
    serving.process.wait(10)
    third = Serving(tmp_path)
    try:
        assert third.ready["open"].partition("token=")[2] == first["open"].partition("token=")[2]
    finally:
        third.end()
