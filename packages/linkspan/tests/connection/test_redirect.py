"""The way back from the consent page: one exact request is taken, and each refusal has a name."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from linkspan.connection.redirect import Redirect
from linkspan.core.errors import ConfigError, LinkspanError, Unreachable
from linkspan.core.secret import Secret


@pytest.fixture
def back() -> Iterator[Redirect]:
    with Redirect(0, Secret("right")) as waiting:
        yield waiting


class Browser(threading.Thread):
    """Asks for these targets, one after the other."""

    def __init__(self, back: Redirect, *targets: str, host: str | None = None) -> None:
        super().__init__(daemon=True)
        self.place, self.targets, self.host = urlsplit(back.url), targets, host
        self.answers: list[tuple[int, str]] = []
        self.start()

    def run(self) -> None:
        for target in self.targets:
            line = http.client.HTTPConnection(self.place.netloc, timeout=5)
            line.request("GET", target, headers={"Host": self.host or self.place.netloc})
            answer = line.getresponse()
            self.answers.append((answer.status, answer.read().decode()))
            line.close()


def test_the_code_comes_back(back):
    browser = Browser(back, "/favicon.ico", "/authorized?code=abc&state=right")
    assert back.wait(5) == Secret("abc")
    browser.join(5)
    assert [status for status, _ in browser.answers] == [404, 200]
    assert "abc" not in browser.answers[1][1]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("code=abc&state=wrong", "authorization_wrong_state"),
        ("code=abc", "authorization_wrong_state"),
        ("code=abc&state=right&state=right", "authorization_wrong_state"),
        ("error=access_denied&state=right", "authorization_denied"),
        ("error=access_denied&state=wrong", "authorization_wrong_state"),
        ("error=server_error&error_description=no&state=right", "authorization_refused"),
        ("state=right", "authorization_refused"),
        ("code=a&code=b&state=right", "authorization_refused"),
    ],
)
def test_every_refusal_has_its_name(back, query, code):
    browser = Browser(back, f"/authorized?{query}")
    with pytest.raises(LinkspanError) as caught:
        back.wait(5)
    assert caught.value.code == code
    assert caught.value.fix
    browser.join(5)
    assert browser.answers[0][0] == 400


def test_another_path_or_host_changes_nothing(back):
    browser = Browser(back, "/authorized/x?code=abc&state=right", "/?code=abc&state=right")
    stranger = Browser(back, "/authorized?code=abc&state=right", host="evil.test")
    with pytest.raises(Unreachable) as caught:
        back.wait(0.7)
    assert caught.value.code == "authorization_timeout"
    for one in (browser, stranger):
        one.join(5)
        assert {status for status, _ in one.answers} == {404}


def test_a_browser_that_hangs_up_has_brought_the_code_all_the_same(back, capfd):
    place = urlsplit(back.url)
    with socket.create_connection((place.hostname, place.port)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        head = f"Host: {place.netloc}\r\n\r\n"
        line.sendall(f"GET /authorized?code=abc&state=right HTTP/1.1\r\n{head}".encode())
    assert back.wait(5) == Secret("abc")
    back.close()
    assert capfd.readouterr().err == ""


def test_what_is_no_address_changes_nothing(back, capfd):
    place = urlsplit(back.url)
    with socket.create_connection((place.hostname, place.port)) as line:
        line.sendall(f"GET http://[ HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
        line.recv(100)
    browser = Browser(back, "/authorized?code=abc&state=right")
    assert back.wait(5) == Secret("abc")
    browser.join(5)
    assert "Traceback" not in capfd.readouterr().err


def test_a_taken_port_is_a_matter_of_configuration(back):
    with pytest.raises(ConfigError, match="is taken"):
        Redirect(int(back.url.split(":")[2].split("/")[0]), Secret("x"))
