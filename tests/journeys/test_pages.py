"""A person at the hub's pages, in headless Chromium, with a real sync behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linkspan.demo.stage import Stage
from tests import needs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]
SOON = 30_000  # milliseconds


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Three instances, the account on each, preflight passed, the hub running."""
    needs.require("browser")
    with Stage(tmp_path_factory.mktemp("pages")) as stage:
        stage.start_fleet()
        stage.provision()
        stage.preflight()
        stage.start_hub()
        yield stage


class Window:
    """A signed-in page that remembers what went wrong in it and where it asked for things."""

    def __init__(self, browser: Any, stage: Stage, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.context.set_default_timeout(SOON)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        self.page.goto(f"{stage.hub_url}/?token={stage.token}")

    def _listen(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.fixture
def window(chromium: Any, stage: Stage) -> Iterator[Window]:
    window = Window(chromium, stage)
    yield window
    window.context.close()


def record_of(stage: Stage, number: str) -> dict[str, str]:
    """The incident of this number as the administrator sees it."""
    rows = stage.instance("prod").get(
        "/api/now/table/incident", sysparm_query=f"number={number}", sysparm_display_value="false"
    )["result"]
    assert len(rows) == 1
    return dict(rows[0])


def test_an_incident_crosses_and_its_answer_comes_back(window: Window, stage: Stage, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page = window.page
    page.goto(f"{stage.hub_url}/desk")
    page.get_by_label("What is wrong?").fill("Checkout fails for some customers")
    page.locator(".choice.severity-high").click()
    page.get_by_label("Summary").fill("Since 09:12, about 3 % of payments.")
    page.get_by_role("button", name="Declare incident").click()
    expect(page.locator("h1")).to_have_text("Checkout fails for some customers")
    expect(page.locator(".record-number")).to_have_text(re.compile("^INC"))
    expect(page.locator(".record .pill")).to_contain_text("in step")

    number = page.locator(".record-number").inner_text()
    record = record_of(stage, number)
    assert record["short_description"] == "Checkout fails for some customers"
    assert record["priority"] == "2"

    page.locator("button[name=status][value=live]").click()
    expect(page.locator("button[name=status][value=live]")).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Update", exact=True).fill("Rolling the gateway back")
    page.get_by_label("Your name").fill("Ada Torres")
    page.get_by_role("button", name="Add update").click()
    expect(page.locator(".timeline")).to_contain_text("Rolling the gateway back")
    expect(page.get_by_label("Update", exact=True)).to_have_value("")

    answer = stage.instance("prod").call(
        "PATCH",
        f"/api/now/table/incident/{record['sys_id']}",
        body={
            "impact": "1",
            "urgency": "1",
            "work_notes": "Seen from ServiceNow",
            "short_description": "Checkout is down",
        },
    )
    assert answer.status == 200
    # Nobody reloads: the open page follows.
    expect(page.locator(".timeline")).to_contain_text("Seen from ServiceNow")
    expect(page.locator("h1")).to_have_text("Checkout is down")
    expect(page.locator("button[name=severity][value=critical]")).to_have_attribute("aria-pressed", "true")
    assert page.locator(".timeline").get_by_text("Rolling the gateway back").count() == 1
    page.screenshot(path=tmp_path / "incident.png", full_page=True)
    assert window.complaints == []
    assert window.hosts == {stage.hub_url.removeprefix("http://")}


@pytest.mark.slow
def test_a_follow_up_is_added_done_and_answered(window: Window, stage: Stage, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page, prod = window.page, stage.instance("prod")
    made = stage.hub().call("POST", "/api/desk/incidents", body={"name": "Checkout fails"}).body
    page.goto(f"{stage.hub_url}/desk/{made['number']}")
    page.get_by_text("Add a follow-up").click()
    page.get_by_label("What is to be done?").fill("Write down how the failover works")
    page.locator("#add-follow-up .choice.priority-urgent").click()
    page.locator("#add-follow-up").get_by_label("Assignee").fill("nobody.here@example.com")
    page.get_by_role("button", name="Add follow-up").click()
    item = page.locator(".follow-ups > li")
    expect(item.locator("h3")).to_have_text("Write down how the failover works")
    expect(item.locator("a.mono")).to_have_text(re.compile("^TASK"))
    expect(item.locator(".notice")).to_contain_text("not exactly one active user")
    number = item.locator("a.mono").inner_text()
    query = {"sysparm_query": f"number={number}", "sysparm_exclude_reference_link": "true"}
    (task,) = prod.get("/api/now/table/task", **query)["result"]
    assert record_of(stage, page.locator(".record-number").inner_text())["sys_id"] == task["parent"]
    assert (task["short_description"], task["priority"]) == ("Write down how the failover works", "2")

    item.get_by_text("Edit", exact=True).click()
    item.get_by_label("Assignee").fill("")
    item.get_by_role("button", name="Save").click()
    expect(item.locator(".notice")).to_have_count(0)
    item.get_by_role("button", name="completed").click()
    expect(item.locator("button[value=completed]")).to_have_attribute("aria-pressed", "true")
    page.screenshot(path=tmp_path / "follow-up.png", full_page=True)
    prod.call("PATCH", f"/api/now/table/task/{task['sys_id']}", body={"short_description": "Test it too"})
    # Nobody reloads: the open page follows.
    expect(item.locator("h3")).to_have_text("Test it too")
    (task,) = prod.get("/api/now/table/task", **query)["result"]
    assert task["state"] == "3"
    page.goto(f"{stage.hub_url}/follow-ups/FU-0001")
    expect(page).to_have_url(f"{stage.hub_url}/desk/{made['number']}#FU-0001")
    page.goto(stage.hub_url)
    expect(page.locator(".events")).to_contain_text("follow-up")
    assert window.complaints == []


def test_the_desk_works_without_javascript(chromium: Any, stage: Stage) -> None:
    from playwright.sync_api import expect

    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(stage.hub_url)
    page.get_by_label("Token").fill(stage.token)
    page.get_by_role("button", name="Sign in").click()
    assert page.url == f"{stage.hub_url}/"
    page.goto(f"{stage.hub_url}/desk")
    page.get_by_label("What is wrong?").fill("Phones are silent")
    page.get_by_role("button", name="Declare incident").click()
    expect(page.locator("h1")).to_have_text("Phones are silent")
    page.locator("button[name=severity][value=high]").click()
    expect(page.locator("button[name=severity][value=high]")).to_have_attribute("aria-pressed", "true")
    context.close()


def test_an_open_editor_survives_the_live_page(window: Window, stage: Stage) -> None:
    from playwright.sync_api import expect

    page = window.page
    made = stage.hub().call("POST", "/api/desk/incidents", body={"name": "Search is slow"}).body
    page.goto(f"{stage.hub_url}/desk/{made['number']}")
    page.get_by_text("Edit name and summary").click()
    page.get_by_label("Name", exact=True).fill("Search is very slow")
    stage.hub().call("PATCH", f"/api/desk/incidents/{made['id']}", body={"severity": "low"})
    expect(page.locator("button[name=severity][value=low]")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Search is very slow")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_have_text("Search is very slow")
    page.get_by_text("Edit name and summary").click()
    page.get_by_label("Name", exact=True).fill("Search is fine")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_have_text("Search is fine")
    assert window.complaints == []


@pytest.mark.slow
def test_the_equation_on_the_page_adds_up(window: Window, stage: Stage, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page = window.page
    page.goto(stage.hub_url)
    before = int(page.locator(".term.received b").inner_text().replace(",", ""))
    stage.hub().call("POST", "/api/desk/incidents", body={"name": "Printer on fire"})
    expect(page.locator(".term.received b")).not_to_have_text(str(before))
    expect(page.locator(".events")).to_contain_text("INC")
    expect(page.locator(".ledger .pill", has_text="Quiet")).to_be_visible()
    terms = [int(text.replace(",", "")) for text in page.locator(".term b").all_inner_texts()]
    assert terms[0] == sum(terms[1:])
    assert terms[-1] == 0
    assert page.locator(".instance.ready, .instance.warned").count() == 3
    page.screenshot(path=tmp_path / "fleet.png", full_page=True)
    assert window.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.slow
def test_pages_fit(chromium: Any, stage: Stage, width: int, scheme: str, tmp_path: Path) -> None:
    window = Window(chromium, stage, width, scheme)
    name = "A name " + "that goes on " * 14
    made = stage.hub().call("POST", "/api/desk/incidents", body={"name": name, "summary": "w" * 400}).body
    wish = {"title": name[:160], "description": "w" * 400, "assignee": f"{'a' * 60}@example.com"}
    assert stage.hub().call("POST", f"/api/desk/incidents/{made['id']}/follow-ups", body=wish).status == 201
    for path in ("/", "/desk", f"/desk/{made['number']}", "/scan", "/accounts", "/sign-in"):
        window.page.goto(stage.hub_url + path)
        window.page.screenshot(path=tmp_path / f"{path.replace('/', '_')}.png", full_page=True)
        assert window.overflow() <= 0, path
    window.context.close()
    assert window.complaints == []


@pytest.mark.slow
def test_the_page_says_when_the_hub_is_away_and_comes_back(window: Window, stage: Stage) -> None:
    from playwright.sync_api import expect

    window.page.goto(stage.hub_url)
    expect(window.page.locator("[data-live=on]")).to_be_visible()
    stage.kill_hub()
    expect(window.page.locator("[data-live=off]")).to_be_visible()
    stage.start_hub()
    expect(window.page.locator("[data-live=on]")).to_be_visible()
