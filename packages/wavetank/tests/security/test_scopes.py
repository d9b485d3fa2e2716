"""Which APIs a token reaches."""

import base64

import pytest

UNSCOPED = "Access to unscoped api is not allowed"
MISSING = "Missing required api access scope: {}"


class Caller:
    """One client of an instance with a running token."""

    def __init__(self, scene, door, status, name="app"):
        self._scene, self._door = scene, door
        secret = scene.instance.seal.seal("s3cret")
        row = {"name": name, "client_id": name, "client_secret": secret, "active": "true"}
        self.entity = scene.add("oauth_entity", scope_restriction_status=status, **row)
        if not scene.database.first("sys_user", user_name="ada"):
            scene.user("ada")
        form = {"grant_type": "password", "client_id": name, "client_secret": "s3cret"}
        self._token = door.token(**form, username="ada", password="sesame").body["access_token"]

    def add(self, scope):
        values = {"oauth_entity": self.entity, "auth_scope": scope}
        self._scene.add("oauth_entity_auth_scope_mapping", **values)

    def ask(self, method="GET", path="/api/now/table/incident", **headers):
        """ "" when the call passes, else the detail of the 403."""
        answer = self._door.ask(method, path, authorization=f"Bearer {self._token}", **headers)
        if (
            answer.status == 405
            or answer.status < 400
            or answer.body["error"]["message"].startswith("Requested")
        ):
            return ""
        assert (answer.status, answer.body["error"]["message"]) == (403, "User Not Authorized")
        assert answer.headers["x-is-logged-in"] == "true"
        return answer.body["error"]["detail"]


@pytest.fixture
def caller(scene, door):
    return lambda status, name="app": Caller(scene, door, status, name)


@pytest.fixture
def account(scene):
    return scene.database.first("sys_auth_scope", name="useraccount")["sys_id"]


@pytest.fixture
def bind(scene):
    """Binds the table API to a new scope, narrowed as asked; the scope."""

    def make(name, **narrowed):
        scope = scene.add("sys_auth_scope", name=name)
        every = {f"apply_all_{part}": "true" for part in ("methods", "resources", "versions")}
        row = {"auth_scope": scope, "api_path": "now/table", "active": "true", **every, **narrowed}
        scene.add("sys_api_access_scope", **row)
        return scope

    return make


@pytest.mark.claim("oauth-scope-restriction")
@pytest.mark.parametrize("status", ["restricted", "useraccount"])
def test_an_api_without_a_scope_is_closed_to_a_scoped_client(scene, caller, status):
    app = caller(status)
    assert app.ask() == UNSCOPED
    assert app.ask("POST") == UNSCOPED
    scene.database.update("oauth_entity", app.entity, {"scope_restriction_status": "unrestricted"})
    assert app.ask() == ""
    assert caller("", "blank").ask() == ""


@pytest.mark.claim("oauth-scope-runtime")
def test_a_scope_given_or_taken_counts_for_tokens_that_are_out(scene, caller, account):
    app = caller("restricted")
    assert app.ask() == UNSCOPED
    app.add(account)
    assert app.ask() == ""
    (row,) = scene.database.find("oauth_entity_auth_scope_mapping")
    scene.database.delete("oauth_entity_auth_scope_mapping", row["sys_id"])
    assert app.ask() == UNSCOPED


@pytest.mark.claim("oauth-scope-bound")
def test_a_bound_api_is_closed_to_whoever_lacks_the_scope(scene, caller, bind):
    broad, scoped = caller("unrestricted", "broad"), caller("restricted", "scoped")
    assert broad.ask() == ""
    first = bind("first")
    assert broad.ask() == scoped.ask() == MISSING.format("first")
    broad.add(first)
    assert (broad.ask(), scoped.ask()) == ("", MISSING.format("first"))
    second = bind("second")
    assert (broad.ask(), scoped.ask()) == ("", MISSING.format("first, second"))
    scoped.add(second)
    assert scoped.ask() == ""
    assert broad.ask(path="/api/now/stats/incident") == ""
    assert scoped.ask(path="/api/now/stats/incident") == UNSCOPED
    for row in scene.database.find("sys_api_access_scope"):
        scene.database.update("sys_api_access_scope", row["sys_id"], {"active": "false"})
    assert scoped.ask() == UNSCOPED


@pytest.mark.claim("oauth-scope-per-method")
def test_a_binding_may_be_narrow(caller, bind):
    app = caller("restricted")
    app.add(bind("reading", apply_all_methods="false", http_method="GET"))
    assert (app.ask(), app.ask("POST")) == ("", UNSCOPED)
    app.add(
        bind(
            "one",
            apply_all_methods="false",
            http_method="POST",
            apply_all_resources="false",
            resource="now/table/{table}",
        )
    )
    assert (app.ask("POST"), app.ask("POST", "/api/now/table/incident/x")) == ("", UNSCOPED)
    app.add(
        bind(
            "second",
            apply_all_methods="false",
            http_method="DELETE",
            apply_all_versions="false",
            version="v2",
        )
    )
    assert app.ask("DELETE", "/api/now/v2/table/incident") == ""
    assert app.ask("DELETE") == UNSCOPED
    assert app.ask("GET", "/api/now/tables") == UNSCOPED


@pytest.mark.claim("oauth-scope-useraccount")
def test_the_scope_of_the_whole_account_opens_every_api(scene, caller, bind, account):
    bind("other")
    app = caller("restricted")
    app.add(account)
    assert (app.ask(), app.ask(path="/api/now/stats/incident")) == ("", "")
    named = scene.add("sys_auth_scope", name="useraccount")
    later = caller("restricted", "later")
    later.add(named)
    assert later.ask() == MISSING.format("other")
    scene.instance.set_property("glide.oauth.token.scope.useraccount", named)
    assert (later.ask(), app.ask()) == ("", MISSING.format("other"))


@pytest.mark.claim("oauth-scope-useraccount-scoped")
def test_whether_useraccount_scoped_clients_use_it_is_a_setting(scene, caller, account):
    scoped, narrow = caller("useraccount", "scoped"), caller("restricted", "narrow")
    for app in (scoped, narrow):
        app.add(account)
        assert app.ask() == ""
    scene.instance.settings.update({"useraccount_scope": "refused"})
    assert (scoped.ask(), narrow.ask()) == (UNSCOPED, "")


@pytest.mark.claim("oauth-scope-token-only")
def test_other_callers_have_no_scopes(scene, door, bind):
    bind("first")
    scene.user("ada")
    basic = "Basic " + base64.b64encode(b"ada:sesame").decode()
    assert door.ask("GET", "/api/now/table/incident", authorization=basic).status == 200


@pytest.mark.claim("oauth-scope-properties")
def test_properties_end_the_check(scene, caller, bind):
    app = caller("restricted")
    scene.instance.set_property("glide.security.oauth_allow_unscoped_clients", "true")
    assert app.ask() == ""
    bind("first")
    assert app.ask() == MISSING.format("first")
    scene.instance.set_property("com.glide.rest.api.auth.scope.check.enable", "false")
    assert app.ask() == ""


def test_the_path_of_a_binding_follows_its_api(scene):
    from wavetank.behaviour import pipeline
    from wavetank.security.policies import TABLE_API

    row = pipeline.insert(scene.instance, None, "sys_api_access_scope", {"api": TABLE_API})
    assert row["api_path"] == "now/table"


@pytest.mark.claim("oauth-scope-per-method")
def test_the_method_that_is_meant_needs_the_scope(caller, bind):
    app = caller("unrestricted")
    read = bind("read", apply_all_methods="false", http_method="GET")
    bind("erase", apply_all_methods="false", http_method="DELETE")
    app.add(read)
    assert app.ask("POST") == ""
    assert app.ask("POST", x_http_method_override="delete") == MISSING.format("erase")
    assert app.ask("HEAD") == ""


def test_a_head_request_is_a_get(caller, bind):
    bind("read", apply_all_methods="false", http_method="GET")
    assert caller("unrestricted").ask("HEAD") == MISSING.format("read")


def test_a_mapping_without_a_scope_opens_nothing(scene, caller, bind):
    bind("first")
    app = caller("unrestricted")
    app.add("")
    scene.instance.set_property("glide.oauth.token.scope.useraccount", "")
    assert app.ask() == MISSING.format("first")
