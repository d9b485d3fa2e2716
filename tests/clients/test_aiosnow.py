"""aiosnow, unmodified, against an instance. It reads everything with display values beside values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import AGENT, READER, Scene
from tests.clients.environments import Client, Raised

CLIENT = "aiosnow"
pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.judge("aiosnow 0.6.0")]


@pytest.fixture(params=["http", "https"])
def at(request: pytest.FixtureRequest, scene: Scene) -> dict[str, Any]:
    """Where and as whom, over http and over https."""
    tls = request.param == "https"
    return {"host": scene.tls_host if tls else scene.host, "user": AGENT[0], "password": AGENT[1], "tls": tls}


@pytest.fixture
def near(scene: Scene) -> dict[str, Any]:
    return {"host": scene.host, "user": AGENT[0], "password": AGENT[1]}


def test_a_record_from_its_creation_to_its_end(client: Client, at: dict[str, Any]) -> None:
    admin = {**at, "user": "admin", "password": "admin"}
    values = {"short_description": "Ça brûle 🔥", "impact": "1", "urgency": "1"}
    seen = client.do("life", values=values, changes={"urgency": "3", "comments": "Now"}, at=admin)
    assert seen["made"]["short_description"] == "Ça brûle 🔥"
    assert seen["read"]["sys_id"] == seen["made"]["sys_id"]
    assert seen["read"]["priority"] == "<IntegerMapping [key=1, value=1 - Critical]>"
    assert seen["read"]["active"] is True
    assert seen["changed"]["priority"] == "<IntegerMapping [key=3, value=3 - Moderate]>"
    assert (seen["gone"], seen["left"]) == (204, [])


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("starts", [0, 1, 2, 3]),
        ("ends", [2]),
        ("not_equals", [0, 2, 3]),
        ("either", [0, 3]),
        ("or_new", [0, 3]),
        ("in", [1, 2]),
        ("contains", [0, 1, 2]),
        ("empty", [0, 1, 2, 3]),
        ("priority", [0, 1, 2, 3]),
        ("order", [3, 2, 1, 0]),
    ],
)
def test_the_clients_own_selections(
    client: Client, scene: Scene, near: dict[str, Any], kind: str, numbers: list[int]
) -> None:
    scene.incidents(4, "Found")
    seen = client.do("found", kind=kind, at=near)
    assert (seen if kind == "order" else sorted(seen)) == [f"Found {n:03}" for n in numbers]


@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_a_stream_of_pages(client: Client, scene: Scene, at: dict[str, Any], size: int) -> None:
    scene.incidents(7, "Stream")
    seen = client.do("streamed", text="Stream", size=size, at=at)
    assert seen == [f"Stream {n:03}" for n in range(7)]


def test_a_reference_is_fetched_by_its_link(client: Client, scene: Scene, at: dict[str, Any]) -> None:
    caller = scene.rows("sys_user", f"user_name={READER[0]}")[0]["sys_id"]
    made = {"number": "INC8111111", "short_description": "Nested", "caller_id": caller}
    scene.instance.insert("incident", [made])
    seen = client.do("nested", number="INC8111111", at=at)
    assert seen["caller_id"]["user_name"] == READER[0]
    assert seen["caller_id"]["email"] == f"{READER[0]}@example.com"


def test_journal_entries_are_rows(client: Client, scene: Scene, near: dict[str, Any]) -> None:
    admin = {**near, "user": "admin", "password": "admin"}
    record = scene.incidents(1, "Journal")[0]
    scene.instance.insert("sys_journal_field", [{"element": "comments", "element_id": record, "name": "incident", "value": "Hello", "sys_created_by": "ada"}])  # fmt: skip
    assert client.do("journal", sys_id=record, at=admin) == [["comments", "incident", "Hello", "ada"]]


def test_a_file_on_a_record(client: Client, scene: Scene, near: dict[str, Any], tmp_path: Path) -> None:
    admin = {**near, "user": "admin", "password": "admin"}
    record = scene.incidents(1, "Attached")[0]
    (tmp_path / "notes.txt").write_bytes(bytes(range(256)))
    seen = client.do(
        "attached", sys_id=record, path=str(tmp_path / "notes.txt"), into=str(tmp_path / "got"), at=admin
    )
    assert (seen["made"]["size_bytes"], seen["made"]["compressed"]) == (256, True)
    assert [one["file_name"] for one in seen["listed"]] == ["notes.txt"]
    assert Path(seen["path"]).read_bytes() == bytes(range(256))


@pytest.mark.parametrize(
    ("who", "act", "words", "said"),
    [
        (("admin", "wrong"), "asked", {"table": "sys_user"}, "Required to provide Auth information"),
        (AGENT, "asked", {"table": "no_such_table"}, "Invalid table"),
        (
            AGENT,
            "asked",
            {"table": "sys_user", "sys_id": "6816f79cc0a8016401c5a33be04be441"},
            "Operation Failed",
        ),
        (AGENT, "create", {"table": "sys_user", "values": {"user_name": "mallory"}}, "Operation Failed"),
        (AGENT, "asked", {"table": "sys_user", "sys_id": "0" * 32}, "No Record found"),
    ],
)
def test_what_is_refused(
    client: Client, near: dict[str, Any], who: tuple[str, str], act: str, words: dict[str, Any], said: str
) -> None:
    with pytest.raises(Raised, match=said):
        client.do(act, at={**near, "user": who[0], "password": who[1]}, **words)
