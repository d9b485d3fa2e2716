"""The account's API key. The instance makes its token, which no API gives away: a person reads it once."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Ref, Wanted


class ApiKey(Kind):
    """``api_key`` (ServiceNow docs: Configure API key). While keys are rotated the account has two of them.

    The fingerprint of its mark stands for the token that a login proved, not for the values.
    """

    name = "api_key"
    table = "api_key"
    retires = "deactivate"  # the platform removes what is revoked; the record says for a while that it was
    proven = True

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if not intent.uses_key:
            return
        user = Ref("user", intent.user_name)
        for name in intent.key_names:
            yield Wanted(
                kind=self.name,
                key=name,
                match={"name": name},
                fields={"user": user, "active": "true"},
                because="the account signs in with it, and acts as its user",
                after=(*intent.needs_plugin, user.id),
            )


def number(name: str) -> int:
    """Which of an account's keys this is; the first has no number in its name."""
    tail = name.rpartition(".")[2]
    return int(tail) if tail.isdigit() else 1


def nth(name: str, wanted: int) -> str:
    """The name of the account's key of this number, from the name of any of them."""
    first = name.removesuffix(f".{number(name)}")
    return first if wanted == 1 else f"{first}.{wanted}"


def reveal_step(intent: Intent, name: str, *, then: str = "") -> str:
    """How a person gets at the token of a key, where it goes, and the command that goes on from there."""
    place = f"{intent.instance}/{intent.account}/api_key"
    then = then or f"linkspan apply {intent.account} --instance {intent.instance}"
    return (
        f"Reveal the token as a person: sign in to {intent.instance} as an administrator, open System Web "
        f"Services > API Access Policies > REST API Key > {name}, click the lock beside Token and copy it. "
        f"Give it to `linkspan secrets set {place}`, which asks for it, then run "
        f"`{then}`."
    )


def rotate_command(intent: Intent) -> str:
    """The command that replaces the account's key on this instance."""
    return f"linkspan accounts rotate {intent.account} --instance {intent.instance}"


def rotation_step(intent: Intent) -> str:
    """What a person does who finds two keys: one of them is about to replace the other."""
    return f"A new key is about to replace the old one; go on with `{rotate_command(intent)}`."
