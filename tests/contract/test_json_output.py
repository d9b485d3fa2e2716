"""docs/json.md says what the commands print: the same keys, no more and no less."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.repository import ROOT

PROGRAMS = Path(sys.executable).parent
NAMED = "NAME"
_SHAPE = re.compile(
    r"^## linkspan (?P<command>[\w -]+?)\n.*?^```json\n(?P<shape>.*?)^```$", re.DOTALL | re.MULTILINE
)


def shapes() -> dict[str, Any]:
    page = (ROOT / "docs" / "json.md").read_text()
    return {match["command"]: json.loads(match["shape"]) for match in _SHAPE.finditer(page)}


def unlike(shape: Any, printed: Any, place: str = "") -> list[str]:
    """Where ``printed`` has other keys, or another kind of value, than ``shape``."""
    if isinstance(shape, dict) and isinstance(printed, dict):
        if set(shape) == {NAMED}:
            found = [unlike(shape[NAMED], value, f"{place}.{name}") for name, value in printed.items()]
            return [place for places in found for place in places]
        found = [f"{place}.{key}" for key in sorted(shape.keys() ^ printed.keys())]
        for key in shape.keys() & printed.keys():
            found += unlike(shape[key], printed[key], f"{place}.{key}")
        return found
    if isinstance(shape, list) and isinstance(printed, list):
        return [found for item in printed for found in unlike(shape[0], item, f"{place}[]")]
    if isinstance(shape, dict | list) or isinstance(printed, dict | list):
        # What may be anything stands as a text or null in the shape.
        return [] if shape is None or isinstance(shape, str) else [f"{place}: {type(printed).__name__}"]
    return []


class Linkspan:
    """The program, in a folder with an account on three instances."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        key = base64.b64encode(b"k" * 32).decode()
        self._env = {**os.environ, "ADMIN_PASSWORD": "admin", "LINKSPAN_KEY": key, "HOME": str(folder)}

    def run(self, *arguments: str) -> dict[str, Any]:
        """What a command prints."""
        process = self._start(*arguments, "--json", stderr=subprocess.PIPE)
        said, complained = process.communicate(timeout=120)
        printed = json.loads(said)
        assert set(printed) == {"command", "ok", "exit", "result", "problems"}
        assert printed["exit"] == process.returncode, complained
        return printed

    def serve(self) -> subprocess.Popen[str]:
        """The hub, running."""
        return self._start("serve", stderr=subprocess.DEVNULL)

    def _start(self, *arguments: str, stderr: int) -> subprocess.Popen[str]:
        command = [str(PROGRAMS / "linkspan"), *arguments]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": stderr}
        return subprocess.Popen(command, cwd=self._folder, env=self._env, text=True, **pipes)


def declare(instance: Any, short_description: str) -> None:
    """A person's new incident."""
    request = urllib.request.Request(
        f"{instance.url}/api/now/table/incident",
        data=json.dumps({"short_description": short_description}).encode(),
        headers={
            "Content-Type": "application/json",
            "Authorization": "Basic " + base64.b64encode(":".join(instance.admin).encode()).decode(),
        },
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert reply.status == 201


@pytest.fixture
def linkspan(wavetank_fleet: Mapping[str, Any], tmp_path: Path) -> Linkspan:
    lines = ["version: 1", "instances:"]
    for name, instance in wavetank_fleet.items():
        admin = '{scheme: basic, user: admin, secret: "env:ADMIN_PASSWORD"}'
        lines.append(f'  {name}: {{url: "{instance.url}", environment: test, admin: {admin}}}')
    lines += [
        "accounts:",
        "  responder: {recipe: sync, user_name: svc.responder, owner: admin, instances: [dev, qa, prod],",
        "    scheme: oauth_password}",
        "sync: {desk: {peer: desk, instance: prod, account: responder, poll_seconds: 1, push: false}}",
        'hub: {listen: "127.0.0.1:0"}',
    ]
    (tmp_path / "linkspan.yaml").write_text("\n".join(lines) + "\n")
    return Linkspan(tmp_path)


def test_what_is_documented_is_what_is_printed(linkspan: Linkspan, wavetank_fleet: Mapping[str, Any]) -> None:
    shape = shapes()
    plan = linkspan.run("plan")
    assert (plan["exit"], plan["ok"]) == (1, False)
    assert plan["result"]["instances"]["dev"]["changes"]
    assert unlike(shape["plan"], plan["result"]) == []
    applied = linkspan.run("apply", "--yes")
    assert applied["ok"], applied["problems"]
    assert set(applied["result"]["instances"]) == {"dev", "qa", "prod"}
    assert unlike(shape["apply"], applied["result"]) == []
    assert linkspan.run("plan")["exit"] == 0

    wavetank_fleet["qa"].control("faults", {"match": {"table": "incident"}, "do": "status", "status": 403})
    preflight = linkspan.run("preflight", "--write")
    assert preflight["exit"] == 1
    assert preflight["result"]["summary"]["failed"] > 0
    assert any(check["causes"] for check in preflight["result"]["checks"])
    assert unlike(shape["preflight"], preflight["result"]) == []


@pytest.mark.slow
def test_the_ledger_is_printed_as_documented(linkspan: Linkspan, wavetank_fleet: Mapping[str, Any]) -> None:
    linkspan.run("apply", "--yes")
    hub = linkspan.serve()
    try:
        assert set(json.loads(hub.stdout.readline())) >= {"event", "url", "pid"}
        # What is there before the first poll is history, not news.
        assert linkspan.run("sync", "wait", "--timeout", "60")["ok"]
        declare(wavetank_fleet["prod"], "Printer on fire")
        waited = linkspan.run("sync", "wait", "--timeout", "60")
        assert waited["ok"], waited
        status = linkspan.run("sync", "status")["result"]
        assert unlike(shapes()["sync status"], status) == []
        desk = status["syncs"]["desk"]
        assert desk["links"] == 1, desk
        assert desk["ledger"]["received"] == sum(desk["ledger"].values()) - desk["ledger"]["received"] > 0
    finally:
        began = time.monotonic()
        hub.terminate()
        assert hub.wait(15) == 0
        assert time.monotonic() - began < 10


def test_a_difference_is_seen() -> None:
    shape = {"a": 1, "b": {NAMED: {"c": []}}}
    assert unlike(shape, {"a": 2, "b": {"x": {"c": []}}}) == []
    assert unlike(shape, {"a": 2, "b": {"x": {"d": []}}}) == [".b.x.c", ".b.x.d"]
