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
