"""Signed tokens, both ways: assertions that applications sign, and access tokens that the instance signs."""

import base64
import functools
import hmac
import json
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import RSAAlgorithm

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DENIED = {"error_description": "access_denied", "error": "server_error"}
SHARED = "a shared key that is long enough for every algorithm there is, which takes 64 bytes"


@functools.cache
def _key(kind):
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


@functools.cache
def _certificate(kind):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_key(kind).public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    return made.sign(_key(kind), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


class App:
    """An application that signs, registered with one certificate (kid c1) and one shared key (kid k1)."""

    def __init__(self, scene, door, **values):
        self.scene, self.door = scene, door
        row = {
            "name": "Signer",
            "client_id": "signer",
            "client_secret": scene.instance.seal.seal("s3cret"),
            "active": "true",
            "user_field": "email",
            **values,
        }
        self.entry = scene.add("oauth_jwt", **row)
        certificate = scene.add(
            "sys_certificate", name="app", pem_certificate=_certificate("rsa"), active="true"
        )
        self.certificate = certificate
        self.map(kid="c1", sys_certificate=certificate)
        self.map(kid="k1", shared_key=scene.instance.seal.seal(SHARED))
        self.user = scene.user("ada", email="ada@example.com")

    def map(self, **values):
        return self.scene.add("jwt_verifier_map", oauth_jwt=self.entry, **values)

    def assertion(self, key=None, alg="RS256", kid="c1", **claims):
        """A good assertion, but for what is said; a claim given as None is left out."""
        now = int(self.scene.instance.clock.seconds())
        known = {"aud": "signer", "iss": "signer", "sub": "ada@example.com", "iat": now, "exp": now + 300}
        known |= {"jti": uuid.uuid4().hex, **claims}
        body = {name: value for name, value in known.items() if value is not None}
        return jwt.encode(body, key or _key("rsa"), algorithm=alg, headers={"kid": kid})

    def ask(self, assertion=None, *, headers=None, **form):
        """A token request; a parameter given as None is left out."""
        known = {"grant_type": GRANT, "client_id": "signer", "client_secret": "s3cret"}
        known |= {"assertion": assertion or self.assertion(), **form}
        return self.door.token(headers=headers, **{k: v for k, v in known.items() if v is not None})

    def refused(self, **claims):
        """The true cause of a refusal, from the system log."""
        answer = self.ask(self.assertion(**claims))
        assert (answer.status, answer.body) == (401, DENIED)
        return self.cause()

    def cause(self):
        return self.scene.database.select("syslog", "messageLIKEtoken flow")[-1]["message"]


@pytest.fixture
def app(scene, door):
    return App(scene, door)


def _whoami(door, token):
    return door.ask("GET", "/api/now/table/incident", authorization=f"Bearer {token}").body["result"]


@pytest.mark.claim("oauth-jwt-bearer")
def test_an_assertion_is_worth_a_token_of_the_user_it_names(app, door):
    answer = app.ask()
    assert answer.status == 200
    assert set(answer.body) == {"access_token", "scope", "token_type", "expires_in"}
    assert (answer.body["scope"], answer.body["expires_in"]) == ("useraccount", 1799)
    assert _whoami(door, answer.body["access_token"]) == ["ada", "oauth_jwt"]


@pytest.mark.claim("oauth-jwt-keys")
def test_certificates_and_shared_keys_verify(scene, app):
    for alg in ("RS256", "RS384", "RS512"):
        assert app.ask(app.assertion(alg=alg)).status == 200
    for alg in ("HS256", "HS384", "HS512"):
        assert app.ask(app.assertion(SHARED, alg, "k1")).status == 200
    curve = scene.add("sys_certificate", name="curve", pem_certificate=_certificate("ec"), active="true")
    app.map(kid="e1", sys_certificate=curve)
    assert app.ask(app.assertion(_key("ec"), "ES256", "e1")).status == 200


@pytest.mark.claim("oauth-jwt-keys")
def test_nothing_else_verifies(scene, app):
    other = rsa.generate_private_key(65537, 2048)
    assert "cannot be verified" in app.refused(key=other)
    assert "no verifier map" in app.refused(kid="c2")
    assert "no verifier map" in app.refused(kid="C1")
    # The public certificate must not pass for a shared key.
    said = app.assertion(SHARED, "HS256", "c1").rpartition(".")[0]
    mac = hmac.new(_certificate("rsa").encode(), said.encode(), "sha256").digest()
    forged = ".".join((said, base64.urlsafe_b64encode(mac).rstrip(b"=").decode()))
    assert app.ask(forged).body == DENIED
    assert "cannot be verified" in app.cause()
    assert [app.ask(each).body for each in ("not.a.token", "none", " ")] == [DENIED] * 3
    unsigned = jwt.encode({"sub": "ada@example.com"}, None, algorithm="none", headers={"kid": "c1"})
    assert app.ask(unsigned).body == DENIED
    scene.database.update("sys_certificate", app.certificate, {"active": "false"})
    assert "is inactive" in app.refused()


@pytest.mark.claim("oauth-jwt-keys")
def test_no_assertion_however_odd_breaks_the_endpoint(scene, app):
    def part(text):
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    deep = part("[" * 100_000)
    heads = (
        '{"alg":"RS256","kid":["c1"]}',
        '{"alg":5}',
        '{"alg":"RS256","kid":"c1","crit":["x"]}',
        "7",
        "{}",
    )
    odd = [f"{part(head)}.{part('{}')}.AAAA" for head in heads]
    odd += [f"{deep}.{deep}.AAAA", f"{part(heads[3])}.{deep}.AAAA", "á.b.c", "..", "\0", "a" * 10_000]
    odd += [app.assertion(exp=value) for value in ("soon", True, 1e300, -1, [], {})]
    odd += [app.assertion(sub=value) for value in ("", " ")] + [app.assertion(jti="")]
    for assertion in odd:
        for named in ({}, {"client_id": None, "client_secret": None}):
            answer = app.ask(assertion, **named)
            assert (answer.status, answer.body) == (401, DENIED), assertion
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for text in (
        pem.decode(),
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    ):
        scene.database.update("sys_certificate", app.certificate, {"pem_certificate": text})
        assert "cannot be verified" in app.refused()


@pytest.mark.claim("oauth-jwt-claims")
def test_the_claims_must_fit(scene, app):
    assert "audience" in app.refused(aud="other")
    assert "audience" in app.refused(aud=None)
    assert "'iss'" in app.refused(iss="other")
    assert "no user" in app.refused(sub="bob@example.com")
    assert "names no user" in app.refused(sub=None)
    assert app.ask(app.assertion(aud=["other", "signer"])).status == 200
    for name, value in (("iss", "https://idp.example"), ("tenant", "7")):
        scene.add("oauth_jwt_claims", oauth_jwt=app.entry, claim_name=name, claim_value=value)
    assert "'iss'" in app.refused()
    assert "'tenant'" in app.refused(iss="https://idp.example")
    assert app.ask(app.assertion(iss="https://idp.example", tenant=7)).status == 200


@pytest.mark.claim("oauth-jwt-audience")
def test_the_token_endpoint_is_an_audience_too(scene, app):
    scene.instance.url = "http://dev.example"
    assert app.ask(app.assertion(aud="http://dev.example/oauth_token.do")).status == 200
    assert "audience" in app.refused(aud="http://other.example/oauth_token.do")


@pytest.mark.claim("oauth-jwt-user-field")
def test_the_user_field_says_what_the_subject_is(scene, app, door):
    for field, subject in (("user_name", "ada"), ("sys_id", app.user)):
        scene.database.update("oauth_jwt", app.entry, {"user_field": field})
        assert app.ask(app.assertion(sub=subject)).status == 200
        assert app.ask().status == 401
    scene.database.update("oauth_jwt", app.entry, {"user_field": ""})
    assert app.ask().status == 200


@pytest.mark.claim("oauth-jwt-time")
def test_the_clocks_may_differ_by_the_skew(scene, app):
    scene.instance.clock.freeze(datetime.fromtimestamp(int(time.time()), UTC))
    now = int(scene.instance.clock.seconds())
    assert app.ask(app.assertion(exp=now - 299)).status == 200
    assert "expired" in app.refused(exp=now - 300)
    assert app.ask(app.assertion(nbf=now + 300)).status == 200
    assert "not valid yet" in app.refused(nbf=now + 301)
    assert "no expiry" in app.refused(exp=None)
    scene.database.update("oauth_jwt", app.entry, {"clock_skew": "0"})
    assert "expired" in app.refused(exp=now)


@pytest.mark.claim("oauth-jwt-once")
def test_an_assertion_is_good_once(scene, app):
    once = app.assertion()
    assert (app.ask(once).status, app.ask(once).status) == (200, 401)
    assert "used before" in app.cause()
    assert "no claim 'jti'" in app.refused(jti=None)
    scene.database.update("oauth_jwt", app.entry, {"jti_claim": "nonce"})
    assert "no claim 'nonce'" in app.refused()
    assert app.ask(app.assertion(nonce="1")).status == 200
    assert "used before" in app.refused(nonce="1")
    scene.database.update("oauth_jwt", app.entry, {"enable_jti_verification": "false"})
    assert [app.ask(once).status for _ in range(2)] == [200, 200]


@pytest.mark.claim("oauth-jwt-once")
def test_a_wrong_assertion_is_not_used_up(app):
    assert "audience" in app.refused(jti="7", aud="other")
    assert app.ask(app.assertion(jti="7")).status == 200


@pytest.mark.claim("oauth-jwt-no-admin")
def test_no_administrator_comes_in_by_an_assertion(scene, app):
    scene.user("root", "admin", email="root@example.com")
    assert "Grant access to admin is not allowed" in app.refused(sub="root@example.com")
    scene.instance.configure({"jwt_admin_refusal": "told"})
    told = app.ask(app.assertion(sub="root@example.com"))
    assert (told.status, told.body["error_description"]) == (401, "Grant access to admin is not allowed")


@pytest.mark.claim("oauth-jwt-client")
def test_a_private_client_proves_itself_and_a_public_one_need_not_be_named(scene, app):
    assert app.ask(client_secret=None).body == DENIED
    assert app.ask(client_secret="wrong").body == DENIED
    scene.database.update("oauth_jwt", app.entry, {"public_client": "true"})
    assert app.ask(client_secret=None).status == 200
    assert app.ask(client_id=None, client_secret=None).status == 200
    assert app.ask(client_id=None, client_secret="wrong").status == 401


@pytest.mark.claim("oauth-jwt-client")
def test_only_a_registry_entry_for_assertions_takes_them(scene, app, door):
    secret = scene.instance.seal.seal("s3cret")
    scene.add("oauth_entity", name="Plain", client_id="plain", client_secret=secret, active="true")
    answer = app.ask(app.assertion(aud="plain", iss="plain"), client_id="plain")
    assert (answer.status, "none for JWT bearer" in app.cause()) == (401, True)


def test_a_user_who_may_not_log_in_gets_no_token(scene, app):
    scene.database.update("sys_user", app.user, {"locked_out": "true"})
    assert "may not log in" in app.refused()


@pytest.mark.claim("oauth-jwt-header")
def test_the_assertion_may_come_in_a_header(scene, app):
    header = {"authentication": f"Bearer {app.assertion()}"}
    form = {"grant_type": GRANT, "client_id": "signer", "client_secret": "s3cret"}
    assert app.door.token(headers=header, **form).status == 200
    scene.instance.configure({"jwt_bearer_header": "refuse"})
    assert app.door.token(headers=header, **form).status == 401


@pytest.mark.claim("oauth-jwt-header")
def test_servicenows_own_client_for_python_comes_in(app, door, monkeypatch):
    auth = pytest.importorskip("pysnc.auth")

    def post(url, headers, data):
        """In place of a connection: this client leaves the port out of the address."""
        assert url == "https://dev.example/oauth_token.do"
        answer = door.token(headers={name.lower(): value for name, value in headers.items()}, **data)
        return SimpleNamespace(status_code=answer.status, text="", json=lambda: answer.body)

    monkeypatch.setattr(auth.requests, "post", post)
    request = SimpleNamespace(url="https://dev.example:8443/api/now/table/incident", headers={})
    auth.ServiceNowJWTAuth("signer", "s3cret", app.assertion())(request)
    assert _whoami(door, request.headers["Authorization"].removeprefix("Bearer ")) == ["ada", "oauth_jwt"]


class Publisher:
    """A web server of this machine that publishes a key set and counts who asks."""

    def __init__(self):
        self.asked, self.status, self.kids = 0, 200, ["p1"]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/keys?all=1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _handler(self):
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                publisher.asked += 1
                key = RSAAlgorithm.to_jwk(_key("rsa").public_key(), as_dict=True)
                body = json.dumps({"keys": [{**key, "kid": kid} for kid in publisher.kids]}).encode()
                self.send_response(publisher.status if self.path == "/keys?all=1" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def publisher():
    made = Publisher()
    yield made
    made.close()


@pytest.mark.claim("oauth-jwt-published")
def test_keys_may_be_published_and_are_kept_for_a_while(scene, app, publisher):
    scene.instance.clock.freeze()
    assert "no verifier map" in app.refused(kid="p1")
    scene.database.update("oauth_jwt", app.entry, {"jwks_url": publisher.url, "jwks_cache_lifespan": "10"})
    assert [app.ask(app.assertion(kid="p1")).status for _ in range(2)] == [200, 200]
    publisher.kids = ["p2"]
    scene.instance.clock.advance(599)
    assert app.ask(app.assertion(kid="p1")).status == 200
    assert "has the key id 'p2'" in app.refused(kid="p2")
    assert publisher.asked == 1
    scene.instance.clock.advance(1)
    assert app.ask(app.assertion(kid="p2")).status == 200
    assert "has the key id 'p1'" in app.refused(kid="p1")
    assert publisher.asked == 2
    assert app.ask().status == 200  # the verifier map of c1 still counts
    other = rsa.generate_private_key(65537, 2048)
    assert "cannot be verified" in app.refused(key=other, kid="p2")


@pytest.mark.claim("oauth-jwt-published")
def test_key_sets_that_cannot_be_had(scene, app, publisher):
    def refused(url):
        scene.database.update("oauth_jwt", app.entry, {"jwks_url": url})
        return app.refused(kid="p1")

    assert "is not this machine" in refused("https://login.example.com/keys")
    assert "is no address" in refused("file:///etc/passwd")
    assert "answers 404" in refused(publisher.url.replace("keys", "other"))
    publisher.kids = [7]
    assert "has the key id 'p1'" in refused(publisher.url)
    publisher.close()
    scene.instance.clock.advance(86400)
    assert "does not answer" in refused(publisher.url)
    scene.instance.configure({"outbound": "off"})
    assert "no verifier map" in refused(publisher.url)


def _token(scene, door, **values):
    secret = scene.instance.seal.seal("s3cret")
    row = {"name": "App", "client_id": "app", "client_secret": secret, "active": "true", **values}
    scene.add("oauth_entity", **row)
    form = {"grant_type": "password", "client_id": "app", "client_secret": "s3cret"}
    answer = door.token(**form, username="ada", password="sesame")
    assert answer.status == 200
    return answer.body


def _keys(door):
    answer = door.ask("GET", "/api/now/oauth/jwks")
    assert answer.status == 200
    return {key.key_id: key for key in jwt.PyJWKSet.from_dict(answer.body).keys}


@pytest.mark.claim("oauth-token-format")
def test_an_access_token_may_be_signed(scene, door):
    ada = scene.user("ada", email="ada@example.com")
    body = _token(scene, door, token_format="jwt")
    token = body["access_token"]
    kid = jwt.get_unverified_header(token)["kid"]
    claims = jwt.decode(token, _keys(door)[kid], algorithms=["RS256"], audience="app")
    assert (claims["sub"], claims["exp"] - claims["iat"]) == (ada, 1800)
    assert _whoami(door, token) == ["ada", "oauth_password"]
    assert "." not in body["refresh_token"]
    changed = ".".join((*token.split(".")[:2], "AAAA"))
    assert door.ask("GET", "/api/now/table/incident", authorization=f"Bearer {changed}").status == 401
    door.ask("GET", "/oauth_revoke_token.do", query=f"token={token}")
    assert door.ask("GET", "/api/now/table/incident", authorization=f"Bearer {token}").status == 401


@pytest.mark.claim("oauth-token-format")
@pytest.mark.parametrize(
    ("field", "subject"),
    [("email", "ada@example.com"), ("user_name", "ada"), ("user_password", None), ("nonsense", None)],
)
def test_the_subject_of_a_signed_token_is_a_field_of_the_user(scene, door, field, subject):
    ada = scene.user("ada", email="ada@example.com")
    token = _token(scene, door, token_format="jwt", sub_claim=field)["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == (subject or ada)


@pytest.mark.claim("oauth-token-format")
def test_a_signed_token_is_current_until_it_is_over_and_opaque_is_the_default(scene, door):
    scene.user("ada")
    first = _token(scene, door)["access_token"]
    assert "." not in first
    (entry,) = scene.database.find("oauth_entity", client_id="app")
    scene.database.update("oauth_entity", entry["sys_id"], {"token_format": "jwt"})
    form = {"grant_type": "password", "client_id": "app", "client_secret": "s3cret"}
    tokens = [door.token(**form, username="ada", password="sesame").body["access_token"] for _ in range(2)]
    assert tokens[0] == tokens[1] != first


@pytest.mark.claim("oauth-jwks")
def test_a_key_that_was_rotated_stays_for_105_days(scene, door):
    scene.user("ada")
    scene.instance.clock.freeze()
    token = _token(scene, door, token_format="jwt")["access_token"]
    first = jwt.get_unverified_header(token)["kid"]
    assert list(_keys(door)) == [first]
    (row,) = scene.database.find("oauth_signing_key")
    assert "PRIVATE" not in row["private_key"]
    scene.instance.clock.advance(90 * 86400)
    both = _keys(door)
    assert (len(both), first in both) == (2, True)
    form = {"grant_type": "password", "client_id": "app", "client_secret": "s3cret"}
    later = door.token(**form, username="ada", password="sesame").body["access_token"]
    kid = jwt.get_unverified_header(later)["kid"]
    assert kid != first
    assert jwt.decode(
        later,
        both[kid],
        algorithms=["RS256"],
        audience="app",
        options={"verify_exp": False, "verify_iat": False},
    )
    scene.instance.configure({"oauth_key_days": 0})
    scene.instance.clock.advance(104 * 86400)
    assert list(_keys(door)) == [kid, first]
    scene.instance.clock.advance(86400)
    assert list(_keys(door)) == [kid]


@pytest.mark.claim("oauth-jwks")
def test_a_key_is_rotated_by_hand_too(scene, door):
    (first,) = _keys(door)
    (row,) = scene.database.find("oauth_signing_key")
    scene.database.update("oauth_signing_key", row["sys_id"], {"active": "false"})
    assert [kid == first for kid in _keys(door)] == [False, True]


@pytest.mark.claim("oauth-jwks")
def test_keys_outlive_a_restart(scene, door):
    before = _keys(door)
    scene.instance.identity.tokens.signing._loaded.clear()
    assert list(_keys(door)) == list(before)
