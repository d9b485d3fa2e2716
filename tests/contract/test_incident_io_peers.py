"""The two peers alone against the stand-in: what each verb does, and what it says when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from linkspan.core.errors import BadReply, NotFound, Rejected, Stale
from linkspan.store import Database
from linkspan.store.database import make_engine
from linkspan.sync.peers.incident_io import FollowUpsPeer, IncidentsPeer, Line
from tests.standin import StandIn

VALUES = {"name": "Mail is slow", "summary": "", "severity": "high", "status": "live"}
WANTED = {"title": "Alert", "description": "", "status": "outstanding", "priority": "high", "assignee": ""}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[SimpleNamespace]:
    database = Database(make_engine(f"sqlite:///{tmp_path / 'linkspan.db'}"))
    database.migrate()
    with StandIn() as standin:
        line = Line(standin.key, base_url=standin.url)
        yield SimpleNamespace(
            standin=standin,
            line=line,
            database=database,
            incidents=IncidentsPeer(line, database, name="s", prefix="sync:s:"),
            follow_ups=FollowUpsPeer(line, database, sync="s", name="s/f", prefix="sync:s/f:"),
        )
        line.close()
    database.close()


def refused(work: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        work()
    assert caught.value.code == "not_taken"
    return caught.value


# --- incidents


@pytest.mark.parametrize(
    ("status", "category"),
    [("triage", "triage"), ("live", "live"), ("learning", "learning"), ("closed", "closed")],
)
def test_an_incident_begins_where_it_is(here: Any, status: str, category: str) -> None:
    made = here.incidents.create({**VALUES, "status": status}, key="k")
    assert made.values == {**VALUES, "status": status}
    (incident,) = here.standin.incidents()
    assert (incident["incident_status"]["category"], incident["severity"]["name"]) == (category, "Major")
    assert here.incidents.create({**VALUES, "status": status}, key="k").id == made.id
    assert len(here.standin.incidents()) == 1


@pytest.mark.parametrize("status", ["paused", "canceled"])
def test_where_no_incident_can_begin_it_is_declared_and_said_once(here: Any, status: str) -> None:
    error = refused(lambda: here.incidents.create({**VALUES, "status": status}, key="k"))
    assert f"moved from live to {status}" in error.cause
    assert "https://app.incident.io/example/incidents/1" in error.fix
    made = here.incidents.create({**VALUES, "status": status}, key="k")
    assert (made.reference, made.values["status"]) == ("INC-1", "live")


def test_only_what_differs_is_sent(here: Any) -> None:
    made = here.incidents.create(VALUES, key="k")
    before = len(here.standin.faults.requests)
    after = here.incidents.update(made.id, {"severity": "high", "name": "Mail is slow"}, version=made.version)
    assert after == made
    assert [method for method, _ in here.standin.faults.requests[before:]] == ["GET"]
    changed = here.incidents.update(made.id, {"severity": "critical"}, version=made.version)
    assert changed.version > made.version
    assert changed.values == {**VALUES, "severity": "critical"}


def test_an_incident_that_moved_on_is_not_changed(here: Any) -> None:
    made = here.incidents.create(VALUES, key="k")
    here.standin.edit(here.standin.incidents()[0], name="Mail is down")
    with pytest.raises(Stale):
        here.incidents.update(made.id, {"name": "Mail is fine"}, version=made.version)
    assert here.standin.incidents()[0]["name"] == "Mail is down"
    with pytest.raises(NotFound):
        here.incidents.update("01NOTHING", {"name": "?"}, version=1)
    assert here.incidents.fetch("01NOTHING") is None


def test_severities_go_by_rank(here: Any) -> None:
    assert here.incidents.levels() == ("critical", "high", "moderate")
    words = {}
    for name in ("Critical", "Major", "Minor", ""):
        made = here.standin.declare("Mail is slow", severity=name)
        words[name] = here.incidents.fetch(made["id"]).values["severity"]
    assert words == {"Critical": "critical", "Major": "high", "Minor": "moderate", "": "moderate"}


@pytest.mark.parametrize("name", ["Declined", "Canceled", "Merged"])
def test_all_that_ended_without_a_fix_is_canceled(here: Any, name: str) -> None:
    made = here.standin.declare("Mail is slow", status=name)
    assert here.incidents.fetch(made["id"]).values["status"] == "canceled"


def test_notes_are_the_updates_people_shared(here: Any) -> None:
    made = here.standin.declare("Mail is slow")
    here.standin.say(made, "Looking")
    here.standin.edit(made, severity="Critical")
    here.standin.say(made, "Found", by="Bob Barker")
    notes = here.incidents.fetch(made["id"]).notes
    assert [(note.author, note.text, note.key) for note in notes] == [
        ("Alice Aronson", "Looking", ""),
        ("Bob Barker", "Found", ""),
    ]


def test_a_note_is_added_once_at_its_own_time(here: Any) -> None:
    made = here.standin.declare("Mail is slow")
    first, second = (
        here.incidents.add_note(made["id"], "Restarted", author="Abel", at=1_700_000_000.0, key="n")
        for _ in range(2)
    )
    assert first == second
    (item,) = here.standin.world.timeline
    assert (item["title"], item["description"]) == ("Abel in ServiceNow", "Restarted")
    assert item["timestamp"].startswith("2023-11-14T22:13:20")
    assert here.incidents.fetch(made["id"]).notes == ()


def test_what_was_there_before_is_no_news_and_a_cursor_goes_on(here: Any) -> None:
    here.standin.declare("Old")
    began = here.incidents.pull("")
    assert (began.events, began.more) == ((), False)
    made = here.standin.declare("New")
    first = here.incidents.pull(began.cursor)
    assert [event.incident for event in first.events] == [made["id"]]
    assert here.incidents.pull(first.cursor).events == ()
    # Another process begins at the same cursor: the overlap shows it again, with the same id.
    other = IncidentsPeer(here.line, here.database, name="s", prefix="sync:s:")
    assert [event.id for event in other.pull(first.cursor).events] == [first.events[0].id]
    # A cursor that was never kept means that its events were not either.
    assert [event.id for event in other.pull(began.cursor).events] == [first.events[0].id]
    with pytest.raises(Rejected):
        here.incidents.pull("yesterday")


def test_a_role_of_tomorrow_hurts_nobody(here: Any) -> None:
    here.standin.world.keys[here.standin.key]["roles"].append("time_traveller")
    assert "time_traveller" in here.line.identity().roles


# --- follow-ups


@pytest.fixture
def incident(here: Any) -> Any:
    return here.standin.declare("Mail is slow")


def test_people_go_by_their_address(here: Any, incident: Any) -> None:
    wanted = {**WANTED, "assignee": "alice@example.com", "priority": ""}
    made = here.follow_ups.create(wanted, key="sync:s/f:abc", parent=incident["id"])
    assert made.values["assignee"] == "alice@example.com"
    assert (made.key, made.parent) == ("sync:s/f:abc", incident["id"])
    freed = here.follow_ups.update(made.id, {"assignee": ""}, version=made.version)
    assert freed.values["assignee"] == ""


def test_what_has_no_counterpart_is_said_after_the_rest_was_written(here: Any, incident: Any) -> None:
    began = here.follow_ups.pull("")
    made = here.follow_ups.create({**WANTED, "priority": "medium"}, key="sync:s/f:abc", parent=incident["id"])
    assert made.values["priority"] == ""  # nobody has seen a follow-up with this priority, and it says little
    change = {"title": "Alert on lag", "assignee": "nobody@example.com", "priority": "urgent"}
    error = refused(lambda: here.follow_ups.update(made.id, change, version=made.version))
    assert "no priority urgent" in error.cause
    assert "no assignee nobody@example.com" in error.cause
    (found,) = here.standin.world.follow_ups.values()
    assert found["title"] == "Alert on lag"
    here.standin.follow_up(incident, "Another", priority="Urgent")
    here.follow_ups.pull(began.cursor)  # which is how its priority is learned
    now = here.follow_ups.fetch(made.id)
    after = here.follow_ups.update(made.id, {"priority": "urgent"}, version=now.version)
    assert after.values["priority"] == "urgent"


def test_a_follow_up_that_is_made_without_its_assignee_is_made_once(here: Any, incident: Any) -> None:
    wanted = {**WANTED, "assignee": "nobody@example.com", "priority": ""}
    refused(lambda: here.follow_ups.create(wanted, key="sync:s/f:abc", parent=incident["id"]))
    again = here.follow_ups.create(wanted, key="sync:s/f:abc", parent=incident["id"])
    assert again.values["title"] == "Alert"
    assert len(here.standin.world.follow_ups) == 1


def test_an_update_keeps_what_it_does_not_name(here: Any, incident: Any) -> None:
    made = here.standin.follow_up(
        incident, "Alert", priority="High", description="On lag", assignee="Alice Aronson", labels=["infra"]
    )
    found = here.follow_ups.fetch(made["id"])
    after = here.follow_ups.update(made["id"], {"status": "completed"}, version=found.version)
    assert after.values == {**found.values, "status": "completed"}
    assert here.standin.world.follow_ups[made["id"]]["labels"] == ["infra"]
    with pytest.raises(Stale):
        here.follow_ups.update(made["id"], {"status": "outstanding"}, version=found.version)


def test_a_deleted_follow_up_is_gone(here: Any, incident: Any) -> None:
    made = here.standin.follow_up(incident, "Alert")
    here.standin.edit_follow_up(made, status="deleted")
    assert here.follow_ups.fetch(made["id"]) is None


def test_a_label_that_others_wrote_is_not_ours(here: Any, incident: Any) -> None:
    began = here.follow_ups.pull("")
    made = here.standin.follow_up(incident, "Alert", labels=["servicenow:abc"])
    (event,) = here.follow_ups.pull(began.cursor).events
    assert (event.incident, event.key) == (made["id"], "")


def test_follow_ups_of_retrospectives_are_shown_and_those_of_tests_are_not(here: Any) -> None:
    began = here.follow_ups.pull("")
    made = [
        here.standin.follow_up(here.standin.declare("One", mode=mode), mode)["id"]
        for mode in ("standard", "retrospective", "test")
    ]
    assert {event.incident for event in here.follow_ups.pull(began.cursor).events} == set(made[:2])


def test_a_follow_up_has_no_timeline(here: Any) -> None:
    refused(lambda: here.follow_ups.add_note("01F", "text", author="Abel", at=0.0, key="n"))


def test_an_answer_of_another_shape_is_said_to_be_one(here: Any) -> None:
    here.standin.faults.answer(200, body=b'{"incident": {"id": "01"}}')
    with pytest.raises(BadReply, match="KeyError"):
        here.line.incident("01")


def test_where_no_triage_is_an_incident_is_declared_live_and_it_is_said(here: Any) -> None:
    here.standin.world.statuses[:] = [
        one for one in here.standin.world.statuses if one["category"] != "triage"
    ]
    error = refused(lambda: here.incidents.create({**VALUES, "status": "triage"}, key="k"))
    assert "category triage" in error.cause
    made = here.incidents.create({**VALUES, "status": "triage"}, key="k")
    assert made.values["status"] == "live"
    assert len(here.standin.incidents()) == 1


def test_a_label_that_others_wrote_is_not_adopted(here: Any, incident: Any) -> None:
    theirs = here.standin.follow_up(incident, "Theirs", labels=["servicenow:abc"])
    made = here.follow_ups.create(WANTED | {"priority": ""}, key="sync:s/f:abc", parent=incident["id"])
    assert made.id != theirs["id"]
    again = here.follow_ups.create(WANTED | {"priority": ""}, key="sync:s/f:abc", parent=incident["id"])
    assert again.id == made.id


def test_a_priority_that_nobody_has_is_not_looked_for_each_time(here: Any, incident: Any) -> None:
    made = here.follow_ups.create({**WANTED, "priority": ""}, key="sync:s/f:abc", parent=incident["id"])
    refused(lambda: here.follow_ups.update(made.id, {"priority": "urgent"}, version=made.version))
    before = len(here.standin.faults.requests)
    refused(lambda: here.follow_ups.update(made.id, {"priority": "urgent"}, version=made.version))
    assert [path for _, path in here.standin.faults.requests[before:]] == [f"/v3/follow_ups/{made.id}"]


def test_half_a_character_is_refused_and_not_tried_for_ever(here: Any) -> None:
    with pytest.raises(Rejected, match="half a character"):
        here.incidents.create({**VALUES, "name": "Mail \ud83d"}, key="k")
    assert here.standin.incidents() == []
