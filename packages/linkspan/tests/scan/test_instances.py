"""What is judged of what was seen. How it is seen is tested on running instances."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from linkspan.config.values import InstanceConfig
from linkspan.core.errors import NotAuthenticated, SecretUnavailable, Unreachable
from linkspan.scan.instances import ROLES, STATUSES, Registration, Seen, causes, judge

ENVIRONMENTS = {"dev": "development", "prod": "production"}
LABELS = {"development": "Development", "production": "Production"}


def registration(on: str, about: str, **changes) -> Registration:
    values = {
        "on": on,
        "sys_id": f"{on}-{about}",
        "name": f"acme{about}",
        "url": f"https://acme{about}.service-now.com",
        "environment": LABELS[ENVIRONMENTS[about]],
        "authentication": "Basic",
        "credential": "Scan Engine",
        "validated": True,
        "status": "Connection Valid",
    }
    return Registration(**{**values, **changes})


def healthy(which: str, **changes) -> Seen:
    values = {
        "instance": InstanceConfig(
            name=which, url=f"https://acme{which}.service-now.com", environment=ENVIRONMENTS[which]
        ),
        "user": {"sys_id": "u", "active": "true", "locked_out": "false"},
        "roles": frozenset(ROLES),
        "known_roles": frozenset(ROLES),
        "name": f"acme{which}",
        "registrations": tuple(registration(which, other) for other in ENVIRONMENTS),
    }
    return Seen(**{**values, **changes})


def statuses(**seen: Seen):
    fleet = {"dev": healthy("dev"), "prod": healthy("prod"), **seen}
    return {name: one.status for name, one in judge(fleet, account="scanner", user_name="svc.scan").items()}


def first(name: str, **seen: Seen):
    fleet = {"dev": healthy("dev"), "prod": healthy("prod"), **seen}
    return judge(fleet, account="scanner", user_name="svc.scan")[name].problems[0]


def registered(on: str, about: str, **changes) -> Seen:
    rows = (registration(on, name, **(changes if name == about else {})) for name in ENVIRONMENTS)
    return healthy(on, registrations=tuple(rows))


def test_when_all_is_well_every_connection_is_valid():
    assert statuses() == {"dev": "Connection Valid", "prod": "Connection Valid"}


REFUSED = NotAuthenticated("the credential was not accepted")
CASES = [
    ("secret_missing", {"dev": healthy("dev", login=SecretUnavailable("no secret"))}),
    ("not_registered", {"prod": healthy("prod", registrations=(registration("prod", "prod"),))}),
    ("no_authentication_type", {"prod": registered("prod", "dev", authentication="")}),
    ("no_credential_record", {"prod": registered("prod", "dev", credential="")}),
    ("user_missing", {"dev": healthy("dev", login=REFUSED, user={}, roles=frozenset())}),
    ("user_inactive", {"dev": healthy("dev", login=REFUSED, user={"active": "false"})}),
    ("locked_out", {"dev": healthy("dev", login=REFUSED, user={"active": "true", "locked_out": "true"})}),
    ("login_refused", {"dev": healthy("dev", login=REFUSED)}),
    ("login_refused", {"dev": healthy("dev", login=REFUSED, user=None)}),
    ("unreachable", {"dev": healthy("dev", login=Unreachable("no route"))}),
    ("wrong_url", {"prod": registered("prod", "dev", url="https://www.acmedev.service-now.com")}),
    ("wrong_url", {"prod": registered("prod", "dev", url="https://acmedev.service-now.com/")}),
    ("wrong_url", {"prod": registered("prod", "dev", url="https://acmedev.service-now.com/navpage.do")}),
    ("wrong_name", {"prod": registered("prod", "dev", name="ACMEDEV")}),
    ("wrong_environment", {"prod": registered("prod", "dev", environment="Production")}),
    (
        "several_productions",
        {"dev": healthy("dev", instance=InstanceConfig(name="dev", url="https://acmedev.service-now.com", environment="production"))},
    ),
    ("role_missing", {"dev": healthy("dev", roles=frozenset(ROLES[:1]))}),
    ("application_missing", {"dev": healthy("dev", roles=frozenset(), known_roles=frozenset())}),
    ("approvals_off", {"prod": healthy("prod", approvals=False)}),
]  # fmt: skip


@pytest.mark.parametrize(("cause", "seen"), CASES, ids=[case[0] for case in CASES])
def test_each_cause_is_named_with_its_status_and_a_fix(cause, seen):
    found = first("dev", **seen)
    if cause == "several_productions":  # beside it, the records do not say what the configuration says
        all_of_them = judge(
            {"dev": healthy("dev"), "prod": healthy("prod"), **seen}, account="a", user_name="b"
        )
        assert cause in [problem.cause for problem in all_of_them["prod"].problems]
        return
    assert found.cause == cause
    assert found.status == causes()[cause]["status"]
    assert found.fix
    assert not re.search(r"[{}]", found.says + found.fix)


def test_without_production_nobody_can_approve():
    dev = replace(healthy("dev"), registrations=(registration("dev", "dev"),))
    (only,) = judge({"dev": dev}, account="scanner", user_name="svc.scan").values()
    assert (only.status, only.problems[0].cause) == (
        "Approvals not configured in production",
        "no_production",
    )


def test_every_published_cause_is_produced_here_and_every_status_has_one():
    assert {case[0] for case in CASES} | {"no_production"} == set(causes())
    assert {entry["status"] for entry in causes().values()} == set(STATUSES) - {"Connection Valid"}


def test_the_gravest_cause_gives_the_status():
    dev = healthy("dev", login=REFUSED, user={}, roles=frozenset())
    prod = registered("prod", "dev", url="https://elsewhere")
    assert statuses(dev=dev, prod=prod)["dev"] == "User not setup on target instance"


def test_what_cannot_be_seen_is_not_held_against_an_instance():
    blind = healthy("dev", roles=None, known_roles=None, name=None, registrations=None, hidden=("why",))
    assert statuses(dev=blind)["dev"] == "Connection Valid"
    fleet = {"dev": blind, "prod": healthy("prod")}
    found = judge(fleet, account="a", user_name="b")["dev"].document()
    assert (found["hidden"], found["certain"]) == (["why"], False)
