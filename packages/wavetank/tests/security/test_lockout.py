import pytest

from wavetank.errors import PlatformError
from wavetank.security import lockout
from wavetank.security.credentials import Presented
from wavetank.security.identity import authenticate


def _fails(scene, times=1, user="ada"):
    for _ in range(times):
        with pytest.raises(PlatformError):
            authenticate(scene.instance, Presented("basic", user, "wrong"))


def _row(scene):
    return scene.database.first("sys_user", user_name="ada")


def _switch(scene, action, on):
    scene.database.update(lockout.ACTIONS, action, {"active": "true" if on else "false"})


@pytest.mark.claim("lockout-script-actions")
def test_the_script_actions_are_there_as_after_a_new_start(scene):
    rows = {
        row["name"]: (row["sys_id"], row["event_name"], row["active"])
        for row in scene.database.find(lockout.ACTIONS)
    }
    assert rows["SNC User Lockout Check with Auto Unlock"] == (lockout.AUTO_UNLOCK, "login.failed", "true")
    assert rows["SNC User Lockout Check"] == (lockout.LOCK, "login.failed", "false")
    assert rows["SNC User Clear"][1:] == ("login", "true")


@pytest.mark.claim("lockout-switched-off")
def test_without_an_active_script_action_nothing_is_counted_or_locked(scene):
    scene.user("ada")
    _switch(scene, lockout.AUTO_UNLOCK, False)
    _fails(scene, 8)
    assert _row(scene)["locked_out"] != "true"
    assert _row(scene)["failed_attempts"] in ("", "0")
    assert authenticate(scene.instance, Presented("basic", "ada", "sesame")).user_name == "ada"
    scene.database.delete(lockout.ACTIONS, lockout.LOCK)
    _fails(scene, 8)
    assert _row(scene)["locked_out"] != "true"


@pytest.mark.claim("lockout-without-unlock")
def test_the_other_check_locks_at_five_for_good(scene):
    scene.instance.clock.freeze()
    scene.user("ada")
    _switch(scene, lockout.AUTO_UNLOCK, False)
    _switch(scene, lockout.LOCK, True)
    scene.instance.set_property(lockout.LIMIT, "2")
    _fails(scene, 4)
    assert _row(scene)["locked_out"] != "true"
    _fails(scene)
    assert _row(scene)["locked_out"] == "true"
    scene.instance.clock.advance(24 * 3600)
    assert _row(scene)["locked_out"] == "true"


@pytest.mark.claim("lockout-properties")
def test_properties_say_how_many_and_how_long(scene):
    scene.instance.clock.freeze()
    scene.user("ada")
    scene.instance.set_property(lockout.LIMIT, "2")
    scene.instance.set_property(lockout.MINUTES, "3")
    _fails(scene)
    assert _row(scene)["locked_out"] != "true"
    _fails(scene)
    assert _row(scene)["locked_out"] == "true"
    scene.instance.clock.advance(179)
    assert _row(scene)["locked_out"] == "true"
    scene.instance.clock.advance(1)
    assert (_row(scene)["locked_out"], _row(scene)["failed_attempts"]) == ("false", "0")


@pytest.mark.claim("lockout-clear")
def test_a_login_forgets_the_failures_while_its_action_is_active(scene):
    scene.user("ada")
    _fails(scene, 2)
    authenticate(scene.instance, Presented("basic", "ada", "sesame"))
    assert _row(scene)["failed_attempts"] == "0"
    _switch(scene, lockout.CLEAR, False)
    _fails(scene, 2)
    authenticate(scene.instance, Presented("basic", "ada", "sesame"))
    assert _row(scene)["failed_attempts"] == "2"


@pytest.mark.claim("lockout-event")
def test_every_failed_login_leaves_an_event_with_the_name_that_was_tried(scene):
    ada = scene.user("ada")
    _fails(scene)
    _fails(scene, user="nobody.here")
    rows = scene.database.find("sysevent", name="login.failed")
    assert sorted((row["parm1"], row["instance"], row["table"]) for row in rows) == [
        ("ada", ada, "sys_user"),
        ("nobody.here", "", ""),
    ]
    authenticate(scene.instance, Presented("basic", "ada", "sesame"))
    assert len(scene.database.find("sysevent", name="login.failed")) == 2


@pytest.mark.claim("lockout-unlock-by-hand")
def test_an_admin_unlocks_by_clearing_the_flag(scene):
    scene.user("ada")
    _fails(scene, 5)
    row = _row(scene)
    scene.database.update("sys_user", row["sys_id"], {"locked_out": "false", "failed_attempts": "0"})
    assert authenticate(scene.instance, Presented("basic", "ada", "sesame")).user_name == "ada"
    _fails(scene, 4)
    assert _row(scene)["locked_out"] == "false"
