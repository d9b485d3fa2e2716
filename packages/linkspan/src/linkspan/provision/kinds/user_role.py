"""The grant of a role to the user itself, for applications that ask for an explicit grant."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Ref, Value, Wanted

DISLIKED = "a direct grant, which the Scan Engine's definition sn_SE10104 reports, so expect that finding"


class UserRole(Kind):
    """``sys_user_has_role``, direct rows only: inherited ones belong to groups and containing roles
    (ServiceNow docs: Role Management V2)."""

    name = "user_role"
    table = "sys_user_has_role"
    booleans = frozenset({"inherited"})
    shared = True

    def want(self, intent: Intent) -> Iterable[Wanted]:
        for grant in intent.profile.direct_grants:
            yield self._wanted(intent, grant.role, f"{grant.because} ({DISLIKED})")

    def unwant(self, intent: Intent) -> Iterable[Wanted]:
        for role in intent.profile.left_roles:
            yield self._wanted(intent, role, f"profile {intent.profile.name} does not grant it")

    def _wanted(self, intent: Intent, role: str, because: str) -> Wanted:
        user = Ref("user", intent.user_name)
        match: dict[str, Value] = {"user": user, "role": intent.role(role), "inherited": "false"}
        return Wanted(
            kind=self.name,
            key=f"{intent.user_name}: {role}",
            match=match,
            because=because,
            after=(user.id,),
        )
