"""Every refusal that was seen of the platform's data plane, provoked and compared word for word.

What JSONv2 says of a record that fails is in test_jsonv2, what a batch and an attachment say beside them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

HOUR_LIMIT = 100
NO_RECORD = ("No Record found", "Record doesn't exist or ACL restricts the record retrieval")
CANCELLED = "Transaction cancelled: maximum execution time exceeded"
FIELDS = "Field(s) present in the query do not have permission to be read"


def _acl_insert(admin: Any) -> Any:
    return admin.user("reader", "sn_incident_read").call("POST", "incident", json={})


def _acl_update(admin: Any) -> Any:
    path = f"incident/{admin.get('incident', sysparm_limit='1')[0]['sys_id']}"
    return admin.user("reader", "sn_incident_read").call("PATCH", path, json={"urgency": "1"})


def _acl_delete(admin: Any) -> Any:
    path = f"incident/{admin.get('incident', sysparm_limit='1')[0]['sys_id']}"
    return admin.user("reader", "sn_incident_read").call("DELETE", path)


def _unauthenticated(admin: Any) -> Any:
    admin.instance.configure({"release": "zurich"})  # Australia says it in other words
    admin.client.auth = None
    return admin.call("GET", "incident")


def _query_acl(admin: Any) -> Any:
    reader = admin.user("reader", "sn_incident_read")
    return reader.call("GET", "sys_choice?sysparm_query=name=incident^element=state")


def _query_acl_otherwise(admin: Any) -> Any:
    admin.instance.configure({"query_refusal": "table_security"})
    return _query_acl(admin)


def _api_acl(admin: Any) -> Any:
    row = admin.instance.database.first("sys_db_object", name="problem")
    admin.instance.database.update("sys_db_object", row["sys_id"], {"ws_access": "false"})
    return admin.call("GET", "problem")


def _rule_abort(admin: Any) -> Any:
    rule = {
        "sys_id": "6a2e9d14" + "0" * 24,
        "name": "Abort changes on group",
        "collection": "incident",
        "when": "before",
        "action_update": "true",
        "active": "true",
        "abort_action": "true",
        "filter_condition": "short_descriptionISNOTEMPTY",
    }
    admin.create("sys_script", rule)
    path = f"incident/{admin.get('incident', sysparm_limit='1')[0]['sys_id']}"
    return admin.call("PATCH", path, json={"urgency": "1", "impact": "1"})


def _data_policy(admin: Any) -> Any:
    path = f"incident/{admin.create('incident', {})['sys_id']}"
    return admin.call("PATCH", path, json={"state": "6", "close_notes": "done"})


def _too_large(admin: Any) -> Any:
    body = b'{"description":"' + b"x" * (15_105_102 - 18) + b'"}'
    assert len(body) == 15_105_102
    return admin.call("POST", "incident", content=body)


def _rate_limit(admin: Any) -> Any:
    admin.instance.configure(
        {"rate_rules": [{"table": "sys_number", "limit": HOUR_LIMIT, "sys_id": "a" * 32}]}
    )
    for _ in range(HOUR_LIMIT):
        answer = admin.call("GET", "sys_number?sysparm_limit=0")
        assert answer.headers["x-ratelimit-limit"] == str(HOUR_LIMIT)
    return admin.call("GET", "sys_number?sysparm_limit=0")


def _cancelled(admin: Any) -> Any:
    admin.instance.configure({"latency_ms": 30, "quota_seconds": 0.02})
    return admin.call("GET", "incident")


def _nothing_to_aggregate(admin: Any) -> Any:
    admin.instance.configure({"stats_nothing": "refused"})
    return admin.call("GET", "/api/now/stats/incident")


# name: (how to get it, status, message, detail)
REFUSALS: dict[str, tuple[Callable[[Any], Any], int, str, str | None]] = {
    "401_unauthenticated": (
        _unauthenticated,
        401,
        "User Not Authenticated",
        "Required to provide Auth information",
    ),
    "403_query_acl": (_query_acl, 403, "Insufficient rights to query records", FIELDS),
    "403_table_read": (
        lambda admin: admin.user("nobody.special").call("GET", "/api/now/stats/problem?sysparm_count=true"),
        403,
        "Insufficient rights to query records",
        "No permission to read table 'problem'",
    ),
    "403_table_security_variant": (
        _query_acl_otherwise,
        403,
        "Operation against file 'sys_choice' was denied due to table security.",
        f"{FIELDS}.",
    ),
    "403_api_acl": (_api_acl, 403, "User Not Authorized", "Failed API level ACL Validation"),
    "403_insert_acl": (
        _acl_insert,
        403,
        "Operation Failed",
        "ACL Exception Insert Failed due to security constraints",
    ),
    "403_update_acl": (
        _acl_update,
        403,
        "Operation Failed",
        "ACL Exception Update Failed due to security constraints",
    ),
    "403_delete_acl": (
        _acl_delete,
        403,
        "Operation Failed",
        "ACL Exception Delete Failed due to security constraints",
    ),
    "403_business_rule_abort": (
        _rule_abort,
        403,
        "Operation Failed",
        "Operation against file 'incident' was aborted by Business Rule"
        f" 'Abort changes on group^6a2e9d14{'0' * 24}'. Business Rule Stack:Abort changes on group",
    ),
    "403_data_policy": (
        _data_policy,
        403,
        "Operation Failed",
        "Data Policy Exception: The following fields are mandatory: Resolution code",
    ),
    "404_record": (lambda admin: admin.call("GET", "incident/" + "0" * 32), 404, *NO_RECORD),
    "404_record_of_a_write": (
        lambda admin: admin.call("PUT", "incident/" + "0" * 32, json={}),
        404,
        *NO_RECORD,
    ),
    "404_first_version": (
        lambda admin: admin.call("GET", "/api/now/v1/table/incident?number=none"),
        404,
        *NO_RECORD,
    ),
    "400_invalid_table": (lambda admin: admin.call("GET", "foo"), 400, "Invalid table foo", None),
    "400_bad_uri": (
        lambda admin: admin.call("GET", "/api/now/nonsense/incident"),
        400,
        "Requested URI does not represent any resource",
        None,
    ),
    "400_payload_too_large": (
        _too_large,
        400,
        "Exception while reading request",
        "Rejected large REST payload with content-length = 15105102 bytes. Max allowed: 10485760 bytes.",
    ),
    "429_rate_limit": (
        _rate_limit,
        429,
        "Rate limit exceeded",
        "Rate limit of 100 requests per hour for Table API exceeded",
    ),
    "500_tx_cancelled": (_cancelled, 500, CANCELLED, f"{CANCELLED}. Check logs for error trace."),
    "stats_no_aggregate": (
        _nothing_to_aggregate,
        400,
        "No request parameter for aggregate operation specified",
        "",
    ),
}


@pytest.mark.claim("errors-envelope")
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_what_the_platform_says(admin: Any, name: str) -> None:
    provoke, status, message, detail = REFUSALS[name]
    answer = provoke(admin)
    assert answer.status_code == status, answer.text
    assert answer.json() == {"error": {"message": message, "detail": detail}, "status": "failure"}
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert answer.headers["server"] == "ServiceNow"
    assert len(answer.headers["x-transaction-id"]) == 12
    if status == 401:
        assert answer.headers["x-is-logged-in"] == "false"
        assert answer.headers["www-authenticate"].lower().startswith("basic realm=")
    if status == 429:
        assert answer.headers["x-ratelimit-limit"] == str(HOUR_LIMIT)
        assert answer.headers["x-ratelimit-rule"] == "a" * 32
        now = admin.instance.clock.seconds()
        assert now < int(answer.headers["x-ratelimit-reset"]) <= now + 3600
        assert 0 < int(answer.headers["retry-after"]) <= 3600


@pytest.mark.claim("errors-cut-list")
def test_a_list_cancelled_on_its_way_is_200_and_no_json(admin: Any) -> None:
    admin.instance.faults.add({"do": "quota_200", "times": 1})
    answer = admin.call("GET", "incident?sysparm_fields=sys_id&sysparm_limit=4")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text)
    rows, _, rest = answer.text.partition('],"error":')
    assert rows.startswith('{"result":[{"sys_id":"')
    assert rows.endswith("},")
    assert json.loads(rest.rpartition(',"status":')[0])["message"] == CANCELLED
    assert rest.endswith(',"status":"failure"}')


@pytest.mark.claim("errors-long-address")
def test_an_address_has_an_end(admin: Any) -> None:
    def asked(size: int) -> Any:
        start = "/api/now/table/incident?sysparm_limit=1&sysparm_query=number="
        return admin.call("GET", start + "x" * (size - len(start)))

    assert asked(8182).status_code == 200
    answer = asked(8347)
    assert answer.status_code == 414
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<html>")


@pytest.mark.claim("errors-no-such-method")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "incident/" + "0" * 32),
        ("PUT", "incident"),
        ("PATCH", "incident"),
        ("DELETE", "incident"),
        ("OPTIONS", "incident"),
        ("TRACE", "incident"),
        ("GET", "/api/now/tinyurl"),
        ("DELETE", "/api/now/stats/incident"),
    ],
)
def test_a_method_that_a_resource_does_not_have(admin: Any, method: str, path: str) -> None:
    status, message, _ = admin.refused(method, path)
    assert (status, message) == (405, "Method not supported")


@pytest.mark.claim("errors-no-such-resource")
@pytest.mark.parametrize(
    "path",
    [
        "/api/now",
        "/api/now/table",
        "/api/now/v3/table/incident",
        "/api/now/table/incident/x/y",
        "/api/sn_none/thing",
        "/api/now/Table/incident",
    ],
)
def test_an_address_that_is_no_resource(admin: Any, path: str) -> None:
    assert admin.refused("GET", path) == (400, "Requested URI does not represent any resource", None)


@pytest.mark.claim("errors-trailing-slash")
def test_a_slash_at_the_end(admin: Any) -> None:
    one = admin.get("incident", sysparm_limit="1", sysparm_fields="sys_id")[0]["sys_id"]
    assert len(admin.get("incident/", sysparm_limit="2")) == 2
    assert admin.get(f"incident/{one}/")["sys_id"] == one
    assert admin.call("GET", "incident/?sysparm_limit=1").links["next"]["url"].count("/incident?") == 1
    admin.instance.configure({"trailing_slash": "refused"})
    assert admin.refused("GET", "incident/")[0] == 400


@pytest.mark.claim("media-xml-errors")
@pytest.mark.parametrize("name", ["401_unauthenticated", "400_bad_uri", "429_rate_limit"])
def test_the_front_door_refuses_in_xml_too(admin: Any, name: str) -> None:
    admin.client.headers["accept"] = "application/xml"
    answer = REFUSALS[name][0](admin)
    assert answer.status_code == REFUSALS[name][1]
    assert answer.headers["content-type"] == "application/xml;charset=UTF-8"
    assert f"<message>{REFUSALS[name][2]}</message>" in answer.text
