"""A tiny server on loopback that answers from a script, so that every failure can be had."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from linkspan.config import InstanceConfig
from linkspan.connection import Basic, Connection, connect


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass
class Answer:
    """``drop`` closes the socket without a byte; ``reset`` sends RST; ``seconds`` waits first."""

    status: int = 200
    json: object = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    reset: bool = False
    seconds: float = 0.0
    promise: int = 0  # bytes that Content-Length promises on top


class Script:
    """What was asked, and what to answer: the next of ``answers``, else what ``rule`` says."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answers: list[Answer] = []
        self.rule: Callable[[Seen], Answer] = lambda _: Answer(json={"result": []})
        self.lock = threading.Lock()
        self.url = ""

    def answer(self, seen: Seen) -> Answer:
        with self.lock:
            self.seen.append(seen)
            if self.answers:
                return self.answers.pop(0)
        return self.rule(seen)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def answer_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.script.answer(Seen(self.command, parts.path, query, headers, body))
        if answer.seconds:
            self.server.stopping.wait(answer.seconds)
        if answer.drop or answer.reset:
            if answer.reset:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
            return
        content = answer.body if answer.body is not None else b""
        if answer.body is None and answer.json is not None:
            content = json.dumps(answer.json, separators=(",", ":")).encode()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content) + answer.promise))
        for name, value in ({"Content-Type": "application/json;charset=UTF-8"} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        if answer.promise:
            self.close_connection = True

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):  # the base class looks for do_GET and the like
            return self.answer_one
        raise AttributeError(name)

    def log_message(self, *args: object) -> None:
        pass

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()


class ScriptedServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.stopping = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    server = ScriptedServer(script)
    script.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield script
    server.stopping.set()
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture
def instance(script: Script) -> InstanceConfig:
    return InstanceConfig(name="dev", url=script.url, where="linkspan.yaml:3")


@pytest.fixture
def line(instance: InstanceConfig) -> Iterator[Connection]:
    with connect(instance, Basic("admin", "hunter2")) as line:
        yield line


@pytest.fixture(autouse=True)
def quick_retries() -> Iterator[None]:
    """Retries keep their number but wait no time of their own (Retry-After is still waited for)."""
    import stamina

    with stamina.set_testing(True, attempts=3, cap=True):
        yield
