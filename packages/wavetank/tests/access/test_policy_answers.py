"""What access policies let in and shut out, which of several decides, and what a refusal advertises."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from packages.wavetank.tests.access.broker import Broker
from packages.wavetank.tests.access.cases import Case, rows
from packages.wavetank.tests.access.keyring import Keyring
from packages.wavetank.tests.access.outside import EVERY, Answer, House, fine, unauthenticated

pytestmark = pytest.mark.slow

BASIC, BEARER = 'BASIC realm="Service-now"', 'BEARER realm="Service-now"'
FIRST_ONLY = "glide.security.response.authenticate.header.auth_profile.first_scheme_only"


def keys_only(ring: Keyring) -> None:
    ring.unmap(ring.house.profile("basic_auth"))


KEYS = (
    Case(
        "allow-list: Basic is not mapped",
        ask=Keyring.by_password,
        spoil=keys_only,
        shows=unauthenticated,
        mend=lambda ring: ring.house.map(ring.policy, ring.house.profile("basic_auth")),
    ),
    Case(
        "allow-list: the policy is switched off",
        ask=Keyring.by_password,
        spoil=keys_only,
        shows=unauthenticated,
        mend=lambda ring: ring.narrow(active="false"),
    ),
    Case(
        "allow-list: the last mapping is taken away",
        ask=Keyring.by_password,
        spoil=keys_only,
        shows=unauthenticated,
        mend=lambda ring: ring.unmap(ring.keys),
    ),
    Case(
        "a global policy takes no key",
        spoil=lambda ring: ring.narrow(apply_global="true", api=""),
        shows=unauthenticated,
        mend=lambda ring: ring.narrow(apply_global="false", api=ring.house.table_api),
    ),
    Case(
        "one version only",
        spoil=lambda ring: ring.narrow(apply_all_versions="false", version="v1"),
        shows=unauthenticated,
        mend=lambda ring: setattr(ring, "path", "/api/now/v1/table/sys_user"),
    ),
)


@pytest.mark.claim("policy-allow-list")
@pytest.mark.claim("policy-global-no-keys")
@pytest.mark.claim("policy-version")
@rows(KEYS)
def test_the_policy_of_a_key(house: House, case: Case) -> None:
    case.walk(Keyring(house))
    assert house.admin.first("sys_user", "user_name=svc")["failed_attempts"] in {"", "0"}


TOKENS = (
    Case(
        "allow-list: OAuth is not mapped",
        ask=Broker.call,
        spoil=lambda broker: setattr(broker, "policy", broker.house.policy(broker.house.key_profile())),
        shows=unauthenticated,
        mend=lambda broker: broker.house.map(broker.policy, broker.house.profile("oauth")),
    ),
    Case(
        "allow-list: OAuth of another client is mapped",
        ask=Broker.call,
        spoil=lambda broker: setattr(broker, "policy", broker.house.policy(oauth(broker, "0" * 32))),
        shows=unauthenticated,
        mend=lambda broker: broker.house.map(broker.policy, oauth(broker, broker.client)),
    ),
    Case(
        "token restriction: no policy",
        ask=Broker.call,
        spoil=lambda broker: broker.registry(enforce_token_restrictions="true"),
        shows=unauthenticated,
        mend=lambda broker: broker.house.policy(oauth(broker, broker.client)),
    ),
    Case(
        "token restriction: a policy that maps nothing",
        ask=Broker.call,
        spoil=lambda broker: (
            broker.registry(enforce_token_restrictions="true"),
            setattr(broker, "policy", broker.house.policy()),
        ),
        shows=unauthenticated,
        mend=lambda broker: broker.house.map(broker.policy, oauth(broker, broker.client)),
    ),
)


def oauth(broker: Broker, client: str) -> str:
    """A new profile for the tokens of one client."""
    row = {"name": f"OAuth {client}", "type": "oauth", "oauth_entity": client, "active": "true"}
    return str(broker.house.admin.create("std_http_auth", row)["sys_id"])


@pytest.mark.claim("policy-allow-list")
@pytest.mark.claim("policy-token-restriction")
@rows(TOKENS)
def test_the_policy_of_a_token(house: House, case: Case) -> None:
    case.walk(Broker(house))


# From the policy that decides first to the one that decides last: what each is narrowed by.
NARROWED: dict[str, dict[str, str]] = {
    "method, resource and version": {
        "methods": "GET",
        "resources": "/now/table/{tableName}",
        "versions": "v2",
    },
    "method and resource": {"methods": "GET", "resources": "/now/table/{tableName}"},
    "resource and version": {"resources": "/now/table/{tableName}", "versions": "v2"},
    "resource": {"resources": "/now/table/{tableName}"},
    "method and version": {"methods": "GET", "versions": "v2"},
    "method": {"methods": "GET"},
    "version": {"versions": "v2"},
    "the whole API": {},
    "global, method": {"global": "true", "methods": "GET"},
    "global": {"global": "true"},
}
COLUMNS = {"methods": "http_method", "resources": "api_resource", "versions": "version"}


def narrowed(house: House, kind: str, profile: str) -> str:
    """A policy of a kind that takes one way of signing in."""
    wanted = NARROWED[kind]
    values = {COLUMNS[name]: value for name, value in wanted.items() if name in COLUMNS}
    values |= {f"apply_all_{name}": "false" for name in wanted if name in COLUMNS}
    if "global" in wanted:
        values |= {"apply_global": "true", "api": ""}
    return house.policy(house.profile(profile), **values)


@pytest.mark.claim("policy-priority")
@pytest.mark.parametrize(
    ("first", "second"), [pytest.param(*pair, id=" > ".join(pair)) for pair in pairwise(NARROWED)]
)
def test_the_narrower_policy_decides(house: House, first: str, second: str) -> None:
    """Alone: what only the wider one takes is refused, whichever was made before the other."""
    svc = house.caller("svc", "itil")
    path = "/api/now/v2/table/incident"
    wider = narrowed(house, second, "oauth")
    unauthenticated(svc.call("GET", path))
    narrower = narrowed(house, first, "basic_auth")
    fine(svc.call("GET", path))
    house.admin.delete("sys_api_access_policy", narrower)
    unauthenticated(svc.call("GET", path))
    house.admin.delete("sys_api_access_policy", wider)
    fine(svc.call("GET", path))


def advertised(answer: Answer) -> list[str]:
    unauthenticated(answer)
    return answer.headers.get_list("www-authenticate")


@pytest.mark.claim("policy-challenge")
@pytest.mark.claim("policy-challenge-key")
@pytest.mark.parametrize("fix", ["Advertise all auth schemes", FIRST_ONLY])
def test_a_refusal_advertises_the_scheme_mapped_last(house: House, fix: str) -> None:
    """A client that waits to be asked for Basic is never asked."""
    assert advertised(house.nobody().get("incident")) == [BASIC]
    policy = house.policy(house.profile("basic_auth"), house.profile("oauth"))
    assert advertised(house.nobody().get("incident")) == [BEARER]
    if fix == FIRST_ONLY:
        house.set_property(FIRST_ONLY, "false")
    else:
        house.admin.change("sys_api_access_policy", policy, {"all_authn_scheme_authenticate_header": "true"})
    assert advertised(house.nobody().get("incident")) == [BEARER, BASIC]
    house.map(policy, house.key_profile())
    assert advertised(house.nobody().get("incident")) == [BEARER, BASIC]


@pytest.mark.claim("policy-session")
@pytest.mark.parametrize("setting", ["passes", "refused"])
def test_a_session_under_a_policy(house: House, setting: str) -> None:
    ring = Keyring(house)
    keys_only(ring)
    house.instance.configure(policy_session=setting)
    answer = house.admin.get("incident")
    if setting == "passes":
        fine(answer)
    else:
        assert answer.status_code == 401


def test_what_is_no_rest_api_has_no_rest_policy(house: House) -> None:
    ring = Keyring(house)
    keys_only(ring)
    unauthenticated(ring.by_password())
    fine(house.basic("svc").call("GET", "/incident.do?JSONv2"))
    fine(house.basic("svc").call("GET", "/api/now/stats/incident?sysparm_count=true"))


@pytest.mark.claim("policy-matches")
@pytest.mark.claim("policy-shipped")
@pytest.mark.parametrize(
    ("narrower", "covered", "free"),
    [
        ({"apply_all_methods": "false", "http_method": "POST"}, ("POST", "incident"), ("GET", "incident")),
        ({"apply_all_tables": "false", "api_tablename": "incident"}, ("GET", "incident"), ("GET", "task")),
        ({"apply_all_versions": "false", "version": "v1"}, ("GET", "v1"), ("GET", "incident")),
    ],
    ids=["method", "table", "version"],
)
def test_what_a_policy_does_not_cover_goes_on(
    house: House, narrower: dict[str, str], covered: tuple[str, str], free: tuple[str, str]
) -> None:
    house.policy(house.key_profile(), **{**EVERY, **narrower})
    svc = house.caller("svc", "itil")

    def ask(method: str, table: str) -> Answer:
        path = "/api/now/v1/table/sys_user" if table == "v1" else table
        more: dict[str, Any] = {"json": {}} if method == "POST" else {}
        return svc.call(method, path, **more)

    unauthenticated(ask(*covered))
    fine(ask(*free))
