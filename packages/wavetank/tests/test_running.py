"""An instance as a user's own code holds it."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from wavetank import Instance


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Instance(name="sandbox", pack="demo", tls_dir=tmp_path_factory.mktemp("tls")) as made:
        yield made


def get(instance: Instance, path: str, *, tls: bool = False) -> Any:
    user = base64.b64encode(":".join(instance.admin).encode()).decode()
    address = (instance.tls_url if tls else instance.url) + path
    context = ssl.create_default_context(cafile=str(instance.ca)) if tls else None
    asked = urllib.request.Request(address, headers={"Authorization": f"Basic {user}"})
    with urllib.request.urlopen(asked, context=context, timeout=20) as answer:
        return json.load(answer)["result"]


def test_it_answers_over_http_and_tls_and_holds_its_pack(started: Instance) -> None:
    path = "/api/now/table/incident?sysparm_limit=1&sysparm_fields=number"
    assert started.name == "sandbox"
    assert get(started, path) == get(started, path, tls=True) != []


def test_rows_snapshots_and_time(started: Instance) -> None:
    started.reset()
    started.snapshot("before")
    [made] = started.insert("incident", {"number": "INC9", "short_description": "laid out"})
    assert started.rows("incident", "number=INC9") == [made]
    started.freeze("2026-03-01T00:00:00Z")
    started.advance(90)
    assert started.control("clock")["now"] == "2026-03-01T00:01:30.000Z"
    started.restore("before")
    assert started.rows("incident", "number=INC9") == []


def test_failures_and_what_was_asked(started: Instance) -> None:
    started.reset()
    started.fail("status", status=503, match={"table": "incident"}, times=1)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(started, "/api/now/table/incident")
    started.configure(latency_ms=1)
    assert [each["status"] for each in started.requests()] == [503]
    with pytest.raises(AssertionError, match="latency"):
        started.configure(latency=1)


def test_it_says_when_it_cannot_start(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        Instance(pack="nonsense", tls_dir=tmp_path)
    assert "no pack 'nonsense'" in capfd.readouterr().err


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = f"""
import wavetank, os
held = wavetank.Instance(tls_dir={str(tmp_path)!r})
print(held.control("settings")["release"], held._process.pid, flush=True)
os._exit(1)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60
    )
    release, pid = run.stdout.split()
    assert release == "australia"
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the instance outlived its owner")


def test_the_fixtures_hold_what_the_project_says(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nwavetank_pack = demo\nwavetank_release = zurich\n")
    pytester.makepyfile(
        """
        def test_demo(instance):
            assert instance.rows("incident")
            assert instance.release == "zurich"
            instance.insert("incident", {"number": "INC9"})

        def test_fresh(instance, wavetank):
            assert instance is wavetank
            assert instance.rows("incident", "number=INC9") == []
        """
    )
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=2)
