"""The page of times to restore, from a warehouse that holds four incidents."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from linkspan.api import Access, create_app
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.store.warehouse import Warehouse, lease
from linkspan.web import pages
from linkspan.web.mttr import mttr_pages

ADDRESS = "http://127.0.0.1:8700"


@pytest.fixture
def client(hub: Hub) -> TestClient:
    app = create_app(hub, Access(["a-token"]), Pulse(hub.stamp, interval=0.02), parts=[pages, mttr_pages])
    browser = TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)
    browser.headers.update({"Accept": "text/html", "Origin": ADDRESS, "Authorization": "Bearer a-token"})
    return browser


@pytest.fixture
def ingested(hub: Hub) -> None:
    with Warehouse(hub.home).use("test") as connection:
        connection.execute("CREATE SCHEMA prod")
        connection.execute(
            """
            CREATE TABLE prod.incident AS SELECT * FROM (VALUES
                ('6', '1', TIMESTAMP '2026-01-05 09:00:00', TIMESTAMP '2026-01-05 10:00:00', '=1+1'),
                ('6', '3', TIMESTAMP '2026-01-05 11:00:00', TIMESTAMP '2026-01-05 11:30:00', 'network'),
                ('7', '3', TIMESTAMP '2026-02-05 13:00:00', TIMESTAMP '2026-02-05 16:00:00', 'network'),
                ('2', '3', TIMESTAMP '2026-02-05 13:00:00', NULL, 'network')
            ) AS incident (state, priority, opened_at, resolved_at, category)
            """
        )
        connection.execute("ALTER TABLE prod.incident ADD COLUMN _deleted_at TIMESTAMP")
        connection.execute("INSERT INTO _linkspan.stream VALUES ('prod', 'incident', '{}', now()::TIMESTAMP)")


def test_an_empty_warehouse_says_what_to_do(client: TestClient) -> None:
    page = client.get("/mttr")
    assert page.status_code == 200
    assert "Nothing is ingested yet" in page.text
    assert "<code>linkspan ingest run</code>" in page.text


@pytest.mark.usefixtures("ingested")
def test_the_page_shows_figures_and_a_chart(client: TestClient) -> None:
    page = client.get("/mttr").text
    assert "2026-01: n 2, median 45 min, mean 45 min, p90 57 min" in page  # read out by the chart
    assert "<dd>90 min</dd>" in page  # the mean of 60, 30 and 180 minutes
    assert "1 not restored left out" in page


@pytest.mark.usefixtures("ingested")
def test_days_bound_the_question_and_stay_in_the_form(client: TestClient) -> None:
    page = client.get("/mttr", params={"since": "2026-02-01", "until": ""}).text
    assert "2026-02: n 1," in page
    assert "2026-01: n" not in page
    assert 'name="since" value="2026-02-01"' in page
    assert 'name="until" value=""' in page
    assert client.get("/mttr.csv", params={"since": "2026-02-01", "until": ""}).text.count("\n") == 2


@pytest.mark.usefixtures("ingested")
def test_the_files_say_the_same(client: TestClient) -> None:
    picture = client.get("/mttr.svg", params={"period": "month"})
    assert picture.headers["content-type"] == "image/svg+xml"
    assert ElementTree.fromstring(picture.text).tag.endswith("svg")
    rows = list(csv.reader(io.StringIO(client.get("/mttr.csv", params={"period": "month"}).text)))
    assert rows[1:] == [
        ["", "2026-01", "2", "2700.0", "2700.0", "3420.0", "3510.0"],
        ["", "2026-02", "1", "10800.0", "10800.0", "10800.0", "10800.0"],
    ]


@pytest.mark.usefixtures("ingested")
def test_a_field_cannot_smuggle_a_formula(client: TestClient) -> None:
    text = client.get("/mttr.csv", params={"by": "category", "period": ""}).text
    assert "'=1+1" in text


@pytest.mark.usefixtures("ingested")
def test_a_wrong_question_is_answered_with_its_fix(client: TestClient) -> None:
    assert "no column mood" in client.get("/mttr", params={"by": "mood"}).text
    refused = client.get("/api/metrics/mttr", params={"definition": "best"})
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["fix"] == "use one of: resolve, harness, closed"


@pytest.mark.usefixtures("ingested")
def test_the_api_answers_as_the_command_does(client: TestClient) -> None:
    found = client.get("/api/metrics/mttr").json()
    assert (found["instance"], found["n"], found["mean_s"], found["median_s"]) == ("prod", 3, 5400.0, 3600.0)


@pytest.mark.usefixtures("ingested")
def test_of_many_groups_the_largest_are_drawn_and_that_is_said(client: TestClient, hub: Hub) -> None:
    with Warehouse(hub.home).use("test") as connection:
        connection.execute(
            """INSERT INTO prod.incident SELECT '6', '1', TIMESTAMP '2026-01-05 09:00:00',
            TIMESTAMP '2026-01-05 10:00:00', 'z' || n, NULL FROM range(3000) AS r(n)"""
        )
    shown = client.get("/mttr", params={"by": "category", "period": ""})
    assert shown.status_code == 200
    assert "the 60 largest of 3002" in shown.text
    assert "network: n 2," in shown.text  # the largest of all
    table = client.get("/mttr.csv", params={"by": "category", "period": ""}).text
    assert table.count("\n") == 3003


@pytest.mark.usefixtures("ingested")
def test_who_is_not_closed_yet_does_not_break_the_page(client: TestClient, hub: Hub) -> None:
    with Warehouse(hub.home).use("test") as connection:
        connection.execute("ALTER TABLE prod.incident ADD COLUMN closed_at TIMESTAMP")
    page = client.get("/mttr", params={"cohort": "closed_at"})
    assert page.status_code == 200
    assert "3 other period" in page.text


@pytest.mark.usefixtures("ingested")
def test_a_busy_warehouse_is_said_and_does_not_hold_the_page_for_long(
    client: TestClient, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linkspan.flows.metrics.WAIT_SECONDS", 0.05)
    with lease(hub.home / "warehouse.lock", "a load", wait=1):
        page = client.get("/mttr")
        assert (page.status_code, client.get("/mttr.svg").status_code) == (200, 503)
    assert "(a load, since" in page.text
