"""What scopes refuse at the time of the call, and each of the ways out."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme

from packages.wavetank.tests.access.broker import Broker
from packages.wavetank.tests.access.cases import Case, rows
from packages.wavetank.tests.access.outside import PASSWORD, Answer, House, fine, refused, unauthenticated

pytestmark = pytest.mark.slow

DENIED = "User Not Authorized"


def unscoped(answer: Answer) -> None:
    refused(answer, 403, DENIED, "Access to unscoped api is not allowed")


def missing(*names: str) -> Any:
    return lambda answer: refused(
        answer, 403, DENIED, f"Missing required api access scope: {', '.join(names)}"
    )


def restrict(status: str) -> Any:
    return lambda broker: broker.registry(scope_restriction_status=status)


def scope(broker: Broker, name: str) -> str:
    """The sys_id of an authentication scope, made if there is none."""
    admin = broker.house.admin
    found = admin.rows("sys_auth_scope", f"name={name}")
    return str((found or [admin.create("sys_auth_scope", {"name": name})])[0]["sys_id"])


def bind(broker: Broker, name: str, **narrower: str) -> None:
    """Binds the Table API to a scope."""
    row = {"auth_scope": scope(broker, name), "api": broker.house.table_api, "api_path": "now/table"}
    every = {f"apply_all_{each}": "true" for each in ("methods", "resources", "versions")}
    broker.house.admin.create("sys_api_access_scope", {**row, **every, "active": "true", **narrower})


def give(broker: Broker, name: str) -> None:
    """Gives the client a scope."""
    row = {"oauth_entity": broker.client, "auth_scope": scope(broker, name)}
    broker.house.admin.create("oauth_entity_auth_scope_mapping", row)


def bind_and_give(name: str, **narrower: str) -> Any:
    return lambda broker: (bind(broker, name, **narrower), give(broker, name))


ONLY_GET = {"apply_all_methods": "false", "http_method": "GET"}
CASES = (
    *(
        Case(f"unscoped: {status}, {fix}", ask=Broker.call, spoil=restrict(status), shows=unscoped, mend=mend)
        for status in ("restricted", "useraccount")
        for fix, mend in {
            "not only selected APIs any more": restrict("unrestricted"),
            "a scope for the API": bind_and_give("tables"),
            "a scope for the API's method": bind_and_give("tables", **ONLY_GET),
            "the scope useraccount": lambda broker: give(broker, "useraccount"),
            "unscoped clients allowed": lambda broker: broker.house.set_property(
                "glide.security.oauth_allow_unscoped_clients", "true"
            ),
            "no scopes checked": lambda broker: broker.house.set_property(
                "com.glide.rest.api.auth.scope.check.enable", "false"
            ),
        }.items()
    ),
    Case(
        "unscoped: a scope for another method",
        ask=lambda broker: broker.call("POST", json={"short_description": "x"}),
        spoil=lambda broker: (
            restrict("restricted")(broker),
            bind_and_give("tables", **ONLY_GET)(broker),
        ),
        shows=unscoped,
        mend=lambda broker: bind(broker, "tables", apply_all_methods="false", http_method="POST"),
    ),
    Case(
        "missing: bound after the token was issued",
        ask=Broker.call,
        spoil=lambda broker: bind(broker, "tables"),
        shows=missing("tables"),
        mend=lambda broker: give(broker, "tables"),
    ),
    Case(
        "missing: the client has another",
        ask=Broker.call,
        spoil=lambda broker: (bind(broker, "tables"), give(broker, "reports")),
        shows=missing("tables"),
        mend=lambda broker: give(broker, "useraccount"),
    ),
    Case(
        "missing: the binding is switched off",
        ask=Broker.call,
        spoil=lambda broker: bind(broker, "tables"),
        shows=missing("tables"),
        mend=lambda broker: [
            broker.house.admin.change("sys_api_access_scope", row["sys_id"], {"active": "false"})
            for row in broker.house.admin.rows("sys_api_access_scope")
        ],
    ),
)


@pytest.mark.claim("oauth-scope-restriction")
@pytest.mark.claim("oauth-scope-runtime")
@pytest.mark.claim("oauth-scope-bound")
@pytest.mark.claim("oauth-scope-per-method")
@pytest.mark.claim("oauth-scope-useraccount")
@pytest.mark.claim("oauth-scope-properties")
@rows(CASES)
def test_one_token_all_the_way(house: House, case: Case) -> None:
    """The same token is refused and let in again: scopes are those of the moment."""
    case.walk(Broker(house))


@pytest.mark.claim("oauth-scope-useraccount-scoped")
@pytest.mark.parametrize("setting", ["opens", "refused"])
def test_whether_useraccount_mends_a_useraccount_scoped_client(house: House, setting: str) -> None:
    """Two reports contradict each other."""
    house.instance.configure(useraccount_scope=setting)
    broker = Broker(house, scope_restriction_status="useraccount")
    unscoped(broker.call())
    give(broker, "useraccount")
    (fine if setting == "opens" else unscoped)(broker.call())
    broker.registry(scope_restriction_status="restricted")
    fine(broker.call())


@pytest.mark.claim("oauth-scope-token-only")
def test_who_brings_no_token_needs_no_scope(house: House) -> None:
    broker = Broker(house, scope_restriction_status="restricted")
    bind(broker, "tables")
    missing("tables")(broker.call())
    fine(house.basic("svc").get("incident"))
    broker.account(identity_type="human")
    fine(house.person("svc", PASSWORD).get("incident"))


@pytest.mark.claim("oauth-scope-token-only")
@pytest.mark.claim("certificate-user")
@pytest.mark.claim("certificate-policy")
def test_who_shows_a_certificate_needs_no_scope(
    bare_house: House, authority: trustme.CA, tmp_path: Path
) -> None:
    house = bare_house
    broker = Broker(house, scope_restriction_status="restricted")
    bind(broker, "tables")
    missing("tables")(broker.call())
    key = authority.issue_cert("svc.example")
    key.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "svc.pem"))
    row = house.admin.create("sys_user_certificate", {"name": "C", "user": broker.user, "active": "true"})
    where = {"table_name": "sys_user_certificate", "table_sys_id": row["sys_id"], "file_name": "svc.pem"}
    kind = {"Content-Type": "application/x-pem-file"}
    file = key.cert_chain_pems[0].bytes()
    fine(house.admin.call("POST", "/api/now/attachment/file", params=where, content=file, headers=kind))
    context = ssl.create_default_context(cafile=str(house.instance.ca))
    context.load_cert_chain(tmp_path / "svc.pem")
    with httpx2.Client(base_url=house.instance.tls_url, verify=context) as shown:
        fine(shown.get("/api/now/table/incident"))
        house.policy(house.profile("basic_auth"))
        unauthenticated(shown.get("/api/now/table/incident"))
