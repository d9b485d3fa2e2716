"""What stops a call on its way to an API, and what mends it."""

from __future__ import annotations

import ssl
from typing import Any

import httpx2
import pytest

from packages.wavetank.tests.access.cases import Case, rows
from packages.wavetank.tests.access.outside import (
    Answer,
    House,
    fine,
    refused,
)
from packages.wavetank.tests.access.worker import Worker

CLOSED = "Failed API level ACL Validation"


def closed(answer: Answer) -> None:
    refused(answer, 403, "User Not Authorized", CLOSED)


def page(status: int) -> Any:
    """A page, where JSON was asked for."""

    def look(answer: Answer) -> None:
        assert answer.status_code == status, answer.text
        assert not answer.headers.get("content-type", "").startswith("application/json")

    return look


def unproven(answer: Answer) -> None:
    """The session is known, the call is not proven: the answer brings the token along."""
    assert answer.status_code == 401
    assert answer.headers["x-is-logged-in"] == "true"
    assert answer.headers["x-usertoken-response"]


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
            refused(
                answer, 429, "Rate limit exceeded", "Rate limit of 1 requests per hour for Table API exceeded"
            ),
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
@pytest.mark.claim("machine-access")
@pytest.mark.claim("machine-access-refusal")
@pytest.mark.claim("ip-caller")
@rows(GATES)
def test_on_the_way_to_an_api(house: House, case: Case) -> None:
    case.walk(Worker(house))


def test_what_the_machine_may_reach_is_decided_by_the_whole_control(house: House) -> None:
    """Other APIs are closed too, whatever roles the account has."""
    worker = Worker(house)
    worker.machine()
    house.grant(worker.user, "itil")
    closed(worker.svc.call("GET", "/api/now/stats/problem", params={"sysparm_count": "true"}))
    fine(worker.svc.get("problem"))


@pytest.mark.claim("tls-plain-http")
def test_http_where_https_is_spoken(house: House) -> None:
    address = house.instance.tls_url.removeprefix("https:")
    answer = house.nobody().call("GET", f"http:{address}/api/now/table/incident")
    assert (answer.status_code, answer.text) == (
        400,
        "Bad Request\r\nThis combination of host and port requires TLS.\r\n",
    )
    trusted = ssl.create_default_context(cafile=str(house.instance.ca))
    fine(httpx2.get(f"https:{address}/api/now/table/incident", auth=house.instance.admin, verify=trusted))
