"""When the restriction of Basic authentication begins, for whom, and what it leaves behind."""

from datetime import UTC, datetime

import pytest

from wavetank.errors import PlatformError
from wavetank.security import restriction
from wavetank.security.credentials import Presented

DATE = "2026-03-01 12:00:00"


def _in(scene, user="ada", password="sesame"):
    try:
        return scene.instance.identity.authenticate(Presented("basic", user, password)).scheme
    except PlatformError as refused:
        return refused


@pytest.fixture
def due(scene):
    """An instance half an hour before its enforcement date."""
    scene.instance.clock.freeze(datetime(2026, 3, 1, 11, 30, tzinfo=UTC))
    scene.instance.set_property(restriction.ENFORCE, "true")
    scene.instance.set_property(restriction.DATE, DATE)
    return scene


def _decide(scene, user, decision):
    row = scene.database.first(restriction.EXCEPTIONS, user=user)
    scene.database.update(restriction.EXCEPTIONS, row["sys_id"], {"decision": decision})


def _exception(scene, user):
    return scene.database.first(restriction.EXCEPTIONS, user=user)


@pytest.mark.claim("basic-restriction-date")
def test_until_its_date_it_only_tracks(due):
    due.instance.set_property(restriction.DECISION, "Revoke Basic Auth API login")
    ada = due.user("ada")
    assert _in(due) == "basic"
    assert _exception(due, ada)["usage_count"] == "1"
    due.instance.clock.advance(29 * 60)
    assert _in(due) == "basic"
    due.instance.clock.advance(61)
    assert _in(due) != "basic"


@pytest.mark.claim("basic-restriction-decisions")
@pytest.mark.parametrize(
    ("decision", "default", "allowed"),
    [
        ("grant", "", True),
        ("no_grant", "", False),
        ("converted", "", True),
        ("global", "Maintain current login", True),
        ("global", "Revoke Basic Auth API login", False),
        ("global", "Convert to web service access only", True),
    ],
)
def test_decisions_are_carried_out_at_the_date(due, decision, default, allowed):
    due.instance.set_property(restriction.DECISION, default)
    ada = due.user("ada")
    assert _in(due) == "basic"
    _decide(due, ada, decision)
    assert _exception(due, ada)["action_taken"] == "false"
    due.instance.clock.advance(3600)
    assert (_in(due) == "basic") is allowed
    assert _exception(due, ada)["action_taken"] == "true"
    roles = {row["role"] for row in due.database.find("sys_user_has_role", user=ada)}
    kept = "grant" in (decision, restriction.DECISIONS.get(default.lower()))
    assert (due.role(restriction.ROLE) in roles) is kept
    converted = "converted" in (decision, restriction.DECISIONS.get(default.lower()))
    assert (due.database.get("sys_user", ada)["web_service_access_only"] == "true") is converted


@pytest.mark.claim("basic-restriction-decisions")
def test_the_job_carries_them_out_without_a_login(due):
    ada = due.user("ada")
    _in(due)
    due.instance.clock.advance(2 * 3600)
    assert _exception(due, ada)["action_taken"] == "true"
    assert due.instance.identity.session(due.database.get("sys_user", ada), "basic").roles == {
        restriction.ROLE
    }


@pytest.mark.claim("basic-restriction-decision-later")
def test_a_decision_once_enforced_takes_effect_at_once(scene):
    from wavetank.behaviour import pipeline

    ada = scene.user("ada")
    assert _in(scene) == "basic"
    scene.instance.configure({"basic_auth_restriction": "enforce"})
    assert _in(scene) != "basic"
    row = _exception(scene, ada)
    pipeline.update(scene.instance, None, restriction.EXCEPTIONS, row, {"decision": "grant"})
    assert _in(scene) == "basic"
    again = _exception(scene, ada)
    assert again["action_taken"] == "true"
    pipeline.update(scene.instance, None, restriction.EXCEPTIONS, again, {"decision": "no_grant"})
    assert _in(scene) != "basic"


@pytest.mark.claim("basic-restriction-log")
def test_a_refusal_is_in_the_log(scene):
    scene.user("ada")
    scene.instance.configure({"basic_auth_restriction": "enforce"})
    assert not scene.database.find("syslog", source="SNCRestrictBasicAuthUserAuthenticationGate")
    refused = _in(scene)
    (line,) = scene.database.find("syslog", source="SNCRestrictBasicAuthUserAuthenticationGate")
    assert "denied basic-auth API call for interactive-login user [ada] under enforce=true" in line["message"]
    assert refused.body() == _in(scene, password="wrong").body()
    assert len(scene.database.find("syslog", source=line["source"])) == 1


@pytest.mark.claim("basic-restriction-mid")
def test_mid_servers_are_exempt(scene):
    scene.instance.configure({"basic_auth_restriction": "enforce"})
    scene.user("mid", "mid_server")
    assert _in(scene, "mid") == "basic"
