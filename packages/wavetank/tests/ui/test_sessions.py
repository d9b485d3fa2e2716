"""Who may open a session in the UI, what it can do over REST, and what ends it."""

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from packages.wavetank.tests.ui.conftest import grant
from wavetank.behaviour import pipeline
from wavetank.security import one_time

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

CONTROL = {"name": "incident", "operation": "read", "type": "record", "active": "true"}


def _user(instance, name):
    return instance.database.first("sys_user", user_name=name)


@pytest.mark.claim("session-web-service-only")
def test_an_account_for_web_services_uses_the_api_and_not_the_ui(browser, person):
    person("svc", identity_type="machine")
    assert browser.log_in_json("svc").json()["status"] == "error"
    assert "invalid" in browser.log_in("svc").text
    assert not browser.logged_in
    assert browser.basic("svc").status_code == 200
    assert browser.instance.database.first("sys_user", user_name="svc")["failed_attempts"] in ("", "0")


@pytest.mark.claim("identity-type-ticks")
def test_the_identity_type_sets_what_an_account_is_for(browser, instance, person):
    row = person("svc", identity_type="machine")
    assert row["web_service_access_only"] == "true"
    for kind in ("human", "ai_agent"):
        row = pipeline.update(instance, None, "sys_user", row, {"identity_type": "machine"})
        assert browser.log_in_json("svc").json()["status"] == "error"
        row = pipeline.update(instance, None, "sys_user", row, {"identity_type": kind})
        assert browser.log_in_json("svc").json()["status"] == "success"
    both = person("both", identity_type="machine", web_service_access_only="false")
    assert both["web_service_access_only"] == "false"
    shown = instance.database.first("sys_script", name="Identity type sets web service access")
    assert shown["collection"] == "sys_user"
    instance.database.update("sys_script", shown["sys_id"], {"active": "false"})
    assert person("later", identity_type="machine")["web_service_access_only"] == "false"


@pytest.mark.claim("session-login-stamps")
def test_a_login_is_stamped_and_an_api_call_is_not(browser, instance, person):
    person("ann")
    instance.clock.freeze(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    assert browser.basic("ann").status_code == 200
    assert (_user(instance, "ann")["last_login"], _user(instance, "ann")["last_login_time"]) == ("", "")
    browser.log_in_json("ann", "wrong")
    assert (_user(instance, "ann")["failed_attempts"], _user(instance, "ann")["last_login"]) == ("1", "")
    browser.log_in_json("ann")
    row = _user(instance, "ann")
    assert (row["last_login"], row["last_login_time"]) == ("2026-03-01", "2026-03-01 09:30:00")
    assert row["failed_attempts"] == "0"


@pytest.mark.claim("session-refused")
def test_who_cannot_log_in(browser, instance, person):
    person("off", active="false")
    person("locked", locked_out="true")
    person("ann")
    for name, password in (("nobody.here", "sesame"), ("off", "sesame"), ("locked", "sesame"), ("ann", "no")):
        answer = browser.log_in_json(name, password)
        assert (answer.status_code, answer.json()["status"]) == (200, "error")
        assert "set-cookie" not in answer.headers
        assert not browser.logged_in
    for _ in range(4):
        browser.log_in("ann", "no")
    assert _user(instance, "ann")["locked_out"] == "true"
    assert browser.log_in_json("ann").json()["status"] == "error"
    instance.clock.advance(15 * 60)
    assert browser.log_in_json("ann").json()["status"] == "success"


@pytest.mark.claim("session-roles-at-login")
def test_a_session_keeps_the_roles_of_its_login(browser, instance, person):
    row = person("ann")
    browser.log_in("ann")
    token = browser.ask_token()
    role = instance.database.first("sys_user_role", name="itil")["sys_id"]
    pipeline.insert(instance, None, "sys_user_has_role", {"user": row["sys_id"], "role": role})
    report = {"short_description": "No light"}
    assert browser.rest("PATCH", f"incident/{_incident(instance)}", token, json=report).status_code == 404
    browser.log_in("ann")
    token = browser.ask_token()
    assert browser.rest("PATCH", f"incident/{_incident(instance)}", token, json=report).status_code == 200


def _incident(instance):
    return instance.database.first("incident")["sys_id"]


@pytest.mark.claim("session-timeout")
def test_a_session_ends_unused(browser, instance, person):
    person("ann")
    browser.log_in("ann")
    for _ in range(3):
        instance.clock.advance(29 * 60)
        assert browser.logged_in
    instance.clock.advance(31 * 60)
    assert not browser.logged_in
    instance.set_property("glide.ui.session_timeout", "5")
    browser.log_in("ann")
    instance.clock.advance(301)
    answer = browser.rest("GET", "incident")
    assert (answer.status_code, answer.headers["X-Is-Logged-In"]) == (401, "false")
    assert "X-UserToken-Response" not in answer.headers


@pytest.mark.claim("session-locked-ends")
def test_locking_ends_sessions_for_good(browser, instance, person):
    row = person("ann")
    browser.log_in("ann")
    row = pipeline.update(instance, None, "sys_user", row, {"locked_out": "true"})
    pipeline.update(instance, None, "sys_user", row, {"locked_out": "false"})
    assert not browser.logged_in
    browser.log_in("ann")
    for _ in range(5):
        assert browser.basic("ann", "wrong").status_code == 401
    assert not browser.logged_in


@pytest.mark.claim("session-inactive-ends")
def test_deactivating_ends_sessions_unless_the_rule_is_off(browser, instance, person):
    row = person("ann")
    browser.log_in("ann")
    pipeline.update(instance, None, "sys_user", row, {"active": "false"})
    assert not browser.logged_in
    row = person("ben")
    browser.log_in("ben")
    rule = instance.database.first("sys_script", name="Log out locked users")
    instance.database.update("sys_script", rule["sys_id"], {"active": "false"})
    pipeline.update(instance, None, "sys_user", row, {"active": "false"})
    assert browser.logged_in


@pytest.mark.claim("session-token", "ui-token-by-get-user")
def test_a_session_writes_with_its_token_only(browser, person):
    person("ann", "itil")
    browser.log_in_json("ann")
    bare = browser.rest("POST", "incident", json={"short_description": "No light"})
    assert (bare.status_code, bare.headers["X-Is-Logged-In"]) == (401, "true")
    assert browser.rest("POST", "incident", "0" * 72, json={}).status_code == 401
    token = bare.headers["X-UserToken-Response"]
    assert token == browser.ask_token()
    made = browser.rest("POST", "incident", token, json={"short_description": "No light"})
    assert made.status_code == 201
    assert made.json()["result"]["sys_created_by"] == "ann"
    asked = browser.post("/angular.do?sysparm_type=get_user")
    assert (asked.status_code, asked.headers["X-Is-Logged-In"]) == (401, "true")
    known = browser.post("/angular.do?sysparm_type=get_user", X_UserToken=token)
    assert (known.status_code, known.json()["user_name"]) == (200, "ann")
    assert browser.instance.requests.since(0)[-1]["user"] == "ann"


@pytest.mark.claim("session-token-read")
def test_whether_reading_needs_the_token_is_a_setting(browser, instance, person):
    person("ann", "itil")
    browser.log_in("ann")
    assert browser.rest("GET", "incident").status_code == 401
    assert browser.rest("GET", "incident", browser.ask_token()).status_code == 200
    instance.configure({"session_token": "writes"})
    assert browser.rest("GET", "incident").status_code == 200
    assert browser.rest("POST", "incident", json={}).status_code == 401


def test_a_token_of_another_session_is_worth_nothing(browser, person):
    person("ann", "itil")
    browser.log_in("ann")
    before = browser.ask_token()
    browser.log_in("ann")
    assert browser.ask_token() != before
    assert browser.rest("GET", "incident", before).status_code == 401


@pytest.mark.claim("session-not-basic")
def test_a_session_passes_where_basic_authentication_is_refused(browser, instance):
    instance.configure({"basic_auth_restriction": "enforce"})
    assert browser.basic("admin", "admin").status_code == 401
    browser.log_in_json("admin", "admin")
    assert browser.rest("GET", "incident", browser.ask_token()).status_code == 200


@pytest.mark.claim("session-header-first")
def test_an_authorization_header_decides_over_the_cookie(browser, person):
    person("ann")
    person("ben")
    browser.log_in("ann")
    path = "sys_user?sysparm_query=sys_id=javascript:gs.getUserID()&sysparm_fields=user_name"
    assert browser.rest("GET", path, auth=("ben", "sesame")).json()["result"] == [{"user_name": "ben"}]
    assert browser.rest("GET", path, auth=("ben", "wrong")).status_code == 401
    browser.client.cookies.clear()
    assert browser.rest("GET", path, auth=("ben", "sesame")).status_code == 200
    assert not browser.logged_in


@pytest.mark.claim("session-elevated")
def test_an_elevated_session_writes_access_controls_over_rest(browser):
    browser.log_in_json("admin", "admin")
    token = browser.ask_token()
    assert browser.rest("POST", "sys_security_acl", token, json=CONTROL).status_code == 403
    raised = browser.post("/elevated_role_dialog.do", {"security_admin": "true", "sysparm_ck": token})
    assert raised.status_code == 302
    assert "(security_admin)" in browser.get("/navpage.do").text
    made = browser.rest("POST", "sys_security_acl", token, json=CONTROL)
    assert made.status_code == 201
    link = {"sys_security_acl": made.json()["result"]["sys_id"]}
    assert browser.rest("POST", "sys_security_acl_role", token, json=link).status_code == 201
    assert browser.rest("POST", "sys_security_acl", json=CONTROL).status_code == 401
    assert browser.rest("POST", "sys_security_acl", auth=("admin", "admin"), json=CONTROL).status_code == 403
    browser.post("/elevated_role_dialog.do", {"sysparm_ck": token})
    assert browser.rest("POST", "sys_security_acl", token, json=CONTROL).status_code == 403
    browser.post("/elevated_role_dialog.do", {"security_admin": "on"}, X_UserToken=token)
    browser.log_in_json("admin", "admin")
    assert browser.rest("POST", "sys_security_acl", browser.ask_token(), json=CONTROL).status_code == 403


@pytest.mark.claim("session-elevation-held")
def test_admin_alone_cannot_elevate(browser, person):
    person("boss", "admin")
    browser.log_in("boss")
    token = browser.ask_token()
    assert "no role to elevate" in browser.get("/elevated_role_dialog.do").text
    refused = browser.post("/elevated_role_dialog.do", {"security_admin": "true", "sysparm_ck": token})
    assert refused.status_code == 403
    assert browser.rest("POST", "sys_security_acl", token, json=CONTROL).status_code == 403


@pytest.mark.claim("session-reset-first")
def test_an_outstanding_password_change_comes_first(browser, person):
    person("ann", password_needs_reset="true")
    answer = browser.log_in_json("ann").json()
    assert answer["status"] == "error"
    assert "changed first" in answer["message"]
    assert not browser.logged_in


def _paired(instance, user):
    row = {"user": user, "multifactor_secret": instance.seal.seal(SECRET), "validated": "true"}
    instance.database.insert("user_multifactor_auth", row)


@pytest.mark.claim("session-mfa")
@pytest.mark.claim("session-mfa-field")
def test_a_code_is_asked_for_after_the_password(browser, instance, person):
    _paired(instance, person("ann")["sys_id"])
    code = one_time.code(SECRET, instance.clock.seconds())
    assert browser.log_in_json("ann", "wrong").json()["status"] == "error"
    asked = browser.log_in_json("ann").json()
    assert (asked["status"], asked["message"]) == ("mfa_code_required", "A verification code is required")
    wrong = "000000" if code != "000000" else "111111"
    assert browser.log_in_json("ann", mfa_code=wrong).json()["status"] == "mfa_code_required"
    assert not browser.logged_in
    assert browser.log_in_json("ann", mfa_code=code).json()["status"] == "success"
    assert browser.logged_in


@pytest.mark.claim("session-mfa")
def test_the_login_page_asks_for_the_code_too(browser, instance, person):
    _paired(instance, person("ann")["sys_id"])
    assert 'name="mfa_code"' not in browser.get("/login.do").text
    assert 'name="mfa_code"' in browser.log_in("ann").text
    browser.log_in("ann", mfa_code=one_time.code(SECRET, instance.clock.seconds()))
    assert browser.logged_in


@pytest.mark.claim("session-mfa-field")
def test_who_must_use_a_second_factor_and_has_none_stays_out(browser, instance, person):
    person("ann", enable_multifactor_authn="true")
    assert browser.log_in_json("ann").json()["status"] == "mfa_code_required"
    assert not browser.logged_in
    instance.set_property(one_time.ON, "false")
    assert browser.log_in_json("ann").json()["status"] == "success"


def test_a_reset_ends_every_session(browser, instance):
    browser.log_in("admin", "admin")
    assert browser.logged_in
    instance.reset()
    assert not browser.logged_in


@pytest.mark.parametrize(("minutes", "lasts"), [("99999", 1440), ("0", 30), ("soon", 30)])
def test_odd_timeouts(browser, instance, person, minutes, lasts):
    """More than a day is a day; what is no time is the default."""
    person("ann")
    instance.clock.freeze(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    instance.set_property("glide.ui.session_timeout", minutes)
    browser.log_in("ann")
    instance.clock.advance(lasts * 60 - 1)
    assert browser.logged_in
    instance.clock.advance(lasts * 60)
    assert not browser.logged_in


def test_cookies_of_a_session_over_tls_are_secure(browser, person):
    person("ann")
    plain = browser.log_in("ann").headers.get_list("set-cookie")
    browser.client.base_url = "https://dev.example"
    secure = browser.log_in("ann").headers.get_list("set-cookie")
    assert not any("Secure" in line for line in plain)
    sessions = [line for line in secure if line.startswith("JSESSIONID=")]
    assert all("; HttpOnly; SameSite=None; Secure" in line for line in sessions)
    assert sessions


class Integration:
    """An application with a token of Ann's; it keeps its cookies."""

    def __init__(self, browser, person):
        self.browser, self.instance = browser, browser.instance
        person("ann", "itil")
        row = {"name": "App", "client_id": "app", "active": "true", "token_format": "opaque"}
        secret = self.instance.seal.seal("s3cret")
        self.instance.database.insert("oauth_entity", {**row, "client_secret": secret})
        self.form = {"grant_type": "password", "client_id": "app", "client_secret": "s3cret"}

    def ask(self):
        """A token request; its body."""
        answer = self.browser.post("/oauth_token.do", {**self.form, "username": "ann", "password": "sesame"})
        assert answer.status_code == 200
        return answer.json()

    @property
    def status(self):
        """Of a call with nothing but the cookies."""
        return self.browser.rest("GET", "incident?sysparm_limit=1").status_code


@pytest.fixture
def integration(browser, person):
    return Integration(browser, person)


@pytest.mark.claim("oauth-cookie")
def test_the_cookie_of_a_token_ends_with_it(browser, integration):
    instance = integration.instance
    instance.clock.freeze()
    assert integration.status == 401
    integration.ask()
    assert integration.status == 200
    assert instance.requests.since()[-1]["user"] == "ann"
    instance.clock.advance(1700)
    assert integration.status == 200
    instance.clock.advance(101)
    assert integration.status == 401
    token = integration.ask()["access_token"]
    assert integration.status == 200
    browser.get(f"/oauth_revoke_token.do?token={token}")
    assert integration.status == 401


@pytest.mark.claim("oauth-cookie")
def test_a_property_lets_the_cookie_outlive_its_token(integration):
    instance = integration.instance
    name = "glide.authenticate.oauth.post.token.expiration.cookie_auth.disabled"
    assert instance.property(name) == "true"
    instance.set_property(name, "false")
    instance.clock.freeze()
    integration.ask()
    for _ in range(3):
        instance.clock.advance(1700)
        assert integration.status == 200
    instance.clock.advance(1800)
    assert integration.status == 401


@pytest.mark.claim("oauth-cookie")
def test_one_token_has_one_session(browser, integration):
    cookies = []
    for _ in range(2):
        integration.ask()
        cookies.append(browser.client.cookies["JSESSIONID"])
    assert cookies[0] == cookies[1]
    assert len(integration.instance.sessions._open) == 1


@pytest.mark.claim("oauth-cookie")
def test_a_token_does_not_replace_the_session_of_a_login(browser, integration):
    browser.log_in("ann")
    integration.ask()
    assert browser.logged_in


@pytest.mark.claim("oauth-cookie-rest-only")
def test_the_session_of_a_token_is_for_rest_calls(browser, integration):
    integration.ask()
    assert browser.get("/navpage.do").status_code == 302
    refused = browser.rest("POST", "incident", json={"short_description": "x"})
    assert refused.status_code == 401
    token = refused.headers["X-UserToken-Response"]
    assert browser.rest("POST", "incident", token, json={"short_description": "x"}).status_code == 201
    database = integration.instance.database
    (entry,) = database.find("oauth_entity", client_id="app")
    database.update("oauth_entity", entry["sys_id"], {"scope_restriction_status": "restricted"})
    assert integration.status == 200


def _caller(browser, **headers):
    """A client of its own that keeps cookies."""
    return TestClient(browser.client.app, headers=headers)


def _roles_seen(client, **more):
    """Whether somebody with itil reads incidents; None when the call is refused."""
    answer = client.get("/api/now/table/sys_user?sysparm_limit=1&sysparm_fields=failed_attempts", **more)
    return None if answer.status_code == 401 else "failed_attempts" in answer.json()["result"][0]


@pytest.mark.claim("session-of-calls")
def test_a_client_that_keeps_cookies_keeps_its_roles(browser, instance, person):
    ann = person("ann")
    ways = {"auth": ("ann", "sesame")}
    instance.configure({"api_sessions": "kept"})
    client = _caller(browser)
    assert _roles_seen(client, **ways) is False
    grant(instance, ann["sys_id"], "user_admin")
    assert _roles_seen(client, **ways) is False
    assert _roles_seen(client) is False  # the cookie alone
    assert client.post("/api/now/table/incident", json={}).status_code == 401
    assert client.get("/navpage.do", follow_redirects=False).status_code == 302
    assert _roles_seen(_caller(browser), **ways) is True
    client.cookies.clear()
    assert _roles_seen(client, **ways) is True


@pytest.mark.claim("session-of-calls")
def test_as_it_starts_the_cookies_of_calls_are_decoration(browser, instance, person):
    ann = person("ann")
    client = _caller(browser)
    assert _roles_seen(client, auth=("ann", "sesame")) is False
    assert "JSESSIONID" in client.cookies
    assert _roles_seen(client) is None
    grant(instance, ann["sys_id"], "user_admin")
    assert _roles_seen(client, auth=("ann", "sesame")) is True


@pytest.mark.claim("session-calls-timeout")
def test_a_session_of_calls_ends_unused(browser, instance, person):
    person("ann")
    instance.configure({"api_sessions": "kept"})
    instance.clock.freeze(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    client = _caller(browser)
    _roles_seen(client, auth=("ann", "sesame"))
    instance.clock.advance(29 * 60)
    assert _roles_seen(client) is False
    instance.set_property("glide.integration.session_timeout", "5")
    instance.clock.advance(4 * 60)
    assert _roles_seen(client) is False
    instance.clock.advance(5 * 60)
    assert _roles_seen(client) is None


@pytest.mark.claim("session-life-span")
def test_a_session_lasts_no_longer_than_it_may(browser, instance, person):
    person("ann")
    instance.configure({"api_sessions": "kept"})
    instance.clock.freeze(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    instance.set_property("glide.ui.active.session.life_span", "40")
    instance.set_property("glide.integrations.active.session.life_span", "20")
    client = _caller(browser)

    def pass_by(minutes):
        for _ in range(minutes // 10):
            instance.clock.advance(600)
            seen = (browser.logged_in, _roles_seen(client) is not None)
        return seen

    browser.log_in("ann")
    _roles_seen(client, auth=("ann", "sesame"))
    assert pass_by(60) == (True, True)
    instance.set_property("glide.active.session.timeout.invalidate.session", "true")
    assert pass_by(10) == (False, False)
    browser.log_in("ann")
    _roles_seen(client, auth=("ann", "sesame"))
    assert pass_by(10) == (True, True)
    assert pass_by(20) == (True, False)
    assert pass_by(10) == (False, False)


@pytest.mark.claim("basic-restriction-guarded")
@pytest.mark.claim("basic-restriction-exceptions-hidden")
def test_an_elevated_session_manages_the_restriction(browser, instance, person):
    person("root", "admin", "security_admin")
    browser.log_in("root")
    token = browser.ask_token()
    name = "glide.authenticate.basic_auth.restriction.enforce"
    property_of = instance.database.first("sys_properties", name=name)["sys_id"]

    def tries():
        written = browser.rest("PATCH", f"sys_properties/{property_of}", token, json={"value": "true"})
        return written.status_code, browser.rest("GET", "sys_user_basic_auth_exception", token).status_code

    assert tries() == (403, 403)
    browser.post("/elevated_role_dialog.do", {"sysparm_ck": token, "security_admin": "true"})
    assert tries() == (200, 200)
    browser.post("/elevated_role_dialog.do", {"sysparm_ck": token})
    assert tries() == (403, 403)
