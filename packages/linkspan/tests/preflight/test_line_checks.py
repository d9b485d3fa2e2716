"""Checks of the address and the way there, against sockets of this machine."""

from __future__ import annotations

import datetime
import http.server
import socket
import ssl
import threading

import pytest

from linkspan.config.values import InstanceConfig
from linkspan.connection import connect
from linkspan.preflight.checks import answers, reachable, tls, url_form


def first(answer):
    return answer.causes[0].id if answer.causes else answer.outcome


@pytest.mark.parametrize(
    ("url", "id"),
    [
        ("https://acme.service-now.com", "pass"),
        ("http://127.0.0.1:8081", "pass"),
        ("http://acme.service-now.com", "url_not_https"),
        ("https://acme.service-now.com/", "url_trailing_slash"),
        ("https://acme.service-now.com/nav_to.do", "url_has_path"),
        ("https://www.acme.service-now.com", "url_has_www"),
        ("https://me:secret@acme.service-now.com", "url_has_credentials"),
        ("https://developer.servicenow.com", "url_developer_portal"),
    ],
)
def test_url_form(context, url, id):
    assert first(url_form.run(context(url))) == id


def test_the_suggestion_is_the_right_url(context):
    (cause,) = url_form.run(context("https://acme.service-now.com/now/nav")).causes
    assert "https://acme.service-now.com" in cause.fix
    assert "/now" not in cause.fix


def test_refused(context):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert first(reachable.run(context(f"http://127.0.0.1:{port}"))) == "connection_refused"


def test_a_name_that_does_not_resolve(context):
    assert first(reachable.run(context("https://no-such-instance.invalid"))) == "dns_failure"


@pytest.fixture
def web():
    """A web server that answers what it is told: (status, content type, body)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        reply = (200, "text/html", b"<html>hello</html>")

        def do_GET(self):
            status, kind, body = Handler.reply
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "https://sso.example/login")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server, Handler
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.parametrize(
    ("reply", "id"),
    [
        ((200, "text/html", b"<html>welcome</html>"), "not_an_instance"),
        ((200, "text/html", b"<html>Your instance is hibernating</html>"), "instance_hibernating"),
        ((302, "text/html", b""), "redirected"),
        ((403, "text/html", b"<html>blocked</html>"), "ip_access_denied"),
        ((502, "text/html", b"<html>snow_adc</html>"), "instance_unavailable"),
        ((404, "application/json", b"{}"), "not_an_instance"),
        (
            (
                401,
                "application/json",
                b'{"error":{"message":"User is not authenticated"},"status":"failure"}',
            ),
            "pass",
        ),
    ],
)
def test_what_answers(context, web, reply, id, monkeypatch):
    import stamina

    server, handler = web
    monkeypatch.setattr(handler, "reply", reply)
    url = f"http://127.0.0.1:{server.server_port}"
    with (
        stamina.set_testing(True, attempts=1),
        connect(InstanceConfig(name="dev", url=url), None, read_only=True) as line,
    ):
        assert first(answers.run(context(url, anonymous=lambda: line))) == id


def certificate(folder, *, host="127.0.0.1", days=90, started=-1):
    """A self-signed certificate for an address; its file is its own authority."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=started))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    trusted = folder / "ca.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return file, trusted


@pytest.mark.parametrize(
    ("made", "trusted", "id"),
    [
        ({}, True, "pass"),
        ({}, False, "tls_unknown_authority"),
        ({"host": "127.0.0.2"}, True, "tls_wrong_host"),
        ({"days": -1, "started": -30}, True, "tls_certificate_expired"),
        ({"days": 3}, True, "certificate_expires_soon"),
    ],
)
def test_certificates(context, tmp_path, web, made, trusted, id):
    server, _ = web
    file, authority = certificate(tmp_path, **made)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(file)
    server.socket = secure.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_port}"
    answer = tls.run(context(url, instance={"ca": authority} if trusted else {}))
    assert first(answer) == id, answer


def test_http_on_loopback_passes_with_a_note(context):
    answer = tls.run(context("http://127.0.0.1:1"))
    assert answer.outcome == "pass"
    assert "loopback" in answer.evidence["note"]


def test_https_on_a_port_without_tls(context, web):
    server, _ = web
    answer = tls.run(context(f"https://127.0.0.1:{server.server_port}"))
    assert first(answer) == "tls_not_spoken", answer


def test_authorities_that_cannot_be_read_are_told(context, tmp_path, web):
    (tmp_path / "empty.pem").touch()
    for name in ("empty.pem", "none.pem"):
        answer = tls.run(context("https://127.0.0.1:9", instance={"ca": tmp_path / name}))
        assert (answer.outcome, first(answer)) == ("fail", "ca_unusable")
