"""Roles, groups, people and places of a fresh instance.

Role names and what they contain: ServiceNow docs "Base system roles", "Incident Management roles".
Names of people and groups: the demo data that public clients' own tests look for.
"""

from __future__ import annotations

from wavetank.database.shipped import sys_id_for

ADMIN = "6816f79cc0a8016401c5a33be04be441"
ADMIN_ROLE = "2831a114c611228501d4ea6c309d626d"

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
    "soap": ("soap_create", "soap_delete", "soap_ecc", "soap_query", "soap_script", "soap_update"),
}
ELEVATED = frozenset({"security_admin"})

# user name: first name, last name, e-mail, title, roles, department
PEOPLE: tuple[tuple[str, str, str, str, str, tuple[str, ...], str], ...] = (
    (
        "admin",
        "System",
        "Administrator",
        "admin@example.com",
        "System Administrator",
        ("admin", "security_admin"),
        "Finance",
    ),
    ("abel.tuter", "Abel", "Tuter", "abel.tuter@example.com", "", (), "Product Management"),
    ("abraham.lincoln", "Abraham", "Lincoln", "abraham.lincoln@example.com", "", (), "Customer Support"),
    ("beth.anglin", "Beth", "Anglin", "beth.anglin@example.com", "", ("itil",), "IT"),
    ("bow.ruggeri", "Bow", "Ruggeri", "bow.ruggeri@example.com", "", (), "Sales"),
    (
        "charlie.whitherspoon",
        "Charlie",
        "Whitherspoon",
        "charlie.whitherspoon@example.com",
        "",
        (),
        "Development",
    ),
    ("david.dan", "David", "Dan", "david.dan@example.com", "", ("itil",), "IT"),
    ("david.loo", "David", "Loo", "david.loo@example.com", "", ("itil",), "Development"),
    ("don.goodliffe", "Don", "Goodliffe", "don.goodliffe@example.com", "", ("itil",), "Development"),
    ("fred.luddy", "Fred", "Luddy", "fred.luddy@example.com", "", ("itil", "admin"), "Development"),
    (
        "incident.manager",
        "Incident",
        "Manager",
        "incident.manager@example.com",
        "",
        ("incident_manager",),
        "IT",
    ),
    ("itil", "ITIL", "User", "itil@example.com", "", ("itil",), "IT"),
    ("itil.admin", "ITIL", "Admin", "itil.admin@example.com", "", ("itil", "itil_admin"), "IT"),
    ("joe.employee", "Joe", "Employee", "employee@example.com", "", (), "Finance"),
    ("luke.wilson", "Luke", "Wilson", "luke.wilson@example.com", "", ("itil",), "IT"),
    ("natasha.ingram", "Natasha", "Ingram", "natasha.ingram@example.com", "", (), "Finance"),
    ("problem.admin", "Problem", "Admin", "problem.admin@example.com", "", ("problem_admin",), "IT"),
    ("problem.manager", "Problem", "Manager", "problem.manager@example.com", "", ("problem_manager",), "IT"),
    (
        "problem.coordinator",
        "Problem",
        "Coordinator",
        "problem.coordinator@example.com",
        "",
        ("problem_coordinator",),
        "IT",
    ),
    ("change.manager", "Change", "Manager", "change.manager@example.com", "", ("change_manager",), "IT"),
    ("survey.user", "Survey", "User", "survey.user@example.com", "", (), "HR"),
)
USER_IDS = {
    "admin": ADMIN,
    "natasha.ingram": "46c5bf6ca9fe1981010713e3ac7d3384",
    "problem.admin": "26fbff173b331300ad3cc9bb34efc4bd",
}
DEPARTMENT_IDS = {"Finance": "a581ab703710200044e0bfc8bcbe5de8"}
DEPARTMENT_HEADS = {"Finance": "natasha.ingram"}

# group: description, manager, members, roles
GROUPS: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "Service Desk": ("Service desk agents", "beth.anglin", ("beth.anglin", "david.dan", "itil"), ("itil",)),
    "Help Desk": ("First line support", "beth.anglin", ("luke.wilson",), ("itil",)),
    "Network": ("Network operations", "", ("david.loo", "don.goodliffe"), ("itil",)),
    "Hardware": ("Hardware support", "", ("beth.anglin", "don.goodliffe"), ("itil",)),
    "Software": ("Software support", "fred.luddy", ("fred.luddy", "david.loo"), ("itil",)),
    "Database": ("Database administration", "", ("don.goodliffe",), ("itil",)),
    "Openspace": ("Office space", "", (), ()),
    "Incident Management": ("Major incident handling", "", ("incident.manager",), ("incident_manager",)),
    "Problem Solving": ("Problem analysis", "", ("problem.manager",), ()),
    "Change Management": ("Change control", "", ("change.manager",), ()),
    "CAB Approval": ("Change advisory board", "", ("fred.luddy",), ()),
}

DEPARTMENTS = ("Customer Support", "Development", "Finance", "HR", "IT", "Product Management", "Sales")
COMPANIES = (
    "ACME North America",
    "ACME Europe",
    "ACME Japan",
    "Apple",
    "Cisco",
    "Dell Inc.",
    "IBM",
    "Lenovo",
    "Microsoft",
    "Oracle",
)
# location: city, state, country, time zone
LOCATIONS: dict[str, tuple[str, str, str, str]] = {
    "San Diego": ("San Diego", "CA", "USA", "US/Pacific"),
    "Santa Clara": ("Santa Clara", "CA", "USA", "US/Pacific"),
    "New York": ("New York", "NY", "USA", "US/Eastern"),
    "London": ("London", "", "United Kingdom", "Europe/London"),
    "Amsterdam": ("Amsterdam", "", "Netherlands", "Europe/Amsterdam"),
    "Tokyo": ("Tokyo", "", "Japan", "Asia/Tokyo"),
}


def user_id(user_name: str) -> str:
    """The sys_id of a user this pack brings."""
    return USER_IDS.get(user_name) or sys_id_for("sys_user", user_name)


def role_id(name: str) -> str:
    """The sys_id of a role this pack brings."""
    return ADMIN_ROLE if name == "admin" else sys_id_for("sys_user_role", name)


def group_id(name: str) -> str:
    """The sys_id of a group this pack brings."""
    return sys_id_for("sys_user_group", name)


def department_id(name: str) -> str:
    """The sys_id of a department this pack brings."""
    return DEPARTMENT_IDS.get(name) or sys_id_for("cmn_department", name)


def company_id(name: str) -> str:
    """The sys_id of a company this pack brings."""
    return sys_id_for("core_company", name)


def location_id(name: str) -> str:
    """The sys_id of a location this pack brings."""
    return sys_id_for("cmn_location", name)
