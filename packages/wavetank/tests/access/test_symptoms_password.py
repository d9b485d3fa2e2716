"""401 with user and password: every cause looks the same, and each has its own way out."""

from __future__ import annotations

import base64
import hmac
import struct
from typing import Any

import pytest

from packages.wavetank.tests.access.cases import Case, rows
from packages.wavetank.tests.access.outside import PASSWORD, Answer, House, fine, refused, unauthenticated

pytestmark = pytest.mark.slow

FAMILY = "glide.authenticate.basic_auth."
ENFORCE = f"{FAMILY}restriction.enforce"
MANDATORY = "glide.authenticate.api.user.reset_password.mandatory"
FOR_INTEGRATIONS = "glide.authenticate.multifactor.for_integrations"
NEW = "Another-Way-9"


class Login:
    """An interactive account that calls the Table API with its password."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.user = house.user("ada", "itil", web_service_access_only="false")["sys_id"]
        self.password = PASSWORD

    def ask(self) -> Answer:
        return self.house.basic("ada", self.password).get("incident")

    def account(self, **values: str) -> None:
        self.house.admin.change("sys_user", self.user, values)

    def reset(self, password: str) -> None:
        """Sets a password as the form does."""
        values = {"user_password": password}
        self.house.admin.change("sys_user", self.user, values, sysparm_input_display_value="true")
        self.password = password

    def set(self, name: str, value: str) -> None:
        self.house.set_property(name, value)


def restricted(login: Login) -> None:
    login.set(ENFORCE, "true")


def restriction(name: str, mend: Any) -> Case:
    return Case(f"restriction: {name}", spoil=restricted, shows=unauthenticated, mend=mend)


def guess(login: Login) -> None:
    """Locks the account as it comes about."""
    for _ in range(5):
        unauthenticated(login.house.basic("ada", "guess").get("incident"))


CASES = (
    restriction("web service access only", lambda login: login.account(web_service_access_only="true")),
    restriction("machine", lambda login: login.account(identity_type="machine")),
    restriction(
        "snc_basic_auth_api_access",
        lambda login: login.house.grant(login.user, "snc_basic_auth_api_access"),
    ),
    restriction("allowed users", lambda login: login.set(f"{FAMILY}allowed_users", login.user)),
    restriction("emergency stop", lambda login: login.set(f"{FAMILY}restriction.active", "false")),
    restriction("tracked only", lambda login: login.set(ENFORCE, "false")),
    restriction(
        "its date is still to come",
        lambda login: login.set(f"{FAMILY}restriction.enforcement_date", "2999-01-01 00:00:00"),
    ),
    Case(
        "wrong password",
        spoil=lambda login: setattr(login, "password", "guess"),
        shows=unauthenticated,
        mend=lambda login: login.reset(NEW),
    ),
    Case(
        "password written without the display value switch",
        spoil=lambda login: (login.account(user_password=NEW), setattr(login, "password", NEW)),
        shows=unauthenticated,
        mend=lambda login: login.reset(NEW),
    ),
    Case(
        "locked by failures: both flags",
        spoil=guess,
        shows=unauthenticated,
        mend=lambda login: login.account(
            locked_out="false", password_needs_reset="false", failed_attempts="0"
        ),
    ),
    Case(
        "locked by failures: a quarter of an hour",
        spoil=guess,
        shows=unauthenticated,
        mend=lambda login: login.house.instance.advance(15 * 60),
    ),
    Case(
        "locked by an administrator",
        spoil=lambda login: login.account(locked_out="true"),
        shows=unauthenticated,
        mend=lambda login: login.account(locked_out="false"),
    ),
    Case(
        "inactive",
        spoil=lambda login: login.account(active="false"),
        shows=unauthenticated,
        mend=lambda login: login.account(active="true"),
    ),
    Case(
        "must change its password: the flag",
        spoil=lambda login: (login.account(password_needs_reset="true"), login.set(MANDATORY, "true")),
        shows=unauthenticated,
        mend=lambda login: login.account(password_needs_reset="false"),
    ),
    Case(
        "must change its password: not mandatory for APIs",
        spoil=lambda login: (login.account(password_needs_reset="true"), login.set(MANDATORY, "true")),
        shows=unauthenticated,
        mend=lambda login: login.set(MANDATORY, "false"),
    ),
    Case(
        "an access policy without Basic",
        spoil=lambda login: setattr(login, "policy", login.house.policy(login.house.profile("oauth"))),
        shows=unauthenticated,
        mend=lambda login: login.house.map(login.policy, login.house.profile("basic_auth")),
    ),
)


@pytest.mark.claim("auth-one-401")
@pytest.mark.claim("auth-lockout")
@pytest.mark.claim("auth-needs-reset")
@pytest.mark.claim("basic-restriction-gate")
@pytest.mark.claim("basic-restriction-properties")
@pytest.mark.claim("table-password")
@pytest.mark.claim("basic-restriction-date")
@rows(CASES)
def test_one_answer_for_every_cause(house: House, case: Case) -> None:
    case.walk(Login(house))


@pytest.mark.claim("session-not-basic")
def test_the_same_password_in_the_ui_tells_the_restriction_from_the_rest(house: House) -> None:
    login = Login(house)
    restricted(login)
    unauthenticated(login.ask())
    unauthenticated(house.basic(*house.instance.admin).get("incident"))
    fine(house.person("ada").get("incident"))
    login.account(locked_out="true")
    with pytest.raises(AssertionError, match="shut this person out"):
        house.person("ada")


@pytest.mark.claim("table-password")
@pytest.mark.parametrize("setting", ["literal", "ignored"])
def test_a_password_written_plainly(house: House, setting: str) -> None:
    """Stored as it is, or not at all: then the old one goes on working."""
    house.instance.configure(password_plain_write=setting)
    login = Login(house)
    login.account(user_password=NEW)
    unauthenticated(house.basic("ada", NEW).get("incident"))
    (unauthenticated if setting == "literal" else fine)(login.ask())


@pytest.mark.claim("auth-401-text")
@pytest.mark.parametrize(
    ("release", "message"), [("zurich", "User Not Authenticated"), ("australia", "User is not authenticated")]
)
def test_the_words_of_a_release(house: House, release: str, message: str) -> None:
    house.instance.configure(release=release)
    answers = [house.nobody().get("incident"), house.basic("admin", "guess").get("incident")]
    for answer in answers:
        refused(answer, 401, message, "Required to provide Auth information")


# -- one-time codes


SECRET = "JBSWY3DPEHPK3PXP"


def code(at: int) -> str:
    """The six digits of an authenticator app, by RFC 6238."""
    digest = hmac.digest(base64.b32decode(SECRET), struct.pack(">Q", at // 30), "sha1")
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def now(house: House) -> int:
    house.instance.freeze("2026-03-01T00:00:00Z")
    return 1772323200


@pytest.mark.claim("mfa-integrations")
@pytest.mark.claim("mfa-refusal")
@pytest.mark.claim("mfa-codes")
def test_codes_asked_of_integrations(house: House) -> None:
    """The one refusal that tells: the password was right."""
    login, at = Login(house), now(house)
    row = {"user": login.user, "multifactor_secret": SECRET, "validated": "true"}
    house.admin.create("user_multifactor_auth", row)
    fine(login.ask())
    login.set(FOR_INTEGRATIONS, "true")
    for password, told in ((PASSWORD, True), (f"{PASSWORD}000000", True), ("guess", False)):
        answer = house.basic("ada", password).get("incident")
        unauthenticated(answer)
        assert answer.headers.get("x-mfa_token") == ("invalid" if told else None)
    fine(house.basic("ada", f"{PASSWORD}{code(at)}").get("incident"))
    restricted(login)
    fine(house.basic("ada", f"{PASSWORD}{code(at)}").get("incident"))
    login.set(ENFORCE, "false")
    login.set(FOR_INTEGRATIONS, "false")
    fine(login.ask())


def test_who_has_paired_no_app_is_asked_for_no_code(house: House) -> None:
    login = Login(house)
    login.set(FOR_INTEGRATIONS, "true")
    fine(login.ask())
