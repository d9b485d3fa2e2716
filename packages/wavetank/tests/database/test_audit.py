"""Which changes and deletions leave a trace."""

import pytest

from packages.wavetank.tests.conftest import Api
from wavetank.behaviour import pipeline
from wavetank.database import audit
from wavetank.database.store import Row
from wavetank.instance import Instance


def _entry(instance: Instance, table: str, element: str = "") -> Row:
    row = instance.database.first("sys_dictionary", name=table, element=element)
    assert row is not None
    return row


def _fields(instance: Instance, table: str) -> tuple[str, ...]:
    return audit.fields_of(instance.database, instance.database.known(table))


@pytest.mark.claim("audit-own-flag")
def test_only_a_tables_own_entry_audits_it(instance: Instance) -> None:
    assert "state" in _fields(instance, "incident")
    assert _fields(instance, "task") == ()
    instance.database.update("sys_dictionary", _entry(instance, "task")["sys_id"], {"audit": "true"})
    assert "state" in _fields(instance, "task")
    assert _fields(instance, "sc_request") == ()
    instance.database.update("sys_dictionary", _entry(instance, "incident")["sys_id"], {"audit": "false"})
    made = pipeline.insert(instance, None, "incident", {})
    pipeline.update(instance, None, "incident", made, {"state": "2"})
    assert instance.database.find("sys_audit", documentkey=made["sys_id"]) == []


@pytest.mark.claim("audit-field-attributes")
def test_attributes_choose_the_fields(instance: Instance) -> None:
    database = instance.database
    entry = _entry(instance, "task", "impact")
    database.update("sys_dictionary", entry["sys_id"], {"attributes": "x=1,no_audit=true"})
    assert "impact" not in _fields(instance, "incident")
    assert "urgency" in _fields(instance, "incident")
    database.update("sys_dictionary", entry["sys_id"], {"attributes": "audit=true"})
    database.update(
        "sys_dictionary", _entry(instance, "incident")["sys_id"], {"attributes": "audit_type=whitelist"}
    )
    assert _fields(instance, "incident") == ("impact",)
    made = pipeline.insert(instance, None, "incident", {})
    pipeline.update(instance, None, "incident", made, {"impact": "1", "urgency": "1"})
    rows = database.find("sys_audit", documentkey=made["sys_id"])
    assert [(row["fieldname"], row["oldvalue"], row["newvalue"]) for row in rows] == [("impact", "3", "1")]


@pytest.mark.claim("audit-ignore-delete")
def test_a_property_excepts_tables_from_the_trace_of_deletions(instance: Instance) -> None:
    def traces(table: str) -> int:
        made = instance.database.insert(table, {})
        pipeline.delete(instance, None, table, made)
        return len(instance.database.find("sys_audit_delete", documentkey=made["sys_id"]))

    assert traces("incident") == 1
    instance.set_property(audit.IGNORED, "problem, incident")
    assert traces("incident") == 0
    assert traces("change_request") == 1


@pytest.mark.claim("audit-ignore-delete")
def test_without_the_property_a_list_is_in_force(instance: Instance) -> None:
    database = instance.database
    table = "cmdb_software_instance"
    database.insert("sys_db_object", {"name": table, "label": "Software Instance"})
    made = database.insert(table, {})
    pipeline.delete(instance, None, table, made)
    assert database.find("sys_audit_delete", documentkey=made["sys_id"]) == []


@pytest.mark.claim("audit-system-fields")
def test_system_fields_leave_no_trace(instance: Instance) -> None:
    names = _fields(instance, "incident")
    assert [name for name in names if name.startswith("sys_")] == ["sys_class_name"]
    made = pipeline.insert(instance, None, "incident", {})
    pipeline.update(instance, None, "incident", made, {"state": "2"})
    (row,) = instance.database.find("sys_audit", documentkey=made["sys_id"], fieldname="state")
    assert (row["sys_created_on"], row["user"], row["record_checkpoint"]) == (
        row["sys_updated_on"],
        "system",
        "1",
    )


@pytest.mark.claim("journal-direct")
def test_an_admin_writes_a_journal_entry_with_author_and_date(admin: Api) -> None:
    made = admin.create("incident", {"short_description": "x"})
    entry = {
        "name": "incident",
        "element": "comments",
        "element_id": made["sys_id"],
        "value": "from elsewhere",
        "sys_created_by": "abel.tuter",
        "sys_created_on": "2026-01-02 03:04:05",
    }
    row = admin.create("sys_journal_field", entry)
    assert {name: row[name] for name in entry} == entry
    assert set(row) == {*entry, "sys_id", "sys_tags"}
    shown = admin.get(f"incident/{made['sys_id']}", sysparm_display_value="true")
    assert "from elsewhere" in shown["comments"]
    assert "from elsewhere" in shown["comments_and_work_notes"]
    assert shown["sys_mod_count"] == "0"
    assert admin.user("agent", "itil").call("POST", "sys_journal_field", json=entry).status_code == 403
