"""A connection against a running instance: each scheme, sweeps past hidden rows, typed failures, read-only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from linkspan.config import InstanceConfig
from linkspan.connection import Basic, Connection, Credential, OAuthClient, OAuthPassword, connect
from linkspan.core import query
from linkspan.core.errors import (
    Ambiguous,
    BadReply,
    LinkspanError,
    NotAuthenticated,
    NotAuthorized,
    RateLimited,
    ReadOnly,
    Rejected,
    Unreachable,
)

ADMIN = Basic("admin", "admin")
PASSWORD = "S3cret-päss &="
CLIENT_GRANT = "glide.oauth.inbound.client.credential.grant_type.enabled"


@pytest.fixture
def instance(wavetank: Any) -> InstanceConfig:
    return InstanceConfig(name="dev", url=wavetank.url)


@contextmanager
def line(instance: InstanceConfig, credential: Credential | None) -> Iterator[Connection]:
    with connect(instance, credential) as found:
        yield found


@pytest.fixture
def admin(instance: InstanceConfig) -> Iterator[Connection]:
    with connect(instance, ADMIN) as found:
        yield found


def new_user(admin: Connection, user_name: str, *roles: str) -> str:
    """A user with a password and roles, made as an administrator would over REST; its sys_id."""
    values = {"user_name": user_name, "user_password": PASSWORD, "active": True}
    user = admin.table.create("sys_user", values, input_display=True)["sys_id"]
    for name in roles:
        role = admin.table.first("sys_user_role", query.term("name", "=", name), ("sys_id",))
        assert role is not None, name
        admin.table.create("sys_user_has_role", {"user": user, "role": role["sys_id"]})
    return str(user)


def new_client(admin: Connection, wavetank: Any, user: str = "") -> str:
    """An OAuth application with our secret; its client id."""
    wanted = query.term("name", "=", CLIENT_GRANT)
    found = admin.table.first("sys_properties", wanted, ("sys_id",))
    if found:
        admin.table.update("sys_properties", found["sys_id"], {"value": "true"})
    else:
        admin.table.create("sys_properties", {"name": CLIENT_GRANT, "value": "true", "type": "boolean"})
    values = {"name": "test", "type": "client", "active": True, "client_secret": PASSWORD, "user": user}
    return str(admin.table.create("oauth_entity", values)["client_id"])


# ── schemes ──────────────────────────────────────────────────────────────────────────────────────


def test_basic(instance: InstanceConfig, admin: Connection) -> None:
    assert admin.whoami()["user_name"] == "admin"
    new_user(admin, "svc.one", "itil")
    with line(instance, Basic("svc.one", PASSWORD)) as account:
        assert account.whoami()["user_name"] == "svc.one"
    for wrong in (Basic("svc.one", "wrong"), Basic("nobody.here", PASSWORD), None):
        with line(instance, wrong) as account, pytest.raises(NotAuthenticated) as caught:
            account.table.page("incident")
        assert caught.value.code == "not_authenticated"


def test_oauth_client(instance: InstanceConfig, wavetank: Any, admin: Connection) -> None:
    client_id = new_client(admin, wavetank, new_user(admin, "svc.two", "itil"))
    with line(instance, OAuthClient(client_id, PASSWORD)) as account:
        assert account.whoami()["user_name"] == "svc.two"
        account.table.page("incident", limit=1)
        assert account.requests_made == 3  # one token for both
        wavetank.control("clock", {"advance": 3600})
        assert account.whoami()["user_name"] == "svc.two"  # ended tokens are renewed
    with (
        line(instance, OAuthClient(client_id, "wrong")) as account,
        pytest.raises(NotAuthenticated) as caught,
    ):
        account.whoami()
    assert caught.value.code == "oauth_refused"


def test_oauth_password(instance: InstanceConfig, wavetank: Any, admin: Connection) -> None:
    new_user(admin, "svc.three", "itil")
    client_id = new_client(admin, wavetank)
    with line(instance, OAuthPassword(client_id, PASSWORD, "svc.three", PASSWORD)) as account:
        assert account.whoami()["user_name"] == "svc.three"
        wavetank.control("clock", {"advance": 3600})
        created = account.table.create("incident", {"short_description": "after the token's end"})
        assert created["sys_created_by"] == "svc.three"
    wrong = OAuthPassword(client_id, PASSWORD, "svc.three", "wrong")
    with line(instance, wrong) as account, pytest.raises(NotAuthenticated):
        account.whoami()


def test_tls_with_the_instances_own_authority(wavetank: Any) -> None:
    with line(InstanceConfig(name="dev", url=wavetank.tls_url, ca=wavetank.ca), ADMIN) as found:
        assert found.whoami()["user_name"] == "admin"
    with line(InstanceConfig(name="dev", url=wavetank.tls_url), ADMIN) as found:
        with pytest.raises(Unreachable) as caught:
            found.whoami()
        assert caught.value.code == "tls"


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_life_of_a_row(admin: Connection) -> None:
    hard = 'a^b ^^ "quoted" <ü> & 100% = x'
    created = admin.table.create("incident", {"short_description": hard, "urgency": 1, "impact": "1"})
    sys_id = created["sys_id"]
    assert (created["short_description"], created["priority"]) == (hard, "1")
    found = admin.table.first("incident", query.term("short_description", "=", hard), ("sys_id", "number"))
    assert found == {"sys_id": sys_id, "number": created["number"]}
    changed = admin.table.update(
        "incident", sys_id, {"urgency": "3"}, fields=("sys_id", "urgency", "sys_mod_count")
    )
    assert changed == {"sys_id": sys_id, "urgency": "3", "sys_mod_count": "1"}
    shown = admin.table.get("incident", sys_id, ("urgency",), display="all")
    assert shown is not None
    assert shown["urgency"]["value"] == "3"
    assert admin.table.delete("incident", sys_id) is True
    assert admin.table.delete("incident", sys_id) is False
    assert admin.table.get("incident", sys_id) is None


def test_references_are_bare(admin: Connection) -> None:
    me = admin.whoami()["sys_id"]
    created = admin.table.create("incident", {"short_description": "x", "caller_id": me})
    assert created["caller_id"] == me
    row = admin.table.get("incident", created["sys_id"])
    assert row is not None
    assert row["caller_id"] == me


def test_a_sweep_passes_hidden_rows(instance: InstanceConfig, wavetank: Any, admin: Connection) -> None:
    """Only every seventh row may be read, and the middle not at all: whole pages come back empty."""
    for rule in wavetank.control("records/sys_security_acl?sysparm_query=name=incident^operation=read")[
        "result"
    ]:
        wavetank.control(
            f"records/sys_security_acl/{rule['sys_id']}", {"condition": "category=seen"}, "PATCH"
        )
    rows = [
        {
            "number": f"SWEEP{n:04}",
            "short_description": "sweep",
            "category": "seen" if n % 7 == 0 and not 50 <= n < 120 else "hidden",
            "sys_updated_on": f"2026-01-01 00:00:{n // 10:02}",  # ten rows share a second
        }
        for n in range(200)
    ]
    wavetank.control("records/incident", rows)
    new_user(admin, "svc.reader", "itil")
    expected = {row["number"] for row in rows if row["category"] == "seen"}
    with line(instance, Basic("svc.reader", PASSWORD)) as account:
        for size in (3, 10, 50, 1000):
            pages = list(
                account.table.keyset(
                    "incident",
                    query=query.term("short_description", "=", "sweep"),
                    fields=("number", "category"),
                    page_size=size,
                )
            )
            numbers = [row["number"] for page in pages for row in page]
            assert len(numbers) == len(set(numbers))
            assert set(numbers) == expected
            keys = [(row["sys_updated_on"], row["sys_id"]) for page in pages for row in page]
            assert keys == sorted(keys)
        middle = keys[len(keys) // 2]
        rest = account.table.keyset(
            "incident", query="short_description=sweep^NQshort_description=sweep^category=seen", after=middle
        )
        assert [(row["sys_updated_on"], row["sys_id"]) for page in rest for row in page] == [
            key for key in keys if key > middle
        ]


# ── failures ─────────────────────────────────────────────────────────────────────────────────────


def test_what_roles_do_not_allow(instance: InstanceConfig, admin: Connection) -> None:
    new_user(admin, "svc.nobody")
    sys_id = admin.table.create("incident", {"short_description": "x"})["sys_id"]
    with line(instance, Basic("svc.nobody", PASSWORD)) as account:
        assert account.table.page("incident").rows == []
        assert account.table.get("incident", sys_id) is None
        with pytest.raises(NotAuthorized) as caught:
            account.table.create("incident", {"short_description": "y"})
        assert caught.value.code == "acl_insert"
    new_user(admin, "svc.viewer", "sn_incident_read")
    with line(instance, Basic("svc.viewer", PASSWORD)) as account:
        assert account.table.get("incident", sys_id) is not None
        with pytest.raises(NotAuthorized) as caught:
            account.table.update("incident", sys_id, {"short_description": "y"})
        assert caught.value.code == "acl_update"
        with pytest.raises(NotAuthorized) as caught:
            account.table.delete("incident", sys_id)
        assert caught.value.code == "acl_delete"


def test_what_the_platform_rejects(admin: Connection) -> None:
    with pytest.raises(Rejected) as caught:
        admin.table.page("no_such_table")
    assert caught.value.code == "invalid_table"
    with pytest.raises(Rejected) as caught:
        admin.call("GET", "/api/now/nothing/here")
    assert caught.value.code == "bad_uri"
    sys_id = admin.table.create("incident", {"short_description": "x"})["sys_id"]
    with pytest.raises(Rejected) as caught:
        admin.table.update("incident", sys_id, {"state": "6"})
    assert caught.value.code == "data_policy"
    assert "Resolution code" in caught.value.cause


FAULTS = [
    ({"do": "status", "status": 503}, Unreachable, "server_error"),
    ({"do": "status", "status": 500}, Unreachable, "server_error"),
    ({"do": "html_200"}, BadReply, None),
    ({"do": "truncate"}, BadReply, None),
    ({"do": "quota_200"}, BadReply, "transaction_cancelled"),
    ({"do": "drop_before"}, Unreachable, "unreachable"),
    ({"do": "drop_after_commit"}, Unreachable, "unreachable"),
    ({"do": "reset"}, Unreachable, "unreachable"),
]


@pytest.mark.parametrize(
    ("fault", "kind", "code"), FAULTS, ids=lambda value: getattr(value, "get", lambda _: None)("do")
)
def test_faults(
    wavetank: Any, admin: Connection, fault: dict[str, Any], kind: type[LinkspanError], code: str | None
) -> None:
    wavetank.control("faults", [{"match": {"table": "incident"}, **fault}])
    with pytest.raises(kind) as caught:
        admin.table.page("incident", limit=5)
    if code is not None:
        assert caught.value.code == code
    sent = admin.requests_made
    with pytest.raises(Ambiguous):
        admin.table.create("incident", {"short_description": "in doubt", "correlation_id": "doubt"})
    assert admin.requests_made == sent + 1
    wavetank.control("faults", method="DELETE")
    committed = fault["do"] in {"drop_after_commit", "html_200", "truncate", "quota_200"}
    found = admin.table.page("incident", query="correlation_id=doubt").rows
    assert len(found) in ({1} if fault["do"] == "drop_after_commit" else {0, 1} if committed else {0})


def test_a_fault_that_passes(wavetank: Any, admin: Connection) -> None:
    wavetank.control("faults", [{"match": {"table": "incident"}, "do": "drop_before", "times": 2}])
    assert len(admin.table.page("incident", limit=1).rows) <= 1
    wavetank.control("faults", method="DELETE")
    wavetank.control("faults", [{"do": "rate_limit", "seconds": 1, "times": 1}])
    started = time.monotonic()
    admin.table.page("incident", limit=1)
    assert 0.9 <= time.monotonic() - started < 20
    wavetank.control("faults", method="DELETE")
    wavetank.control("faults", [{"do": "rate_limit", "seconds": 1, "times": 1}])
    with pytest.raises(RateLimited) as caught:
        admin.table.create("incident", {"short_description": "x"})
    assert caught.value.retry_after == 1


def test_a_slow_instance(wavetank: Any, admin: Connection) -> None:
    wavetank.control("faults", [{"match": {"table": "incident"}, "do": "delay", "seconds": 2, "times": 1}])
    with pytest.raises(Ambiguous):
        admin.call("POST", "/api/now/table/incident", json={"short_description": "slow"}, timeout=0.3)


def test_read_only(wavetank: Any, admin: Connection) -> None:
    sys_id = admin.table.create("incident", {"short_description": "x"})["sys_id"]
    seen = wavetank.control("requests")["result"]
    twin = admin.as_read_only()
    for write in (
        lambda: twin.table.create("incident", {"short_description": "y"}),
        lambda: twin.table.update("incident", sys_id, {"short_description": "y"}),
        lambda: twin.table.delete("incident", sys_id),
        lambda: twin.call("PUT", f"/api/now/table/incident/{sys_id}", json={"short_description": "y"}),
    ):
        with pytest.raises(ReadOnly):
            write()
    assert len(wavetank.control("requests")["result"]) == len(seen)
    row = twin.table.get("incident", sys_id, ("short_description",))
    assert row == {"short_description": "x"}
