"""Breadth: the tables, columns, lists and rows that clients and people look for on any instance."""

from collections import Counter
from typing import Any

import pytest

from wavetank.database.store import Database
from wavetank.packs.base.tables import definitions

# The columns of forms and lists of a developer instance.
FORMS = """
alm_asset:
asset_tag assigned_to company department install_status location model.display_name model_category
sys_class_name warranty_expiration

change_request:
approval assigned_to assignment_group backout_plan business_service category chg_model close_code
close_notes cmdb_ci comments conflict_last_run conflict_status description end_date impact
implementation_plan justification number on_hold on_hold_reason priority risk risk_impact_analysis
service_offering short_description start_date state test_plan type watch_list work_end work_notes
work_notes_list work_start

fm_expense_line:
amount date inherited number parent short_description source_id summary_type type user

alm_hardware:
acquisition_method active_to asset_function asset_tag assigned assigned_to beneficiary ci comments
company cost cost_center department depreciated_amount depreciation depreciation_date display_name
disposal_reason eligible_for_refresh expenditure_type gl_account install_date install_status
invoice_number lease_id location managed_by model model_category owned_by parent purchase_date quantity
request_line request_line.opened_at resale_price reserved_for residual residual_date retired
retirement_date salvage_value serial_number stockroom substatus support_group supported_by
sys_class_name vendor warranty_expiration work_notes

incident:
assigned_to assignment_group business_service caller_id category caused_by close_code close_notes
cmdb_ci comments company contact_type description hold_reason impact knowledge number parent_incident
priority problem_id resolved_at resolved_by rfc route_reason service_offering short_description state
subcategory sys_created_on universal_request urgency watch_list work_notes work_notes_list

problem:
assigned_to assignment_group business_service category cause_notes close_notes closed_at closed_by
cmdb_ci company confirmed_at confirmed_by description duplicate_of first_reported_by_task fix_at fix_by
fix_communicated_at fix_communicated_by fix_notes impact number opened_at opened_by priority
related_incidents resolution_code resolved_at resolved_by service_offering short_description state
subcategory urgency work_notes work_notes_list workaround workaround_applied workaround_communicated_at
workaround_communicated_by

sc_req_item:
approval backordered cat_item comments configuration_item due_date estimated_delivery number opened_at
opened_by order_guide quantity request requested_for sc_catalog short_description stage state watch_list

sc_cat_item:
category delivery_time description fulfillment_automation_level name price sc_catalogs short_description
sys_class_name type

sys_user:
active avatar calendar_integration company date_format department email first_name
internal_integration_user last_name location locked_out mobile_phone name notification
password_needs_reset phone photo preferred_language time_zone title user_name user_password
web_service_access_only
"""

TABLES = """
alm_asset alm_hardware bsm_chart cmdb_ci_computer cmdb_ci_linux_server cmdb_ci_service cmdb_model cmdb_rel_ci
cmdb_rel_type cmn_schedule contract_sla core_country ecc_queue em_event fm_expense_line interaction item_option_new
kb_category kb_feedback kb_knowledge kb_knowledge_base label question sc_cart sc_cat_item sc_cat_item_producer
sc_catalog sc_category sc_item_option sc_item_option_mtom sc_req_item sc_request sc_task sp_widget sys_app
sys_app_application sys_app_module sys_archive sys_atf_test sys_certificate sys_cluster_state sys_data_source
sys_db_view sys_dictionary_override sys_documentation sys_email sys_flow_context sys_history_line sys_hub_flow
sys_import_set sys_import_set_row sys_metadata sys_package sys_processor sys_properties sys_relationship sys_report
sys_rest_message sys_scope sys_script_client sys_script_include sys_transform_entry sys_transform_map
sys_translated_text sys_trigger sys_ui_action sys_ui_form sys_ui_list sys_ui_page sys_ui_policy sys_ui_section
sys_ui_view sys_upgrade_history sys_user_delegate sys_user_preference sys_user_session sys_ws_definition
sys_ws_operation sysauto sysauto_script sysevent sysevent_email_action sysevent_register syslog syslog_transaction
task_ci task_sla wf_context wf_workflow
"""


def _forms() -> list[tuple[str, str]]:
    return [
        (table, column)
        for block in FORMS.strip().split("\n\n")
        for table, columns in [block.split(":", maxsplit=1)]
        for column in columns.split()
    ]


@pytest.mark.claim("stock-forms")
def test_the_columns_of_forms_and_lists_are_there(database: Database) -> None:
    missing = [each for each in _forms() if database.dictionary.walk(*each) is None]
    assert missing == []


@pytest.mark.claim("stock-tables")
def test_the_tables_that_clients_read_are_there_and_listed(database: Database) -> None:
    listed = {row["name"] for row in database.find("sys_db_object")}
    missing = [name for name in TABLES.split() if name not in listed or not database.dictionary.table(name)]
    assert missing == []


def test_no_table_is_described_twice_and_no_field_either() -> None:
    described = definitions("wavetank.packs.base")
    assert [name for name, count in Counter(each.name for each in described).items() if count > 1] == []
    for table in described:
        fields = Counter(field.name for field in table.fields)
        assert [name for name, count in fields.items() if count > 1] == [], table.name


def test_a_class_describes_no_field_again_that_it_inherits_unchanged(database: Database) -> None:
    for table in database.dictionary:
        above = database.dictionary.table(table.super)
        for field in table.own:
            inherited = above.fields.get(field.name) if above else None
            shape = (field.type, field.label, field.default, field.reference, field.choice)
            if inherited is not None:
                other = (
                    inherited.type,
                    inherited.label,
                    inherited.default,
                    inherited.reference,
                    inherited.choice,
                )
                assert shape != other, f"{table.name}.{field.name}"


def test_what_has_a_number_has_a_rule_for_it(database: Database) -> None:
    for table in database.dictionary:
        field = table.fields.get("number")
        if field is not None and field.default.startswith("javascript:getNextObjNumberPadded"):
            above = database.dictionary.hierarchy(table.name)
            assert any(database.first("sys_number", category=name) for name in above), table.name


@pytest.mark.claim("stock-log")
def test_the_log_tells_what_the_setup_loaded(database: Database) -> None:
    entries = database.find("syslog")
    assert len(entries) > 600
    created = {row["message"] for row in entries if row["message"].startswith("Created table ")}
    assert len(created) == len(list(database.dictionary))
    assert [row["sys_created_on"] for row in entries] == sorted(row["sys_created_on"] for row in entries)


@pytest.mark.claim("stock-operation")
def test_a_fresh_instance_has_a_node_jobs_labels_and_a_catalog(database: Database) -> None:
    assert [row["status"] for row in database.find("sys_cluster_state")] == ["online"]
    scripts = {row["sys_id"] for row in database.find("sysauto_script")}
    assert {row["document_key"] for row in database.find("sys_trigger")} == scripts
    assert database.first("sys_documentation", name="cmdb_ci", element="")["plural"] == "Configuration Items"  # type: ignore[index]
    assert database.first("sys_documentation", name="core_company")["plural"] == "Companies"  # type: ignore[index]
    (item,) = database.find("sc_cat_item", name="Standard Laptop")
    catalog = database.get("sc_catalog", item["sc_catalogs"])
    assert catalog is not None
    assert catalog["title"] == "Service Catalog"


@pytest.mark.claim("stock-access")
def test_who_reads_the_tables_beside_tasks(admin: Any) -> None:
    admin.create("task_sla", {"stage": "paused"})
    admin.create("cmdb_rel_ci", {"port": "1"})
    draft = admin.create("kb_knowledge", {"short_description": "later", "workflow_state": "draft"})
    shown = admin.create("kb_knowledge", {"short_description": "now", "workflow_state": "published"})
    mine = admin.create("sys_user_preference", {"name": "rowcount", "value": "5"})
    nobody, agent = admin.user("nobody.else"), admin.user("agent", "itil")
    for table in ("task_sla", "cmdb_rel_ci"):
        assert nobody.get(table) == []
        assert agent.get(table)
    assert [row["sys_id"] for row in nobody.get("kb_knowledge")] == [shown["sys_id"]]
    assert draft["sys_id"] in [row["sys_id"] for row in agent.get("kb_knowledge")]
    assert nobody.get("sys_user_preference") == []
    assert nobody.get("sc_catalog")
    assert nobody.get("syslog") == []
    assert nobody.refused("POST", "sys_script_include", json={"name": "x"})[0] == 403
    assert nobody.refused("DELETE", f"sys_user_preference/{mine['sys_id']}")[0] in (403, 404)


LISTED = (
    ("alm_hardware", "install_status", "1", "In use"),
    ("task_sla", "stage", "in_progress", "In progress"),
    ("kb_knowledge", "workflow_state", "published", "Published"),
    ("syslog", "level", "2", "Error"),
    ("sys_email", "mailbox", "outbox", "Outbox"),
)


@pytest.mark.claim("stock-choices")
def test_lists_of_the_tables_beside_tasks(database: Database) -> None:
    for table, element, value, label in LISTED:
        owners = database.dictionary.hierarchy(table)
        rows = [row for name in owners for row in database.find("sys_choice", name=name, element=element)]
        assert label in [row["label"] for row in rows if row["value"] == value], f"{table}.{element}"
