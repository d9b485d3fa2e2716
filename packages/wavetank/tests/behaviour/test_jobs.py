"""What happens later: metrics, automatic closing, archiving, undeletion, late commits."""

from collections.abc import Callable

import pytest

from packages.wavetank.tests.conftest import Api
from wavetank.behaviour import archive, late, pipeline, undelete
from wavetank.clock import parse
from wavetank.control import records
from wavetank.database.store import Row
from wavetank.errors import PlatformError
from wavetank.instance import Instance
from wavetank.security.who import Session

Make = Callable[..., Row]
DAY = 86_400
DONE = {"close_code": "Solution provided", "close_notes": "done"}


@pytest.fixture(autouse=True)
def frozen(instance: Instance) -> None:
    instance.clock.freeze(parse("2026-03-02 08:00:00"))


def _spans(instance: Instance, row: Row, field: str) -> list[tuple[str, str, str, str]]:
    rows = instance.database.find("metric_instance", id=row["sys_id"], field=field)
    return [
        (each["field_value"], each["value"], each["duration"], each["calculation_complete"]) for each in rows
    ]


@pytest.mark.claim("metric-spans")
def test_each_value_of_a_watched_field_is_a_span(instance: Instance, make: Make, edit: Make) -> None:
    instance.configure({"metric_lag_seconds": 0})
    made = make()
    assert _spans(instance, made, "incident_state") == [("1", "New", "", "false")]
    instance.clock.advance(600)
    edit("incident", made, state="2", description="said")
    instance.clock.advance(DAY)
    done = edit("incident", made, state="7", **DONE)
    assert _spans(instance, made, "incident_state") == [
        ("1", "New", "1970-01-01 00:10:00", "true"),
        ("2", "In Progress", "1970-01-02 00:00:00", "true"),
    ]
    row = instance.database.find("metric_instance", id=made["sys_id"], field="incident_state")[-1]
    definition = instance.database.get("metric_definition", row["definition"])
    assert definition is not None
    assert (definition["name"], row["table"], row["end"]) == (
        "Incident State Duration",
        "incident",
        done["sys_updated_on"],
    )


@pytest.mark.claim("metric-spans")
def test_assignments_are_spans_by_name_and_an_empty_one_too(
    instance: Instance, make: Make, edit: Make, beth: Session
) -> None:
    instance.configure({"metric_lag_seconds": 0})
    made = make()
    assert _spans(instance, made, "assigned_to") == []
    edit("incident", made, assigned_to=beth.sys_id)
    edit("incident", made, assigned_to="")
    assert [each[:2] for each in _spans(instance, made, "assigned_to")] == [
        (beth.sys_id, "Beth Anglin"),
        ("", ""),
    ]


@pytest.mark.claim("metric-lag")
def test_metrics_lag_behind(instance: Instance, make: Make) -> None:
    made = make()
    instance.clock.advance(29)
    assert _spans(instance, made, "incident_state") == []
    instance.clock.advance(1)
    found = instance.database.find("metric_instance", id=made["sys_id"], field="incident_state")
    assert [each["start"] for each in found] == [made["sys_updated_on"]]


@pytest.mark.claim("metric-definitions")
def test_a_metric_is_its_definition(instance: Instance, make: Make, add: Make) -> None:
    instance.configure({"metric_lag_seconds": 0})
    database = instance.database
    database.insert(
        "metric_definition",
        {"table": "problem", "field": "state", "active": "true", "type": "field_value_duration"},
    )
    state = database.first("metric_definition", name="Incident State Duration")
    assert state is not None
    database.update("metric_definition", state["sys_id"], {"active": "false"})
    assert _spans(instance, make(), "incident_state") == []
    assert [each[0] for each in _spans(instance, add("problem"), "state")] == ["101"]


@pytest.mark.claim("incident-autoclose")
def test_resolved_incidents_close_by_themselves(instance: Instance, make: Make, edit: Make) -> None:
    made = make(state="6", **DONE)
    instance.clock.advance(6 * DAY)
    edit("incident", made, description="touched")
    assert (instance.database.get("incident", made["sys_id"]) or {})["state"] == "6"
    instance.clock.advance(DAY + 3600)
    row = instance.database.get("incident", made["sys_id"])
    assert row is not None
    assert (row["state"], row["active"], row["sys_updated_by"]) == ("7", "false", "system")


@pytest.mark.claim("incident-autoclose")
def test_properties_say_after_how_many_days_and_since_when(
    instance: Instance, make: Make, edit: Make
) -> None:
    instance.set_property("glide.ui.autoclose.time", "2")
    instance.set_property("com.snc.incident.autoclose.basedon.resolved_at", "false")
    made = make(state="6", **DONE)
    instance.clock.advance(DAY)
    edit("incident", made, description="touched")
    instance.clock.advance(DAY + 3600)
    assert (instance.database.get("incident", made["sys_id"]) or {})["state"] == "6"
    instance.clock.advance(DAY)
    assert (instance.database.get("incident", made["sys_id"]) or {})["state"] == "7"
    instance.set_property("glide.ui.autoclose.time", "0")
    other = make(state="6", **DONE)
    instance.clock.advance(30 * DAY)
    assert (instance.database.get("incident", other["sys_id"]) or {})["state"] == "6"


def test_an_incident_that_cannot_be_closed_is_left_and_said_so(instance: Instance, make: Make) -> None:
    made = make(state="6", **DONE)
    instance.database.update("incident", made["sys_id"], {"close_code": ""}, system=False)
    instance.clock.advance(8 * DAY)
    assert (instance.database.get("incident", made["sys_id"]) or {})["state"] == "6"
    assert any(made["number"] in row["message"] for row in instance.database.find("syslog"))


def _rule(instance: Instance, beth: Session, **values: str) -> Row:
    rule = {
        "name": "Old",
        "table": "incident",
        "conditions": "active=false^closed_atRELATIVELT@dayofweek@ago@30",
    }
    return pipeline.insert(instance, beth, "sys_archive", {**rule, "active": "true", **values})


@pytest.mark.claim("archive-run")
def test_old_records_move_into_a_flat_table(
    instance: Instance, make: Make, edit: Make, beth: Session, admin: Api
) -> None:
    _rule(instance, beth)
    made = make(caller_id=beth.sys_id, work_notes="kept")
    edit("incident", made, state="7", **DONE)
    instance.clock.advance(29 * DAY)
    assert instance.database.get("incident", made["sys_id"]) is not None
    instance.clock.advance(3 * DAY)
    assert instance.database.get("incident", made["sys_id"]) is None
    shown = admin.get(f"ar_incident/{made['sys_id']}")
    assert (shown["number"], shown["caller_id"], shown["state"]) == (made["number"], "Beth Anglin", "7")
    assert instance.dictionary.hierarchy("ar_incident") == ["ar_incident"]
    log = instance.database.first("sys_archive_log", id=made["sys_id"])
    assert log is not None
    assert (log["from_table"], log["to_table"], log["display_value"]) == (
        "incident",
        "ar_incident",
        made["number"],
    )
    assert instance.database.find("sys_audit_delete", documentkey=made["sys_id"]) == []


@pytest.mark.claim("archive-restore")
def test_an_archived_record_comes_back_as_it_was(
    instance: Instance, make: Make, edit: Make, beth: Session
) -> None:
    _rule(instance, beth)
    made = make(caller_id=beth.sys_id)
    before = edit("incident", made, state="7", **DONE)
    instance.clock.advance(32 * DAY)
    log = instance.database.first("sys_archive_log", id=made["sys_id"])
    assert log is not None
    assert records.recover(instance, {"archived": log["sys_id"]}) == [before]
    assert instance.database.get("incident", made["sys_id"]) == before
    assert instance.database.get("ar_incident", made["sys_id"]) is None
    assert (instance.database.get("sys_archive_log", log["sys_id"]) or {})[
        "restored"
    ] == instance.clock.text()
    with pytest.raises(ValueError, match="not in ar_incident"):
        records.recover(instance, {"archived": log["sys_id"]})


@pytest.mark.claim("archive-access")
def test_an_archive_table_is_read_by_the_readers_of_its_table(
    instance: Instance, make: Make, edit: Make, beth: Session, admin: Api
) -> None:
    _rule(instance, beth)
    made = edit("incident", make(), state="7", **DONE)
    instance.clock.advance(32 * DAY)
    reader, stranger = admin.user("reader", "itil"), admin.user("stranger")
    assert reader.get(f"ar_incident/{made['sys_id']}")["number"] == made["number"]
    assert stranger.get("ar_incident") == []
    said = (403, "Operation Failed", "ACL Exception Update Failed due to security constraints")
    assert admin.refused("PATCH", f"ar_incident/{made['sys_id']}", json={"state": "1"}) == said
    assert admin.refused("DELETE", f"ar_incident/{made['sys_id']}")[0] == 403
    assert admin.refused("POST", "ar_incident", json={"number": "X"})[0] == 403


@pytest.mark.claim("archive-never")
@pytest.mark.parametrize("table", ["sys_audit", "sys_journal_field", "sys_attachment", "nothing"])
def test_some_tables_are_never_archived(instance: Instance, beth: Session, table: str) -> None:
    with pytest.raises(PlatformError, match="cannot be archived"):
        _rule(instance, beth, table=table)


@pytest.mark.claim("archive-limits")
def test_what_belongs_to_an_archived_record_stays_where_it_is(
    instance: Instance, make: Make, add: Make, edit: Make, beth: Session
) -> None:
    with pytest.raises(PlatformError, match="cannot be archived"):
        _rule(instance, beth, table="sys_script")
    _rule(instance, beth)
    made = make(work_notes="kept")
    task = add("incident_task", incident=made["sys_id"])
    edit("incident", made, state="7", **DONE)
    instance.clock.advance(32 * DAY)
    assert instance.database.get("incident", made["sys_id"]) is None
    assert instance.database.get("incident_task", task["sys_id"]) is not None
    assert len(instance.database.find("sys_journal_field", element_id=made["sys_id"])) == 1


def test_a_rule_that_is_not_active_or_has_no_condition_moves_nothing(
    instance: Instance, beth: Session, make: Make
) -> None:
    _rule(instance, beth, active="false", conditions="active=true")
    _rule(instance, beth, conditions="^EQ")
    made = make()
    assert archive.Archive(instance).run() == 0
    assert instance.database.get("incident", made["sys_id"]) is not None


@pytest.mark.claim("undelete")
def test_a_deleted_record_comes_back_with_what_went_along(
    instance: Instance, make: Make, beth: Session
) -> None:
    made = make(work_notes="said", description="a <b> & \r\n\x07c")
    pipeline.delete(instance, beth, "incident", made)
    row = instance.database.first("sys_audit_delete", documentkey=made["sys_id"])
    assert row is not None
    assert row["payload"].startswith('<?xml version="1.0" encoding="UTF-8"?><record_update table="incident">')
    (back,) = records.recover(instance, {"deleted": row["sys_id"]})
    same = ("sys_id", "number", "opened_at", "opened_by", "sys_created_by", "sys_created_on", "priority")
    assert [back[name] for name in same] == [made[name] for name in same]
    assert back["description"] == "a <b> & \r\nc"
    notes = instance.database.find("sys_journal_field", element_id=made["sys_id"])
    assert [(each["value"], each["sys_created_by"]) for each in notes] == [("said", "beth.anglin")]
    assert instance.database.get("sys_audit_delete", row["sys_id"]) is None


@pytest.mark.claim("undelete")
def test_after_seven_days_the_record_comes_back_alone(instance: Instance, make: Make, beth: Session) -> None:
    made = make(work_notes="said")
    pipeline.delete(instance, beth, "incident", made)
    instance.clock.advance(8 * DAY)
    row = instance.database.first("sys_audit_delete", documentkey=made["sys_id"])
    assert row is not None
    undelete.restore(instance, beth, row)
    assert instance.database.find("sys_journal_field", element_id=made["sys_id"]) == []


def test_what_is_there_is_not_undeleted(instance: Instance, make: Make, beth: Session) -> None:
    made = make()
    pipeline.delete(instance, beth, "incident", made)
    row = instance.database.first("sys_audit_delete", documentkey=made["sys_id"])
    assert row is not None
    instance.database.insert("incident", {"sys_id": made["sys_id"]})
    with pytest.raises(ValueError, match="exists"):
        records.recover(instance, {"deleted": row["sys_id"]})
    with pytest.raises(records.NotFound):
        records.recover(instance, {"deleted": "0" * 32})
    with pytest.raises(ValueError, match="deleted"):
        records.recover(instance, {})


@pytest.mark.claim("late-commit")
def test_a_write_can_be_seen_later_than_it_is_stamped(instance: Instance, make: Make, beth: Session) -> None:
    other = make()
    instance.configure({"commit_lag_seconds": 5})
    with late.commit(instance):
        made = make(work_notes="said", short_description="it's \n late")
        pipeline.update(instance, beth, "incident", other, {"state": "2"})
    database = instance.database
    assert database.get("incident", made["sys_id"]) is None
    assert (database.get("incident", other["sys_id"]) or {})["state"] == "1"
    instance.clock.advance(2)
    instance.configure({"commit_lag_seconds": 0})
    newer = make()
    assert newer["number"] > made["number"]
    instance.clock.advance(3)
    shown = database.get("incident", made["sys_id"])
    assert shown == made
    assert shown["sys_updated_on"] < newer["sys_updated_on"]
    changed = database.get("incident", other["sys_id"])
    assert changed is not None
    assert (changed["state"], changed["sys_updated_on"]) == ("2", made["sys_updated_on"])
    assert len(database.find("sys_journal_field", element_id=made["sys_id"])) == 1


@pytest.mark.claim("late-commit")
def test_a_refused_write_is_not_seen_later_either(instance: Instance, make: Make) -> None:
    instance.configure({"commit_lag_seconds": 5})
    before = instance.database.count("incident")
    with pytest.raises(PlatformError, match="Data Policy"), late.commit(instance):
        make(state="6")
    instance.clock.advance(10)
    assert instance.database.count("incident") == before


def test_what_is_late_does_not_survive_a_restore_and_yields_to_what_came_before(
    instance: Instance, make: Make
) -> None:
    instance.database.snapshot("before")
    instance.configure({"commit_lag_seconds": 5})
    with late.commit(instance):
        lost = make()
    instance.restore("before")
    with late.commit(instance):
        taken = make()
    instance.database.insert("incident", {"sys_id": taken["sys_id"], "number": "MINE"})
    instance.clock.advance(10)
    assert instance.database.get("incident", lost["sys_id"]) is None
    assert (instance.database.get("incident", taken["sys_id"]) or {})["number"] == "MINE"
    assert instance.database.first("syslog", source="late commit") is not None


@pytest.mark.claim("silent-write")
def test_the_control_surface_writes_past_stamps_and_rules(instance: Instance, make: Make) -> None:
    made = make()
    instance.clock.advance(60)
    (row,) = records.update(instance, ("incident", made["sys_id"]), {"state": "2"})
    assert row == {**made, "state": "2"}
    assert row["incident_state"] == "1"


@pytest.mark.claim("one-second-stamps")
def test_stamps_are_whole_seconds(instance: Instance, make: Make, edit: Make) -> None:
    made = make()
    instance.clock.advance(0.4)
    assert edit("incident", made, state="2")["sys_updated_on"] == made["sys_updated_on"]


def test_a_reset_forgets_what_was_pending_and_goes_on_working(instance: Instance, make: Make) -> None:
    make()
    instance.reset()
    instance.clock.freeze(parse("2026-03-02 08:00:00"))
    made = make(state="6", **DONE)
    instance.clock.advance(8 * DAY)
    assert (instance.database.get("incident", made["sys_id"]) or {})["state"] == "7"
    assert _spans(instance, made, "incident_state")
