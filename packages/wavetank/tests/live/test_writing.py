"""What every instance does with what is written. Everything made here is marked and deleted again."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Target

pytestmark = pytest.mark.writes


def test_the_life_of_an_incident(target: Target) -> None:
    answer = target.call("POST", "incident", json={"short_description": target.mark, "no_such_field": "x"})
    assert answer.status_code == 201
    made = answer.json()["result"]
    target.made.append(("incident", made["sys_id"]))
    assert answer.headers["location"].endswith(f"/api/now/table/incident/{made['sys_id']}")
    assert made["sys_mod_count"] == "0"
    assert (made["state"], made["incident_state"], made["active"]) == ("1", "1", "true")
    assert (made["impact"], made["urgency"], made["priority"]) == ("3", "3", "5")
    assert made["opened_at"] == made["sys_created_on"]
    assert made["task_effective_number"] == made["number"]
    changed = target.change("incident", made["sys_id"], {"impact": "1", "urgency": 1, "priority": "4"})
    assert (changed["priority"], changed["sys_mod_count"]) == ("1", "1")
    put = target.call("PUT", f"incident/{made['sys_id']}", json={"urgency": "2"}).json()["result"]
    assert (put["impact"], put["priority"], put["short_description"]) == ("1", "2", target.mark)
    gone = target.call("DELETE", f"incident/{made['sys_id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert target.refused("DELETE", f"incident/{made['sys_id']}")[0] == 404


@pytest.mark.parametrize(
    ("impact", "urgency", "priority"),
    [("1", "1", "1"), ("1", "3", "3"), ("2", "1", "2"), ("2", "2", "3"), ("3", "2", "4"), ("3", "3", "5")],
)
def test_priority_follows_impact_and_urgency(
    target: Target, impact: str, urgency: str, priority: str
) -> None:
    assert target.incident(impact=impact, urgency=urgency)["priority"] == priority


def test_resolving_needs_a_code_and_notes(target: Target) -> None:
    made = target.incident()
    status, message, detail = target.refused("PATCH", f"incident/{made['sys_id']}", json={"state": "6"})
    assert (status, message) == (403, "Operation Failed")
    assert detail is not None
    assert detail.startswith("Data Policy Exception: The following fields are mandatory: ")
    given = {"state": "6", "close_code": "Solution provided", "close_notes": "Done."}
    resolved = target.change("incident", made["sys_id"], given)
    assert (resolved["state"], resolved["incident_state"]) == ("6", "6")
    assert resolved["resolved_at"] != ""
    assert resolved["resolved_by"] != ""


def test_a_value_that_is_no_choice_is_dropped(target: Target) -> None:
    made = target.incident(close_code="no such code", category="no such category")
    assert made["close_code"] == ""


def test_a_sys_id_may_be_given(target: Target) -> None:
    wanted = uuid.uuid4().hex
    assert target.incident(sys_id=wanted)["sys_id"] == wanted


def test_names_and_labels_are_taken_on_request(target: Target) -> None:
    [user] = target.list("sys_user", sysparm_query="user_name=admin", sysparm_fields="sys_id,name")
    values = {"caller_id": user["name"], "impact": "1 - High"}
    asked = {"sysparm_input_display_value": "true", "sysparm_exclude_reference_link": "true"}
    made = target.create("incident", {"short_description": target.mark, **values}, **asked)
    assert (made["caller_id"], made["impact"]) == (user["sys_id"], "1")


def test_journals(target: Target) -> None:
    made = target.incident()
    target.change("incident", made["sys_id"], {"work_notes": "first"})
    target.change("incident", made["sys_id"], {"comments": "second"})
    raw = target.call("GET", f"incident/{made['sys_id']}").json()["result"]
    assert (raw["work_notes"], raw["comments"]) == ("", "")
    query = f"element_id={made['sys_id']}^ORDERBYsys_created_on"
    rows = target.list("sys_journal_field", sysparm_query=query)
    assert {(row["element"], row["name"], row["value"]) for row in rows} == {
        ("work_notes", "incident", "first"),
        ("comments", "incident", "second"),
    }
    asked = {"sysparm_display_value": "true"}
    shown = target.call("GET", f"incident/{made['sys_id']}", params=asked).json()["result"]
    assert "(Work notes)\nfirst" in shown["work_notes"]


def test_no_body_is_answered_on_request(target: Target) -> None:
    made = target.incident()
    answer = target.call(
        "PATCH", f"incident/{made['sys_id']}", json={"urgency": "1"}, headers={"X-no-response-body": "true"}
    )
    assert answer.status_code in (200, 204)
    assert answer.content == b""
    assert target.call("GET", f"incident/{made['sys_id']}").json()["result"]["urgency"] == "1"


def test_a_body_that_is_no_json(target: Target) -> None:
    answer = target.call(
        "POST", "incident", content=b"{not json", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400


def test_an_attachment_and_its_hash(target: Target) -> None:
    made = target.incident()
    content = "Grüße\n".encode() * 100
    asked = {"table_name": "incident", "table_sys_id": made["sys_id"], "file_name": "hello.txt"}
    kind = {"Content-Type": "text/plain"}
    answer = target.call("POST", "/api/now/attachment/file", params=asked, content=content, headers=kind)
    assert answer.status_code == 201, answer.text
    held = answer.json()["result"]
    assert answer.headers["location"].endswith(f"/api/now/attachment/{held['sys_id']}/file")
    assert (held["file_name"], held["size_bytes"], held["content_type"]) == (
        "hello.txt",
        str(len(content)),
        "text/plain",
    )
    assert held["hash"] == hashlib.sha256(content).hexdigest()
    assert target.call("GET", f"/api/now/attachment/{held['sys_id']}/file").content == content
    query = {"sysparm_query": f"table_sys_id={made['sys_id']}"}
    assert len(target.call("GET", "/api/now/attachment", params=query).json()["result"]) == 1
    target.call("DELETE", f"incident/{made['sys_id']}")
    assert target.call("GET", "/api/now/attachment", params=query).json()["result"] == []
