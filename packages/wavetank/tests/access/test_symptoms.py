"""What goes wrong after the login, or before an API is reached at all: symptom, cause, and what mends it."""

from __future__ import annotations

from typing import Any

import pytest

from packages.wavetank.tests.access.cases import Case, rows
from packages.wavetank.tests.access.keyring import Keyring
from packages.wavetank.tests.access.outside import (
    Answer,
    Caller,
    House,
    fine,
    no_record,
    refused,
    unauthenticated,
)

CLOSED = "Failed API level ACL Validation"
KEYS = (
    Case(
        "the plugin is off",
        spoil=lambda ring: ring.house.plugin("com.glide.tokenbased_auth", active=False),
        shows=unauthenticated,
        mend=lambda ring: ring.house.plugin("com.glide.tokenbased_auth", active=True),
    ),
    Case(
        "the key is inactive",
        spoil=lambda ring: ring.set_key(active="false"),
        shows=unauthenticated,
        mend=lambda ring: ring.set_key(active="true"),
    ),
    Case(
        "the key is expired",
        spoil=lambda ring: ring.set_key(expires="2020-01-01 00:00:00"),
        shows=unauthenticated,
        mend=lambda ring: ring.set_key(expires=""),
    ),
    Case(
        "the key is gone: a new one",
        spoil=lambda ring: ring.house.admin.delete("api_key", ring.key),
        shows=unauthenticated,
        mend=lambda ring: renew(ring),
    ),
    Case(
        "the key is another",
        spoil=lambda ring: setattr(ring, "token", "now_" + "a" * 64),
        shows=unauthenticated,
        mend=lambda ring: renew(ring),
    ),
    Case(
        "the user is inactive",
        spoil=lambda ring: ring.account(active="false"),
        shows=unauthenticated,
        mend=lambda ring: ring.account(active="true"),
    ),
    Case(
        "the user is locked out",
        spoil=lambda ring: ring.account(locked_out="true"),
        shows=unauthenticated,
        mend=lambda ring: ring.account(locked_out="false"),
    ),
    Case(
        "the profile is not mapped",
        spoil=lambda ring: ring.unmap(ring.keys),
        shows=unauthenticated,
        mend=lambda ring: ring.house.map(ring.policy, ring.keys),
    ),
    Case(
        "the profile is inactive",
        spoil=lambda ring: ring.set_profile(active="false"),
        shows=unauthenticated,
        mend=lambda ring: ring.set_profile(active="true"),
    ),
    Case(
        "the policy is inactive",
        spoil=lambda ring: ring.narrow(active="false"),
        shows=unauthenticated,
        mend=lambda ring: ring.narrow(active="true"),
    ),
    Case(
        "the profile looks in the address: bring it there",
        spoil=lambda ring: ring.set_profile(auth_parameter=ring.parameter("query_parameter")["sys_id"]),
        shows=unauthenticated,
        mend=lambda ring: in_address(ring),
    ),
    Case(
        "the profile looks in the header, the key is in the address",
        spoil=lambda ring: in_address(ring),
        shows=unauthenticated,
        mend=lambda ring: (setattr(ring, "header", "x-sn-apikey"), setattr(ring, "params", {})),
    ),
    Case(
        "another header",
        spoil=lambda ring: setattr(ring, "header", "x-api-key"),
        shows=unauthenticated,
        mend=lambda ring: setattr(ring, "header", "x-sn-apikey"),
    ),
    *(
        Case(
            f"the policy is for another {what}",
            spoil=lambda ring, narrower=narrower: ring.narrow(**narrower),
            shows=unauthenticated,
            mend=lambda ring: ring.narrow(),
        )
        for what, narrower in {
            "method": {"apply_all_methods": "false", "http_method": "POST"},
            "version": {"apply_all_versions": "false", "version": "v1"},
            "table": {"apply_all_tables": "false", "api_tablename": "problem"},
            "resource": {"apply_all_resources": "false", "api_resource": "/now/table/{tableName}/{sys_id}"},
        }.items()
    ),
)


def renew(ring: Keyring) -> None:
    """Another key for the same user, revealed by a person."""
    made = ring.house.admin.create("api_key", {"name": "Key 2", "user": ring.user})
    ring.token = ring.house.admin.reveal(made["sys_id"])


def in_address(ring: Keyring) -> None:
    ring.header, ring.params = "", {"x-sn-apikey": ring.token}


@pytest.mark.claim("api-key-needs-policy")
@pytest.mark.claim("api-key-refused")
@pytest.mark.claim("plugin-inactive")
@pytest.mark.claim("policy-matches")
@rows(KEYS)
def test_401_with_an_api_key(house: House, case: Case) -> None:
    case.walk(Keyring(house))


class Worker:
    """An account that works on one incident, and a person of the same kind."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.user = house.user("svc", "sn_incident_write")["sys_id"]
        self.svc = house.basic("svc")
        self.incident = house.incident(short_description="A", urgency="3")["sys_id"]
        self.values = {"urgency": "1"}
        self.query = "short_description=A"
        self.path = "incident"
        self.made = ""
        self.caller: Caller = self.svc
        house.instance.configure(forwarded_for="trusted")

    def ask(self) -> Answer:
        return self.caller.get(self.path, self.query)

    def one(self) -> Answer:
        return self.svc.get(f"incident/{self.incident}")

    def write(self) -> Answer:
        return self.svc.call("PATCH", f"incident/{self.incident}", json=self.values)

    def make(self, table: str, **values: str) -> None:
        self.made = self.house.guard.create(table, values)["sys_id"]

    def switch(self, table: str, **values: str) -> None:
        """Changes what was made."""
        self.house.guard.change(table, self.made, values)

    def machine(self) -> None:
        """Puts the account on an access control that opens another table only."""
        admin = self.house.admin
        policy = self.house.policy(name="Machines")
        row = {"name": "M", "rest_api_policy": policy, "tables": "problem", "active": "true"}
        self.made = admin.create("sys_machine_identity_access", row)["sys_id"]
        link = {"access_control": self.made, "user": self.user}
        admin.create("sys_machine_identity_access_user", link)

    def person(self) -> None:
        """The caller is a browser's session that does not bring its token."""
        self.house.admin.change("sys_user", self.user, {"identity_type": "human"})
        self.caller = self.house.person("svc")
        self.token = self.caller.headers.pop("X-UserToken")


def closed(answer: Answer) -> None:
    refused(answer, 403, "User Not Authorized", CLOSED)


def page(status: int) -> Any:
    """A page, where JSON was asked for."""

    def look(answer: Answer) -> None:
        assert answer.status_code == status, answer.text
        assert not answer.headers.get("content-type", "").startswith("application/json")

    return look


def rows_are(*names: str) -> Any:
    def look(answer: Answer) -> None:
        assert answer.status_code == 200, answer.text
        assert [row["short_description"] for row in answer.json()["result"]] == list(names)

    return look


def unproven(answer: Answer) -> None:
    """The session is known, the call is not proven: the answer brings the token along."""
    assert answer.status_code == 401
    assert answer.headers["x-is-logged-in"] == "true"
    assert answer.headers["x-usertoken-response"]


def urgency(value: str) -> Any:
    def look(answer: Answer) -> None:
        assert (answer.status_code, answer.json()["result"]["urgency"]) == (200, value), answer.text

    return look


def fault(worker: Worker, **how: Any) -> None:
    worker.house.instance.fail(match={"table": "incident"}, **how)


def address(worker: Worker, kind: str) -> None:
    row = {"type": kind, "direction": "inbound", "active": "true"}
    worker.make("ip_access", range_start="203.0.113.0", range_end="203.0.113.255", **row)


GATES = (
    Case(
        "403, machine identity access control: another table",
        spoil=Worker.machine,
        shows=closed,
        mend=lambda worker: worker.switch("sys_machine_identity_access", tables="problem,incident"),
    ),
    Case(
        "401, session without its token",
        spoil=Worker.person,
        starts=fine,
        shows=unproven,
        mend=lambda worker: worker.caller.headers.update({"X-UserToken": worker.token}),
    ),
    Case(
        "403, a page at the edge: IP address access control",
        spoil=lambda worker: (
            worker.caller.headers.update({"X-Forwarded-For": "203.0.113.9"}),
            address(worker, "deny"),
        ),
        shows=page(403),
        mend=lambda worker: address(worker, "allow"),
    ),
    Case(
        "429",
        spoil=lambda worker: (
            worker.house.instance.configure(rate_commit_seconds=0),
            worker.make("sys_rate_limit_rules", **limited(worker)),
            worker.ask(),
        ),
        shows=lambda answer: (
            refused(answer, 429, "Rate limit exceeded", answer.json()["error"]["detail"]),
            int(answer.headers["retry-after"]),
        ),
        mend=lambda worker: worker.house.instance.advance(3600),
    ),
    Case(
        "400, a table that is not there",
        spoil=lambda worker: setattr(worker, "path", "incidents"),
        shows=lambda answer: refused(answer, 400, "Invalid table incidents", None),
        mend=lambda worker: setattr(worker, "path", "incident"),
    ),
    Case(
        "400, an API that is not there",
        spoil=lambda worker: setattr(worker, "path", "/api/now/tables/incident"),
        shows=lambda answer: refused(answer, 400, "Requested URI does not represent any resource", None),
        mend=lambda worker: setattr(worker, "path", "/api/now/table/incident"),
    ),
    Case(
        "400, an API that is switched off",
        spoil=lambda worker: worker.house.set_property("glide.rest.apis.disabled", "Table API"),
        shows=lambda answer: refused(answer, 400, "Requested URI does not represent any resource", None),
        mend=lambda worker: worker.house.instance.control(
            f"records/sys_properties/{worker.house.instance.rows('sys_properties', 'name=glide.rest.apis.disabled')[0]['sys_id']}",
            method="DELETE",
        ),
    ),
    Case(
        "302, the login page instead of an API",
        spoil=lambda worker: setattr(worker, "path", "/incident.do"),
        shows=lambda answer: (page(302)(answer), answer.headers["location"].index("/login.do")),
        mend=lambda worker: setattr(worker, "path", "incident"),
    ),
    Case(
        "200, a page at the root",
        spoil=lambda worker: setattr(worker, "path", "/"),
        shows=page(200),
        mend=lambda worker: setattr(worker, "path", "incident"),
    ),
    Case(
        "a page where the address has one slash too many",
        spoil=lambda worker: setattr(worker, "path", f"{worker.house.instance.url}//api/now/table/incident"),
        shows=page(404),
        mend=lambda worker: setattr(worker, "path", f"{worker.house.instance.url}/api/now/table/incident"),
    ),
    Case(
        "200, a page: the instance hibernates",
        spoil=lambda worker: fault(worker, do="html_200"),
        shows=page(200),
        mend=lambda worker: worker.house.instance.control("faults", method="DELETE"),
    ),
    Case(
        "502, a page: the instance was reclaimed",
        spoil=lambda worker: fault(
            worker, do="status", status=502, body="<html>Gone</html>", headers={"Server": "snow_adc"}
        ),
        shows=lambda answer: (page(502)(answer), answer.headers.get_list("server").index("snow_adc")),
        mend=lambda worker: worker.house.instance.control("faults", method="DELETE"),
    ),
)


def limited(worker: Worker) -> dict[str, str]:
    """A rule of one request an hour for the account."""
    return {
        "name": "One", "active": "true", "request_limit": "1", "rate_limit_type": "user", "user": worker.user,
        "api": worker.house.table_api, "api_path": "now/table",
    }  # fmt: skip


@pytest.mark.claim("errors-envelope")
@pytest.mark.claim("errors-no-such-resource")
@pytest.mark.claim("apis-switched")
@pytest.mark.claim("session-token")
@pytest.mark.claim("ip-deny")
@pytest.mark.claim("ip-allow-beats-deny")
@rows(GATES)
def test_on_the_way_to_an_api(house: House, case: Case) -> None:
    case.walk(Worker(house))


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
        spoil=lambda worker: locked(worker),
        shows=lambda answer: refused(answer, 403, "Operation Failed", answer.json()["error"]["detail"]),
        mend=lambda worker: worker.switch("sys_data_policy2", active="false"),
        works=urgency("1"),
    ),
)


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


@pytest.mark.claim("table-not-found")
@pytest.mark.claim("table-no-role-empty")
@pytest.mark.claim("rule-actions")
@pytest.mark.claim("data-policy-read-only")
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


def test_what_the_machine_may_reach_is_decided_by_the_whole_control(house: House) -> None:
    """Other APIs are closed too, whatever roles the account has."""
    worker = Worker(house)
    worker.machine()
    house.grant(worker.user, "itil")
    closed(worker.svc.call("GET", "/api/now/stats/problem", params={"sysparm_count": "true"}))
    fine(worker.svc.get("problem"))


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
