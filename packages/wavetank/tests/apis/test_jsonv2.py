"""The JSONv2 web service of older clients."""

from typing import Any

import pytest


def _call(admin: Any, method: str, query: str, table: str = "incident", **more: Any) -> Any:
    answer = admin.call(method, f"/{table}.do?JSONv2&{query}", **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.claim("jsonv2-read")
def test_records_are_read(admin: Any) -> None:
    shown = _call(admin, "GET", "sysparm_query=state=7^ORDERBYnumber")["records"]
    wanted = admin.get(
        "incident", sysparm_query="state=7^ORDERBYnumber", sysparm_exclude_reference_link="true"
    )
    assert [{**row, "__status": "success"} for row in wanted] == shown
    assert len(shown) == 3
    keys = _call(admin, "GET", "sysparm_action=getKeys&sysparm_query=state=7^ORDERBYnumber")
    assert keys == {"records": [row["sys_id"] for row in wanted]}
    for query in (
        f"sysparm_sys_id={keys['records'][0]}",
        f"sysparm_action=get&sysparm_sys_id={keys['records'][0]}",
    ):
        assert _call(admin, "GET", query) == {"records": shown[:1]}
    assert _call(admin, "GET", "sysparm_sys_id=nope") == {"records": []}


@pytest.mark.claim("jsonv2-read")
def test_how_much_is_read(admin: Any) -> None:
    assert len(_call(admin, "GET", "sysparm_record_count=4")["records"]) == 4
    admin.instance.set_property("glide.processor.json.row_limit", "6")
    assert len(_call(admin, "GET", "sysparm_record_count=10")["records"]) == 6
    assert len(_call(admin, "GET", "")["records"]) == 6
    row = _call(admin, "GET", "sysparm_view=mobile")["records"][0]
    assert list(row) == [*admin.get("incident", sysparm_view="mobile", sysparm_limit="1")[0], "__status"]


@pytest.mark.claim("jsonv2-read")
def test_names_in_place_of_references_or_beside_them(admin: Any) -> None:
    query = "sysparm_query=number=INC0000001"
    plain = _call(admin, "GET", query)["records"][0]
    named = _call(admin, "GET", f"{query}&displayvalue=true")["records"][0]
    both = _call(admin, "GET", f"{query}&displayvalue=all")["records"][0]
    assert named["caller_id"] == "Abel Tuter"
    assert (named["state"], named["opened_at"]) == (plain["state"], plain["opened_at"])
    assert (both["caller_id"], both["dv_caller_id"]) == (plain["caller_id"], "Abel Tuter")
    assert "dv_state" not in both


@pytest.mark.claim("jsonv2-write")
def test_records_are_written(admin: Any) -> None:
    values = {"short_description": "one", "caller_id": "Abel Tuter", "impact": "1 - High"}
    made = _call(admin, "POST", "sysparm_action=insert", json=values)["records"]
    assert [row["__status"] for row in made] == ["success"]
    assert made[0]["impact"] == "1"
    assert admin.get(f"incident/{made[0]['sys_id']}", sysparm_fields="caller_id.name") == {
        "caller_id.name": "Abel Tuter"
    }
    # What the body says goes before what the address says.
    body = {
        "sysparm_action": "insertMultiple",
        "records": [{"short_description": "two"}, {"short_description": "two"}],
    }
    assert len(_call(admin, "POST", "sysparm_action=get", json=body)["records"]) == 2
    query = "sysparm_action=update&sysparm_query=short_description=two"
    changed = _call(admin, "POST", query, json={"urgency": "1", "short_description": "three"})["records"]
    assert [(row["urgency"], row["short_description"]) for row in changed] == [("1", "three")] * 2
    gone = _call(admin, "POST", "sysparm_action=deleteRecord", json={"sysparm_sys_id": changed[0]["sys_id"]})
    assert gone["records"] == [{"sys_id": changed[0]["sys_id"], "__status": "success"}]
    _call(admin, "POST", "sysparm_action=deleteMultiple", json={"sysparm_query": "short_description=three"})
    assert admin.get("incident", short_description="three") == []
    assert len(admin.get("incident")) == 21


@pytest.mark.claim("jsonv2-errors")
def test_a_write_without_a_query_is_refused_as_a_whole(admin: Any) -> None:
    answer = _call(admin, "POST", "sysparm_action=update", json={"urgency": "1"})
    assert answer == {"_error": "Cannot update with empty sysparm_query", "reason": None}
    assert "_error" in _call(admin, "POST", "sysparm_action=deleteMultiple", json={})
    assert len(admin.get("incident")) == 20


@pytest.mark.claim("jsonv2-errors")
def test_a_record_that_fails_says_why(admin: Any) -> None:
    policy = {"model_table": "incident", "short_description": "Say what it is", "active": "true"}
    made = admin.create("sys_data_policy2", policy)["sys_id"]
    rule = {"sys_data_policy": made, "table": "incident", "field": "short_description", "mandatory": "true"}
    admin.create("sys_data_policy_rule", rule)
    body = {"records": [{"category": "inquiry"}, {"short_description": "x"}]}
    failed, made = _call(admin, "POST", "sysparm_action=insert", json=body)["records"]
    assert failed == {
        "__error": {
            "message": "Invalid Insert into: incident",
            "reason": "Data Policy Exception:  Short description is mandatory ",
        },
        "__status": "failure",
    }
    assert made["__status"] == "success"
    reader = admin.user("reader", "sn_incident_read")
    (refused,) = _call(reader, "POST", "sysparm_action=insert", json={"short_description": "x"})["records"]
    assert refused["__error"]["reason"] == "ACL Exception Insert Failed due to security constraints"


@pytest.mark.claim("jsonv2-access")
def test_who_may(admin: Any) -> None:
    assert _call(admin.user("nobody.special"), "GET", "")["records"] == []
    path = "/incident.do?JSONv2"
    assert admin.refused("GET", "/nope.do?JSONv2") == (400, "Invalid table nope", None)
    row = admin.instance.database.first("sys_db_object", name="problem")
    admin.instance.database.update("sys_db_object", row["sys_id"], {"ws_access": "false"})
    assert admin.refused("GET", "/problem.do?JSONv2")[0] == 403
    assert admin.refused("POST", f"{path}&sysparm_action=explode", json={})[0] == 400
    assert admin.refused("POST", path, content=b"{")[0] == 400
    admin.client.auth = None
    assert admin.refused("GET", path)[0] == 401
    assert "records" not in admin.call("GET", "/incident.do?x=JSONv2").text
