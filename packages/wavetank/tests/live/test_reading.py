"""What every instance answers to a reader. Nothing here depends on what wavetank's packs hold."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Target

SYS_ID = re.compile(r"[0-9a-f]{32}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@pytest.mark.claim("table-values-are-text")
def test_every_scalar_is_text(target: Target) -> None:
    [row] = target.list("incident", sysparm_limit="1")
    for name, value in row.items():
        assert isinstance(value, str) or set(value) == {"link", "value"}, name
    assert SYS_ID.fullmatch(row["sys_id"])
    assert MOMENT.fullmatch(row["sys_created_on"])
    assert row["active"] in {"true", "false"}
    assert row["work_notes"] == ""


@pytest.mark.claim("table-reference-shapes")
def test_the_shapes_of_a_reference(target: Target) -> None:
    asked = {"sysparm_query": "caller_idISNOTEMPTY", "sysparm_limit": "1", "sysparm_fields": "caller_id"}
    shapes = {
        ("false", "false"): {"link", "value"},
        ("true", "false"): {"display_value", "link"},
        ("all", "false"): {"display_value", "link", "value"},
        ("all", "true"): {"display_value", "value"},
    }
    for (mode, bare), keys in shapes.items():
        more = {"sysparm_display_value": mode, "sysparm_exclude_reference_link": bare}
        [row] = target.list("incident", **asked, **more)
        assert set(row["caller_id"]) == keys
    for mode in ("false", "true"):
        more = {"sysparm_display_value": mode, "sysparm_exclude_reference_link": "true"}
        [row] = target.list("incident", **asked, **more)
        assert isinstance(row["caller_id"], str)


@pytest.mark.claim("table-link-version")
def test_links_keep_the_callers_version(target: Target) -> None:
    for version in ("", "/v1", "/v2"):
        path = f"/api/now{version}/table/incident"
        asked = {"sysparm_query": "caller_idISNOTEMPTY", "sysparm_limit": "1"}
        [row] = target.call("GET", path, params=asked).json()["result"]
        assert f"/api/now{version}/table/sys_user/" in row["caller_id"]["link"]


@pytest.mark.claim("table-pagination")
def test_the_pagination_headers(target: Target) -> None:
    asked = {"sysparm_fields": "sys_id", "sysparm_limit": "2", "sysparm_query": "ORDERBYsys_id"}
    answer = target.call("GET", "sys_user_group", params=asked)
    total = int(answer.headers["x-total-count"])
    links = {name: address for address, name in re.findall(r'<([^>]+)>;rel="(\w+)"', answer.headers["link"])}
    assert list(links) == [name for name in ("first", "prev", "next", "last") if name in links]
    assert links["next"].endswith("sysparm_limit=2&sysparm_offset=2")
    assert links["last"].endswith(f"sysparm_offset={(total - 1) // 2 * 2}")
    seen: list[str] = []
    for offset in range(0, total, 2):
        page = target.call("GET", "sys_user_group", params={**asked, "sysparm_offset": str(offset)})
        seen += [row["sys_id"] for row in page.json()["result"]]
    assert len(seen) == len(set(seen)) == total
    assert "link" not in target.call("GET", "sys_user_group", params={"sysparm_limit": "10000"}).headers


@pytest.mark.claim("table-v1-empty")
def test_an_empty_list(target: Target) -> None:
    asked = {"sysparm_query": "number=NO-SUCH-NUMBER"}
    assert target.list("incident", **asked) == []
    status, message, _ = target.refused("GET", "/api/now/v1/table/incident", params=asked)
    assert (status, message) == (404, "No Record found")


@pytest.mark.claim("table-not-found")
def test_what_is_not_there(target: Target) -> None:
    missing = (404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
    assert target.refused("GET", f"incident/{'0' * 32}") == missing
    assert target.refused("GET", "no_such_table_here")[:2] == (400, "Invalid table no_such_table_here")
    unknown = target.refused("GET", "/api/now/no_such_api/x")
    assert unknown[:2] == (400, "Requested URI does not represent any resource")


def test_nobody_is_401(target: Target) -> None:
    status, message, detail = target.refused("GET", "incident", auth=("no.such.user.here", "x"))
    # The words changed with a release.
    assert message in {"User Not Authenticated", "User is not authenticated"}
    assert (status, detail) == (401, "Required to provide Auth information")


def test_fields_asked_for(target: Target) -> None:
    asked = "sys_id, number ,caller_id.department,caller_id.user_name,no_such_field"
    [row] = target.list("incident", sysparm_query="caller_id.departmentISNOTEMPTY", sysparm_fields=asked,
                        sysparm_limit="1")  # fmt: skip
    assert set(row) == {"sys_id", "number", "caller_id.department", "caller_id.user_name"}
    assert set(row["caller_id.department"]) == {"link", "value"}


def test_flags_in_any_case(target: Target) -> None:
    asked = {"sysparm_query": "caller_idISNOTEMPTY", "sysparm_limit": "1", "sysparm_view": ""}
    more = {"sysparm_display_value": "False", "sysparm_exclude_reference_link": "True"}
    [row] = target.list("incident", **asked, **more)
    assert SYS_ID.fullmatch(row["caller_id"])


def test_headers_of_every_answer(target: Target) -> None:
    answer = target.call("GET", "incident", params={"sysparm_limit": "1"})
    assert answer.headers["content-type"].replace(" ", "").lower() == "application/json;charset=utf-8"
    assert answer.headers["x-is-logged-in"] == "true"
    assert re.fullmatch(r"[0-9a-f]{12}", answer.headers["x-transaction-id"])
    assert "no-store" in answer.headers["cache-control"]
    assert "etag" not in answer.headers
    assert "last-modified" not in answer.headers
    assert {"JSESSIONID", "glide_user_route"} <= set(answer.cookies)


def test_a_head_has_no_body(target: Target) -> None:
    answer = target.call("HEAD", "incident", params={"sysparm_limit": "1"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert "x-total-count" in answer.headers


def test_an_address_that_is_too_long(target: Target) -> None:
    answer = target.call("GET", f"incident?sysparm_query={'numberISNOTEMPTY^' * 600}")
    assert answer.status_code == 414
    assert "html" in answer.headers["content-type"]


def test_a_batch_of_reads(target: Target) -> None:
    parts = [
        {"id": "1", "method": "GET", "url": "/api/now/table/incident?sysparm_limit=1", "headers": []},
        {"id": "2", "method": "GET", "url": f"/api/now/table/incident/{'0' * 32}", "headers": []},
    ]
    asked = {"batch_request_id": 7, "rest_requests": parts}
    answer = target.call("POST", "/api/now/v1/batch", json=asked, reads=True)
    assert answer.status_code == 200
    found = answer.json()
    assert found["batch_request_id"] == "7"
    assert [(part["id"], part["status_code"]) for part in found["serviced_requests"]] == [
        ("1", 200),
        ("2", 404),
    ]
    [row] = json.loads(base64.b64decode(found["serviced_requests"][0]["body"]))["result"]
    assert SYS_ID.fullmatch(row["sys_id"])
    names = {each["name"].lower() for each in found["serviced_requests"][0]["headers"]}
    assert "x-total-count" in names


def test_counts_agree_with_the_pages(target: Target) -> None:
    asked = {"sysparm_count": "true", "sysparm_query": "active=true"}
    counted = target.call("GET", "/api/now/stats/incident", params=asked).json()["result"]
    assert counted == {"stats": {"count": str(target.total("incident", "active=true"))}}
    grouped = target.call("GET", "/api/now/stats/incident", params={**asked, "sysparm_group_by": "state"})
    assert sum(int(each["stats"]["count"]) for each in grouped.json()["result"]) == int(
        counted["stats"]["count"]
    )


def test_the_dictionary_describes_itself(target: Target) -> None:
    rows = target.list("sys_dictionary", sysparm_query="name=incident^elementISNOTEMPTY", sysparm_limit="5",
                       sysparm_fields="name,element,internal_type,reference,max_length,active")  # fmt: skip
    assert rows
    assert all(row["internal_type"]["value"] for row in rows)
    [table] = target.list("sys_db_object", sysparm_query="name=incident",
                          sysparm_fields="label,super_class.name")  # fmt: skip
    assert table == {"label": "Incident", "super_class.name": "task"}


def test_a_task_is_read_as_its_parent_class(target: Target) -> None:
    [row] = target.list("incident", sysparm_limit="1", sysparm_fields="sys_id,number")
    found = target.call("GET", f"task/{row['sys_id']}").json()["result"]
    assert (found["number"], found["sys_class_name"]) == (row["number"], "incident")
    assert "incident_state" not in found
