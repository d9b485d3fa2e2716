"""What an access control may ask besides roles: rows it applies to, attributes, scripts; what is no rule."""

import pytest

AUTHENTICATED = "239bdf0c47d23110ba46ff58936d4330"


@pytest.fixture
def bare(scene):
    return scene.bare()


def _incident(scene, **values):
    return scene.database.get("incident", scene.add("incident", **values))


def _attribute(scene, name, condition, **values):
    row = {"type": "compound", "active": "true", "condition": condition, **values}
    return scene.add("sys_security_attribute", name=name, **row)


@pytest.mark.claim("acl-applies-to")
def test_a_rule_is_no_rule_for_rows_it_does_not_apply_to(bare):
    bare.acl("task", "read", "x.task")
    bare.acl("incident", "read", "x.urgent", applies_to="priority=1")
    access = bare.instance.access
    urgent, other = _incident(bare, priority="1"), _incident(bare, priority="4")
    ada, bob = bare.session("ada", "x.task"), bare.session("bob", "x.urgent")
    assert access.needs_row(ada, "read", "incident")
    assert [access.row(ada, "read", "incident", row) for row in (urgent, other)] == [False, True]
    assert [access.row(bob, "read", "incident", row) for row in (urgent, other)] == [True, False]
    keys = [(row["sys_id"], "incident") for row in (urgent, other)]
    assert access.seen(ada, "incident", keys) == {other["sys_id"]}


@pytest.mark.claim("acl-applies-to")
def test_a_deny_unless_rule_applies_to_its_rows_only(bare):
    bare.acl("incident", "read", "x.cleared", decision_type="deny", applies_to="category=security")
    secret, plain = _incident(bare, category="security"), _incident(bare, category="network")
    ada, access = bare.session("ada"), bare.instance.access
    assert [access.row(ada, "read", "incident", row) for row in (secret, plain)] == [False, True]
    assert access.row(bare.session("bob", "x.cleared"), "read", "incident", secret)


@pytest.mark.claim("acl-applies-to-unread")
def test_a_rule_whose_applies_to_cannot_be_read_stands_for_every_row(bare):
    bare.acl("incident", "read", "x.cleared", applies_to="u_no_such_field=1")
    bare.acl("problem", "read", condition="u_no_such_field=1")
    ada, bob, access = bare.session("ada"), bare.session("bob", "x.cleared"), bare.instance.access
    incident = _incident(bare)
    problem = bare.database.get("problem", bare.add("problem"))
    assert not access.row(ada, "read", "incident", incident)
    assert access.row(bob, "read", "incident", incident)
    assert not access.row(bob, "read", "problem", problem)


@pytest.mark.claim("acl-applies-to-case")
def test_applies_to_minds_capitals_and_a_condition_does_not(bare):
    bare.acl("incident", "read", "x.other", applies_to="short_description=Secret")
    ada, access = bare.session("ada"), bare.instance.access
    assert not access.row(ada, "read", "incident", _incident(bare, short_description="Secret"))
    assert access.row(ada, "read", "incident", _incident(bare, short_description="secret"))
    bare.acl("problem", "read", condition="short_description=Open")
    problem = bare.database.get("problem", bare.add("problem", short_description="open"))
    assert access.row(ada, "read", "problem", problem)


@pytest.mark.claim("acl-attribute")
def test_a_compound_attribute_of_roles_groups_and_attributes(bare):
    group = bare.add("sys_user_group", name="Crew")
    ada, bob = bare.session("ada", "x.sailor"), bare.session("bob")
    bare.add("sys_user_grmember", user=bob.sys_id, group=group)
    _attribute(bare, "Sailor", "Role=x.sailor")
    either = _attribute(bare, "SailorOrCrew", "Sailor=true^NQGroup=Crew")
    bare.acl("incident", "read", security_attribute=either)
    access = bare.instance.access
    allowed = [access.table(bare.session(name), "read", "incident") for name in ("ada", "bob", "cy")]
    assert allowed == [True, True, False]
    assert ada.roles
    bare.database.delete(
        "sys_user_grmember", bare.database.first("sys_user_grmember", user=bob.sys_id)["sys_id"]
    )
    assert not access.table(bob, "read", "incident")


@pytest.mark.claim("acl-attribute")
def test_attributes_join_by_and_or_and_not(bare):
    both = _attribute(bare, "Both", "Role=x.one^Role!=x.two")
    listed = _attribute(bare, "Listed", "RoleINx.three,x.four")
    bare.acl("incident", "read", security_attribute=both)
    bare.acl("problem", "read", security_attribute=listed)
    access = bare.instance.access
    one, two = bare.session("ada", "x.one"), bare.session("bob", "x.one", "x.two")
    assert [access.table(each, "read", "incident") for each in (one, two)] == [True, False]
    assert access.table(bare.session("cy", "x.four"), "read", "problem")
    assert not access.table(one, "read", "problem")


@pytest.mark.claim("acl-attribute-compound")
@pytest.mark.parametrize(
    "values",
    [
        {"type": "boolean", "script": "answer = true;"},
        {"type": "compound", "active": "false"},
        {"type": "compound", "condition": ""},
        {"type": "compound", "condition": "Mood=good"},
        {"type": "compound", "condition": "no condition"},
    ],
)
def test_an_attribute_that_cannot_count_grants_nothing(bare, values):
    attribute = _attribute(bare, "Odd", **{"condition": "Role=x.one", **values})
    bare.acl("incident", "read", security_attribute=attribute)
    assert not bare.instance.access.table(bare.session("ada", "x.one"), "read", "incident")


@pytest.mark.claim("acl-attribute")
def test_a_compound_attribute_of_one_that_a_script_says_yes_to(bare):
    _attribute(bare, "IsAda", "", type="boolean", script="answer = gs.getUserName() == 'ada';")
    compound = _attribute(bare, "Ada", "IsAda=true")
    bare.acl("incident", "read", security_attribute=compound)
    access = bare.instance.access
    assert access.table(bare.session("ada"), "read", "incident")
    assert not access.table(bare.session("bob"), "read", "incident")


@pytest.mark.claim("acl-attribute-dynamic")
def test_a_dynamic_attribute_is_worked_out_each_time(bare):
    asked = []
    access = bare.instance.access
    access.scripts = lambda *given: bool(asked.append(given)) or len(asked) > 1
    moving = _attribute(bare, "Moving", "", type="boolean", script="x", is_dynamic="true")
    compound = _attribute(bare, "Now", "Moving=true")
    bare.acl("incident", "read", security_attribute=compound)
    ada = bare.session("ada")
    assert [access.table(ada, "read", "incident") for _ in range(2)] == [False, True]
    bare.database.update("sys_security_attribute", moving, {"is_dynamic": "false"})
    before = len(asked)
    assert all(access.table(ada, "read", "incident") for _ in range(3))
    assert len(asked) == before + 1


def test_attributes_in_a_circle_grant_nothing(bare):
    _attribute(bare, "Hen", "Egg=true")
    egg = _attribute(bare, "Egg", "Hen=true")
    bare.acl("incident", "read", security_attribute=egg)
    assert not bare.instance.access.table(bare.session("ada"), "read", "incident")


@pytest.mark.claim("acl-invalid-denies")
def test_a_rule_that_names_what_is_not_there_denies_since_xanadu(bare):
    ada = bare.session("ada")
    for table, values in (
        ("incident", {"security_attribute": "0" * 32}),
        ("problem", {"advanced": "true", "script": "// all may\nanswer = true;"}),
        ("change_request", {"advanced": "true", "script": "true"}),
    ):
        bare.acl(table, "read", **values)
        assert not bare.instance.access.table(ada, "read", table)
    rule = bare.acl("cmdb_ci", "read")
    bare.add("sys_security_acl_role", sys_security_acl=rule, sys_user_role="f" * 32)
    root = bare.session("root", "admin")
    assert not bare.instance.access.table(ada, "read", "cmdb_ci")
    assert bare.instance.access.table(root, "read", "cmdb_ci")
    bare.database.update("sys_security_acl", rule, {"admin_overrides": "false"})
    assert not bare.instance.access.table(root, "read", "cmdb_ci")


def test_an_empty_rule_without_override_denies_admin_too(bare):
    bare.acl("incident", "read", admin_overrides="false")
    assert not bare.instance.access.table(bare.session("root", "admin"), "read", "incident")


@pytest.mark.claim("acl-default-mode-deny")
def test_default_mode_deny_is_about_tables_and_not_about_fields(bare):
    bare.acl("*.*", "read", "x.reader")
    bare.acl("incident", "read", "x.reader")
    bare.instance.set_property("glide.sm.default_mode", "deny")
    ada = bare.session("ada", "x.reader")
    assert bare.instance.access.table(ada, "read", "incident")
    assert bare.instance.access.fields(ada, "read", "incident", None) == frozenset()


@pytest.mark.claim("acl-explicit-roles")
def test_with_explicit_roles_a_rule_without_roles_asks_for_snc_internal(bare):
    bare.acl("incident", "read", condition="active=true")
    incident, access = _incident(bare, active="true"), bare.instance.access
    ada, guest = bare.session("ada", "snc_internal"), bare.session("eve", "snc_external")
    assert access.row(guest, "read", "incident", incident)
    plugin = bare.database.first("sys_plugins", source="com.glide.explicit_roles")
    if plugin is None:
        bare.add("sys_plugins", source="com.glide.explicit_roles", active="active")
    else:
        bare.database.update("sys_plugins", plugin["sys_id"], {"active": "active"})
    assert access.row(ada, "read", "incident", incident)
    assert not access.row(guest, "read", "incident", incident)


@pytest.mark.claim("acl-script")
def test_a_script_is_asked_for_each_row_by_what_can_run_it(bare):
    def odd(script, table, row, session, operation):
        asked = (script, table, session.user_name, operation)
        assert asked == ("answer = odd(current);", "incident", "ada", "read")
        return int(row["priority"]) % 2 == 1

    bare.acl("incident", "read", advanced="true", script="answer = odd(current);")
    ada, access = bare.session("ada"), bare.instance.access
    access.scripts = None
    rows = [_incident(bare, priority=priority) for priority in "123"]
    assert not any(access.row(ada, "read", "incident", row) for row in rows)
    access.scripts = odd
    assert access.scripted() == []
    assert access.table(ada, "read", "incident")
    assert [access.row(ada, "read", "incident", row) for row in rows] == [True, False, True]


@pytest.mark.claim("acl-script")
def test_a_script_that_is_not_ticked_advanced_is_not_run(bare):
    bare.instance.access.scripts = lambda *_: pytest.fail("it ran")
    bare.acl("incident", "read", "x.reader", advanced="false", script="answer = false;")
    ada = bare.session("ada", "x.reader")
    assert bare.instance.access.row(ada, "read", "incident", _incident(bare))


@pytest.mark.claim("acl-endpoint")
def test_a_rest_endpoint_asks_roles_attributes_and_scripts_but_no_record(bare):
    access = bare.instance.access
    kind = {"type": "REST_Endpoint"}
    ada, bob = bare.session("ada", "x.caller"), bare.session("bob")
    assert access.endpoint(bob, "Table API")
    bare.acl("Table API", "execute", "x.caller", **kind)
    assert [access.endpoint(each, "Table API") for each in (ada, bob)] == [True, False]
    bare.acl("Table API", "execute", "x.late", decision_type="deny", **kind)
    assert not access.endpoint(ada, "Table API")
    bare.acl("Batch API", "execute", condition="active=true", **kind)
    assert not access.endpoint(ada, "Batch API")
    bare.acl("Aggregate API", "execute", advanced="true", script="answer = gs.isLoggedIn();", **kind)
    access.scripts = None
    assert not access.endpoint(ada, "Aggregate API")
    access.scripts = lambda _script, name, row, *_: (name, row) == ("Aggregate API", None)
    assert access.endpoint(ada, "Aggregate API")


@pytest.mark.claim("acl-other-operations")
@pytest.mark.parametrize("operation", ["list_edit", "report_on", "personalize_choices", "save_as_template"])
def test_operations_of_forms_and_lists_mean_nothing_to_reading_and_writing(bare, operation):
    bare.acl("incident", operation, "x.other")
    bare.acl("incident.number", operation, "x.other")
    ada, access = bare.session("ada"), bare.instance.access
    assert all(access.table(ada, each, "incident") for each in ("create", "read", "write", "delete"))
    assert access.fields(ada, "write", "incident", None) == frozenset()


@pytest.mark.claim("acl-elevation")
def test_security_attributes_are_written_by_an_elevated_session_only(scene):
    admin = scene.session("root", "admin")
    assert not scene.instance.access.table(admin, "create", "sys_security_attribute")


@pytest.mark.claim("acl-admin-overrides")
def test_a_rule_that_forbids_the_override_forbids_it_for_the_rows_it_applies_to(bare):
    bare.instance.set_property("glide.security.admin.override.accessterm", "false")
    bare.acl("incident", "read", "x.reader")
    bare.acl("incident", "read", condition="active=true", admin_overrides="false", applies_to="priority=1")
    root, access = bare.session("root", "admin"), bare.instance.access
    low = _incident(bare, priority="5", active="false")
    # Admin passes every role check, so only a rule with a condition shows that the override is lost.
    bare.database.update(
        "sys_security_acl",
        bare.database.first("sys_security_acl", admin_overrides="true")["sys_id"],
        {"condition": "state=99"},
    )
    urgent = _incident(bare, priority="1", active="false")
    assert access.row(root, "read", "incident", low)
    assert not access.row(root, "read", "incident", urgent)


@pytest.mark.claim("acl-script")
def test_the_engine_sees_the_row_the_caller_and_the_operation(bare):
    bare.acl("incident", "read", advanced="true", script="answer = current.caller_id == gs.getUserID();")
    bare.acl("incident", "write", advanced="true", script="answer = current.priority == '1';")
    ada, access = bare.session("ada"), bare.instance.access
    mine, other = _incident(bare, caller_id=ada.sys_id, priority="1"), _incident(bare, priority="2")
    for operation in ("read", "write"):
        assert [access.row(ada, operation, "incident", row) for row in (mine, other)] == [True, False]
