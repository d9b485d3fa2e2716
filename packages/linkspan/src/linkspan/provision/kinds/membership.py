"""The account's place in its groups."""

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
        named = {one.name: one.because for one in intent.profile.groups}
        for group in intent.groups:
            yield self._wanted(intent, group, named.get(group, "members of the group inherit its roles"))

    def unwant(self, intent: Intent) -> Iterable[Wanted]:
        for group in intent.profile.left_groups:
            yield self._wanted(intent, group, f"profile {intent.profile.name} is not in this group")

    def _wanted(self, intent: Intent, name: str, because: str) -> Wanted:
        user, group = Ref("user", intent.user_name), Ref("group", name)
        return Wanted(
            kind=self.name,
            key=f"{intent.user_name} in {name}",
            match={"user": user, "group": group},
            because=because,
            after=(user.id, group.id),
        )
