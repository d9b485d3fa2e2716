"""Requests signed with a shared secret."""

import json

import pytest

from wavetank.database.shipped import sys_id_for
from wavetank.security import signatures
from wavetank.security.policies import TABLE_API

PARAMETER = "x-sn-hmac-signature-256"
DEFAULT = sys_id_for("hmac_config", "Default HMAC SHA256 Base64 Encoding")
BODY = json.dumps({"short_description": "signed"}).encode()


class Signing:
    def __init__(self, scene, door):
        self.scene, self.door = scene, door
        self.svc = scene.user("svc", web_service_access_only="true")
        every = {f"apply_all_{name}": "true" for name in ("methods", "resources", "versions", "tables")}
        row = {"name": "P", "active": "true", "api": TABLE_API, "api_path": "now/table", **every}
        self.policy = scene.add("sys_api_access_policy", **row)
        sealed = scene.instance.seal.seal("open")
        self.secret = scene.add(
            "hmac_secret", name="S", active="true", user=self.svc, key_id="k1", shared_secret=sealed
        )

    def profile(self, kind="auth_header", **values):
        parameter = sys_id_for("sys_token_auth_parameter", PARAMETER, kind)
        row = {"name": "H", "active": "true", "hmac_config": DEFAULT, "auth_parameter": parameter, **values}
        profile = self.scene.add("http_hmac_auth", **row)
        self.scene.add(
            "sys_auth_profile_mapping", api_access_policy=self.policy, inbound_auth_profile=profile
        )
        return profile

    def ask(self, said, body=BODY, query=""):
        headers = {"x_sn_hmac_signature_256": said} if said else {}
        return self.door.ask("GET", "/api/now/table/incident", body, query, **headers)


@pytest.fixture
def signing(scene, door):
    return Signing(scene, door)


def _said(body=BODY, secret="open", key="k1", algorithm="HmacSHA256"):
    return f"KEYID={key},SIGNATURE={signatures.sign(secret, body, algorithm)}"


@pytest.mark.claim("hmac-signed")
def test_a_signed_request_runs_as_the_secrets_user(signing):
    assert signing.ask(_said()).status == 401  # no policy reads it yet
    signing.profile()
    answer = signing.ask(_said())
    assert (answer.status, answer.body) == (200, {"result": ["svc", "hmac"]})
    assert signing.ask(_said(b""), b"").status == 200
    # what ServiceNow's clients compute, by the letters of RFC 2104
    assert signatures.sign("key", b"The quick brown fox jumps over the lazy dog") == (
        "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg="
    )


@pytest.mark.claim("hmac-refused")
def test_what_is_not_signed_right_is_refused(signing):
    signing.profile()
    for said, body in (
        (_said(), b"another body"),
        (_said(secret="other"), BODY),
        (_said(key="k2"), BODY),
        (_said(algorithm="HmacSHA512"), BODY),
        ("", BODY),
    ):
        answer = signing.ask(said, body)
        assert (answer.status, answer.body["error"]["message"]) == (401, "User is not authenticated")
    for values in ({"active": "false"}, {"active": "true", "expires": "2020-01-01 00:00:00"}):
        signing.scene.database.update("hmac_secret", signing.secret, values)
        assert signing.ask(_said()).status == 401
    signing.scene.database.update("hmac_secret", signing.secret, {"expires": ""})
    assert signing.ask(_said()).status == 200
    signing.scene.database.update("sys_user", signing.svc, {"active": "false"})
    assert signing.ask(_said()).status == 401


@pytest.mark.claim("hmac-algorithm")
@pytest.mark.parametrize("algorithm", ["HmacSHA384", "HmacSHA512"])
def test_the_configuration_names_the_algorithm(signing, algorithm):
    config = signing.scene.add("hmac_config", name="C", hash_algorithm=algorithm)
    signing.profile(hmac_config=config)
    assert signing.ask(_said(algorithm=algorithm)).status == 200
    assert signing.ask(_said()).status == 401


@pytest.mark.claim("hmac-default-key")
def test_a_default_key_stands_in_for_a_missing_one(signing):
    signing.profile(default_key_id="k1")
    signature = signatures.sign("open", BODY)
    assert signing.ask(signature).status == 200
    assert signing.ask(f"SIGNATURE={signature}").status == 200


@pytest.mark.claim("hmac-limits")
def test_a_script_of_ones_own_takes_nothing(signing):
    config = signing.scene.add(
        "hmac_config", name="C", hash_algorithm="HmacSHA256", hmac_util_script="HMACOwn"
    )
    signing.profile(hmac_config=config)
    assert signing.ask(_said()).status == 401


def test_a_signature_may_come_in_the_address(signing):
    from urllib.parse import quote

    signing.profile("query_parameter")
    assert signing.ask("", query=f"{PARAMETER}={quote(_said(), safe='')}").status == 200
    assert signing.ask(_said()).status == 401


@pytest.mark.claim("hmac-key-id")
def test_the_platform_makes_the_key_id(scene):
    from wavetank.behaviour import pipeline

    svc = scene.user("svc")
    values = {"name": "S", "user": svc, "key_id": "mine", "shared_secret": "open"}
    row = pipeline.insert(scene.instance, None, "hmac_secret", values)
    assert len(row["key_id"]) == 16
    again = pipeline.update(scene.instance, None, "hmac_secret", row, {"key_id": "mine"})
    assert again["key_id"] == row["key_id"]
