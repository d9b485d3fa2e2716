"""The guide of incident.io, from linkspan.yaml to follow-ups in step; a person does what only people may."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from linkspan.demo.line import Line, basic
from tests import needs
from tests.contract.accounts import rows
from tests.journeys.company import HUB, Company, at_home
from tests.journeys.person import Person
from tests.standin import StandIn
from tests.standin.webhooks import new_secret
from wavetank import Instance
from wavetank.running import fleet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SOON = 30.0
USER = "svc.incident-io"


class IncidentIoCompany(Company):
    """On a running instance, and with the stand-in as incident.io."""

    example = "incident-io"

    def __init__(self, folder: Path, instance: Instance, standin: StandIn, capsys: Any) -> None:
        self.standin = standin
        super().__init__(folder, [instance], capsys)

    def addresses(self) -> dict[str, str]:
        return {
            **super().addresses(),
            "https://api.incident.io": self.standin.url,
            HUB: "127.0.0.1:0",
        }

    def checks(self) -> dict[str, dict[str, Any]]:
        """The answers of preflight by check."""
        found = self.command("preflight", "--write")["result"]["checks"]
        return {one["check"]: one for one in found}


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    needs.require("browser")
    with fleet(pack="demo,incident_io", tls_dir=tmp_path_factory.mktemp("tls")) as found:
        yield found["dev"]


@pytest.fixture
def company(
    tmp_path: Path,
    instance: Instance,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[IncidentIoCompany]:
    with StandIn() as standin:
        monkeypatch.setenv("INCIDENT_IO_KEY", standin.key)
        monkeypatch.setenv("INCIDENT_IO_HOOK", new_secret())
        at_home(monkeypatch, tmp_path)
        yield IncidentIoCompany(tmp_path, instance, standin, capsys)


@pytest.fixture
def admin(instance: Instance, chromium: Any) -> Person:
    return Person(chromium, instance)


def until(look: Callable[[], Any]) -> Any:
    """What is looked for, once it is there."""
    deadline = time.monotonic() + SOON
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.2)
    return found


@pytest.mark.slow
def test_the_guide_from_the_first_step_to_follow_ups(
    company: IncidentIoCompany, admin: Person, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    _account(company, admin, instance)
    _connection(company, monkeypatch)
    with company.hub() as ready:
        url = ready["url"]
        sender = company.standin.send_webhooks_to(f"{url}/hooks/major", os.environ["INCIDENT_IO_HOOK"])
        _both_ways(company, admin, instance)
        assert set(sender.answers) == {202}
    assert os.environ["INCIDENT_IO_KEY"] not in (company.folder / "hub.log").read_text()


def _account(company: IncidentIoCompany, admin: Person, instance: Instance) -> None:
    """Everything but the access controls, then those by an administrator, then nothing is left."""
    applied = company.command("apply", "--yes")
    (one,) = applied["result"]["instances"].values()
    assert (applied["exit"], [step["kind"] for step in one["manual"]]) == (4, ["acl"] * 3)
    assert one["logins"] == {"responder": USER}  # the OAuth application answers for this user
    file = company.folder / "access-controls.xml"
    built = company.command("app", "build", "responder", "--instance", "dev", "--out", str(file))
    assert built["exit"] == 0
    admin.import_update_set(file, "linkspan: responder")
    assert company.command("plan")["exit"] == 0
    held = f"user.user_name={USER}^role.name"
    assert rows(instance, "sys_user_has_role", f"{held}=linkspan_follow_ups")
    assert rows(instance, "sys_user_has_role", f"{held}INadmin,itil,incident_manager") == []
    (user,) = rows(instance, "sys_user", f"user_name={USER}")
    assert (user["identity_type"], user["web_service_access_only"]) == ("machine", "true")


def _connection(company: IncidentIoCompany, monkeypatch: pytest.MonkeyPatch) -> None:
    """What "Connect" proves, on both sides; and each thing that may be wrong with a key is named."""
    checks = company.checks()
    assert {one["check"] for one in checks.values() if one["outcome"] not in ("pass", "skip")} == set()
    assert checks["far_side"]["evidence"]["major"]["key"] == "ServiceNow sync"
    keys = {
        "wrong": "far_side_key_refused",
        company.standin.world.add_key("Reader", roles=("viewer",)): "far_side_role_missing",
        company.standin.world.add_key("Nothing", roles=()): "far_side_role_missing",
    }
    for key, cause in keys.items():
        with monkeypatch.context() as other:
            other.setenv("INCIDENT_IO_KEY", key)
            answer = company.checks()["far_side"]
        assert (answer["outcome"], answer["causes"][0]["id"]) == ("fail", cause)


def _both_ways(company: IncidentIoCompany, admin: Person, instance: Instance) -> None:
    standin = company.standin
    declared = standin.declare("Checkout fails", summary="500 since 09:00", severity="Critical")
    standin.say(declared, "Looking at the gateway")
    by_hand = standin.follow_up(declared, "Alert on the gateway", priority="High")
    (record,) = until(lambda: rows(instance, "incident", "short_description=Checkout fails"))
    assert (record["priority"], record["state"], record["description"]) == ("1", "2", "500 since 09:00")
    (task,) = until(lambda: rows(instance, "task", f"parent={record['sys_id']}"))
    assert (task["short_description"], task["priority"]) == ("Alert on the gateway", "3")
    assert task["sys_created_by"] == USER

    analyst = Line(instance.url, basic(*instance.admin))
    written = {"short_description": "Write it down", "parent": record["sys_id"]}
    assert analyst.call("POST", "/api/now/table/task", body=written).ok
    there = until(
        lambda: [one for one in standin.world.follow_ups.values() if one["title"] == "Write it down"]
    )
    assert there[0]["incident_id"] == declared["id"]

    standin.edit_follow_up(by_hand, status="completed")
    until(lambda: rows(instance, "task", f"sys_id={task['sys_id']}^state=3"))
    admin.sees(f"/incident.do?sys_id={record['sys_id']}", record["number"], "Checkout fails")
    admin.page.screenshot(path=company.folder / "incident.png")
    admin.sees(
        f"/task_list.do?sysparm_query=parent={record['sys_id']}", "Alert on the gateway", "Write it down"
    )
    admin.page.screenshot(path=company.folder / "tasks.png")

    changed = {"short_description": "Checkout is down for all", "state": "6"}
    changed |= {"close_code": "Solution provided", "close_notes": "Rolled back"}
    analyst.change("incident", record["sys_id"], changed)
    until(lambda: standin.world.incident(declared["id"])["incident_status"]["category"] == "learning")
    assert standin.world.incident(declared["id"])["name"] == "Checkout is down for all"
