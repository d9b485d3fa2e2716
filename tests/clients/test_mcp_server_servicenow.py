"""mcp-server-servicenow, unmodified, against an instance: its own check, and its tools as an assistant calls them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.conftest import AGENT, JOB, OAUTH, Scene
from tests.clients.environments import Client

CLIENT = "mcp_server_servicenow"
pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.judge("mcp-server-servicenow 0.9.2")]
WAYS = {
    "basic": ["--auth-type", "basic", "--username", AGENT[0], "--password", AGENT[1]],
    "oauth": ["--auth-type", "oauth", "--client-id", JOB[0], "--client-secret", JOB[1]],
    "password": ["--auth-type", "oauth", "--client-id", OAUTH[0], "--client-secret", OAUTH[1],
                 "--username", AGENT[0], "--password", AGENT[1]],
    "key": ["--auth-type", "api_key", "--api-key"],
}  # fmt: skip


class Assistant:
    """Calls tools of one server that runs as the administrator."""

    def __init__(self, client: Client, scene: Scene) -> None:
        self.client = client
        self.arguments = ["--instance-url", scene.tls_url, "--auth-type", "basic", "--username", "admin",
                          "--password", "admin"]  # fmt: skip

    def tell(self, tool: str, **words: Any) -> Any:
        seen = self.client.do("call", arguments=self.arguments, tool=tool, words=words)
        assert not seen["failed"], seen["text"]
        return json.loads(seen["text"])

    def refused(self, tool: str, **words: Any) -> str:
        seen = self.client.do("call", arguments=self.arguments, tool=tool, words=words)
        assert seen["failed"], seen["text"]
        return str(seen["text"])


@pytest.fixture
def assistant(client: Client, scene: Scene) -> Assistant:
    return Assistant(client, scene)


@pytest.mark.parametrize(
    ("way", "scheme"), [("basic", "http"), ("oauth", "https"), ("password", "https"), ("key", "https")]
)
def test_its_own_check(client: Client, scene: Scene, way: str, scheme: str) -> None:
    url = scene.url if scheme == "http" else scene.tls_url
    more = [scene.let_keys_in()] if way == "key" else []
    done = client.run("mcp-server-servicenow", "--instance-url", url, *WAYS[way], *more, "--check")
    words = [line.split()[:2] for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout
    good = {name for verdict, name in words if verdict == "ok"}
    assert good >= {"reach", "identity", "table", "record", "schema"}
    # The policy of the key is for the Table API alone.
    assert ["warn" if way == "key" else "ok", "aggregate"] in words
    assert f"identity   {AGENT[0]}" in done.stdout


def test_its_own_check_finds_a_wrong_secret(client: Client, scene: Scene) -> None:
    wrong = [*WAYS["oauth"][:-1], "wrong"]
    done = client.run("mcp-server-servicenow", "--instance-url", scene.url, *wrong, "--check")
    assert done.returncode != 0


def test_records_from_creation_to_their_end(assistant: Assistant, scene: Scene) -> None:
    data = {"short_description": "Ünïcödé 火", "impact": "1", "urgency": "1"}
    made = assistant.tell("create_record", table_name="incident", data=data)
    sys_id = made["sys_id"]
    read = assistant.tell(
        "get_record",
        table_name="incident",
        sys_id=sys_id,
        fields="priority,short_description",
        display_value="all",
    )
    assert read["priority"] == {"display_value": "1 - Critical", "value": "1"}
    assert read["short_description"]["value"] == "Ünïcödé 火"
    assistant.tell("update_record", table_name="incident", sys_id=sys_id, data={"urgency": "3"})
    assert scene.rows("incident", f"sys_id={sys_id}")[0]["priority"] == "3"
    assistant.tell("delete_record", table_name="incident", sys_id=sys_id)
    assert "No Record found" in assistant.refused("get_record", table_name="incident", sys_id=sys_id)


def test_lists_pages_and_figures(assistant: Assistant, scene: Scene) -> None:
    scene.incidents(5, "Asked")
    query = "short_descriptionSTARTSWITHAsked"
    words = {"table_name": "incident", "query": query, "fields": "number,priority", "order_by": "-number"}
    seen = assistant.tell("list_records", **words, limit=2, offset=1)
    assert [row["number"] for row in seen["records"]] == ["INC8000003", "INC8000002"]
    seen = assistant.tell("aggregate_records", table_name="incident", query=query)
    assert seen["stats"]["count"] == "5"
    seen = assistant.tell("aggregate_records", table_name="incident", query=query, group_by="priority")
    assert seen["groups"][0]["stats"]["count"] == "5"
    assert seen["groups"][0]["groupby_fields"] == [{"field": "priority", "value": "5"}]
    words = {"table_name": "incident", "query": query, "group_by": "priority", "display_value": "true"}
    seen = assistant.tell("aggregate_records", **words, having="count^priority^>^4")
    assert seen["groups"][0]["groupby_fields"][0]["display_value"] == "5 - Planning"
    assert assistant.tell("aggregate_records", **words, having="count^priority^>^5")["groups"] == []


def test_who_it_is_and_what_a_table_holds(assistant: Assistant) -> None:
    seen = assistant.tell("get_current_user")
    assert (seen["user_name"], seen["user_display_name"]) == ("admin", "System Administrator")
    assert "admin" in seen["roles"]
    seen = assistant.tell("get_table_schema", table_name="incident", limit=400)
    assert seen["hierarchy"] == ["incident", "task"]
    fields = {field["name"]: field["defined_in"] for field in seen["fields"]}
    assert (fields["caller_id"], fields["short_description"]) == ("incident", "task")


def test_configuration_items_and_update_sets(assistant: Assistant, scene: Scene) -> None:
    made = assistant.tell("create_ci", class_name="cmdb_ci_server", data={"name": "judge-x"})
    other = assistant.tell("create_ci", class_name="cmdb_ci_server", data={"name": "judge-y"})
    ends = {"parent": made["sys_id"], "child": other["sys_id"]}
    scene.instance.insert("cmdb_rel_ci", [ends])
    seen = assistant.tell("list_ci", query="nameSTARTSWITHjudge-", limit=10)
    assert {row["sys_class_name"] for row in seen["records"]} == {"cmdb_ci_server"}
    assert other["sys_id"] in json.dumps(assistant.tell("get_ci_relationships", sys_id=made["sys_id"]))
    made = assistant.tell("create_update_set", name="Judged")
    assert scene.rows("sys_update_set", f"sys_id={made['sys_id']}")[0]["name"] == "Judged"


def test_what_is_refused(assistant: Assistant) -> None:
    assert "Invalid table no_such_table" in assistant.refused("list_records", table_name="no_such_table")
