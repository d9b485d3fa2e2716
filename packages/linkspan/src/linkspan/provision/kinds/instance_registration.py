"""The Scan Engine's list of instances: on each instance of the fleet a row for every one of them."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind, Member
from linkspan.provision.values import Choice, Ref, Wanted

_DEVELOPMENT = frozenset({"development", "sandbox"})


class InstanceRegistration(Kind):
    """``sn_se_my_sn_instances``. The column names are not public, so fields go by their labels; the
    instance name has to be the target's own ``instance_name`` property, the URL without path or
    trailing slash (ServiceNow docs: Register your instance; Add and view Scan Engine related lists)."""

    name = "instance_registration"
    table = "sn_se_my_sn_instances"
    labels = ("Instance Name", "Instance URL", "Environment", "Authentication Type", "API Credential Config")

    def want(self, intent: Intent) -> Iterable[Wanted]:
        for member in intent.fleet:
            profile = Ref("auth_profile", intent.auth_profile(member.name))
            yield Wanted(
                kind=self.name,
                key=member.name,
                match={"Instance Name": member.instance_name},
                fields={
                    "Instance URL": member.url,
                    "Environment": Choice(environment(member)),
                    "Authentication Type": Choice("Basic"),
                    "API Credential Config": profile,
                },
                because=intent.registers,
                after=(*intent.needs_app, profile.id),
                blocked=member.unknown,
            )


def environment(member: Member) -> str:
    """The Scan Engine's word, one of three, for an environment of the configuration."""
    if member.environment == "production":
        return "Production"
    return "Development" if member.environment in _DEVELOPMENT else "Test"
