import json
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from linkspan.api import Access, create_app
from linkspan.config.values import FindingsConfig
from linkspan.findings.finding import Finding
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.store import findings as store
from linkspan.web import pages
from linkspan.web.findings import finding_pages

ADDRESS = "http://127.0.0.1:8700"


@pytest.fixture
def hub(hub: Hub) -> Hub:
    source = FindingsConfig(name="cluster", instance="prod", account="secops")
    return replace(hub, config=replace(hub.config, findings={"cluster": source}))


def page(hub: Hub) -> str:
    app = create_app(hub, Access(["a-token"]), Pulse(hub.stamp, interval=0.02), parts=[pages, finding_pages])
    browser = TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)
    browser.headers.update({"Accept": "text/html", "Origin": ADDRESS, "Authorization": "Bearer a-token"})
    answer = browser.get("/findings")
    assert answer.status_code == 200
    return answer.text


def found(uid: str, **changes: object) -> store.Received:
    values: dict = {"product": "Probe", "rule": "R", "title": f"Shell <{uid}>", "severity": "critical"}
    one = Finding(**{**values, "identity": (uid,), "resource": "pod/api", **changes})
    return store.Received(
        place=uid, fingerprint=one.fingerprint, payload=json.loads(json.dumps(one.document()))
    )


def test_without_a_source_the_page_says_what_to_do(hub: Hub) -> None:
    text = page(replace(hub, config=replace(hub.config, findings={})))
    assert "No source of findings yet" in text
    assert 'aria-current="page">Findings' in text


def test_the_equation_adds_up_and_what_waits_is_told(hub: Hub) -> None:
    odd = store.Received(
        place="[9]", payload="{", problem={"code": "not_json", "cause": "<cut>", "fix": "Again."}
    )
    before = hub.stamp()
    with hub.database.begin() as connection:
        store.receive(connection, "cluster", "import now 1 a.sarif", [found("a"), found("b"), odd])
        first = store.waiting(connection, "cluster")[0]
        record = {"table_name": "incident", "sys_id": "1" * 32, "number": "INC0010007"}
        store.settle(connection, first.seq, "created")
        store.remember(
            connection, "cluster", first.fingerprint, first.payload, seen_at=first.received_at, **record
        )
    assert hub.stamp() != before
    text = page(hub)
    assert "<b>3</b><span>received</span>" in text
    assert "Adds up" in text
    assert "1 in the queue" in text
    assert "it has not been served yet" in text
    assert "&lt;cut&gt;" in text
    assert "Shell &lt;a&gt;" in text
    assert f'href="http://127.0.0.1:2/incident.do?sys_id={"1" * 32}"' in text
    assert ">INC0010007</a>" in text
    assert "Shell &lt;b&gt;" not in text
