"""The grant of a role to one of the account's groups."""

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
            if grant.direct:
                continue
            name = grant.group or intent.group
            group, role = Ref("group", name), intent.role(grant.role)
            yield Wanted(
                kind=self.name,
                key=f"{name}: {grant.role}",
                match={"group": group, "role": role},
                fields={"inherits": "true"},
                because=grant.because,
                after=(group.id,),
                common=bool(grant.group),
            )
