"""The person who answers for the account; looked up only."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Wanted


class Owner(Kind):
    """A ``sys_user`` row of a person, by user name."""

    name = "owner"
    table = "sys_user"
    given = True
    shared = True
    retires = "leave"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if intent.owner:
            yield Wanted(
                kind=self.name,
                key=intent.owner,
                match={"user_name": intent.owner},
                because="somebody must answer for the account",
            )

    def missing(self, wanted: Wanted) -> str:
        return (
            f"There is no user {wanted.key} here. Create this person, or name another owner in linkspan.yaml."
        )
