"""The main job, as a person starts it: one command, a summary, an exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request

import pytest

from tests import needs
from tests.repository import ROOT

REPLAY = ROOT.parent / "shared" / "data" / "uci_incident_event_log.csv.zip"
FATES = ("applied", "coalesced", "echo", "filtered", "parked", "dead", "pending")

pytestmark = pytest.mark.timeout(600)


def tell(*arguments: str, within: float = 240) -> dict:
    """Run ``linkspan demo --once --json``; its object. It must exit 0 and print nothing else."""
    done = subprocess.run(
        [*needs.LINKSPAN, "demo", "--once", "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}"
    return json.loads(done.stdout)


def check(summary: dict, events: int) -> None:
    sync, ledger = summary["sync"], summary["sync"]["ledger"]
    assert summary["instances"] == 3
    assert summary["accounts"] == 3
    assert summary["preflight"]["passed"] >= 3
    assert summary["preflight"]["failed"] == 0
    assert sync["events"] == events
    assert sync["edits"] + sync["skipped"] == 2 * events
    assert sync["edits"] > events
    assert (sync["differences"], sync["duplicates"]) == (0, 0)
    assert ledger["received"] == sum(ledger[fate] for fate in FATES)
    assert ledger["pending"] == 0
    assert ledger["dead"] == 0
    assert ledger["applied"] > events / 4
    assert sync["links"] > events / 10
    assert 0 < sync["lag_p50_s"] <= sync["lag_p95_s"]
    assert sync["requests"] > sync["links"]
    guides = summary["guides"]
    for name in ("scan_engine", "service_accounts", "incident_io", "rad_security", "harness_sei"):
        assert guides[name] is True, guides["checks"][name]
        assert len(guides["checks"][name]) >= 10
        assert all(check["ok"] for check in guides["checks"][name])


@pytest.mark.slow
def test_the_whole_story_with_an_invented_log():
    check(tell("--events", "200"), 200)


def needs_log() -> None:
    if not REPLAY.exists():
        pytest.skip(f"the real event log is not at {REPLAY}")


@pytest.mark.slow
def test_the_whole_story_with_the_real_log():
    needs_log()
    check(tell("--events", "200", "--replay", str(REPLAY)), 200)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("real", [False, True], ids=["invented", "real"])
def test_two_thousand_events_in_two_minutes(real):
    if real:
        needs_log()
    summary = tell("--events", "2000", *(["--replay", str(REPLAY)] if real else []), within=580)
    check(summary, 2000)
    assert summary["seconds"] < 120


def test_a_log_that_is_none_is_refused_before_anything_starts(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("number\nINC1\n", encoding="utf-8")
    done = subprocess.run(
        [*needs.LINKSPAN, "demo", "--once", "--json", "--replay", str(path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    problem = json.loads(done.stdout)["problems"][0]
    assert problem["code"] == "config"
    assert problem["where"] == f"{path}:1"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
@pytest.mark.slow
def test_left_running_it_serves_its_page_and_stops_cleanly(stop, tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    demo = subprocess.Popen(
        [*needs.LINKSPAN, "demo", "--json", "--events", "20", "--rate", "5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        ready = json.loads(demo.stdout.readline())
        assert sorted(ready["instances"]) == ["dev", "prod", "qa"]
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with browser.open(ready["url"], timeout=30) as page:
            assert b"prod" in page.read()
        demo.send_signal(stop)
        _, words = demo.communicate(timeout=60)
    finally:
        if demo.poll() is None:
            demo.terminate()  # not kill: it has children to end
            demo.communicate(timeout=60)
    assert demo.returncode == 0, words
    assert list(tmp_path.iterdir()) == []
    for url in [ready["url"], *ready["instances"].values()]:
        assert is_gone(url), url


def is_gone(url: str) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except ConnectionRefusedError:
            return True
        except OSError as error:
            if isinstance(getattr(error, "reason", None), ConnectionRefusedError):
                return True
        time.sleep(0.2)
    return False
