import json
import time

import pytest

INCIDENTS = "/api/now/table/incident"


def _count(call, query=""):
    return int(call("GET", f"{INCIDENTS}?sysparm_limit=1&sysparm_query={query}").headers["x-total-count"])


def test_records_go_past_rules_and_defaults(wavetank):
    made = wavetank.control(
        "records/incident",
        [
            {"sys_id": "a" * 32, "number": "MINE", "sys_created_on": "2020-01-01 00:00:00", "priority": 1},
            {"short_description": "two", "active": False},
        ],
    )["result"]
    assert (made[0]["sys_id"], made[0]["number"], made[0]["state"]) == ("a" * 32, "MINE", "")
    assert made[0]["sys_created_on"] == "2020-01-01 00:00:00"
    assert (made[0]["priority"], made[1]["active"]) == ("1", "false")
    assert made[1]["sys_class_name"] == "incident"


def test_records_are_read_changed_and_deleted(wavetank):
    wavetank.control("records/incident", {"sys_id": "b" * 32, "number": "B", "sys_mod_count": "7"})
    found = wavetank.control("records/incident?sysparm_query=number=B&sysparm_fields=number,sys_id")["result"]
    assert found == [{"number": "B", "sys_id": "b" * 32}]
    changed = wavetank.control(f"records/incident/{'b' * 32}", {"urgency": "1"}, "PATCH")["result"][0]
    assert (changed["urgency"], changed["sys_mod_count"]) == ("1", "7")
    wavetank.control(f"records/incident/{'b' * 32}", method="DELETE")
    assert wavetank.control("records/incident?sysparm_query=number=B")["result"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/-/records/incident", {"no_such": "1"}, 400),
        ("POST", "/-/records/incident", [{"number": "X"}, {"no_such": "1"}], 400),
        ("POST", "/-/records/incident", {"number": {"a": 1}}, 400),
        ("POST", "/-/records/incident", [{}] * 10_001, 400),
        ("POST", "/-/records/no_such_table", {}, 404),
        ("PATCH", "/-/records/incident/nothing", {"urgency": "1"}, 404),
        ("DELETE", "/-/records/incident", None, 400),
        ("POST", "/-/faults", {"do": "explode"}, 400),
        ("POST", "/-/settings", {"acl": "perhaps"}, 400),
        ("POST", "/-/clock", {"advance": -5}, 400),
        ("POST", "/-/clock", {"freeze": "tomorrow"}, 400),
        ("POST", "/-/clock", {}, 400),
        ("POST", "/-/restore", {"name": "never"}, 404),
        ("POST", "/-/load", {"format": "update_set"}, 400),
        ("POST", "/-/load", {"format": "csv", "table": "incident"}, 400),
        ("POST", "/-/load", {"format": "csv", "table": "incident", "path": "/etc/passwd"}, 400),
        ("POST", "/-/load", {"format": "csv", "table": "incident", "path": "/no/such.csv"}, 400),
        ("POST", "/-/load", {"format": "json", "table": "incident", "body": 5}, 400),
        ("POST", "/-/load", {"format": "json", "body": '"x"'}, 400),
        ("POST", "/-/load", {"format": "json", "body": {"incident": [{"number": "X"}], "task": [5]}}, 400),
        ("GET", "/-/records/incident?sysparm_query=no_such=1", None, 400),
        ("GET", "/-/records/incident?sysparm_fields=no_such", None, 400),
        ("GET", "/-/records/incident?sysparm_limit=-1", None, 400),
        ("GET", "/-/records/incident?sysparm_offset=" + "9" * 30, None, 400),
        ("DELETE", "/-/records/incident?sysparm_query=no_such=1", None, 400),
        ("POST", "/-/faults", [{"do": "delay"}, {"do": "explode"}], 400),
        ("POST", "/-/faults", {"do": "status", "status": 99}, 400),
        ("POST", "/-/faults", {"do": "truncate", "bytes": "x"}, 400),
        ("POST", "/-/faults", {"do": "delay", "after": -1}, 400),
        ("POST", "/-/faults", {"do": "status", "status": 500, "headers": {"a": "b\r\nc: d"}}, 400),
        ("POST", "/-/faults", {"do": "status", "status": 500, "headers": ["a"]}, 400),
        ("POST", "/-/settings", {"rate_rules": [5]}, 400),
        ("POST", "/-/settings", {"rate_rules": [{"limit": "many"}]}, 400),
        ("POST", "/-/settings", {"rate_rules": [{"limit": 1, "seconds": 0}]}, 400),
        ("POST", "/-/clock", {"advance": 1e18}, 400),
        ("POST", "/-/clock", {"freeze": "9999-12-31T23:59:59Z"}, 400),
        ("GET", "/-/no_such", None, 404),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(call, method, path, body, status):
    answer = call(method, path, body)
    assert answer.status == status
    assert answer.json["error"]["message"]
    assert call("GET", "/-/records/incident?sysparm_query=number=X").json["result"] == []
    assert call("GET", "/-/faults").json["result"] == []
    assert call("GET", INCIDENTS).status == 200


def test_a_query_that_misses_a_column_deletes_nothing(call):
    call("POST", "/-/records/incident", {"number": "STAYS"})
    assert call("DELETE", "/-/records/incident?sysparm_query=numbr=X").status == 400
    assert len(call("GET", "/-/records/incident?sysparm_query=number=STAYS").json["result"]) == 1


def test_load_takes_more_than_a_post_of_records(wavetank, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("\ufeffname\n" + "".join(f"Room {n}\n" for n in range(10_500)), encoding="utf-8")
    wavetank.control("load", {"format": "csv", "table": "cmn_location", "path": str(file)})
    last = wavetank.control("records/cmn_location?sysparm_query=name=Room 10499".replace(" ", "%20"))
    assert len(last["result"]) == 1


def test_a_given_password_works_and_group_roles_follow(wavetank, call):
    user = wavetank.control("records/sys_user", {"user_name": "ada", "user_password": "pw", "active": True})[
        "result"
    ][0]
    group = wavetank.control("records/sys_user_group", {"name": "Readers"})["result"][0]
    role = wavetank.control("records/sys_user_role?sysparm_query=name=sn_incident_read")["result"][0]
    wavetank.control("records/sys_group_has_role", {"group": group["sys_id"], "role": role["sys_id"]})
    wavetank.control("records/incident", {"number": "A"})
    assert call("GET", INCIDENTS, user="ada", password="pw").json == {"result": []}
    wavetank.control("records/sys_user_grmember", {"user": user["sys_id"], "group": group["sys_id"]})
    assert [row["number"] for row in call("GET", INCIDENTS, user="ada", password="pw").json["result"]] == [
        "A"
    ]


def test_load_takes_csv_and_json(wavetank, tmp_path):
    text = "number,short_description\nC1,one\nC2,\n"
    assert len(wavetank.control("load", {"format": "csv", "table": "incident", "body": text})["result"]) == 2
    file = tmp_path / "rows.json"
    file.write_text(json.dumps({"problem": [{"number": "P1"}], "incident": [{"number": "C3"}]}))
    wavetank.control("load", {"format": "json", "path": str(file)})
    assert len(wavetank.control("records/incident?sysparm_query=numberSTARTSWITHC")["result"]) == 3
    assert len(wavetank.control("records/problem?sysparm_query=number=P1")["result"]) == 1


def test_snapshot_restore_and_reset(wavetank, call):
    before = _count(call)
    wavetank.control("records/incident", {"number": "S1"})
    wavetank.control("snapshot", {"name": "one"})
    wavetank.control("records/incident", {"number": "S2"})
    wavetank.control("restore", {"name": "one"})
    assert _count(call) == before + 1
    wavetank.control("settings", {"acl": "off", "basic_auth_restriction": "enforce"})
    wavetank.control("clock", {"freeze": "2026-03-01T00:00:00Z"})
    wavetank.control("reset", {})
    assert _count(call) == before
    assert wavetank.control("settings")["acl"] == "on"
    assert wavetank.control("settings")["basic_auth_restriction"] == "track"
    assert not wavetank.control("clock")["frozen"]


def test_the_clock_stamps_records(wavetank, call):
    assert wavetank.control("clock", {"freeze": "2026-03-01T00:00:00Z"})["frozen"]
    assert wavetank.control("clock", {"advance": 61})["now"] == "2026-03-01T00:01:01.000Z"
    made = call("POST", INCIDENTS, {"short_description": "x"}).json["result"]
    assert made["sys_created_on"] == "2026-03-01 00:01:01"


@pytest.mark.claim("http-date")
def test_the_header_date_is_the_clock_that_stamps(wavetank, call):
    wavetank.control("clock", {"freeze": "2026-03-01T10:00:00Z"})
    answer = call("POST", INCIDENTS, {"short_description": "now"})
    assert answer.headers["date"] == "Sun, 01 Mar 2026 10:00:00 GMT"
    assert answer.json["result"]["sys_created_on"] == "2026-03-01 10:00:00"


def test_stamps_may_tie_and_run_ahead_or_behind(wavetank, call):
    """What a reader by sys_updated_on meets: equal stamps, a row from the future, one that comes late."""
    wavetank.control("clock", {"freeze": "2026-03-01T10:00:00Z"})
    stamps = ["2026-03-01 09:00:00"] * 3 + ["2027-01-01 00:00:00", "2020-01-01 00:00:00"]
    rows = [
        {"sys_id": f"{n:032x}", "short_description": "tie", "sys_updated_on": at, "sys_mod_count": str(n)}
        for n, at in enumerate(stamps)
    ]
    wavetank.control("records/incident", rows)
    query = "short_description=tie^ORDERBYsys_updated_on^ORDERBYsys_id"
    path = f"{INCIDENTS}?sysparm_query={query}&sysparm_fields=sys_id,sys_updated_on,sys_mod_count"

    def seen():
        found = call("GET", path).json["result"]
        return [(int(row["sys_id"], 16), row["sys_updated_on"], int(row["sys_mod_count"])) for row in found]

    assert seen() == [(n, stamps[n], n) for n in (4, 0, 1, 2, 3)]
    wavetank.control(f"records/incident/{1:032x}", {"urgency": "1"}, "PATCH")
    wavetank.control(f"records/incident/{2:032x}", {"sys_updated_on": stamps[4]}, "PATCH")
    assert seen() == [(n, stamps[4] if n == 2 else stamps[n], n) for n in (2, 4, 0, 1, 3)]
    call("PATCH", f"{INCIDENTS}/{3:032x}", {"urgency": "2"})
    assert seen()[-1] == (3, "2026-03-01 10:00:00", 4)


def test_the_log_says_who_asked_what(wavetank, call):
    call("GET", f"{INCIDENTS}?sysparm_limit=1")
    call("GET", INCIDENTS, user="")
    wavetank.control("settings")
    first, second = wavetank.control("requests")["result"][-2:]
    assert (first["method"], first["path"], first["query"]) == ("GET", INCIDENTS, "sysparm_limit=1")
    assert (first["user"], first["scheme"], first["status"]) == ("admin", "basic", 200)
    assert (second["user"], second["status"]) == ("", 401)
    assert second["bytes"] > 0
    assert wavetank.control(f"requests?since={first['n']}")["result"] == [second]
    wavetank.control("requests", method="DELETE")
    assert wavetank.control("requests")["result"] == []


@pytest.mark.parametrize(("do", "error"), [("drop_before", ConnectionError), ("reset", ConnectionResetError)])
def test_a_dropped_request_does_nothing_and_gets_no_answer(wavetank, call, do, error):
    before = _count(call)
    wavetank.control("faults", [{"match": {"method": "POST", "table": "incident"}, "do": do, "times": 1}])
    with pytest.raises(error):
        call("POST", INCIDENTS, {"short_description": "x"})
    assert wavetank.control("requests")["result"][-1]["status"] == 0
    assert _count(call) == before
    assert wavetank.control("faults")["result"][0]["remaining"] == 0


def test_dropped_after_the_commit_the_record_is_there(wavetank, call):
    wavetank.control("faults", {"match": {"method": "POST"}, "do": "drop_after_commit", "times": 1})
    with pytest.raises(ConnectionError):
        call("POST", INCIDENTS, {"correlation_id": "once"})
    assert _count(call, "correlation_id=once") == 1


def test_answers_that_lie_about_success(wavetank, call):
    wavetank.control("records/incident", [{"number": f"Q{n}"} for n in range(4)])
    for do in ("html_200", "truncate", "quota_200"):
        wavetank.control("faults", {"match": {"user": "admin"}, "do": do, "times": 1})
        answer = call("GET", f"{INCIDENTS}?sysparm_query=numberSTARTSWITHQ")
        assert answer.status == 200
        with pytest.raises(json.JSONDecodeError):
            json.loads(answer.raw)
        assert (b"Transaction cancelled" in answer.raw) is (do == "quota_200")
    assert call("GET", INCIDENTS).json["result"]


def test_a_status_fault_carries_what_it_is_given(wavetank, call):
    wavetank.control(
        "faults", {"do": "status", "status": 503, "body": {"a": 1}, "headers": {"Retry-After": "7"}}
    )
    answer = call("GET", INCIDENTS)
    assert (answer.status, answer.headers["retry-after"], answer.json) == (503, "7", {"a": 1})
    wavetank.control("faults", method="DELETE")
    assert call("GET", INCIDENTS).status == 200


@pytest.mark.claim("rate-limit-headers")
def test_a_rate_rule_counts_by_the_hour_of_the_clock(wavetank, call):
    wavetank.control("clock", {"freeze": "2026-03-01T00:59:50Z"})
    wavetank.control("settings", {"rate_rules": [{"table": "incident", "limit": 2}]})
    answers = [call("GET", INCIDENTS) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert all(answer.headers["x-ratelimit-limit"] == "2" for answer in answers)
    assert answers[2].headers["retry-after"] == "10"
    assert answers[2].json["error"] == {
        "message": "Rate limit exceeded",
        "detail": "Rate limit of 2 requests per hour for Table API exceeded",
    }
    assert call("GET", "/api/now/table/problem").status == 200
    wavetank.control("clock", {"advance": 11})
    assert call("GET", INCIDENTS).status == 200


@pytest.mark.claim("quota-cancels")
@pytest.mark.parametrize(("commits", "rows"), [(True, 1), (False, 0)])
def test_a_transaction_over_quota_is_cancelled_and_may_have_committed(wavetank, call, commits, rows):
    wavetank.control("settings", {"quota_seconds": 0.05, "quota_commits": commits})
    wavetank.control("faults", {"match": {"method": "POST"}, "do": "delay", "seconds": 0.2, "times": 1})
    answer = call("POST", INCIDENTS, {"correlation_id": "slow"})
    assert answer.status == 500
    assert answer.json["error"]["message"] == "Transaction cancelled: maximum execution time exceeded"
    wavetank.control("settings", {"quota_seconds": 60})  # the count may take as long as it takes
    assert _count(call, "correlation_id=slow") == rows


def test_latency_is_waited(wavetank, call):
    wavetank.control("settings", {"latency_ms": 150})
    started = time.perf_counter()
    call("GET", f"{INCIDENTS}?sysparm_limit=1")
    assert time.perf_counter() - started >= 0.15


@pytest.mark.parametrize(
    "header", [{"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example:80"}, {"Origin": "null"}]
)
def test_no_page_and_no_other_host_can_steer(call, header):
    assert call("GET", "/-/settings", **header).status == 403
    assert call("GET", "/-/settings", Host="localhost:1").status == 200


@pytest.mark.claim("http-headers")
def test_answers_carry_the_platforms_headers(call):
    answer = call("GET", INCIDENTS, Accept_Encoding="gzip")
    assert answer.headers["x-is-logged-in"] == "true"
    assert len(answer.headers["x-transaction-id"]) == 12
    assert answer.headers["cache-control"] == "no-cache,no-store,must-revalidate,max-age=-1"
    assert answer.headers["server"] == "ServiceNow"
    assert "strict-transport-security" not in answer.headers


@pytest.mark.claim("http-cookies")
def test_a_first_call_sets_the_session_cookies_and_a_second_does_not(wavetank):
    import http.client
    from urllib.parse import urlsplit

    connection = http.client.HTTPConnection(urlsplit(wavetank.url).netloc, timeout=10)
    basic = {"Authorization": "Basic YWRtaW46YWRtaW4="}
    connection.request("GET", INCIDENTS, headers=basic)
    reply = connection.getresponse()
    reply.read()
    names = {value.partition("=")[0] for value in reply.msg.get_all("Set-Cookie")}
    assert names == {
        "JSESSIONID",
        "glide_user",
        "glide_user_session",
        "glide_user_route",
        "glide_session_store",
        "glide_node_id_for_js",
        "BIGipServerpool_dev",
    }
    connection.request("GET", INCIDENTS, headers={**basic, "Cookie": "JSESSIONID=0"})
    second = connection.getresponse()
    second.read()
    assert second.msg.get_all("Set-Cookie") is None
    connection.close()


@pytest.mark.claim("http-gzip")
def test_a_large_answer_is_compressed_when_the_caller_takes_it(wavetank, call):
    import gzip

    wavetank.control("records/incident", [{"number": f"G{n}"} for n in range(5)])
    plain = call("GET", f"{INCIDENTS}?sysparm_query=numberSTARTSWITHG")
    packed = call("GET", f"{INCIDENTS}?sysparm_query=numberSTARTSWITHG", Accept_Encoding="gzip, deflate")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.raw)) == plain.json


@pytest.mark.claim("http-uri-too-long")
def test_a_long_target_is_refused_with_a_page(call):
    assert call("GET", f"{INCIDENTS}?sysparm_query=" + "a" * 8100).status == 200
    refused = call("GET", f"{INCIDENTS}?sysparm_query=" + "a" * 8300)
    assert refused.status == 414
    assert refused.raw.startswith(b"<html>")


@pytest.mark.claim("oauth-client-made")
def test_a_new_client_gets_an_id_and_a_secret_only_sealed(call):
    made = call("POST", "/api/now/table/oauth_entity", {"name": "One"}).json["result"]
    assert len(made["client_id"]) == 32
    assert made["client_secret"]
    mine = {"name": "Two", "client_id": "mine", "client_secret": "s3cret"}
    kept = call("POST", "/api/now/table/oauth_entity", mine).json["result"]
    assert kept["client_id"] == "mine"
    assert "s3cret" not in kept["client_secret"]
