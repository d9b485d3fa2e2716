"""The Scan Engine's integration account, from the guide's first step to a comparison of three instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from linkspan.flows.wiring import Wiring
from tests.contract.accounts import change, rows
from tests.journeys.company import Company, at_home
from wavetank import Instance
from wavetank.running import fleet

pytestmark = pytest.mark.timeout(240)
USER = "user_name=integration.account"


class ScanCompany(Company):
    """Whose instances are scanned."""

    example = "scan-engine"

    def statuses(self) -> dict[str, str]:
        found = self.command("scan", "instances")["result"]["instances"]
        return {name: one["status"] for name, one in found.items()}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Instance]]:
    with fleet(pack="demo,scan_engine", tls_dir=tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.fixture
def company(
    tmp_path: Path,
    running: Mapping[str, Instance],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> ScanCompany:
    at_home(monkeypatch, tmp_path)
    return ScanCompany(tmp_path, running.values(), capsys)


def test_the_guide_from_the_first_step_to_the_comparison(company: ScanCompany) -> None:
    dev, prod = company.instances["dev"], company.instances["prod"]

    # Before anything is done nothing is configured, and the command says what to do.
    before = company.command("scan", "instances")
    assert before["exit"] == 1
    assert "linkspan apply" in before["result"]["instances"]["dev"]["problems"][0]["fix"]

    # The account on every instance: the plan is reviewed, applied, and leaves nothing to do.
    plan = company.command("plan")["result"]["instances"]
    assert all(one["changes"] and not one["brakes"] for one in plan.values())
    applied = company.command("apply", "--yes")
    assert applied["exit"] == 0, applied["problems"]
    assert company.command("plan")["exit"] == 0
    for name, one in company.instances.items():
        (user,) = rows(one, "sys_user", USER)
        assert (user["identity_type"], user["web_service_access_only"]) == ("machine", "true"), name
        assert user["internal_integration_user"] != "true"
        held = rows(one, "sys_user_has_role", f"user={user['sys_id']}^inherited=false")
        names = {rows(one, "sys_user_role", f"sys_id={grant['role']}")[0]["name"] for grant in held}
        assert names == {"sn_se.internal_rest_integration", "sn_se.scan_engine_admin"}, name
    with Wiring.open(company.config) as wiring:
        assert len({wiring.secrets.get(f"{name}/scanner/basic") for name in company.instances}) == 3

    # Validate connection: all three stand; one grant taken away shows with its name, and apply mends it.
    assert set(company.statuses().values()) == {"Connection Valid"}
    (user,) = rows(prod, "sys_user", USER)
    for grant in rows(prod, "sys_user_has_role", f"user={user['sys_id']}^role.name=sn_se.scan_engine_admin"):
        prod.control(f"records/sys_user_has_role/{grant['sys_id']}", method="DELETE")
    assert company.statuses() == {
        "dev": "Connection Valid",
        "qa": "Connection Valid",
        "prod": "API User is missing role",
    }
    assert company.command("apply", "--yes")["exit"] == 0
    assert set(company.statuses().values()) == {"Connection Valid"}

    # Somebody was careless on dev. The account sees the half of it, and says so of the rest.
    (made,) = dev.control(
        "records/sys_user",
        {"user_name": "svc.legacy", "active": "true", "web_service_access_only": "true"},
    )["result"]
    (admin,) = rows(dev, "sys_user_role", "name=admin")
    dev.control(
        "records/sys_user_has_role", {"user": made["sys_id"], "role": admin["sys_id"], "state": "active"}
    )
    rule = "// gs.sleep(1)\nvar password = 'correct-horse';"
    dev.control("records/sys_script", {"name": "Call the warehouse", "active": "true", "script": rule})
    change(prod, "sys_properties", "name=glide.invalid_query.returns_no_rows", value="true")
    narrow = company.command("scan", "run")["result"]["instances"]
    assert {one["user"] for one in narrow.values()} == {"integration.account"}
    assert all(one["verdicts"]["unknown"] for one in narrow.values())
    found = company.command("scan", "findings", "--definition", "integration_account_is_admin")["result"]
    assert [(one["instance"], one["display"], one["mirrors"]) for one in found["findings"]] == [
        ("dev", "svc.legacy", "sn_SE10444")
    ]

    # With the administrator's eyes, still read-only, the rest is seen too.
    assert company.command("scan", "run", "--as-admin")["exit"] == 0
    differs = {
        row["definition"]: row["differs"]
        for row in company.command("scan", "compare")["result"]["definitions"]
        if row["differs"]
    }
    only_dev = {"found_on": ["dev"], "missing_on": ["qa", "prod"]}
    assert differs["integration_account_is_admin"] == [{"display": "svc.legacy", **only_dev}]
    assert differs["credential_in_script"] == [{"display": "Call the warehouse", **only_dev}]
    assert differs["invalid_query_returns_rows"] == [
        {
            "display": "glide.invalid_query.returns_no_rows",
            "found_on": ["dev", "qa"],
            "missing_on": ["prod"],
        }
    ]
    gate = company.command("scan", "findings", "--instance", "dev", "--fail-on", "act")
    assert gate["exit"] == 1
    assert "correct-horse" not in str(gate)

    # The account's own direct grants are among the findings: Scan Engine asks for what it warns of.
    own = company.command("scan", "findings", "--definition", "role_granted_directly")["result"]["findings"]
    assert "integration.account: sn_se.scan_engine_admin" in {one["display"] for one in own}
