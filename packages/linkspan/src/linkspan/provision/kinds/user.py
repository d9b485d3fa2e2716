"""The account's user record: by default a machine that can only use web services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from linkspan.connection import Connection
from linkspan.provision.credentials import Credentials
from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Ref, Value, Wanted

# With display values every field is read as a person would type it, so that call carries plain
# strings only; the rest follows in a second one.
_WITH_PASSWORD = ("user_name", "first_name", "last_name", "source")


class User(Kind):
    """``sys_user``. Machine accounts are web service access only, which also exempts them from the
    basic authentication restriction (ServiceNow docs: Create a user; Basic authentication)."""

    name = "user"
    table = "sys_user"
    booleans = frozenset({"active", "locked_out", "password_needs_reset", "web_service_access_only"})
    optional = frozenset({"identity_type", "source"})
    retires = "deactivate"  # never deleted: records keep pointing at it

    def want(self, intent: Intent) -> Iterable[Wanted]:
        flags = intent.profile.user
        fields: dict[str, Value] = {
            "first_name": "Linkspan",
            "last_name": intent.account,
            "active": "true",
            "locked_out": "false",
            "password_needs_reset": "false",
            "identity_type": flags.identity_type,
            "web_service_access_only": "true" if flags.web_service_access_only else "false",
            # Display values follow these; left to a default, dates would read otherwise after a change of it.
            "time_zone": "GMT",
            "date_format": "yyyy-MM-dd",
            "time_format": "HH:mm:ss",
            "source": intent.mark,
        }
        if intent.owner:
            fields["manager"] = Ref("owner", intent.owner)
        yield Wanted(
            kind=self.name,
            key=intent.user_name,
            match={"user_name": intent.user_name},
            fields=fields,
            because=flags.because,
        )

    def create(self, line: Connection, values: Mapping[str, str], credentials: Credentials) -> dict[str, Any]:
        if not credentials.uses_password:
            return super().create(line, values, credentials)
        first = {name: values[name] for name in _WITH_PASSWORD if name in values}
        rest = {name: value for name, value in values.items() if name not in first}
        row = line.table.create(
            self.table,
            {**first, "user_password": credentials.password()},
            input_display=True,
            fields=("sys_id", *first),
        )
        return {**row, **self.update(line, str(row["sys_id"]), rest)}


def set_password(line: Connection, sys_id: str, password: str) -> None:
    """Give an existing user this password.

    It has to travel as a display value: otherwise the text is kept as it is, unhashed, and no login
    will ever match it (measured on a developer instance).
    """
    line.table.update("sys_user", sys_id, {"user_password": password}, input_display=True, fields=("sys_id",))
