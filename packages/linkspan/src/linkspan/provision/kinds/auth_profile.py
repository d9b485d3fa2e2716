"""What an instance signs in with when it calls another: one basic auth profile for each target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from linkspan.connection import Connection
from linkspan.provision.credentials import Credentials
from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Ref, Wanted


class AuthProfile(Kind):
    """``sys_auth_profile_basic``. Its password is two-way encrypted by the instance and never read back,
    so that its age is known by our own fingerprint of it. Like a user's password it travels as a display
    value (ServiceNow docs: Validate your instance connection)."""

    name = "auth_profile"
    table = "sys_auth_profile_basic"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        for member in intent.fleet:
            name = intent.auth_profile(member.name)
            yield Wanted(
                kind=self.name,
                key=name,
                match={"name": name},
                fields={"username": intent.user_name},
                because=f"calls to {member.name} need the secret that {member.name} has for the account; "
                "no two instances share one",
                after=(*intent.needs_app, Ref("user", intent.user_name).id),
                secret_of=member.name,
            )

    def create(self, line: Connection, values: Mapping[str, str], credentials: Credentials) -> dict[str, Any]:
        return line.table.create(
            self.table,
            {**values, "password": credentials.password()},
            input_display=True,
            fields=("sys_id", *values),
        )

    def send_secret(self, line: Connection, sys_id: str, credentials: Credentials) -> None:
        secret = {"password": credentials.password()}
        line.table.update(self.table, sys_id, secret, input_display=True, fields=("sys_id",))
