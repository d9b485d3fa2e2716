"""API keys and the access policies that let them in, over the front door."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from wavetank.clock import FORMAT
from wavetank.database.shipped import sys_id_for
from wavetank.security import keys, plugins
from wavetank.security.passwords import Seal
from wavetank.security.policies import AGGREGATE_API, TABLE_API

BASIC, BEARER = 'BASIC realm="Service-now"', 'BEARER realm="Service-now"'
HEADER = sys_id_for("sys_token_auth_parameter", "auth_header")
QUERY = sys_id_for("sys_token_auth_parameter", "query_parameter")
BASIC_PROFILE = sys_id_for("std_http_auth", "basic_auth")
OAUTH_PROFILE = sys_id_for("std_http_auth", "oauth")
SAID = {"message": "User is not authenticated", "detail": "Required to provide Auth information"}


@dataclass
class Keys:
    """Short words for what these tests lay out past every rule."""

    scene: Any
    door: Any

    def key(self, user: str, **values: str) -> str:
        """A key of a user; its token."""
        token = f"now_{user}_{len(self.scene.database.find('api_key'))}"
        sealed = self.scene.instance.seal.seal(token)
        row = {"name": user, "active": "true", **values}
        self.scene.add("api_key", user=self.id_of(user), token=sealed, **row)
        return token

    def id_of(self, user: str) -> str:
        row = self.scene.database.first("sys_user", user_name=user)
        return str(row["sys_id"]) if row else str(self.scene.user(user, web_service_access_only="true"))

    def profile(self, parameter: str = HEADER, **values: str) -> str:
        row = {"name": "Key", "active": "true", **values}
        return str(self.scene.add("http_key_auth", auth_parameter=parameter, **row))

    def policy(self, *profiles: str, **values: str) -> str:
        """An active policy on the whole Table API with profiles mapped to it, in this order."""
        every = dict.fromkeys(("methods", "resources", "versions", "tables"), "true")
        row = {"name": "P", "active": "true", "api": TABLE_API, "api_path": "now/table"}
        row |= {f"apply_all_{name}": yes for name, yes in every.items()}
        policy = str(self.scene.add("sys_api_access_policy", **{**row, **values}))
        for profile in profiles:
            self.scene.add("sys_auth_profile_mapping", api_access_policy=policy, inbound_auth_profile=profile)
        return policy

    def token(self, **values: str) -> tuple[str, dict[str, str]]:
        """A registered client, and the header with a token it was issued."""
        secret = self.scene.instance.seal.seal("s")
        row = {"name": "App", "client_id": "app", "client_secret": secret, "active": "true", **values}
        client = self.scene.add("oauth_entity", **row)
        self.scene.user("ada")
        form = {"grant_type": "password", "client_id": "app", "client_secret": "s"}
        issued = self.door.token(**form, username="ada", password="sesame").body["access_token"]
        return client, {"authorization": f"Bearer {issued}"}

    def ask(self, token: str = "", path: str = "table/incident", method: str = "GET", **headers: str) -> Any:
        known = {"x_sn_apikey": token} if token else {}
        return self.door.ask(method, f"/api/now/{path}", **known, **headers)


@pytest.fixture
def api(scene: Any, door: Any) -> Keys:
    return Keys(scene, door)


@pytest.fixture
def basic() -> Callable[..., Mapping[str, str]]:
    import base64

    def header(user: str, password: str = "sesame") -> Mapping[str, str]:
        return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

    return header


@pytest.mark.claim("api-key-runs-as-user")
def test_a_key_runs_as_its_user(api):
    token = api.key("svc")
    api.policy(api.profile())
    answer = api.ask(token)
    assert (answer.status, answer.body) == (200, {"result": ["svc", "api_key"]})
    assert answer.headers["x-is-logged-in"] == "true"
    logged = api.scene.instance.requests.since()[-1]
    assert (logged["user"], logged["scheme"]) == ("svc", "api_key")


@pytest.mark.claim("api-key-needs-policy")
def test_a_key_without_a_policy_that_maps_a_key_profile_is_not_looked_at(api):
    token = api.key("svc")
    assert api.ask(token).status == 401
    api.policy(BASIC_PROFILE)
    assert api.ask(token).status == 401
    inactive = api.policy(api.profile(), active="false")
    assert api.ask(token).status == 401
    for row in api.scene.database.find("sys_api_access_policy", active="true"):
        api.scene.database.delete("sys_api_access_policy", row["sys_id"])
    api.scene.database.update("sys_api_access_policy", inactive, {"active": "true"})
    assert api.ask(token).status == 200


@pytest.mark.claim("api-key-needs-policy")
def test_an_inactive_profile_lets_no_key_in(api):
    token = api.key("svc")
    api.policy(api.profile(active="false"))
    assert api.ask(token).status == 401


@pytest.mark.claim("api-key-refused")
@pytest.mark.parametrize(
    "wrong",
    [
        {"key": {"active": "false"}},
        {"key": {"expires": "2020-01-01 00:00:00"}},
        {"user": {"active": "false"}},
        {"user": {"locked_out": "true"}},
        {"token": "now_nobody"},
    ],
    ids="-".join,
)
def test_a_key_that_is_not_to_be_let_in_is_a_401(api, wrong):
    token = api.key("svc", **wrong.get("key", {}))
    api.scene.database.update("sys_user", api.id_of("svc"), wrong.get("user", {}))
    api.policy(api.profile())
    answer = api.ask(wrong.get("token", token))
    assert (answer.status, answer.body) == (401, {"error": SAID, "status": "failure"})
    assert answer.headers["x-is-logged-in"] == "false"


@pytest.mark.claim("api-key-expires")
def test_a_key_expires_by_the_clock_of_the_instance(api):
    clock = api.scene.instance.clock
    clock.freeze()
    token = api.key("svc", expires=(clock.now() + timedelta(hours=1)).strftime(FORMAT))
    api.policy(api.profile())
    assert api.ask(token).status == 200
    clock.advance(3600)
    assert api.ask(token).status == 401


@pytest.mark.claim("api-key-refusal-words")
def test_the_words_of_the_refusal_are_a_setting(api):
    api.policy(api.profile())
    api.scene.instance.configure({"api_key_refusal": "No such key"})
    assert api.ask("now_nobody").body["error"] == {**SAID, "message": "No such key"}
    assert api.ask().body["error"] == SAID


@pytest.mark.claim("api-key-query")
@pytest.mark.claim("api-key-query-type")
def test_a_key_in_the_address_is_taken_where_the_profile_says_so(api):
    token = api.key("svc")
    header_only = api.policy(api.profile())
    path = "/api/now/table/incident"
    assert api.door.ask("GET", path, query=f"x-sn-apikey={token}").status == 401
    api.scene.database.delete("sys_api_access_policy", header_only)
    api.policy(api.profile(QUERY))
    assert api.ask(token).status == 401
    answer = api.door.ask("GET", path, query=f"a=1&x-sn-apikey={token}&b=2")
    assert (answer.status, answer.body) == (200, {"result": ["svc", "api_key"]})
    logged = api.scene.instance.requests.since()[-1]
    assert (logged["query"], logged["user"]) == ("a=1&b=2", "svc")
    assert api.door.ask("GET", path, query="x-sn-apikey=now_wrong").status == 401


@pytest.mark.claim("api-key-cleanup")
def test_keys_that_are_long_over_are_deleted(api):
    clock, database = api.scene.instance.clock, api.scene.database
    over = (clock.now() + timedelta(days=1)).strftime(FORMAT)
    api.key("svc", expires=over)
    api.key("svc")
    api.scene.add("hmac_secret", name="S", user=api.id_of("svc"), key_id="k", expires=over, active="true")
    api.scene.instance.set_property(keys.SECRETS_KEPT, "9")
    clock.advance(8 * 86400 - 7200)
    assert len(database.find("api_key")) == 2
    clock.advance(5 * 3600)
    assert [row["expires"] for row in database.find("api_key")] == [""]
    assert len(database.find("hmac_secret")) == 1
    api.scene.instance.set_property(keys.CLEANUP, "false")
    clock.advance(5 * 86400)
    assert len(database.find("hmac_secret")) == 1
    api.scene.instance.set_property(keys.CLEANUP, "true")
    clock.advance(7200)
    assert database.find("hmac_secret") == []


@pytest.mark.claim("api-key-runs-as-user")
def test_the_header_is_the_one_the_auth_parameter_names(api):
    token = api.key("svc")
    own = api.scene.add("sys_token_auth_parameter", parameter_name="X-My-Key", type="auth_header")
    api.policy(api.profile(own))
    assert api.ask(token).status == 401
    assert api.ask(x_my_key=token).status == 200


@pytest.mark.claim("api-key-authorization-first")
def test_an_authorization_header_decides_before_a_key(api, basic):
    token = api.key("svc")
    api.policy(api.profile(), BASIC_PROFILE)
    api.scene.user("ada")
    assert api.ask(token, **basic("ada")).body == {"result": ["ada", "basic"]}
    assert api.ask(token, **basic("ada", "wrong")).status == 401


@pytest.mark.claim("policy-allow-list")
def test_only_mapped_ways_work_once_one_is_mapped(api, basic):
    api.scene.user("ada")
    policy = api.policy()
    assert api.ask(**basic("ada")).status == 200
    profile = api.profile()
    api.scene.add("sys_auth_profile_mapping", api_access_policy=policy, inbound_auth_profile=profile)
    assert api.ask(**basic("ada")).status == 401
    user = api.scene.database.first("sys_user", user_name="ada")
    assert user["failed_attempts"] in ("", "0")
    api.scene.add("sys_auth_profile_mapping", api_access_policy=policy, inbound_auth_profile=BASIC_PROFILE)
    assert api.ask(**basic("ada")).status == 200


@pytest.mark.claim("policy-allow-list")
def test_a_token_needs_an_oauth_profile_and_its_registry_entry(api):
    client, bearer = api.token()
    policy = api.policy(BASIC_PROFILE)
    assert api.ask(**bearer).status == 401
    other = api.scene.add(
        "std_http_auth", name="O", type="oauth", oauth_entity=sys_id_for("x"), active="true"
    )
    api.scene.add("sys_auth_profile_mapping", api_access_policy=policy, inbound_auth_profile=other)
    assert api.ask(**bearer).status == 401
    own = api.scene.add("std_http_auth", name="M", type="oauth", oauth_entity=client, active="true")
    api.scene.add("sys_auth_profile_mapping", api_access_policy=policy, inbound_auth_profile=own)
    assert api.ask(**bearer).status == 200


@pytest.mark.claim("policy-token-restriction")
def test_a_restricted_token_is_good_where_a_policy_maps_its_client(api, basic):
    client, bearer = api.token(enforce_token_restrictions="true")
    assert api.ask(**bearer).status == 401
    assert api.ask(**basic("ada")).status == 200
    policy = api.policy()
    assert api.ask(**bearer).status == 401
    own = api.scene.add("std_http_auth", name="M", type="oauth", oauth_entity=client, active="true")
    api.scene.add("sys_auth_profile_mapping", api_access_policy=policy, inbound_auth_profile=own)
    assert api.ask(**bearer).status == 200


@pytest.mark.claim("policy-matches")
@pytest.mark.parametrize(
    ("narrowed", "inside", "outside"),
    [
        ({"apply_all_methods": "false", "http_method": "GET"}, ("GET", "table/incident"), ("POST", "table/incident")),
        (
            {"apply_all_resources": "false", "api_resource": "/now/table/{tableName}"},
            ("GET", "table/incident"),
            ("GET", "table/incident/a"),
        ),
        ({"apply_all_versions": "false", "version": "v1"}, ("GET", "v1/table/incident"), ("GET", "table/incident")),
        ({"apply_all_versions": "false", "version": ""}, ("GET", "table/incident"), ("GET", "v2/table/incident")),
        (
            {"apply_all_tables": "false", "api_tablename": "problem,incident"},
            ("GET", "table/incident"),
            ("GET", "table/sys_user"),
        ),
        ({"apply_all_tables": "false"}, None, ("GET", "table/incident")),
        ({"api": AGGREGATE_API, "api_path": "now/stats"}, ("GET", "stats/incident"), ("GET", "table/incident")),
        ({"api": "", "api_path": "now/table"}, None, ("GET", "table/incident")),
        (
            {"apply_all": "true", "apply_all_methods": "false", "http_method": "GET"},
            ("POST", "table/incident"),
            ("GET", "stats/incident"),
        ),
    ],
    ids=["method", "resource", "version", "no-version", "tables", "no-tables", "api", "no-api", "all"],
)  # fmt: skip
def test_a_policy_covers_what_it_says(api, narrowed, inside, outside):
    api.policy(api.profile(), **narrowed)
    of = api.scene.instance.policies.of

    def covered(method, path):
        return of(method, f"/api/now/{path}", path.split("table/")[-1].partition("/")[0]) is not None

    assert inside is None or covered(*inside)
    assert not covered(*outside)


@pytest.mark.claim("policy-priority")
def test_the_narrower_policy_decides_alone(api):
    resource = {"apply_all_resources": "false", "api_resource": "/now/table/{tableName}"}
    method = {"apply_all_methods": "false", "http_method": "GET"}
    version = {"apply_all_versions": "false", "version": "latest"}
    everywhere = {"apply_global": "true", "api": "", "api_path": ""}
    order = [
        {**method, **resource, **version},
        {**method, **resource},
        {**resource, **version},
        resource,
        {**method, **version},
        method,
        version,
        {},
        {**everywhere, **method},
        everywhere,
    ]
    of = api.scene.instance.policies.of
    for rank in reversed(range(1, 11)):
        api.policy(**order[rank - 1])
        decides = of("GET", "/api/now/table/incident", "incident")
        assert decides.rank == rank


@pytest.mark.claim("policy-priority")
def test_a_better_policy_without_a_key_profile_shuts_keys_out(api):
    token = api.key("svc")
    api.policy(api.profile())
    assert api.ask(token).status == 200
    api.policy(BASIC_PROFILE, apply_all_methods="false", http_method="GET")
    assert api.ask(token).status == 401
    assert api.ask(token, method="POST").status != 401


@pytest.mark.claim("policy-global-no-keys")
def test_a_global_policy_takes_no_key(api, basic):
    token = api.key("svc")
    api.policy(api.profile(), apply_global="true", api="", api_path="")
    assert api.ask(token).status == 401
    assert api.ask(**basic("svc")).status == 401


@pytest.mark.claim("policy-challenge")
def test_a_401_advertises_what_was_mapped_last(api):
    policy = api.policy(BASIC_PROFILE, OAUTH_PROFILE)
    assert api.ask().headers["www-authenticate"] == BEARER
    api.scene.database.update(
        "sys_api_access_policy", policy, {"all_authn_scheme_authenticate_header": "true"}
    )
    refusal = _refusal(api)
    assert [refusal.headers["WWW-Authenticate"], *(value for _, value in refusal.repeated)] == [BEARER, BASIC]


@pytest.mark.claim("policy-challenge")
def test_a_property_advertises_all(api):
    api.policy(OAUTH_PROFILE, BASIC_PROFILE)
    name = "glide.security.response.authenticate.header.auth_profile.first_scheme_only"
    assert not _refusal(api).repeated
    api.scene.instance.set_property(name, "false")
    assert _refusal(api).repeated == (("WWW-Authenticate", BEARER),)


@pytest.mark.claim("policy-challenge-key")
def test_a_key_profile_alone_advertises_nothing(api):
    api.policy(api.profile())
    assert "www-authenticate" not in api.ask().headers


@pytest.mark.claim("policy-matches")
def test_the_method_that_is_meant_counts(api, basic):
    api.scene.user("ada")
    api.policy(api.profile(), apply_all_methods="false", http_method="PATCH")
    assert api.ask(method="POST", **basic("ada")).status != 401
    assert api.ask(method="POST", x_http_method_override="patch", **basic("ada")).status == 401


def test_a_key_sealed_by_another_instance_disturbs_nobody(api):
    other = Seal(Seal.new_key()).seal("now_elsewhere")
    api.scene.add("api_key", name="K", user=api.id_of("svc"), active="true", token=other)
    token = api.key("svc")
    api.policy(api.profile())
    assert api.ask("now_elsewhere").status == 401
    assert api.ask(token).status == 200


def _refusal(api):
    policies = api.scene.instance.policies
    policy = policies.of("GET", "/api/now/table/incident", "incident")
    return policies.refusal(policy, "")


@pytest.mark.claim("plugin-inactive")
def test_without_its_plugin_no_key_is_honoured(api):
    token = api.key("svc")
    api.policy(api.profile())
    row = api.scene.database.first("sys_plugins", source=plugins.API_KEYS)
    api.scene.database.update("sys_plugins", row["sys_id"], {"active": "inactive"})
    assert api.ask(token).status == 401
    assert api.scene.database.first("v_plugin", id=plugins.API_KEYS)["active"] == "inactive"


@pytest.mark.claim("plugin-needs")
def test_without_the_plugin_of_policies_there_are_none(api, basic):
    token = api.key("svc")
    api.policy(api.profile())
    row = api.scene.database.first("sys_plugins", source=plugins.POLICIES)
    api.scene.database.update("sys_plugins", row["sys_id"], {"active": "inactive"})
    assert api.ask(token).status == 401
    assert api.ask(**basic("svc")).status == 200
    assert not api.scene.instance.plugins.active(plugins.API_KEYS)


@pytest.mark.claim("api-key-release")
def test_before_washington_dc_there_are_no_keys(api):
    api.scene.instance.configure({"release": "vancouver"})
    assert api.scene.database.first("v_plugin", id=plugins.API_KEYS) is None
    assert api.scene.instance.plugins.table(keys.TABLE) is None
    api.scene.instance.configure({"release": "washingtondc"})
    assert api.scene.instance.plugins.table(keys.TABLE) is not None


@pytest.mark.claim("auth-needs-reset")
def test_a_key_waits_for_a_mandatory_password_change_of_its_user(api):
    token = api.key("svc")
    api.policy(api.profile())
    api.scene.database.update("sys_user", api.id_of("svc"), {"password_needs_reset": "true"})
    assert api.ask(token).status == 200
    api.scene.instance.set_property("glide.authenticate.api.user.reset_password.mandatory", "true")
    assert api.ask(token).status == 401


@pytest.mark.claim("policy-challenge-key")
def test_a_key_profile_mapped_last_leaves_nothing_to_advertise(api):
    policy = api.policy(BASIC_PROFILE, api.profile())
    assert "www-authenticate" not in api.ask().headers
    values = {"all_authn_scheme_authenticate_header": "true"}
    api.scene.database.update("sys_api_access_policy", policy, values)
    assert api.ask().headers["www-authenticate"] == BASIC


@pytest.mark.claim("api-key-prefix")
def test_a_prefix_of_the_auth_parameter_comes_before_the_key(api):
    token = api.key("svc")
    own = {"parameter_name": "x-sn-apikey", "type": "auth_header", "prefix": "Key"}
    api.policy(api.profile(api.scene.add("sys_token_auth_parameter", **own)))
    assert api.ask(token).status == 401
    assert api.ask(f"Key {token}").status == 200


@pytest.mark.claim("api-key-scope")
def test_whether_a_key_needs_the_scope_of_an_api_is_a_setting(api):
    scope = api.scene.add("sys_auth_scope", name="tables")
    api.scene.add("sys_api_access_scope", auth_scope=scope, api_path="now/table", active="true")
    plain, scoped = api.key("svc"), api.key("svc", auth_scope=f"{'0' * 32},{scope}")
    api.policy(api.profile())
    assert [api.ask(token).status for token in (plain, scoped)] == [200, 200]
    api.scene.instance.configure({"api_key_scope": "asked"})
    assert [api.ask(token).status for token in (plain, scoped)] == [403, 200]


def test_a_policy_on_get_covers_head(api, basic):
    api.scene.user("ada")
    api.policy(api.profile(), apply_all_methods="false", http_method="GET")
    assert api.ask(method="HEAD", **basic("ada")).status == 401


@pytest.mark.claim("policy-version")
def test_an_address_without_a_version_is_not_of_a_policy_for_one(api):
    token = api.key("svc")
    api.policy(api.profile(), apply_all_versions="false", version="v2")
    assert api.ask(token, path="v2/table/incident").status != 401
    assert api.ask(token).status == 401
