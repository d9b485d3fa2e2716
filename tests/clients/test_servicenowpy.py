"""servicenowpy, unmodified, against an instance. It sends bodies without a content type."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import AGENT, READER, Scene
from tests.clients.environments import Client, Raised

CLIENT = "servicenowpy"
pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.judge("servicenowpy 0.1.0")]


@pytest.fixture(params=["http", "https"])
def at(request: pytest.FixtureRequest, scene: Scene) -> dict[str, Any]:
    """Where and as whom, over http and over https."""
    url = scene.tls_url if request.param == "https" else scene.url
    return {"url": url, "user": AGENT[0], "password": AGENT[1]}


@pytest.fixture
def near(scene: Scene) -> dict[str, Any]:
    return {"url": scene.url, "user": AGENT[0], "password": AGENT[1]}


def test_a_record_from_its_creation_to_its_end(client: Client, at: dict[str, Any]) -> None:
    admin = {**at, "user": "admin", "password": "admin"}
    seen = client.do(
        "life", values={"short_description": "Été", "urgency": "1"}, changes={"urgency": "2"}, **admin
    )
    assert seen["made"]["short_description"] == "Été"
    assert seen["read"]["sys_id"] == seen["made"]["sys_id"]
    assert [row["sys_id"] for row in seen["numbered"]] == [seen["made"]["sys_id"]]
    assert (seen["patched"]["urgency"], seen["patched"]["short_description"]) == ("2", "Été")
    assert (seen["put"]["urgency"], seen["put"]["short_description"]) == ("2", "Put")
    assert (seen["gone"], seen["left"]) == ("", [])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_pages_are_followed_by_their_links(
    client: Client, scene: Scene, at: dict[str, Any], size: int
) -> None:
    made = scene.incidents(7, "Page")
    query = "short_descriptionSTARTSWITHPage^ORDERBYshort_description"
    seen = client.do("rows", of="incident", at=at, sysparm_query=query, sysparm_limit=size)
    assert [row["sys_id"] for row in seen] == made


@pytest.mark.parametrize("version", ["v1", "v2", None])
def test_every_version_of_the_api(
    client: Client, scene: Scene, near: dict[str, Any], version: str | None
) -> None:
    made = scene.incidents(3, "Version")
    words = {"sysparm_query": "short_descriptionSTARTSWITHVersion", "sysparm_limit": 2}
    seen = client.do("rows", of="incident", at=near, api_version=version, **words)
    assert {row["sys_id"] for row in seen} == set(made)
    link = seen[0]["sys_domain"]["link"] if isinstance(seen[0].get("sys_domain"), dict) else ""
    assert not link or f"/api/now/{version + '/' if version else ''}table/" in link


def test_the_first_version_knows_no_empty_list(client: Client, near: dict[str, Any]) -> None:
    words = {"of": "incident", "at": near, "sysparm_query": "short_description=nothing"}
    with pytest.raises(Raised, match=r"No Record found"):
        client.do("rows", api_version="v1", **words)
    assert client.do("rows", api_version="v2", **words) == []


@pytest.mark.parametrize(
    "words",
    [
        {"short_description": "Filter 001"},
        {"sysparm_query": "short_description=Filter 001"},
        {"sysparm_query": "short_descriptionENDSWITH001^short_descriptionSTARTSWITHFilter^"},
        {"sysparm_query": "^short_description=Filter 001^ORDERBYnumber^"},
        {"sysparm_query": "short_description>Filter 000^short_description<Filter 002"},
        {"sysparm_query": "short_descriptionSTARTSWITHFilter^numberENDSWITH1^no_such_fieldLIKEx"},
    ],
)
def test_queries_go_out_as_they_are_written(
    client: Client, scene: Scene, near: dict[str, Any], words: dict[str, str]
) -> None:
    made = scene.incidents(3, "Filter")
    assert [row["sys_id"] for row in client.do("rows", of="incident", at=near, **words)] == [made[1]]


def test_a_filter_along_a_reference(client: Client, scene: Scene) -> None:
    admin = {"url": scene.url, "user": "admin", "password": "admin"}
    seen = client.do("rows", of="sys_user_has_role", at=admin, **{"role.name": "itil", "user.user_name": AGENT[0]},
                     sysparm_fields="user.user_name,role.name")  # fmt: skip
    assert seen == [{"user.user_name": AGENT[0], "role.name": "itil"}]


def test_fields_may_have_blanks_between_them(client: Client, scene: Scene, near: dict[str, Any]) -> None:
    made = scene.incidents(1, "Blank")[0]
    seen = client.do(
        "one", of="incident", sys_id=made, at=near, sysparm_fields="sys_id, number , caller_id.name"
    )
    assert seen == {"sys_id": made, "number": "INC8000000", "caller_id.name": ""}


@pytest.mark.parametrize(
    ("act", "who", "words", "said"),
    [
        ("one", AGENT, {"of": "incident", "sys_id": "0" * 32}, "No Record found.*ACL restricts"),
        ("rows", AGENT, {"of": "no_such_table"}, "Invalid table no_such_table"),
        ("rows", ("admin", "wrong"), {"of": "incident"}, "Required to provide Auth information"),
        ("create", AGENT, {"of": "sys_user", "values": {"user_name": "mallory"}}, "Operation Failed.*ACL Exception Insert Failed"),
        ("create", READER, {"of": "problem", "values": {"short_description": "x"}}, "Operation Failed.*ACL"),
        ("remove", READER, {"of": "incident", "sys_id": "0" * 32}, "No Record found"),
    ],
)  # fmt: skip
def test_what_is_refused(
    client: Client, near: dict[str, Any], act: str, who: tuple[str, str], words: dict[str, Any], said: str
) -> None:
    with pytest.raises(Raised, match=f"(?s){said}") as refused:
        client.do(act, at={**near, "user": who[0], "password": who[1]}, **words)
    assert refused.value.kind == "StatusCodeError"
