"""A satellite between a running instance and a running hub: what is visible there is stored here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.ground import KEY, PASSWORD, Hub, Site
from tests.contract.intake import plant


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATELLITE_KEY", KEY)
    monkeypatch.setenv("READER_PASSWORD", PASSWORD)
    monkeypatch.delenv("LINKSPAN_DATABASE_URL", raising=False)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path)
    yield hub
    hub.stop()


@pytest.fixture
def site(tmp_path: Path, wavetank: Any, hub: Hub) -> Site:
    return Site(tmp_path, wavetank, hub)


def incidents(count: int, **more: str) -> list[dict[str, str]]:
    return [
        {
            "short_description": f"n{n}",
            "sys_updated_on": f"2026-{1 + n % 9:02}-{1 + n % 28:02} 10:00:00",
            **more,
        }
        for n in range(count)
    ]


def test_what_the_instance_shows_is_stored_by_the_hub(site: Site, hub: Hub, wavetank: Any) -> None:
    plant(wavetank, "incident", incidents(120))
    done = site.once()
    assert done["exit"] == 0, done
    assert site.equal()
    assert {name: one["verified"] for name, one in done["result"]["streams"].items()} == {
        "acme-4711/change_request": True,
        "acme-4711/incident": True,
        "acme-4711/sys_user": True,
    }
    assert done["result"]["spool"] == {"batches": 0, "bytes": 0}
    plant(wavetank, "incident", incidents(3))
    assert site.once()["exit"] == 0
    assert site.equal()
