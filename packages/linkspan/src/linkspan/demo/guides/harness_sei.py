"""Harness SEI: reading with a password, by a person's consent and from inside a network; times to restore."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx2

from linkspan.core.errors import Rejected
from linkspan.demo.guides.checked import Checked, same
from linkspan.demo.line import Line
from linkspan.demo.person import Person, words_of
from linkspan.demo.stage import (
    CONSENTED,
    KEPT_BACK,
    READ,
    READ_BY_CONSENT,
    READER,
    READER_NAME,
    SITE,
    Stage,
)

STREAMS = ("incident", "change_request", "sys_user")
CANARY = "Mauersegler-4c81f0"
PASSWORD = "Their own pass 1!"  # noqa: S105 - of an emulated person on the loopback
ID = "1"
# The example of the guide's page on recovery times: restored within 60, 30 and 180 minutes.
DAY, NEXT_DAY = "2026-03-10", "2026-03-11"
EXAMPLE = (("09:00", "10:00"), ("11:15", "11:45"), ("18:00", "21:00"))
EXPECTED = {"n": 3.0, "mean_s": 5400.0, "median_s": 3600.0, "p90_s": 9360.0, "p95_s": 10080.0}

# As the vendor's page has it, filled in.
_SATELLITE = """\
satellite:
  tenant: {site}
  api_key: env:SATELLITE_KEY
  url: {hub}
integrations:
  - id: {id}
    url: {instance}
    username: {user}
    application: servicenow
    api_key: file:password
    streams: {{incident: {{exclude: [{kept_back}]}}}}
"""


def play(stage: Stage) -> list[Checked]:
    """From nothing to the figures on the page."""
    read, consented = stage.instance(READ), stage.instance(READ_BY_CONSENT)
    _lay_out(read, _EXAMPLE_INCIDENTS)
    _lay_out(consented, [])
    applied = stage.linkspan("apply", READER, "--yes")
    left = stage.linkspan("apply", CONSENTED, "--yes")
    _give_password(consented)
    allowed = stage.authorize(CONSENTED, READ_BY_CONSENT, lambda page: _allow(consented.url, page))
    asked = stage.linkspan("preflight", CONSENTED)
    before = {line: _last_request(line) for line in (read, consented)}
    ran = stage.linkspan("ingest", "run")
    sent = stage.satellite(_satellite(stage, consented.url))
    return [
        same("with a password, nothing is left to a person", applied["exit"], 0),
        same("consent is left to a person", _manual(left), [["credential"]]),
        same("who allowed it is the account", (allowed["result"] or {}).get("user_name"), READER_NAME),
        *_account(consented),
        *_validated(asked),
        *_read(ran, read, consented),
        *_satellites(sent, ran),
        *_kept_back(stage, before),
        *_figures(stage),
    ]


# ── what is there to be read ─────────────────────────────────────────────────────────────────────────────

_EXAMPLE_INCIDENTS = [
    {
        "state": "7",
        "incident_state": "7",
        "active": "false",
        "opened_at": f"{DAY} {began}:00",
        "sys_created_on": f"{DAY} {began}:00",
        "resolved_at": f"{DAY} {ended}:00",
        "sys_updated_on": f"{DAY} {ended}:00",
    }
    for began, ended in EXAMPLE
]


def _lay_out(line: Line, incidents: Iterable[dict[str, str]]) -> None:
    """Incidents of another day with exact stamps, as only the emulator's control surface makes them.

    One more has a word in its fields that must not be found anywhere afterwards.
    """
    canary = {name: f"{CANARY} {name}" for name in KEPT_BACK if name not in ("comments", "work_notes")}
    answer = line.call("POST", "/-/records/incident", body=[*incidents, canary])
    if not answer.ok:
        raise Rejected(f"incidents were not laid out: {answer.status} {answer.body}", where=line.url)
    line.change("incident", answer.body["result"][-1]["sys_id"], {"work_notes": CANARY, "comments": CANARY})


def _give_password(line: Line) -> None:
    """What an administrator does on the user's form."""
    (user,) = line.rows("sys_user", f"user_name={READER_NAME}", "sys_id")
    line.change("sys_user", user["sys_id"], {"user_password": PASSWORD}, input_display=True)


def _allow(url: str, page: str) -> None:
    """What the account's person does in the browser."""
    with Person(url, READER_NAME, PASSWORD) as person:
        person.sign_in()
        person.consent(page)


def _satellite(stage: Stage, instance: str) -> Path:
    """The satellite's folder, with the vendor's file in it."""
    folder = stage.home / "satellite"
    folder.mkdir(mode=0o700, exist_ok=True)
    password = folder / "password"
    password.touch(0o600)
    password.write_text(PASSWORD, encoding="utf-8")
    file = folder / "satellite.yml"
    values = {"site": SITE, "hub": stage.hub_url, "id": ID, "instance": instance, "user": READER_NAME}
    file.write_text(_SATELLITE.format(kept_back=", ".join(KEPT_BACK), **values), encoding="utf-8")
    return file


# ── what came of it ──────────────────────────────────────────────────────────────────────────────────────


def _manual(reply: dict[str, Any]) -> list[list[str]]:
    instances = (reply["result"] or {}).get("instances", {})
    return [[step["kind"] for step in one["manual"]] for one in instances.values()]


def _account(line: Line) -> list[Checked]:
    (user, *_) = line.rows("sys_user", f"user_name={READER_NAME}") or [{}]
    (application, *_) = line.rows("oauth_entity", f"name=linkspan.{CONSENTED}") or [{}]
    held = line.rows("sys_user_has_role", f"user.user_name={READER_NAME}", "role.name")
    names = {row["role.name"] for row in held}
    return [
        same(
            "who consents is a person who can sign in",
            (user.get("identity_type"), user.get("web_service_access_only")),
            ("human", "false"),
        ),
        same("the application asks for a proof of the code", application.get("use_pkce"), "true"),
        Checked(
            check="it reads and holds none of the guide's wider roles",
            ok="snc_read_only" in names and not {"itil", "oauth_admin", "user_admin"} & names,
            seen=", ".join(sorted(names)),
        ),
    ]


def _validated(reply: dict[str, Any]) -> list[Checked]:
    found = {one["check"]: one["outcome"] for one in (reply["result"] or {}).get("checks", [])}
    unwell = sorted(name for name, outcome in found.items() if outcome not in ("pass", "skip"))
    return [
        Checked(
            check="validate connection finds nothing wrong", ok=bool(found) and not unwell, seen=str(unwell)
        ),
        same("it sees incidents", found.get("incident_read"), "pass"),
        same("it sees changes and users", found.get("tables_read"), "pass"),
    ]


def _read(ran: dict[str, Any], read: Line, consented: Line) -> list[Checked]:
    streams = (ran["result"] or {}).get("streams", {})
    wanted = {f"{READ}/{table}": _count(read, table) for table in STREAMS}
    wanted[f"{READ_BY_CONSENT}/incident"] = _count(consented, "incident")
    return [
        same("every stream is read", (ran["exit"], sorted(streams)), (0, sorted(wanted))),
        *(
            same(
                f"{name}: as many as the instance counts, compared row by row",
                (streams.get(name, {}).get("stored"), streams.get(name, {}).get("verified")),
                (count, True),
            )
            for name, count in wanted.items()
        ),
    ]


def _count(line: Line, table: str) -> int:
    found = line.get(f"/api/now/stats/{table}", sysparm_count="true")["result"]
    return int(found["stats"]["count"])


def _satellites(sent: dict[str, Any], ran: dict[str, Any]) -> list[Checked]:
    found = sent["result"] or {}
    stream = found.get("streams", {}).get(f"{SITE}-{ID}/incident", {})
    direct = (ran["result"] or {}).get("streams", {}).get(f"{READ_BY_CONSENT}/incident", {})
    return [
        same("a satellite read the same instance from inside", stream.get("counted"), direct.get("counted")),
        same("what it sent was verified", (sent["exit"], stream.get("verified")), (0, True)),
        same("nothing waits in its spool", found.get("spool", {}).get("batches"), 0),
    ]


def _last_request(line: Line) -> int:
    return max((int(one["n"]) for one in line.get("/-/requests", since="0")["result"]), default=0)


def _kept_back(stage: Stage, before: Mapping[Line, int]) -> list[Checked]:
    """``before`` is the last request of each instance that was not for reading."""
    asked = [
        entry["query"]
        for line, number in before.items()
        for entry in line.get("/-/requests", since=str(number))["result"]
        if entry["user"] == READER_NAME
    ]
    told = sorted({name for query in asked for name in KEPT_BACK if name in _names(query)})
    files = [path for path in stage.home.rglob("*") if path.is_file()]
    holding = [path.name for path in files if CANARY.encode() in path.read_bytes()]
    return [
        Checked(
            check="what is excluded was never asked for", ok=bool(asked) and not told, seen=", ".join(told)
        ),
        Checked(check="it is in no file here", ok=not holding, seen=", ".join(holding)),
    ]


def _names(query: str) -> set[str]:
    return set(query.replace("%2C", ",").replace("=", ",").replace("&", ",").split(","))


def _figures(stage: Stage) -> list[Checked]:
    """What the hub's page says, in words and in numbers."""
    asked = {"instance": READ, "definition": "harness", "since": DAY, "until": NEXT_DAY}
    with httpx2.Client(
        base_url=stage.hub_url,
        headers={"Authorization": f"Bearer {stage.token}"},
        timeout=60,
        trust_env=False,
    ) as browser:
        page = browser.get("/mttr", params=asked)
        table = browser.get("/mttr.csv", params=asked)
        other = browser.get("/mttr.csv", params={"instance": READ_BY_CONSENT, "period": ""})
        sent = browser.get("/mttr.csv", params={"instance": f"{SITE}-{ID}", "period": ""})
    words = list(words_of(page.text))
    row = next(csv.DictReader(io.StringIO(table.text)), {})
    return [
        same(
            "restored within 60, 30 and 180 minutes: 90 on average",
            {name: float(row.get(name) or 0) for name in EXPECTED},
            EXPECTED,
        ),
        Checked(
            check="the page shows n, mean, median, p90 and p95, and a chart",
            ok=page.is_success
            and {"n", "mean", "median", "p90", "p95", "90 min"} <= set(words)
            and "<svg" in page.text,
            seen=f"{page.status_code}: {' '.join(words)[:200]}",
        ),
        Checked(
            check="the satellite's figures are those of the line without one",
            ok=other.is_success and other.text == sent.text and other.text.count("\n") == 2,
            seen=f"{other.text!r} and {sent.text!r}",
        ),
    ]
