"""One served instance for all of these tests, as new for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from packages.wavetank.tests.access.outside import House
from wavetank import Instance


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Instance, httpx2.BaseTransport]]:
    with (
        Instance(pack="incident_io,scan_engine", tls_dir=tmp_path_factory.mktemp("tls")) as instance,
        httpx2.HTTPTransport() as transport,
    ):
        yield instance, transport


@pytest.fixture
def house(_served: tuple[Instance, httpx2.BaseTransport]) -> House:
    instance, transport = _served
    instance.reset()
    return House(instance, transport)
