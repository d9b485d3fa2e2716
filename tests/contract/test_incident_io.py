"""Both ways between incident.io (the stand-in) and a running instance: once, complete, and said when not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from incident_io import models

from linkspan.core.errors import (
    Ambiguous,
    NotAuthenticated,
    NotAuthorized,
    RateLimited,
    Rejected,
    Unreachable,
)
from linkspan.core.peer import PeerIncident
from linkspan.flows.hooks import Hooks
from linkspan.flows.sync import follow_ups
from linkspan.mapping.incident import IncidentMapping
from linkspan.sync.binding import follow_ups_of, key_prefix
from linkspan.sync.intake import InstanceIntake, PeerIntake
from linkspan.sync.peers.incident_io import FollowUpsPeer, IncidentsPeer, Line
from linkspan.sync.settle import Settler
from linkspan.sync.status import status
from tests.contract.sea import Sea
from tests.standin import StandIn

FATES = ("applied", "coalesced", "echo", "filtered", "parked", "dead", "pending")


class IncidentIoSea(Sea):
    """The same sea with incident.io on the far shore. ``standin`` is set before boarding."""

    def __init__(self, instance: Any, home: Path, standin: StandIn) -> None:
        self.standin = standin
        self.include_private = False
        super().__init__(instance, home, roles=("itil",), follow_ups=True)

    def _hang(self) -> None:
        self.far = Line(self.standin.key, base_url=self.standin.url)
        self.far._ask = self._crashing(self.far._ask)  # type: ignore[method-assign]
        below = follow_ups_of(self.sync)
        incidents = IncidentsPeer(
            self.far,
            self.database,
            name=self.sync,
            prefix=key_prefix(self.sync),
            include_private=self.include_private,
        )
        self.binding = replace(
            self.binding,
            peer=incidents,
            peer_title="incident.io",
            mapping=IncidentMapping(levels=incidents.levels()),
        )
        others = FollowUpsPeer(
            self.far,
            self.database,
            sync=self.sync,
            name=below,
            prefix=key_prefix(below),
            include_private=self.include_private,
        )
        bindings = [self.binding, follow_ups(self.binding, others, table="task")]
        self.intakes = [make(binding) for binding in bindings for make in (InstanceIntake, PeerIntake)]
        self.settlers = {binding.name: Settler(binding) for binding in bindings}

    def tasks(self, parent: str) -> list[dict[str, Any]]:
        fields = ("sys_id", "short_description", "state", "priority", "parent", "assigned_to.email")
        return self.admin.table.page("task", query=f"parent={parent}^sys_class_name=task", fields=fields).rows

    def state(self, line: str = "") -> dict[str, Any]:
        return status(self.database, line or self.sync)

    def open_incident(self, **values: str) -> dict[str, Any]:
        return self.analyst.table.create("incident", {"short_description": "Mail is slow", **values})

    def change(self, record: dict[str, Any], **values: str) -> None:
        self.analyst.table.update("incident", record["sys_id"], values)


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.fixture
def sea(wavetank: Any, tmp_path: Path, standin: StandIn) -> Iterator[IncidentIoSea]:
    standin.declare("Before our time")
    made = IncidentIoSea(wavetank, tmp_path, standin)
    made.rest()
    yield made
    made.close()


def balanced(sea: IncidentIoSea) -> dict[str, int]:
    """The ledgers of both lines together, once nothing waits and nothing was given up."""
    one, other = sea.ledger(), sea.ledger(follow_ups_of(sea.sync))
    both = {name: one[name] + other[name] for name in one}
    assert both["received"] == sum(both[fate] for fate in FATES)
    assert both["dead"] == both["pending"] == 0
    return both


def test_an_incident_declared_in_incident_io_gets_one_record(sea: IncidentIoSea) -> None:
    made = sea.standin.declare("Checkout fails", summary="500 since 09:00", severity="Critical")
    sea.standin.say(made, "Looking at the gateway")
    sea.rest()
    (record,) = sea.records()
    assert (record["short_description"], record["description"]) == ("Checkout fails", "500 since 09:00")
    assert (record["priority"], record["state"]) == ("1", "2")
    assert record["correlation_id"] == f"ls:{sea.sync}:incident:{made['id']}"
    assert sea.notes_of(record["sys_id"]) == ["Alice Aronson via incident.io: Looking at the gateway"]
    assert balanced(sea)["parked"] == 0


def test_an_incident_opened_on_the_instance_is_declared_once(sea: IncidentIoSea) -> None:
    record = sea.open_incident(description="For all of Rome", impact="1", urgency="1")
    sea.change(record, work_notes="Restarted the relay")
    sea.rest()
    _, incident = sea.standin.incidents()
    assert (incident["name"], incident["summary"]) == ("Mail is slow", "For all of Rome")
    assert incident["severity"]["name"] == "Critical"
    assert incident["incident_status"]["category"] == "triage"
    assert (incident["visibility"], incident["mode"]) == ("public", "standard")
    (note,) = sea.standin.notes(incident)
    assert note.endswith("in ServiceNow: Restarted the relay")
    assert sea.notes_of(record["sys_id"]) == ["Restarted the relay"]
    assert balanced(sea)["parked"] == 0


def test_edits_travel_both_ways_and_come_to_rest(sea: IncidentIoSea) -> None:
    made = sea.standin.declare("Checkout fails", severity="Minor")
    sea.rest()
    (record,) = sea.records()
    sea.standin.edit(made, severity="Critical")
    sea.change(record, short_description="Checkout is down")
    sea.rest()
    (record,) = sea.records()
    incident = sea.standin.world.incident(made["id"])
    assert incident["name"] == record["short_description"] == "Checkout is down"
    assert (incident["severity"]["name"], record["priority"]) == ("Critical", "1")
    assert balanced(sea)["parked"] == 0


def test_a_priority_that_incident_io_does_not_tell_apart_is_left_alone(sea: IncidentIoSea) -> None:
    sea.open_incident(impact="3", urgency="3")
    sea.rest()
    (record,) = sea.admin.table.page("incident", query="ORDERBYDESCnumber", limit=1).rows
    _, incident = sea.standin.incidents()
    assert (record["priority"], incident["severity"]["name"]) == ("5", "Minor")
    sea.standin.edit(incident, name="Mail is slower")
    sea.rest()
    after = sea.admin.table.get("incident", record["sys_id"], fields=("priority", "short_description"))
    assert after is not None
    assert (after["priority"], after["short_description"]) == ("5", "Mail is slower")


def test_a_resolution_is_taken_and_a_cancellation_is_left_to_people(sea: IncidentIoSea) -> None:
    made = sea.standin.declare("Checkout fails")
    other = sea.standin.declare("Search fails")
    sea.rest()
    records = {one["short_description"]: one for one in sea.records()}
    sea.change(
        records["Checkout fails"], state="6", close_code="Solution provided", close_notes="Rolled back"
    )
    sea.change(records["Search fails"], state="8", short_description="Search fails for guests")
    sea.rest()
    assert sea.standin.world.incident(made["id"])["incident_status"]["category"] == "learning"
    kept = sea.standin.world.incident(other["id"])
    assert kept["incident_status"]["category"] == "live"
    assert kept["name"] == "Search fails for guests"  # what it does take was written first
    (parked,) = sea.state()["parked"]
    assert "moved from live to canceled" in parked["cause"]
    assert kept["permalink"] in parked["fix"]
    balanced(sea)
    sea.standin.edit(other, status="canceled")
    sea.rest()
    assert sea.state()["parked"] == []


def test_a_follow_up_goes_both_ways_with_its_parent(sea: IncidentIoSea) -> None:
    made = sea.standin.declare("Checkout fails")
    by_hand = sea.standin.follow_up(made, "Write it down", priority="High")
    sea.rest()
    (record,) = sea.records()
    (task,) = sea.tasks(record["sys_id"])
    assert (task["short_description"], task["priority"], task["state"]) == ("Write it down", "3", "1")
    made_here = {"short_description": "Add an alert", "parent": record["sys_id"], "priority": "3"}
    other = sea.admin.table.create("task", made_here)
    sea.rest()
    _, mirrored = sea.standin.world.follow_ups.values()
    assert (mirrored["title"], mirrored["incident_id"]) == ("Add an alert", made["id"])
    assert (mirrored["priority"]["name"], mirrored["labels"]) == ("High", [f"servicenow:{other['sys_id']}"])
    sea.standin.edit_follow_up(by_hand, status="completed")
    sea.admin.table.update("task", other["sys_id"], {"state": "7"})
    sea.rest()
    states = {one["short_description"]: one["state"] for one in sea.tasks(record["sys_id"])}
    assert states == {"Write it down": "3", "Add an alert": "7"}
    assert mirrored["status"] == "not_doing"
    assert balanced(sea)["parked"] == 0


def test_a_follow_up_is_made_once_although_there_is_no_key_for_it(sea: IncidentIoSea) -> None:
    made = sea.standin.declare("Checkout fails")
    sea.rest()
    (record,) = sea.records()
    sea.admin.table.create("task", {"short_description": "Add an alert", "parent": record["sys_id"]})
    sea.standin.faults.lose("POST")
    sea.rest(turns=20)
    assert [one["title"] for one in sea.standin.world.follow_ups.values()] == ["Add an alert"]
    assert len(sea.tasks(record["sys_id"])) == 1
    assert made["id"] == next(iter(sea.standin.world.follow_ups.values()))["incident_id"]


def test_an_incident_whose_answer_was_lost_is_declared_once(sea: IncidentIoSea) -> None:
    sea.open_incident()
    sea.standin.faults.lose("POST")
    sea.rest(turns=20)
    assert [one["name"] for one in sea.standin.incidents()] == ["Before our time", "Mail is slow"]
    assert len(sea.records()) == 0  # its own incident did not come back as a second record
    assert balanced(sea)["parked"] == 0


@pytest.mark.parametrize("fatal", range(2, 160, 13))
def test_a_death_at_any_step_leaves_one_of_each(sea: IncidentIoSea, fatal: int) -> None:
    made = sea.standin.declare("Checkout fails")
    sea.standin.say(made, "Looking at it")
    sea.standin.follow_up(made, "Write it down")
    opened = sea.open_incident()
    sea.change(opened, work_notes="Restarted the relay")
    sea.admin.table.create("task", {"short_description": "Add an alert", "parent": opened["sys_id"]})
    sea.boundaries.passed, sea.boundaries.fatal = 0, fatal
    sea.rest(turns=30)
    assert sea.boundaries.fatal is None, "nobody died"
    (record,) = sea.records()
    assert sea.notes_of(record["sys_id"]) == ["Alice Aronson via incident.io: Looking at it"]
    assert len(sea.tasks(record["sys_id"])) == 1
    names = [one["name"] for one in sea.standin.incidents()]
    assert names == ["Before our time", "Checkout fails", "Mail is slow"]
    assert len(sea.standin.notes(sea.standin.incidents()[2])) == 1
    titles = [one["title"] for one in sea.standin.world.follow_ups.values()]
    assert titles == ["Write it down", "Add an alert"]
    assert len(sea.tasks(opened["sys_id"])) == 1
    balanced(sea)


def test_private_incidents_and_tests_stay_where_they_are(sea: IncidentIoSea) -> None:
    sea.standin.world.keys[sea.standin.key]["roles"].append("global_access")
    sea.standin.declare("Somebody's affair", visibility="private")
    sea.standin.declare("A drill", mode="test")
    sea.rest()
    assert sea.records() == []
    assert balanced(sea)["received"] == 0
    sea.include_private = True
    sea._hang()
    sea.rest()
    assert [one["short_description"] for one in sea.records()] == ["Somebody's affair"]


def test_patience_is_kept_when_asked_for(sea: IncidentIoSea) -> None:
    sea.standin.faults.limit(seconds=70)
    with pytest.raises(RateLimited) as refused:
        next(iter(sea.far.incidents()))
    assert 1 <= refused.value.retry_after <= 3600
    asked = len(sea.standin.faults.requests)
    with pytest.raises(RateLimited):
        next(iter(sea.far.incidents()))
    assert len(sea.standin.faults.requests) == asked  # not even asked


def test_errors_are_told_apart(standin: StandIn) -> None:
    line, faults = Line(standin.key, base_url=standin.url), standin.faults
    faults.answer(302, location="http://169.254.169.254/")
    with pytest.raises(Exception, match="redirect"):
        line.statuses()
    faults.answer(200, body=b"<html>")
    with pytest.raises(Exception, match="not what the SDK knows"):
        line.statuses()
    faults.answer(503)
    with pytest.raises(Unreachable):
        line.statuses()
    assert line.incident("01NOTHING") is None
    body = models.FollowUpsCreatePayloadV3(incident_id="01NOTHING", title="")
    with pytest.raises(Rejected, match="title is required"):
        line.create_follow_up(body)
    faults.answer(503, method="POST")
    with pytest.raises(Ambiguous):
        line.create_follow_up(body)
    faults.answer(200, method="POST", body=b"{}")
    with pytest.raises(Ambiguous):
        line.create_follow_up(body)
    line.close()
    stranger = Line("wrong", base_url=standin.url)
    with pytest.raises(NotAuthenticated):
        stranger.identity()
    stranger.close()
    nobody = Line("key", base_url="http://127.0.0.1:9")
    with pytest.raises(Unreachable):
        nobody.identity()
    nobody.close()


def test_a_hint_brings_what_a_list_does_not_show(sea: IncidentIoSea) -> None:
    made = sea.standin.declare("Checkout fails")
    sea.rest()
    # The list by day and change does not show this one any more, the hint still does.
    made["updated_at"] = "2020-01-01T00:00:00.000001Z"
    made["last_activity_at"] = sea.standin.world.stamp()
    made["name"] = "Checkout is down"
    hooks = Hooks(database=sea.database, secrets={}, nudge=lambda _sync: None)
    event = {"event_type": "private_incident.incident_updated_v2"}
    event["private_incident.incident_updated_v2"] = {"id": made["id"]}
    assert hooks.take(sea.sync, "msg_1", json.dumps(event).encode())
    assert not hooks.take(sea.sync, "msg_1", json.dumps(event).encode())
    sea.rest()
    assert [one["short_description"] for one in sea.records()] == ["Checkout is down"]


def failing(monkeypatch: pytest.MonkeyPatch, sea: IncidentIoSea) -> Callable[[], None]:
    """Reading an incident fails until the answer is called."""
    peer, down = sea.binding.peer, [True]
    fetch = peer.fetch

    def unsure(incident: str) -> PeerIncident | None:
        if down:
            raise Unreachable("incident.io does not answer")
        return fetch(incident)

    monkeypatch.setattr(peer, "fetch", unsure)
    return down.clear


def pass_time(sea: IncidentIoSea, turns: int = 3) -> None:
    for _ in range(turns):
        sea.turn()
        sea.shift += 61


def test_what_was_refused_at_creation_is_no_word_of_the_far_side(
    sea: IncidentIoSea, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = sea.open_incident()
    closed = {"state": "8", "close_code": "Duplicate", "close_notes": "See the other one"}
    sea.admin.table.update("incident", record["sys_id"], closed)
    back = failing(monkeypatch, sea)
    pass_time(sea)
    back()
    sea.rest()
    assert sea.admin.table.get("incident", record["sys_id"], fields=("state",)) == {"state": "8"}
    _, incident = sea.standin.incidents()
    assert incident["incident_status"]["category"] == "live"
    (parked,) = sea.state()["parked"]
    assert "moved from live to canceled" in parked["cause"]


def test_a_follow_up_of_an_incident_that_is_being_declared_waits_for_it(
    sea: IncidentIoSea, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = sea.open_incident()
    back = failing(monkeypatch, sea)
    sea.turn()
    _, incident = sea.standin.incidents()
    sea.standin.follow_up(incident, "Write it down")
    pass_time(sea)
    back()
    sea.rest()
    assert [one["short_description"] for one in sea.tasks(record["sys_id"])] == ["Write it down"]


def test_an_update_shared_while_we_write_is_not_lost(
    sea: IncidentIoSea, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sea.standin.declare("Checkout fails")
    sea.rest()
    (record,) = sea.records()
    edit = sea.far.edit_incident

    def racing(*arguments: Any) -> Any:
        sea.standin.say(made, "Said at the same moment")
        return edit(*arguments)

    monkeypatch.setattr(sea.far, "edit_incident", racing)
    sea.change(record, short_description="Checkout is down")
    sea.rest()
    assert sea.notes_of(record["sys_id"]) == ["Alice Aronson via incident.io: Said at the same moment"]
    assert balanced(sea)["parked"] == 0


def test_an_incident_made_private_closes_no_task(sea: IncidentIoSea) -> None:
    made = sea.standin.declare("Checkout fails")
    sea.standin.follow_up(made, "Write it down")
    sea.rest()
    (record,) = sea.records()
    (task,) = sea.tasks(record["sys_id"])
    made["visibility"] = "private"
    sea.admin.table.update("task", task["sys_id"], {"short_description": "Write it down today"})
    sea.rest()
    (task,) = sea.tasks(record["sys_id"])
    assert task["state"] == "1"
    (parked,) = sea.state(follow_ups_of(sea.sync))["parked"]
    assert "private" in parked["cause"]
    made["visibility"] = "public"
    sea.admin.table.update("task", task["sys_id"], {"priority": "3"})
    sea.rest()
    (follow_up,) = sea.standin.world.follow_ups.values()
    assert follow_up["title"] == "Write it down today"


def test_a_follow_up_of_an_incident_made_private_stays_where_it_is(sea: IncidentIoSea) -> None:
    sea.standin.world.keys[sea.standin.key]["roles"].append("global_access")
    made = sea.standin.declare("Checkout fails")
    sea.rest()
    (record,) = sea.records()
    made["visibility"] = "private"
    sea.standin.follow_up(made, "Somebody's affair")
    sea.rest()
    assert sea.tasks(record["sys_id"]) == []


def test_a_follow_up_whose_creation_is_late_is_made_once(sea: IncidentIoSea) -> None:
    sea.standin.declare("Checkout fails")
    sea.rest()
    (record,) = sea.records()
    sea.admin.table.create("task", {"short_description": "Add an alert", "parent": record["sys_id"]})
    sea.standin.faults.delay("POST")
    for _ in range(4):
        sea.turn()
        sea.shift += 5
    sea.standin.faults.catch_up()
    sea.rest()
    assert [one["title"] for one in sea.standin.world.follow_ups.values()] == ["Add an alert"]
    assert len(sea.tasks(record["sys_id"])) == 1
    assert balanced(sea)["parked"] == 0


def hint(sea: IncidentIoSea, name: str, subject: str) -> None:
    hooks = Hooks(database=sea.database, secrets={}, nudge=lambda _sync: None)
    event = {"event_type": name, name: {"id": subject}}
    assert hooks.take(sea.sync, f"msg_{name}_{subject}", json.dumps(event).encode())


def test_a_hint_that_cannot_be_followed_holds_nothing_up(
    sea: IncidentIoSea, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = sea.far.incident

    def forbidding(incident: str) -> Any:
        if incident == "01SECRET":
            raise NotAuthorized("the API key may not do this")
        return show(incident)

    monkeypatch.setattr(sea.far, "incident", forbidding)
    hint(sea, "private_incident.incident_created_v2", "01SECRET")
    sea.standin.declare("Checkout fails")
    sea.rest()
    assert len(sea.records()) == 1


def test_a_follow_up_that_is_gone_skips_its_task_when_a_hint_says_so(sea: IncidentIoSea) -> None:
    made = sea.standin.declare("Checkout fails")
    follow_up = sea.standin.follow_up(made, "Write it down")
    sea.rest()
    (record,) = sea.records()
    del sea.standin.world.follow_ups[follow_up["id"]]
    hint(sea, "public_incident.follow_up_updated_v2", follow_up["id"])
    sea.rest()
    assert [one["state"] for one in sea.tasks(record["sys_id"])] == ["7"]
    assert balanced(sea)["parked"] == 0
