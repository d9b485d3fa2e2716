"""A house configured by one of the examples, as its guide says, on running instances."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from linkspan.cli import run
from tests import needs
from tests.contract.accounts import House, surround
from tests.repository import ROOT

PORTS = {"dev": 8081, "qa": 8083, "prod": 8085}  # where the examples expect the instances
HUB = "127.0.0.1:8700"  # where they let the hub listen


def at_home(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """The environment that the examples ask for."""
    surround(patch, folder / "home")
    for name in PORTS:
        patch.setenv(f"{name.upper()}_ADMIN", "admin")


class Company(House):
    """The configuration of ``example``, each address in it replaced by the real one."""

    example: ClassVar[str]

    @property
    def source(self) -> Path:
        """The example's folder."""
        return ROOT / "examples" / self.example

    def addresses(self) -> dict[str, str]:
        """What is written in linkspan.yaml and what stands there now."""
        return {f"http://127.0.0.1:{PORTS[name]}": one.url for name, one in self.instances.items()}

    def write(self, *_: Any, **__: Any) -> None:
        self.config.write_text(replaced((self.source / "linkspan.yaml").read_text(), self.addresses()))

    def keep(self, patch: pytest.MonkeyPatch, name: str, secret: str) -> None:
        """`linkspan secrets set`, the value on standard input; it is not said again."""
        patch.setattr("sys.stdin", io.StringIO(secret + "\n"))
        self._capsys.readouterr()
        assert run(["secrets", "set", name, "--json"]) == 0
        said = self._capsys.readouterr().out
        assert secret not in said
        assert json.loads(said)["result"]["state"] == "pending"

    @contextmanager
    def hub(self) -> Iterator[dict[str, Any]]:
        """The running hub; what it says of itself, among it its ``url``."""
        command = [*needs.LINKSPAN, "serve", "--with-parent", "--config", str(self.config)]
        with (
            (self.folder / "hub.log").open("ab") as log,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            ) as process,
        ):
            try:
                assert process.stdout is not None
                yield json.loads(process.stdout.readline())
            finally:
                process.terminate()
                process.wait(15)


def replaced(text: str, addresses: dict[str, str]) -> str:
    """An example's text on other addresses; every one of them has to be there."""
    for written, real in addresses.items():
        assert written in text
        text = text.replace(written, real)
    return text
