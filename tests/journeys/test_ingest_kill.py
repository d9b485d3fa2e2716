"""A load that is killed at any moment ends in exact equality with the instance."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.contract.accounts import rows, surround
from tests.contract.intake import Reader, plant, there


@pytest.fixture
def reader(
    tmp_path: Path, wavetank: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Reader:
    surround(monkeypatch, tmp_path / "home")
    reader = Reader(tmp_path, [wavetank], capsys)
    reader.setup(streams="incident: {}")
    return reader


def fill(instance: Any, count: int) -> None:
    for start in range(0, count, 10_000):
        plant(
            instance,
            "incident",
            [
                {
                    "short_description": f"incident {n}",
                    "description": "it does not work " * 10,
                    "sys_updated_on": f"2026-{1 + n % 9:02}-{1 + n // 9 % 28:02} {n % 24:02}:{n % 60:02}:00",
                }
                for n in range(start, min(start + 10_000, count))
            ],
        )


@contextmanager
def running(reader: Reader, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The real command, in a process of its own, ended when the context ends."""
    line = [*needs.LINKSPAN, "ingest", "run", "--config", str(reader.config), *arguments]
    with subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> str:
    """The next line of progress; empty when the process has ended."""
    assert process.stderr is not None
    return process.stderr.readline()


@pytest.mark.slow
def test_a_run_killed_between_two_loads_goes_on_where_it_was(reader: Reader, wavetank: Any) -> None:
    fill(wavetank, 12_000)
    with running(reader) as process:
        assert "rows read" in told(process)
        process.send_signal(signal.SIGKILL)
    status = reader.command("ingest", "status")["result"]["streams"]["incident"]
    assert status["unfinished"]
    assert 0 < status["stored"] < 12_000
    (changed,) = rows(wavetank, "incident", "short_description=incident 3")
    wavetank.control(
        f"records/incident/{changed['sys_id']}",
        {"sys_updated_on": "2026-11-01 00:00:00", "sys_mod_count": "1"},
        method="PATCH",
    )
    outcome = reader.stream()
    assert outcome["verified"]
    assert outcome["read"] < 12_000, "it began anew"
    assert reader.live() == there_all(wavetank)


@pytest.mark.slow
def test_ctrl_c_ends_clean(reader: Reader, wavetank: Any) -> None:
    fill(wavetank, 12_000)
    with running(reader, "--json") as process:
        assert "rows read" in told(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 4, err
    assert '"interrupted"' in out
    assert "Traceback" not in err
    assert list((reader.folder / "home" / "spool").iterdir()) == []
    assert reader.stream()["verified"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_killed_again_and_again_at_any_moment_ends_in_equality(reader: Reader, wavetank: Any) -> None:
    """While the table goes on changing."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    fill(wavetank, 30_000)
    sys_ids = [row["sys_id"] for row in rows(wavetank, "incident")]
    busy, over = threading.Event(), threading.Event()

    def change() -> None:
        n = 0
        while not over.wait(0.02):
            n += 1
            wavetank.control(
                f"records/incident/{chance.choice(sys_ids)}",
                {
                    "short_description": f"changed {n}",
                    "sys_updated_on": f"2026-10-01 00:{n // 60 % 60:02}:{n % 60:02}",
                    "sys_mod_count": str(n),
                },
                method="PATCH",
            )
            busy.set()

    people = threading.Thread(target=change)
    people.start()
    try:
        assert busy.wait(10)
        for _ in range(12):
            with running(reader) as process:
                try:
                    process.wait(chance.uniform(0.5, 4.0))
                except subprocess.TimeoutExpired:
                    os.kill(process.pid, signal.SIGKILL)
    finally:
        over.set()
        people.join()
    outcome = reader.stream()
    assert outcome["verified"], outcome
    assert reader.live() == there_all(wavetank)


def there_all(instance: Any) -> set[tuple[str, str, int]]:
    """Every row on the instance; the control surface lists 10,000 at a time."""
    found: set[tuple[str, str, int]] = set()
    for digit in "0123456789abcdef":
        part = there(instance, "incident", f"sys_idSTARTSWITH{digit}")
        assert len(part) < 10_000
        found |= part
    return found
