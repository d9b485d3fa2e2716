from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from linkspan.api import Access, create_app
from linkspan.config.values import AccountConfig, Config, HubConfig, InstanceConfig, SyncConfig
from linkspan.desk import Desk
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.store import Database

TOKEN = "a-token-for-tests"
ADDRESS = "http://127.0.0.1:8700"


class Nudges:
    """A runner that only remembers who was woken."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def start(self) -> None:
        self.seen.append("start")

    def stop(self) -> None:
        self.seen.append("stop")

    def nudge(self, sync: str) -> None:
        self.seen.append(sync)


def status_of(_database: Database, _sync: SyncConfig) -> dict[str, Any]:
    fates = {"applied": 5, "coalesced": 1, "echo": 3, "filtered": 0, "parked": 1, "dead": 0, "pending": 0}
    return {
        "state": "running",
        "links": 2,
        "quiet": True,
        "ledger": {"received": 10, **fates},
        "balanced": True,
        "lag": {"p50_s": 0.25, "p95_s": 1.5, "oldest_s": None},
    }


@pytest.fixture
def runner() -> Nudges:
    return Nudges()


@pytest.fixture
def hub(tmp_path: Path, runner: Nudges) -> Iterator[Hub]:
    config = Config(
        path=tmp_path / "linkspan.yaml",
        instances={
            "dev": InstanceConfig(name="dev", url="http://127.0.0.1:1"),
            "prod": InstanceConfig(name="prod", url="http://127.0.0.1:2", environment="production"),
        },
        accounts={
            "responder": AccountConfig(
                name="responder", recipe="incident-io", user_name="svc.responder", instances=("dev", "prod")
            )
        },
        syncs={"desk": SyncConfig(name="desk", peer="desk", instance="prod", account="responder")},
        hub=HubConfig(),
    )
    database = Database.open(tmp_path)
    yield Hub(
        config=config,
        home=tmp_path,
        database=database,
        desk=Desk(database),
        status_of=status_of,
        runner=runner,
    )
    database.close()


@pytest.fixture
def stranger(hub: Hub) -> TestClient:
    """A client without a token."""
    app = create_app(hub, Access([TOKEN], ["hub.example"]), Pulse(hub.stamp, interval=0.02))
    return TestClient(app, base_url=ADDRESS, follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture
def client(stranger: TestClient) -> TestClient:
    stranger.headers["Authorization"] = f"Bearer {TOKEN}"
    return stranger
