"""Binding is tried until it succeeds, and what fails leaves nothing open."""

from typing import Any, cast

import pytest

from linkspan.config.values import SyncConfig
from linkspan.core.errors import Unreachable
from linkspan.desk import Desk
from linkspan.flows.sync import bind


class Line:
    closed = False

    def whoami(self) -> Any:
        raise Unreachable("no route", where="prod")

    def close(self) -> None:
        self.closed = True


class Wiring:
    def __init__(self) -> None:
        self.line = Line()

    def instance(self, _name: str) -> None: ...

    def connection(self, _account: str, _instance: str) -> Line:
        return self.line


def test_a_failed_sign_in_leaves_no_connection_open() -> None:
    wiring = Wiring()
    sync = SyncConfig(name="desk", peer="desk", instance="prod", account="a", poll_seconds=5, push=False)
    with pytest.raises(Unreachable):
        bind(cast(Any, wiring), sync, cast(Desk, None), "")
    assert wiring.line.closed
