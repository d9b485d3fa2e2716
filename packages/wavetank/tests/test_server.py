import http.client
import json
import os
import signal
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from wavetank import tls

ADMIN = {"Authorization": "Basic YWRtaW46YWRtaW4="}


class Command:
    """A `wavetank` command in a process of its own, ended with the test."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wavetank", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.communicate()

    def line(self):
        return json.loads(self.process.stdout.readline())

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(15)


def _get(url, path, context=None, **headers):
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
    request = urllib.request.Request(url + path, headers={**ADMIN, **headers})
    with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
        return answer.status, dict(answer.headers), json.load(answer)


def _post(url, path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers=ADMIN)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_serve_says_it_is_ready_and_stops_in_order():
    with Command("serve", "--port", 0, "--name", "acme") as command:
        ready = command.line()
        assert {name: ready[name] for name in ("event", "name", "tls_url", "ca", "admin", "release")} == {
            "event": "ready",
            "name": "acme",
            "tls_url": None,
            "ca": None,
            "admin": "admin",
            "release": "australia",
        }
        assert ready["url"].startswith("http://127.0.0.1:")
        assert ready["control"] == ready["url"] + "/-/"
        assert ready["basic_auth_restriction"] == "track"
        assert _get(ready["url"], "/api/now/table/sys_user?sysparm_limit=1")[0] == 200
        assert command.stop() == 0


def test_https_with_a_ca_that_is_made_once_until_its_parent_ends(tmp_path):
    directory = tmp_path / "tls"
    with Command("serve", "--port", 0, "--tls-dir", directory, "--zboot", "--with-parent") as command:
        ready = command.line()
        assert ready["basic_auth_restriction"] == "enforce"
        context = ssl.create_default_context(cafile=ready["ca"])
        assert _get(ready["tls_url"], "/-/settings", context)[2]["basic_auth_restriction"] == "enforce"
        port = ready["tls_url"].rpartition(":")[2]
        assert _get(f"https://localhost:{port}", "/-/settings", context)[0] == 200
        command.process.stdin.close()
        assert command.process.wait(10) == 0
        command.process.stdin = None
    before = (directory / "ca.pem").read_bytes(), (directory / "server.pem").read_bytes()
    tls.certificates(directory)
    assert ((directory / "ca.pem").read_bytes(), (directory / "server.pem").read_bytes()) == before
    assert (directory / "server.pem").stat().st_mode & 0o077 == 0


def test_a_store_keeps_rows_tokens_and_secrets_and_reset_makes_it_fresh(tmp_path):
    store = tmp_path / "dev.db"
    arguments = ("serve", "--port", 0, "--store", store)
    with Command(*arguments) as command:
        url = command.line()["url"]
        _post(url, "/-/records/incident", {"number": "KEPT"})
        secret = {"name": "A", "client_id": "a", "client_secret": "s3cret", "active": "true"}
        _post(url, "/-/records/oauth_entity", secret)
        assert command.stop() == 0
    with Command(*arguments) as command:
        url = command.line()["url"]
        assert len(_get(url, "/-/records/incident?sysparm_query=number=KEPT")[2]["result"]) == 1
        form = b"grant_type=password&client_id=a&client_secret=s3cret&username=admin&password=admin"
        request = urllib.request.Request(url + "/oauth_token.do", form)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            assert json.load(answer)["token_type"] == "Bearer"
        _post(url, "/-/reset", {})
        assert _get(url, "/-/records/incident?sysparm_query=number=KEPT")[2]["result"] == []


def test_without_control_there_is_no_way_in_and_a_taken_port_is_a_usage_error():
    with Command("serve", "--port", 0, "--no-control") as command:
        ready = command.line()
        assert ready["control"] is None
        with pytest.raises(urllib.error.HTTPError, match="404"):
            _get(ready["url"], "/-/settings")
        with Command("serve", "--port", ready["url"].rpartition(":")[2]) as second:
            assert second.process.wait(20) == 2
            assert "wavetank:" in second.process.stderr.read()


def test_a_port_that_cannot_be_is_a_usage_error():
    with Command("serve", "--port", 99999) as command:
        assert command.process.wait(20) == 2
        assert "--port" in command.process.stderr.read()


def test_a_parent_that_is_already_gone_ends_it():
    with Command("serve", "--port", 0, "--with-parent") as command:
        command.process.stdin.close()
        assert command.process.wait(20) == 0
        command.process.stdin = None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.slow
def test_a_signal_during_a_request_ends_it_in_time_without_a_traceback(number):
    with Command("serve", "--port", 0) as command:
        place = command.line()["url"].removeprefix("http://")
        _post(f"http://{place}", "/-/settings", {"latency_ms": 30000})
        waiting = http.client.HTTPConnection(place, timeout=20)
        waiting.request("GET", "/api/now/table/incident", headers=ADMIN)
        time.sleep(0.3)
        began = time.monotonic()
        assert command.stop(number) == 0
        assert time.monotonic() - began < 8
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            waiting.getresponse()
        assert "Traceback" not in command.process.stderr.read()


def test_a_file_that_is_no_store_is_left_alone(tmp_path):
    text, foreign = tmp_path / "text", tmp_path / "foreign.db"
    text.write_text("hello, this is no database\n" * 100)
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = text.read_bytes(), foreign.read_bytes()
    for file in (text, foreign, tmp_path / "none" / "dev.db"):
        with Command("serve", "--port", 0, "--store", file) as command:
            assert command.process.wait(20) == 2
            assert command.process.stderr.read().startswith("wavetank: ")
    assert (text.read_bytes(), foreign.read_bytes()) == before


@pytest.mark.slow
def test_a_store_belongs_to_one_process(tmp_path):
    store = tmp_path / "dev.db"
    with Command("serve", "--port", 0, "--store", store) as command:
        url = command.line()["url"]
        with Command("serve", "--port", 0, "--store", store) as second:
            assert second.process.wait(30) == 2
            assert "locked" in second.process.stderr.read()
        _post(url, "/-/records/incident", {"number": "STILL"})


def test_a_fleet_is_separate_instances_that_stop_together(tmp_path):
    with Command("fleet", "--names", "one,two", "--base-port", 0, "--tls-dir", tmp_path) as command:
        lines = [command.line() for _ in range(3)]
        ready = {line["name"]: line for line in lines[:2]}
        assert set(ready) == {"one", "two"}
        assert lines[2]["event"] == "fleet-ready"
        assert len({line["pid"] for line in lines[:2]} | {command.process.pid}) == 3
        _post(ready["one"]["url"], "/-/records/incident", {"number": "ONE"})
        query = "/-/records/incident?sysparm_query=number=ONE"
        assert len(_get(ready["one"]["url"], query)[2]["result"]) == 1
        assert _get(ready["two"]["url"], query)[2]["result"] == []
        context = ssl.create_default_context(cafile=ready["two"]["ca"])
        assert _get(ready["two"]["tls_url"], "/-/settings", context)[0] == 200
        assert command.stop(signal.SIGINT) == 0
        assert not any(_alive(line["pid"]) for line in lines[:2])


@pytest.mark.slow
def test_a_killed_fleet_takes_its_instances_along(tmp_path):
    with Command("fleet", "--names", "one,two", "--base-port", 0, "--tls-dir", tmp_path) as command:
        pids = [command.line()["pid"] for _ in range(2)]
        command.process.kill()
        command.process.wait(5)
        deadline = time.monotonic() + 10
        while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(_alive(pid) for pid in pids)


def test_the_ports_of_a_fleet_follow_the_base_port():
    from wavetank.fleet import commands

    lines = commands(["dev", "qa"], 8081, [])
    ports = [(line[line.index("--port") + 1], line[line.index("--tls-port") + 1]) for line in lines]
    assert ports == [("8081", "8082"), ("8083", "8084")]


def test_the_pytest_fixtures_give_fresh_instances(wavetank_fleet):
    assert list(wavetank_fleet) == ["dev", "qa", "prod"]
    wavetank_fleet["qa"].control("records/incident", {"number": "F"})
    wavetank_fleet["qa"].reset()
    assert wavetank_fleet["qa"].control("records/incident?sysparm_query=number=F")["result"] == []
