"""Follow-ups of the desk and plain tasks of an instance: both ways, once, under their own incidents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linkspan.core.errors import Rejected
from linkspan.core.peer import PeerIncident
from linkspan.desk import Desk, DeskFollowUpPeer, FollowUp
from linkspan.store import links
from linkspan.sync.binding import follow_ups_of
from linkspan.sync.status import status
from tests.contract.sea import Sea

FATES = ("applied", "coalesced", "echo", "filtered", "parked", "dead", "pending")
ROLES = ("itil",)


@pytest.fixture
def sea(wavetank: Any, tmp_path: Path) -> Iterator[Sea]:
    made = Sea(wavetank, tmp_path, roles=ROLES, follow_ups=True)
    made.rest()
    yield made
    made.close()


def declare(sea: Sea) -> Any:
    return sea.desk.declare({"name": "Checkout fails", "severity": "moderate"})


def open_incident(sea: Sea) -> dict[str, Any]:
    return sea.analyst.table.create("incident", {"short_description": "Mail is slow"})


def open_task(sea: Sea, parent: str, **values: str) -> dict[str, Any]:
    asked = {"short_description": "Renew the certificate", "parent": parent, **values}
    return sea.analyst.table.create("task", asked)


def tasks(sea: Sea, parent: str) -> list[dict[str, Any]]:
    fields = ("sys_id", "number", "short_description", "description", "state", "priority", "assigned_to")
    query = f"sys_class_name=task^parent={parent}^ORDERBYnumber"
    return sea.admin.table.page("task", query=query, fields=fields).rows


def the_incident(sea: Sea) -> Any:
    (incident,) = sea.desk.incidents().rows
    return incident


def record_of(sea: Sea, incident: Any) -> str:
    with sea.database.read() as connection:
        link = links.by_peer(connection, sea.sync, incident.id)
    assert link is not None
    return link.sys_id or ""


def the_link(sea: Sea, follow_up: FollowUp) -> links.Link:
    with sea.database.read() as connection:
        link = links.by_peer(connection, follow_ups_of(sea.sync), follow_up.id)
    assert link is not None
    return link


def person(sea: Sea, email: str, *, active: str = "true") -> str:
    user = {"user_name": email, "email": email, "active": active}
    return str(sea.admin.table.create("sys_user", user)["sys_id"])


def balanced(sea: Sea, **expected: int) -> bool:
    ledger = sea.ledger(follow_ups_of(sea.sync))
    open_ones = {name: ledger[name] for name in ("parked", "dead", "pending")}
    return ledger["received"] == sum(ledger[fate] for fate in FATES) and open_ones == {
        "parked": 0,
        "dead": 0,
        "pending": 0,
        **expected,
    }


def test_a_follow_up_becomes_a_task_of_its_incident(sea: Sea) -> None:
    email = "ada.follow@example.com"
    ada = person(sea, email)
    incident = declare(sea)
    sea.desk.follow_ups.add(
        incident.id,
        {
            "title": "Write a runbook",
            "description": "For the gateway",
            "priority": "urgent",
            "assignee": email,
        },
    )
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    assert task["short_description"] == "Write a runbook"
    assert task["description"] == "For the gateway"
    assert (task["state"], task["priority"], task["assigned_to"]) == ("1", "2", ada)
    assert balanced(sea)


def test_a_task_of_a_linked_incident_becomes_a_follow_up(sea: Sea) -> None:
    email = "bob.follow@example.com"
    bob = person(sea, email)
    opened = open_incident(sea)
    open_task(sea, opened["sys_id"], priority="3", state="2", assigned_to=bob)
    sea.rest()
    incident = the_incident(sea)
    (follow_up,) = sea.desk.follow_ups.of(incident.id)
    assert follow_up.values == {
        "title": "Renew the certificate",
        "description": "",
        "status": "outstanding",
        "priority": "high",
        "assignee": email,
    }
    assert len(tasks(sea, opened["sys_id"])) == 1
    assert balanced(sea)


def test_edits_travel_both_ways(sea: Sea) -> None:
    incident = declare(sea)
    made = sea.desk.follow_ups.add(incident.id, {"title": "Write a runbook"})
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    sea.desk.follow_ups.edit(made.id, {"status": "completed", "priority": "low"})
    sea.analyst.table.update("task", task["sys_id"], {"short_description": "Write two runbooks"})
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    found = sea.desk.follow_ups.find(made.id)
    assert (task["state"], task["priority"]) == ("3", "5")
    assert found.title == task["short_description"] == "Write two runbooks"
    sea.analyst.table.update("task", task["sys_id"], {"state": "2"})
    sea.rest()
    assert sea.desk.follow_ups.find(made.id).status == "outstanding"
    (task,) = tasks(sea, record_of(sea, incident))
    assert task["state"] == "2"
    assert balanced(sea)


def test_a_conflict_keeps_both_values(sea: Sea) -> None:
    incident = declare(sea)
    made = sea.desk.follow_ups.add(incident.id, {"title": "Write a runbook"})
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    sea.desk.follow_ups.edit(made.id, {"title": "Write it today"})
    sea.analyst.table.update("task", task["sys_id"], {"short_description": "Write it tomorrow"})
    sea.rest()
    with sea.database.read() as connection:
        (kept,) = links.conflicts(connection, follow_ups_of(sea.sync))
    assert (kept["peer_value"], kept["instance_value"]) == ("Write it today", "Write it tomorrow")
    (task,) = tasks(sea, record_of(sea, incident))
    assert task["short_description"] == sea.desk.follow_ups.find(made.id).title == "Write it today"
    assert status(sea.database, sea.sync, follow_ups=True)["conflicts"] == 1


def test_a_follow_up_waits_for_its_incident(wavetank: Any, sea: Sea) -> None:
    broken = {"match": {"method": "POST", "path": "/api/now/table/incident"}, "do": "status", "status": 503}
    wavetank.control("faults", [broken])
    incident = declare(sea)
    made = sea.desk.follow_ups.add(incident.id, {"title": "Write a runbook"})
    for _ in range(3):
        sea.turn()
        sea.shift += 61
    assert balanced(sea, pending=1)
    waiting = status(sea.database, sea.sync, follow_ups=True)["waiting"]
    (held,) = [entry for entry in waiting if entry["kind"] == "follow-up"]
    assert "has no counterpart yet" in held["cause"]
    wavetank.control("faults", method="DELETE")
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    assert task["short_description"] == "Write a runbook"
    parent = the_link(sea, made).parent_id
    with sea.database.read() as connection:
        assert links.by_peer(connection, sea.sync, incident.id).id == parent
    assert balanced(sea)


def test_a_task_that_is_read_before_its_incident_is_not_lost(sea: Sea) -> None:
    incidents, others = sea.intakes[0], sea.intakes[2]
    opened = open_incident(sea)
    open_task(sea, opened["sys_id"])
    others.poll()
    assert sea.ledger(follow_ups_of(sea.sync))["received"] == 0
    incidents.poll()
    sea.rest()
    assert len(sea.desk.follow_ups.of(the_incident(sea).id)) == 1
    assert balanced(sea)


def test_other_tasks_are_none_of_our_business(wavetank: Any, tmp_path: Path) -> None:
    sea = Sea(wavetank, tmp_path, roles=ROLES, follow_ups=True)
    try:
        old = open_incident(sea)
        sea.rest()
        opened = open_incident(sea)
        open_task(sea, "")
        open_task(sea, old["sys_id"])
        asked = {"short_description": "Not ours", "parent": opened["sys_id"]}
        sea.analyst.table.create("incident_task", asked)
        sea.rest()
        assert sea.ledger(follow_ups_of(sea.sync))["received"] == 0
        assert sea.desk.follow_ups.of(the_incident(sea).id) == []
    finally:
        sea.close()


def test_a_task_that_is_given_to_a_linked_incident_enters(sea: Sea) -> None:
    opened = open_incident(sea)
    task = open_task(sea, "")
    sea.rest()
    sea.analyst.table.update("task", task["sys_id"], {"parent": opened["sys_id"]})
    sea.rest()
    assert len(sea.desk.follow_ups.of(the_incident(sea).id)) == 1


def test_an_assignee_nobody_knows_is_left_and_told_and_tried_again_when_changed(sea: Sea) -> None:
    incident = declare(sea)
    person(sea, "gone.follow@example.com", active="false")
    wishes = {"title": "Write a runbook", "assignee": "gone.follow@example.com"}
    made = sea.desk.follow_ups.add(incident.id, wishes)
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    assert task["assigned_to"] == ""
    (parked,) = status(sea.database, sea.sync, follow_ups=True)["parked"]
    assert parked["kind"] == "follow-up"
    assert "gone.follow@example.com" in parked["cause"]
    assert parked["text"] == "gone.follow@example.com"
    sea.desk.follow_ups.edit(made.id, {"title": "Write two runbooks"})
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    assert task["short_description"] == "Write two runbooks"
    assert balanced(sea, parked=1)
    cora = person(sea, "cora.follow@example.com")
    sea.desk.follow_ups.edit(made.id, {"assignee": "cora.follow@example.com"})
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    assert task["assigned_to"] == cora
    assert balanced(sea)


def test_a_task_closed_with_its_incident_decides_nothing(sea: Sea) -> None:
    opened = open_incident(sea)
    task = open_task(sea, opened["sys_id"])
    sea.rest()
    closed = {"state": "8", "close_code": "Duplicate", "close_notes": "See the other one"}
    sea.admin.table.update("incident", opened["sys_id"], closed)
    sea.analyst.table.update("task", task["sys_id"], {"state": "4"})
    sea.rest()
    (follow_up,) = sea.desk.follow_ups.of(the_incident(sea).id)
    assert follow_up.status == "outstanding"
    (parked,) = status(sea.database, sea.sync, follow_ups=True)["parked"]
    assert "incident over" in parked["cause"]
    sea.desk.follow_ups.edit(follow_up.id, {"status": "not_doing"})
    sea.rest()
    assert tasks(sea, opened["sys_id"])[0]["state"] == "4"
    assert balanced(sea)


def test_a_task_that_a_person_closed_incomplete_is_not_being_done(sea: Sea) -> None:
    opened = open_incident(sea)
    task = open_task(sea, opened["sys_id"])
    sea.rest()
    sea.analyst.table.update("task", task["sys_id"], {"state": "4"})
    sea.rest()
    (follow_up,) = sea.desk.follow_ups.of(the_incident(sea).id)
    assert follow_up.status == "not_doing"
    assert balanced(sea)


class Choosy(DeskFollowUpPeer):
    """A far side that takes no description, and one that may lose a follow-up."""

    lost: frozenset[str] = frozenset()

    def fetch(self, incident: str) -> PeerIncident | None:
        return None if incident in type(self).lost else super().fetch(incident)

    def create(self, values: Mapping[str, str], *, key: str, parent: str = "") -> PeerIncident:
        made = super().create({**values, "description": ""}, key=key, parent=parent)
        if values["description"] and made.version == 1 and made.id not in self._told:
            self._told.add(made.id)
            raise _not_taken()
        return made

    def update(self, incident: str, values: Mapping[str, str], *, version: int) -> PeerIncident:
        taken = {name: value for name, value in values.items() if name != "description"}
        made = super().update(incident, taken, version=version)
        if "description" in values:
            self.refused += 1
            raise _not_taken()
        return made

    def __init__(self, desk: Desk, *, url: str = "") -> None:
        super().__init__(desk, url=url)
        self._told: set[str] = set()
        self.refused = 0

    def _shown(self, follow_up: FollowUp) -> PeerIncident:
        return replace(super()._shown(follow_up), url="https://far.example/fu/1")


def _not_taken() -> Rejected:
    return Rejected("descriptions are written by people only", code="not_taken", fix="paste the text there")


@pytest.fixture
def choosy(wavetank: Any, tmp_path: Path) -> Iterator[Sea]:
    made = Sea(wavetank, tmp_path, roles=ROLES, follow_ups=True)
    made.choosy = None  # type: ignore[attr-defined]

    def peer(desk: Desk) -> Choosy:
        made.choosy = Choosy(desk)  # type: ignore[attr-defined]
        return made.choosy  # type: ignore[attr-defined,no-any-return]

    made.follow_up_peer = peer  # type: ignore[method-assign]
    made.board()
    made.rest()
    yield made
    made.close()
    Choosy.lost = frozenset()


def test_what_the_far_side_does_not_take_is_parked_and_the_rest_goes_on(choosy: Sea) -> None:
    sea: Any = choosy
    opened = open_incident(sea)
    task = open_task(sea, opened["sys_id"])
    sea.rest()
    (follow_up,) = sea.desk.follow_ups.of(the_incident(sea).id)
    edit = {"description": "See the certificate authority", "short_description": "Renew it now"}
    sea.analyst.table.update("task", task["sys_id"], edit)
    sea.rest()
    (parked,) = status(sea.database, sea.sync, follow_ups=True)["parked"]
    assert parked["cause"] == "description: descriptions are written by people only"
    assert (parked["link"], parked["text"]) == ("https://far.example/fu/1", "See the certificate authority")
    assert sea.desk.follow_ups.find(follow_up.id).title == "Renew it now"
    sea.analyst.table.update("task", task["sys_id"], {"priority": "3"})
    sea.rest()
    assert sea.desk.follow_ups.find(follow_up.id).priority == "high"
    assert sea.choosy.refused == 1, "the same value is not offered twice"
    assert balanced(sea, parked=1)
    assert tasks(sea, opened["sys_id"])[0]["description"] == "See the certificate authority"
    sea.analyst.table.update("task", task["sys_id"], {"description": "Ask the authority"})
    sea.rest()
    assert sea.choosy.refused == 2
    assert balanced(sea, parked=1)
    sea.desk.follow_ups.edit(follow_up.id, {"description": "Ask the authority"})
    sea.rest()
    assert balanced(sea)
    assert the_link(sea, follow_up).problem is None


def test_what_the_far_side_is_seen_to_want_too_early_is_told_as_well(sea: Sea) -> None:
    incident = declare(sea)
    made = sea.desk.follow_ups.add(incident.id, {"title": "Write a runbook"})
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    sea.desk.follow_ups.edit(made.id, {"assignee": "nobody.early@example.com"})
    sea.analyst.table.update("task", task["sys_id"], {"short_description": "Write two runbooks"})
    line = follow_ups_of(sea.sync)
    for link_id in sea.intakes[2].poll():  # the desk's own event is not read yet
        sea.settlers[line].drain(link_id)
    sea.rest()
    (parked,) = status(sea.database, sea.sync, follow_ups=True)["parked"]
    assert parked["text"] == "nobody.early@example.com"
    assert balanced(sea, parked=1)
    sea.desk.follow_ups.edit(made.id, {"assignee": ""})
    sea.rest()
    assert balanced(sea)


def test_what_the_far_side_drops_without_a_word_is_not_agreed_upon(
    sea: Sea, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = declare(sea)
    made = sea.desk.follow_ups.add(incident.id, {"title": "Write a runbook"})
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    update, offers = DeskFollowUpPeer.update, []

    def dropping(peer: Any, follow_up: str, values: Mapping[str, str], *, version: int) -> PeerIncident:
        offers.append(dict(values))
        taken = {name: value for name, value in values.items() if name != "description"}
        return update(peer, follow_up, taken, version=version)

    monkeypatch.setattr(DeskFollowUpPeer, "update", dropping)
    edit = {"description": "For the gateway", "priority": "2"}
    sea.analyst.table.update("task", task["sys_id"], edit)
    sea.rest()
    assert sea.desk.follow_ups.find(made.id).priority == "urgent"
    (parked,) = status(sea.database, sea.sync, follow_ups=True)["parked"]
    assert parked["text"] == "For the gateway"
    assert tasks(sea, record_of(sea, incident))[0]["description"] == "For the gateway"
    assert len(offers) == 1
    assert balanced(sea, parked=1)


def test_what_is_not_taken_at_creation_is_parked_too(choosy: Sea) -> None:
    opened = open_incident(choosy)
    open_task(choosy, opened["sys_id"], description="See the certificate authority")
    choosy.rest()
    (follow_up,) = choosy.desk.follow_ups.of(the_incident(choosy).id)
    assert (follow_up.title, follow_up.description) == ("Renew the certificate", "")
    (parked,) = status(choosy.database, choosy.sync, follow_ups=True)["parked"]
    assert parked["text"] == "See the certificate authority"
    assert tasks(choosy, opened["sys_id"])[0]["description"] == "See the certificate authority"


def test_a_deleted_follow_up_skips_its_task_and_deletes_nothing(choosy: Sea) -> None:
    sea = choosy
    incident = declare(sea)
    made = sea.desk.follow_ups.add(incident.id, {"title": "Write a runbook"})
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    sea.desk.follow_ups.edit(made.id, {"title": "Write two runbooks"})
    Choosy.lost = frozenset({made.id})
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    assert task["state"] == "7"
    assert sea.notes_of(task["sys_id"]) == ["The follow-up was deleted on the desk."]
    sea.analyst.table.update("task", task["sys_id"], {"state": "1"})
    sea.rest()
    assert tasks(sea, record_of(sea, incident))[0]["state"] == "1"
    assert balanced(sea)


def test_a_follow_up_that_comes_back_opens_its_task_again(choosy: Sea) -> None:
    sea = choosy
    incident = declare(sea)
    made = sea.desk.follow_ups.add(incident.id, {"title": "Write a runbook"})
    sea.rest()
    sea.desk.follow_ups.edit(made.id, {"priority": "high"})
    Choosy.lost = frozenset({made.id})
    sea.rest()
    assert tasks(sea, record_of(sea, incident))[0]["state"] == "7"
    Choosy.lost = frozenset()
    sea.desk.follow_ups.edit(made.id, {"title": "Write two runbooks"})
    sea.rest()
    (task,) = tasks(sea, record_of(sea, incident))
    assert (task["state"], task["short_description"]) == ("1", "Write two runbooks")
    Choosy.lost = frozenset({made.id})
    sea.desk.follow_ups.edit(made.id, {"priority": "low"})
    sea.rest()
    assert tasks(sea, record_of(sea, incident))[0]["state"] == "7"
    assert balanced(sea)


def test_an_account_without_a_right_on_task_is_told_while_incidents_flow(
    wavetank: Any, tmp_path: Path
) -> None:
    sea = Sea(wavetank, tmp_path, follow_ups=True)
    try:
        sea.rest()
        incident = declare(sea)
        sea.desk.follow_ups.add(incident.id, {"title": "Write a runbook"})
        sea.rest()
        assert record_of(sea, incident)
        told = status(sea.database, sea.sync, follow_ups=True)
        assert told["trouble"]["kind"] == "follow-up"
        assert [entry["kind"] for entry in told["parked"]] == ["follow-up"]
        assert sea.ledger()["parked"] == 0
        assert balanced(sea, parked=1)
    finally:
        sea.close()


def story(sea: Sea, email: str) -> None:
    """A create and an edit on each side."""
    incident = declare(sea)
    made = sea.desk.follow_ups.add(incident.id, {"title": "Write a runbook", "assignee": email})
    opened = open_incident(sea)
    task = open_task(sea, opened["sys_id"])
    sea.rest()
    sea.desk.follow_ups.edit(made.id, {"status": "completed"})
    sea.analyst.table.update("task", task["sys_id"], {"priority": "2"})
    sea.rest()


def outcome(sea: Sea) -> Any:
    rows = []
    for incident in sorted(sea.desk.incidents().rows, key=lambda found: found.name):
        found = sea.desk.follow_ups.of(incident.id)
        there = tasks(sea, record_of(sea, incident))
        rows.append(
            (
                [follow_up.values for follow_up in found],
                [{k: v for k, v in task.items() if k not in ("sys_id", "number")} for task in there],
            )
        )
    return rows, balanced(sea), len(sea.records())


def crashed(wavetank: Any, home: Path, fatal: int | None, email: str) -> tuple[Any, int]:
    home.mkdir()
    sea = Sea(wavetank, home, roles=ROLES, follow_ups=True)
    try:
        sea.rest()
        sea.boundaries.passed, sea.boundaries.fatal = 0, fatal
        story(sea, email)
        return outcome(sea), sea.boundaries.passed
    finally:
        sea.close()


def _every_boundary(wavetank: Any, tmp_path: Path, *, step: int) -> None:
    setting_up = Sea(wavetank, tmp_path)
    email = f"dan.{setting_up.sync}@example.com"
    person(setting_up, email)
    setting_up.close()
    calm, boundaries = crashed(wavetank, tmp_path / "calm", None, email)
    assert calm[1:] == (True, 1)
    assert [len(there) for _, there in calm[0]] == [1, 1]
    assert boundaries > 50
    for fatal in range(1, boundaries + 1, step):
        found, _ = crashed(wavetank, tmp_path / str(fatal), fatal, email)
        assert found == calm, f"died at boundary {fatal}"


@pytest.mark.slow
def test_a_crash_at_any_moment_changes_nothing_in_the_end(wavetank: Any, tmp_path: Path) -> None:
    _every_boundary(wavetank, tmp_path, step=11)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_crash_at_every_moment_changes_nothing_in_the_end(wavetank: Any, tmp_path: Path) -> None:
    _every_boundary(wavetank, tmp_path, step=1)
