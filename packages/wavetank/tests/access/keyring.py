"""An account with an API key that works, under an access policy on the Table API."""

from __future__ import annotations

from typing import Any

from packages.wavetank.tests.access.outside import EVERY, Answer, House


class Keyring:
    """The key, its profile, its policy; Basic authentication is mapped to the policy as well."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.user = house.user("svc", "itil", identity_type="machine")["sys_id"]
        self.key = house.admin.create("api_key", {"name": "Key", "user": self.user})["sys_id"]
        self.token = house.admin.reveal(self.key)
        self.header = "x-sn-apikey"
        self.path = "/api/now/table/incident"
        self.params: dict[str, str] = {}
        self.keys = house.key_profile()
        self.policy = house.policy(house.profile("basic_auth"), self.keys)

    def ask(self) -> Answer:
        caller = self.house.key(self.token, self.header) if self.header else self.house.nobody()
        return caller.call("GET", self.path, params=self.params)

    def by_password(self) -> Answer:
        return self.house.basic("svc").call("GET", self.path)

    # -- what an administrator does

    def set_key(self, **values: str) -> None:
        self.house.admin.change("api_key", self.key, values)

    def narrow(self, **values: str) -> None:
        """Changes the policy; what is not named applies to all."""
        self.house.admin.change("sys_api_access_policy", self.policy, {**EVERY, **values})

    def account(self, **values: str) -> None:
        self.house.admin.change("sys_user", self.user, values)

    def set_profile(self, **values: str) -> None:
        self.house.admin.change("http_key_auth", self.keys, values)

    def unmap(self, profile: str) -> None:
        admin = self.house.admin
        asked = f"api_access_policy={self.policy}^inbound_auth_profile={profile}"
        for row in admin.rows("sys_auth_profile_mapping", asked):
            admin.delete("sys_auth_profile_mapping", row["sys_id"])

    def parameter(self, kind: str) -> dict[str, Any]:
        return self.house.admin.first("sys_token_auth_parameter", f"parameter_name=x-sn-apikey^type={kind}")
