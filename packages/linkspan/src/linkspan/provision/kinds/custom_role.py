"""Roles that a recipe asks linkspan to make: a name of the account's own, for access controls to ask for."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Wanted


class CustomRole(Kind):
    """``sys_user_role``. It grants nothing by itself. Never removed again: a role that nobody holds is
    harmless, but an access control that loses its role would be left without any condition."""

    name = "custom_role"
    table = "sys_user_role"
    retires = "keep"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        for role, because in {one.role: one.because for one in intent.profile.grants if one.made}.items():
            yield Wanted(
                kind=self.name,
                key=role,
                match={"name": role},
                initial={"description": f"Made by linkspan for {intent.user_name}."},
                because=because,
            )
