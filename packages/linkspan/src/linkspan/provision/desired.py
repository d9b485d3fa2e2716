"""What should be: the records of one account on one instance."""

from __future__ import annotations

from linkspan.provision.kinds import CREDENTIAL, KINDS, Intent
from linkspan.provision.values import Wanted


def desire(intent: Intent) -> list[Wanted]:
    """Every record the account needs, those that others depend on first."""
    return [wanted for kind in KINDS for wanted in kind.want(intent)]


def credential_of(intent: Intent, instance: str) -> Wanted:
    """The credential as a record: it lives in the secret store and is proven by a login."""
    holders = [f"user/{intent.user_name}"]
    if intent.uses_client:
        holders.append(f"oauth_application/{intent.application}")
    because = "each instance has a secret of its own, stored before it is sent and proven by a login"
    if intent.uses_key:
        holders = [f"api_key/{intent.key_names[-1]}"]
        because = (
            "the instance makes the token and shows it to a person only; a login proves that it is the one"
        )
    if intent.scheme == "oauth_code":
        because = "the account's person allows it once in a browser; each instance gives a token of its own"
    return Wanted(
        kind=CREDENTIAL,
        key=f"store:{instance}/{intent.account}/{intent.scheme}",
        match={},
        because=because,
        after=tuple(holders),
    )
