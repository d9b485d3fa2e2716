"""Several requests in one, through the Batch API."""

import json
import time
from base64 import b64decode, b64encode
from typing import Any

import pytest

from wavetank.database.shipped import sys_id_for
from wavetank.security.policies import TABLE_API

PATH = "/api/now/v1/batch"
CANCELLED = "Transaction cancelled: maximum execution time exceeded"


def part(number: Any, url: str, method: str = "GET", body: Any = None, **more: Any) -> dict[str, Any]:
    made = {"id": number, "method": method, "url": url, "headers": [], **more}
    if body is not None:
        made["body"] = b64encode(json.dumps(body).encode()).decode()
    return made


def post(api: Any, *parts: Any, path: str = PATH, number: Any = "1", **more: Any) -> Any:
    answer = api.call("POST", path, json={"batch_request_id": number, "rest_requests": list(parts)}, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def body_of(reply: Any) -> Any:
    return json.loads(b64decode(reply["body"]))


def header(reply: Any, name: str) -> str | None:
    return next((each["value"] for each in reply["headers"] if each["name"] == name), None)


def error_of(reply: Any) -> tuple[int, str, str | None]:
    error = body_of(reply)["error"]
    return reply["status_code"], error["message"], error["detail"]


@pytest.mark.claim("batch-answer")
@pytest.mark.parametrize("path", ["/api/now/batch", "/api/now/v1/batch", "/api/now/v2/batch"])
def test_each_request_is_answered(admin: Any, path: str) -> None:
    made = post(
        admin,
        part("a", "/api/now/table/incident?sysparm_limit=2&sysparm_fields=number"),
        part(7, "/api/now/table/incident", "POST", {"short_description": "in a batch"}),
        path=path,
        number=11,
    )
    assert set(made) == {"batch_request_id", "serviced_requests", "unserviced_requests"}
    assert (made["batch_request_id"], made["unserviced_requests"]) == ("11", [])
    listed, created = made["serviced_requests"]
    assert (listed["id"], listed["status_code"], listed["status_text"]) == ("a", 200, "OK")
    assert [set(row) for row in body_of(listed)["result"]] == [{"number"}] * 2
    assert (created["id"], created["status_code"], created["status_text"]) == ("7", 201, "Created")
    assert body_of(created)["result"]["short_description"] == "in a batch"
    assert isinstance(listed["execution_time"], int)
    assert "redirect_url" not in listed
    assert "error_message" not in listed


@pytest.mark.claim("batch-sequence")
def test_requests_run_one_after_the_other(admin: Any) -> None:
    sys_id = "ab" * 16
    record = f"/api/now/table/incident/{sys_id}"
    made = post(
        admin,
        part("1", "/api/now/table/incident", "POST", {"sys_id": sys_id, "short_description": "a"}),
        part("2", record, "PATCH", {"short_description": "b"}),
        part("3", record),
        part("4", record, "DELETE"),
        part("5", record),
    )
    replies = made["serviced_requests"]
    assert [reply["status_code"] for reply in replies] == [201, 200, 200, 204, 404]
    assert body_of(replies[2])["result"]["short_description"] == "b"
    assert (replies[3]["body"], replies[3]["status_text"]) == ("", "No Content")
    assert error_of(replies[4])[1] == "No Record found"


@pytest.mark.claim("batch-headers")
def test_the_headers_of_an_answer(admin: Any) -> None:
    url = "/api/now/table/incident?sysparm_limit=1"
    shown, bare = post(admin, part("1", url), part("2", url, exclude_response_headers=True))[
        "serviced_requests"
    ]
    names = {each["name"] for each in shown["headers"]}
    assert names >= {
        "Content-Type",
        "Content-Length",
        "X-Total-Count",
        "Link",
        "Pragma",
        "Expires",
        "Cache-Control",
    }
    assert not names & {"Set-Cookie", "Server", "Date", "X-Transaction-Id", "Content-Encoding", "Connection"}
    assert int(header(shown, "X-Total-Count") or 0) > 1
    assert header(shown, "Content-Length") == str(len(b64decode(shown["body"])))
    assert bare["headers"] == []
    assert bare["body"] == shown["body"]


@pytest.mark.claim("batch-headers")
def test_an_answer_is_not_compressed_within_a_batch(admin: Any) -> None:
    headers = [{"name": "Accept-Encoding", "value": "gzip"}]
    (reply,) = post(admin, part("1", "/api/now/table/incident", headers=headers))["serviced_requests"]
    assert len(b64decode(reply["body"])) > 1000
    assert body_of(reply)["result"]


def test_a_request_has_headers_of_its_own(admin: Any) -> None:
    wanted = [{"name": "Accept", "value": "application/xml"}]
    (reply,) = post(admin, part("1", "/api/now/table/incident?sysparm_limit=1", headers=wanted))[
        "serviced_requests"
    ]
    assert (header(reply, "Content-Type") or "").startswith("application/xml")
    assert b64decode(reply["body"]).startswith(b"<?xml")


@pytest.mark.claim("batch-front-door")
def test_the_caller_is_the_caller_throughout(admin: Any) -> None:
    clerk = admin.user("clerk", "itil")
    forged = [{"name": "Authorization", "value": "Basic " + b64encode(b"admin:admin").decode()}]
    me = "/api/now/table/sys_user?sysparm_query=sys_id=javascript:gs.getUserID()&sysparm_fields=user_name"
    properties = "/api/now/table/sys_properties?sysparm_limit=1"
    mine, hidden, write = post(
        clerk,
        part("1", me, headers=forged),
        part("2", properties, headers=forged),
        part("3", "/api/now/table/sys_properties", "POST", {"name": "x"}, headers=forged),
    )["serviced_requests"]
    assert body_of(mine)["result"] == [{"user_name": "clerk"}]
    assert body_of(hidden)["result"] == []
    assert error_of(write)[:2] == (403, "Operation Failed")


@pytest.mark.claim("batch-front-door")
def test_an_access_policy_decides_about_each_request(admin: Any) -> None:
    database = admin.instance.database
    every = {f"apply_all_{name}": "true" for name in ("methods", "resources", "versions", "tables")}
    tables = {"name": "Tokens only", "active": "true", "api": TABLE_API, "api_path": "now/table", **every}
    policy = database.insert("sys_api_access_policy", tables)["sys_id"]
    tokens = sys_id_for("std_http_auth", "oauth")
    profile = {"api_access_policy": policy, "inbound_auth_profile": tokens}
    database.insert("sys_auth_profile_mapping", profile)
    table = part("1", "/api/now/table/incident?sysparm_limit=1")
    statistics = part("2", "/api/now/stats/incident?sysparm_count=true")
    replies = post(admin, table, statistics)["serviced_requests"]
    assert [reply["status_code"] for reply in replies] == [401, 200]


@pytest.mark.claim("batch-front-door")
def test_a_batch_needs_a_caller(admin: Any) -> None:
    admin.client.auth = None
    body = {"batch_request_id": "1", "rest_requests": [part("1", "/api/now/table/incident")]}
    assert admin.call("POST", PATH, json=body).status_code == 401


@pytest.mark.claim("batch-front-door")
def test_rate_limits_count_each_request(admin: Any) -> None:
    rule = {"path": "/api/now/table/*", "limit": 2, "seconds": 3600}
    admin.instance.settings.update({"rate_rules": [rule]})
    url = "/api/now/table/incident?sysparm_limit=1"
    replies = post(admin, *(part(str(each), url) for each in range(3)))["serviced_requests"]
    assert [reply["status_code"] for reply in replies] == [200, 200, 429]
    assert header(replies[0], "X-RateLimit-Limit") == "2"


@pytest.mark.claim("batch-front-door")
def test_a_batch_is_one_request_in_the_log(admin: Any) -> None:
    url = "/api/now/table/incident?sysparm_limit=1"
    admin.instance.requests.clear()
    post(admin, part("1", url), part("2", url))
    assert [entry["path"] for entry in admin.instance.requests.since()] == [PATH]


@pytest.mark.claim("batch-url")
def test_an_address_may_be_longer_than_a_request_line(admin: Any) -> None:
    numbers = [row["number"] for row in admin.get("incident", sysparm_fields="number", sysparm_limit="5")]
    query = "numberIN" + ",".join([*numbers, *("INC9999999" for _ in range(2500))])
    url = f"/api/now/table/incident?sysparm_fields=number&sysparm_query={query}^ORDERBYnumber"
    assert len(url) > 23_000
    (reply,) = post(admin, part("1", url))["serviced_requests"]
    assert reply["status_code"] == 200
    assert {row["number"] for row in body_of(reply)["result"]} == set(numbers)
    assert admin.call("GET", url).status_code == 414


def test_a_query_need_not_be_encoded(admin: Any) -> None:
    admin.create("incident", {"short_description": "Grüße > alle"})
    url = "/api/now/table/incident?sysparm_query=short_description=Grüße > alle^active=true"
    (reply,) = post(admin, part("1", url))["serviced_requests"]
    assert [row["short_description"] for row in body_of(reply)["result"]] == ["Grüße > alle"]


@pytest.mark.claim("batch-refused-item")
def test_what_a_batch_cannot_hold_is_that_requests_error(admin: Any) -> None:
    good = "/api/now/table/incident?sysparm_limit=1"
    made = post(
        admin,
        {**part("body", "/api/now/table/incident", "POST"), "body": "***"},
        part("absolute", "http://dev.example:8080" + good),
        part("control", "/-/requests"),
        part("climbing", "/api/../-/requests"),
        part("page", "/login.do"),
        part("nested", "/api/now/batch", "POST", {"rest_requests": []}),
        part("method", good, "BREW"),
        part("table", "/api/now/table/no_such_table"),
        part("good", good),
    )
    replies = {reply["id"]: reply for reply in made["serviced_requests"]}
    assert len(replies) == 9
    for name in ("body", "absolute", "control", "climbing", "page", "nested"):
        status, message, detail = error_of(replies[name])
        assert status == 400
        assert replies[name]["error_message"] == (detail or message)
    assert error_of(replies["absolute"])[1] == "Requested URI does not represent any resource"
    assert error_of(replies["nested"])[1] == "Invalid batch request"
    assert replies["method"]["status_code"] == 405
    assert error_of(replies["table"]) == (400, "Invalid table no_such_table", None)
    assert replies["good"]["status_code"] == 200


@pytest.mark.claim("batch-refused-item")
def test_what_a_batch_cannot_hold_may_be_left_unserviced(admin: Any) -> None:
    admin.instance.settings.update({"batch_bad_item": "unserviced"})
    good = "/api/now/table/incident?sysparm_limit=1"
    made = post(admin, part("1", good), part("2", "http://elsewhere.example" + good), part("3", good))
    assert [reply["id"] for reply in made["serviced_requests"]] == ["1", "3"]
    assert made["unserviced_requests"] == ["2"]


@pytest.mark.claim("batch-refused-item")
def test_base64_may_be_broken_into_lines(admin: Any) -> None:
    text = b64encode(json.dumps({"short_description": "folded " * 20}).encode()).decode()
    folded = "\r\n".join(text[start : start + 60] for start in range(0, len(text), 60))
    request = {**part("1", "/api/now/table/incident", "POST"), "body": folded}
    (reply,) = post(admin, request)["serviced_requests"]
    assert reply["status_code"] == 201


@pytest.mark.claim("batch-malformed")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"batch_request_id": "1"}',
        b'{"rest_requests": {}}',
        b'{"rest_requests": [1]}',
        b'{"rest_requests": [{"id": "1", "method": "GET"}]}',
        b'{"rest_requests": [{"id": "1", "url": "/api/now/table/incident"}]}',
        b'{"rest_requests": [{"method": "GET", "url": "/api/now/table/incident"}]}',
        b'{"rest_requests": [{"id": "1", "method": "GET", "url": "/api/x", "headers": {"a": "b"}}]}',
        b'{"rest_requests": [{"id": "1", "method": "GET", "url": "/api/x", "headers": ["a"]}]}',
    ],
)
def test_a_batch_that_cannot_be_read(admin: Any, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    status, message, _ = admin.refused("POST", PATH, content=body, headers=headers)
    assert (status, message) == (400, "Exception while reading request")


def test_an_empty_batch(admin: Any) -> None:
    assert post(admin) == {"batch_request_id": "1", "serviced_requests": [], "unserviced_requests": []}


@pytest.mark.claim("batch-quota")
@pytest.mark.parametrize("commits", [True, False])
def test_a_batch_that_takes_too_long(admin: Any, commits: bool) -> None:
    admin.instance.settings.update({"batch_quota_seconds": 0.3, "quota_commits": commits})
    admin.instance.faults.add({"match": {"table": "problem"}, "do": "delay", "seconds": 20, "times": 1})
    started = time.monotonic()
    made = post(
        admin,
        part("1", "/api/now/table/incident?sysparm_limit=1"),
        part("2", "/api/now/table/problem", "POST", {"short_description": "slow"}),
        part("3", "/api/now/table/incident?sysparm_limit=1"),
        part("4", "/api/now/table/incident?sysparm_limit=1"),
    )
    assert time.monotonic() - started < 10
    first, slow = made["serviced_requests"]
    assert (first["id"], first["status_code"]) == ("1", 200)
    assert slow["id"] == "2"
    assert error_of(slow) == (500, CANCELLED, f"{CANCELLED}. Check logs for error trace.")
    assert made["unserviced_requests"] == ["3", "4"]
    assert len(admin.get("problem", sysparm_query="short_description=slow")) == commits


@pytest.mark.claim("batch-sizes")
def test_a_request_may_be_too_large(admin: Any) -> None:
    admin.instance.set_property("glide.rest.batch.max.inputSize", "1")
    url = "/api/now/table/incident"
    large = part("2", url, "POST", {"description": "x" * 1_048_576})
    made = post(admin, part("1", url + "?sysparm_limit=1"), large, part("3", url))
    assert [reply["id"] for reply in made["serviced_requests"]] == ["1"]
    assert made["unserviced_requests"] == ["2", "3"]
    admin.instance.set_property("glide.rest.batch.max.inputSize", "2")
    assert post(admin, large)["unserviced_requests"] == []


@pytest.mark.claim("batch-sizes")
def test_an_answer_may_be_too_large(admin: Any) -> None:
    for _ in range(3):
        admin.instance.database.insert("incident", {"description": "x" * 400_000})
    url = "/api/now/table/incident?sysparm_fields=description"
    assert post(admin, part("1", url))["unserviced_requests"] == []
    small = {"X-BATCHREQUEST-MAX-OUTPUT-SIZE": "1"}
    made = post(admin, part("0", url + "&sysparm_limit=1"), part("1", url), part("2", url), headers=small)
    assert made["unserviced_requests"] == ["1", "2"]
    admin.instance.set_property("glide.rest.batch.max.outputSize", "1")
    large = {"X-BATCHREQUEST-MAX-OUTPUT-SIZE": "10"}
    assert post(admin, part("1", url), headers=large)["unserviced_requests"] == ["1"]


@pytest.mark.claim("batch-json-only")
def test_other_formats_are_refused(admin: Any) -> None:
    body = json.dumps({"rest_requests": []})
    kind = {"Content-Type": "application/json"}
    for accept in ("multipart/mixed", "application/xml"):
        answer = admin.call("POST", PATH, content=body, headers={**kind, "Accept": accept})
        assert answer.status_code == 406
    assert admin.call("POST", PATH, content=body, headers={**kind, "Accept": "*/*"}).status_code == 200
    answer = admin.call("POST", PATH, content="<a/>", headers={"Content-Type": "application/xml"})
    assert answer.status_code == 415
    assert admin.call("GET", PATH).status_code == 405


def test_a_file_is_attached_and_read_within_a_batch(admin: Any) -> None:
    sys_id = admin.create("incident", {"short_description": "with a file"})["sys_id"]
    query = f"table_name=incident&table_sys_id={sys_id}&file_name=a.txt"
    typed = [{"name": "Content-Type", "value": "text/plain"}]
    upload = {
        **part("1", f"/api/now/attachment/file?{query}", "POST", headers=typed),
        "body": b64encode(b"\x00file").decode(),
    }
    (made,) = post(admin, upload)["serviced_requests"]
    assert made["status_code"] == 201
    location = header(made, "Location") or ""
    (read,) = post(admin, part("1", location.removeprefix("http://dev.example:8080")))["serviced_requests"]
    assert b64decode(read["body"]) == b"\x00file"
