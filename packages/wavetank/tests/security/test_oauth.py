import base64
from datetime import UTC, datetime

import pytest

from wavetank.security import one_time

DENIED = {"error_description": "access_denied", "error": "server_error"}
CLIENT_GRANT = "glide.oauth.inbound.client.credential.grant_type.enabled"


@pytest.fixture
def client(scene):
    """A registered client "app" with the secret "s3cret"; answers its row."""

    def register(**values):
        secret = scene.instance.seal.seal("s3cret")
        row = {"name": "App", "client_id": "app", "client_secret": secret, "active": "true", **values}
        return scene.database.get("oauth_entity", scene.add("oauth_entity", **row))

    return register


def _password(door, **form):
    known = {"grant_type": "password", "client_id": "app", "client_secret": "s3cret"}
    return door.token(**{**known, "username": "ada", "password": "sesame", **form})


def _whoami(door, token, method="GET", table="incident"):
    return door.ask(method, f"/api/now/table/{table}", authorization=f"Bearer {token}")


@pytest.mark.claim("oauth-password-grant")
def test_the_password_grant_issues_tokens_that_work(scene, client, door):
    client()
    scene.user("ada")
    answer = _password(door)
    assert answer.status == 200
    assert set(answer.body) == {"access_token", "refresh_token", "scope", "token_type", "expires_in"}
    assert (answer.body["token_type"], answer.body["scope"]) == ("Bearer", "useraccount")
    assert answer.body["expires_in"] == 1799
    assert _whoami(door, answer.body["access_token"]).body == {"result": ["ada", "oauth_password"]}
    assert _whoami(door, answer.body["refresh_token"]).status == 401


@pytest.mark.claim("oauth-client-credentials")
def test_client_credentials_run_as_the_application_user(scene, client, door):
    client(user=scene.user("svc", web_service_access_only="true"))
    form = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "s3cret"}
    assert (door.token(**form).status, door.token(**form).body) == (401, DENIED)
    scene.instance.set_property(CLIENT_GRANT, "true")
    answer = door.token(**form)
    assert answer.status == 200
    assert "refresh_token" not in answer.body
    assert _whoami(door, answer.body["access_token"]).body == {"result": ["svc", "oauth_client"]}


def test_client_credentials_need_an_application_user(scene, client, door):
    client()
    scene.instance.set_property(CLIENT_GRANT, "true")
    answer = door.token(grant_type="client_credentials", client_id="app", client_secret="s3cret")
    assert (answer.status, answer.body) == (401, DENIED)


@pytest.mark.claim("oauth-token-reuse")
def test_a_running_token_is_issued_again_with_what_is_left_of_it(scene, client, door):
    client()
    scene.user("ada")
    scene.instance.clock.freeze()
    first = _password(door).body
    scene.instance.clock.advance(600)
    again = _password(door).body
    assert again["access_token"] == first["access_token"]
    assert again["expires_in"] == first["expires_in"] - 600
    scene.instance.clock.advance(1201)
    later = _password(door).body
    assert later["access_token"] != first["access_token"]
    assert later["refresh_token"] == first["refresh_token"]
    assert _whoami(door, first["access_token"]).status == 401
    assert _whoami(door, later["access_token"]).status == 200


@pytest.mark.claim("oauth-refresh")
def test_a_refresh_token_gives_a_new_access_token(scene, client, door):
    client()
    scene.user("ada")
    first = _password(door).body
    scene.instance.clock.advance(1900)
    form = {"client_id": "app", "client_secret": "s3cret", "refresh_token": first["refresh_token"]}
    second = door.token(grant_type="refresh_token", **form).body
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] == first["refresh_token"]
    assert _whoami(door, second["access_token"]).status == 200


def test_a_refresh_token_is_its_clients_own(scene, client, door):
    client()
    client(client_id="other")
    scene.user("ada")
    token = _password(door).body["refresh_token"]
    form = {"grant_type": "refresh_token", "client_secret": "s3cret", "refresh_token": token}
    assert door.token(client_id="other", **form).status == 401
    assert door.token(client_id="app", **form).status == 200


@pytest.mark.claim("oauth-masked-errors")
@pytest.mark.parametrize(
    "wrong",
    [
        {"client_secret": "wrong"},
        {"client_id": "APP"},
        {"client_id": "nobody"},
        {"username": "nobody"},
        {"password": "wrong"},
        {"password": "sesame "},
        {"scope": "no_such_scope"},
        {"username": "off"},
        {"username": "locked"},
        {"username": "reset"},
    ],
)
def test_every_cause_looks_the_same(scene, client, door, wrong):
    client()
    scene.user("ada")
    scene.user("off", active="false")
    scene.user("locked", locked_out="true")
    scene.user("reset", password_needs_reset="true")
    answer = _password(door, **wrong)
    assert (answer.status, answer.body) == (401, DENIED)


def test_an_inactive_client_and_a_switched_off_grant_are_denied(scene, client, door):
    entity = client()
    scene.user("ada")
    scene.instance.set_property("glide.oauth.inbound.ropc.grant_type.disabled", "true")
    assert _password(door).status == 401
    scene.instance.set_property("glide.oauth.inbound.ropc.grant_type.disabled", "false")
    assert _password(door).status == 200
    scene.database.update("oauth_entity", entity["sys_id"], {"active": "false"})
    assert _password(door).status == 401


@pytest.mark.claim("oauth-form-only")
def test_parameters_come_in_the_form(scene, client, door):
    client()
    scene.user("ada")
    query = "grant_type=password&client_id=app&client_secret=s3cret&username=ada&password=sesame"
    assert door.token(query=query).status == 200
    scene.instance.set_property("glide.oauth.allow.parameters.in.post.body.only", "true")
    assert door.token(query=query).status == 401
    json_form = door.ask("POST", "/oauth_token.do", b"{}", content_type="application/json")
    assert (json_form.status, json_form.body) == (401, DENIED)


@pytest.mark.claim("oauth-client-basic")
def test_the_client_may_prove_itself_in_a_basic_header(scene, client, door):
    client()
    scene.user("ada")
    basic = {"authorization": "Basic " + base64.b64encode(b"app:s3cret").decode()}
    form = {"grant_type": "password", "username": "ada", "password": "sesame"}
    assert door.token(headers=basic, **form).status == 200
    scene.instance.configure({"oauth_client_basic": "refuse"})
    assert door.token(headers=basic, **form).status == 401


@pytest.mark.claim("oauth-revoke")
def test_revoking_needs_no_authentication_and_ends_the_token(scene, client, door):
    client()
    scene.user("ada")
    token = _password(door).body["access_token"]
    assert len(scene.database.find("oauth_credential")) == 2
    assert door.ask("GET", "/oauth_revoke_token.do", query=f"token={token}").status == 200
    assert door.ask("GET", "/oauth_revoke_token.do", query="token=unknown").status == 200
    assert _whoami(door, token).status == 401
    now = scene.instance.clock.text()
    rows = scene.database.find("oauth_credential")
    assert {row["type"]: row["expires"] <= now for row in rows} == {
        "access_token": True,
        "refresh_token": False,
    }


@pytest.mark.claim("oauth-credential-cleaned")
def test_credentials_are_rows_without_the_token_and_stay_until_a_job_cleans_up(scene, client, door):
    client()
    ada = scene.user("ada")
    token = _password(door).body["access_token"]
    rows = scene.database.find("oauth_credential", type="access_token")
    assert [row["user"] for row in rows] == [ada]
    assert all(token not in row.values() for row in rows)
    scene.instance.clock.freeze()
    scene.instance.clock.advance(1801)
    assert len(scene.database.find("oauth_credential", type="access_token")) == 1
    assert _whoami(door, token).status == 401
    scene.instance.clock.advance(3600)
    assert [row["type"] for row in scene.database.find("oauth_credential")] == ["refresh_token"]


def test_tokens_outlive_a_restart(scene, client, door):
    client()
    scene.user("ada")
    token = _password(door).body["access_token"]
    scene.instance.identity.tokens.reload()
    assert _whoami(door, token).body == {"result": ["ada", "oauth_password"]}


@pytest.mark.claim("ws-access")
def test_a_table_closed_to_web_services_is_refused_at_the_api(scene, door):
    scene.user("root", "admin")
    basic = "Basic " + base64.b64encode(b"root:sesame").decode()
    assert door.ask("GET", "/api/now/table/incident", authorization=basic).status == 200
    row = scene.database.first("sys_db_object", name="incident")
    scene.database.update("sys_db_object", row["sys_id"], {"ws_access": "false"})
    refused = door.ask("GET", "/api/now/table/incident", authorization=basic)
    assert refused.status == 403
    assert refused.body["error"]["detail"] == "Failed API level ACL Validation"


def test_a_form_that_is_no_text_is_refused_like_any_other(door):
    answer = door.ask("POST", "/oauth_token.do", b"grant_type=password&client_id=\xff")
    assert answer.status == 401
    assert answer.body == {"error_description": "access_denied", "error": "server_error"}


@pytest.mark.claim("oauth-credential-deleted")
def test_a_token_ends_with_its_record(scene, client, door):
    client()
    scene.user("ada")
    first = _password(door).body
    assert _whoami(door, first["access_token"]).status == 200
    (row,) = scene.database.find("oauth_credential", type="access_token")
    scene.database.delete("oauth_credential", row["sys_id"])
    assert _whoami(door, first["access_token"]).status == 401
    again = _password(door).body
    assert again["access_token"] != first["access_token"]
    assert again["refresh_token"] == first["refresh_token"]
    assert _whoami(door, again["access_token"]).status == 200


@pytest.mark.claim("auth-needs-reset")
def test_a_running_token_waits_for_a_mandatory_password_change(scene, client, door):
    client()
    user = scene.user("ada")
    token = _password(door).body["access_token"]
    scene.database.update("sys_user", user, {"password_needs_reset": "true"})
    assert _whoami(door, token).status == 200
    scene.instance.set_property("glide.authenticate.api.user.reset_password.mandatory", "true")
    assert _whoami(door, token).status == 401


@pytest.mark.claim("oauth-public-client")
def test_a_public_client_needs_its_secret_for_a_password(scene, client, door):
    client(public_client="true")
    scene.user("ada")
    form = {"grant_type": "password", "client_id": "app", "username": "ada", "password": "sesame"}
    assert (door.token(**form).status, door.token(**form).body) == (401, DENIED)
    refresh = _password(door).body["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": refresh}
    assert door.token(**form).status == 200


@pytest.mark.claim("oauth-client-credentials-profile")
def test_whether_client_credentials_need_a_profile_is_a_setting(scene, client, door):
    entity = client(user=scene.user("svc"))["sys_id"]
    scene.instance.set_property(CLIENT_GRANT, "true")
    form = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "s3cret"}
    assert door.token(**form).status == 200
    scene.instance.configure({"client_credentials_profile": "needed"})
    assert door.token(**form).status == 401
    scene.add("oauth_entity_profile", oauth_entity=entity, grant_type="client_credentials")
    assert door.token(**form).status == 200


def test_a_body_beyond_all_bounds_is_not_read(door, monkeypatch):
    monkeypatch.setattr("wavetank.front.MAX_BODY", 100)
    assert door.ask("POST", "/oauth_token.do", b"x" * 100).status == 401
    assert door.ask("POST", "/oauth_token.do", b"x" * 101).status == 413


def test_no_token_counts_while_oauth_is_switched_off(scene, client, door):
    client()
    scene.user("ada")
    token = _password(door).body["access_token"]
    scene.instance.set_property("com.snc.platform.security.oauth.is.active", "false")
    assert (_password(door).status, _whoami(door, token).status) == (401, 401)
    scene.instance.set_property("com.snc.platform.security.oauth.is.active", "true")
    assert _whoami(door, token).status == 200


@pytest.mark.claim("oauth-token-in-address")
def test_a_token_may_come_in_the_address(scene, client, door):
    client()
    scene.user("ada")
    scene.user("eve")
    token = _password(door).body["access_token"]
    query = f"sysparm_limit=1&access_token={token}"
    answer = door.ask("GET", "/api/now/table/incident", query=query)
    assert (answer.status, answer.body["result"]) == (200, ["ada", "oauth_password"])
    assert scene.instance.requests.since()[-1]["query"] == "sysparm_limit=1"
    assert door.ask("GET", "/api/now/table/incident", query="access_token=unknown").status == 401
    assert door.ask("GET", "/api/now/table/incident", query="access_token=").status == 401
    basic = "Basic " + base64.b64encode(b"eve:sesame").decode()
    both = door.ask("GET", "/api/now/table/incident", query=query, authorization=basic)
    assert both.body["result"] == ["eve", "basic"]


@pytest.mark.claim("oauth-password-code")
def test_a_password_may_need_a_code(scene, client, door):
    client()
    secret = base64.b32encode(b"12345678901234567890").decode()
    sealed = scene.instance.seal.seal(secret)
    scene.add(one_time.TABLE, user=scene.user("ada"), multifactor_secret=sealed, validated="true")
    assert _password(door).status == 200
    scene.instance.set_property(one_time.FOR_INTEGRATIONS, "true")
    answer = _password(door)
    assert (answer.status, answer.body) == (401, DENIED)
    (*_, row) = scene.database.select("syslog", "sourceLIKEtoken flow")
    assert "one-time code" in row["message"]
    code = one_time.code(secret, scene.instance.clock.seconds())
    assert _password(door, password=f"sesame{code}").status == 200


@pytest.mark.claim("oauth-lifespans")
@pytest.mark.parametrize(("text", "seconds"), [("60", 60), ("", 1800), ("soon", 1800), ("-1", 1800)])
def test_the_registry_entry_says_how_long_an_access_token_runs(scene, client, door, text, seconds):
    client(access_token_lifespan=text)
    scene.user("ada")
    scene.instance.clock.freeze(datetime(2026, 3, 1, tzinfo=UTC))
    body = _password(door).body
    assert body["expires_in"] == seconds - 1
    scene.instance.clock.advance(seconds - 1)
    assert _whoami(door, body["access_token"]).status == 200
    scene.instance.clock.advance(1)
    assert _whoami(door, body["access_token"]).status == 401


@pytest.mark.claim("oauth-lifespans")
def test_the_registry_entry_says_how_long_a_refresh_token_runs(scene, client, door):
    client(refresh_token_lifespan="3600")
    scene.user("ada")
    scene.instance.clock.freeze(datetime(2026, 3, 1, tzinfo=UTC))
    form = {"grant_type": "refresh_token", "client_id": "app", "client_secret": "s3cret"}
    token = _password(door).body["refresh_token"]
    scene.instance.clock.advance(3599)
    # Using it does not make it run longer.
    assert door.token(**form, refresh_token=token).status == 200
    scene.instance.clock.advance(1)
    assert door.token(**form, refresh_token=token).status == 401
