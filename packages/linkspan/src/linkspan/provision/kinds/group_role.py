"""The grant of a role to the account's group."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Ref, Wanted


class GroupRole(Kind):
    """``sys_group_has_role``. Members of the group inherit the role and what it contains."""

    name = "group_role"
    table = "sys_group_has_role"
    booleans = frozenset({"inherits"})
    shared = True

    def want(self, intent: Intent) -> Iterable[Wanted]:
        for grant in intent.profile.grants:
            group, role = Ref("group", intent.group), Ref("role", grant.role)
            yield Wanted(
                kind=self.name,
                key=f"{intent.group}: {grant.role}",
                match={"group": group, "role": role},
                fields={"inherits": "true"},
                because=grant.because,
                after=(group.id,),
            )
