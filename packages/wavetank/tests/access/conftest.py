"""One served instance for all of these tests, as new for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
import trustme

from packages.wavetank.tests.access.outside import House
from wavetank import Instance


@pytest.fixture(scope="session")
def _transport() -> Iterator[httpx2.BaseTransport]:
    with httpx2.HTTPTransport() as transport:
        yield transport


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with Instance(pack="incident_io,scan_engine", tls_dir=tmp_path_factory.mktemp("tls")) as instance:
        yield instance


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Whose certificates the instance without apps takes from callers."""
    return trustme.CA()


@pytest.fixture(scope="session")
def _bare(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("tls")
    authority.cert_pem.write_to_path(str(folder / "clients.pem"))
    with Instance(tls_dir=folder, client_ca=folder / "clients.pem") as instance:
        yield instance


@pytest.fixture
def house(_served: Instance, _transport: httpx2.BaseTransport) -> House:
    """With the apps of vendors."""
    _served.reset()
    return House(_served, _transport)


@pytest.fixture
def bare_house(_bare: Instance, _transport: httpx2.BaseTransport) -> House:
    """Without any app."""
    _bare.reset()
    return House(_bare, _transport)
