"""Roles from one moment to another."""

from datetime import UTC, datetime

import pytest

from wavetank.behaviour import pipeline
from wavetank.clock import parse
from wavetank.errors import PlatformError
from wavetank.security import time_limited

NINE, TEN, NOON = "2026-03-01 09:00:00", "2026-03-01 10:00:00", "2026-03-01 12:00:00"


@pytest.fixture
def morning(scene):
    scene.instance.clock.freeze(datetime(2026, 3, 1, 8, tzinfo=UTC))
    scene.user("ada")
    return scene


def _lend(scene, role="admin", start=NINE, end=NOON, who=None, user="ada", **more):
    values = {
        "user": _id(scene, user),
        "role": scene.role(role),
        "start_time": start,
        "end_time": end,
        **more,
    }
    return pipeline.insert(scene.instance, who, time_limited.TABLE, values)


def _id(scene, name):
    return scene.database.first("sys_user", user_name=name)["sys_id"]


def _to(scene, moment):
    scene.instance.clock.advance((parse(moment) - scene.instance.clock.now()).total_seconds())


@pytest.mark.claim("time-limited-held")
def test_a_role_comes_and_goes_by_the_clock(morning):
    assert not morning.session("ada").is_admin
    _lend(morning)
    assert not morning.session("ada").is_admin
    _to(morning, NINE)
    assert morning.session("ada").is_admin
    assert morning.session("ada").roles >= {"personalize_dictionary"}
    assert morning.session("ada").explicit_roles == frozenset()
    assert morning.database.find("sys_user_has_role", user=_id(morning, "ada")) == []
    _to(morning, NOON)
    assert not morning.session("ada").is_admin
    assert morning.database.first(time_limited.TABLE)["active"] == "true"


@pytest.mark.claim("time-limited-session")
def test_an_open_session_loses_the_role_at_its_end(morning):
    _lend(morning, start="2026-03-01 08:00:00", end="2026-03-01 08:20:00")
    held = morning.instance.sessions.log_in("ada", "sesame")
    assert held.who.is_admin
    morning.instance.clock.advance(19 * 60)
    assert held.who.is_admin
    morning.instance.clock.advance(60)
    assert not held.who.is_admin


@pytest.mark.claim("time-limited-held")
def test_what_is_held_besides_stays(morning):
    morning.user("ben", "impersonator")
    _lend(morning, "impersonator", user="ben")
    _to(morning, NOON)
    assert morning.session("ben").roles == {"impersonator"}


def test_a_row_that_is_switched_off_or_deleted_gives_nothing(morning):
    row = _lend(morning)
    _to(morning, TEN)
    row = pipeline.update(morning.instance, None, time_limited.TABLE, row, {"active": "false"})
    assert not morning.session("ada").is_admin
    row = pipeline.update(morning.instance, None, time_limited.TABLE, row, {"active": "true"})
    assert morning.session("ada").is_admin
    pipeline.delete(morning.instance, None, time_limited.TABLE, row)
    assert not morning.session("ada").is_admin


@pytest.mark.claim("time-limited-limits")
@pytest.mark.parametrize(
    "values",
    [
        {"role": "itil"},
        {"end": "2026-03-06 09:00:01"},
        {"end": NINE},
        {"end": ""},
        {"start": ""},
    ],
)
def test_which_roles_for_how_long(morning, values):
    with pytest.raises(PlatformError) as refused:
        _lend(morning, **values)
    assert refused.value.status == 403
    _lend(morning, end="2026-03-06 09:00:00")


@pytest.mark.claim("time-limited-limits")
def test_at_most_four_at_once(morning):
    for _ in range(4):
        _lend(morning)
    with pytest.raises(PlatformError):
        _lend(morning, start=TEN)
    _lend(morning, start=NOON, end="2026-03-01 13:00:00")
    morning.user("ben")
    _lend(morning, user="ben")


@pytest.mark.claim("time-limited-limits")
def test_properties_say_which_and_how_long(morning):
    morning.instance.set_property(time_limited.ALLOWED, "itil")
    morning.instance.set_property(time_limited.DAYS, "1")
    _lend(morning, "itil", end="2026-03-02 09:00:00")
    with pytest.raises(PlatformError):
        _lend(morning, "itil", end="2026-03-02 09:00:01")
    with pytest.raises(PlatformError):
        _lend(morning, "admin")


@pytest.mark.claim("time-limited-who")
def test_only_an_admin_lends_admin(morning):
    with pytest.raises(PlatformError):
        _lend(morning, who=morning.session("clerk", "user_admin"))
    _lend(morning, "snc_read_only", who=morning.session("clerk"))
    _lend(morning, who=morning.session("boss", "admin"))


def test_a_restore_takes_up_what_is_to_come(morning):
    _lend(morning)
    morning.instance.database.snapshot("lent")
    morning.instance.clock.reset()
    morning.instance.clock.freeze(datetime(2026, 3, 1, 8, tzinfo=UTC))
    morning.instance.restore("lent")
    assert not morning.session("ada").is_admin
    _to(morning, TEN)
    assert morning.session("ada").is_admin
    _to(morning, NOON)
    assert not morning.session("ada").is_admin
