"""Users are internal or external, never both, where the plugin is."""

import pytest

from wavetank.behaviour import pipeline
from wavetank.errors import PlatformError
from wavetank.security import explicit_roles
from wavetank.security.credentials import Presented
from wavetank.security.identity import authenticate

IN, OUT = explicit_roles.INTERNAL, explicit_roles.EXTERNAL


@pytest.fixture
def plugged(scene):
    source = explicit_roles.PLUGIN
    scene.add("sys_plugins", name="Explicit Roles", id=source, source=source, active="active")
    return scene


def _write(scene, table, **values):
    return pipeline.insert(scene.instance, None, table, values)


def _grant(scene, user, role):
    return _write(scene, "sys_user_has_role", user=user, role=scene.role(role))


def _held(scene, user):
    return {row["role"] for row in scene.database.find("sys_user_has_role", user=user)}


def _log_in(scene, name="ada"):
    return authenticate(scene.instance, Presented("basic", name, "sesame"))


@pytest.mark.claim("explicit-at-login")
def test_the_first_login_makes_a_user_internal(plugged):
    ada, ben = plugged.user("ada"), plugged.user("ben", OUT)
    assert _held(plugged, ada) == set()
    assert IN in _log_in(plugged).roles
    assert _held(plugged, ada) == {plugged.role(IN)}
    assert _log_in(plugged, "ben").roles == {OUT}
    assert _held(plugged, ben) == {plugged.role(OUT)}


@pytest.mark.claim("explicit-without-plugin")
def test_without_the_plugin_nothing_is_given_and_nothing_excluded(scene):
    ada = scene.user("ada")
    assert _log_in(scene).roles == frozenset()
    _grant(scene, ada, IN)
    _grant(scene, ada, OUT)
    assert _log_in(scene).roles == {IN, OUT}


@pytest.mark.claim("explicit-properties")
def test_properties_keep_users_from_becoming_internal(plugged):
    plugged.user("ada", "x.partner")
    plugged.instance.set_property(explicit_roles.EXCLUDED, "x.other, x.partner")
    assert _log_in(plugged).roles == {"x.partner"}
    plugged.instance.set_property(explicit_roles.EXCLUDED, "")
    plugged.instance.set_property(explicit_roles.DO_NOT_FIX, "true")
    assert _log_in(plugged).roles == {"x.partner"}
    plugged.instance.set_property(explicit_roles.DO_NOT_FIX, "false")
    assert _log_in(plugged).roles == {"x.partner", IN}


@pytest.mark.claim("explicit-one-of-both")
@pytest.mark.parametrize(("first", "second"), [(IN, OUT), (OUT, IN)])
def test_a_user_has_one_of_both(plugged, first, second):
    ada = plugged.user("ada")
    _grant(plugged, ada, first)
    with pytest.raises(PlatformError) as refused:
        _grant(plugged, ada, second)
    assert refused.value.status == 403
    assert _held(plugged, ada) == {plugged.role(first)}


@pytest.mark.claim("explicit-one-of-both")
def test_neither_by_a_group_nor_by_a_role(plugged):
    ada = plugged.user("ada", IN)
    top = plugged.add("sys_user_group", name="Top")
    below = plugged.add("sys_user_group", name="Below", parent=top)
    _write(plugged, "sys_user_grmember", user=ada, group=below)
    with pytest.raises(PlatformError):
        _write(plugged, "sys_group_has_role", group=top, role=plugged.role(OUT))
    assert plugged.database.find("sys_group_has_role", group=top) == []
    _grant(plugged, ada, "x.test")
    with pytest.raises(PlatformError):
        _write(plugged, "sys_user_role_contains", role=plugged.role("x.test"), contains=plugged.role(OUT))
    outside = plugged.add("sys_user_group", name="Outside")
    _write(plugged, "sys_group_has_role", group=outside, role=plugged.role(OUT))
    with pytest.raises(PlatformError):
        _write(plugged, "sys_user_grmember", user=ada, group=outside)
    assert plugged.role(OUT) not in _held(plugged, ada)


@pytest.mark.claim("explicit-one-of-both")
def test_nor_do_groups_and_roles_without_users_hold_both(plugged):
    group = plugged.add("sys_user_group", name="Empty")
    _write(plugged, "sys_group_has_role", group=group, role=plugged.role(IN))
    with pytest.raises(PlatformError):
        _write(plugged, "sys_group_has_role", group=group, role=plugged.role(OUT))
    _write(plugged, "sys_user_role_contains", role=plugged.role("x.in"), contains=plugged.role(IN))
    with pytest.raises(PlatformError):
        _write(plugged, "sys_user_role_contains", role=plugged.role("x.in"), contains=plugged.role(OUT))
    outer = _write(plugged, "sys_user_group", name="Outer")
    _write(plugged, "sys_group_has_role", group=outer["sys_id"], role=plugged.role(OUT))
    inner = plugged.database.get("sys_user_group", group)
    with pytest.raises(PlatformError):
        pipeline.update(plugged.instance, None, "sys_user_group", inner, {"parent": outer["sys_id"]})


@pytest.mark.claim("explicit-one-of-both")
def test_where_nothing_collides_the_role_reaches_group_and_user(plugged):
    ada = plugged.user("ada")
    top = plugged.add("sys_user_group", name="Top")
    below = plugged.add("sys_user_group", name="Below", parent=top)
    _write(plugged, "sys_user_grmember", user=ada, group=below)
    _write(plugged, "sys_group_has_role", group=top, role=plugged.role(OUT))
    assert _held(plugged, ada) == {plugged.role(OUT)}


@pytest.mark.claim("explicit-empty")
@pytest.mark.parametrize("role", [IN, OUT])
def test_the_explicit_roles_contain_nothing(scene, role):
    with pytest.raises(PlatformError):
        _write(scene, "sys_user_role_contains", role=scene.role(role), contains=scene.role("itil"))
    _write(scene, "sys_user_role_contains", role=scene.role("x.any"), contains=scene.role(role))
