import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from linkspan.api import Access, create_app
from linkspan.core import clock
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.store.ledger import Ledger
from linkspan.store.reports import Reports
from linkspan.store.requests import Requests
from linkspan.store.tables import ledger
from linkspan.web import pages
from linkspan.web.accounts import account_pages

ADDRESS = "http://127.0.0.1:8700"
LISTED = {
    "user_name": "svc.<reporter>",
    "name": "Reporter",
    "account": "reporter",
    "why": ["web service access only"],
    "owner": "",
    "active": True,
    "locked_out": False,
    "identity_type": "machine",
    "web_services_only": True,
    "groups": ["ServiceNow Service Accounts"],
    "roles": [{"name": "itil", "inherited": True}],
    "last_used": "",
    "because": "web services only, so none",
    "credential_since": None,
    "standing": "unasked",
}


@pytest.fixture
def client(hub: Hub) -> TestClient:
    app = create_app(hub, Access(["a-token"]), Pulse(hub.stamp, interval=0.02), parts=[pages, account_pages])
    browser = TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)
    browser.headers.update({"Accept": "text/html", "Origin": ADDRESS, "Authorization": "Bearer a-token"})
    return browser


def request(hub: Hub, *, days: float = 1) -> int:
    return Requests(hub.database).open(
        account="reporter",
        action="explore",
        requester="abel.tuter",
        manager="beth.anglin",
        reason="nightly <report>",
        instance="prod",
        expires_at=clock.now() + days * 86_400,
        records={
            "sc_req_item": {"sys_id": "1" * 32, "number": "RITM0010001"},
            "sysapproval_approver": {"sys_id": "2" * 32, "number": "RITM0010001"},
        },
    )


def test_an_empty_page_says_what_to_run(client: TestClient) -> None:
    page = client.get("/accounts")
    assert page.status_code == 200
    for hint in ("linkspan accounts request", "linkspan accounts list", "Not read yet: prod"):
        assert hint in page.text


def test_an_account_without_an_owner_or_a_last_use_says_so(client: TestClient, hub: Hub) -> None:
    Reports(hub.database).save("accounts", "prod", {"accounts": [LISTED]})
    page = client.get("/accounts").text
    assert "svc.&lt;reporter&gt;" in page
    for shown in (
        "<i></i>Nobody<",
        "Nobody asked",
        "Unknown",
        "web services only, so none",
        "ServiceNow Service Accounts",
        "itil",
    ):
        assert shown in page
    assert "Not read yet" not in page


def test_a_request_leads_to_where_it_is_decided(client: TestClient, hub: Hub) -> None:
    request(hub)
    page = client.get("/accounts").text
    assert "Waits for the manager" in page
    assert f'href="http://127.0.0.1:2/sysapproval_approver.do?sys_id={"2" * 32}"' in page
    assert "nightly &lt;report&gt;" in page


def test_a_request_past_its_last_day_is_shown_as_expired(client: TestClient, hub: Hub) -> None:
    request(hub, days=-1)
    assert "Expired" in client.get("/accounts").text


def test_the_ledger_is_marked_verified_until_somebody_touches_it(client: TestClient, hub: Hub) -> None:
    book = Ledger(hub.database)
    for step in ("request", "approved", "fulfilled"):
        book.append("abel.tuter", step, "request/1", {})
    page = client.get("/accounts").text
    assert "Verified" in page
    assert book.head()[:16] in page
    with hub.database.begin() as transaction:
        transaction.execute(sa.update(ledger).where(ledger.c.seq == 2).values(actor="joe"))
    page = client.get("/accounts").text
    assert "Verified" not in page
    assert "Broken at entry 2" in page


def test_a_new_entry_of_the_ledger_moves_the_open_page(hub: Hub) -> None:
    before = hub.stamp()
    Ledger(hub.database).append("abel.tuter", "request", "request/1", {})
    assert hub.stamp() != before


def test_the_navigation_knows_the_page(client: TestClient) -> None:
    assert '<a href="/accounts" aria-current="page">Accounts</a>' in client.get("/accounts").text
