"""Groups that carry roles: one of the account's own, or named ones that several accounts share."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.ownership import SIGNATURE
from linkspan.provision.values import Wanted


class Group(Kind):
    """``sys_user_group``."""

    name = "group"
    table = "sys_user_group"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if intent.profile.has_own_group:
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
        for group in intent.profile.groups:
            yield Wanted(
                kind=self.name,
                key=group.name,
                match={"name": group.name},
                fields={"active": "true", "source": SIGNATURE},
                initial={"description": "Service accounts get their roles here; kept by linkspan."},
                because=group.because,
                common=True,
            )
