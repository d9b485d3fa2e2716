"""Where the hub's log goes."""

import io
import sys

import pytest
import structlog

from linkspan.cli.serve import _log_to_stderr


def test_the_log_follows_standard_error_when_it_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    try:
        monkeypatch.setattr(sys, "stderr", first)
        _log_to_stderr()
        structlog.get_logger("linkspan").warning("one")
        assert "one" in first.getvalue()
        first.close()
        monkeypatch.setattr(sys, "stderr", second)
        structlog.get_logger("linkspan").warning("two")
        assert "two" in second.getvalue()
    finally:
        structlog.reset_defaults()
