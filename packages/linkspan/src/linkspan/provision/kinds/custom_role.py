"""Roles that a recipe asks linkspan to make: a name of the account's own, for access controls to ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Wanted

_SIGNED = "Made by linkspan:"


class CustomRole(Kind):
    """``sys_user_role``. It grants nothing by itself, and accounts of one recipe share it. Never removed
    again: a role that nobody holds is harmless, but an access control that loses its role would be left
    without any condition."""

    name = "custom_role"
    table = "sys_user_role"
    watched = ("description",)
    retires = "keep"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        for role, because in {one.role: one.because for one in intent.profile.grants if one.made}.items():
            yield Wanted(
                kind=self.name,
                key=role,
                match={"name": role},
                initial={"description": described(because)},
                because=because,
                common=True,
            )

    def is_signed(self, row: Mapping[str, str]) -> bool:
        """The one that came with an update set of ours says so too."""
        return row.get("description", "").startswith(_SIGNED)


def described(because: str) -> str:
    """The description of a role of ours, by which it is known again."""
    return f"{_SIGNED} {because}"
