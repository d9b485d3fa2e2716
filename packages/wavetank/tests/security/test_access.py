import pytest

INCIDENT = {"sys_class_name": "incident"}


@pytest.fixture
def bare(scene):
    return scene.bare()


def _incident(scene, **values):
    sys_id = scene.add("incident", **values)
    return scene.database.get("incident", sys_id)


@pytest.mark.claim("acl-default-grant")
def test_without_any_rule_everything_is_granted(bare):
    nobody = bare.session("ada")
    assert bare.instance.access.table(nobody, "delete", "incident")
    assert bare.instance.access.fields(nobody, "read", "incident", None) == frozenset()


@pytest.mark.claim("acl-hierarchy")
def test_the_first_level_that_has_a_rule_decides(bare):
    bare.acl("*", "read", "admin")
    bare.acl("task", "read", "x.task")
    access = bare.instance.access
    assert access.table(bare.session("ada", "x.task"), "read", "incident")
    bare.acl("incident", "read", "x.incident")
    assert not access.table(bare.session("ada"), "read", "incident")
    assert access.table(bare.session("ada"), "read", "problem")
    assert access.table(bare.session("bob", "x.incident"), "read", "incident")
    assert not access.table(bare.session("bob"), "read", "cmdb_ci")


def test_at_one_level_any_rule_is_enough(bare):
    bare.acl("incident", "read", "x.one")
    bare.acl("incident", "read", "x.two", "x.three")
    access = bare.instance.access
    assert access.table(bare.session("ada", "x.three"), "read", "incident")
    assert not access.table(bare.session("bob", "x.four"), "read", "incident")


def test_an_inactive_rule_is_no_rule(bare):
    bare.acl("incident", "read", "x.one", active="false")
    assert bare.instance.access.table(bare.session("ada"), "read", "incident")


@pytest.mark.claim("acl-deny-unless")
def test_deny_unless_comes_first_and_every_one_must_pass(bare):
    bare.acl("incident", "read", "x.reader")
    bare.acl("task", "read", "x.cleared", decision_type="deny")
    access = bare.instance.access
    assert not access.table(bare.session("ada", "x.reader"), "read", "incident")
    assert access.table(bare.session("bob", "x.reader", "x.cleared"), "read", "incident")


@pytest.mark.claim("acl-empty-denies")
def test_an_empty_rule_denies_since_xanadu(bare):
    bare.acl("incident", "read")
    ada = bare.session("ada")
    assert not bare.instance.access.table(ada, "read", "incident")
    bare.instance.configure({"release": "washingtondc"})
    bare.acl("problem", "read", "x.other")
    assert bare.instance.access.table(ada, "read", "incident")


@pytest.mark.claim("acl-admin-overrides")
def test_one_rule_without_override_takes_it_from_admin(bare):
    bare.instance.set_property("glide.security.admin.override.accessterm", "false")
    bare.acl("incident", "read", condition="priority=1")
    admin = bare.session("root", "admin")
    low = _incident(bare, priority="5")
    assert bare.instance.access.row(admin, "read", "incident", low)
    bare.acl("incident", "read", condition="priority=2", admin_overrides="false")
    assert not bare.instance.access.row(admin, "read", "incident", low)
    bare.instance.set_property("glide.security.admin.override.accessterm", "true")
    assert bare.instance.access.row(admin, "read", "incident", low)


@pytest.mark.claim("acl-nobody")
def test_nobody_beats_admin(bare):
    bare.acl("incident", "delete", "nobody")
    assert not bare.instance.access.table(bare.session("root", "admin"), "delete", "incident")


@pytest.mark.claim("acl-condition")
def test_a_condition_is_asked_for_each_row(bare):
    bare.acl("incident", "read", condition="caller_id=javascript:gs.getUserID()")
    ada = bare.session("ada")
    mine, other = _incident(bare, caller_id=ada.sys_id), _incident(bare, caller_id="x")
    access = bare.instance.access
    assert access.table(ada, "read", "incident")
    assert access.needs_row(ada, "read", "incident")
    assert access.row(ada, "read", "incident", mine)
    assert not access.row(ada, "read", "incident", other)
    assert not access.row(bare.session("bob"), "read", "incident", mine)


def test_a_condition_that_cannot_be_read_grants_nothing(bare):
    bare.acl("incident", "read", condition="no_such_field=1")
    assert not bare.instance.access.row(bare.session("ada"), "read", "incident", _incident(bare))


@pytest.mark.claim("acl-create-condition")
def test_a_condition_on_create_sees_empty_fields(bare):
    bare.acl("incident", "create", condition="priority=1")
    bare.acl("problem", "create", condition="priorityISEMPTY")
    ada = bare.session("ada")
    assert not bare.instance.access.row(ada, "create", "incident", {"priority": "1"})
    assert bare.instance.access.row(ada, "create", "problem", {"priority": "1"})


@pytest.mark.claim("acl-script-fails-closed")
def test_a_rule_with_a_script_grants_nothing_and_is_listed(bare):
    bare.instance.access.scripts = None
    rule = bare.acl("incident", "read", advanced="true", script="answer = gs.isLoggedIn();")
    assert not bare.instance.access.row(bare.session("ada"), "read", "incident", _incident(bare))
    assert bare.instance.access.scripted() == [rule]


@pytest.mark.claim("acl-class-of-row")
def test_a_row_is_judged_as_the_class_it_is_of(bare):
    bare.acl("task", "read", "x.task")
    bare.acl("incident", "read", "x.incident")
    ada = bare.session("ada", "x.task")
    assert bare.instance.access.needs_row(ada, "read", "task")
    assert not bare.instance.access.row(ada, "read", "task", _incident(bare))
    assert bare.instance.access.row(bare.session("bob", "x.incident"), "read", "task", _incident(bare))


@pytest.mark.claim("acl-field-levels")
@pytest.mark.parametrize(
    "level", ["incident.number", "task.number", "*.number", "incident.*", "task.*", "*.*"]
)
def test_every_level_of_the_field_gate_can_refuse(bare, level):
    bare.acl(level, "read", "x.other")
    assert "number" in bare.instance.access.fields(bare.session("ada"), "read", "incident", None)


@pytest.mark.claim("acl-field-order")
def test_the_nearest_level_of_the_field_gate_wins(bare):
    levels = ["*.*", "task.*", "incident.*", "*.number", "task.number", "incident.number"]
    access = bare.instance.access
    for index, level in enumerate(levels):
        bare.acl(level, "read", f"x.{index}")
        ada = bare.session(f"ada{index}", f"x.{index}")
        assert "number" not in access.fields(ada, "read", "incident", None)
        if index:
            before = bare.session(f"ada{index - 1}")
            assert "number" in access.fields(before, "read", "incident", None)


def test_a_field_condition_is_asked_for_each_row(bare):
    bare.acl("incident.description", "read", condition="priority=5")
    ada, access = bare.session("ada"), bare.instance.access
    assert "description" not in access.fields(ada, "read", "incident", None)
    assert "description" not in access.fields(ada, "read", "incident", _incident(bare, priority="5"))
    assert "description" in access.fields(ada, "read", "incident", _incident(bare, priority="1"))


@pytest.mark.claim("acl-create-follows-write")
def test_creating_a_field_follows_writing_it(bare):
    bare.acl("*.*", "write", "x.writer")
    access = bare.instance.access
    assert "number" in access.fields(bare.session("ada"), "create", "incident", None)
    assert "number" not in access.fields(bare.session("bob", "x.writer"), "create", "incident", None)


@pytest.mark.claim("acl-query-fields")
def test_a_query_may_not_use_what_may_not_be_read(bare):
    bare.acl("sys_user.email", "read", "x.post")
    ada, access = bare.session("ada"), bare.instance.access
    asked = ("number", "caller_id.email", "caller_id.name", "no_such")
    assert access.query_fields(ada, "incident", asked) == {"caller_id.email"}
    assert access.query_fields(bare.session("bob", "x.post"), "incident", asked) == frozenset()


@pytest.mark.claim("acl-default-mode-deny")
def test_default_mode_deny_leaves_wildcards_to_admin(bare):
    bare.acl("*", "read", security_attribute="239bdf0c47d23110ba46ff58936d4330")
    bare.instance.set_property("glide.sm.default_mode", "deny")
    assert not bare.instance.access.table(bare.session("ada"), "read", "incident")
    assert bare.instance.access.table(bare.session("root", "admin"), "read", "incident")


@pytest.mark.claim("acl-elevation")
def test_access_controls_are_written_by_an_elevated_session_only(scene):
    admin, access = scene.session("root", "admin"), scene.instance.access
    assert access.table(admin, "read", "sys_security_acl")
    assert not access.table(admin, "create", "sys_security_acl")
    scene.instance.configure({"elevation": "off"})
    assert access.table(admin, "create", "sys_security_acl")


@pytest.mark.claim("role-read-only")
def test_snc_read_only_takes_writing_away_whatever_else_is_held(scene):
    session, access = scene.session("ada", "itil", "snc_read_only"), scene.instance.access
    assert access.table(session, "read", "incident")
    assert not access.table(session, "write", "incident")
    scene.instance.set_property("glide.security.snc_read_only_role.tables.exempt_write", "problem,incident")
    assert access.table(session, "write", "incident")


def test_the_switch_turns_access_controls_off(bare):
    bare.acl("incident", "read", "x.other")
    bare.acl("incident.number", "read", "x.other")
    bare.instance.configure({"acl": "off"})
    ada, access = bare.session("ada"), bare.instance.access
    assert access.table(ada, "read", "incident")
    assert access.fields(ada, "read", "incident", None) == frozenset()


def test_a_new_grant_counts_at_once(bare):
    bare.acl("incident", "read", "x.reader")
    ada = bare.session("ada")
    assert not bare.instance.access.table(ada, "read", "incident")
    bare.add("sys_user_has_role", user=ada.sys_id, role=bare.role("x.reader"), state="active")
    assert bare.instance.access.table(bare.session("ada"), "read", "incident")


@pytest.mark.claim("base-incident-roles")
@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("itil", {"create", "read", "write"}),
        ("sn_incident_read", {"read"}),
        ("sn_incident_write", {"create", "read", "write"}),
        ("cmdb_read", set()),
        ("admin", {"create", "read", "write", "delete"}),
    ],
)
def test_what_the_base_roles_may_do_with_incidents(scene, role, allowed):
    session = scene.session("ada", role)
    operations = ("create", "read", "write", "delete")
    assert {each for each in operations if scene.instance.access.table(session, each, "incident")} == allowed
