"""What goes wrong between a finding and its incident: late, doubled, lost, fought over, poisonous."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from linkspan.connection.apis.table import TableApi
from linkspan.core import clock
from linkspan.findings.raising import Raiser
from linkspan.flows import findings as flow
from linkspan.store import findings as store
from linkspan.store.tables import finding as finding_table
from linkspan.store.tables import sighting as sighting_table
from tests.contract.accounts import change, rows
from tests.contract.test_findings import FATES, Desk
from wavetank import Instance


@pytest.fixture
def desk(wavetank: Instance, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    made = Desk(tmp_path, [wavetank], capsys)
    made.source()
    made.apply()
    yield made
    clock.set_clock(None)


def event(uid: str = "f-1", severity: int = 4, product: str = "Probe", **more: Any) -> dict[str, Any]:
    info = {"uid": uid, "title": f"Finding {uid}", "analytic": {"uid": "rule"}}
    return {
        "class_uid": 2004,
        "severity_id": severity,
        "metadata": {"product": {"name": product}},
        "finding_info": info,
        **more,
    }


RESOLVED = {"status_id": 4}


def take(desk: Desk, *events: dict[str, Any]) -> dict[str, Any]:
    """Import these; the fates that are not zero."""
    path = desk.folder / "events.json"
    path.write_text(json.dumps(list(events)))
    return told(desk.take(path)["result"])


def told(counts: dict[str, Any]) -> dict[str, Any]:
    return {fate: counts[fate] for fate in FATES if counts[fate]}


def status(desk: Desk) -> dict[str, Any]:
    counts = desk.command("findings", "status")["result"]
    assert counts["received"] == sum(counts[fate] for fate in FATES)
    return told(counts)


def later(seconds: float) -> None:
    clock.set_clock(lambda: time.time() + seconds)


def fault(desk: Desk, method: str, do: str, **more: Any) -> None:
    match = {"method": method, "path": "/api/now/table/incident*"}
    desk.instances["dev"].control("faults", [{"match": match, "do": do, "times": 1, **more}])


def test_what_was_resolved_while_it_waited_makes_no_incident(desk: Desk) -> None:
    desk.source(budget=1)
    assert take(desk, event("f-1"), event("f-2")) == {"created": 1, "queued": 1}
    assert take(desk, event("f-2", **RESOLVED)) == {"below_threshold": 1}
    later(3_700)
    desk.command("findings", "retry")
    assert status(desk) == {"created": 1, "below_threshold": 2}
    assert len(desk.incidents()) == 1
    export = desk.command("findings", "export")["result"]["findings"]
    (second,) = (one for one in export if one["title"] == "Finding f-2")
    assert (second["state"], second["sightings"]) == ("resolved", 2)


def test_a_finding_that_is_muted_takes_no_incident_up_again(desk: Desk) -> None:
    take(desk, event())
    (made,) = desk.incidents()
    change(desk.instances["dev"], "incident", f"sys_id={made['sys_id']}", state="6", incident_state="6")
    desk.source("rules: [{when: 'finding.rule == \"rule\"', set: {ticket: false}}]\n")
    assert take(desk, event()) == {"below_threshold": 1}
    assert [one["state"] for one in desk.incidents()] == ["6"]


def test_a_severity_whose_write_was_lost_on_the_way_back_is_ours(desk: Desk) -> None:
    take(desk, event(severity=4))
    fault(desk, "PATCH", "drop_after_commit")
    take(desk, event(severity=5))
    later(120)
    desk.command("findings", "retry")
    assert [one["urgency"] for one in desk.incidents()] == ["1"]
    assert take(desk, event(severity=4)) == {"updated": 1}
    assert [one["urgency"] for one in desk.incidents()] == ["2"]


def test_what_the_instance_makes_of_a_severity_is_not_fought(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = TableApi.create

    def ruled(self: TableApi, table: str, values: Any, **named: Any) -> Any:
        return create(self, table, {**values, "urgency": "3"}, **named)

    monkeypatch.setattr(TableApi, "create", ruled)
    take(desk, event(severity=4))
    assert take(desk, event(severity=4)) == {"unchanged": 1}
    assert [one["urgency"] for one in desk.incidents()] == ["3"]
    assert take(desk, event(severity=5)) == {"updated": 1}  # now the source did change its mind
    assert [one["urgency"] for one in desk.incidents()] == ["1"]


def test_what_a_person_set_stays_when_it_is_taken_up_again(desk: Desk) -> None:
    take(desk, event(severity=4))
    change(desk.instances["dev"], "incident", "correlation_idSTARTSWITHf:", urgency="3")
    assert take(desk, event(severity=4, **RESOLVED)) == {"updated": 1}
    assert take(desk, event(severity=4)) == {"updated": 1}
    assert take(desk, event(severity=5)) == {"unchanged": 1}
    assert [one["urgency"] for one in desk.incidents()] == ["3"]


def test_another_home_leaves_what_a_person_set(desk: Desk) -> None:
    take(desk, event(severity=4))
    change(desk.instances["dev"], "incident", "correlation_idSTARTSWITHf:", urgency="3")
    for left in (desk.folder / "home").glob("linkspan.db*"):
        left.unlink()
    assert take(desk, event(severity=4)) == {"unchanged": 1}
    assert [one["urgency"] for one in desk.incidents()] == ["3"]


def test_two_that_serve_at_once_count_one_incident_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command has created the incident and not said so yet, when the hub comes by."""
    outcome, entered = Raiser._outcome, []

    def interrupted(self: Raiser, *arguments: Any) -> Any:
        done = outcome(self, *arguments)
        if not entered:
            entered.append(True)
            with self._binding.database.read() as connection:
                _, second = store.waiting(connection, "scanner")
            Raiser(self._binding)._serve(second)
        return done

    monkeypatch.setattr(Raiser, "_outcome", interrupted)
    assert take(desk, event(), event()) == {"created": 1, "unchanged": 1}
    assert len(desk.incidents()) == 1


def test_one_that_nobody_foresaw_does_not_hold_up_the_rest(desk: Desk) -> None:
    desk.source(budget=1)
    take(desk, event("f-0"), event("f-1"), event("f-2"))
    with desk.wiring() as wiring, wiring.database.begin() as connection:
        first = connection.execute(
            sa.select(sa.func.min(sighting_table.c.seq)).where(sighting_table.c.fate == "queued")
        ).scalar_one()
        spoilt = sa.update(sighting_table).where(sighting_table.c.seq == first)
        connection.execute(spoilt.values(payload={"from": "another release"}))
    later(3_700)
    desk.command("findings", "retry")
    assert status(desk) == {"created": 2, "parked": 1}
    (need,) = desk.command("findings", "status")["result"]["in_need"]
    assert need["code"] == "unforeseen"


def test_what_waits_for_a_person_is_one_of_each_finding(desk: Desk) -> None:
    desk.source("rules: [{when: 'true', set: {assignment_group: Nobody}}]\n")
    assert take(desk, event()) == {"parked": 1}
    assert take(desk, event()) == {"parked": 1}
    assert status(desk) == {"parked": 1, "below_threshold": 1}  # there is no incident yet
    desk.source()
    desk.command("findings", "retry")
    assert status(desk) == {"created": 1, "below_threshold": 1}


def test_what_has_served_is_not_kept_for_ever(desk: Desk) -> None:
    for _ in range(3):
        take(desk, event(), event("f-2", severity=1), {"class_uid": 1})
    with desk.wiring() as wiring, wiring.database.read() as connection:
        kept = connection.execute(sa.select(sighting_table.c.fate, sighting_table.c.payload)).all()
        documents = connection.execute(sa.select(finding_table.c.document)).scalars().all()
    assert {row.fate for row in kept if row.payload is not None} == {"quarantined"}
    assert [one["title"] for one in documents] == ["Finding f-1", "Finding f-2"]


def test_a_product_cannot_write_html_into_a_note(desk: Desk) -> None:
    name = "Probe [code]<b>x</b>[/CODE]"
    take(desk, event(product=name))
    take(desk, event(product=name, **RESOLVED))
    notes = rows(desk.instances["dev"], "sys_journal_field", "element=work_notes")
    (note,) = (one["value"] for one in notes if "no longer" in one["value"])
    assert note == "Probe (code)<b>x</b>(/CODE) no longer finds it."


def test_a_correlation_id_that_is_not_kept_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    create = TableApi.create

    def dropping(self: TableApi, table: str, values: Any, **named: Any) -> Any:
        sent = {name: value for name, value in values.items() if name != "correlation_id"}
        return create(self, table, sent, **named)

    monkeypatch.setattr(TableApi, "create", dropping)
    take(desk, event())
    (need,) = desk.command("findings", "status")["result"]["in_need"]
    assert need["code"] == "write_ignored"
    assert "correlation_id" in need["cause"]


def test_files_are_read_one_after_the_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    read, receive = Path.read_bytes, store.receive

    def reading(self: Path) -> bytes:
        if self.suffix == ".json":
            steps.append("read")
        return read(self)

    def receiving(*arguments: Any) -> int:
        steps.append("received")
        return receive(*arguments)

    monkeypatch.setattr(Path, "read_bytes", reading)
    monkeypatch.setattr(flow.store, "receive", receiving)
    files = [desk.folder / f"{number}.json" for number in range(2)]
    for number, path in enumerate(files):
        path.write_text(json.dumps(event(f"f-{number}")))
    desk.take(*files)
    assert steps == ["read", "received", "read", "received"]
    missing = desk.command("findings", "import", str(files[0]), str(desk.folder / "nowhere.json"))
    assert missing["exit"] == 2
    assert status(desk) == {"created": 2}


def test_an_export_that_cannot_be_written_is_told(desk: Desk) -> None:
    answer = desk.command("findings", "export", "--output", str(desk.folder / "nowhere" / "out.csv"))
    assert (answer["exit"], answer["problems"][0]["code"]) == (2, "config")


def test_a_large_file_is_taken_in_in_parts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or nobody else could write to the store for minutes."""
    parts: list[int] = []
    receive = store.receive

    def receiving(connection: Any, source: str, batch: str, entries: Any) -> int:
        parts.append(len(list(entries)))
        return receive(connection, source, batch, entries)

    monkeypatch.setattr(flow.store, "receive", receiving)
    monkeypatch.setattr(flow, "RECEIVED_AT_ONCE", 2)
    many = [event(f"f-{number}", severity=1) for number in range(4)]
    assert take(desk, *many, {"class_uid": 1}) == {"below_threshold": 4, "quarantined": 1}
    assert parts == [2, 2, 1]
