"""The demo's own HTTP line: it repeats only where it was told that repeating is harmless."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from linkspan.core.errors import BadReply, Unreachable
from linkspan.demo.line import Line, basic


class Server(ThreadingHTTPServer):
    """Answers from a list: a (status, body), or None for a connection that is closed without an answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.answers: list[tuple[int, str] | None] = []
        self.seen: list[tuple[str, str, bytes, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, body, self.headers.get("Idempotency-Key")))
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, text = answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PATCH = answer  # noqa: N815 - the names http.server looks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_json_both_ways(server):
    server.answers = [(201, '{"result": {"sys_id": "1"}}')]
    answer = Line(server.url).call("POST", "/x", params={"a": "b c"}, body={"n": "ü"})
    assert (answer.ok, answer.body) == (True, {"result": {"sys_id": "1"}})
    method, path, body, _ = server.seen[0]
    assert (method, path, json.loads(body)) == ("POST", "/x?a=b+c", {"n": "ü"})


def test_an_answer_without_body(server):
    server.answers = [(204, "")]
    assert Line(server.url).call("GET", "/").body is None


def test_html_is_no_answer(server):
    server.answers = [(200, "<html>")]
    with pytest.raises(BadReply):
        Line(server.url).call("GET", "/")


def test_get_must_succeed(server):
    server.answers = [(403, "{}")]
    with pytest.raises(BadReply, match="403"):
        Line(server.url).get("/")


def test_a_write_whose_answer_was_lost_is_not_repeated(server):
    server.answers = [None]
    with pytest.raises(Unreachable):
        Line(server.url).call("POST", "/", body={})
    assert len(server.seen) == 1


def test_with_patience_the_same_request_with_the_same_key_is_repeated(server):
    server.answers = [None, (503, "{}"), (200, '"done"')]
    answer = Line(server.url, patience=10).call("POST", "/", body={"a": 1}, headers={"Idempotency-Key": "k"})
    assert answer.body == "done"
    assert server.seen == [("POST", "/", b'{"a":1}', "k")] * 3


def test_patience_ends():
    with pytest.raises(Unreachable):
        Line("http://127.0.0.1:9", patience=0.3).call("GET", "/")


def test_basic_is_what_the_standard_says():
    assert basic("Aladdin", "open sesame") == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}
