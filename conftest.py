"""What every test of the repository lives under.

- The environment of whoever runs the tests does not reach them.
- ``browser``, ``postgres`` and ``clients`` mark what needs something a machine may lack. Such a test is
  skipped with the reason where the thing is absent, unless REQUIRE (a comma list) names it: then the
  skip is a failure.
- A property is judged by its examples and not by the clock.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import needs

# How fast a busy machine makes up its inputs and runs them says nothing about the code.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

pytest_plugins = ["pytester"]
SCRUBBED = ("LINKSPAN_", "WAVETANK_")
# Whoever names a real instance for the tests means it.
ASKED = "WAVETANK_TARGET"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write", action="store_true", help="let tests write to the instance of WAVETANK_TARGET"
    )


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith(SCRUBBED)]:
        if not name.startswith(ASKED):
            del os.environ[name]
    # The loopback is never reached through a proxy.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[str]:
    """URL of a PostgreSQL server that lives as long as this test process, without a database name."""
    with needs.postgres_server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_cluster: str) -> str:
    """URL of a new, empty PostgreSQL database. Mark the test ``postgres``."""
    return needs.new_postgres_database(postgres_cluster)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in needs.NAMES:
        if item.get_closest_marker(name):
            needs.require(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        marked = {name for name in needs.NAMES if item.get_closest_marker(name)}
        needs.forbid_skip(report, marked)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        needs.forbid_skip(report, {name for name in needs.NAMES if name in collector.path.parts})
    return report
