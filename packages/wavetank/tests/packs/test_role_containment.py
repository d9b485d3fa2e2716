"""The roles of a fresh instance and what they contain."""

import pytest

from wavetank.packs.base import roles


def _holds(database, role):
    """What the rows say that a role contains, one step deep."""
    names = {row["sys_id"]: row["name"] for row in database.find("sys_user_role")}
    rows = database.find("sys_user_role_contains", role=roles.role_id(role))
    return {names[row["contains"]] for row in rows}


@pytest.mark.claim("role-tables")
@pytest.mark.parametrize(
    ("role", "contained"),
    [
        ("itil_admin", {"assessment_admin", "sn_bm_client.benchmark_data_viewer", "cmdb_read"}),
        ("sn_incident_write", {"sn_incident_read", "template_editor"}),
        ("sn_problem_write", {"sn_problem_read", "template_editor"}),
        ("sn_change_write", {"sn_change_read", "template_editor", "cmdb_query_builder"}),
        ("incident_manager", {"itil"}),
        ("problem_coordinator", {"problem_task_analyst", "itil"}),
        ("problem_manager", {"problem_coordinator"}),
        ("problem_admin", {"problem_manager"}),
        ("user_admin", {"fsm_skill_admin", "skill_admin", "territory_admin"}),
        ("sn_cmdb_editor", {"cmdb_ms_editor", "sn_cmdb_user"}),
        ("cmdb_read", set()),
        ("snc_platform_rest_api_access", set()),
        ("user", set()),
        ("approver_user", set()),
        ("scan_user", set()),
    ],
)
def test_roles_contain_what_is_documented(database, role, contained):
    assert _holds(database, role) == contained


@pytest.mark.claim("role-tables")
def test_the_long_lists(database):
    itil, admin = _holds(database, "itil"), _holds(database, "admin")
    assert (len(itil), len(admin)) == (22, 40)
    assert {"snc_platform_rest_api_access", "sn_incident_write", "sn_change_write", "cmdb_read"} <= itil
    assert {"cmdb_read", "personalize_dictionary", "import_admin", "user_criteria_admin"} <= admin
    assert not {"itil", "user_admin", "security_admin", "itil_admin"} & (admin | itil)
    assert "itil" not in roles.below("itil_admin")
    assert _holds(database, "sn_change_read") >= {"sn_cmdb_user", "cmdb_read"}
    assert _holds(database, "mid_server") == {"soap", "snc_basic_auth_api_access"}


@pytest.mark.claim("role-tables-unknown")
def test_roles_of_unknown_containment_are_named(database):
    known = {row["name"] for row in database.find("sys_user_role")}
    assert known >= roles.UNKNOWN
    assert not roles.UNKNOWN & {"admin", "itil", "user_admin"}


def test_no_role_contains_itself(database):
    assert not [name for name in roles.ROLES if name in roles.below(name)]
