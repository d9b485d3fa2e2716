"""What the journeys share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import needs

SOON = 30_000  # milliseconds


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running headless Chromium. Mark the test ``browser``."""
    needs.require("browser")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SOON)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs.browser(), args=["--no-sandbox"])
        yield browser
        browser.close()
