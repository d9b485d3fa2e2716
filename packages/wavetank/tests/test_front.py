"""The wire: headers as recorded, chunks, lists sent while they are read, and what cuts them short."""

import asyncio
import gzip
import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from wavetank.apis.stream import Streamed

INCIDENTS = "/api/now/table/incident"
BASIC = "Authorization: Basic YWRtaW46YWRtaW4="


class Line:
    """A bare connection: what is sent and what comes, to the byte."""

    def __init__(self, wavetank, buffer=0):
        host, _, port = urlsplit(wavetank.url).netloc.partition(":")
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(20)
        self.socket.connect((host, int(port)))
        self.file = self.socket.makefile("rb")

    def ask(self, line, *headers, body=b""):
        lines = [line, "Host: dev.example", BASIC, *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def head(self):
        status = int(self.file.readline().split()[1])
        found = []
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            found.append((name, value))
        return status, dict(found), [name for name, _ in found]

    def chunks(self):
        while size := int(self.file.readline(), 16):
            yield self.file.read(size)
            self.file.readline()
        self.file.readline()

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def line(wavetank):
    made = Line(wavetank)
    yield made
    made.close()


def _rows(wavetank, count, **values):
    rows = [{"sys_id": f"{n:032x}", "number": f"S{n:06}", **values} for n in range(count)]
    wavetank.control("records/incident", rows)
    return rows


@pytest.mark.claim("http-headers")
def test_names_are_spelt_as_recorded_and_answers_come_in_chunks(line):
    line.ask(f"GET {INCIDENTS}?sysparm_limit=1 HTTP/1.1")
    status, headers, names = line.head()
    assert status == 200
    assert json.loads(b"".join(line.chunks())) == {"result": []}
    assert {
        "Content-Type", "X-Total-Count", "X-Is-Logged-In", "X-Transaction-ID", "X-Content-Type-Options", "Pragma",
        "Cache-Control", "Expires", "Server", "Server-Timing", "Set-Cookie", "Date",
    } <= set(names)  # fmt: skip
    assert (headers["Transfer-Encoding"], headers["Connection"]) == ("chunked", "keep-alive")
    assert headers["Keep-Alive"] == "timeout=70"
    assert not {"Content-Length", "ETag", "Last-Modified", "Strict-Transport-Security"} & set(names)
    assert names.count("Set-Cookie") == 7
    line.ask(f"DELETE {INCIDENTS}/{'0' * 32} HTTP/1.1")
    assert line.head()[0] == 404
    assert json.loads(b"".join(line.chunks()))["status"] == "failure"


def test_the_oldest_protocol_gets_no_chunks(line):
    line.ask(f"GET {INCIDENTS}?sysparm_limit=1 HTTP/1.0")
    status, headers, _ = line.head()
    assert (status, headers["Connection"], "Transfer-Encoding" in headers) == (200, "close", False)
    assert json.loads(line.file.read()) == {"result": []}


def test_head_has_no_body_and_the_connection_goes_on(wavetank, line):
    _rows(wavetank, 600)
    for query in ("sysparm_limit=1", "sysparm_limit=1000"):
        line.ask(f"HEAD {INCIDENTS}?{query} HTTP/1.1")
        status, headers, _ = line.head()
        assert (status, headers["X-Total-Count"]) == (200, "600")
    line.ask(f"GET {INCIDENTS}/{599:032x} HTTP/1.1")
    assert line.head()[0] == 200
    assert json.loads(b"".join(line.chunks()))["result"]["number"] == "S000599"


def test_a_long_list_is_the_same_rows_in_the_same_order(wavetank, line):
    _rows(wavetank, 1234, description='a "quoted"\tlist \u00e9\u2028\U0001f40b \\ \x7f')
    line.ask(f"GET {INCIDENTS}?sysparm_limit=1300&sysparm_query=ORDERBYDESCnumber HTTP/1.1")
    assert line.head()[0] == 200
    pieces = list(line.chunks())
    assert len(pieces) > 3
    found = json.loads(b"".join(pieces))["result"]
    assert [row["number"] for row in found] == [f"S{n:06}" for n in reversed(range(1234))]
    one = wavetank.control(f"records/incident?sysparm_query=number={found[7]['number']}")["result"][0]
    assert found[7]["description"] == one["description"] == 'a "quoted"\tlist \u00e9\u2028\U0001f40b \\ \x7f'
    assert wavetank.control("requests")["result"][-1]["bytes"] == sum(map(len, pieces))


@pytest.mark.claim("http-gzip")
@pytest.mark.parametrize("mode", ["false", "true", "all"])
def test_a_long_list_is_compressed_while_it_is_sent(wavetank, line, mode):
    _rows(wavetank, 700)
    path = f"{INCIDENTS}?sysparm_limit=700&sysparm_display_value={mode}&sysparm_fields=number,caller_id"
    line.ask(f"GET {path} HTTP/1.1", "Accept-Encoding: gzip")
    assert line.head()[1]["Content-Encoding"] == "gzip"
    packed = b"".join(line.chunks())
    line.ask(f"GET {path} HTTP/1.1")
    line.head()
    assert gzip.decompress(packed) == b"".join(line.chunks())
    assert wavetank.control("requests")["result"][-2]["bytes"] == len(packed)


@pytest.mark.claim("quota-cuts")
def test_a_list_that_outlives_its_quota_is_cut_behind_a_comma(wavetank):
    _rows(wavetank, 5000, description="x" * 1000)
    slow = Line(wavetank, buffer=4096)
    wavetank.control("settings", {"quota_seconds": 3})
    slow.ask(f"GET {INCIDENTS}?sysparm_limit=5000 HTTP/1.1")
    assert slow.head()[0] == 200
    time.sleep(3.2)
    text = b"".join(slow.chunks()).decode()
    slow.close()
    rows, _, tail = text.partition(',],"error":')
    assert 0 < len(json.loads(rows + "]}")["result"]) < 5000
    assert json.loads('{"error":' + tail)["error"] == {
        "message": "Transaction cancelled: maximum execution time exceeded",
        "detail": "Transaction cancelled: maximum execution time exceeded. Check logs for error trace.",
    }


@pytest.mark.claim("quota-cancels")
def test_what_has_said_nothing_when_its_quota_ends_is_a_500(wavetank, line):
    wavetank.control("settings", {"quota_seconds": 0})
    line.ask(f"GET {INCIDENTS}?sysparm_limit=1 HTTP/1.1")
    assert line.head()[0] == 500
    assert b"maximum execution time exceeded" in b"".join(line.chunks())


def test_a_caller_who_goes_stops_the_reading(wavetank):
    _rows(wavetank, 5000, description="x" * 1000)
    gone = Line(wavetank, buffer=4096)
    gone.ask(f"GET {INCIDENTS}?sysparm_limit=5000 HTTP/1.1")
    assert gone.head()[0] == 200
    gone.close()
    for _ in range(100):
        logged = [row for row in wavetank.control("requests")["result"] if row["path"] == INCIDENTS]
        if logged:
            break
        time.sleep(0.1)
    assert logged[0]["status"] == 200
    assert logged[0]["bytes"] < 5000 * 3000


@pytest.mark.claim("http-gzip-requests")
def test_a_compressed_body_is_read_unless_a_setting_refuses_it(wavetank, line):
    body = gzip.compress(b'{"short_description":"packed"}')
    ask = (f"POST {INCIDENTS} HTTP/1.1", "Content-Type: application/json", "Content-Encoding: gzip")
    line.ask(*ask, body=body)
    assert line.head()[0] == 201
    assert json.loads(b"".join(line.chunks()))["result"]["short_description"] == "packed"
    line.ask(*ask, body=body[:-4])
    assert line.head()[0] == 400
    list(line.chunks())
    wavetank.control("settings", {"gzip_requests": "refused"})
    line.ask(*ask, body=body)
    assert line.head()[0] == 400


def test_a_stream_reads_no_further_than_its_deadline_and_not_at_all_for_head():
    read = []

    def pieces():
        for n in range(5):
            read.append(n)
            yield b"%d" % n

    def sent(method, deadline):
        read.clear()
        found = []

        async def send(message):
            found.append(message.get("body", b""))

        scope = {"method": method, "state": {"deadline": deadline}}
        asyncio.run(Streamed(pieces(), {}, "application/json")(scope, None, send))
        return b"".join(found)

    assert sent("GET", time.perf_counter() + 60) == b'{"result":[0,1,2,3,4]}'
    assert sent("GET", 0).startswith(b'{"result":[0,],"error":{')
    assert read == [0]
    assert sent("HEAD", 0) == b""
    assert read == []
