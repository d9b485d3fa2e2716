import pytest

from wavetank.security import roles


def _held(scene, user):
    names = {row["sys_id"]: row["name"] for row in scene.database.find("sys_user_role")}
    rows = scene.database.find("sys_user_has_role", user=user)
    return {names[row["role"]]: (row["inherited"], row["inh_count"] or "0") for row in rows}


def _contain(scene, parent, child):
    return scene.add("sys_user_role_contains", role=scene.role(parent), contains=scene.role(child))


def _member(scene, user, group):
    scene.add("sys_user_grmember", user=user, group=group)
    roles.rebuild(scene.instance, [user])


def test_the_base_pack_is_already_in_line(scene):
    assert roles.rebuild(scene.instance) == 0


@pytest.mark.claim("role-containment")
def test_contained_roles_are_inherited_however_deep(scene):
    _contain(scene, "x.boss", "x.clerk")
    _contain(scene, "x.clerk", "x.reader")
    user = scene.user("ada", "x.boss")
    assert _held(scene, user) == {
        "x.boss": ("false", "0"),
        "x.clerk": ("true", "1"),
        "x.reader": ("true", "1"),
    }


def test_a_circle_of_roles_ends(scene):
    _contain(scene, "x.a", "x.b")
    _contain(scene, "x.b", "x.a")
    assert set(_held(scene, scene.user("ada", "x.a"))) == {"x.a", "x.b"}


@pytest.mark.claim("role-group-inheritance")
def test_members_have_the_roles_of_their_group_and_of_its_parents(scene):
    top = scene.add("sys_user_group", name="Top")
    below = scene.add("sys_user_group", name="Below", parent=top)
    scene.add("sys_group_has_role", group=top, role=scene.role("x.top"), inherits="true")
    scene.add("sys_group_has_role", group=top, role=scene.role("x.own"), inherits="false")
    scene.add("sys_group_has_role", group=below, role=scene.role("x.below"), inherits="true")
    child, parent = scene.user("ada"), scene.user("bob")
    _member(scene, child, below)
    _member(scene, parent, top)
    assert set(_held(scene, child)) == {"x.top", "x.below"}
    assert set(_held(scene, parent)) == {"x.top", "x.own"}


@pytest.mark.claim("role-inh-count")
def test_one_row_a_role_counts_the_ways_it_comes(scene):
    _contain(scene, "x.boss", "x.clerk")
    group = scene.add("sys_user_group", name="Clerks")
    scene.add("sys_group_has_role", group=group, role=scene.role("x.clerk"), inherits="true")
    user = scene.user("ada", "x.boss")
    _member(scene, user, group)
    assert _held(scene, user)["x.clerk"] == ("true", "2")


def test_what_is_no_longer_inherited_goes_and_what_was_granted_stays(scene):
    link = _contain(scene, "x.boss", "x.clerk")
    lost, kept = scene.user("ada", "x.boss"), scene.user("bob", "x.boss", "x.clerk")
    assert _held(scene, kept)["x.clerk"] == ("false", "1")
    scene.database.delete("sys_user_role_contains", link)
    roles.rebuild(scene.instance)
    assert _held(scene, lost) == {"x.boss": ("false", "0")}
    assert _held(scene, kept) == {"x.boss": ("false", "0"), "x.clerk": ("false", "0")}


def test_affected_names_members_of_groups_below(scene):
    top = scene.add("sys_user_group", name="Top")
    below = scene.add("sys_user_group", name="Below", parent=top)
    user = scene.user("ada")
    _member(scene, user, below)
    assert roles.affected(scene.instance, "sys_group_has_role", {"group": top}) == {user}
    assert roles.affected(scene.instance, "sys_user_grmember", {"user": user}) == {user}
    assert roles.affected(scene.instance, "sys_user_role_contains", {}) is None


@pytest.mark.claim("role-explicit-only")
def test_admin_implies_every_role_but_the_explicit_ones(scene):
    session = scene.session("root", "admin")
    assert session.has_role("itil")
    assert not session.has_role("snc_basic_auth_api_access")
    assert not session.has_role("sn_se.scan_engine_admin")
