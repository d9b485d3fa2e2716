"""Findings of real scanners become incidents of a running instance: once each, whatever happens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.accounts import KEY, House, change, last_request, requests_since, rows
from wavetank.pytest_plugin import Wavetank

FATES = (
    *("created", "updated", "unchanged", "grouped"),
    *("queued", "below_threshold", "quarantined", "parked"),
)
CODE = """\
import subprocess, pickle, hashlib
def run(command):
    subprocess.call(command, shell=True)
def again(command):
    subprocess.call(command, shell=True)
def load(data):
    return pickle.loads(data)
def digest(data):
    return hashlib.md5(data).hexdigest()
"""
WORKFLOW = """\
on: pull_request_target
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {ref: "${{ github.event.pull_request.head.sha }}"}
      - run: echo "${{ github.event.pull_request.title }}"
"""


def scanned_by_bandit(folder: Path, code: str = CODE, name: str = "bandit.sarif") -> Path:
    (folder / "app.py").write_text(code)
    line = [sys.executable, "-m", "bandit", "-q", "-f", "sarif", "-o", name, "app.py"]
    subprocess.run(line, cwd=folder, check=False, capture_output=True, timeout=60)
    return folder / name


def scanned_by_zizmor(folder: Path) -> Path:
    workflows = folder / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (workflows / "ci.yml").write_text(WORKFLOW)
    tool = Path(sys.executable).with_name("zizmor")
    line = [str(tool), "--offline", "--format", "sarif", ".github/workflows/ci.yml"]
    done = subprocess.run(line, cwd=folder, check=False, capture_output=True, text=True, timeout=60)
    (folder / "zizmor.sarif").write_text(done.stdout)
    return folder / "zizmor.sarif"


class Desk(House):
    """A house with one source of findings, ``scanner``, on dev."""

    def source(self, rules: str | None = None, *, budget: int = 50, recipe: str = "sync") -> None:
        self.write(recipe=recipe)
        more = f"budget_per_hour: {budget}, secrets: ['env:SCANNER_KEY']"
        if rules is not None:
            (self.folder / "rules.yaml").write_text(rules)
            more += ", rules: rules.yaml"
        with self.config.open("a") as file:
            file.write(f"findings: {{scanner: {{instance: dev, account: responder, {more}}}}}\n")

    def incidents(self) -> list[dict[str, Any]]:
        return rows(self.instances["dev"], "incident", "correlation_idSTARTSWITHf:^ORDERBYnumber")

    def take(self, *files: Path) -> dict[str, Any]:
        answer = self.command("findings", "import", *map(str, files))
        counts = answer["result"]
        assert counts["received"] == sum(counts[fate] for fate in FATES), counts
        return answer


@pytest.fixture
def desk(
    wavetank: Wavetank, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    monkeypatch.setenv("LINKSPAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LINKSPAN_KEY", KEY)
    monkeypatch.setenv("TANK_ADMIN", "admin")
    made = Desk(tmp_path, [wavetank], capsys)
    made.source()
    made.apply()
    yield made


def test_findings_become_incidents_once(desk: Desk, tmp_path: Path) -> None:
    report = scanned_by_bandit(tmp_path)
    first = desk.take(report)
    assert first["exit"] == 0
    assert first["result"]["created"] == 3  # two shells and one weak hash
    assert first["result"]["below_threshold"] == first["result"]["received"] - 3
    made = desk.incidents()
    assert len({one["correlation_id"] for one in made}) == 3
    again = desk.take(report)
    assert again["result"]["created"] == 0
    assert again["result"]["unchanged"] == 3
    assert len(desk.incidents()) == 3


def test_what_an_incident_says(desk: Desk, tmp_path: Path) -> None:
    desk.take(scanned_by_zizmor(tmp_path))
    found = next(one for one in desk.incidents() if "template expansion" in one["short_description"])
    assert found["short_description"].startswith("[HIGH] code injection via template expansion")
    for part in ("What\n", "Where\n.github/workflows/ci.yml", "Evidence\n", "Links\nhttps://docs.zizmor.sh"):
        assert part in found["description"].replace("\r\n", "\n")
    assert (found["impact"], found["urgency"], found["priority"]) == ("2", "2", "3")
    assert found["contact_type"] == "integration"
    assert found["correlation_id"].startswith("f:zizmor:")
    assert len(found["correlation_id"]) <= 100
