from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from linkspan.api import Access, create_app
from linkspan.config.values import Config, InstanceConfig, SyncConfig
from linkspan.desk import Desk
from linkspan.flows.hub import Hub
from linkspan.flows.pulse import Pulse
from linkspan.flows.watch import state
from linkspan.store import Database
from linkspan.web import pages

TOKEN = "a-token-for-tests"
ADDRESS = "http://127.0.0.1:8700"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    instance = InstanceConfig(name="prod", url="http://127.0.0.1:2", environment="production")
    config = Config(
        path=tmp_path / "linkspan.yaml",
        instances={"prod": instance},
        syncs={"desk": SyncConfig(name="desk", peer="desk", instance="prod", account="responder")},
    )
    database = Database.open(tmp_path)
    yield Hub(
        config=config,
        home=tmp_path,
        database=database,
        desk=Desk(database),
        status_of=state,
    )
    database.close()


@pytest.fixture
def client(hub: Hub) -> TestClient:
    """A browser that has signed in, without JavaScript."""
    app = create_app(hub, Access([TOKEN]), Pulse(hub.stamp, interval=0.02), parts=[pages])
    browser = TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)
    browser.headers.update({"Accept": "text/html", "Origin": ADDRESS})
    browser.get("/", params={"token": TOKEN})
    return browser
