from __future__ import annotations

import pytest

from linkspan.core.errors import ConfigError
from linkspan.provision import recipe


@pytest.mark.parametrize("name", recipe.shipped())
def test_every_shipped_recipe_gives_a_reason_for_each_grant(name):
    found = recipe.load(name)
    phases = {"exploring", "settled"} if name == "governed-account" else {"least", "documented"}
    assert phases <= set(found.profiles)
    for profile in found.profiles.values():
        for grant in profile.grants:
            assert len(grant.because) > 10, grant


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(ConfigError, match="sync") as caught:
        recipe.load("synk", where="linkspan.yaml:7")
    assert caught.value.where == "linkspan.yaml:7"


def test_an_unknown_profile_names_the_known_ones():
    with pytest.raises(ConfigError, match="documented, least"):
        recipe.load("sync").profile("most")


def test_a_recipe_of_the_user_is_read_from_its_path(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "recipe: mine\nprofiles:\n  least:\n    grants:\n      - {role: itil, because: it must}\n"
    )
    assert recipe.load("mine.yaml", beside=tmp_path).profile("least").grants[0].role == "itil"


@pytest.mark.parametrize(
    "text", ["recipe: x\n", "recipe: x\nprofiles: {least: {grants: [{role: a}]}}\n", "- a\n", "a: [\n"]
)
def test_an_incomplete_recipe_says_where(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        recipe.load("bad.yaml", beside=tmp_path)
    assert "bad.yaml" in caught.value.where


def test_a_recipe_says_what_the_guide_asks_and_what_is_done_instead():
    for name in ("scan-engine", "governed-account"):
        found = recipe.load(name)
        assert found.instead
        for one in found.instead:
            assert len(one.guide) > 10
            assert len(one.here) > 10


def test_direct_grants_say_why_they_are_direct():
    for profile in recipe.load("scan-engine").profiles.values():
        assert len(profile.direct_grants) == 2
        assert not profile.has_own_group
        assert all("explicit" in grant.because for grant in profile.direct_grants)


def test_a_profile_knows_what_the_others_give():
    profiles = recipe.load("governed-account").profiles
    assert profiles["settled"].left_groups == ("ServiceNow API Explorers",)
    assert profiles["exploring"].left_groups == ()
    assert [grant.role for grant in profiles["exploring"].grants] == ["itil", "rest_api_explorer"]
    assert profiles["settled"].user.web_service_access_only
    assert not profiles["exploring"].user.web_service_access_only


@pytest.mark.parametrize(
    "profile",
    [
        "user: {identity_type: robot, web_service_access_only: true, because: x}, grants: []",
        "user: {identity_type: human, web_service_access_only: 7, because: x}, grants: []",
        "user: {identity_type: human, web_service_access_only: true}, grants: []",
        "grants: [{role: itil, because: x, on: group}]",
        "grants: [{role: itil, because: x, via: group}]",
        "groups: [{name: A, grants: []}]",
        "groups: [{name: A, because: x, grants: [{role: itil}]}]",
        "says: nothing is granted",
        "grant: []",
        "grants: [{role: itil, because: x, schemes: [telepathy]}]",
        "grants: [], acls: [{role: itil, table: task, operation: browse, because: x}]",
        "grants: [], acls: [{role: itil, table: task, operation: read}]",
        "grants: [], scopes: [{name: useraccount}]",
    ],
)
def test_a_slip_in_a_profile_is_found(tmp_path, profile):
    (tmp_path / "bad.yaml").write_text(f"recipe: x\nprofiles: {{least: {{{profile}}}}}\n")
    with pytest.raises(ConfigError, match="not complete"):
        recipe.load("bad.yaml", beside=tmp_path)


def test_a_grant_may_be_for_some_schemes_only():
    documented = recipe.load("harness-sei").profile("documented")
    with_oauth = {grant.role for grant in documented.for_scheme("oauth_code").grants}
    without = {grant.role for grant in documented.for_scheme("basic").grants}
    assert with_oauth - without == {"oauth_admin"}


def test_access_controls_are_read_with_their_role():
    least = recipe.load("incident-io").profile("least")
    assert [acl.operation for acl in least.acls] == ["create", "read", "write"]
    assert {acl.name for acl in least.acls} == {"task"}
    assert all(least.makes(acl.role) for acl in least.acls)
    assert not any(grant.role == "admin" for grant in least.grants)


def test_a_role_that_is_made_here_is_known_as_such():
    least = recipe.load("rad-security").profile("least")
    assert least.makes("rad_security_integration")
    assert not least.makes("sn_incident_read")
    assert not least.changes
    assert recipe.load("rad-security").profile("write").changes


@pytest.mark.parametrize("line", ["changes: sometimes", "grants: [{role: a, because: b, made: maybe}]"])
def test_a_switch_is_true_or_false(tmp_path, line):
    body = line if "grants" in line else f"{line}\n    grants: []"
    (tmp_path / "mine.yaml").write_text(f"recipe: mine\nprofiles:\n  least:\n    {body}\n")
    with pytest.raises(ConfigError, match="is true or false"):
        recipe.load("mine.yaml", beside=tmp_path)


@pytest.mark.parametrize("name", ["javascript:gs.getUserID()", "a\\nb", "a\\0b", " "])
@pytest.mark.parametrize("where", ["role", "group"])
def test_a_name_that_no_query_can_hold_is_refused(tmp_path, name, where):
    names = {"role": "itil", "group": "Crew", where: name}
    grants = f'[{{role: "{names["role"]}", because: it must}}]'
    group = f'{{name: "{names["group"]}", because: it must, grants: {grants}}}'
    file = tmp_path / "mine.yaml"
    file.write_text(f"recipe: mine\nprofiles: {{least: {{groups: [{group}]}}}}\n")
    with pytest.raises(ConfigError) as caught:
        recipe.load(str(file))
    assert caught.value.where == str(file)
