"""Wakes: one at a time per key, none lost, taken up again after a kill."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from linkspan.engine import Wakes


def until(condition, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


def test_every_key_is_drained_and_never_twice_at_once(tmp_path: Path) -> None:
    done: Counter[str] = Counter()
    running: set[str] = set()
    overlaps = []
    lock = threading.Lock()

    def drain(key: str) -> None:
        with lock:
            if key in running:
                overlaps.append(key)
            running.add(key)
        time.sleep(0.005)
        with lock:
            running.discard(key)
            done[key] += 1

    wakes = Wakes(tmp_path, drain)
    wakes.start()
    try:
        for number in range(60):
            wakes.wake(f"key/{number % 12}")
        until(lambda: len(done) == 12)
        before = done["key/1"]
        wakes.wake("key/1")
        until(lambda: done["key/1"] > before)
        assert overlaps == []
    finally:
        wakes.stop()


def test_a_wake_that_could_not_be_queued_is_not_taken_for_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbos import DBOS

    done: list[str] = []
    wakes = Wakes(tmp_path, done.append)
    wakes.start()
    try:
        with monkeypatch.context() as broken:
            broken.setattr(DBOS, "enqueue_workflow", _full_disk)
            with pytest.raises(OSError, match="full"):
                wakes.wake("a/1")
        wakes.wake("a/1")
        until(lambda: done == ["a/1"])
    finally:
        wakes.stop()


def _full_disk(*_: object) -> None:
    raise OSError("the disk is full")


def test_everything_finished_is_forgotten_however_much_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbos import DBOS

    monkeypatch.setattr("linkspan.engine.wakes.KEEP_FINISHED", timedelta(seconds=-5))
    monkeypatch.setattr("linkspan.engine.wakes.FORGET_AT_ONCE", 2)
    done: list[str] = []
    wakes = Wakes(tmp_path, done.append)
    wakes.start()
    try:
        for number in range(5):
            wakes.wake(f"a/{number}")
        until(lambda: len(done) == 5)
        until(lambda: len(DBOS.list_workflows(status="SUCCESS")) == 5)
        assert wakes.forget_finished() == 5
    finally:
        wakes.stop()


CHILD = """
    import sys, time
    from pathlib import Path
    from linkspan.engine import Wakes

    home, slow = Path(sys.argv[1]), sys.argv[2] == "slow"

    def drain(key):
        with (home / "started").open("a") as file:
            file.write(key + "\\n")
        if slow:
            time.sleep(60)
        with (home / "finished").open("a") as file:
            file.write(key + "\\n")

    wakes = Wakes(home, drain)
    wakes.start()
    if slow:
        wakes.wake("a/1")
        wakes.wake("a/2")
    time.sleep(60)
"""


def test_work_cut_off_by_a_kill_is_taken_up_by_the_next_process(tmp_path: Path) -> None:
    def child(mode: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path), mode])

    def lines(name: str) -> set[str]:
        path = tmp_path / name
        return set(path.read_text().split()) if path.exists() else set()

    first = child("slow")
    try:
        until(lambda: lines("started") == {"a/1", "a/2"})
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    assert lines("finished") == set()
    second = child("quick")
    try:
        until(lambda: lines("finished") == {"a/1", "a/2"})
    finally:
        second.kill()
        second.wait()
