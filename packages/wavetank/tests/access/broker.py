"""An OAuth client with a token that works, and what an administrator may do to either."""

from __future__ import annotations

from typing import Any

from packages.wavetank.tests.access.outside import PASSWORD, Answer, House

SECRET = "a-Secret-of-ours-1"
CLIENT_GRANT = "glide.oauth.inbound.client.credential.grant_type.enabled"


class Broker:
    """A registry entry that may be asked by every grant, its user, and the form of each token request."""

    def __init__(self, house: House, **entity: str) -> None:
        self.house = house
        self.user = house.user("svc", "itil", identity_type="machine")["sys_id"]
        house.set_property(CLIENT_GRANT, "true")
        registered = house.admin.create(
            "oauth_entity",
            {
                "name": "Reporter",
                "type": "client",
                "active": "true",
                "client_secret": SECRET,
                "user": self.user,
                "inbound_grant_type": "multiple",
                "scope_restriction_status": "unrestricted",
                **entity,
            },
        )
        self.client = registered["sys_id"]
        self.profile = house.admin.create(
            "oauth_entity_profile",
            {
                "name": "Reporter",
                "oauth_entity": self.client,
                "grant_type": "client_credentials",
                "default": "true",
            },
        )["sys_id"]
        proof = {"client_id": registered["client_id"], "client_secret": SECRET}
        self.person = {**proof, "grant_type": "password", "username": "svc", "password": PASSWORD}
        self.itself = {**proof, "grant_type": "client_credentials"}
        self.again = {**proof, "grant_type": "refresh_token"}
        self.in_address = False
        self.as_json = False

    # -- token requests

    def send(self, form: dict[str, str]) -> Answer:
        nobody = self.house.nobody()
        if self.in_address:
            secret = {"client_secret": form["client_secret"]}
            rest = {name: value for name, value in form.items() if name != "client_secret"}
            return nobody.call("POST", "/oauth_token.do", params=secret, data=rest)
        if self.as_json:
            return nobody.call("POST", "/oauth_token.do", json=form)
        return nobody.call("POST", "/oauth_token.do", data=form)

    def by_password(self) -> Answer:
        return self.send(self.person)

    ask = by_password

    def by_client(self) -> Answer:
        return self.send(self.itself)

    def by_refresh(self) -> Answer:
        if "refresh_token" not in self.again:
            self.renew()
        return self.send(self.again)

    def renew(self) -> None:
        """Starts over with a new refresh token."""
        self.again["refresh_token"] = str(self.by_password().json()["refresh_token"])

    def token(self) -> str:
        """An access token of the client itself."""
        return str(self.by_client().json()["access_token"])

    # -- what an administrator does

    def registry(self, **values: str) -> None:
        self.house.admin.change("oauth_entity", self.client, values)

    def account(self, **values: str) -> None:
        self.house.admin.change("sys_user", self.user, values)

    def call(self, method: str = "GET", path: str = "incident", **more: Any) -> Answer:
        """An API with a token of the client."""
        if not hasattr(self, "held"):
            self.held = self.token()
        return self.house.bearer(self.held).call(method, path, **more)
