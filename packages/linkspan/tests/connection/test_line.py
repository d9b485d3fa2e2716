"""What happens on the line: repeats, waits, breaks, limits, and what is never shown."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from linkspan.config import InstanceConfig
from linkspan.connection import (
    ApiKey,
    Basic,
    Connection,
    OAuthClient,
    OAuthPassword,
    connect,
    credential,
)
from linkspan.connection import (
    line as module,
)
from linkspan.core.errors import (
    Ambiguous,
    BadReply,
    ConfigError,
    NotAuthenticated,
    NotFound,
    RateLimited,
    ReadOnly,
    Rejected,
    Unreachable,
)

from .conftest import Answer, Script

ROW = {"result": {"sys_id": "1"}}


def test_what_is_sent(line: Connection, script: Script) -> None:
    script.rule = lambda _: Answer(json=ROW, status=201, headers={"Set-Cookie": "JSESSIONID=1; Path=/"})
    line.call("POST", "/api/x", params={"a": "b c^d", "n": 1}, json={"k": "ü"})
    line.call("GET", "/api/x")
    first, second = script.seen
    assert (first.method, first.path, first.query) == ("POST", "/api/x", {"a": "b c^d", "n": "1"})
    assert first.json == {"k": "ü"}
    assert first.headers["content-type"] == "application/json"
    assert first.headers["user-agent"].startswith("linkspan/")
    assert first.headers["authorization"] == "Basic YWRtaW46aHVudGVyMg=="
    assert "cookie" not in second.headers


def test_a_reply(line: Connection, script: Script) -> None:
    body = gzip.compress(b'{"result":[1]}')
    script.rule = lambda _: Answer(body=body, headers={"Content-Encoding": "gzip", "X-Total-Count": "1"})
    reply = line.call("GET", "/api/x")
    assert (reply.status, reply.result, reply.headers["x-total-count"]) == (200, [1], "1")


def test_other_types_come_as_bytes(line: Connection, script: Script) -> None:
    script.rule = lambda _: Answer(body=b"\x00\x01", headers={"Content-Type": "image/png"})
    reply = line.call("GET", "/api/now/attachment/1/file", headers={"Accept": "*/*"})
    assert (reply.body, reply.json) == (b"\x00\x01", None)


def test_reads_are_repeated_writes_are_not(line: Connection, script: Script) -> None:
    script.rule = lambda _: Answer(status=503)
    with pytest.raises(Unreachable):
        line.call("GET", "/api/x")
    assert len(script.seen) == 3
    with pytest.raises(Ambiguous):
        line.call("POST", "/api/x", json={})
    assert len(script.seen) == 4
    assert line.requests_made == 4


def test_a_read_that_succeeds_at_the_second_attempt(line: Connection, script: Script) -> None:
    script.answers = [Answer(drop=True), Answer(json={"result": [1]})]
    assert line.call("GET", "/api/x").result == [1]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(drop=True),
        Answer(reset=True),
        Answer(body=b'{"result":{"sys_id":"1"', status=201),
        Answer(json=ROW, status=201, promise=10),
        Answer(body=b"<html>hello</html>", headers={"Content-Type": "text/html"}),
    ],
    ids=["drop", "reset", "cut", "short", "html"],
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_a_write_that_was_sent_and_got_no_clear_answer(
    line: Connection, script: Script, answer: Answer, method: str
) -> None:
    script.rule = lambda _: answer
    with pytest.raises(Ambiguous):
        line.call(method, "/api/now/table/incident/1", json={"a": "b"})
    assert len(script.seen) == 1


def test_a_timeout(line: Connection, script: Script) -> None:
    script.rule = lambda _: Answer(seconds=5)
    started = time.monotonic()
    with pytest.raises(Unreachable) as read:
        line.call("GET", "/api/x", timeout=0.1)
    with pytest.raises(Ambiguous):
        line.call("POST", "/api/x", json={}, timeout=0.1)
    assert read.value.code == "timeout"
    assert time.monotonic() - started < 4


def test_patience_is_kept_by_reads_and_told_to_writers(line: Connection, script: Script) -> None:
    wait = Answer(status=429, headers={"Retry-After": "0.3"})
    script.answers = [wait]
    started = time.monotonic()
    line.call("GET", "/api/x")
    assert time.monotonic() - started >= 0.3
    script.answers = [wait]
    with pytest.raises(RateLimited) as caught:
        line.call("POST", "/api/x", json={})
    assert caught.value.retry_after == 0.3
    assert len(script.seen) == 3
    started = time.monotonic()
    line.call("POST", "/api/x", json={})
    assert time.monotonic() - started >= 0.25


def test_a_long_wait_is_not_waited_for(line: Connection, script: Script) -> None:
    script.answers = [Answer(status=429, headers={"Retry-After": "1800"})]
    started = time.monotonic()
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            line.call("GET", "/api/x")
        assert caught.value.retry_after > 1700
    assert time.monotonic() - started < 2
    assert len(script.seen) == 1


def test_the_budget_spreads_requests(script: Script) -> None:
    instance = InstanceConfig(name="dev", url=script.url, requests_per_minute=600)
    started = time.monotonic()
    with connect(instance, None) as one, connect(instance, None) as other:
        for _ in range(35):  # 60 at once, then ten a second, whoever asks
            one.call("GET", "/api/x")
            other.call("GET", "/api/x")
    assert 0.5 <= time.monotonic() - started < 5


def test_a_body_that_is_too_large(line: Connection, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_BODY", 1000)
    body = gzip.compress(b'"' + b"x" * 100_000 + b'"')
    assert len(body) < 1000
    script.rule = lambda _: Answer(body=body, headers={"Content-Encoding": "gzip"})
    with pytest.raises(BadReply) as caught:
        line.call("GET", "/api/x")
    assert caught.value.code == "too_large"
    assert len(script.seen) == 1


def test_an_answer_that_never_ends(line: Connection, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_ANSWER", -1.0)
    with pytest.raises(Unreachable) as caught:
        line.call("GET", "/api/x")
    assert caught.value.code == "timeout"
    with pytest.raises(Ambiguous):
        line.call("POST", "/api/x", json={})


def test_a_url_that_is_too_long_is_not_sent(line: Connection, script: Script) -> None:
    with pytest.raises(Rejected) as caught:
        line.call("GET", "/api/x", params={"q": "x" * 8000})
    assert caught.value.code == "uri_too_long"
    assert script.seen == []


def test_redirects_are_not_followed(line: Connection, script: Script) -> None:
    script.rule = lambda _: Answer(status=302, headers={"Location": "https://elsewhere.example/login"})
    with pytest.raises(BadReply, match=r"elsewhere\.example"):
        line.call("GET", "/api/x")
    assert len(script.seen) == 1


# ── read-only ────────────────────────────────────────────────────────────────────────────────────

BATCH = {"rest_requests": [{"id": "1", "method": "GET", "url": "/api/now/table/incident", "headers": []}]}


@pytest.mark.parametrize(
    ("method", "path", "json", "headers"),
    [
        ("GET", "/api/now/table/incident", None, {}),
        ("HEAD", "/api/now/table/incident", None, {}),
        ("POST", "/api/now/tinyurl", {"url": "x"}, {}),
        ("POST", "/api/now/v1/batch", BATCH, {}),
        ("POST", "/oauth_token.do", {}, {}),
    ],
)
def test_what_a_read_only_connection_sends(
    line: Connection, script: Script, method, path, json, headers
) -> None:
    script.rule = lambda seen: Answer(json=None if seen.method == "HEAD" else {"result": []})
    line.as_read_only().call(method, path, json=json, headers=headers)
    assert len(script.seen) == 1


def part(**change: object) -> dict:
    return {"rest_requests": [BATCH["rest_requests"][0], {**BATCH["rest_requests"][0], **change}]}


@pytest.mark.parametrize(
    ("method", "path", "json", "headers"),
    [
        ("POST", "/api/now/table/incident", {}, {}),
        ("PATCH", "/api/now/table/incident/1", {}, {}),
        ("PUT", "/api/now/table/incident/1", {}, {}),
        ("DELETE", "/api/now/table/incident/1", None, {}),
        ("post", "/api/now/table/incident", {}, {}),
        ("GET", "/api/now/table/incident/1", None, {"X-HTTP-Method-Override": "DELETE"}),
        ("GET", "/oauth_revoke_token.do", None, {}),
        ("POST", "/api/now/batch", part(method="POST"), {}),
        ("POST", "/api/now/batch", part(url="/oauth_revoke_token.do?token=1"), {}),
        ("POST", "/api/now/batch", part(headers=[{"name": "X-HTTP-Method-Override", "value": "PUT"}]), {}),
        ("POST", "/api/now/batch", {"other": 1}, {}),
        ("POST", "/api/now/batch", [], {}),
        ("POST", "/api/now/tinyurl/../table/incident", {}, {}),
        ("POST", "/api/now/tinyurl/x", {}, {}),
    ],
)
def test_what_a_read_only_connection_refuses(
    line: Connection, script: Script, method, path, json, headers
) -> None:
    twin = line.as_read_only()
    with pytest.raises(ReadOnly):
        twin.call(method, path, json=json, headers=headers)
    assert script.seen == []
    assert twin.requests_made == 0


def test_a_twin_shares_the_count_and_closes_alone(line: Connection, script: Script) -> None:
    with line.as_read_only() as twin:
        twin.call("GET", "/api/x")
    line.call("POST", "/api/x", json={})
    assert line.requests_made == 2
    assert not line.read_only


# ── OAuth ────────────────────────────────────────────────────────────────────────────────────────


class TokenServer:
    """The token endpoint's part of a script: tokens t1, t2, …; API calls need the newest."""

    def __init__(self, script: Script, *, life: float = 1800, refresh: str | None = None) -> None:
        self.script, self.life, self.refresh, self.given, self.refuse = script, life, refresh, 0, False
        script.rule = self.answer

    def answer(self, seen):
        if seen.path == "/oauth_token.do":
            if self.refuse:
                return Answer(
                    status=401, json={"error_description": "access_denied", "error": "server_error"}
                )
            with self.script.lock:
                self.given += 1
                token = {"access_token": f"t{self.given}", "expires_in": self.life, "token_type": "Bearer"}
            return Answer(json=token | ({"refresh_token": self.refresh} if self.refresh else {}))
        if seen.headers.get("authorization") != f"Bearer t{self.given}":
            return Answer(status=401, json={"error": {"message": "User Not Authenticated"}})
        return Answer(json=ROW)

    @property
    def forms(self) -> list[dict[str, str]]:
        return [seen.form for seen in self.script.seen if seen.path == "/oauth_token.do"]


CLIENT = OAuthClient("c", "s3cret&=")
PASSWORD = OAuthPassword("c", "s3cret&=", "u", "pässword")


def test_one_token_serves_many_calls(instance: InstanceConfig, script: Script) -> None:
    tokens = TokenServer(script)
    with connect(instance, CLIENT) as line:
        for _ in range(3):
            line.call("POST", "/api/x", json={})
        assert line.requests_made == 4
    assert tokens.forms == [
        {"grant_type": "client_credentials", "client_id": "c", "client_secret": "s3cret&="}
    ]


def test_the_password_grant(instance: InstanceConfig, script: Script) -> None:
    tokens = TokenServer(script)
    with connect(instance, PASSWORD) as line:
        line.call("GET", "/api/x")
    expected = {"client_id": "c", "client_secret": "s3cret&=", "username": "u", "password": "pässword"}
    assert tokens.forms == [{"grant_type": "password", **expected}]


def test_threads_share_one_token_request(instance: InstanceConfig, script: Script) -> None:
    tokens = TokenServer(script)
    with connect(instance, CLIENT) as line:
        threads = [threading.Thread(target=line.call, args=("GET", "/api/x")) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
    assert len(tokens.forms) == 1
    assert len(script.seen) == 9


def test_a_revoked_token_is_renewed_once(instance: InstanceConfig, script: Script) -> None:
    tokens = TokenServer(script, refresh="r1")
    with connect(instance, PASSWORD) as line:
        line.call("GET", "/api/x")
        tokens.given = 7  # t1 is no longer good
        line.call("POST", "/api/x", json={"a": 1})
    assert tokens.forms[1] == {
        "grant_type": "refresh_token",
        "refresh_token": "r1",
        "client_id": "c",
        "client_secret": "s3cret&=",
    }
    assert script.seen[-1].json == {"a": 1}
    assert script.seen[-1].headers["authorization"] == "Bearer t8"


def test_a_refused_refresh_falls_back_to_the_grant(instance: InstanceConfig, script: Script) -> None:
    tokens = TokenServer(script, refresh="r1")
    with connect(instance, PASSWORD) as line:
        line.call("GET", "/api/x")
        tokens.given = 7
        script.answers = [Answer(status=401), Answer(status=401, json={"error": "server_error"})]
        line.call("GET", "/api/x")
    assert [form["grant_type"] for form in tokens.forms] == ["password", "refresh_token", "password"]


def test_an_account_that_stays_refused(instance: InstanceConfig, script: Script) -> None:
    script.rule = lambda seen: (
        Answer(json={"access_token": "t", "expires_in": 1800})
        if seen.path == "/oauth_token.do"
        else Answer(status=401)
    )
    with connect(instance, CLIENT) as line, pytest.raises(NotAuthenticated):
        line.call("GET", "/api/x")
    assert [seen.path for seen in script.seen] == ["/oauth_token.do", "/api/x"] * 2


def test_a_refused_token_request(instance: InstanceConfig, script: Script) -> None:
    tokens = TokenServer(script)
    tokens.refuse = True
    with connect(instance, CLIENT) as line, pytest.raises(NotAuthenticated) as caught:
        line.call("POST", "/api/x", json={})
    assert caught.value.code == "oauth_refused"
    assert len(script.seen) == 1


@pytest.mark.parametrize(
    "answer", [Answer(drop=True), Answer(status=503), Answer(body=b"{"), Answer(json={"a": 1})]
)
def test_a_broken_token_request_leaves_no_doubt_about_the_write(
    instance: InstanceConfig, script: Script, answer: Answer
) -> None:
    script.rule = lambda _: answer
    with connect(instance, CLIENT) as line, pytest.raises((Unreachable, BadReply)):
        line.call("POST", "/api/x", json={})
    assert len(script.seen) == 1


def test_tokens_are_renewed_before_they_end(
    instance: InstanceConfig, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    from linkspan.core import clock

    moment = [1000.0]
    monkeypatch.setattr(clock, "_now", lambda: moment[0])
    tokens = TokenServer(script, life=1800)
    with connect(instance, CLIENT) as line:
        line.call("GET", "/api/x")
        moment[0] += 1700
        line.call("GET", "/api/x")
        assert len(tokens.forms) == 1
        moment[0] += 50
        line.call("GET", "/api/x")
        assert len(tokens.forms) == 2


def test_the_current_token_again_is_not_asked_for_at_every_call(
    instance: InstanceConfig, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    from linkspan.core import clock

    moment = [1000.0]
    monkeypatch.setattr(clock, "_now", lambda: moment[0])

    def answer(seen):
        left = 2800 - moment[0]
        return (
            Answer(json={"access_token": "t", "expires_in": left})
            if "oauth" in seen.path
            else Answer(json=ROW)
        )

    script.rule = answer
    with connect(instance, CLIENT) as line:
        line.call("GET", "/api/x")
        moment[0] += 1750
        for _ in range(5):
            line.call("GET", "/api/x")
    assert len([seen for seen in script.seen if "oauth" in seen.path]) == 2


# ── below HTTP ───────────────────────────────────────────────────────────────────────────────────


def test_nobody_listens(script: Script) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with connect(InstanceConfig(name="dev", url=url), None) as line:
            for method in ("GET", "POST"):
                with pytest.raises(Unreachable) as caught:
                    line.call(method, "/api/x")
                assert caught.value.code == "refused"


def test_no_such_host() -> None:
    with connect(InstanceConfig(name="dev", url="https://no-such-host.invalid"), None) as line:
        for method in ("GET", "POST"):
            with pytest.raises(Unreachable) as caught:
                line.call(method, "/api/x")
            assert caught.value.code == "dns"


def test_the_proxy_of_the_instance_is_used(script: Script) -> None:
    instance = InstanceConfig(name="dev", url="http://far.invalid", proxy=script.url)
    with connect(instance, None) as line:
        line.call("GET", "/api/x")
    assert (script.seen[0].path, script.seen[0].headers["host"]) == ("/api/x", "far.invalid")


def test_a_proxy_that_refuses_leaves_no_doubt_about_a_write(script: Script) -> None:
    script.rule = lambda _: Answer(status=403)
    instance = InstanceConfig(name="dev", url="https://far.invalid", proxy=script.url)
    with connect(instance, None) as line, pytest.raises(Unreachable) as caught:
        line.call("POST", "/api/x", json={})
    assert caught.value.code == "proxy"


def test_the_environment_sets_no_proxy(
    instance: InstanceConfig, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with connect(instance, None) as line:
        line.call("GET", "/api/x")
    assert len(script.seen) == 1


def test_tls_to_a_port_without_tls(script: Script) -> None:
    url = script.url.replace("http:", "https:")
    with connect(InstanceConfig(name="dev", url=url), None) as line, pytest.raises(Unreachable) as caught:
        line.call("POST", "/api/x")
    assert caught.value.code == "tls"


def test_an_unusable_ca_or_proxy_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    for change in ({"ca": tmp_path / "ca.pem"}, {"ca": tmp_path / "absent.pem"}, {"proxy": "gopher://x"}):
        with pytest.raises(ConfigError) as caught:
            connect(
                InstanceConfig(name="dev", url="https://x.example", where="linkspan.yaml:3", **change), None
            )
        assert caught.value.where == "linkspan.yaml:3"


def test_certificates_are_verified(tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for _ in range(4):  # three refused attempts at most, one accepted
                try:
                    raw, _ = listening.accept()
                    with server_side.wrap_socket(raw, server_side=True) as wrapped:
                        wrapped.recv(65536)
                        wrapped.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"result":[]}')
                except OSError:
                    continue

        threading.Thread(target=serve, daemon=True).start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        with connect(InstanceConfig(name="dev", url=url), None) as line, pytest.raises(Unreachable) as caught:
            line.call("GET", "/api/x")
        assert caught.value.code == "tls"
        assert "ca:" in caught.value.fix
        with connect(InstanceConfig(name="dev", url=url, ca=tmp_path / "ca.pem"), None) as line:
            assert line.call("GET", "/api/x").result == []


# ── secrets stay secret ──────────────────────────────────────────────────────────────────────────


def test_nothing_prints_a_secret(
    instance: InstanceConfig, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = TokenServer(script)
    basic = Basic("u", "pässword")
    shown = [repr(basic), repr(CLIENT), repr(PASSWORD), str(PASSWORD), repr(PASSWORD.__dict__)]
    with connect(instance, PASSWORD) as line:
        line.call("GET", "/api/x")
        shown += [repr(line), str(line), repr(line.__dict__), repr(line._shared.auth.__dict__)]
        tokens.refuse = True
        tokens.given = 5
        with pytest.raises(NotAuthenticated) as caught:
            line.call("GET", "/api/x")
        shown += [str(caught.value), repr(caught.value), repr(caught.value.problem())]
    text = "\n".join([*shown, caplog.text])
    assert not [secret for secret in ("s3cret", "pässword", "t1'", "Bearer") if secret in text]


@pytest.mark.parametrize(
    ("scheme", "secret", "parts", "expected"),
    [
        ("basic", "p", {"user": "u"}, Basic("u", "p")),
        ("basic", "{not json", {"user": "u"}, Basic("u", "{not json")),
        ("oauth_client", "s", {"client_id": "c"}, OAuthClient("c", "s")),
        ("oauth_client", '{"client_id":"c","client_secret":"s"}', {}, OAuthClient("c", "s")),
        (
            "oauth_password",
            "p",
            {"user": "u", "client_id": "c", "client_secret": "s"},
            OAuthPassword("c", "s", "u", "p"),
        ),
        (
            "oauth_password",
            '{"password":"p","client_id":"c","client_secret":"s"}',
            {"user": "u"},
            OAuthPassword("c", "s", "u", "p"),
        ),
    ],
)
def test_credentials_from_their_parts(
    scheme: str, secret: str, parts: dict[str, str], expected: object
) -> None:
    assert credential(scheme, secret, **parts) == expected


def test_credentials_with_a_part_missing() -> None:
    for scheme in ("basic", "oauth_client", "oauth_password", "jwt_bearer"):
        with pytest.raises(ConfigError):
            credential(scheme, "x")
    with pytest.raises(ConfigError, match="token"):
        credential("api_key", "")


def test_an_api_key_travels_in_its_header_and_nowhere_else(script: Script) -> None:
    with connect(
        InstanceConfig(name="dev", url=script.url), credential("api_key", "now_1-a_B"), read_only=True
    ) as line:
        line.table.page("incident")
    (seen,) = script.seen
    assert seen.headers["x-sn-apikey"] == "now_1-a_B"
    assert "authorization" not in seen.headers
    assert "now_1-a_B" not in seen.path + str(seen.query)


@pytest.mark.parametrize("token", [" now_1", "now_1\n", "now 1", "now_\u00e9", "now_1\u200b"])
def test_an_api_key_that_was_badly_copied_is_not_sent(script: Script, token: str) -> None:
    with (
        connect(InstanceConfig(name="dev", url=script.url), ApiKey(token)) as line,
        pytest.raises(NotAuthenticated) as caught,
    ):
        line.table.page("incident")
    assert caught.value.code == "api_key_spaces"
    assert token.strip() not in str(caught.value)
    assert script.seen == []


def test_whoami(line: Connection, script: Script) -> None:
    script.answers = [Answer(json={"result": [{"sys_id": "1", "user_name": "admin"}]})]
    assert line.whoami()["user_name"] == "admin"
    assert script.seen[0].query["sysparm_query"] == "sys_id=javascript:gs.getUserID()"
    with pytest.raises(NotFound) as caught:
        line.whoami()
    assert caught.value.code == "identity_hidden"
