"""Why a token request fails, which only the system log tells."""

import pytest

from wavetank.security import profiles

DENIED = {"error_description": "access_denied", "error": "server_error"}
CLIENT_GRANT = "glide.oauth.inbound.client.credential.grant_type.enabled"


class App:
    """A registered client "app" with the secret "s3cret", a user "ada" and an application user "svc"."""

    def __init__(self, scene, door):
        self.scene, self.door = scene, door
        secret = scene.instance.seal.seal("s3cret")
        row = {"name": "App", "client_id": "app", "client_secret": secret, "active": "true"}
        self.svc = scene.user("svc", web_service_access_only="true")
        self.entry = scene.add("oauth_entity", user=self.svc, **row)
        self.ada = scene.user("ada")
        scene.instance.set_property(CLIENT_GRANT, "true")

    def change(self, **values):
        self.scene.database.update("oauth_entity", self.entry, values)

    def password(self, **form):
        return self._ask({"grant_type": "password", "username": "ada", "password": "sesame", **form})

    def client(self, **form):
        return self._ask({"grant_type": "client_credentials", **form})

    def _ask(self, form):
        return self.door.token(**{"client_id": "app", "client_secret": "s3cret", **form})

    def cause(self, answer, error=None):
        """The error word of the cause, after checking that the caller is told nothing."""
        assert (answer.status, answer.body) == (401, error or DENIED)
        (*_, row) = self.scene.database.select("syslog", "sourceLIKEtoken flow")
        prefix = "Exception on token flow - "
        assert row["message"].startswith(prefix)
        assert "s3cret" not in row["message"]
        assert "sesame" not in row["message"]
        return row["message"].removeprefix(prefix)


@pytest.fixture
def app(scene, door):
    return App(scene, door)


@pytest.mark.claim("oauth-cause-logged")
def test_the_log_tells_the_cause_and_the_answer_does_not(scene, app):
    assert app.password().status == 200
    before = scene.database.count("syslog")
    assert app.cause(app.password(client_secret="wrong")).startswith("invalid_client: client_secret")
    assert scene.database.count("syslog") == before + 1
    assert app.cause(app.password(client_id="nobody")).startswith("invalid_client: 'nobody' is unknown")
    assert app.cause(app.password(password="wrong")).startswith("invalid_user")
    assert app.cause(app.password(scope="other")) == "invalid_scope: other"
    assert app.cause(app.password(grant_type="refresh_token", refresh_token="x")).startswith("invalid_token")
    assert app.cause(app.password(grant_type="authorization_code")).startswith("invalid_grant")
    scene.instance.set_property(CLIENT_GRANT, "false")
    assert CLIENT_GRANT in app.cause(app.client())
    scene.instance.set_property(CLIENT_GRANT, "true")
    app.change(user="")
    assert "no OAuth application user" in app.cause(app.client())
    app.change(client_secret="{sealed}by another instance")
    assert "another instance" in app.cause(app.client())


@pytest.mark.claim("oauth-cause-logged")
def test_a_form_of_another_kind_has_a_cause_too(app, door):
    answer = door.ask("POST", "/oauth_token.do", b"{}", content_type="application/json")
    assert app.cause(answer).startswith("unspecified")


@pytest.mark.claim("oauth-unsupported-grant")
@pytest.mark.parametrize("kind", ["device_code", "Password", "", "implicit"])
def test_a_grant_that_does_not_exist_is_told(app, kind):
    told = {"error": "unsupported_grant_type", "error_description": "unsupported_grant_type"}
    assert app.cause(app.password(grant_type=kind), told).startswith("unsupported_grant_type")


@pytest.mark.claim("oauth-secret-exact")
@pytest.mark.parametrize("secret", ["s3cret ", " s3cret", "s3cret\n", "S3CRET"])
def test_a_secret_is_compared_as_it_is(app, secret):
    assert app.cause(app.password(client_secret=secret)).startswith("invalid_client: client_secret")


@pytest.mark.claim("oauth-secret-exact")
def test_a_blank_that_was_registered_belongs_to_the_secret(scene, app):
    app.change(client_secret=scene.instance.seal.seal("s3cret "))
    assert (app.password(client_secret="s3cret ").status, app.password().status) == (200, 401)


@pytest.mark.claim("oauth-inbound-grant-type")
@pytest.mark.parametrize(
    ("named", "password", "client"),
    [
        ("", 200, 200),
        ("multiple", 200, 200),
        ("ropc", 200, 401),
        ("client_credential", 401, 200),
        ("authz_code", 401, 401),
        ("jwt", 401, 401),
    ],
)
def test_the_inbound_grant_type_closes_the_other_grants(scene, app, named, password, client):
    app.change(inbound_grant_type=named)
    assert (app.password().status, app.client().status) == (password, client)
    if password == 401:
        assert app.cause(app.password()).startswith("unauthorized_client")
    scene.instance.configure({"inbound_grant_type": "ignored"})
    assert (app.password().status, app.client().status) == (200, 200)


def test_refreshing_is_open_whatever_the_inbound_grant_type(app):
    app.change(inbound_grant_type="ropc")
    refresh = app.password().body["refresh_token"]
    assert app.password(grant_type="refresh_token", refresh_token=refresh).status == 200


@pytest.mark.claim("oauth-password-machine")
@pytest.mark.parametrize("flag", ["web_service_access_only", "internal_integration_user"])
def test_a_machine_may_use_its_password(scene, app, flag):
    scene.user("bot", **{flag: "true"})
    assert app.password(username="bot").status == 200
    scene.instance.configure({"ropc_machine_users": "refused"})
    assert "no interactive sessions" in app.cause(app.password(username="bot"))
    assert app.password().status == 200


@pytest.mark.claim("oauth-client-credentials-profile")
def test_a_profile_and_the_default_grant_may_be_needed(scene, app):
    scene.instance.configure({"client_credentials_profile": "needed"})
    assert "no profile" in app.cause(app.client())
    scene.add(profiles.PROFILES, oauth_entity=app.entry, grant_type="client_credentials", default="true")
    assert app.client().status == 200
    app.change(default_grant_type="authorization_code")
    assert "default grant type" in app.cause(app.client())
    app.change(default_grant_type="client_credentials")
    assert app.client().status == 200


@pytest.mark.claim("oauth-classic-scope")
@pytest.mark.claim("oauth-answer-scope")
def test_the_scopes_of_the_entry_may_be_asked_for(scene, app):
    scene.add(profiles.SCOPES, oauth_entity=app.entry, name="Read", oauth_entity_scope="incident.read")
    scene.add(profiles.SCOPES, oauth_entity="another", name="Theirs", oauth_entity_scope="theirs")
    first = app.password(scope="incident.read useraccount")
    assert (first.status, first.body["scope"]) == (200, "incident.read useraccount")
    assert app.password().body["scope"] == "useraccount"
    assert app.cause(app.password(scope="incident.read theirs")) == "invalid_scope: theirs"
    again = app.password(grant_type="refresh_token", refresh_token=first.body["refresh_token"])
    assert again.body["scope"] == "incident.read useraccount"


@pytest.mark.claim("oauth-answer-scope")
def test_authentication_scopes_are_named_in_the_answer(scene, app):
    for name in ("write", "read"):
        scope = scene.add("sys_auth_scope", name=name)
        scene.add("oauth_entity_auth_scope_mapping", oauth_entity=app.entry, auth_scope=scope)
    assert app.client().body["scope"] == "read write"
    # They are another list than the one that the parameter is checked against.
    assert app.cause(app.client(scope="read")) == "invalid_scope: read"


@pytest.mark.claim("oauth-profile-scopes")
def test_a_profile_narrows_the_scopes_and_a_broken_link_fails_all(scene, app):
    kept = scene.add(profiles.SCOPES, oauth_entity=app.entry, name="kept")
    scene.add(profiles.SCOPES, oauth_entity=app.entry, name="other")
    profile = scene.add(
        profiles.PROFILES, oauth_entity=app.entry, grant_type="client_credentials", default="true"
    )
    assert app.client(scope="kept other").status == 200
    scene.add(profiles.LINKS, oauth_entity_profile=profile, oauth_entity_scope=kept)
    assert app.client(scope="kept").status == 200
    assert app.cause(app.client(scope="other")) == "invalid_scope: other"
    assert app.password(scope="other").status == 200
    scene.database.delete(profiles.SCOPES, kept)
    assert app.cause(app.client()) == "invalid_scope: The provided OAuth token is not valid"


@pytest.mark.claim("oauth-managed-by")
@pytest.mark.parametrize("role", ["oauth_admin", "mi_admin", "admin", "itil"])
def test_the_roles_that_manage(scene, role):
    access = scene.instance.access
    session = scene.session("manager", role)
    tables = ("oauth_entity", "oauth_jwt", "oauth_entity_profile", "oauth_entity_scope", "jwt_verifier_map")
    may = {
        (table, operation): access.table(session, operation, table)
        for table in (*tables, "oauth_oidc_entity", "oidc_provider_configuration", "oauth_jwt_claims")
        for operation in ("create", "read", "write", "delete")
    }
    assert set(may.values()) == {role != "itil"}, may
