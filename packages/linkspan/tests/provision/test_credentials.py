from __future__ import annotations

import pytest

from linkspan.core.errors import ConfigError, SecretUnavailable
from linkspan.provision.credentials import (
    Credentials,
    generate,
    keep_refresh_token,
    read_parts,
    require_scheme,
)


def test_generated_secrets_differ_and_satisfy_password_rules():
    made = {generate() for _ in range(50)}
    assert len(made) == 50
    for secret in made:
        assert len(secret) == 32
        assert any(c.isupper() for c in secret)
        assert any(c.islower() for c in secret)
        assert any(c.isdigit() for c in secret)
        assert any(not c.isalnum() for c in secret)
        assert secret == secret.strip()


def test_state_goes_from_absent_to_pending_to_confirmed(world):
    credentials = world.order(world.intent("oauth_client")).credentials
    assert credentials.state == "absent"
    credentials.prepare()
    first = credentials.client_secret()
    assert credentials.state == "pending"
    credentials.remember_client_id("abc")
    assert credentials.client_secret() == first
    credentials.confirm()
    assert credentials.state == "confirmed"
    assert credentials.proven_parts() == {"client_id": "abc", "client_secret": first}


def test_a_running_program_keeps_the_proven_secret_while_a_new_one_is_pending(world):
    credentials = world.order().credentials
    credentials.prepare()
    credentials.confirm()
    proven = credentials.proven_parts()
    world.shelf.put("dev/responder/basic", "new", pending=True)
    assert credentials.proven_parts() == proven
    assert credentials.parts() == {"password": "new"}


def test_missing_parts_name_the_command(world):
    with pytest.raises(SecretUnavailable, match="linkspan apply"):
        world.order().credentials.parts()


def test_secrets_of_two_instances_differ(world):
    made = {
        Credentials(world.shelf, instance=name, account="a", scheme="basic").password()
        for name in ("dev", "qa", "prod")
    }
    assert len(made) == 3


def test_a_plain_text_secret_is_the_main_part():
    assert read_parts("oauth_client", "s") == {"client_secret": "s"}
    assert read_parts("basic", "{odd") == {"password": "{odd"}


def test_a_scheme_that_is_not_built_is_refused():
    with pytest.raises(ConfigError, match="jwt_bearer"):
        require_scheme("jwt_bearer", where="linkspan.yaml:9")


def test_the_token_of_a_key_is_given_and_never_made(world):
    credentials = Credentials(world.shelf, instance="dev", account="a", scheme="api_key")
    credentials.prepare()
    assert (credentials.state, credentials.is_given, credentials.fingerprint) == ("absent", True, "")
    credentials.give("now_1")
    assert (credentials.state, credentials.parts()) == ("pending", {"token": "now_1"})
    credentials.confirm()
    first = credentials.fingerprint
    credentials.give("now_2")
    assert credentials.proven_parts() == {"token": "now_1"}
    assert credentials.fingerprint != first
    assert "now_" not in credentials.fingerprint


def test_a_token_that_looks_like_json_is_a_token(world):
    assert read_parts("api_key", '{"token": 1}') == {"token": '{"token": 1}'}


def consented(world):
    credentials = world.order(world.intent("oauth_code")).credentials
    credentials.prepare()
    credentials.remember_client_id("abc")
    credentials.consent("r1")
    return credentials


def test_a_consent_completes_the_credential(world):
    credentials = consented(world)
    assert credentials.state == "confirmed"
    assert set(credentials.proven_parts()) == {"client_id", "client_secret", "refresh_token"}


def test_a_replaced_refresh_token_stays_proven_and_the_rest_stays_too(world):
    credentials = consented(world)
    secret = credentials.client_secret()
    credentials.replace_refresh_token("r2")
    assert (credentials.state, credentials.refresh_token()) == ("confirmed", "r2")
    assert credentials.client_secret() == secret
    world.shelf.put(credentials.name, '{"client_id": "abc", "client_secret": "new"}', pending=True)
    credentials.replace_refresh_token("r3")
    assert credentials.refresh_token() == "r3"
    assert credentials.parts() == {"client_id": "abc", "client_secret": "new", "refresh_token": "r3"}


def test_a_consent_to_another_application_is_over(world):
    credentials = consented(world)
    credentials.remember_client_id("abc")
    assert credentials.has_consent
    credentials.remember_client_id("other")
    assert not credentials.has_consent


def test_a_refresh_token_kept_alone_is_replaced_alone(world):
    world.shelf.put("ops", "r1")
    keep_refresh_token(world.shelf, "ops", "r2")
    assert world.shelf.get("ops") == "r2"
