from __future__ import annotations

import pytest

from linkspan.core.errors import ConfigError, SecretUnavailable
from linkspan.provision.credentials import Credentials, generate, read_parts, require_scheme


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
