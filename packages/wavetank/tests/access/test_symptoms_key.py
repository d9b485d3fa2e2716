"""401 with an API key: every cause looks the same, and each has its own way out."""

from __future__ import annotations

import pytest

from packages.wavetank.tests.access.cases import Case, rows
from packages.wavetank.tests.access.keyring import Keyring
from packages.wavetank.tests.access.outside import House, unauthenticated

pytestmark = pytest.mark.slow


def renew(ring: Keyring) -> None:
    """Another key for the same user, revealed by a person."""
    made = ring.house.admin.create("api_key", {"name": "Key 2", "user": ring.user})
    ring.token = ring.house.admin.reveal(made["sys_id"])


def in_address(ring: Keyring) -> None:
    ring.header, ring.params = "", {"x-sn-apikey": ring.token}


KEYS = (
    Case(
        "the plugin is off",
        spoil=lambda ring: ring.house.plugin("com.glide.tokenbased_auth", active=False),
        shows=unauthenticated,
        mend=lambda ring: ring.house.plugin("com.glide.tokenbased_auth", active=True),
    ),
    Case(
        "the key is inactive",
        spoil=lambda ring: ring.set_key(active="false"),
        shows=unauthenticated,
        mend=lambda ring: ring.set_key(active="true"),
    ),
    Case(
        "the key is expired",
        spoil=lambda ring: ring.set_key(expires="2020-01-01 00:00:00"),
        shows=unauthenticated,
        mend=lambda ring: ring.set_key(expires=""),
    ),
    Case(
        "the key is gone: a new one",
        spoil=lambda ring: ring.house.admin.delete("api_key", ring.key),
        shows=unauthenticated,
        mend=renew,
    ),
    Case(
        "the key is another",
        spoil=lambda ring: setattr(ring, "token", "now_" + "a" * 64),
        shows=unauthenticated,
        mend=renew,
    ),
    Case(
        "the user is inactive",
        spoil=lambda ring: ring.account(active="false"),
        shows=unauthenticated,
        mend=lambda ring: ring.account(active="true"),
    ),
    Case(
        "the user is locked out",
        spoil=lambda ring: ring.account(locked_out="true"),
        shows=unauthenticated,
        mend=lambda ring: ring.account(locked_out="false"),
    ),
    Case(
        "the profile is not mapped",
        spoil=lambda ring: ring.unmap(ring.keys),
        shows=unauthenticated,
        mend=lambda ring: ring.house.map(ring.policy, ring.keys),
    ),
    Case(
        "the profile is inactive",
        spoil=lambda ring: ring.set_profile(active="false"),
        shows=unauthenticated,
        mend=lambda ring: ring.set_profile(active="true"),
    ),
    Case(
        "the policy is inactive",
        spoil=lambda ring: ring.narrow(active="false"),
        shows=unauthenticated,
        mend=lambda ring: ring.narrow(active="true"),
    ),
    Case(
        "the profile looks in the address: bring it there",
        spoil=lambda ring: ring.set_profile(auth_parameter=ring.parameter("query_parameter")["sys_id"]),
        shows=unauthenticated,
        mend=in_address,
    ),
    Case(
        "the profile looks in the header, the key is in the address",
        spoil=in_address,
        shows=unauthenticated,
        mend=lambda ring: (setattr(ring, "header", "x-sn-apikey"), setattr(ring, "params", {})),
    ),
    Case(
        "another header",
        spoil=lambda ring: setattr(ring, "header", "x-api-key"),
        shows=unauthenticated,
        mend=lambda ring: setattr(ring, "header", "x-sn-apikey"),
    ),
    *(
        Case(
            f"the policy is for another {what}",
            spoil=lambda ring, narrower=narrower: ring.narrow(**narrower),
            shows=unauthenticated,
            mend=lambda ring: ring.narrow(),
        )
        for what, narrower in {
            "method": {"apply_all_methods": "false", "http_method": "POST"},
            "version": {"apply_all_versions": "false", "version": "v1"},
            "table": {"apply_all_tables": "false", "api_tablename": "problem"},
            "resource": {"apply_all_resources": "false", "api_resource": "/now/table/{tableName}/{sys_id}"},
        }.items()
    ),
)


@pytest.mark.claim("api-key-needs-policy")
@pytest.mark.claim("api-key-refused")
@pytest.mark.claim("plugin-inactive")
@pytest.mark.claim("policy-matches")
@pytest.mark.claim("api-key-query")
@rows(KEYS)
def test_401_with_an_api_key(house: House, case: Case) -> None:
    case.walk(Keyring(house))
