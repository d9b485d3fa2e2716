"""snowloader, unmodified, against an instance: sweeps that count what they read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import AGENT, JOB, OAUTH, READER, Scene
from tests.clients.environments import Client, Raised

CLIENT = "snowloader"
pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.judge("snowloader 0.8.1")]
BASIC = {"username": AGENT[0], "password": AGENT[1]}


def named(url: str) -> str:
    """The address under a name with a dot, which the client insists on."""
    return url.replace("127.0.0.1", "dev.wavetank.test")


@pytest.fixture(params=["http", "https"])
def at(request: pytest.FixtureRequest, scene: Scene) -> dict[str, Any]:
    """Where and as whom, over http and over https."""
    return {"instance_url": named(scene.tls_url if request.param == "https" else scene.url), **BASIC}


@pytest.fixture
def near(scene: Scene) -> dict[str, Any]:
    return {"instance_url": named(scene.url), **BASIC}


@pytest.fixture
def admin(scene: Scene) -> dict[str, Any]:
    return {"instance_url": named(scene.url), "username": "admin", "password": "admin"}


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("keyset", [False, True])
def test_a_sweep_reads_every_record_once(
    client: Client, scene: Scene, at: dict[str, Any], size: int, keyset: bool
) -> None:
    made = scene.incidents(7, "Sweep")
    words = {"query": "short_descriptionSTARTSWITHSweep", "verify": True, "keyset": keyset}
    seen = client.do("rows", table="incident", at={**at, "page_size": size}, **words)
    assert sorted(row["sys_id"] for row in seen) == sorted(made)


@pytest.mark.parametrize(
    ("display", "priority", "department"),
    [
        ("true", "5 - Planning", "Finance"),
        ("false", "5", "a581ab703710200044e0bfc8bcbe5de8"),
        ("all", {"display_value": "5 - Planning", "value": "5"}, "Finance"),
    ],
)
def test_values_and_display_values(
    client: Client, scene: Scene, admin: dict[str, Any], display: str, priority: Any, department: str
) -> None:
    scene.incidents(1, "Shown")
    where = {**admin, "display_value": display}
    words = {"query": "short_description=Shown 000", "fields": ["sys_id", "priority"]}
    assert client.do("rows", table="incident", at=where, **words)[0]["priority"] == priority
    words = {"query": "user_name=admin", "fields": ["sys_id", "department"]}
    seen = client.do("rows", table="sys_user", at=where, **words)[0]["department"]
    kind = {"true": "display_value", "false": "value", "all": "display_value"}[display]
    assert seen[kind] == department
    assert seen["link"].endswith("/api/now/table/cmn_department/a581ab703710200044e0bfc8bcbe5de8")


def test_counts_by_the_aggregate_api(client: Client, scene: Scene, at: dict[str, Any]) -> None:
    scene.incidents(5, "Count")
    assert client.do("count", table="incident", query="short_descriptionSTARTSWITHCount", at=at) == 5


def test_several_threads_sweep_together(client: Client, scene: Scene, near: dict[str, Any]) -> None:
    scene.incidents(20, "Threads")
    query = "short_descriptionSTARTSWITHThreads"
    seen = client.do("concurrently", table="incident", query=query, at={**near, "page_size": 3})
    assert seen == [f"INC8{n:06}" for n in range(20)]


def test_what_changed_since(client: Client, scene: Scene, near: dict[str, Any]) -> None:
    for n, sys_id in enumerate(scene.incidents(4, "Since")):
        stamp = {"sys_updated_on": f"2031-05-0{n + 1} 12:00:00"}
        scene.instance.control(f"records/incident/{sys_id}", stamp, method="PATCH")
    seen = client.do("changed", table="incident", since="2031-05-02T12:00:00+00:00", at=near)
    assert {number for number in seen if number.startswith("INC8")} >= {"INC8000002", "INC8000003"}
    assert not {"INC8000000"} & set(seen)


def test_the_tables_below_a_table(client: Client, admin: dict[str, Any]) -> None:
    seen = client.do("descendants", table="task", at={**admin, "page_size": 1000})
    assert {"task", "incident", "problem", "change_request", "incident_task"} <= set(seen)
    assert "sys_user" not in seen


def test_what_was_deleted(client: Client, scene: Scene, admin: dict[str, Any]) -> None:
    made = scene.instance.insert("sys_audit_delete", [
        {"tablename": "incident", "documentkey": "a" * 32, "sys_created_on": "2031-01-01 00:00:00"},
        {"tablename": "problem", "documentkey": "b" * 32, "sys_created_on": "2031-01-02 00:00:00"},
        {"tablename": "incident", "documentkey": "c" * 32, "sys_created_on": "2031-01-03 00:00:00"},
    ])  # fmt: skip
    assert len(made) == 3
    where = {**admin, "page_size": 1000, "display_value": "false"}
    seen = client.do("deleted", table="incident", since="2031-01-02T00:00:00+00:00", at=where)
    assert [row["sys_id"] for row in seen["found"]] == ["c" * 32]
    seen = client.do("deleted", table="task", since="2031-01-01T00:00:00+00:00", at=where)
    assert [row["sys_id"] for row in seen["found"]] == ["a" * 32, "b" * 32, "c" * 32]


def test_an_incident_with_its_journal(client: Client, scene: Scene, admin: dict[str, Any]) -> None:
    record = scene.incidents(1, "Journal")[0]
    entry = {"element": "work_notes", "element_id": record, "name": "incident", "value": "Pulled the plug"}
    scene.instance.insert("sys_journal_field", [{**entry, "sys_created_by": "ada"}])
    words = {"query": f"sys_id={record}", "include_journals": True}
    seen = client.do("documents", kind="IncidentLoader", at={**admin, "display_value": "all"}, **words)
    assert len(seen) == 1
    assert "Pulled the plug" in seen[0]["text"]
    assert "Priority: 5 - Planning" in seen[0]["text"]


def test_items_and_their_relations(client: Client, scene: Scene, admin: dict[str, Any]) -> None:
    both = scene.instance.insert("cmdb_ci_server", [{"name": "judge-a"}, {"name": "judge-b"}])
    ends = {"parent": both[0]["sys_id"], "child": both[1]["sys_id"]}
    kind = scene.instance.insert("cmdb_rel_type", [{"name": "Feeds::Is fed by", "parent_descriptor": "Feeds", "child_descriptor": "Is fed by"}])  # fmt: skip
    scene.instance.insert("cmdb_rel_ci", [{**ends, "type": kind[0]["sys_id"]}])
    words = {"query": "nameSTARTSWITHjudge-a", "include_relationships": True}
    seen = client.do("documents", kind="CMDBLoader", at={**admin, "display_value": "all"}, **words)
    assert len(seen) == 1
    assert "judge-b" in seen[0]["text"]


def test_a_file_by_its_key(client: Client, scene: Scene, admin: dict[str, Any]) -> None:
    record = scene.incidents(1, "Attached")[0]
    content = bytes(range(256))
    made = scene.upload("incident", record, "all.bin", content)
    assert bytes.fromhex(client.do("attachment", sys_id=made, at=admin)) == content


@pytest.mark.parametrize("way", ["password", "client", "bearer"])
def test_every_way_in(client: Client, scene: Scene, way: str) -> None:
    ways = {
        "password": {"client_id": OAUTH[0], "client_secret": OAUTH[1], **BASIC},
        "client": {"client_id": JOB[0], "client_secret": JOB[1]},
        "bearer": {"token": scene.token()},
    }
    made = scene.incidents(2, "Way")
    where = {"instance_url": named(scene.tls_url), **ways[way]}
    seen = client.do("rows", table="incident", query="short_descriptionSTARTSWITHWay", at=where)
    assert sorted(row["sys_id"] for row in seen) == sorted(made)


def test_the_asynchronous_client(client: Client, scene: Scene, at: dict[str, Any]) -> None:
    scene.incidents(11, "Async")
    query = "short_descriptionSTARTSWITHAsync"
    seen = client.do("async_rows", table="incident", query=query, at={**at, "page_size": 4})
    assert seen["count"] == 11
    assert sorted(row["number"] for row in seen["rows"]) == [f"INC8{n:06}" for n in range(11)]


def test_rows_that_are_hidden_are_missed_by_the_count(client: Client, scene: Scene) -> None:
    """X-Total-Count and the Aggregate API count what row rules hide: the client must notice."""
    scene.incidents(3, "Hidden")
    nobody = {"instance_url": named(scene.url), "username": READER[0], "password": READER[1]}
    words = {"table": "incident", "query": "short_descriptionSTARTSWITHHidden", "at": nobody}
    assert client.do("rows", **words) == []
    with pytest.raises(Raised, match=r"403|expected 3|3 records"):
        client.do("rows", verify=True, **words)


@pytest.mark.parametrize(
    ("who", "act", "words", "said"),
    [
        (("admin", "wrong"), "rows", {"table": "incident"}, "401|[Aa]uthenticat"),
        (AGENT, "rows", {"table": "no_such_table"}, "Invalid table"),
        (AGENT, "record", {"table": "incident", "sys_id": "0" * 32}, "404|No Record found"),
    ],
)
def test_what_is_refused(
    client: Client, scene: Scene, who: tuple[str, str], act: str, words: dict[str, Any], said: str
) -> None:
    where = {"instance_url": named(scene.url), "username": who[0], "password": who[1]}
    with pytest.raises(Raised, match=said):
        client.do(act, at=where, **words)
