"""Granting roles over the Table API: who may, what it brings along, what stays."""

import pytest


def _id(admin, table, **equal):
    found = admin.instance.database.first(table, **equal)
    assert found is not None, equal
    return found["sys_id"]


def _role(admin, name):
    return _id(admin, "sys_user_role", name=name)


def _person(admin, name="ada"):
    admin.user(name)
    return _id(admin, "sys_user", user_name=name)


def _grant(api, user, role):
    return api.create("sys_user_has_role", {"user": user, "role": _role(api, role)})


def _held(admin, user):
    names = {row["sys_id"]: row["name"] for row in admin.instance.database.find("sys_user_role")}
    return {names[row["role"]] for row in admin.instance.database.find("sys_user_has_role", user=user)}


@pytest.mark.claim("roles-who-may-grant")
def test_nobody_but_an_admin_puts_users_where_admin_is(admin):
    clerk, ada = admin.user("clerk", "user_admin"), _person(admin)
    group = admin.create("sys_user_group", {"name": "Keepers"})["sys_id"]
    member = {"user": ada, "group": group}
    clerk.create("sys_user_grmember", member)
    role = {"group": group, "role": _role(admin, "admin")}
    assert clerk.refused("POST", "sys_group_has_role", json=role)[0] == 403
    admin.create("sys_group_has_role", role)
    assert "admin" in _held(admin, ada)
    other = {"user": _person(admin, "ben"), "group": group}
    assert clerk.refused("POST", "sys_user_grmember", json=other)[0] == 403
    assert admin.create("sys_user_grmember", other)["sys_id"]
    assert clerk.create("sys_user_has_role", {"user": ada, "role": _role(admin, "itil")})["sys_id"]


@pytest.mark.claim("roles-assignable-by")
def test_a_role_may_say_who_assigns_it_and_that_nobody_grants_it(admin):
    clerk, ada = admin.user("clerk", "user_admin"), _person(admin)
    chief = admin.create("sys_user_role", {"name": "x.chief"})["sys_id"]
    kept = admin.create("sys_user_role", {"name": "x.kept", "assignable_by": chief})["sys_id"]
    part = admin.create("sys_user_role", {"name": "x.part", "grantable": "false"})["sys_id"]
    assert clerk.refused("POST", "sys_user_has_role", json={"user": ada, "role": kept})[0] == 403
    _grant(admin, _id(admin, "sys_user", user_name="clerk"), "x.chief")
    clerk.create("sys_user_has_role", {"user": ada, "role": kept})
    assert admin.refused("POST", "sys_user_has_role", json={"user": ada, "role": part})[0] == 403
    admin.create("sys_user_role_contains", {"role": chief, "contains": part})
    assert "x.part" in _held(admin, _id(admin, "sys_user", user_name="clerk"))


@pytest.mark.claim("role-derived-columns")
def test_counts_and_inheritance_are_not_written(admin):
    ada = _person(admin)
    values = {"user": ada, "role": _role(admin, "itil"), "inherited": "true", "inh_count": "7"}
    made = admin.create("sys_user_has_role", values)
    assert (made["inherited"], made["inh_count"]) == ("false", "0")
    changed = admin.change("sys_user_has_role", made["sys_id"], {"inh_count": "9", "inherited": "true"})
    assert (changed["inherited"], changed["inh_count"]) == ("false", "0")
    assert made["state"] == "active"
    assert made["granted_by"] == made["included_in_role"] == made["included_in_role_instance"] == ""


@pytest.mark.claim("role-second-grant")
def test_what_a_second_grant_does_is_a_setting(admin, instance):
    ada = _person(admin)
    _grant(admin, ada, "itil")
    again = {"user": ada, "role": _role(admin, "itil")}
    assert "Unique Key" in str(admin.refused("POST", "sys_user_has_role", json=again)[2])
    instance.configure({"second_grant": "kept"})
    assert admin.call("POST", "sys_user_has_role", json=again).status_code == 201


@pytest.mark.claim("role-granted-over-inherited")
def test_granting_an_inherited_role_leaves_one_row_and_taking_it_back_the_inherited_one(admin, instance):
    ada = _person(admin)
    _grant(admin, ada, "itil")
    made = _grant(admin, ada, "cmdb_read")
    rows = instance.database.find("sys_user_has_role", user=ada, role=_role(admin, "cmdb_read"))
    assert [(row["inherited"], row["sys_id"]) for row in rows] == [("false", made["sys_id"])]
    assert int(rows[0]["inh_count"]) >= 1
    assert admin.call("DELETE", f"sys_user_has_role/{made['sys_id']}").status_code == 204
    rows = instance.database.find("sys_user_has_role", user=ada, role=_role(admin, "cmdb_read"))
    assert [row["inherited"] for row in rows] == ["true"]


@pytest.mark.claim("role-inherited-stays")
def test_an_inherited_role_is_not_taken_away_from_the_user(admin, instance):
    ada = _person(admin)
    grant = _grant(admin, ada, "itil")
    row = instance.database.first("sys_user_has_role", user=ada, role=_role(admin, "cmdb_read"))
    assert admin.refused("DELETE", f"sys_user_has_role/{row['sys_id']}")[0] == 403
    assert admin.call("DELETE", f"sys_user_has_role/{grant['sys_id']}").status_code == 204
    assert _held(admin, ada) == set()


@pytest.mark.claim("role-state")
def test_a_grant_that_is_not_active_gives_nothing(admin, instance):
    reader = admin.user("reader", "sn_incident_write")
    user = _id(admin, "sys_user", user_name="reader")
    assert reader.get("incident", sysparm_limit="1")
    grant = instance.database.first("sys_user_has_role", user=user, inherited="false")
    admin.change("sys_user_has_role", grant["sys_id"], {"state": "requested"})
    assert _held(admin, user) == {"sn_incident_write"}
    assert reader.get("incident", sysparm_limit="1") == []
    admin.change("sys_user_has_role", grant["sys_id"], {"state": "active"})
    assert "sn_incident_read" in _held(admin, user)
    assert reader.get("incident", sysparm_limit="1")


@pytest.mark.claim("role-group-active")
def test_whether_an_inactive_group_gives_its_roles_is_a_setting(admin, instance):
    ada = _person(admin)
    top = admin.create("sys_user_group", {"name": "Top"})["sys_id"]
    below = admin.create("sys_user_group", {"name": "Below", "parent": top})["sys_id"]
    admin.create("sys_group_has_role", {"group": top, "role": _role(admin, "itil")})
    admin.create("sys_user_grmember", {"user": ada, "group": below})
    admin.change("sys_user_group", top, {"active": "false"})
    assert "itil" in _held(admin, ada)
    instance.configure({"inactive_group_roles": "gone"})
    admin.change("sys_user_group", top, {"description": "x"})
    assert "itil" not in _held(admin, ada)
    admin.change("sys_user_group", top, {"active": "true"})
    assert "itil" in _held(admin, ada)


@pytest.mark.claim("role-group-inheritance")
def test_members_of_a_group_below_are_no_members_of_the_group_above(admin, instance):
    ada = _person(admin)
    top = admin.create("sys_user_group", {"name": "Top"})["sys_id"]
    below = admin.create("sys_user_group", {"name": "Below", "parent": top})["sys_id"]
    admin.create("sys_user_grmember", {"user": ada, "group": below})
    assert instance.database.find("sys_user_grmember", group=top) == []
    admin.create("sys_group_has_role", {"group": top, "role": _role(admin, "cmdb_read")})
    assert _held(admin, ada) == {"cmdb_read"}
    admin.change("sys_user_group", below, {"parent": ""})
    assert _held(admin, ada) == set()


@pytest.mark.claim("role-kept-name")
def test_a_role_is_not_renamed(admin):
    made = admin.create("sys_user_role", {"name": "x.one"})
    assert admin.refused("PATCH", f"sys_user_role/{made['sys_id']}", json={"name": "x.two"})[0] == 403
    assert admin.change("sys_user_role", made["sys_id"], {"description": "One"})["name"] == "x.one"


@pytest.mark.claim("user-roles-field")
def test_a_users_own_roles_are_named_in_its_row(admin, instance):
    ada = _person(admin)
    _grant(admin, ada, "itil")
    grant = _grant(admin, ada, "cmdb_read")
    assert admin.get(f"sys_user/{ada}")["roles"] == "cmdb_read,itil"
    admin.call("DELETE", f"sys_user_has_role/{grant['sys_id']}")
    assert admin.get(f"sys_user/{ada}")["roles"] == "itil"
    before = admin.get(f"sys_user/{ada}")["sys_mod_count"]
    _grant(admin, ada, "catalog")
    assert admin.get(f"sys_user/{ada}")["sys_mod_count"] == before


@pytest.mark.claim("role-audit")
def test_changes_of_roles_leave_a_trail_where_the_property_says_so(admin, instance):
    ada = _person(admin)
    _grant(admin, ada, "sn_cmdb_editor")
    assert instance.database.find("sys_audit_role") == []
    instance.set_property("glide.role_management.v2.audit_roles", "true")
    grant = _grant(admin, ada, "sn_incident_write")
    names = {row["sys_id"]: row["name"] for row in instance.database.find("sys_user_role")}

    def trail():
        rows = instance.database.find("sys_audit_role", user=ada)
        for row in rows:
            instance.database.delete("sys_audit_role", row["sys_id"])
        return {
            names[row["role"]]: (row["operation"], row["count_after_change"], row["granted_by_group"])
            for row in rows
            if row["changed_by"] == "admin"
        }

    first = trail()
    assert first["sn_incident_write"] == ("1", "1", "")
    assert first["sn_incident_read"] == ("1", "1", "")
    assert "sn_cmdb_editor" not in first
    group = admin.create("sys_user_group", {"name": "Agents"})["sys_id"]
    admin.create("sys_group_has_role", {"group": group, "role": _role(admin, "sn_incident_read")})
    assert trail() == {}
    member = admin.create("sys_user_grmember", {"user": ada, "group": group})
    assert trail()["sn_incident_read"] == ("1", "2", group)
    admin.call("DELETE", f"sys_user_has_role/{grant['sys_id']}")
    assert trail()["sn_incident_read"] == ("2", "1", "")
    admin.call("DELETE", f"sys_user_grmember/{member['sys_id']}")
    assert trail()["sn_incident_read"] == ("2", "0", group)


@pytest.mark.claim("role-cache")
def test_whether_a_call_sees_new_roles_at_once_is_a_setting(admin, instance):
    reader = admin.user("reader")
    user = _id(admin, "sys_user", user_name="reader")
    assert reader.get("incident", sysparm_limit="1") == []
    grant = _grant(admin, user, "sn_incident_read")
    assert reader.get("incident", sysparm_limit="1")
    instance.configure({"role_cache": "touch"})
    assert reader.get("incident", sysparm_limit="1")
    admin.call("DELETE", f"sys_user_has_role/{grant['sys_id']}")
    assert reader.get("incident", sysparm_limit="1")
    admin.change("sys_user", user, {"title": "Reader"})
    assert reader.get("incident", sysparm_limit="1") == []


@pytest.mark.claim("role-elevated")
def test_elevated_roles_count_once_the_session_is_raised(admin, instance):
    admin.create("sys_user_role", {"name": "x.high", "elevated_privilege": "true"})
    ada = _person(admin)
    _grant(admin, ada, "x.high")

    def session(name):
        row = instance.database.first("sys_user", user_name=name)
        return instance.identity.session(row, "session")

    assert not session("ada").has_role("x.high")
    assert session("ada").raised(on=True).has_role("x.high")
    assert not session("ada").raised(on=True).raised(on=False).has_role("x.high")
    assert "security_admin" not in session("admin").roles
    instance.set_property("glide.security.strict_elevate_privilege", "false")
    assert session("ada").has_role("x.high")
    assert not session("admin").has_role("security_admin")
    instance.configure({"elevation": "off"})
    assert session("admin").has_role("security_admin")


@pytest.mark.claim("role-gone-with-source")
def test_deleting_a_group_a_role_or_a_user_takes_what_it_gave(admin, instance):
    ada = _person(admin)
    top = admin.create("sys_user_group", {"name": "Top"})["sys_id"]
    below = admin.create("sys_user_group", {"name": "Below", "parent": top})["sys_id"]
    admin.create("sys_group_has_role", {"group": top, "role": _role(admin, "sn_incident_write")})
    admin.create("sys_user_grmember", {"user": ada, "group": below})
    assert "sn_incident_read" in _held(admin, ada)
    assert admin.call("DELETE", f"sys_user_group/{top}").status_code == 204
    assert _held(admin, ada) == set()
    outer = admin.create("sys_user_role", {"name": "x.outer"})["sys_id"]
    admin.create("sys_user_role_contains", {"role": outer, "contains": _role(admin, "cmdb_read")})
    _grant(admin, ada, "x.outer")
    assert _held(admin, ada) == {"x.outer", "cmdb_read"}
    assert admin.call("DELETE", f"sys_user_role/{outer}").status_code == 204
    assert instance.database.find("sys_user_has_role", user=ada) == []
    _grant(admin, ada, "itil")
    admin.create("sys_user_grmember", {"user": ada, "group": below})
    assert admin.call("DELETE", f"sys_user/{ada}").status_code == 204
    assert instance.database.find("sys_user_has_role", user=ada) == []
    assert instance.database.find("sys_user_grmember", user=ada) == []


@pytest.mark.claim("role-inh-count")
def test_being_twice_in_a_group_counts_once(admin, instance):
    ada = _person(admin)
    group = admin.create("sys_user_group", {"name": "Agents"})["sys_id"]
    admin.create("sys_group_has_role", {"group": group, "role": _role(admin, "cmdb_read")})
    for _ in range(2):
        instance.database.insert("sys_user_grmember", {"user": ada, "group": group})
    admin.create("sys_user_grmember", {"user": ada, "group": group})
    (row,) = instance.database.find("sys_user_has_role", user=ada)
    assert row["inh_count"] == "1"
