"""The account's place in its group."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Ref, Wanted


class Membership(Kind):
    """``sys_user_grmember``."""

    name = "membership"
    table = "sys_user_grmember"
    shared = True

    def want(self, intent: Intent) -> Iterable[Wanted]:
        user, group = Ref("user", intent.user_name), Ref("group", intent.group)
        yield Wanted(
            kind=self.name,
            key=f"{intent.user_name} in {intent.group}",
            match={"user": user, "group": group},
            because="members of the group inherit its roles",
            after=(user.id, group.id),
        )
