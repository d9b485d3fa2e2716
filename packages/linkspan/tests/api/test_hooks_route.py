"""The door for far sides: signed, once, thin, and never in the log."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from linkspan.api import Access, create_app
from linkspan.api.hooks import hook_routes
from linkspan.desk import Desk
from linkspan.flows.hooks import Hooks, hints_of, open_hooks
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.flows.wiring import Wiring
from linkspan.store import hooks as store
from linkspan.sync.status import status

OLD, NEW = "whsec_b2xkLXNlY3JldC1vZi10aGUtZmFyLXNpZGU=", "whsec_bmV3LXNlY3JldC1vZi10aGUtZmFyLXNpZGU="
CONFIG = """\
version: 1
instances: {dev: {url: "http://127.0.0.1:1", environment: development}}
accounts: {responder: {recipe: sync, user_name: svc.responder, instances: [dev], scheme: basic}}
sync:
  major: {peer: incident_io, instance: dev, account: responder, api_key: "env:IO_KEY",
    webhook_secrets: ["env:OLD", "env:NEW"]}
  quiet: {peer: incident_io, instance: dev, account: responder, api_key: "env:IO_KEY"}
"""


class Nudged:
    """A runner that only remembers."""

    def __init__(self) -> None:
        self.syncs: list[str] = []

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def nudge(self, sync: str) -> None:
        self.syncs.append(sync)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    home = tmp_path_factory.mktemp("home")
    (home / "linkspan.yaml").write_text(CONFIG)
    with Wiring.open(home / "linkspan.yaml", home=home) as wiring:
        hub = Hub(
            config=wiring.config,
            home=home,
            database=wiring.database,
            desk=Desk(wiring.database),
            status_of=lambda database, sync, poll: status(database, sync, poll_seconds=poll),
            runner=Nudged(),
        )
        hub.__dict__["hooks"] = open_hooks(wiring, hub)
        yield hub


@pytest.fixture
def hub(running: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("OLD", OLD)
    monkeypatch.setenv("NEW", NEW)
    running.runner.syncs.clear()  # type: ignore[union-attr]
    with running.database.begin() as connection:
        for table in ("hook", "delivery"):
            connection.execute(sa.text(f"DELETE FROM {table}"))
    return running


@pytest.fixture
def sender(hub: Hub) -> TestClient:
    parts = [hook_routes(hub.__dict__["hooks"])]
    app = create_app(hub, Access(["t"]), Pulse(hub.stamp, interval=0.02), parts=parts)
    return TestClient(app, base_url="http://127.0.0.1")


def event(name: str = "public_incident.incident_updated_v2", /, **thing: Any) -> bytes:
    return json.dumps({"event_type": name, name: thing or {"id": "01INC", "name": "Checkout fails"}}).encode()


def signed(
    body: bytes, *, secret: str = NEW, message: str = "msg_1", at: float = 0, scheme: str = "svix"
) -> dict[str, str]:
    moment = str(int(at or time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message}.{moment}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {f"{scheme}-id": message, f"{scheme}-timestamp": moment, f"{scheme}-signature": signature}


def hints(hub: Hub) -> list[str]:
    with hub.database.read() as connection:
        kinds = ("incident", "follow_up")
        return [
            one.subject for kind in kinds for one in store.after(connection, sync="major", kind=kind, seq=0)
        ]


@pytest.mark.parametrize("scheme", ["svix", "webhook"])
@pytest.mark.parametrize("secret", [OLD, NEW])
def test_a_signed_event_is_taken_and_the_sync_looks(
    sender: TestClient, hub: Hub, scheme: str, secret: str
) -> None:
    body = event()
    headers = signed(body, scheme=scheme, secret=secret)
    answer = sender.post("/hooks/major", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"id": "msg_1"})
    assert hints(hub) == ["01INC"]
    assert hub.runner.syncs == ["major"]  # type: ignore[union-attr]


def test_the_same_event_counts_once(sender: TestClient, hub: Hub) -> None:
    body = event()
    answers = [sender.post("/hooks/major", content=body, headers=signed(body)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 200, 200]
    assert hints(hub) == ["01INC"]


def test_what_is_kept_is_kind_and_id(sender: TestClient, hub: Hub) -> None:
    for number, name in enumerate(
        ("private_incident.incident_created_v2", "public_incident.follow_up_updated_v2")
    ):
        body = event(name, id=f"01{number}", title="Nobody's business")
        headers = signed(body, message=f"msg_{number}")
        assert sender.post("/hooks/major", content=body, headers=headers).status_code == 202
    assert hints(hub) == ["010", "011"]
    held = b"".join(path.read_bytes() for path in hub.home.glob("linkspan.db*"))
    assert b"010" in held
    assert b"business" not in held


@pytest.mark.parametrize(
    "body",
    [
        event("public_alert.alert_created_v1", id="01A"),
        event("public_incident.action_created_v1", id="01A"),
        event("public_incident.incident_updated_v2", name="without an id"),
        event("public_incident.incident_updated_v2", id=["01A"]),
        event("public_incident.incident_updated_v2", id="x" * 200),
        b"[]",
        b"not json",
        b'{"event_type": 7}',
    ],
)
def test_what_no_sync_works_on_is_taken_and_leads_to_nothing(
    sender: TestClient, hub: Hub, body: bytes
) -> None:
    assert sender.post("/hooks/major", content=body, headers=signed(body)).status_code == 202
    assert hints(hub) == []
    assert hub.runner.syncs == []  # type: ignore[union-attr]


def test_a_status_change_wraps_its_incident() -> None:
    name = "public_incident.incident_status_updated_v2"
    assert hints_of(event(name, incident={"id": "01INC"}, message="")) == [("incident", "01INC")]


@pytest.mark.parametrize(
    "change",
    [
        lambda headers: {**headers, "svix-id": "msg_2"},
        lambda headers: {**headers, "svix-signature": headers["svix-signature"][:-4] + "AAA="},
        lambda headers: {**headers, "svix-signature": "v1"},
        lambda headers: {**headers, "svix-signature": "v1,ü"},
        lambda headers: {**headers, "svix-timestamp": "soon"},
        lambda headers: {name: value for name, value in headers.items() if name != "svix-id"},
        lambda _: {},
        lambda _: signed(event(), at=time.time() - 301),
        lambda _: signed(event(), at=time.time() + 310),
        lambda _: signed(event(), secret="whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA=="),
        lambda _: signed(event("public_incident.incident_created_v2")),
    ],
)
def test_what_is_not_signed_by_us_is_refused(
    sender: TestClient, hub: Hub, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    headers = {name: value.encode() for name, value in change(signed(event())).items()}
    answer = sender.post("/hooks/major", content=event(), headers=headers)
    assert answer.status_code == 401
    assert hints(hub) == []


def test_a_signature_among_several_is_found(sender: TestClient) -> None:
    headers = signed(event())
    headers["svix-signature"] = "v1a,other v1,AAAA " + headers["svix-signature"]
    assert sender.post("/hooks/major", content=event(), headers=headers).status_code == 202


@pytest.mark.parametrize("other", ["v1", "v1,A", "v1,a,b", ",", "v1,Ä".encode().decode("latin-1"), ""])
def test_a_signature_that_is_none_hides_no_good_one(sender: TestClient, other: str) -> None:
    headers = signed(event())
    headers["svix-signature"] = f"{other} {headers['svix-signature']}"
    wire = {name: value.encode("latin-1") for name, value in headers.items()}
    assert sender.post("/hooks/major", content=event(), headers=wire).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        event(id="01\0INC"),
        b'{"event_type": "public_incident.x", "public_incident.x": {"id": "\\ud83d"}}'.replace(
            b".x", b".incident_updated_v2"
        ),
        event(id="a\nb"),
    ],
    ids=["deep", "nul", "half a character", "line"],
)
def test_what_could_break_the_store_is_taken_and_leads_to_nothing(
    sender: TestClient, hub: Hub, body: bytes
) -> None:
    assert sender.post("/hooks/major", content=body, headers=signed(body)).status_code == 202
    assert hints(hub) == []


@pytest.mark.parametrize("name", ["quiet", "nobody", "major/x"])
def test_elsewhere_nobody_answers(sender: TestClient, name: str) -> None:
    assert sender.post(f"/hooks/{name}", content=event(), headers=signed(event())).status_code == 404


def test_too_much_is_refused(sender: TestClient) -> None:
    body = b" " * (1_048_577)
    assert sender.post("/hooks/major", content=body, headers=signed(body)).status_code == 413


def test_a_store_that_does_not_answer_asks_to_be_called_again(sender: TestClient, hub: Hub) -> None:
    with hub.database.begin() as connection:
        connection.execute(sa.text("ALTER TABLE hook RENAME TO away"))
    try:
        answer = sender.post("/hooks/major", content=event(), headers=signed(event()))
    finally:
        with hub.database.begin() as connection:
            connection.execute(sa.text("ALTER TABLE away RENAME TO hook"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    # Nothing of the first try was kept: the repetition counts.
    assert sender.post("/hooks/major", content=event(), headers=signed(event())).status_code == 202
    assert hints(hub) == ["01INC"]


def test_no_word_of_it_is_logged(sender: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = event(id="01INC", name="Nobody's business")
    sender.post("/hooks/major", content=body, headers=signed(body))
    sender.post("/hooks/major", content=body, headers={"svix-id": "msg_2"})
    assert "business" not in caplog.text
    assert "01INC" not in caplog.text


def test_old_hints_are_forgotten(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks: Hooks = hub.__dict__["hooks"]
    hooks.take("major", "msg_1", event(id="01OLD"))
    with hub.database.begin() as connection:
        connection.execute(sa.text("UPDATE hook SET at = at - 700000"))
        connection.execute(sa.text("UPDATE delivery SET at = at - 700000"))
    hooks.take("major", "msg_2", event(id="01NEW"))
    assert hints(hub) == ["01NEW"]
    assert hooks.take("major", "msg_1", event(id="01OLD"))
