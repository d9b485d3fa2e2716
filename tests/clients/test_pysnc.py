"""PySNC, ServiceNow's own client for Python, unmodified: the one that waits and the one that awaits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.clients.conftest import AGENT, JOB, OAUTH, READER, Scene
from tests.clients.environments import Client, Raised

CLIENT = "pysnc"
pytestmark = [pytest.mark.clients, pytest.mark.judge("PySNC 1.2.1")]


@pytest.fixture(params=["sync", "async"])
def at(request: pytest.FixtureRequest, scene: Scene) -> dict[str, Any]:
    """Where and as whom; this client speaks https only."""
    return {"kind": request.param, "url": scene.tls_url, "user": AGENT[0], "password": AGENT[1]}


@pytest.fixture
def admin(at: dict[str, Any]) -> dict[str, Any]:
    return {**at, "user": "admin", "password": "admin"}


def test_a_record_from_its_creation_to_its_end(client: Client, admin: dict[str, Any]) -> None:
    values = {"short_description": "Čeština 🔥", "impact": "1", "urgency": "1", "no_such": "x"}
    seen = client.do("life", values=values, changes={"urgency": "3"}, at=admin)
    assert seen["made"]["number"].startswith("INC")
    assert seen["read"]["short_description"]["value"] == "Čeština 🔥"
    assert seen["read"]["priority"] == {"value": "1", "display_value": "1 - Critical"}
    assert seen["read"]["opened_by"]["display_value"] == "System Administrator"
    assert seen["changed"]["priority"]["value"] == "3"
    assert (seen["gone"], seen["left"]) == (True, False)


@pytest.mark.parametrize(("size", "limit"), [(3, None), (3, 6), (7, None), (100, 2)])
def test_pages(client: Client, scene: Scene, at: dict[str, Any], size: int, limit: int | None) -> None:
    scene.incidents(7, "Page")
    words = {
        "query": "short_descriptionSTARTSWITHPage^ORDERBYnumber",
        "fields": ["number"],
        "size": size,
        "limit": limit,
    }
    seen = client.do("listed", at=at, **words)
    assert seen["total"] == 7
    assert [row["number"]["value"] for row in seen["rows"]] == [f"INC8{n:06}" for n in range(limit or 7)]


def test_times_are_the_users_where_they_are_shown(client: Client, scene: Scene, at: dict[str, Any]) -> None:
    record = scene.incidents(1, "Time")[0]
    stamp = {"sys_created_on": "2026-01-10 04:30:00"}
    scene.instance.control(f"records/incident/{record}", stamp, method="PATCH")
    row = client.do("listed", query=f"sys_id={record}", at=at)["rows"][0]["sys_created_on"]
    assert row == {"value": "2026-01-10 04:30:00", "display_value": "2026-01-09 20:30:00"}


def test_a_query_that_no_address_can_carry(client: Client, scene: Scene) -> None:
    """The awaiting client puts Python's own writing of bytes into the inner address, and so loses the query."""
    at = {"kind": "sync", "url": scene.tls_url, "user": AGENT[0], "password": AGENT[1]}
    record = scene.incidents(2, "Long")[1]
    assert client.do("long_query", sys_id=record, at=at) == [record]
    assert "POST /api/now/v1/batch" in scene.paths()


def test_many_records_in_one_batch(client: Client, scene: Scene, admin: dict[str, Any]) -> None:
    scene.incidents(6, "Many")
    seen = client.do("many", text="Many", ending=" changed", at=admin)
    assert seen == {"went": True, "changed": 6, "gone": True, "left": 0}


def test_one_refusal_in_a_batch_is_told(client: Client, scene: Scene, admin: dict[str, Any]) -> None:
    scene.instance.insert("sys_script", [{
        "name": "No fives", "collection": "incident", "when": "before", "order": "100", "active": "true",
        "action_update": "true", "abort_action": "true", "add_message": "true", "message": "Not five",
        "filter_condition": "short_descriptionLIKE005^EQ",
    }])  # fmt: skip
    scene.incidents(6, "Partly")
    seen = client.do("many", text="Partly", ending=" changed", at=admin)
    assert (seen["went"], seen["changed"], seen["left"]) == (False, 5, 0)


def test_a_join_finds_who_manages_a_group(client: Client, scene: Scene, admin: dict[str, Any]) -> None:
    manager = scene.rows("sys_user", f"user_name={AGENT[0]}")[0]["sys_id"]
    scene.instance.insert("sys_user_group", [{"name": "Judges", "manager": manager, "active": "true"}])
    assert client.do("joined", kind="join", at=admin) == [AGENT[0]]


def test_a_related_list_finds_who_holds_a_role(client: Client, admin: dict[str, Any]) -> None:
    seen = client.do("joined", kind="related", at=admin)
    assert {AGENT[0], READER[0]} <= set(seen)


def test_files_on_a_record_go_with_it(client: Client, scene: Scene, admin: dict[str, Any]) -> None:
    record = scene.incidents(1, "Attached")[0]
    content = bytes(range(256)).hex()
    seen = client.do("attached", sys_id=record, content=content, at=admin)
    assert seen["files"] == {"text.txt": "a\nb\nç".encode().hex(), "bytes.bin": content}
    assert seen["left"] == 0
    if admin["kind"] == "sync":
        assert "/api/now/v1/attachment/" in seen["where"] or "/api/now/attachment/" in seen["where"]


def test_fields_along_references(client: Client, admin: dict[str, Any]) -> None:
    assert client.do("walked", at=admin) == {
        "department": "a581ab703710200044e0bfc8bcbe5de8",
        "name": "Finance",
        "email": "natasha.ingram@example.com",
        "password": "********",
    }


@pytest.mark.parametrize(("kind", "way"), [("sync", "password"), ("sync", "client"), ("async", "client")])
def test_tokens(client: Client, scene: Scene, kind: str, way: str) -> None:
    """The awaiting client's password flow fetches a token and then sends its requests without it."""
    ways = {
        "password": {
            "user": AGENT[0],
            "password": AGENT[1],
            "client_id": OAUTH[0],
            "client_secret": OAUTH[1],
        },
        "client": {"client_id": JOB[0], "client_secret": JOB[1]},
    }
    scene.incidents(2, "Token")
    where = {"kind": kind, "url": scene.tls_url, **ways[way]}
    assert client.do("listed", query="short_descriptionSTARTSWITHToken", at=where)["total"] == 2


def test_a_client_certificate(client: Client, scene: Scene, authority: trustme.CA, tmp_path: Path) -> None:
    """On a connection that shows a certificate no other credentials are sent."""
    issued = authority.issue_cert("agent.example")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "agent.pem"))
    scene.incidents(2, "Token")
    agent = scene.rows("sys_user", f"user_name={AGENT[0]}")[0]["sys_id"]
    values = {"name": "Agent", "user": agent, "active": "true"}
    mapping = scene.instance.insert("sys_user_certificate", values)[0]["sys_id"]
    where = {"kind": "sync", "url": scene.tls_url, "cert": str(tmp_path / "agent.pem")}
    with pytest.raises(Raised, match="AuthenticationException"):
        client.do("refused", table="incident", at=where)
    scene.upload("sys_user_certificate", mapping, "agent.pem", issued.cert_chain_pems[0].bytes())
    assert client.do("listed", query="short_descriptionSTARTSWITHToken", at=where)["total"] == 2
    assert scene.instance.requests()[-1]["user"] == AGENT[0]


def test_a_wrong_secret_gives_no_token(client: Client, at: dict[str, Any]) -> None:
    where = {"kind": at["kind"], "url": at["url"], "client_id": JOB[0], "client_secret": "wrong"}
    with pytest.raises(Raised, match="AuthenticationException"):
        client.do("refused", table="incident", at=where)


@pytest.mark.parametrize(
    ("who", "words", "kind", "said"),
    [
        (("admin", "wrong"), {"table": "incident"}, "AuthenticationException", "Required to provide Auth information"),
        (AGENT, {"table": "no_such_table"}, "RequestException", "Invalid table no_such_table"),
        (AGENT, {"table": "sys_user", "values": {"user_name": "mallory"}}, "RoleException", "ACL Exception Insert Failed"),
        (READER, {"table": "problem", "values": {"short_description": "x"}}, "RoleException", "ACL Exception"),
        (AGENT, {"table": "sys_user", "sys_id": "6816f79cc0a8016401c5a33be04be441"}, "RoleException", "ACL Exception Delete Failed"),
    ],
)  # fmt: skip
def test_what_is_refused(
    client: Client, at: dict[str, Any], who: tuple[str, str], words: dict[str, Any], kind: str, said: str
) -> None:
    with pytest.raises(Raised, match=said) as refused:
        client.do("refused", at={**at, "user": who[0], "password": who[1]}, **words)
    assert refused.value.kind == kind
