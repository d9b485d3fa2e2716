import pytest
from starlette.testclient import TestClient

from linkspan.api import Access, create_app
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.flows.scan import INSTANCES_KIND
from linkspan.store.reports import Reports
from linkspan.store.scans import NewFinding, Scans
from linkspan.web import pages
from linkspan.web.scan import scan_pages

ADDRESS = "http://127.0.0.1:8700"


@pytest.fixture
def client(hub: Hub) -> TestClient:
    app = create_app(hub, Access(["a-token"]), Pulse(hub.stamp, interval=0.02), parts=[pages, scan_pages])
    browser = TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)
    browser.headers.update({"Accept": "text/html", "Origin": ADDRESS, "Authorization": "Bearer a-token"})
    return browser


def cell(verdict: str, count: int = 0, reason: str = "") -> dict:
    return {"verdict": verdict, "count": count, "kept": count, "reason": reason}


def scanned(**cells: dict) -> dict:
    verdicts = {
        word: sum(one["verdict"] == word for one in cells.values()) for word in ("clean", "found", "unknown")
    }
    return {"user": "svc.scan", "requests": 7, "seconds": 0.1, "verdicts": verdicts, "definitions": cells}


def scan(hub: Hub) -> None:
    scans = Scans(hub.database)
    run = scans.open_run(["accounts"])
    finding = NewFinding(
        definition="integration_account_is_admin",
        level="recommend",
        category="security",
        table="sys_user",
        sys_id="1",
        display="svc.<legacy>",
    )
    assert scans.add(run, "dev", [finding, finding]) == 1
    assert scans.add(run, "dev", [finding]) == 0
    hidden = cell("unknown", reason="none of 9 rows is visible")
    dev = scanned(
        integration_account_is_admin=cell("found", 1),
        default_admin_active=cell("clean"),
        eval_in_script=hidden,
    )
    prod = scanned(
        integration_account_is_admin=cell("clean"), default_admin_active=cell("clean"), eval_in_script=hidden
    )
    levels = {"act": 0, "recommend": 1, "suggest": 0, "review": 0}
    scans.close_run(run, {"levels": levels, "instances": {"dev": dev, "prod": prod}})


def test_before_the_first_scan_the_page_says_what_to_do(client: TestClient) -> None:
    page = client.get("/scan")
    assert page.status_code == 200
    assert "Nothing has been scanned yet" in page.text
    assert "scan: {account: NAME}" in page.text
    assert 'aria-current="page">Scan' in page.text


def test_the_matrix_tells_what_is_found_where_and_what_differs(client: TestClient, hub: Hub) -> None:
    scan(hub)
    text = client.get("/scan").text
    assert "svc.&lt;legacy&gt;</span> on dev" in text
    assert "not on prod" in text
    assert "sn_SE10444" in text
    assert "An integration account holds the admin role." in text
    assert "<b>dev</b>: none of 9 rows is visible" in text
    assert "✓ The account admin" in text


def test_a_run_that_is_not_complete_is_not_shown(client: TestClient, hub: Hub) -> None:
    Scans(hub.database).open_run(["accounts"])
    assert "Nothing has been scanned yet" in client.get("/scan").text


def test_judgements_are_shown_with_cause_and_fix(client: TestClient, hub: Hub) -> None:
    problem = {
        "cause": "wrong_url",
        "status": "Connection Invalid",
        "says": "The url is <odd>.",
        "fix": "Run `apply`.",
    }
    one = {
        "status": "Connection Invalid",
        "certain": False,
        "environment": "production",
        "url": "https://acme.service-now.com",
        "instance_name": None,
        "problems": [problem],
        "registrations": [],
        "hidden": ["My SN Instances: hidden"],
    }
    kept = {"account": "scanner", "user": "svc.scan", "instances": {"prod": one}}
    Reports(hub.database).save(INSTANCES_KIND, "fleet", kept)
    text = client.get("/scan").text
    assert "Connection Invalid" in text
    assert "The url is &lt;odd&gt;." in text
    assert "<code>apply</code>" in text
    assert "Not seen: My SN Instances: hidden" in text
