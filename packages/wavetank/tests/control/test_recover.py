"""Undeletion, late commits and read-only fields, over HTTP."""

import json

import pytest

LAG = {"commit_lag_seconds": 5}


def _table(call, method, path, body=None):
    return call(method, f"/api/now/table/{path}", body, content_type="application/json").json


@pytest.mark.claim("undelete")
def test_a_deleted_record_is_recovered_over_the_control_surface(call):
    made = _table(call, "POST", "incident", {"short_description": "gone", "work_notes": "said"})["result"]
    assert call("DELETE", f"/api/now/table/incident/{made['sys_id']}").status == 204
    query = f"/api/now/table/sys_audit_delete?sysparm_query=documentkey={made['sys_id']}"
    (deleted,) = call("GET", query).json["result"]
    answer = call("POST", "/-/recover", {"deleted": deleted["sys_id"]})
    assert (answer.status, answer.json["result"][0]["number"]) == (200, made["number"])
    assert _table(call, "GET", f"incident/{made['sys_id']}")["result"]["short_description"] == "gone"
    assert call("POST", "/-/recover", {"deleted": deleted["sys_id"]}).status == 404
    assert call("POST", "/-/recover", {"what": "else"}).status == 400


@pytest.mark.claim("late-commit")
def test_a_reader_by_stamp_meets_an_older_moment_after_a_newer_one(call):
    call("POST", "/-/clock", {"freeze": "2030-01-01T00:00:00Z"})
    try:
        call("POST", "/-/settings", LAG)
        late = _table(call, "POST", "incident", {"short_description": "late"})["result"]
        call("POST", "/-/clock", {"advance": 2})
        call("POST", "/-/settings", {"commit_lag_seconds": 0})
        soon = _table(call, "POST", "incident", {"short_description": "soon"})["result"]
        query = "incident?sysparm_query=sys_updated_on>=2030-01-01^ORDERBYsys_updated_on"
        seen = [row["sys_id"] for row in _table(call, "GET", query)["result"]]
        assert seen == [soon["sys_id"]]
        call("POST", "/-/clock", {"advance": 3})
        rows = _table(call, "GET", query)["result"]
        assert [row["sys_id"] for row in rows] == [late["sys_id"], soon["sys_id"]]
        assert rows[0] == late
    finally:
        call("POST", "/-/reset", {})


@pytest.mark.claim("read-only-write")
def test_a_read_only_field_is_passed_over(call):
    entry = "sys_dictionary?sysparm_query=name=incident^element=notify&sysparm_fields=sys_id"
    (found,) = _table(call, "GET", entry)["result"]
    call("PATCH", f"/-/records/sys_dictionary/{found['sys_id']}", {"read_only": "true"})
    try:
        made = _table(call, "POST", "incident", {"notify": "2", "impact": "1"})["result"]
        assert (made["notify"], made["impact"]) == ("1", "1")
        call("POST", "/-/settings", {"read_only_write": "403"})
        refused = _table(call, "POST", "incident", {"notify": "2"})
        assert refused["error"]["message"] == "Operation Failed", json.dumps(refused)
    finally:
        call("POST", "/-/reset", {})
