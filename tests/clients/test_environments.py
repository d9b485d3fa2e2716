"""The clients' environments hold what their pins say, and their absence is told."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients import environments
from wavetank.fidelity import clients
from wavetank.fidelity.judges import judges

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)


def pins(client: str, file: str) -> dict[str, str]:
    text = (environments.HERE / client / file).read_text()
    return {name.lower(): version for name, version in PIN.findall(text)}


def test_a_judge_names_the_version_that_is_pinned() -> None:
    pinned = {
        name: version
        for client in environments.CLIENTS
        for name, version in pins(client, "requirements.in").items()
    }
    named = {judge.client.lower(): judge.version for judge in judges(environments.HERE)[0]}
    named.pop("plain http")
    assert named == pinned


def test_the_clients_are_in_the_page() -> None:
    page = clients(environments.HERE)
    assert all(f"| {judge.client} | {judge.version} |" in page for judge in judges(environments.HERE)[0])


@pytest.mark.parametrize("client", environments.CLIENTS)
def test_every_pin_has_its_hash_and_agrees_with_what_was_asked(client: str) -> None:
    text = (environments.HERE / client / "requirements.txt").read_text()
    entries = re.findall(r"^\S+==.*(?:\n .*)*", text, re.MULTILINE)
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
    assert pins(client, "requirements.in").items() <= pins(client, "requirements.txt").items()


@pytest.mark.parametrize(
    ("answer", "skipped"), [("error sending request for url", True), ("No solution found", False)]
)
def test_without_pypi_the_tests_are_skipped_and_with_a_wrong_pin_they_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, skipped: bool
) -> None:
    program = tmp_path / "uv"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit({answer!r})\n")
    program.chmod(0o755)
    monkeypatch.setenv("UV", str(program))
    monkeypatch.setattr(environments, "CACHE", tmp_path / "clients")
    environments.environment.cache_clear()
    expected = pytest.skip.Exception if skipped else RuntimeError
    with pytest.raises(expected, match="needs clients" if skipped else "No solution"):
        environments.environment("servicenowpy")
    environments.environment.cache_clear()
    assert [file.name for file in (tmp_path / "clients").iterdir()] == [".servicenowpy.lock"]


@pytest.mark.clients
def test_an_environment_holds_its_pins_and_nothing_else() -> None:
    programs = environments.environment("servicenowpy")
    line = [
        str(programs / "python"),
        "-c",
        "import importlib.metadata as m; print(*sorted(d.name.lower() + ' ' + d.version for d in m.distributions()), sep='\\n')",
    ]
    held = subprocess.run(line, capture_output=True, text=True, check=True).stdout.split("\n")
    assert [entry.split() for entry in held if entry] == [
        list(pin) for pin in sorted(pins("servicenowpy", "requirements.txt").items())
    ]
