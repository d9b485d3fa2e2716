"""What a fresh instance holds."""

import pytest

from wavetank import packs
from wavetank.app import Options, create
from wavetank.database.store import Database
from wavetank.security import roles

# The keys of an incident created on a developer instance (recorded).
INCIDENT = """
active activity_due additional_assignee_list approval approval_history approval_set assigned_to
assignment_group business_duration business_impact business_service business_stc calendar_duration
calendar_stc caller_id category cause caused_by child_incidents close_code close_notes closed_at closed_by
cmdb_ci comments comments_and_work_notes company contact_type contract correlation_display correlation_id
delivery_plan delivery_task description due_date escalation expected_start follow_up group_list hold_reason
impact incident_state knowledge location made_sla notify number opened_at opened_by order origin_id
origin_table parent parent_incident priority problem_id reassignment_count reopen_count reopened_by
reopened_time resolved_at resolved_by rfc route_reason service_offering severity short_description sla_due
state subcategory sys_class_name sys_created_by sys_created_on sys_domain sys_domain_path sys_id
sys_mod_count sys_tags sys_updated_by sys_updated_on task_effective_number time_worked universal_request
upon_approval upon_reject urgency user_input watch_list work_end work_notes work_notes_list work_start
""".split()  # noqa: SIM905  reads best as a block


@pytest.mark.claim("incident-fields")
def test_an_incident_has_the_recorded_fields(database: Database) -> None:
    assert sorted(database.known("incident").fields) == INCIDENT


@pytest.mark.claim("stock-table-rows")
def test_a_table_says_its_application_and_its_numbers(database: Database) -> None:
    incident, user = (database.first("sys_db_object", name=name) or {} for name in ("incident", "sys_user"))
    assert (incident["sys_scope"], user["sys_scope"]) == ("global", "global")
    assert (database.get("sys_number", incident["number_ref"]) or {})["prefix"] == "INC"
    assert user["number_ref"] == ""


def test_the_dictionary_is_its_own_rows(database: Database) -> None:
    for table in database.dictionary:
        assert database.first("sys_db_object", name=table.name), table.name
        elements = {row["element"] for row in database.find("sys_dictionary", name=table.name)}
        assert elements == {"", *(field.name for field in table.own)}


def test_every_reference_leads_to_a_table_and_every_choice_to_a_field(database: Database) -> None:
    for table in database.dictionary:
        for field in table.own:
            if field.is_reference:
                assert database.dictionary.table(field.reference), f"{table.name}.{field.name}"
    for row in database.find("sys_choice"):
        known = database.known(row["name"])
        assert known.fields[row["element"]].choice, row


def test_access_controls_name_tables_fields_and_roles_that_exist(database: Database) -> None:
    known_roles = {row["sys_id"] for row in database.find("sys_user_role")}
    for row in database.find("sys_security_acl", type="record"):
        table, _, field = row["name"].partition(".")
        assert table == "*" or field in {"", "*", *database.known(table).fields}, row["name"]
    assert all(row["sys_user_role"] in known_roles for row in database.find("sys_security_acl_role"))


def test_the_inherited_roles_are_what_the_rules_make(instance: object) -> None:
    assert roles.rebuild(instance) == 0  # type: ignore[arg-type]


def test_the_names_that_clients_look_for_are_there(database: Database) -> None:
    for name in ("admin", "problem.admin", "abel.tuter", "abraham.lincoln", "beth.anglin", "fred.luddy"):
        assert database.first("sys_user", user_name=name), name
    for name in ("Network", "Hardware", "Software", "Service Desk", "Help Desk", "Database", "Openspace"):
        assert database.first("sys_user_group", name=name), name
    admin = database.first("sys_user", user_name="admin")
    assert admin is not None
    assert admin["sys_id"] == "6816f79cc0a8016401c5a33be04be441"


def test_the_demo_incidents_are_sound(make_database: object) -> None:
    database = make_database("sample")  # type: ignore[operator]
    rows = database.find("incident")
    assert len(rows) == 20
    assert {row["state"] for row in rows} == {"1", "2", "3", "6", "7", "8"}
    assert all(database.get("sys_user", row["caller_id"]) for row in rows)
    assert all(not row["cmdb_ci"] or database.get("cmdb_ci", row["cmdb_ci"]) for row in rows)


def test_the_demo_changes_are_sound(make_database: object) -> None:
    database = make_database("sample")  # type: ignore[operator]
    rows = database.find("change_request")
    assert {row["state"] for row in rows} == {"-5", "-2", "3", "4"}
    assert {row["close_code"] != "" for row in rows if row["state"] == "3"} == {True}
    assert all(database.get("cmdb_ci_service", row["business_service"]) for row in rows)
    assert all(row["start_date"] < row["end_date"] for row in rows)
    linked = [row for row in database.find("incident") if row["caused_by"] or row["rfc"]]
    assert len(linked) == 3
    assert all(database.get("change_request", row["caused_by"] or row["rfc"]) for row in linked)


# What public readers of the three tables ask for: field, type, where a reference leads.
ASKED = """
incident number string, incident short_description string, incident priority integer, incident urgency integer
incident state integer, incident severity integer, incident resolved_at glide_date_time
incident parent reference>task, incident parent_incident reference>incident
incident assigned_to reference>sys_user, incident resolved_by reference>sys_user
incident escalation integer, incident impact integer, incident sla_due due_date, incident category string
incident close_code string, incident business_service reference>cmdb_ci_service
incident opened_at glide_date_time, incident reopen_count integer, incident caused_by reference>change_request
incident rfc reference>change_request, incident work_start glide_date_time, incident work_end glide_date_time
change_request priority integer, change_request closed_at glide_date_time
change_request closed_by reference>sys_user, change_request scope integer, change_request type string
change_request start_date glide_date_time, change_request end_date glide_date_time
change_request close_code string, change_request business_service reference>cmdb_ci_service
change_request requested_by reference>sys_user, change_request work_start glide_date_time
cmdb_ci_service department reference>cmn_department, sys_user department reference>cmn_department
sys_user user_name string, sys_user name string, sys_user email email, sys_user active boolean
sys_user manager reference>sys_user, sys_user title string, sys_user location reference>cmn_location
"""


@pytest.mark.claim("stream-fields")
def test_what_readers_of_incidents_changes_and_users_ask_for_is_there(database: Database) -> None:
    for line in ASKED.replace("\n", ", ").split(", "):
        if not line.strip():
            continue
        table, name, kind = line.split()
        field = database.known(table).fields[name]
        shown = f"{field.type}>{field.reference}" if field.type == "reference" else field.type
        assert shown == kind, line


def test_an_unknown_pack_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="no pack"):
        packs.load(database, "nope")


@pytest.mark.parametrize("name", ["zurich", "australia"])
def test_the_build_tag_names_the_release(name: str) -> None:
    made, _ = create(Options(release=name))
    assert made.property("glide.buildtag", "").startswith(f"glide-{name}-")
    assert made.property("glide.buildname", "") == name.capitalize()
