"""The group that carries the account's roles, so that nothing is granted to the user directly."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Wanted


class Group(Kind):
    """``sys_user_group``."""

    name = "group"
    table = "sys_user_group"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        yield Wanted(
            kind=self.name,
            key=intent.group,
            match={"name": intent.group},
            fields={
                "active": "true",
                "source": intent.mark,
                "description": f"Roles of the service account {intent.user_name}, kept by linkspan.",
            },
            because="roles are granted to a group, not to a user",
        )
