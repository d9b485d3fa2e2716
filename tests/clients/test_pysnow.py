"""pysnow, unmodified, against an instance."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import AGENT, OAUTH, READER, Scene
from tests.clients.environments import Client, Raised

CLIENT = "pysnow"
pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.judge("pysnow 0.7.17")]
UMLAUTS = "Zürich: „Drucker“ → 印刷機 🔥 ' \" & <b>"


@pytest.fixture(params=["http", "https"])
def at(request: pytest.FixtureRequest, scene: Scene) -> dict[str, Any]:
    """Where and as whom, over http and over https."""
    tls = request.param == "https"
    host = scene.tls_host if tls else scene.host
    return {"host": host, "user": AGENT[0], "password": AGENT[1], "tls": tls}


@pytest.fixture
def near(scene: Scene) -> dict[str, Any]:
    """Where and as whom, over http."""
    return {"host": scene.host, "user": AGENT[0], "password": AGENT[1]}


def test_a_record_from_its_creation_to_its_end(client: Client, scene: Scene, at: dict[str, Any]) -> None:
    values = {"short_description": UMLAUTS, "impact": "1", "urgency": "1", "no_such_field": "x"}
    admin = {**at, "user": "admin", "password": "admin"}
    seen = client.do("life", values=values, changes={"urgency": "3"}, **admin)
    assert seen["made"]["short_description"] == UMLAUTS
    assert "no_such_field" not in seen["made"]
    assert seen["made"]["number"].startswith("INC")
    assert seen["read"]["priority"] == "1"
    assert seen["read"]["opened_by"]["link"].endswith(
        "/api/now/table/sys_user/" + seen["read"]["opened_by"]["value"]
    )
    assert (seen["changed"]["urgency"], seen["changed"]["priority"]) == ("3", "3")
    assert seen["changed"]["short_description"] == UMLAUTS
    assert seen["gone"] == {"status": "record deleted"}
    assert seen["left"] is None
    assert scene.rows("incident", f"sys_id={seen['made']['sys_id']}") == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_query_over_the_wire_and_as_a_stream(
    client: Client, scene: Scene, at: dict[str, Any], stream: bool
) -> None:
    scene.incidents(7, "Stream")
    query = "short_descriptionSTARTSWITHStream^ORDERBYshort_description"
    words = {"limit": 3, "offset": 2, "fields": ["short_description", "number"]}
    seen = client.do("rows", of="incident", query=query, stream=stream, **words, **at)
    assert [row["short_description"] for row in seen["rows"]] == [f"Stream {n:03}" for n in (2, 3, 4)]
    assert all(set(row) == {"short_description", "number"} for row in seen["rows"])
    assert seen["headers"]["x-total-count"] == "7"
    assert 'rel="next"' in seen["headers"]["link"]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("not_contains", [0, 1, 3, 4]),
        ("ends_with", [3]),
        ("or", [1, 4]),
        ("in", [0, 2]),
        ("not_in", [1, 3, 4]),
        ("empty", [0, 1, 2, 3, 4]),
        ("not_empty", []),
        ("new_query", [0, 3]),
        ("between", [1, 2]),  # the two moments are the user's: midnight in Los Angeles
        ("greater", [3, 4]),
        ("descending", [4, 3, 2, 1, 0]),
    ],
)
def test_the_clients_own_queries(
    client: Client, scene: Scene, near: dict[str, Any], kind: str, found: list[int]
) -> None:
    made = scene.incidents(5, "Built")
    for n, sys_id in enumerate(made):
        stamp = {"sys_created_on": f"2020-01-0{n + 1} 00:00:00"}
        scene.instance.control(f"records/incident/{sys_id}", stamp, method="PATCH")
    seen = client.do("built", kind=kind, **near)
    seen = seen if kind == "descending" else sorted(seen)
    assert seen == [f"Built {n:03}" for n in found]


def test_python_booleans_and_display_values(client: Client, scene: Scene, near: dict[str, Any]) -> None:
    made = scene.incidents(1, "Shown")[0]
    words = {"of": "incident", "query": {"sys_id": made}, "fields": ["number", "priority", "active"]}
    seen = client.do("rows", **words, display_value=True, **near)["rows"]
    assert seen[0]["priority"] == "5 - Planning"
    seen = client.do("rows", **words, display_value=False, **near)["rows"]
    assert seen[0]["priority"] == "5"
    seen = client.do("rows", **words, display_value="all", **near)["rows"]
    assert seen[0]["priority"] == {"display_value": "5 - Planning", "value": "5"}
    user = {"of": "sys_user", "query": {"user_name": "admin"}, "fields": ["department"]}
    admin = {**near, "user": "admin", "password": "admin"}
    seen = client.do("rows", **user, exclude_reference_link=True, **admin)["rows"]
    assert seen == [{"department": "a581ab703710200044e0bfc8bcbe5de8"}]


def test_the_older_interface_counts_and_sorts(client: Client, scene: Scene, near: dict[str, Any]) -> None:
    scene.incidents(7, "Older")
    seen = client.do("counted", text="Older", **near)
    assert seen == {"count": 7, "rows": [f"Older {n:03}" for n in (6, 5, 4)]}


def test_the_older_interface_finds_nothing(client: Client, near: dict[str, Any]) -> None:
    with pytest.raises(Raised, match="NoResults"):
        client.do("nothing", **near)


def test_a_file_on_a_record(client: Client, scene: Scene, near: dict[str, Any], tmp_path: Path) -> None:
    record = scene.incidents(1, "Attached")[0]
    content = "Grüße\n".encode() * 50
    (tmp_path / "grüße.txt").write_bytes(content)
    admin = {**near, "user": "admin", "password": "admin"}
    seen = client.do("attached", sys_id=record, path=str(tmp_path / "grüße.txt"), **admin)
    made = seen["made"]
    assert (made["file_name"], made["table_sys_id"]) == ("grüße.txt", record)
    assert (made["size_bytes"], made["hash"]) == (str(len(content)), hashlib.sha256(content).hexdigest())
    assert [one["sys_id"] for one in seen["listed"]] == [made["sys_id"]]
    assert seen["gone"] == {"status": "record deleted"}
    assert seen["left"] == []


def test_a_token_by_password_is_used_and_refreshed(client: Client, at: dict[str, Any]) -> None:
    seen = client.do("tokens", client_id=OAUTH[0], client_secret=OAUTH[1], **at)
    assert (seen["token"]["token_type"], seen["token"]["scope"]) == ("Bearer", ["useraccount"])
    assert (seen["before"], seen["after"]) == (1, 1)
    assert len(seen["updated"]) == 1
    assert seen["updated"][0]["refresh_token"] == seen["token"]["refresh_token"]


def test_a_token_is_not_to_be_had_with_a_wrong_password(client: Client, near: dict[str, Any]) -> None:
    wrong = {**near, "password": "wrong"}
    with pytest.raises(Raised) as refused:
        client.do("tokens", client_id=OAUTH[0], client_secret=OAUTH[1], **wrong)
    assert refused.value.kind == "TokenCreateError"
    assert "access_denied" in refused.value.text


@pytest.mark.parametrize(
    ("who", "request_", "status"),
    [
        (AGENT, {"method": "GET", "of": "incident", "path": "/" + "0" * 32}, "404"),
        (AGENT, {"method": "GET", "of": "no_such_table"}, "400"),
        (("admin", "wrong"), {"method": "GET", "of": "incident"}, "401"),
        (AGENT, {"method": "POST", "of": "sys_user", "payload": {"user_name": "mallory"}}, "403"),
        (READER, {"method": "POST", "of": "problem", "payload": {"short_description": "x"}}, "403"),
    ],
)
def test_what_is_refused(
    client: Client, near: dict[str, Any], who: tuple[str, str], request_: dict[str, Any], status: str
) -> None:
    with pytest.raises(Raised, match=f"HTTPError: {status} "):
        client.do("asked", **request_, **{**near, "user": who[0], "password": who[1]})


def test_a_user_without_roles_sees_no_problems(client: Client, scene: Scene, near: dict[str, Any]) -> None:
    scene.instance.insert("problem", [{"short_description": "Hidden", "number": "PRB8000001"}])
    nobody = {**near, "user": READER[0], "password": READER[1]}
    assert client.do("rows", of="problem", query={}, **nobody)["rows"] == []
    assert client.do("rows", of="problem", query={"short_description": "Hidden"}, **near)["rows"] != []
