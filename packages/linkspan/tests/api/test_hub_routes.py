import asyncio
import json
from dataclasses import replace

import sqlalchemy as sa
from starlette.testclient import TestClient

from linkspan.core import clock
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.store.reports import Reports
from linkspan.store.tables import inbox, link


def linked(hub: Hub, peer_id: str, *, pending: int = 0, problem: dict[str, str] | None = None) -> int:
    """A link of the desk sync with one applied event and ``pending`` more."""
    now = clock.now()
    with hub.database.begin() as transaction:
        row = transaction.execute(
            sa.insert(link)
            .values(
                sync="desk",
                instance="prod",
                table_name="incident",
                sys_id=f"sys{peer_id}",
                number="INC0010001",
                peer_id=peer_id,
                peer_reference="DESK-0001",
                created_at=now,
                synced_at=now,
                problem=problem,
            )
            .returning(link.c.id)
        ).scalar_one()
        for n in range(pending + 1):
            transaction.execute(
                sa.insert(inbox).values(
                    sync="desk",
                    link_id=row,
                    side="peer",
                    event_id=f"{peer_id}-{n}",
                    version=n,
                    received_at=now - 2,
                    fate="applied" if n == 0 else None,
                    fated_at=now if n == 0 else None,
                )
            )
    return int(row)


def test_links_say_where_they_lead_and_how_they_are(client: TestClient, hub: Hub) -> None:
    incident = hub.desk.declare({"name": "Mail is down"})
    linked(hub, incident.id)
    linked(hub, "behind", pending=3)
    linked(hub, "stuck", problem={"cause": "unknown state", "fix": "map it"})
    page = client.get("/api/links", params={"sync": "desk", "limit": 2}).json()
    assert (page["total"], page["next"]) == (3, 2)
    rest = client.get("/api/links", params={"offset": 2}).json()
    states = {row["peer_id"]: (row["state"], row["pending"]) for row in page["links"] + rest["links"]}
    assert states == {incident.id: ("in step", 0), "behind": ("catching up", 3), "stuck": ("parked", 0)}
    shown = client.get(f"/api/desk/incidents/{incident.id}").json()["link"]
    assert shown["url"] == f"http://127.0.0.1:2/incident.do?sys_id=sys{incident.id}"
    assert shown["number"] == "INC0010001"
    assert abs(shown["lag_s"] - 2) < 0.01
    assert client.get("/api/links", params={"sync": "other"}).json()["total"] == 0


def test_fleet_and_preflight_keep_the_last_answer(client: TestClient, hub: Hub) -> None:
    def answer(outcome: str) -> dict[str, object]:
        return {
            "instance": "prod",
            "account": "responder",
            "check": "login",
            "outcome": outcome,
            "causes": [],
        }

    reports = Reports(hub.database)
    reports.save("preflight", "old", {"checks": [answer("fail")]})
    reports.save("preflight", "new", {"checks": [answer("pass")]})
    assert client.get("/api/preflight").json()["summary"]["passed"] == 1
    fleet = {row["name"]: row for row in client.get("/api/fleet").json()["instances"]}
    assert fleet["prod"]["preflight"]["state"] == "ready"
    assert fleet["dev"]["preflight"]["state"] == "unknown"
    assert (fleet["prod"]["syncs"], fleet["prod"]["accounts"]) == (["desk"], ["responder"])


def test_status_and_metrics_tell_the_same(client: TestClient) -> None:
    status = client.get("/api/sync/status").json()["syncs"]["desk"]
    assert (status["peer"], status["ledger"]["received"]) == ("desk", 10)
    lines = client.get("/metrics").text.splitlines()
    assert 'linkspan_events{sync="desk",fate="applied"} 5' in lines
    assert 'linkspan_events_received{sync="desk"} 10' in lines
    assert 'linkspan_lag_seconds{sync="desk",quantile="0.95"} 1.5' in lines
    assert not [line for line in lines if line.startswith("linkspan_oldest_pending_seconds{")]


def test_people_wake_the_sync_and_the_sync_does_not(client: TestClient, hub: Hub) -> None:
    hub.start()
    incident = client.post("/api/desk/incidents", json={"name": "Mail is down"}).json()
    hub.desk.edit(incident["id"], {"severity": "low"}, origin="sync")
    hub.stop()
    assert hub.runner.seen == ["start", "desk", "stop"]


def test_errors_nobody_foresaw_say_no_more_than_that(client: TestClient, hub: Hub) -> None:
    with hub.database.begin() as transaction:
        transaction.execute(sa.text("DROP TABLE inbox"))
    answer = client.get("/api/links")
    assert answer.status_code == 500
    assert answer.json()["problems"][0]["code"] == "error"
    assert "inbox" not in answer.text


def test_pulse_beats_on_change_and_joins_bursts(hub: Hub) -> None:
    async def follow() -> list[int]:
        pulse, seen = Pulse(hub.stamp, interval=0.05), []
        async for _ in pulse.beats():
            seen.append(hub.desk.last_seq())
            if len(seen) == 2:  # the first look of the watcher
                for n in range(20):
                    await asyncio.to_thread(hub.desk.declare, {"name": f"i{n}"})
            if seen[-1] == 20:
                await pulse.stop()
        return seen

    seen = asyncio.run(asyncio.wait_for(follow(), 20))
    assert seen[-1] == 20
    assert len(seen) < 12


def test_live_sends_the_status_at_once(hub: Hub) -> None:
    from linkspan.api import Access, create_app

    sent: list[bytes] = []

    async def listen() -> None:
        pulse = Pulse(hub.stamp, interval=0.02)
        app = create_app(hub, Access(["t"]), pulse)
        headers = [(b"host", b"localhost"), (b"authorization", b"Bearer t")]
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/live",
            "query_string": b"",
            "headers": headers,
            "scheme": "http",
        }

        async def receive() -> dict[str, object]:
            await asyncio.sleep(30)
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            body = message.get("body")
            if isinstance(body, bytes) and body:
                sent.append(body)
                await pulse.stop()

        await asyncio.wait_for(app(scope, receive, send), 20)

    asyncio.run(listen())
    text = sent[0].decode()
    assert text.startswith("event: status\ndata: ")
    assert json.loads(text.split("data: ")[1])["syncs"]["desk"]["links"] == 2


def test_the_status_carries_the_budget_of_the_syncs_instance(client: TestClient, hub: Hub) -> None:
    def budget() -> object:
        return client.get("/api/sync/status").json()["syncs"]["desk"]["budget"]

    assert budget() == {"requests_per_minute": None}
    hub.config.instances["prod"] = replace(hub.config.instances["prod"], requests_per_minute=120)  # type: ignore[index]
    assert budget() == {"requests_per_minute": 120}


def test_the_status_goes_by_the_syncs_own_interval(hub: Hub) -> None:
    asked: list[float] = []
    hub.config.syncs["desk"] = replace(hub.config.syncs["desk"], poll_seconds=120)  # type: ignore[index]
    replace(hub, status_of=lambda _database, sync: {"poll": asked.append(sync.poll_seconds)}).status()
    assert asked == [120]
