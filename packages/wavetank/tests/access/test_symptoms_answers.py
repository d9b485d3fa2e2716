"""Answers that are not the ones expected, although the caller was let in."""

from __future__ import annotations

from typing import Any

import pytest

from packages.wavetank.tests.access.cases import Case, rows
from packages.wavetank.tests.access.outside import (
    Answer,
    House,
    fine,
    no_record,
    refused,
)
from packages.wavetank.tests.access.worker import Worker


def rows_are(*names: str) -> Any:
    def look(answer: Answer) -> None:
        assert answer.status_code == 200, answer.text
        assert [row["short_description"] for row in answer.json()["result"]] == list(names)

    return look


def urgency(value: str) -> Any:
    def look(answer: Answer) -> None:
        assert (answer.status_code, answer.json()["result"]["urgency"]) == (200, value), answer.text

    return look


def everybody(worker: Worker) -> str:
    return str(worker.house.admin.first("sys_security_attribute", "name=UserIsAuthenticated")["sys_id"])


def changing(kind: str, value: str) -> dict[str, str]:
    """A before rule on changes of incidents."""
    return {"name": "Freeze", "collection": "incident", "when": "before", "order": "100", "active": "true",
            "action_update": "true", kind: value}  # fmt: skip


def locked(worker: Worker) -> None:
    worker.house.admin.change("incident", worker.incident, {"urgency": "3"})
    worker.make("sys_data_policy2", model_table="incident", short_description="Locked", active="true")
    row = {"sys_data_policy": worker.made, "table": "incident", "field": "urgency", "disabled": "true"}
    worker.house.admin.create("sys_data_policy_rule", row)


LOCKED = "Data Policy Exception: The following fields are read only: Urgency"
NARROWING = {
    "name": "Only urgent ones", "collection": "incident", "when": "before", "order": "100", "active": "true",
    "action_query": "true", "action_insert": "false", "action_update": "false", "advanced": "true",
    "script": "(function executeRule(current, previous) { current.addQuery('urgency', '1'); })(current, previous);",
}  # fmt: skip
ANSWERS = (
    Case(
        "404 on a record: deleted",
        ask=Worker.one,
        spoil=lambda worker: worker.house.admin.delete("incident", worker.incident),
        shows=no_record,
        mend=lambda worker: setattr(worker, "incident", worker.house.incident()["sys_id"]),
    ),
    Case(
        "404 on a record: an access control",
        ask=Worker.one,
        spoil=lambda worker: worker.make(
            "sys_security_acl",
            name="incident",
            operation="read",
            decision_type="deny",
            condition="urgency=1",
            type="record",
        ),
        shows=no_record,
        mend=lambda worker: worker.switch("sys_security_acl", active="false"),
    ),
    Case(
        "200 and no row: the role",
        spoil=lambda worker: worker.house.revoke(worker.user, "sn_incident_write"),
        shows=rows_are(),
        mend=lambda worker: worker.house.grant(worker.user, "sn_incident_read"),
        works=rows_are("A"),
    ),
    Case(
        "200 and no row: a data filter",
        spoil=lambda worker: worker.make(
            "sys_security_data_filter",
            table_name="incident",
            mode="if",
            filter="urgency=1",
            active="true",
            security_attribute=everybody(worker),
        ),
        shows=rows_are(),
        mend=lambda worker: worker.switch("sys_security_data_filter", active="false"),
        works=rows_are("A"),
    ),
    Case(
        "200 and no row: a before-query business rule",
        spoil=lambda worker: worker.make("sys_script", **NARROWING),
        shows=rows_are(),
        mend=lambda worker: worker.switch("sys_script", active="false"),
        works=rows_are("A"),
    ),
    Case(
        "200 and no row: a column that is none, and the property that says so",
        spoil=lambda worker: (
            worker.house.set_property("glide.invalid_query.returns_no_rows", "true"),
            setattr(worker, "query", "short_descripton=A"),
        ),
        shows=rows_are(),
        mend=lambda worker: setattr(worker, "query", "short_description=A"),
        works=rows_are("A"),
    ),
    Case(
        "200 and every row: a column that is none",
        spoil=lambda worker: (
            worker.house.incident(short_description="B"),
            setattr(worker, "query", "nothing=A"),
        ),
        shows=lambda answer: sorted(row["short_description"] for row in answer.json()["result"]).index("B"),
        mend=lambda worker: setattr(worker, "query", "short_description=A"),
        works=rows_are("A"),
    ),
    Case(
        "200 and unchanged: a business rule",
        ask=Worker.write,
        spoil=lambda worker: worker.make("sys_script", **changing("template", "urgency=2^EQ")),
        shows=urgency("2"),
        mend=lambda worker: worker.switch("sys_script", active="false"),
        works=urgency("1"),
    ),
    Case(
        "200 and unchanged: an access control of the field",
        ask=Worker.write,
        spoil=lambda worker: (
            worker.house.admin.change("incident", worker.incident, {"urgency": "3"}),
            worker.house.rule("incident.urgency", "write", "itil"),
        ),
        shows=urgency("3"),
        mend=lambda worker: worker.house.grant(worker.user, "itil"),
        works=urgency("1"),
    ),
    Case(
        "403, a data policy locks the field",
        ask=Worker.write,
        spoil=locked,
        shows=lambda answer: refused(answer, 403, "Operation Failed", LOCKED),
        mend=lambda worker: worker.switch("sys_data_policy2", active="false"),
        works=urgency("1"),
    ),
)


@pytest.mark.claim("table-not-found")
@pytest.mark.claim("table-no-role-empty")
@pytest.mark.claim("rule-actions")
@pytest.mark.claim("data-policy-read-only")
@pytest.mark.claim("data-filter")
@pytest.mark.claim("before-query-narrows")
@rows(ANSWERS)
def test_an_answer_that_is_not_the_one_expected(house: House, case: Case) -> None:
    case.walk(Worker(house))


@pytest.mark.claim("rule-abort")
@pytest.mark.parametrize("fix", ["the rule is switched off", "the field that the rule asks for"])
def test_a_customers_rule_aborts(house: House, fix: str) -> None:
    worker = Worker(house)
    rule = changing("abort_action", "true") | {"filter_condition": "short_description=A"}
    fine(worker.write())
    worker.make("sys_script", **rule)
    worker.values = {"urgency": "2"}
    detail = (
        f"Operation against file 'incident' was aborted by Business Rule 'Freeze^{worker.made}'. "
        "Business Rule Stack:Freeze"
    )
    refused(worker.write(), 403, "Operation Failed", detail)
    if fix == "the rule is switched off":
        worker.switch("sys_script", active="false")
    else:
        worker.values["short_description"] = "B"
    fine(worker.write())


STATUSES = {
    "Approvals not configured in production",
    "Authentication method is not configured",
    "Connection Valid",
    "Connection Invalid",
    "API User is missing role",
    "User not setup on target instance",
}


@pytest.mark.claim("scan-engine-validate")
@pytest.mark.claim("scan-engine-one-production")
def test_the_words_of_scan_engine_about_a_connection(house: House) -> None:
    """Each can be had; a second Production brings one about by itself."""
    table = "sn_se_my_sn_instances"
    house.user("scan", "sn_se.scan_engine_admin")
    scan = house.basic("scan")
    words = {
        row["label"]: row["value"]
        for row in house.admin.rows("sys_choice", f"name={table}^element=connection_status")
    }
    assert words.keys() == STATUSES
    made = scan.create(table, {"instance_name": "prod", "environment": "Production"})["sys_id"]
    for label, value in words.items():
        changed = {"connection_status": value, "validated": "true"}
        house.instance.control(f"records/{table}/{made}", changed, "PATCH")
        shown = scan.get(f"{table}/{made}", sysparm_display_value="true").json()["result"]
        assert shown["connection_status"] == label
    valid = {"connection_status": words["Connection Valid"], "validated": "true"}
    house.instance.control(f"records/{table}/{made}", valid, "PATCH")
    scan.create(table, {"instance_name": "prod2", "environment": "Production"})
    shown = scan.get(f"{table}/{made}", sysparm_display_value="true").json()["result"]
    assert (shown["connection_status"], shown["validated"]) == ("Connection Invalid", "false")
