"""What every contract test finds around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.accounts import surround
from wavetank import Instance


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of the test's own, and the secrets that a house is configured with."""
    surround(monkeypatch, tmp_path / "home")


@pytest.fixture
def tank(wavetank: Instance) -> Instance:
    """The one instance of a house."""
    return wavetank
