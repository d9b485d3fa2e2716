"""What access controls cost: a page of rows with 3,000 rules, beside the same page with them switched off.

Everything is timed in one run against one instance, so the ratios do not depend on the machine. Logins are
those of the platform's own command line tool: a password is checked, a session opened.
"""

from __future__ import annotations

import argparse
import http.client
import time
from urllib.parse import urlencode, urlsplit

from linkspan.demo.line import Line, basic
from tests.bench.page import instance

RULES = 3_000
ROWS = 2_000
LOGINS = 200
ROUNDS = 7
LOGIN = "/angular.do?sysparm_type=view_form.login"
ITIL, PASSWORD = "bench.itil", "Bench-1-password"
OPERATIONS = ("read", "write", "create", "delete")


def measure(_wishes: argparse.Namespace) -> dict[str, float]:
    """Figures by name: seconds of a page, how many times longer than without, microseconds a row."""
    with instance() as admin:
        _people(admin)
        _add(admin, "incident", [{"short_description": f"Row {n}", "state": str(n % 3)} for n in range(ROWS)])
        reader = Line(admin.url, basic(ITIL, PASSWORD))
        figures: dict[str, float] = {"rules": RULES, "rows": ROWS}
        _add(admin, "sys_security_acl", [_rule(n) for n in range(RULES)])
        for name, more in (("by roles", []), ("row by row", _by_condition())):
            _add(admin, "sys_security_acl", more)
            off, on = _pages(admin, reader)
            figures[f"{name}, seconds without"] = round(off, 3)
            figures[f"{name} / without"] = round(on / off, 2)
            figures[f"{name}, microseconds a row"] = round((on - off) / ROWS * 1e6, 1)
        figures["first page after a rule, seconds"] = round(_first(admin, reader), 3)
        figures["logins per second"] = round(_logins(admin))
    return figures


def _people(admin: Line) -> None:
    user = admin.call(
        "POST",
        "/api/now/table/sys_user",
        params={"sysparm_input_display_value": "true"},
        body={"user_name": ITIL, "user_password": PASSWORD, "active": "true"},
    ).body["result"]
    role = admin.rows("sys_user_role", "name=itil")[0]
    admin.call(
        "POST", "/api/now/table/sys_user_has_role", body={"user": user["sys_id"], "role": role["sys_id"]}
    )


def _add(admin: Line, table: str, rows: list[dict[str, str]]) -> None:
    answer = admin.call("POST", f"/-/records/{table}", body=rows)
    if not answer.ok:
        raise SystemExit(f"{table} was refused: {answer}")


def _rule(number: int) -> dict[str, str]:
    """One of many rules, as a grown instance has them: of fields, some of incidents, most of other tables."""
    table = ("incident", "task", "sys_user", "cmdb_ci", "change_request")[number % 5]
    return {
        "name": f"{table}.u_field_{number}",
        "type": "record",
        "operation": OPERATIONS[number % 4],
        "condition": "active=true" if number % 2 else "",
        "security_attribute": "239bdf0c47d23110ba46ff58936d4330",
    }


def _by_condition() -> list[dict[str, str]]:
    """A deny-unless rule for rows, and a rule for one field, that ask every row, and find nothing wrong."""
    rule = {"type": "record", "operation": "read", "condition": "stateIN0,1,2"}
    return [
        {**rule, "name": "incident", "decision_type": "deny"},
        {**rule, "name": "incident.description"},
    ]


def _pages(admin: Line, reader: Line) -> tuple[float, float]:
    """Seconds of the page without access controls and with them: the best of rounds that take turns."""
    found = dict.fromkeys(("off", "on"), float("inf"))
    shown: dict[str, int] = {}
    for _ in range(ROUNDS):
        for access in ("off", "on"):
            admin.call("POST", "/-/settings", body={"acl": access})
            began = time.perf_counter()
            rows = reader.get("/api/now/table/incident", sysparm_limit=ROWS)["result"]
            found[access] = min(found[access], time.perf_counter() - began)
            shown[access] = len(rows) * len(rows[0])
    if shown["on"] != shown["off"]:
        raise SystemExit(f"not the same page with access controls: {shown}")
    return found["off"], found["on"]


def _first(admin: Line, reader: Line) -> float:
    """Seconds of the first small page after a rule was written: every rule is read anew."""
    _add(admin, "sys_security_acl", [_rule(RULES)])
    began = time.perf_counter()
    reader.get("/api/now/table/incident", sysparm_limit=1)
    return time.perf_counter() - began


def _logins(admin: Line) -> float:
    """Logins a second, one after the other on one connection."""
    connection = http.client.HTTPConnection(urlsplit(admin.url).netloc, timeout=60)
    form = {
        "sysparm_type": "login",
        "ni.nolog.user_password": "true",
        "user_name": ITIL,
        "user_password": PASSWORD,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    began = time.perf_counter()
    for _ in range(LOGINS):
        connection.request("POST", LOGIN, body=urlencode(form), headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200 or "JSESSIONID" not in str(answer.getheaders()):
            raise SystemExit(f"a login was refused: {answer.status}")
    return LOGINS / (time.perf_counter() - began)
