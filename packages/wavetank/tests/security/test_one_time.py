"""Codes of an authenticator for API calls."""

import base64
from datetime import UTC, datetime

import pytest

from wavetank.security import one_time

SECRET = base64.b32encode(b"12345678901234567890").decode()
AT = datetime(2009, 2, 13, 23, 31, 30, tzinfo=UTC)  # 1234567890, a moment of RFC 6238's own table


@pytest.fixture
def paired(scene):
    scene.instance.clock.freeze(AT)
    ada = scene.user("ada")
    scene.add(one_time.TABLE, user=ada, multifactor_secret=scene.instance.seal.seal(SECRET), validated="true")
    scene.user("bob")
    scene.instance.set_property(one_time.FOR_INTEGRATIONS, "true")
    return scene


@pytest.fixture
def ask(door):
    def call(user, password):
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
        return door.ask("GET", "/api/now/table/incident", authorization=f"Basic {encoded}")

    return call


@pytest.mark.claim("mfa-codes")
def test_codes_are_those_of_the_rfc():
    assert one_time.code(SECRET, 59) == "287082"
    assert one_time.code(SECRET, 1234567890) == "005924"
    assert one_time.code(SECRET.lower(), 20000000000) == "353130"
    with pytest.raises(ValueError, match="base32"):
        one_time.code("189", 0)


@pytest.mark.claim("mfa-integrations")
def test_the_code_goes_behind_the_password(paired, ask):
    answer = ask("ada", "sesame005924")
    assert (answer.status, answer.body) == (200, {"result": ["ada", "basic"]})
    assert ask("bob", "sesame").status == 200
    paired.instance.set_property(one_time.FOR_INTEGRATIONS, "false")
    assert ask("ada", "sesame").status == 200


@pytest.mark.claim("mfa-refusal")
@pytest.mark.parametrize(
    ("password", "told"),
    [("sesame", True), ("sesame000000", True), ("wrong", False), ("wrong005924", False)],
)
def test_a_header_tells_the_code_from_the_password(paired, ask, password, told):
    answer = ask("ada", password)
    assert answer.status == 401
    assert answer.body["error"]["message"] == "User is not authenticated"
    assert answer.headers.get("x-mfa_token") == ("invalid" if told else None)


@pytest.mark.claim("mfa-refusal")
def test_the_header_stays_under_an_access_policy(paired, ask):
    from wavetank.database.shipped import sys_id_for
    from wavetank.security.policies import TABLE_API

    every = {f"apply_all_{name}": "true" for name in ("methods", "resources", "versions", "tables")}
    row = {"name": "P", "active": "true", "api": TABLE_API, "api_path": "now/table", **every}
    policy = paired.add("sys_api_access_policy", **row)
    basic = sys_id_for("std_http_auth", "basic_auth")
    paired.add("sys_auth_profile_mapping", api_access_policy=policy, inbound_auth_profile=basic)
    answer = ask("ada", "sesame")
    assert (answer.status, answer.headers["x-mfa_token"]) == (401, "invalid")
    assert answer.headers["www-authenticate"] == 'BASIC realm="Service-now"'


@pytest.mark.claim("mfa-exempt")
def test_a_code_passes_the_restriction(paired, ask):
    paired.instance.set_property(one_time.FOR_INTEGRATIONS, "false")
    paired.instance.configure({"basic_auth_restriction": "enforce"})
    assert ask("ada", "sesame005924").status == 200
    refused = ask("ada", "sesame")
    assert (refused.status, refused.headers.get("x-mfa_token")) == (401, None)


@pytest.mark.claim("mfa-codes")
def test_a_code_lives_for_a_minute_and_a_half(paired, ask):
    paired.instance.clock.advance(30)
    assert ask("ada", "sesame005924").status == 200
    paired.instance.clock.advance(30)
    assert ask("ada", "sesame005924").status == 401
    assert paired.database.first("sys_user", user_name="ada")["failed_attempts"] in ("", "0")


def test_a_password_that_ends_in_digits_is_no_code(scene, ask):
    from wavetank.security.passwords import hash_password

    eve = scene.user("eve", user_password=hash_password("sesame123456"))
    scene.add(one_time.TABLE, user=eve, multifactor_secret=SECRET, validated="true")
    assert ask("eve", "sesame123456").status == 200
