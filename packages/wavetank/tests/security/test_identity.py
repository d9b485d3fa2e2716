import pytest

from wavetank.errors import PlatformError
from wavetank.security.credentials import NOTHING, Presented
from wavetank.security.identity import authenticate


def _log_in(scene, user="ada", password="sesame"):
    """The scheme of the session, or the 401's body."""
    try:
        return authenticate(scene.instance, Presented("basic", user, password)).scheme
    except PlatformError as refused:
        return refused.status, str(refused.body())


@pytest.mark.claim("auth-one-401")
def test_every_failure_is_the_same_401(scene):
    scene.instance.configure({"basic_auth_restriction": "enforce"})
    scene.user("off", active="false", web_service_access_only="true")
    scene.user("locked", locked_out="true", web_service_access_only="true")
    scene.user("typed", user_password="sesame", web_service_access_only="true")
    scene.user("interactive")
    scene.user("fine", web_service_access_only="true")
    assert _log_in(scene, "fine") == "basic"
    answers = {_log_in(scene, each) for each in ("off", "locked", "typed", "interactive", "unknown", "")}
    answers.add(_log_in(scene, "fine", "wrong"))
    assert len(answers) == 1
    assert answers.pop()[0] == 401


@pytest.mark.claim("auth-401-text")
@pytest.mark.parametrize(
    ("release", "message"),
    [("australia", "User is not authenticated"), ("zurich", "User Not Authenticated")],
)
def test_the_401_is_worded_by_the_release(scene, release, message):
    scene.instance.configure({"release": release})
    with pytest.raises(PlatformError) as refused:
        authenticate(scene.instance, NOTHING)
    assert refused.value.body() == {
        "error": {"message": message, "detail": "Required to provide Auth information"},
        "status": "failure",
    }
    assert "WWW-Authenticate" in refused.value.headers


@pytest.mark.claim("basic-restriction-gate")
@pytest.mark.parametrize(
    ("held", "values", "allowed"),
    [
        ((), {}, False),
        (("admin",), {}, False),
        (("snc_basic_auth_api_access",), {}, True),
        (("admin", "snc_basic_auth_api_access"), {}, True),
        (("snc_external",), {}, True),
        ((), {"web_service_access_only": "true"}, True),
        (("itil",), {"identity_type": "machine"}, False),
    ],
)
def test_enforced_restriction_looks_at_what_is_really_held(scene, held, values, allowed):
    scene.user("ada", *held, **values)
    assert _log_in(scene) == "basic"
    scene.instance.configure({"basic_auth_restriction": "enforce"})
    assert (_log_in(scene) == "basic") is allowed


def test_named_users_are_exempt(scene):
    scene.instance.configure({"basic_auth_restriction": "enforce"})
    ada = scene.user("ada")
    scene.instance.set_property("glide.authenticate.basic_auth.allowed_users", f"x, {ada}")
    assert _log_in(scene) == "basic"


@pytest.mark.claim("basic-restriction-track")
def test_tracking_lets_in_and_takes_note(scene):
    ada = scene.user("ada")
    scene.user("machine", web_service_access_only="true")
    for _ in range(3):
        assert _log_in(scene) == "basic"
    assert _log_in(scene, "machine") == "basic"
    rows = scene.database.find("sys_user_basic_auth_exception")
    assert [row["user"] for row in rows] == [ada]


@pytest.mark.claim("basic-restriction-properties")
def test_the_properties_are_the_switch(scene):
    scene.user("ada")
    scene.instance.set_property("glide.authenticate.basic_auth.restriction.enforce", "true")
    assert scene.instance.shown_settings()["basic_auth_restriction"] == "enforce"
    assert _log_in(scene) != "basic"
    scene.instance.set_property("glide.authenticate.basic_auth.restriction.active", "false")
    assert scene.instance.shown_settings()["basic_auth_restriction"] == "off"
    assert _log_in(scene) == "basic"


@pytest.mark.claim("auth-lockout")
def test_failures_lock_the_account_and_time_unlocks_it(scene):
    ada = scene.user("ada")
    scene.instance.clock.freeze()
    for _ in range(4):
        assert _log_in(scene, password="wrong") != "basic"
    assert scene.database.get("sys_user", ada)["failed_attempts"] == "4"
    assert _log_in(scene) == "basic"
    assert scene.database.get("sys_user", ada)["failed_attempts"] == "0"
    for _ in range(5):
        _log_in(scene, password="wrong")
    assert scene.database.get("sys_user", ada)["locked_out"] == "true"
    assert _log_in(scene) != "basic"
    scene.instance.clock.advance(14 * 60)
    assert _log_in(scene) != "basic"
    scene.instance.clock.advance(61)
    assert _log_in(scene) == "basic"
    assert scene.database.get("sys_user", ada)["locked_out"] == "false"


def test_an_account_an_admin_locked_stays_locked(scene):
    scene.user("ada", locked_out="true")
    scene.instance.clock.advance(24 * 3600)
    assert _log_in(scene) != "basic"


def test_a_restart_still_unlocks(scene):
    ada = scene.user("ada")
    for _ in range(5):
        _log_in(scene, password="wrong")
    scene.instance.database.snapshot("locked")
    scene.instance.clock.reset()  # forgets the jobs, as a new process would
    scene.instance.restore("locked")
    scene.instance.clock.advance(16 * 60)
    assert scene.database.get("sys_user", ada)["locked_out"] == "false"


@pytest.mark.claim("auth-needs-reset")
def test_an_outstanding_password_change_blocks_only_where_it_is_mandatory(scene):
    scene.user("ada", password_needs_reset="true")
    assert _log_in(scene) == "basic"
    scene.instance.set_property("glide.authenticate.api.user.reset_password.mandatory", "true")
    assert _log_in(scene) != "basic"


def test_a_changed_password_ends_the_old_one_at_once(scene):
    from wavetank.security.passwords import hash_password

    ada = scene.user("ada")
    assert _log_in(scene) == "basic"
    scene.database.update("sys_user", ada, {"user_password": hash_password("new")})
    assert _log_in(scene) != "basic"
    assert _log_in(scene, password="new") == "basic"


def test_a_session_knows_granted_from_inherited(scene):
    scene.add("sys_user_role_contains", role=scene.role("x.boss"), contains=scene.role("x.clerk"))
    session = scene.session("ada", "x.boss", time_zone="Europe/Berlin")
    assert session.roles == {"x.boss", "x.clerk"}
    assert session.explicit_roles == {"x.boss"}
    assert session.time_zone == "Europe/Berlin"
    assert scene.session("bob").time_zone == "US/Pacific"
