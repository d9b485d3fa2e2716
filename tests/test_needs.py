"""The machinery that skips, and that forbids skips, does what it says."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parent.parent

SUITE = """
import pytest
from tests import needs

@pytest.mark.clients
def test_marked():
    pytest.skip("any reason at all")

def test_by_name():
    needs.CLIENTS = ("no_such_client",)
    needs.absent.cache_clear()
    needs.require("clients")

def test_of_something_else():
    pytest.skip("needs a full moon")
"""


@pytest.mark.parametrize(
    ("require", "failed", "skipped"), [("", 0, 3), ("browser", 0, 3), ("browser,clients", 2, 1)]
)
def test_a_required_thing_may_not_be_skipped(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, require: str, failed: int, skipped: int
) -> None:
    monkeypatch.setenv("REQUIRE", require)
    pytester.makeconftest((ROOT / "conftest.py").read_text())
    pytester.makeini(f"[pytest]\npythonpath = {ROOT}\nmarkers =\n    clients: x\n")
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(failed=failed, skipped=skipped)


def test_a_module_of_clients_that_skips_itself_fails_too(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUIRE", "clients")
    pytester.makeconftest((ROOT / "conftest.py").read_text())
    pytester.makeini(f"[pytest]\npythonpath = {ROOT}\n")
    folder = pytester.mkdir("clients")
    (folder / "test_absent.py").write_text("import pytest\npytest.importorskip('no_such_client')\n")
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "clients").assert_outcomes(errors=1)


@pytest.mark.postgres
def test_a_database_of_its_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE proof (n integer)")
        assert connection.execute("SELECT count(*) FROM proof").fetchone() == (0,)
