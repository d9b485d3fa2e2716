import pytest

from wavetank.ids import Ids
from wavetank.releases import ORDER, release
from wavetank.settings import ALL, Settings


def test_every_setting_has_its_stated_default():
    settings = Settings()
    assert settings.all() == {setting.name: setting.default for setting in ALL}
    assert settings.get("basic_auth_restriction") == "track"
    assert settings.get("quota_seconds") == 60


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("acl", "perhaps"),
        ("quota_seconds", "sixty"),
        ("latency_ms", -1),
        ("quota_commits", "yes"),
        ("rate_rules", {}),
        ("no_such_setting", 1),
    ],
)
def test_a_wrong_value_is_refused_and_nothing_changes(name, value):
    settings = Settings()
    with pytest.raises(ValueError, match=name):
        settings.update({"script_seconds": 2, name: value})
    assert settings.all() == Settings().all()


def test_reset_comes_back_to_what_the_instance_was_started_with():
    settings = Settings({"release": "zurich"})
    settings.update({"release": "xanadu", "acl": False})
    assert (settings.get("release"), settings.get("acl")) == ("xanadu", "off")
    settings.reset()
    assert (settings.get("release"), settings.get("acl")) == ("zurich", "on")


def test_a_seed_repeats_the_ids():
    ids = Ids(7)
    first = [ids.sys_id() for _ in range(3)]
    ids.seed(7)
    assert [ids.sys_id() for _ in range(3)] == first
    ids.seed(None)
    assert ids.sys_id() not in first
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in first)


def test_releases_are_known_by_name():
    assert {release(name).name for name in ORDER} == set(ORDER)
    with pytest.raises(ValueError, match="unknown release"):
        release("rome")
