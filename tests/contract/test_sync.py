"""Both ways between the desk and a running instance: once, complete, and the same after any crash."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linkspan.core import clock
from linkspan.core.errors import Rejected
from linkspan.core.peer import PeerNote
from linkspan.desk import DeskPeer
from linkspan.store import links
from linkspan.sync.status import status
from tests.contract.sea import Sea

FATES = ("applied", "coalesced", "echo", "filtered", "parked", "dead", "pending")


@pytest.fixture
def sea(wavetank: Any, tmp_path: Path) -> Iterator[Sea]:
    made = Sea(wavetank, tmp_path)
    made.rest()
    yield made
    made.close()


def declare(sea: Sea, name: str, **values: str) -> Any:
    return sea.desk.declare({"name": name, "severity": "moderate", **values})


def say(sea: Sea, incident: Any, text: str) -> None:
    sea.desk.add_update(incident.id, text, author="Alice")


def open_incident(sea: Sea, **values: str) -> dict[str, Any]:
    return sea.analyst.table.create("incident", {"short_description": "Mail is slow", **values})


def test_an_incident_declared_on_the_desk_gets_one_record(sea: Sea) -> None:
    made = declare(sea, "Checkout fails", summary="500 since 09:00", severity="critical", status="live")
    say(sea, made, "Looking at the gateway")
    sea.rest()
    (record,) = sea.records()
    assert record["short_description"] == "Checkout fails"
    assert record["description"] == "500 since 09:00"
    assert (record["priority"], record["state"]) == ("1", "2")
    assert sea.notes_of(record["sys_id"]) == ["Alice via the desk: Looking at the gateway"]


def test_an_incident_opened_on_the_instance_appears_on_the_desk(sea: Sea) -> None:
    opened = open_incident(sea, description="For all of Rome", impact="1", urgency="2")
    sea.analyst.table.update("incident", opened["sys_id"], {"work_notes": "Restarted the relay"})
    sea.rest()
    (incident,) = sea.desk.incidents().rows
    assert incident.values == {
        "name": "Mail is slow",
        "summary": "For all of Rome",
        "severity": "high",
        "status": "triage",
    }
    _, notes = sea.desk.fetch(incident.id)
    assert [note.text for note in notes] == ["Restarted the relay"]
    assert sea.notes_of(opened["sys_id"]) == ["Restarted the relay"]


def test_edits_travel_both_ways_and_come_to_rest(sea: Sea) -> None:
    made = declare(sea, "Checkout fails")
    sea.rest()
    (record,) = sea.records()
    sea.desk.edit(made.id, {"severity": "critical"})
    sea.analyst.table.update("incident", record["sys_id"], {"short_description": "Checkout is down"})
    sea.rest()
    (record,) = sea.records()
    found, _ = sea.desk.fetch(made.id)
    assert found.values["name"] == record["short_description"] == "Checkout is down"
    assert (found.values["severity"], record["priority"]) == ("critical", "1")
    ledger = sea.ledger()
    assert ledger["received"] == sum(ledger[fate] for fate in FATES)
    assert ledger["parked"] == ledger["dead"] == ledger["pending"] == 0


def test_two_notes_with_the_same_words_stay_two(sea: Sea) -> None:
    made = declare(sea, "Checkout fails")
    say(sea, made, "ok")
    say(sea, made, "ok")
    sea.rest()
    (record,) = sea.records()
    assert sea.notes_of(record["sys_id"]) == ["Alice via the desk: ok"] * 2
    for _ in range(2):
        sea.analyst.table.update("incident", record["sys_id"], {"work_notes": "ok"})
    sea.rest()
    _, notes = sea.desk.fetch(made.id)
    assert [note.text for note in notes] == ["ok"] * 4


def test_a_resolution_brings_its_close_fields(sea: Sea) -> None:
    made = declare(sea, "Checkout fails", status="live")
    sea.rest()
    sea.desk.edit(made.id, {"status": "learning"})
    sea.rest()
    (record,) = sea.records()
    assert record["state"] == "6"
    sea.analyst.table.update("incident", record["sys_id"], {"state": "2"})
    sea.rest()
    found, _ = sea.desk.fetch(made.id)
    assert found.values["status"] == "live"


def test_an_edit_of_nothing_we_map_is_filtered(sea: Sea) -> None:
    opened = open_incident(sea)
    sea.rest()
    before = sea.ledger()["filtered"]
    sea.analyst.table.update("incident", opened["sys_id"], {"contact_type": "phone"})
    sea.rest()
    assert sea.ledger()["filtered"] == before + 1


def test_what_existed_before_the_first_poll_is_left_alone(wavetank: Any, tmp_path: Path) -> None:
    sea = Sea(wavetank, tmp_path)
    try:
        open_incident(sea)
        sea.rest()
        assert sea.desk.incidents().rows == []
        open_incident(sea, short_description="This one is new")
        sea.rest()
        assert [found.name for found in sea.desk.incidents().rows] == ["This one is new"]
    finally:
        sea.close()


@pytest.mark.parametrize("do", ["drop_before", "drop_after_commit"])
def test_a_lost_answer_makes_no_second_record_or_note(wavetank: Any, sea: Sea, do: str) -> None:
    path = "/api/now/table/incident*"
    lost = [
        {"match": {"method": method, "path": path, "user": sea.service[0]}, "do": do, "times": 1}
        for method in ("POST", "PATCH")
    ]
    wavetank.control("faults", lost)
    made = declare(sea, "Checkout fails")
    say(sea, made, "ok")
    say(sea, made, "ok")
    sea.rest()
    assert [fault["remaining"] for fault in wavetank.control("faults")["result"]] == [0, 0]
    (record,) = sea.records()
    assert sea.notes_of(record["sys_id"]) == ["Alice via the desk: ok"] * 2
    assert sea.ledger()["pending"] == 0


def problem_of(sea: Sea, incident: Any) -> Any:
    with sea.database.read() as connection:
        found = links.by_peer(connection, sea.sync, incident.id)
    assert found is not None
    return found.problem


def test_a_bug_in_a_drain_is_told_and_the_events_wait(sea: Sea, monkeypatch: pytest.MonkeyPatch) -> None:
    made = declare(sea, "Checkout fails")
    with monkeypatch.context() as broken:
        broken.setattr("linkspan.sync.settle.merge", lambda *_, **__: {}["nothing"])
        for _ in range(2):
            sea.turn()
            sea.shift += 61
    assert problem_of(sea, made)["code"] == "bug"
    assert sea.ledger()["pending"] > 0
    sea.rest()
    assert problem_of(sea, made) is None
    assert len(sea.records()) == 1


def test_an_incident_without_a_short_description_can_be_named_on_the_desk(sea: Sea) -> None:
    opened = open_incident(sea, short_description="", caller_id=sea.binding.account)
    sea.rest()
    (incident,) = sea.desk.incidents().rows
    assert incident.name == opened["number"]
    sea.desk.edit(incident.id, {"name": "Mail is slow"})
    sea.rest()
    (record,) = sea.records()
    assert record["short_description"] == "Mail is slow"


def test_a_note_the_desk_would_refuse_holds_nothing_up(sea: Sea) -> None:
    opened = open_incident(sea)
    for text in ("   \n", "x" * 300_000, "seen"):
        sea.analyst.table.update("incident", opened["sys_id"], {"work_notes": text})
    sea.rest()
    (incident,) = sea.desk.incidents().rows
    _, notes = sea.desk.fetch(incident.id)
    assert sorted(len(note.text) for note in notes) == [4, 262_144]
    assert sea.ledger()["parked"] == 0


def test_a_second_record_with_the_correlation_id_stays_parked(sea: Sea) -> None:
    made = declare(sea, "Checkout fails")
    sea.rest()
    (record,) = sea.records()
    twin = open_incident(sea, correlation_id=record["correlation_id"])
    sea.rest()
    assert sea.ledger()["parked"] == 1
    sea.desk.edit(made.id, {"severity": "critical"})
    sea.analyst.table.update("incident", twin["sys_id"], {"description": "Only here"})
    sea.rest()
    assert sea.ledger()["parked"] == 2
    assert sea.desk.fetch(made.id)[0].summary == ""
    changed = {found["sys_id"]: found["priority"] for found in sea.records()}
    assert changed[record["sys_id"]] == "1"
    assert changed[twin["sys_id"]] != "1"


def test_a_parked_event_is_over_once_both_sides_agree(sea: Sea) -> None:
    opened = open_incident(sea, state="2")
    sea.rest()
    sea.admin.table.update("incident", opened["sys_id"], {"state": "3", "hold_reason": "4"})
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr("linkspan.mapping.incident._STATUS_OF_NEW", {"2": "live"})
        sea.rest()
        assert sea.ledger()["parked"] == 1
    sea.analyst.table.update("incident", opened["sys_id"], {"description": "For all of Rome"})
    sea.rest()
    assert sea.ledger()["parked"] == 0
    (incident,) = sea.desk.incidents().rows
    assert (incident.status, incident.summary) == ("paused", "For all of Rome")


def test_a_record_that_leaves_the_filter_still_tells_its_end(sea: Sea) -> None:
    sea.scope("category=network")
    sea.rest()
    outside = open_incident(sea, short_description="Not ours")
    opened = open_incident(sea, category="network", caller_id=sea.binding.account)
    sea.rest()
    (incident,) = sea.desk.incidents().rows
    assert incident.name == "Mail is slow"
    moved = {"category": "software", "short_description": "Mail is a software matter"}
    sea.analyst.table.update("incident", opened["sys_id"], moved)
    sea.analyst.table.update("incident", outside["sys_id"], {"short_description": "Still not ours"})
    sea.rest()
    assert [found.name for found in sea.desk.incidents().rows] == ["Mail is a software matter"]


def test_an_incident_of_the_desk_is_followed_outside_the_filter(sea: Sea) -> None:
    sea.scope("category=network")
    made = declare(sea, "Checkout fails")
    sea.rest()
    (record,) = sea.records()
    sea.analyst.table.update("incident", record["sys_id"], {"description": "Gateway"})
    sea.rest()
    assert sea.desk.fetch(made.id)[0].summary == "Gateway"


@pytest.mark.parametrize("existed", [False, True])
def test_a_stamp_from_the_future_hides_nothing(wavetank: Any, tmp_path: Path, existed: bool) -> None:
    sea = Sea(wavetank, tmp_path)
    try:
        if not existed:
            sea.rest()
        wavetank.control("clock", {"freeze": "2099-01-01T00:00:00Z"})
        open_incident(sea, short_description="Imported")
        wavetank.control("clock", {"freeze": clock.iso_time(time.time()), "run": True})
        sea.rest()
        open_incident(sea)
        sea.rest()
        sea.board()
        open_incident(sea, short_description="After a restart")
        sea.rest()
        found = {incident.name for incident in sea.desk.incidents().rows}
        assert found - {"Imported"} == {"Mail is slow", "After a restart"}
        assert ("Imported" in found) is not existed
    finally:
        sea.close()


def test_a_crash_forgets_no_conflict(sea: Sea) -> None:
    made = declare(sea, "Checkout fails")
    sea.rest()
    (record,) = sea.records()
    kept = []
    fatal = 0
    while not kept or sea.boundaries.fatal is None:
        fatal += 1
        sea.boundaries.passed, sea.boundaries.fatal = 0, fatal
        sea.desk.edit(made.id, {"name": f"Checkout {fatal}"})
        sea.analyst.table.update("incident", record["sys_id"], {"short_description": f"Till {fatal}"})
        sea.rest()
        with sea.database.read() as connection:
            kept = links.conflicts(connection, sea.sync)
        told = [(row["peer_value"], row["instance_value"]) for row in kept]
        assert told == [(f"Checkout {n}", f"Till {n}") for n in range(fatal, 0, -1)], f"died at {fatal}"
    assert fatal > 12


def test_a_link_that_is_tried_again_says_why(wavetank: Any, sea: Sea) -> None:
    broken = {"match": {"method": "POST", "path": "/api/now/table/incident"}, "do": "status", "status": 503}
    wavetank.control("faults", [broken])
    declare(sea, "Checkout fails")
    sea.turn()
    (held,) = status(sea.database, sea.sync)["waiting"]
    assert held["attempts"] == 1
    assert "503" in held["cause"]
    wavetank.control("faults", method="DELETE")
    sea.shift += 61
    sea.rest()
    assert status(sea.database, sea.sync)["waiting"] == []
    assert len(sea.records()) == 1


class Deaf(DeskPeer):
    """A far side that takes no note with a certain word in it."""

    def add_note(self, incident: str, text: str, *, author: str, at: float, key: str) -> PeerNote:
        if "secret" in text:
            raise Rejected("such notes are not taken", code="not_taken", fix="tell them yourself")
        return super().add_note(incident, text, author=author, at=at, key=key)


def test_a_note_that_is_not_taken_stays_parked_and_the_rest_goes_on(wavetank: Any, tmp_path: Path) -> None:
    sea = Sea(wavetank, tmp_path)
    sea.incident_peer = Deaf  # type: ignore[method-assign]
    try:
        sea.board()
        sea.rest()
        opened = open_incident(sea)
        sea.rest()
        for change in ({"work_notes": "a secret"}, {"work_notes": "ok", "description": "For all of Rome"}):
            sea.analyst.table.update("incident", opened["sys_id"], change)
            sea.rest()
        (incident,) = sea.desk.incidents().rows
        assert incident.summary == "For all of Rome"
        assert [note.text for note in sea.desk.fetch(incident.id)[1]] == ["ok"]
        (parked,) = status(sea.database, sea.sync)["parked"]
        assert parked["cause"] == "a note was not taken: such notes are not taken: a secret"
        ledger = sea.ledger()
        assert (ledger["parked"], ledger["pending"], ledger["dead"]) == (1, 0, 0)
        assert ledger["received"] == sum(ledger[fate] for fate in FATES)
    finally:
        sea.close()


def story(sea: Sea) -> None:
    """Something of everything, on both sides."""
    made = declare(sea, "Checkout fails")
    say(sea, made, "ok")
    say(sea, made, "ok")
    opened = open_incident(sea, caller_id=sea.binding.account)
    sea.analyst.table.update("incident", opened["sys_id"], {"work_notes": "ok"})
    sea.rest()
    sea.desk.edit(made.id, {"severity": "critical", "name": "Checkout is down"})
    sea.analyst.table.update("incident", opened["sys_id"], {"state": "2", "work_notes": "ok"})
    (theirs,) = [found for found in sea.desk.incidents().rows if found.id != made.id]
    say(sea, theirs, "ok")
    sea.rest()
    sea.desk.edit(theirs.id, {"summary": "after the restart"})
    sea.analyst.table.update("incident", opened["sys_id"], {"short_description": "Mail is fast again"})
    sea.rest()


def outcome(sea: Sea) -> Any:
    """What people see in the end, without ids and times."""
    records = sorted(sea.records(), key=lambda record: record["short_description"])
    incidents = sorted(sea.desk.incidents().rows, key=lambda incident: incident.name)
    ledger = sea.ledger()
    return {
        "records": [
            (
                r["short_description"],
                r["description"],
                r["priority"],
                r["state"],
                sorted(sea.notes_of(r["sys_id"])),
            )
            for r in records
        ],
        "incidents": [
            (i.values, sorted((note.author == "Alice", note.text) for note in sea.desk.fetch(i.id)[1]))
            for i in incidents
        ],
        "open": (ledger["pending"], ledger["parked"], ledger["dead"]),
        "balanced": ledger["received"] == sum(ledger[fate] for fate in FATES),
    }


def crashed(wavetank: Any, home: Path, fatal: int | None) -> tuple[Any, int]:
    """The story with a death at one boundary; its outcome and how many boundaries it has."""
    home.mkdir()
    sea = Sea(wavetank, home)
    try:
        sea.rest()
        sea.boundaries.passed, sea.boundaries.fatal = 0, fatal
        story(sea)
        return outcome(sea), sea.boundaries.passed
    finally:
        sea.close()


@pytest.mark.slow
def test_a_crash_at_any_moment_changes_nothing_in_the_end(wavetank: Any, tmp_path: Path) -> None:
    _every_boundary(wavetank, tmp_path, step=9)


@pytest.mark.slow
def test_a_crash_at_every_moment_changes_nothing_in_the_end(wavetank: Any, tmp_path: Path) -> None:
    _every_boundary(wavetank, tmp_path, step=1)


def _every_boundary(wavetank: Any, tmp_path: Path, *, step: int) -> None:
    calm, boundaries = crashed(wavetank, tmp_path / "calm", None)
    assert calm["open"] == (0, 0, 0)
    assert calm["balanced"]
    assert boundaries > 50
    for fatal in range(1, boundaries + 1, step):
        found, _ = crashed(wavetank, tmp_path / str(fatal), fatal)
        assert found == calm, f"died at boundary {fatal}"
