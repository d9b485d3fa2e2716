"""One instance seen from outside, over HTTP alone: wavetank, or a real one that WAVETANK_TARGET names.

    WAVETANK_TARGET=https://dev12345.service-now.com WAVETANK_TARGET_USER=… WAVETANK_TARGET_PASSWORD=… \\
        make test ARGS="packages/wavetank/tests/live"

Against a real instance nothing is written unless `--write` is given: tests that write are skipped, and a request
that could write does not leave. What they write carries a mark and is deleted again.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from wavetank import Instance

NAME = "WAVETANK_TARGET"


@dataclass
class Target:
    """The instance under question. `real` is true for one that is not wavetank."""

    client: httpx2.Client
    real: bool
    writing: bool
    mark: str = field(default_factory=lambda: f"wavetank-live-{uuid.uuid4().hex[:12]}")
    made: list[tuple[str, str]] = field(default_factory=list)

    def call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        reads = method in {"GET", "HEAD"} or more.pop("reads", False)
        if not reads and not self.writing:
            pytest.skip("a real instance is only read; give --write to let this test write")
        return self.client.request(method, path if path.startswith("/") else f"/api/now/table/{path}", **more)

    def list(self, table: str, **params: str) -> Any:
        answer = self.call("GET", table, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def total(self, table: str, query: str = "") -> int:
        """How many rows match, as the header of a page of one says."""
        answer = self.call("GET", table, params={"sysparm_query": query, "sysparm_limit": "1"})
        assert answer.status_code == 200, answer.text
        return int(answer.headers["x-total-count"])

    def ids(self, table: str, query: str = "") -> set[str]:
        rows = self.list(table, sysparm_query=query, sysparm_fields="sys_id", sysparm_limit="2000")
        return {row["sys_id"] for row in rows}

    def create(self, table: str, values: dict[str, Any], **params: str) -> Any:
        answer = self.call("POST", table, json=values, params=params)
        assert answer.status_code == 201, answer.text
        made = answer.json()["result"]
        self.made.append((table, made["sys_id"]))
        return made

    def incident(self, **values: Any) -> Any:
        return self.create("incident", {"short_description": self.mark, **values})

    def change(self, table: str, sys_id: str, values: dict[str, Any], **params: str) -> Any:
        answer = self.call("PATCH", f"{table}/{sys_id}", json=values, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def refused(self, method: str, path: str, **more: Any) -> tuple[int, str, str | None]:
        """Status, message and detail of a request that must fail."""
        answer = self.call(method, path, **more)
        assert answer.status_code >= 400, answer.text
        error = answer.json()["error"]
        assert answer.json()["status"] == "failure"
        return answer.status_code, error["message"], error["detail"]

    def tidy(self) -> None:
        for table, sys_id in self.made:
            self.client.delete(f"/api/now/table/{table}/{sys_id}")
        self.made.clear()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    url = os.environ.get(NAME, "").rstrip("/")
    if url:
        user, password = (os.environ.get(f"{NAME}_{each}", "") for each in ("USER", "PASSWORD"))
        ca = os.environ.get(f"{NAME}_CA")
        with _client(url, (user, password), Path(ca) if ca else None) as client:
            yield client
        return
    with (
        Instance(pack="demo", tls_dir=tmp_path_factory.mktemp("tls")) as started,
        _client(started.tls_url, started.admin, started.ca) as client,
    ):
        yield client


def _client(url: str, user: tuple[str, str], ca: Path | None) -> httpx2.Client:
    import ssl

    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    return httpx2.Client(
        base_url=url, auth=user, verify=context, timeout=60, headers={"Accept": "application/json"}
    )


@pytest.fixture
def target(
    address: httpx2.Client, request: pytest.FixtureRequest, pytestconfig: pytest.Config
) -> Iterator[Target]:
    """The instance; what a test makes there is deleted after it."""
    real = bool(os.environ.get(NAME))
    writing = not real or bool(pytestconfig.getoption("--write"))
    if request.node.get_closest_marker("writes") and not writing:
        pytest.skip("a real instance is only read; give --write to let this test write")
    # No session is carried from call to call: cookies would bind the next call to it.
    address.cookies.clear()
    made = Target(address, real, writing)
    yield made
    made.tidy()
