"""servicenow-cli, unmodified, against an instance: a program, its exit codes and its JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import AGENT, READER, Scene
from tests.clients.environments import Client

CLIENT = "servicenow_cli"
pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.judge("servicenow-cli 0.5.3")]
NOT_FOUND, API_ERROR = 4, 5


class Shell:
    """The program with an instance, an account and a home of its own; `tell` answers its JSON."""

    def __init__(self, client: Client, scene: Scene, home: Path, who: tuple[str, str], url: str = "") -> None:
        self.client, self.scene = client, scene
        self.variables = {"HOME": str(home), "SERVICENOW_INSTANCE": url or scene.url,
                          "SERVICENOW_USERNAME": who[0], "SERVICENOW_PASSWORD": who[1]}  # fmt: skip

    def run(self, *arguments: str, **more: str) -> Any:
        return self.client.run("servicenow", "-o", "json", *arguments, **{**self.variables, **more})

    def tell(self, *arguments: str) -> Any:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["result"] if done.stdout.strip() else None

    def refused(self, *arguments: str, **more: str) -> tuple[int, str]:
        done = self.run(*arguments, **more)
        assert done.returncode != 0, done.stdout
        return done.returncode, json.loads(done.stderr.strip().splitlines()[-1])["error"]["message"]


@pytest.fixture
def admin(client: Client, scene: Scene, tmp_path: Path) -> Shell:
    return Shell(client, scene, tmp_path, ("admin", "admin"))


@pytest.fixture
def agent(client: Client, scene: Scene, tmp_path: Path) -> Shell:
    return Shell(client, scene, tmp_path, AGENT)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("way", ["basic", "bearer"])
def test_the_doctor_finds_nothing_wrong(
    client: Client, scene: Scene, tmp_path: Path, scheme: str, way: str
) -> None:
    shell = Shell(client, scene, tmp_path, AGENT, scene.tls_url if scheme == "https" else scene.url)
    more = {} if way == "basic" else {"SERVICENOW_AUTH_TYPE": "bearer", "SERVICENOW_TOKEN": scene.token()}
    done = shell.run("doctor", **more)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["ok"]
    assert {check["name"] for check in seen["checks"] if check["ok"]} >= {"authentication", "table_api"}


def test_the_doctor_finds_a_wrong_password(client: Client, scene: Scene, tmp_path: Path) -> None:
    _, message = Shell(client, scene, tmp_path, (AGENT[0], "wrong")).refused("doctor")
    assert "Required to provide Auth information" in message


def test_records_from_creation_to_their_end(admin: Shell) -> None:
    made = admin.tell("tables", "create", "incident", "--data", '{"short_description": "Żółć → 火", "impact": "1"}',
                      "--field", "urgency=1")  # fmt: skip
    assert (made["short_description"], made["priority"]) == ("Żółć → 火", "1")
    sys_id = made["sys_id"]
    read = admin.tell("tables", "get", "incident", sys_id, "--fields", "priority,opened_by")
    assert read["priority"] == {"display_value": "1 - Critical", "value": "1"}
    assert read["opened_by"]["display_value"] == "System Administrator"
    changed = admin.tell("tables", "update", "incident", sys_id, "--field", "urgency=3")
    assert (changed["priority"], changed["short_description"]) == ("3", "Żółć → 火")
    assert admin.run("tables", "delete", "incident", sys_id, "--yes").returncode == 0
    assert admin.refused("tables", "get", "incident", sys_id)[0] == NOT_FOUND


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_pages(agent: Shell, limit: int) -> None:
    made = agent.scene.incidents(7, "Page")
    query = "short_descriptionSTARTSWITHPage^ORDERBYnumber"
    words = ("tables", "list", "incident", "-q", query, "--fields", "sys_id")
    seen = agent.tell(*words, "-n", str(limit), "--offset", "2")
    assert [row["sys_id"] for row in seen] == made[2 : 2 + limit]
    seen = agent.tell(*words, "-n", str(limit), "--all")
    assert [row["sys_id"] for row in seen] == made


def test_an_incident_is_worked_on(agent: Shell, admin: Shell) -> None:
    made = agent.tell("incidents", "create", "-s", "From the shell", "--impact", "1", "--urgency", "1")
    number = made["number"]
    agent.tell("incidents", "note", number, "Looked at it")
    entries = agent.scene.rows("sys_journal_field", f"element_id={made['sys_id']}")
    assert [(row["element"], row["value"]) for row in entries] == [("work_notes", "Looked at it")]
    agent.tell("incidents", "assign", number, "--to", AGENT[0])
    mine = agent.tell("incidents", "mine")
    assert number in [row["number"] for row in mine]
    # The labels of states and codes are in sys_choice, which an agent may not query.
    assert (
        agent.refused("incidents", "resolve", number, "--code", "Solution provided", "--notes", "x")[0] == 3
    )
    admin.tell(
        "incidents", "resolve", number, "--code", "Solution provided", "--notes", "Turned it off and on"
    )
    row = agent.scene.rows("incident", f"number={number}")[0]
    assert (row["state"], row["incident_state"], row["close_code"]) == ("6", "6", "Solution provided")
    assert row["resolved_at"]


def test_the_schema_and_the_choices_of_a_table(admin: Shell) -> None:
    seen = admin.tell("schema", "incident")
    assert "category" in json.dumps(seen)
    labels = [choice["label"] for choice in admin.tell("choices", "incident", "incident_state")]
    assert labels[:2] == ["New", "In Progress"]


@pytest.mark.parametrize(
    ("kind", "value"), [("user", "admin"), ("user", "admin@example.com"), ("group", "Hardware")]
)
def test_names_become_records(admin: Shell, kind: str, value: str) -> None:
    seen = admin.tell("resolve", kind, value)
    table = {"user": "sys_user", "group": "sys_user_group"}[kind]
    assert admin.scene.rows(table, f"sys_id={seen['sys_id']['value']}")


def test_a_file_on_a_record(admin: Shell, tmp_path: Path) -> None:
    record = admin.scene.incidents(1, "Attached")[0]
    (tmp_path / "a b.bin").write_bytes(bytes(range(256)) * 9)
    made = admin.tell("attachments", "upload", "incident", record, str(tmp_path / "a b.bin"))
    assert made["size_bytes"] == str(256 * 9)
    listed = admin.tell("attachments", "list", "incident", "INC8000000")
    assert [one["file_name"] for one in listed] == ["a b.bin"]
    admin.run("attachments", "download", made["sys_id"], str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == bytes(range(256)) * 9
    admin.run("attachments", "delete", made["sys_id"], "--yes")
    assert admin.tell("attachments", "list", "incident", record) == []


@pytest.mark.parametrize(
    ("who", "words", "code", "said"),
    [
        (AGENT, ("tables", "get", "incident", "0" * 32), NOT_FOUND, "not found"),
        (AGENT, ("incidents", "show", "INC9999999"), NOT_FOUND, "not found"),
        (AGENT, ("tables", "list", "no_such_table"), API_ERROR, "Invalid table no_such_table"),
        (AGENT, ("tables", "create", "sys_user", "--field", "user_name=mallory"), None, "Operation Failed|[Ff]orbidden|403|denied"),
        (READER, ("tables", "create", "problem", "--field", "short_description=x"), None, "Operation Failed|[Ff]orbidden|403|denied"),
        (("admin", "wrong"), ("tables", "list", "incident"), None, "[Aa]uthenti|401"),
    ],
)  # fmt: skip
def test_what_is_refused(
    client: Client, scene: Scene, tmp_path: Path, who: tuple[str, str], words: tuple[str, ...], code: int | None, said: str
) -> None:  # fmt: skip
    status, message = Shell(client, scene, tmp_path, who).refused(*words)
    assert code is None or status == code
    assert re.search(said, message), message
