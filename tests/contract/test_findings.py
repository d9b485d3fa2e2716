"""Findings of real scanners become incidents of a running instance: once each, whatever happens."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from starlette.testclient import TestClient

from linkspan.api import Access, create_app
from linkspan.api.findings import finding_routes
from linkspan.connection import Connection
from linkspan.core import clock
from linkspan.demo import findings as demo_findings
from linkspan.desk import Desk as FarDesk
from linkspan.flows.findings import Intake, import_files, retry, source_of
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.flows.wiring import Wiring
from linkspan.store import Database
from linkspan.store import findings as store
from tests.contract.accounts import House, change, last_request, requests_since, rows
from tests.contract.test_json_output import shapes, unlike
from wavetank import Instance

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


@cache
def bandit() -> str:
    """What bandit reports of CODE."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.py").write_text(CODE)
        line = [sys.executable, "-m", "bandit", "-q", "-f", "sarif", "-o", "out.sarif", "app.py"]
        subprocess.run(line, cwd=folder, check=False, capture_output=True, timeout=60)
        return (Path(folder) / "out.sarif").read_text()


def scanned_by_bandit(folder: Path) -> Path:
    (folder / "bandit.sarif").write_text(bandit())
    return folder / "bandit.sarif"


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
def desk(wavetank: Instance, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    made = Desk(tmp_path, [wavetank], capsys)
    made.source()
    made.apply()
    yield made
    clock.set_clock(None)


def test_findings_become_incidents_once(desk: Desk, tmp_path: Path) -> None:
    report = scanned_by_bandit(tmp_path)
    first = desk.take(report)
    assert first["exit"] == 0
    assert first["result"]["created"] == 3  # two shells and one weak hash
    assert first["result"]["below_threshold"] == first["result"]["received"] - 3
    made = desk.incidents()
    assert len({one["correlation_id"] for one in made}) == 3
    before = last_request(desk.instances["dev"])
    again = desk.take(report)
    assert again["result"]["created"] == 0
    assert again["result"]["unchanged"] == 3
    assert len(desk.incidents()) == 3
    # One look for all of them, not one for each.
    asked = [one["path"] for one in requests_since(desk.instances["dev"], before)]
    assert sum("/table/incident" in path for path in asked) == 1


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


def test_a_preview_only_reads_and_tells_what_an_import_does(desk: Desk, tmp_path: Path) -> None:
    report = scanned_by_bandit(tmp_path)
    before = last_request(desk.instances["dev"])
    foretold = desk.command("findings", "preview", str(report))["result"]
    asked = requests_since(desk.instances["dev"], before)
    assert asked
    assert {one["method"] for one in asked} == {"GET"}
    assert foretold["blast_radius"]["incidents"] == foretold["created"] == 3
    told = {one["fields"]["short_description"] for one in foretold["incidents"]}
    took = desk.take(report)["result"]
    assert {key: foretold[key] for key in took} == took
    assert {one["short_description"] for one in desk.incidents()} == told
    after = desk.command("findings", "preview", str(report))["result"]
    assert (after["created"], after["unchanged"]) == (0, 3)


def test_rules_decide_and_what_they_cannot_say_is_parked(desk: Desk, tmp_path: Path) -> None:
    report = scanned_by_bandit(tmp_path)
    desk.source(
        """\
rules:
  - when: finding.threat.contains("CWE-78")
    set:
      tier: 1
      category: Software
      assignment_group: Hardware
      short_description: "{rule}: {title}"
  - when: finding.rule == "B324"
    set: {assignment_group: Crypto Guild}
  - when: finding.severity == "medium"
    set: {ticket: true, category: nonsense}
"""
    )
    took = desk.take(report)
    assert (took["result"]["created"], took["result"]["parked"], took["exit"]) == (2, 2, 1)
    found = {one["code"]: one for one in took["problems"]}
    assert found["unknown_group"]["where"].startswith("rules.yaml:8")
    assert "Crypto Guild" in found["unknown_group"]["cause"]
    assert "software" in found["unknown_choice"]["fix"]
    (group,) = rows(desk.instances["dev"], "sys_user_group", "name=Hardware")
    for one in desk.incidents():
        assert one["short_description"].startswith("B602: subprocess call")
        assert (one["impact"], one["urgency"], one["category"]) == ("1", "2", "software")
        assert one["assignment_group"] == group["sys_id"]
    # Put right, what was parked is served: once.
    desk.source("rules: []\n")
    again = desk.command("findings", "retry")
    assert (again["exit"], again["result"]["parked"]) == (0, 0)
    assert again["result"]["received"] == sum(again["result"][fate] for fate in FATES)
    assert len(desk.incidents()) == 3


def test_a_rule_that_is_wrong_is_told_before_anything_is_taken_in(desk: Desk, tmp_path: Path) -> None:
    desk.source('rules:\n  - when: finding.sevrity == "high"\n    set: {ticket: true}\n')
    answer = desk.command("findings", "import", str(scanned_by_bandit(tmp_path)))
    assert answer["exit"] == 2
    assert answer["problems"][0]["where"] == "rules.yaml:2"
    assert "sevrity" in answer["problems"][0]["cause"]
    desk.source()
    assert desk.command("findings", "status")["result"]["received"] == 0


def test_what_the_instance_drops_is_told(desk: Desk, tmp_path: Path) -> None:
    desk.source(
        """\
rules:
  - when: finding.rule == "B324"
    set: {fields: {u_nowhere: "{product}"}}
"""
    )
    took = desk.take(scanned_by_bandit(tmp_path))
    assert took["result"]["parked"] == 1
    assert [one["code"] for one in took["problems"]] == ["unknown_field"]


def test_the_hourly_budget_makes_a_queue(desk: Desk, tmp_path: Path) -> None:
    report = scanned_by_bandit(tmp_path)
    desk.source(budget=2)
    assert desk.command("findings", "preview", str(report))["result"]["queued"] == 1
    took = desk.take(report)
    assert (took["exit"], took["result"]["created"], took["result"]["queued"]) == (0, 2, 1)
    assert len(desk.incidents()) == 2
    status = desk.command("findings", "status")["result"]["sources"]["scanner"]
    assert status["queue"]["code"] == "budget"
    clock.set_clock(lambda: time.time() + 3_700)
    assert desk.command("findings", "retry")["result"]["queued"] == 0
    assert len(desk.incidents()) == 3


def test_the_incident_follows_its_finding(desk: Desk, tmp_path: Path) -> None:
    report = scanned_by_bandit(tmp_path)
    desk.take(report)
    log = json.loads(report.read_text())
    log["runs"][0]["results"] = [one for one in log["runs"][0]["results"] if one["ruleId"] == "B324"]
    (weak,) = log["runs"][0]["results"]

    def take(**changes: Any) -> dict[str, int]:
        weak.update(changes)
        report.write_text(json.dumps(log))
        counts: dict[str, int] = desk.take(report)["result"]
        return counts

    def incidents() -> list[dict[str, Any]]:
        return [one for one in desk.incidents() if "MD5" in one["short_description"]]

    assert take(properties={"security-severity": "9.9"})["updated"] == 1
    assert [(one["impact"], one["urgency"]) for one in incidents()] == [("2", "1")]
    assert take()["unchanged"] == 1
    assert take(baselineState="absent")["updated"] == 1
    assert [one["state"] for one in incidents()] == ["6"]
    assert take()["unchanged"] == 1
    assert take(baselineState="unchanged")["updated"] == 1
    assert [one["state"] for one in incidents()] == ["2"]
    (first,) = incidents()
    change(desk.instances["dev"], "incident", f"sys_id={first['sys_id']}", state="7", incident_state="7")
    assert take()["created"] == 1
    made = incidents()
    assert len(made) == 2
    assert made[1]["parent_incident"] == first["sys_id"]
    assert made[1]["correlation_id"] == f"{first['correlation_id']}:2"
    assert take()["unchanged"] == 1


def test_what_a_person_set_stays(desk: Desk, tmp_path: Path) -> None:
    report = scanned_by_bandit(tmp_path)
    desk.take(report)
    change(desk.instances["dev"], "incident", "correlation_idSTARTSWITHf:", urgency="3")
    log = json.loads(report.read_text())
    for one in log["runs"][0]["results"]:
        one["properties"]["security-severity"] = "9.9"
    report.write_text(json.dumps(log))
    took = desk.take(report)["result"]
    assert (took["updated"], took["unchanged"]) == (0, 3)
    assert {one["urgency"] for one in desk.incidents()[:3]} == {"3"}


def test_a_note_a_day(desk: Desk, tmp_path: Path) -> None:
    report = scanned_by_bandit(tmp_path)

    def notes() -> list[str]:
        found = rows(desk.instances["dev"], "sys_journal_field", "element=work_notes")
        return [one["value"] for one in found if "finds it still" in one["value"]]

    desk.take(report)
    desk.take(report)
    assert notes() == []
    clock.set_clock(lambda: time.time() + 90_000)
    assert desk.take(report)["result"]["unchanged"] == 3
    assert desk.take(report)["result"]["unchanged"] == 3
    assert sorted(notes()) == ["Bandit finds it still: seen 3 times by now."] * 3


@pytest.mark.slow
@pytest.mark.parametrize("do", ["drop_before", "drop_after_commit", "truncate"])
def test_a_lost_answer_makes_no_second_incident(desk: Desk, tmp_path: Path, do: str) -> None:
    lost = {"match": {"method": "POST", "path": "/api/now/table/incident*"}, "do": do, "times": 1}
    desk.instances["dev"].control("faults", [lost])
    report = scanned_by_bandit(tmp_path)
    desk.take(report)
    clock.set_clock(lambda: time.time() + 120)
    counts = desk.command("findings", "retry")["result"]
    assert (counts["created"], counts["queued"]) == (3, 0)
    assert len(desk.incidents()) == 3


def test_an_instance_that_does_not_answer_leaves_everything_in_the_queue(desk: Desk, tmp_path: Path) -> None:
    report = scanned_by_bandit(tmp_path)
    fault = {"match": {"path": "/api/*"}, "do": "status", "status": 503}
    desk.instances["dev"].control("faults", [fault])
    answer = desk.take(report)
    assert answer["exit"] == 3
    assert answer["result"]["queued"] == answer["result"]["received"]
    desk.instances["dev"].control("faults", method="DELETE")
    clock.set_clock(lambda: time.time() + 120)
    assert desk.command("findings", "retry")["result"]["created"] == 3


def test_another_home_finds_the_incidents_that_are_there(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = scanned_by_bandit(tmp_path)
    desk.take(report)
    (tmp_path / "home" / "linkspan.db").unlink()
    for left in (tmp_path / "home").glob("linkspan.db-*"):
        left.unlink()
    took = desk.take(report)["result"]
    assert (took["created"], took["unchanged"]) == (0, 3)
    assert len(desk.incidents()) == 3


def test_a_sample_goes_the_whole_way(desk: Desk) -> None:
    answer = desk.command("findings", "test", "scanner")
    assert answer["exit"] == 0
    record = answer["result"]["record"]
    assert record["short_description"].startswith("[CRITICAL] Sample finding")
    assert record["correlation_id"].startswith("f:linkspan:")
    (found,) = desk.incidents()
    assert found["sys_id"] == record["sys_id"]


def test_an_account_that_may_only_create_leaves_the_rest_to_a_person(desk: Desk, tmp_path: Path) -> None:
    dev = desk.instances["dev"]
    report = scanned_by_bandit(tmp_path)
    desk.take(report)
    policy = {"match": {"method": "PATCH", "path": "/api/now/table/incident*"}, "do": "status", "status": 403}
    dev.control("faults", [policy])
    log = json.loads(report.read_text())
    for one in log["runs"][0]["results"]:
        one["baselineState"] = "absent"
    report.write_text(json.dumps(log))
    took = desk.take(report)
    assert (took["exit"], took["result"]["parked"]) == (1, 3)
    assert {one["state"] for one in desk.incidents()} == {"1"}
    export = desk.command("findings", "export")["result"]["findings"]
    assert {one["state"] for one in export} == {"resolved"}


def test_an_export_holds_no_formulas(desk: Desk, tmp_path: Path) -> None:
    report = scanned_by_bandit(tmp_path)
    log = json.loads(report.read_text())
    log["runs"][0]["results"] = log["runs"][0]["results"][:1]
    log["runs"][0]["results"][0]["message"]["text"] = '=HYPERLINK("http://evil.example")'
    report.write_text(json.dumps(log))
    desk.take(report)
    desk.command("findings", "export", "--output", str(tmp_path / "out.csv"))
    text = (tmp_path / "out.csv").read_text()
    assert "'=HYPERLINK" in text
    assert ",=HYPERLINK" not in text
    assert ',"=HYPERLINK' not in text


class Killed(BaseException):
    """The process dies here; nothing catches it."""


def test_wherever_it_dies_there_is_one_incident_each(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Die at every boundary of the store and of the wire in turn, and go on."""
    report = scanned_by_bandit(tmp_path)
    passed, fatal, deaths = 0, 1, 0

    def step() -> None:
        nonlocal passed
        passed += 1
        if passed == fatal:
            raise Killed

    begin, call = Database.begin, Connection.call

    @contextmanager
    def dying_begin(self: Database) -> Iterator[Any]:
        step()
        with begin(self) as connection:
            yield connection
        step()

    def dying_call(self: Connection, *arguments: Any, **named: Any) -> Any:
        step()
        reply = call(self, *arguments, **named)
        step()
        return reply

    monkeypatch.setattr(Database, "begin", dying_begin)
    monkeypatch.setattr(Connection, "call", dying_call)
    shift = 0.0
    clock.set_clock(lambda: time.time() + shift)
    for _ in range(200):
        passed = 0
        with desk.wiring() as wiring:
            source = source_of(wiring, None)
            try:
                if not desk_counts(wiring)["received"]:
                    import_files(wiring, source, [report])
                else:
                    retry(wiring, source)
                break
            except Killed:
                deaths += 1
                fatal += 1
                shift += 61
    else:
        raise AssertionError("never came to its end")
    assert deaths > 20
    with desk.wiring() as wiring:
        counts = desk_counts(wiring)
    assert counts["received"] == sum(counts[fate] for fate in FATES)
    assert (counts["created"], counts["queued"], counts["parked"]) == (3, 0, 0)
    assert len(desk.incidents()) == 3


def desk_counts(wiring: Wiring) -> dict[str, int]:
    with wiring.database.read() as connection:
        return store.counts(connection, "scanner")


def test_what_is_documented_is_what_is_printed(desk: Desk, tmp_path: Path) -> None:
    report = scanned_by_bandit(tmp_path)
    desk.source('rules:\n  - when: finding.rule == "B324"\n    set: {assignment_group: Nobody}\n')
    shape = shapes()
    for command, arguments in (
        ("findings preview", [str(report)]),
        ("findings import", [str(report)]),
        ("findings status", []),
        ("findings export", []),
        ("findings test", ["scanner"]),
    ):
        printed = desk.command(*command.split(), *arguments)["result"]
        assert unlike(shape[command], printed) == [], command


def test_a_field_the_instance_does_not_keep_is_told(desk: Desk, tmp_path: Path) -> None:
    desk.source('rules:\n  - when: finding.rule == "B324"\n    set: {fields: {u_nowhere: "x"}}\n')
    text = desk.config.read_text()  # without an administrator nobody can see the dictionary
    desk.config.write_text(
        text.replace(', admin: {scheme: basic, user: admin, secret: "env:TANK_ADMIN"}', "")
    )
    took = desk.take(scanned_by_bandit(tmp_path))
    assert (took["exit"], took["result"]["created"]) == (0, 3)
    (told,) = took["problems"]
    assert told["code"] == "write_ignored"
    assert "u_nowhere" in told["cause"]


def test_a_signed_delivery_becomes_an_incident(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "whsec_c2VjcmV0LW9mLXRoZS1zY2FubmVyLWhlcmU="
    monkeypatch.setenv("SCANNER_KEY", key)
    body = json.dumps(demo_findings.ocsf())
    with desk.wiring() as wiring:
        hub = Hub(
            config=wiring.config,
            home=wiring.home,
            database=wiring.database,
            desk=FarDesk(wiring.database),
            status_of=lambda *_: {},
            background=(Intake(wiring),),
        )
        sender = TestClient(
            create_app(hub, Access(["t"]), Pulse(hub.stamp), parts=[finding_routes]),
            base_url="http://127.0.0.1:8700",
        )
        hub.start()
        try:
            for number in (1, 2):
                at = datetime.now(UTC)
                headers = {
                    "webhook-id": f"msg_{number}",
                    "webhook-timestamp": str(int(at.timestamp())),
                    "webhook-signature": Webhook(key).sign(f"msg_{number}", at, body),
                    "content-type": "application/json",
                }
                assert sender.post("/findings/scanner", content=body, headers=headers).status_code == 202
            until = time.monotonic() + 30
            while desk_counts(wiring)["queued"] and time.monotonic() < until:
                time.sleep(0.1)
        finally:
            hub.stop()
        counts = desk_counts(wiring)
    assert (counts["received"], counts["created"], counts["unchanged"]) == (8, 2, 2)
    assert len(desk.incidents()) == 2
