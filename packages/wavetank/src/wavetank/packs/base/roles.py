"""Roles and what they contain.

Sources: ServiceNow docs "Base system roles", "Incident Management roles", "Usage Insights roles", "Components
installed with AES"; two sys_ids that every instance has.
"""

from __future__ import annotations

from wavetank.database.shipped import sys_id_for

ADMIN_ROLE = "2831a114c611228501d4ea6c309d626d"
_IDS = {
    "admin": ADMIN_ROLE,
    "itil": "282bf1fac6112285017366cb5f867469",
    "user": "b05926fa0a0a0aa7000130023e0bde98",
}

# role: the roles it contains
ROLES: dict[str, tuple[str, ...]] = {
    "admin": (
        "itil",
        "itil_admin",
        "user_admin",
        "oauth_admin",
        "cmdb_read",
        "rest_api_explorer",
        "web_service_admin",
        "personalize_choices",
        "personalize_dictionary",
        "mi_admin",
    ),
    "security_admin": (),
    "nobody": (),
    "public": (),
    "user": (),
    "snc_internal": (),
    "snc_external": (),
    "snc_read_only": (),
    "snc_platform_rest_api_access": (),
    "snc_basic_auth_api_access": (),
    "itil": (
        "agent_workspace_user",
        "app_service_user",
        "cmdb_query_builder",
        "cmdb_read",
        "dependency_views",
        "email_composer",
        "snc_platform_rest_api_access",
        "sn_change_write",
        "sn_comm_management.comm_plan_viewer",
        "sn_gd_guidance.guidance_user",
        "sn_incident_write",
        "sn_nb_action.next_best_action_user",
        "sn_problem_write",
        "sn_request_write",
        "sn_sow.sow_list",
        "sn_sow.sow_user",
        "sn_sttrm_condition_read",
        "survey_reader",
        "template_editor",
        "tracked_file_reader",
        "view_changer",
        "viz_creator",
    ),
    "itil_admin": ("assessment_admin", "sn_bm_client.benchmark_data_viewer", "cmdb_read"),
    "sn_incident_read": (
        "dependency_views",
        "agent_workspace_user",
        "view_changer",
        "cmdb_read",
        "cmdb_query_builder_read",
    ),
    "sn_incident_write": ("sn_incident_read", "template_editor"),
    "sn_incident_comment_write": (),
    "incident_manager": ("itil",),
    "sn_incident_admin": (
        "incident_manager",
        "sn_sow_inc.sn_incident_sow_admin",
        "sn_bm_client.benchmark_data_viewer",
    ),
    "sn_service_desk_agent": (
        "sn_incident_write",
        "sn_problem_write",
        "sn_change_write",
        "sn_request_write",
        "tracked_file_reader",
    ),
    "business_stakeholder": (
        "sn_incident_read",
        "sn_problem_read",
        "sn_change_read",
        "sn_request_read",
        "approver_user",
    ),
    "sn_problem_read": (),
    "sn_problem_write": ("sn_problem_read",),
    "problem_admin": ("itil",),
    "problem_manager": ("itil",),
    "problem_coordinator": ("itil",),
    "problem_task_analyst": (),
    "sn_change_read": (),
    "sn_change_write": ("sn_change_read",),
    "change_manager": ("itil",),
    "sn_request_read": (),
    "sn_request_write": ("sn_request_read",),
    "cmdb_read": (),
    "sn_cmdb_user": (
        "app_service_user",
        "canvas_user",
        "cmdb_ms_user",
        "cmdb_query_builder",
        "data_manager_user",
    ),
    "sn_cmdb_editor": ("cmdb_ms_editor", "sn_cmdb_user"),
    "asset": (),
    "user_admin": ("fsm_skill_admin", "skill_admin", "territory_admin"),
    "role_delegator": (),
    "personalize_choices": (),
    "personalize_dictionary": (),
    "oauth_admin": (),
    "oauth_user": (),
    "mi_admin": (),
    "api_service_admin": (),
    "adaptive_auth_policy_admin": (),
    "rest_api_explorer": (),
    "web_service_admin": (),
    "rate_limit_admin": (),
    "query_no_domain_table_api": (),
    "approver_user": (),
    "approval_admin": (),
    "impersonator": (),
    "import_admin": (),
    "import_scheduler": (),
    "import_set_loader": (),
    "import_transformer": (),
    "delegated_developer": (),
    "catalog": (),
    "catalog_admin": ("catalog",),
    "knowledge": (),
    "knowledge_admin": ("knowledge",),
    "knowledge_manager": ("knowledge",),
    "report_admin": (),
    "ml_report_user": (),
    "ml_admin": ("ml_report_user",),
    "atf_test_designer": (),
    "atf_test_admin": ("atf_test_designer",),
    "scan_admin": ("scan_user",),
    "scan_user": (),
    "sn_cicd.sys_ci_automation": (),
    "sn_si.integration_user": (),
    "mid_server": ("snc_basic_auth_api_access",),
    "analytics_admin": (
        "analytics_viewer",
        "chat_analytics_admin",
        "mobile_analytics_admin",
        "sdk_analytics_admin",
        "web_analytics_admin",
    ),
    "mobile_analytics_admin": ("mobile_analytics_viewer",),
    "model_manager": (),
    "contract_manager": (),
    "financial_mgmt_user": (),
    "financial_mgmt_admin": ("financial_mgmt_user",),
    "sla_manager": (),
    "sla_admin": ("sla_manager",),
    "evt_mgmt_user": (),
    "evt_mgmt_integration": (),
    "app_engine_admin": ("sn_request_read", "sn_request_write", "sn_app_eng_studio.user"),
    "soap": ("soap_create", "soap_delete", "soap_ecc", "soap_query", "soap_script", "soap_update"),
}
ELEVATED = frozenset({"security_admin"})


def role_id(name: str) -> str:
    """The sys_id of a role this pack brings."""
    return _IDS.get(name) or sys_id_for("sys_user_role", name)


def below(role: str) -> set[str]:
    """Every role that a role contains, however deep."""
    found: set[str] = set()
    todo = [role]
    while todo:
        for each in ROLES.get(todo.pop(), ()):
            if each not in found:
                found.add(each)
                todo.append(each)
    return found


def names() -> list[str]:
    """Every role, the contained ones too."""
    contained = [name for names in ROLES.values() for name in names]
    return list(dict.fromkeys([*ROLES, *contained]))
