"""RAD Security: an account with an API key on three instances, findings as incidents, the key replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linkspan.demo.findings import TICKETS
from linkspan.demo.findings import write as write_findings
from linkspan.demo.guides.checked import Checked, same
from linkspan.demo.line import Line
from linkspan.demo.person import Person
from linkspan.demo.stage import ADMIN, NAMES, SECOPS, SECOPS_NAME, SYNCED, Stage

KEY, NEW_KEY = f"linkspan.{SECOPS}", f"linkspan.{SECOPS}.2"
METHODS = {"basic_auth", "oauth", ""}  # the key's profile is none of the standard types
EVERY = len(NAMES)


def play(stage: Stage) -> list[Checked]:
    """From nothing to incidents, and to another key."""
    people = {name: _signed_in(stage, name) for name in NAMES}
    try:
        return [*_account(stage, people), *_findings(stage), *_rotation(stage, people[SYNCED])]
    finally:
        for person in people.values():
            person.close()


def _account(stage: Stage, people: dict[str, Person]) -> list[Checked]:
    first = stage.linkspan("apply", SECOPS, "--yes")
    built = (stage.linkspan("app", "build", SECOPS)["result"] or {}).get("instances", {})
    for name, person in people.items():
        person.elevate()
        person.import_update_set(Path(built[name]["file"]).read_text(encoding="utf-8"))
        stage.keep_secret(f"{name}/{SECOPS}/api_key", _token(stage, name, person, KEY))
    second = stage.linkspan("apply", SECOPS, "--yes")
    asked = stage.linkspan("preflight", SECOPS, "--write")
    return [
        same("what only a person may do was left to one", _manual(first), [["acl", "credential"]] * EVERY),
        same("with the access control and the token, all is done", second["exit"], 0),
        *(check for name in NAMES for check in _policy(stage.instance(name), name)),
        same("every instance shows it as Connected", _statuses(asked), ["Connected"] * EVERY),
        same("each is proven by a marked sample incident", len(_samples(stage, asked)), EVERY),
    ]


def _policy(line: Line, name: str) -> list[Checked]:
    mapped = line.rows(
        "sys_auth_profile_mapping",
        "api_access_policy.name=linkspan Table API^api_access_policy.active=true",
        "inbound_auth_profile",
    )
    standard = {row["sys_id"]: row["type"] for row in line.rows("std_http_auth", "", "sys_id,type")}
    held = line.rows("sys_user_has_role", f"user.user_name={SECOPS_NAME}", "role.name")
    return [
        same(
            f"{name}: the key is let in, and so are basic authentication and OAuth",
            {standard.get(row["inbound_auth_profile"], "") for row in mapped},
            METHODS,
        ),
        Checked(
            check=f"{name}: no role but a custom one and reading",
            ok=not {"itil", "itil_admin", "sn_incident_write"} & {row["role.name"] for row in held},
            seen=", ".join(sorted(row["role.name"] for row in held)),
        ),
    ]


def _findings(stage: Stage) -> list[Checked]:
    files = [str(path) for path in write_findings(stage.home)]
    first = stage.linkspan("findings", "import", *files)
    again = stage.linkspan("findings", "import", *files)
    made = stage.instance(SYNCED).rows("incident", f"correlation_idSTARTSWITHf:^sys_created_by={SECOPS_NAME}")
    wanted = sum(TICKETS.values())
    worst = [row for row in made if "Command built from user input" in row["short_description"]]
    return [
        same("findings that matter become incidents", (first["result"] or {}).get("created"), wanted),
        same("the same findings again become none", (again["result"] or {}).get("created"), 0),
        same("there is one incident for each", len({row["correlation_id"] for row in made}), wanted),
        same(
            "urgency and impact follow severity and tier", [_grades(row) for row in worst], [("2", "1", "2")]
        ),
        Checked(
            check="the incident says how to mend it",
            ok=any("Pass arguments as a list" in row["description"] for row in worst),
            seen=f"{len(worst)} incidents",
        ),
    ]


def _rotation(stage: Stage, person: Person) -> list[Checked]:
    command = ("accounts", "rotate", SECOPS, "--instance", SYNCED)
    begun = stage.linkspan(*command)
    token = _token(stage, SYNCED, person, NEW_KEY)
    done = stage.linkspan(*command, "--token-from", "-", given=token)
    keys = stage.instance(SYNCED).rows("api_key", f"user.user_name={SECOPS_NAME}", "name,active")
    return [
        same("a second key waits for its token", (begun["exit"], _state(begun)), (4, "waiting")),
        same("proven, it takes over", (done["exit"], _state(done)), (0, "done")),
        same(
            "only then the old key ends",
            {row["name"]: row["active"] for row in keys},
            {KEY: "false", NEW_KEY: "true"},
        ),
    ]


def _signed_in(stage: Stage, name: str) -> Person:
    person = Person(stage.urls[name], *ADMIN)
    person.sign_in()
    return person


def _token(stage: Stage, name: str, person: Person, key: str) -> str:
    """What a person reads in the form of the key."""
    (row,) = stage.instance(name).rows("api_key", f"name={key}", "sys_id")
    return person.api_key_token(row["sys_id"])


def _manual(reply: dict[str, Any]) -> list[list[str]]:
    instances = (reply["result"] or {}).get("instances", {})
    return [[step["kind"] for step in one["manual"]] for one in instances.values()]


def _checks(reply: dict[str, Any], check: str) -> list[dict[str, Any]]:
    return [one for one in (reply["result"] or {}).get("checks", []) if one["check"] == check]


def _statuses(reply: dict[str, Any]) -> list[str]:
    return [one["evidence"].get("status", one["outcome"]) for one in _checks(reply, "login")]


def _samples(stage: Stage, reply: dict[str, Any]) -> list[dict[str, str]]:
    return [
        row
        for one in _checks(reply, "incident_write")
        for row in stage.instance(one["instance"]).rows(
            "incident", f"correlation_id={one['evidence'].get('mark', 'none')}", "number"
        )
    ]


def _state(reply: dict[str, Any]) -> str:
    instances = (reply["result"] or {}).get("instances", {})
    return str(instances.get(SYNCED, {}).get("state", ""))


def _grades(row: dict[str, str]) -> tuple[str, str, str]:
    return row["impact"], row["urgency"], row["priority"]
