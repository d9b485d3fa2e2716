"""Large files over real connections: what is sent is passed on, not held."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ADMIN = {"Authorization": "Basic YWRtaW46YWRtaW4="}
MEGABYTE = 1_048_576
LARGE = 96  # megabytes; more than any other request may bring


class Served:
    """An instance in a process of its own, with a file for its rows."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.address = url.removeprefix("http://")
        self.record = self.call("POST", "/api/now/table/incident", b"{}")["sys_id"]
        self.path = f"/api/now/attachment/file?table_name=incident&table_sys_id={self.record}&file_name=a.bin"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.request(method, path, body, {**ADMIN, "Content-Type": "application/json", **headers})
        return connection.getresponse()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return json.load(self.ask(method, path, body))["result"]

    def peak(self) -> int:
        """The most memory it has ever held, in megabytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = tmp_path_factory.mktemp("store") / "rows.db"
    command = [sys.executable, "-m", "wavetank", "serve", "--port", "0", "--store", str(store)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Served(process, json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()
            process.wait(15)


def _megabytes(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield number.to_bytes(4, "big") * (MEGABYTE // 4)


@pytest.mark.claim("attachment-streams")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_large_file_is_never_held(served: Served) -> None:
    before = served.peak()
    answer = served.ask("POST", served.path, _megabytes(LARGE))  # chunked: no length is said
    made = json.load(answer)["result"]
    assert (answer.status, made["size_bytes"]) == (201, str(LARGE * MEGABYTE))
    back = served.ask("GET", f"/api/now/attachment/{made['sys_id']}/file")
    for expected in _megabytes(LARGE):
        assert back.read(MEGABYTE) == expected
    assert back.read() == b""
    assert served.ask("DELETE", f"/api/now/attachment/{made['sys_id']}").status == 204
    assert served.peak() - before < LARGE / 2


@pytest.mark.claim("attachment-streams")
def test_an_upload_that_breaks_off_leaves_nothing(served: Served) -> None:
    host, _, port = served.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST {served.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        connection.sendall(f"{head}Authorization: {ADMIN['Authorization']}\r\n\r\n".encode() + b"x" * 500_000)
    time.sleep(0.2)
    assert served.call("GET", f"/api/now/attachment?table_sys_id={served.record}") == []
    assert served.call("GET", "/api/now/table/sys_attachment_doc?sysparm_fields=sys_id") == []


@pytest.mark.claim("attachment-max-size")
def test_a_length_above_the_limit_is_refused_unread(served: Served) -> None:
    host, _, port = served.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST {served.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {1024 * MEGABYTE + 1}\r\n"
        connection.sendall(f"{head}Authorization: {ADMIN['Authorization']}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 400
        detail = json.load(answer)["error"]["detail"]
    assert detail == (
        "Rejected large REST payload with content-length = 1073741825 bytes. Max allowed: 1073741824 bytes."
    )


def test_a_connection_dropped_by_a_request_of_a_batch_is_dropped(served: Served) -> None:
    fault = {"match": {"table": "problem"}, "do": "drop_before", "times": 1}
    assert served.ask("POST", "/-/faults", json.dumps(fault)).status in (200, 201)
    urls = ("/api/now/table/incident?sysparm_limit=1", "/api/now/table/problem?sysparm_limit=1")
    requests = [{"id": str(number), "method": "GET", "url": url} for number, url in enumerate(urls)]
    body = json.dumps({"batch_request_id": "1", "rest_requests": requests})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        served.ask("POST", "/api/now/v1/batch", body)
    assert len(json.load(served.ask("POST", "/api/now/v1/batch", body))["serviced_requests"]) == 2
