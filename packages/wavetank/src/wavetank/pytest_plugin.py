"""Fixtures for tests of ServiceNow integrations: `instance` or `wavetank`, one, and `wavetank_fleet`, three.

The processes start with the first test that asks and live until the session ends; every test finds its
instances as fresh as new. What they hold is said in the project's pytest settings: `wavetank_pack = demo`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from wavetank.running import Instance, fleet


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "wavetank_pack", "what the instances of the wavetank fixtures hold beside the base", default=""
    )
    parser.addini("wavetank_release", "the family release that they are", default="")


@pytest.fixture
def instance(_wavetank_instance: Instance) -> Instance:
    """One instance, fresh for this test."""
    _wavetank_instance.reset()
    return _wavetank_instance


@pytest.fixture
def wavetank(_wavetank_instance: Instance) -> Instance:
    """One instance, fresh for this test: `instance` under a name that collides with nobody's."""
    _wavetank_instance.reset()
    return _wavetank_instance


@pytest.fixture
def wavetank_fleet(_wavetank_instances: Mapping[str, Instance]) -> Mapping[str, Instance]:
    """Three instances by name: dev, qa and prod, each fresh for this test."""
    for each in _wavetank_instances.values():
        each.reset()
    return _wavetank_instances


@pytest.fixture(scope="session")
def _wavetank_instance(pytestconfig: pytest.Config) -> Iterator[Instance]:
    pack, release = pytestconfig.getini("wavetank_pack"), pytestconfig.getini("wavetank_release")
    with Instance(pack=pack, release=release, tls_dir=_tls(pytestconfig)) as started:
        yield started


@pytest.fixture(scope="session")
def _wavetank_instances(pytestconfig: pytest.Config) -> Iterator[Mapping[str, Instance]]:
    pack, release = pytestconfig.getini("wavetank_pack"), pytestconfig.getini("wavetank_release")
    with fleet(pack=pack, release=release, tls_dir=_tls(pytestconfig)) as started:
        yield started


def _tls(config: pytest.Config) -> Path:
    # The certificate authority is kept between runs: making one costs most of a start.
    cache = getattr(config, "cache", None)  # absent with -p no:cacheprovider
    return cache.mkdir("wavetank-tls") if cache else Path(tempfile.mkdtemp(prefix="wavetank-tls-"))
