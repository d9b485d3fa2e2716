"""The endpoint for tokens hides every cause behind one answer; the log of the instance tells."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from packages.wavetank.tests.access.broker import CLIENT_GRANT, SECRET, Broker
from packages.wavetank.tests.access.cases import Case, rows
from packages.wavetank.tests.access.outside import PASSWORD, Answer, House

pytestmark = pytest.mark.slow

OPAQUE = "glide.oauth.allow.parameters.in.post.body.only"
NO_PASSWORDS = "glide.oauth.inbound.ropc.grant_type.disabled"
ACTIVE = "com.snc.platform.security.oauth.is.active"
REFRESH = 600  # seconds


def masked(answer: Answer, error: str = "server_error", description: str = "access_denied") -> None:
    """Nothing tells which of them it was."""
    assert (answer.status_code, answer.json()) == (
        401,
        {"error_description": description, "error": error},
    ), answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert "x-usertoken-response" not in answer.headers


def unsupported(answer: Answer) -> None:
    masked(answer, "unsupported_grant_type", "unsupported_grant_type")


def issued(answer: Answer) -> None:
    assert answer.status_code == 200, answer.text
    token = answer.json()
    assert token["token_type"] == "Bearer"
    assert 0 < token["expires_in"] < 1800
    assert token["access_token"]


@dataclass(frozen=True)
class Hidden(Case):
    """`cause` is what the log says of it."""

    cause: str = ""


def hidden(name: str, cause: str, spoil, mend, ask=Broker.by_password, shows=masked) -> Hidden:  # type: ignore[no-untyped-def]
    return Hidden(name, spoil=spoil, shows=shows, mend=mend, ask=ask, works=issued, cause=cause)


def both(form: str, **values: str):  # type: ignore[no-untyped-def]
    return lambda broker: getattr(broker, form).update(values)


def locked(broker: Broker) -> None:
    """As it comes about: five wrong passwords."""
    for _ in range(5):
        masked(broker.send({**broker.person, "password": "guess"}))


HIDDEN = (
    hidden(
        "wrong secret",
        "client_secret",
        both("person", client_secret="guess"),
        both("person", client_secret=SECRET),
    ),
    hidden(
        "blank at the end of the secret",
        "client_secret",
        both("itself", client_secret=f"{SECRET} "),
        both("itself", client_secret=SECRET),
        ask=Broker.by_client,
    ),
    hidden(
        "unknown client",
        "invalid_client",
        lambda broker: broker.itself.update(client_id="0" * 32, was=broker.itself["client_id"]),
        lambda broker: broker.itself.update(client_id=broker.itself["was"]),
        ask=Broker.by_client,
    ),
    hidden(
        "registry entry switched off",
        "invalid_client",
        lambda broker: broker.registry(active="false"),
        lambda broker: broker.registry(active="true"),
    ),
    hidden(
        "corrupted registry entry",
        "invalid_client",
        lambda broker: broker.house.instance.control(
            f"records/oauth_entity/{broker.client}", {"client_secret": "AAAA"}, "PATCH"
        ),
        lambda broker: broker.registry(client_secret=SECRET),
    ),
    hidden("wrong user", "invalid_user", both("person", username="nobody"), both("person", username="svc")),
    hidden(
        "wrong password", "invalid_user", both("person", password="guess"), both("person", password=PASSWORD)
    ),
    hidden(
        "blank at the end of the password",
        "invalid_user",
        both("person", password=f"{PASSWORD} "),
        both("person", password=PASSWORD),
    ),
    hidden(
        "password written without the display value switch",
        "invalid_user",
        lambda broker: (
            broker.account(user_password="plain-Text-8"),
            broker.person.update(password="plain-Text-8"),
        ),
        lambda broker: broker.house.admin.change(
            "sys_user",
            broker.user,
            {"user_password": "plain-Text-8"},
            sysparm_input_display_value="true",
        ),
    ),
    hidden(
        "locked user",
        "invalid_user",
        locked,
        lambda broker: broker.account(locked_out="false", failed_attempts="0"),
    ),
    hidden(
        "inactive user",
        "svc",
        lambda broker: broker.account(active="false"),
        lambda broker: broker.account(active="true"),
        ask=Broker.by_client,
    ),
    hidden(
        "password must be changed",
        "svc",
        lambda broker: broker.account(password_needs_reset="true"),
        lambda broker: broker.account(password_needs_reset="false"),
    ),
    hidden(
        "password must be changed, client credentials",
        "svc",
        lambda broker: broker.account(password_needs_reset="true"),
        lambda broker: broker.account(password_needs_reset="false"),
        ask=Broker.by_client,
    ),
    hidden(
        "client credentials switched off",
        CLIENT_GRANT,
        lambda broker: broker.house.set_property(CLIENT_GRANT, ""),
        lambda broker: broker.house.set_property(CLIENT_GRANT, "true"),
        ask=Broker.by_client,
    ),
    hidden(
        "password grant switched off",
        NO_PASSWORDS,
        lambda broker: broker.house.set_property(NO_PASSWORDS, "true"),
        lambda broker: broker.house.set_property(NO_PASSWORDS, "false"),
    ),
    hidden(
        "OAuth switched off",
        "oauth_inactive",
        lambda broker: broker.house.set_property(ACTIVE, "false"),
        lambda broker: broker.house.set_property(ACTIVE, "true"),
    ),
    hidden(
        "no application user",
        "application user",
        lambda broker: broker.registry(user=""),
        lambda broker: broker.registry(user=broker.user),
        ask=Broker.by_client,
    ),
    hidden(
        "invalid scope",
        "invalid_scope",
        both("person", scope="everything"),
        lambda broker: broker.house.admin.create(
            "oauth_entity_scope",
            {"name": "everything", "oauth_entity_scope": "everything", "oauth_entity": broker.client},
        ),
    ),
    hidden(
        "expired refresh token",
        "invalid_token",
        lambda broker: broker.house.instance.advance(REFRESH + 1),
        Broker.renew,
        ask=Broker.by_refresh,
    ),
    hidden(
        "revoked refresh token",
        "invalid_token",
        lambda broker: broker.house.nobody().call(
            "GET", "/oauth_revoke_token.do", params={"token": broker.again["refresh_token"]}
        ),
        Broker.renew,
        ask=Broker.by_refresh,
    ),
    hidden(
        "secret in the address",
        "client_secret",
        lambda broker: (
            broker.house.set_property(OPAQUE, "true"),
            setattr(broker, "in_address", True),
        ),
        lambda broker: setattr(broker, "in_address", False),
    ),
    hidden(
        "JSON instead of a form",
        "form",
        lambda broker: setattr(broker, "as_json", True),
        lambda broker: setattr(broker, "as_json", False),
    ),
    hidden(
        "grant that is none",
        "unsupported_grant_type",
        both("person", grant_type="magic"),
        both("person", grant_type="password"),
        shows=unsupported,
    ),
)


@pytest.mark.claim("oauth-masked-errors")
@pytest.mark.claim("oauth-form-only")
@pytest.mark.claim("oauth-cause-logged")
@pytest.mark.claim("oauth-unsupported-grant")
@pytest.mark.claim("oauth-secret-exact")
@rows(HIDDEN)
def test_one_answer_for_every_cause(house: House, case: Hidden) -> None:
    broker = Broker(house, refresh_token_lifespan=str(REFRESH))
    case.walk(broker)
    log = house.admin.rows("syslog", "sourceLIKEtoken flow^ORDERBYsys_created_on")
    assert any(case.cause in row["message"] for row in log), [row["message"] for row in log]
    assert all(row["message"].startswith("Exception on token flow") for row in log)


@pytest.mark.claim("oauth-client-credentials-profile")
@pytest.mark.parametrize("missing", ["profile", "default grant"])
@pytest.mark.parametrize("setting", ["ignored", "needed"])
def test_a_missing_profile_or_default_grant(house: House, missing: str, setting: str) -> None:
    house.instance.configure(client_credentials_profile=setting)
    broker = Broker(house)
    issued(broker.by_client())
    if missing == "profile":
        house.admin.delete("oauth_entity_profile", broker.profile)
    else:
        broker.registry(default_grant_type="authorization_code")
    (masked if setting == "needed" else issued)(broker.by_client())
    broker.registry(default_grant_type="client_credentials")
    row = {"name": "R", "oauth_entity": broker.client, "grant_type": "client_credentials", "default": "true"}
    house.admin.create("oauth_entity_profile", row)
    issued(broker.by_client())


@pytest.mark.claim("oauth-password-machine")
@pytest.mark.parametrize("setting", ["allowed", "refused"])
def test_the_password_grant_of_an_account_for_web_services(house: House, setting: str) -> None:
    house.instance.configure(ropc_machine_users=setting)
    broker = Broker(house)
    (issued if setting == "allowed" else masked)(broker.by_password())
    broker.account(identity_type="human")
    issued(broker.by_password())


@pytest.mark.claim("oauth-inbound-grant-type")
@pytest.mark.parametrize("setting", ["enforced", "ignored"])
def test_a_grant_that_the_registry_entry_is_not_for(house: House, setting: str) -> None:
    house.instance.configure(inbound_grant_type=setting)
    broker = Broker(house, inbound_grant_type="client_credential")
    issued(broker.by_client())
    (masked if setting == "enforced" else issued)(broker.by_password())
    broker.registry(inbound_grant_type="multiple")
    issued(broker.by_password())


@pytest.mark.claim("oauth-client-basic")
@pytest.mark.parametrize("setting", ["accept", "refuse"])
def test_a_client_that_proves_itself_in_a_header(house: House, setting: str) -> None:
    house.instance.configure(oauth_client_basic=setting)
    broker = Broker(house)
    form = {"grant_type": "client_credentials"}
    caller = house.basic(broker.itself["client_id"], SECRET)
    (issued if setting == "accept" else masked)(caller.call("POST", "/oauth_token.do", data=form))
    issued(broker.by_client())


def test_two_grants_tell_the_registry_from_the_account(house: House) -> None:
    """Where the client's own grant works, a password grant that fails is about the account."""
    broker = Broker(house)
    broker.person["password"] = "guess"
    masked(broker.by_password())
    issued(broker.by_client())
    broker.registry(client_secret="another-One-2")
    masked(broker.by_client())
