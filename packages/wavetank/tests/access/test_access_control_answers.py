"""What each operation answers over REST when an access control stands in its way."""

from __future__ import annotations

from typing import Any

import pytest

from packages.wavetank.tests.access.cases import Case, rows
from packages.wavetank.tests.access.outside import Answer, House, denied, no_record, refused

QUERY = "Insufficient rights to query records"
UNREADABLE = "Field(s) present in the query do not have permission to be read"
SECRET = "short_descriptionNOT LIKEsecret"
HERE = "Failed API level ACL Validation"


class Desk:
    """An account that reads and writes incidents, and one incident."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.user = house.user("svc", "sn_incident_write")["sys_id"]
        self.svc = house.basic("svc")
        self.incident = house.incident(short_description="A secret matter", description="Long")["sys_id"]
        self.values = {"short_description": "New"}
        self.rule = ""

    # -- calls

    def list(self) -> Answer:
        return self.svc.get("incident")

    ask = list

    def one(self) -> Answer:
        return self.svc.get(f"incident/{self.incident}")

    def post(self) -> Answer:
        return self.svc.call("POST", "incident", json=self.values)

    def patch(self) -> Answer:
        return self.svc.call("PATCH", f"incident/{self.incident}", json={"urgency": "1"})

    # -- what an administrator does

    def deny(self, operation: str = "read", condition: str = SECRET) -> None:
        self.rule = self.house.rule("incident", operation, condition=condition, decision_type="deny")

    def only(self, name: str, operation: str, *held: str, **values: str) -> None:
        self.rule = self.house.rule(name, operation, *held, **values)

    def drop_rule(self) -> None:
        self.house.guard.delete("sys_security_acl", self.rule)

    def grant(self, role: str) -> None:
        self.house.grant(self.user, role)

    def revoke(self, role: str) -> None:
        self.house.revoke(self.user, role)

    def switch(self, table: str, query: str, **values: str) -> None:
        for row in self.house.guard.rows(table, query):
            self.house.guard.change(table, row["sys_id"], values)


def seen(*names: str) -> Any:
    """A list of exactly these rows; everybody's total is told."""

    def look(answer: Answer) -> None:
        assert answer.status_code == 200, answer.text
        assert [row["short_description"] for row in answer.json()["result"]] == list(names)
        assert answer.headers["x-total-count"] == "1"

    return look


def without(*fields: str) -> Any:
    def look(answer: Answer) -> None:
        assert answer.status_code == 200, answer.text
        assert not set(fields) & answer.json()["result"].keys()

    return look


def holding(**values: str) -> Any:
    def look(answer: Answer) -> None:
        assert answer.status_code in {200, 201}, answer.text
        found = answer.json()["result"]
        assert {name: found.get(name) for name in values} == values

    return look


def empty(answer: Answer) -> None:
    assert (answer.status_code, answer.json()) == (200, {"result": []}), answer.text


READING = (
    Case(
        "read, row: missing from a list",
        spoil=lambda desk: desk.deny(),
        shows=seen(),
        mend=Desk.drop_rule,
        works=seen("A secret matter"),
    ),
    Case(
        "read, row: a single one is not found",
        ask=Desk.one,
        spoil=lambda desk: desk.deny(),
        shows=no_record,
        mend=Desk.drop_rule,
    ),
    Case(
        "read, table by role: an empty list",
        spoil=lambda desk: desk.revoke("sn_incident_write"),
        shows=empty,
        mend=lambda desk: desk.grant("sn_incident_read"),
        works=seen("A secret matter"),
    ),
    Case(
        "read, table by role: 403 on metric tables",
        ask=lambda desk: desk.svc.get("metric_instance"),
        starts=lambda answer: refused(answer, 403, QUERY, "No permission to read table 'metric_instance'"),
        spoil=lambda desk: desk.grant("sn_incident_read"),
        shows=lambda answer: refused(answer, 403, QUERY, "No permission to read table 'metric_instance'"),
        mend=lambda desk: desk.grant("itil"),
    ),
    Case(
        "read, field: left out",
        ask=Desk.one,
        spoil=lambda desk: desk.only("incident.description", "read", "itil"),
        shows=without("description"),
        mend=lambda desk: desk.grant("itil"),
        works=holding(description="Long"),
    ),
)


@pytest.mark.claim("table-no-role-empty")
@pytest.mark.claim("table-not-found")
@pytest.mark.claim("table-field-acl")
@pytest.mark.claim("acl-deny-unless")
@rows(READING)
def test_reading(house: House, case: Case) -> None:
    case.walk(Desk(house))


HIDDEN_FIELD = {
    "grant a role that reads the field": lambda desk: desk.grant("itil"),
    "drop the field from the query": lambda desk: setattr(desk, "asked", "number!=0"),
    "allow it by glide.export.query.enforce_field_acl": lambda desk: desk.house.set_property(
        "glide.export.query.enforce_field_acl", "false"
    ),
}
WORDS = {
    "query": (QUERY, UNREADABLE),
    "table_security": (
        "Operation against file 'incident' was denied due to table security.",
        f"{UNREADABLE}.",
    ),
}


@pytest.mark.claim("acl-query-fields")
@pytest.mark.claim("acl-query-enforced")
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("fix", HIDDEN_FIELD)
def test_a_query_on_a_field_that_may_not_be_read(house: House, fix: str, words: str) -> None:
    house.instance.configure(query_refusal=words)
    desk: Any = Desk(house)
    desk.asked = "descriptionLIKELong"
    Case(
        "read, query on a hidden field",
        ask=lambda desk: desk.svc.get("incident", desk.asked),
        spoil=lambda desk: desk.only("incident.description", "read", "itil"),
        shows=lambda answer: refused(answer, 403, *WORDS[words]),
        mend=HIDDEN_FIELD[fix],
        works=seen("A secret matter"),
    ).walk(desk)


LATER, AT = "sys_updated_on>=2999-01-01 00:00:00", "sys_updated_on=2999-01-01 00:00:00"
SORTED = "ORDERBYDESCsys_updated_on"


@pytest.mark.claim("acl-query-operators")
@pytest.mark.claim("acl-query-refusal")
@pytest.mark.parametrize("setting", ["dropped", "no_rows", "refused"])
@pytest.mark.parametrize("asked", [LATER, AT, SORTED])
def test_a_range_query_that_is_not_allowed(house: House, asked: str, setting: str) -> None:
    """Equality is a match and stays; a range goes, and takes along why a row was not in the answer."""
    house.instance.configure(query_acl_refusal=setting)
    desk = Desk(house)
    allowed = seen("A secret matter") if asked == SORTED else empty
    refusals = {"dropped": seen("A secret matter"), "no_rows": empty, "refused": unreadable}
    Case(
        "query_range",
        ask=lambda desk: desk.svc.get("incident", asked),
        spoil=lambda desk: desk.only("incident.sys_updated_on", "query_range", "itil"),
        shows=allowed if asked == AT else refusals[setting],
        mend=lambda desk: desk.grant("itil"),
        works=allowed,
    ).walk(desk)


def unreadable(answer: Answer) -> None:
    refused(answer, 403, QUERY, UNREADABLE)


WRITING = (
    Case(
        "create",
        ask=Desk.post,
        spoil=lambda desk: desk.only("incident", "create", "itil", decision_type="deny"),
        shows=denied("Insert"),
        mend=Desk.drop_rule,
    ),
    Case(
        "create: the role is missing",
        ask=Desk.post,
        spoil=lambda desk: desk.revoke("sn_incident_write"),
        shows=denied("Insert"),
        mend=lambda desk: desk.grant("sn_incident_write"),
    ),
    Case(
        "write",
        ask=Desk.patch,
        spoil=lambda desk: desk.deny("write"),
        shows=denied("Update"),
        mend=Desk.drop_rule,
        works=holding(urgency="1"),
    ),
    Case(
        "delete",
        ask=lambda desk: desk.svc.call("DELETE", f"incident/{desk.incident}"),
        starts=denied("Delete"),
        spoil=lambda desk: desk.grant("itil"),
        shows=denied("Delete"),
        mend=lambda desk: desk.grant("itil_admin"),
    ),
    Case(
        "data policy: a mandatory field",
        ask=Desk.post,
        spoil=lambda desk: mandatory(desk, "business_service"),
        shows=lambda answer: refused(
            answer,
            403,
            "Operation Failed",
            "Data Policy Exception: The following fields are mandatory: Service",
        ),
        mend=lambda desk: desk.values.update(business_service="0" * 32),
    ),
)


def mandatory(desk: Desk, field: str) -> None:
    """A data policy that asks for a field of an incident."""
    admin = desk.house.admin
    policy = admin.create(
        "sys_data_policy2",
        {"model_table": "incident", "active": "true", "short_description": "Needed", "apply_soap": "true"},
    )["sys_id"]
    rule = {"sys_data_policy": policy, "table": "incident", "field": field, "mandatory": "true"}
    admin.create("sys_data_policy_rule", rule)


@pytest.mark.claim("incident-roles")
@pytest.mark.claim("data-policy-rows")
@rows(WRITING)
def test_writing(house: House, case: Case) -> None:
    case.walk(Desk(house))


@pytest.mark.claim("table-field-write-denied")
@pytest.mark.parametrize("setting", ["silent", "403"])
def test_a_field_that_may_not_be_written(house: House, setting: str) -> None:
    house.instance.configure(field_write_denied=setting)
    unchanged = denied("Update") if setting == "403" else holding(urgency="3")
    Case(
        "write, field",
        ask=Desk.patch,
        spoil=lambda desk: (
            desk.switch("incident", f"sys_id={desk.incident}", urgency="3"),
            desk.only("incident.urgency", "write", "itil"),
        ),
        shows=unchanged,
        mend=lambda desk: desk.grant("itil"),
        works=holding(urgency="1"),
    ).walk(Desk(house))


GATES = (
    Case(
        "the API's own access control",
        spoil=lambda desk: desk.switch("sys_security_acl", "type=REST_Endpoint^nameLIKETable", active="true"),
        shows=lambda answer: refused(answer, 403, "User Not Authorized", HERE),
        mend=lambda desk: desk.grant("snc_platform_rest_api_access"),
    ),
    Case(
        "a table closed to web services",
        spoil=lambda desk: desk.switch("sys_db_object", "name=incident", ws_access="false"),
        shows=lambda answer: refused(answer, 403, "User Not Authorized", HERE),
        mend=lambda desk: desk.switch("sys_db_object", "name=incident", ws_access="true"),
    ),
)


@pytest.mark.claim("rest-endpoint-acl")
@pytest.mark.claim("ws-access")
@rows(GATES)
def test_the_gates_of_an_api(house: House, case: Case) -> None:
    case.walk(Desk(house))


@pytest.mark.claim("table-acl-after-limit")
@pytest.mark.claim("table-count-before-acl")
@pytest.mark.claim("limit-before-acl")
def test_a_page_is_cut_before_rows_are_hidden(house: House) -> None:
    """Who stops at a short page misses rows; the links lead on."""
    desk = Desk(house)
    for name in ("secret b", "c", "secret d", "e"):
        house.incident(short_description=name)
    desk.deny()
    found: list[list[str]] = []
    path = "/api/now/table/incident?sysparm_limit=2&sysparm_query=ORDERBYnumber"
    while path:
        answer = desk.svc.call("GET", path)
        assert (answer.status_code, answer.headers["x-total-count"]) == (200, "5"), answer.text
        found.append([row["short_description"] for row in answer.json()["result"]])
        path = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    assert found == [[], ["c"], ["e"]]
    house.instance.configure(total_count="after_acl")
    answer = desk.svc.get("incident", sysparm_limit="1")
    assert (answer.json()["result"], answer.headers["x-total-count"]) == ([], "2")


def test_a_name_that_is_taken_is_the_same_status(house: House) -> None:
    """A 403 "Operation Failed" on creation can be a name that is taken instead of an access control."""
    desk = Desk(house)
    values = {"user_name": "svc", "last_name": "Twice"}
    answer = house.admin.call("POST", "sys_user", json=values)
    error = answer.json()["error"]
    assert (answer.status_code, error["message"]) == (403, "Operation Failed")
    assert "ACL Exception" not in error["detail"]
    denied("Insert")(desk.svc.call("POST", "sys_user", json={**values, "user_name": "svc2"}))
    house.admin.create("sys_user", {**values, "user_name": "svc2"})


@pytest.mark.parametrize("role", ["itil", "admin"])
def test_requests_may_be_closed_to_creation_as_records(house: House, role: str) -> None:
    """As one instance had it: only the catalog orders, whatever roles a caller has."""
    Case(
        "create: requests are ordered",
        ask=lambda desk: desk.svc.call("POST", "sc_request", json={"short_description": "x"}),
        starts=denied("Insert"),
        spoil=lambda desk: (desk.only("sc_request", "create", "nobody"), desk.grant(role)),
        shows=denied("Insert"),
        mend=Desk.drop_rule,
    ).walk(Desk(house))
