"""The guide of RAD Security, from linkspan.yaml to an incident, and the rotation of its key afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from linkspan.demo.findings import TICKETS
from linkspan.demo.findings import write as write_findings
from tests import needs
from tests.contract.accounts import change, last_request, requests_since, rows
from tests.journeys.company import PORTS, Company, at_home
from tests.journeys.person import Person
from wavetank import Instance
from wavetank.running import fleet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
USER = "user_name=svc.rad"


class RadCompany(Company):
    """Whose findings come from RAD Security."""

    example = "rad-security"

    def write(self, *_: Any, **__: Any) -> None:
        super().write()
        (self.folder / "rules.yaml").write_text((self.source / "rules.yaml").read_text())

    def manual(self, document: dict[str, Any]) -> dict[str, list[str]]:
        """What is left to people, by instance."""
        return {
            name: [step["kind"] for step in one["manual"]]
            for name, one in document["result"]["instances"].items()
        }


def refused_since(instance: Instance, number: int) -> list[dict[str, Any]]:
    """Calls with a credential that were refused; preflight also asks as nobody, to see that one is needed."""
    found = requests_since(instance, number)
    return [one for one in found if one["status"] == 401 and one["scheme"] not in ("", "none", None)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Instance]]:
    needs.require("browser")
    with fleet(pack="demo", tls_dir=tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.fixture
def company(
    tmp_path: Path,
    running: Mapping[str, Instance],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> RadCompany:
    at_home(monkeypatch, tmp_path)
    return RadCompany(tmp_path, running.values(), capsys)


@pytest.mark.slow
def test_the_guide_from_the_first_step_to_an_incident(
    company: RadCompany, chromium: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    people = {name: Person(chromium, one) for name, one in company.instances.items()}
    _set_up(company, people, monkeypatch)
    _find(company, tmp_path)
    _rotate(company, people["prod"], tmp_path)


def _set_up(company: RadCompany, people: Mapping[str, Person], patch: pytest.MonkeyPatch) -> None:
    """Steps 1 to 8: the account on every instance, what people have to do, and the connection."""
    start = {name: last_request(one) for name, one in company.instances.items()}
    plan = company.command("plan")["result"]["instances"]
    assert all(one["changes"] and not one["brakes"] for one in plan.values())
    applied = company.command("apply", "--yes")
    assert applied["exit"] == 4, applied["problems"]
    assert company.manual(applied) == {name: ["acl", "credential"] for name in PORTS}

    built = company.command("app", "build", "secops")
    assert built["exit"] in (0, 4), built["problems"]
    for name, person in people.items():
        person.import_update_set(Path(built["result"]["instances"][name]["file"]), "linkspan: secops")
    left = company.command("apply", "--yes")
    assert company.manual(left) == {name: ["credential"] for name in PORTS}
    tokens = {name: person.reveal("linkspan.secops") for name, person in people.items()}
    assert len(set(tokens.values())) == 3, "each instance has a token of its own"
    for name, token in tokens.items():
        company.keep(patch, f"{name}/secops/api_key", token)
    done = company.command("apply", "--yes")
    assert done["exit"] == 0, done["problems"]
    assert company.command("plan")["exit"] == 0

    checked = company.command("preflight", "--write")
    assert checked["exit"] == 0, checked["result"]
    logins = [one for one in checked["result"]["checks"] if one["check"] == "login"]
    assert [one["evidence"]["status"] for one in logins] == ["Connected"] * 3
    samples = [one for one in checked["result"]["checks"] if one["check"] == "incident_write"]
    for one in samples:
        found = rows(company.instances[one["instance"]], "incident", f"number={one['evidence']['number']}")
        assert found[0]["correlation_id"].startswith("linkspan-preflight-")
    for name, instance in company.instances.items():
        (user,) = rows(instance, "sys_user", USER)
        assert (user["identity_type"], user["web_service_access_only"]) == ("machine", "true")
        assert user["internal_integration_user"] != "true"
        assert refused_since(instance, start[name]) == [], "nobody was shut out on the way"


def _find(company: RadCompany, folder: Path) -> None:
    """A finding becomes an incident, mapped; the same finding again becomes none."""
    prod = company.instances["prod"]
    files = [str(one) for one in write_findings(folder)]
    first = company.command("findings", "import", *files)
    assert first["exit"] == 0, first["problems"]
    assert first["result"]["created"] == sum(TICKETS.values())
    made = rows(prod, "incident", "correlation_idSTARTSWITHf:")
    assert len(made) == sum(TICKETS.values())
    (user,) = rows(prod, "sys_user", USER)
    assert {one["sys_created_by"] for one in made} == {"svc.rad"}
    assert {one["opened_by"] for one in made} == {user["sys_id"]}
    worst = next(one for one in made if "Command built from user input" in one["short_description"])
    assert (worst["impact"], worst["urgency"], worst["priority"]) == ("1", "1", "1")
    (group,) = rows(prod, "sys_user_group", "name=Software")
    assert worst["assignment_group"] == group["sys_id"], "the rule of the file assigned it"
    assert "Pass arguments as a list" in worst["description"], "how to mend it is told"
    again = company.command("findings", "import", *files)
    assert (again["exit"], again["result"]["created"]) == (0, 0)
    assert len(rows(prod, "incident", "correlation_idSTARTSWITHf:")) == len(made)


def _rotate(company: RadCompany, person: Person, folder: Path) -> None:
    """The guide's four steps, and findings go on with the new token."""
    prod = company.instances["prod"]
    start = last_request(prod)
    begun = company.command("accounts", "rotate", "secops", "--instance", "prod")
    assert begun["exit"] == 4
    new = begun["result"]["instances"]["prod"]["new_key"]
    token = folder / "token"
    token.write_text(person.reveal(new))
    done = company.command("accounts", "rotate", "secops", "--instance", "prod", "--token-from", str(token))
    assert done["exit"] == 0, done["problems"]
    assert {row["name"]: row["active"] for row in rows(prod, "api_key")} == {
        "linkspan.secops": "false",
        new: "true",
    }
    assert company.command("plan")["exit"] == 0
    files = [str(one) for one in write_findings(folder)]
    assert company.command("findings", "import", *files)["exit"] == 0
    assert refused_since(prod, start) == []
    book = company.command("accounts", "ledger", "--limit", "1000")["result"]
    assert book["verified"]
    assert ("linkspan accounts rotate", "deactivate") in {
        (one["actor"], one["action"]) for one in book["entries"]
    }

    # And when somebody revokes the key, preflight says so.
    change(prod, "api_key", f"name={new}", active="false")
    checked = company.command("preflight", "--instance", "prod")
    (login,) = [one for one in checked["result"]["checks"] if one["check"] == "login"]
    assert [one["id"] for one in login["causes"]] == ["api_key_inactive"]
