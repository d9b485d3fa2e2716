"""The door for findings: signed, once, committed before it is answered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook
from starlette.testclient import TestClient

from linkspan.api import Access, create_app
from linkspan.api.findings import finding_routes
from linkspan.desk import Desk
from linkspan.flows.findings import Intake
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.flows.wiring import Wiring
from linkspan.store import findings as store
from linkspan.sync.status import status

OLD, NEW = "whsec_b2xkLXNlY3JldC1vZi10aGUtc2Nhbm5lcg==", "whsec_bmV3LXNlY3JldC1vZi10aGUtc2Nhbm5lcg=="
CONFIG = """\
version: 1
instances: {dev: {url: "http://127.0.0.1:1", environment: development}}
accounts: {secops: {recipe: sync, user_name: svc.secops, instances: [dev], scheme: basic}}
findings:
  cluster: {instance: dev, account: secops, secrets: ["env:OLD", "env:NEW"]}
  quiet: {instance: dev, account: secops}
"""
EVENT = {
    "class_uid": 2004,
    "severity_id": 5,
    "metadata": {"product": {"name": "Probe"}},
    "finding_info": {"uid": "f-1", "title": "Shell in a container"},
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("OLD", OLD)
    monkeypatch.setenv("NEW", NEW)
    (tmp_path / "linkspan.yaml").write_text(CONFIG)
    with Wiring.open(tmp_path / "linkspan.yaml", home=tmp_path) as wiring:
        yield Hub(
            config=wiring.config,
            home=tmp_path,
            database=wiring.database,
            desk=Desk(wiring.database),
            status_of=lambda database, sync, poll: status(database, sync, poll_seconds=poll),
            background=(Intake(wiring),),  # not started: what comes in stays where it was committed
        )


@pytest.fixture
def sender(hub: Hub) -> TestClient:
    app = create_app(hub, Access(["t"]), Pulse(hub.stamp, interval=0.02), parts=[finding_routes])
    return TestClient(app, base_url="http://127.0.0.1:8700", raise_server_exceptions=False)


def send(
    sender: TestClient,
    body: str,
    *,
    message: str = "msg_1",
    secret: str = NEW,
    prefix: str = "webhook",
    age: float = 0,
    source: str = "cluster",
    kind: str = "application/json",
) -> tuple[int, dict]:
    at = datetime.fromtimestamp(time.time() - age, UTC)
    headers = {
        f"{prefix}-id": message,
        f"{prefix}-timestamp": str(int(at.timestamp())),
        f"{prefix}-signature": Webhook(secret).sign(message, at, body),
        "content-type": kind,
    }
    answer = sender.post(f"/findings/{source}", content=body, headers=headers)
    return answer.status_code, answer.json()


def counts(hub: Hub) -> dict[str, int]:
    with hub.database.read() as connection:
        return store.counts(connection, "cluster")


def test_a_signed_delivery_is_taken_once(sender: TestClient, hub: Hub) -> None:
    body = json.dumps([EVENT, {"class_uid": 1}])
    assert send(sender, body) == (202, {"id": "msg_1"})
    assert send(sender, body, secret=OLD) == (200, {"id": "msg_1"})
    assert counts(hub) == {
        **dict.fromkeys(store.FATES, 0),
        **{"received": 2, "queued": 1, "quarantined": 1},
    }


def test_the_other_names_of_the_headers_are_good_too(sender: TestClient) -> None:
    assert send(sender, json.dumps(EVENT), prefix="svix")[0] == 202


@pytest.mark.parametrize(
    "wrong", [{"secret": "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA=="}, {"age": 301}, {"age": -330}]
)
def test_what_we_cannot_trust_is_refused(sender: TestClient, hub: Hub, wrong: dict) -> None:
    # Half a minute more than too new: what a busy machine takes to send it makes it older.
    code, answer = send(sender, json.dumps(EVENT), **wrong)
    assert (code, answer["problems"][0]["code"]) == (401, "signature")
    assert counts(hub)["received"] == 0


def test_an_unsigned_delivery_is_refused(sender: TestClient) -> None:
    assert sender.post("/findings/cluster", json=EVENT).status_code == 401


@pytest.mark.parametrize("source", ["nobody", "quiet"])
def test_a_source_that_takes_nothing_is_not_there(sender: TestClient, source: str) -> None:
    assert send(sender, json.dumps(EVENT), source=source)[0] == 404


@pytest.mark.parametrize(
    ("body", "kind", "code", "name"),
    [
        (json.dumps(EVENT), "text/plain", 415, "content_type"),
        ('{"version": "2.1.0", "runs": [', "application/json", 400, "cut_json"),
        ('{"hello": 1}', "application/json", 400, "unknown_format"),
    ],
)
def test_what_is_no_finding_is_told(
    sender: TestClient, hub: Hub, body: str, kind: str, code: int, name: str
) -> None:
    got, answer = send(sender, body, kind=kind)
    assert (got, answer["problems"][0]["code"]) == (code, name)
    assert answer["problems"][0]["fix"]
    assert counts(hub)["received"] == 0


def test_too_much_at_once_is_refused(sender: TestClient) -> None:
    assert send(sender, " " * 1_048_577)[0] == 413


def test_a_secret_that_is_gone_asks_for_patience(sender: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLD")
    assert send(sender, json.dumps(EVENT))[0] == 503


def test_counts_are_for_people_with_a_token(sender: TestClient) -> None:
    send(sender, json.dumps(EVENT))
    assert sender.get("/api/findings").status_code == 401
    answer = sender.get("/api/findings", headers={"Authorization": "Bearer t"}).json()
    assert answer["sources"]["cluster"]["received"] == answer["received"] == 1


def test_another_body_under_a_known_id_is_not_swallowed(sender: TestClient, hub: Hub) -> None:
    assert send(sender, json.dumps(EVENT))[0] == 202
    other = {**EVENT, "finding_info": {"uid": "f-2", "title": "Another"}}
    code, answer = send(sender, json.dumps(other))
    assert (code, answer["problems"][0]["code"]) == (409, "key_reused")
    assert counts(hub)["received"] == 1


def test_an_event_of_odd_types_is_quarantined_and_the_rest_taken(sender: TestClient, hub: Hub) -> None:
    assert send(sender, json.dumps([EVENT, {**EVENT, "class_uid": [2004]}]))[0] == 202
    assert counts(hub)["quarantined"] == 1


def test_what_cannot_be_taken_now_is_logged(
    sender: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("OLD")
    send(sender, json.dumps(EVENT))
    assert "OLD" in caplog.text
    assert "Shell in a container" not in caplog.text
