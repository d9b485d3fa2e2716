"""What an access policy can let in: API keys, and the methods that others use already."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.connection.auth.api_key import HEADER
from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Choice, Ref, Wanted

KEY_PROFILE = "linkspan API key"
# The standard methods by the label of their type; a policy lets in nothing that is not mapped to it.
STANDARD_PROFILES = {
    "linkspan basic": Choice("Basic Auth", ("basic_auth", "basic")),
    "linkspan OAuth": Choice("OAuth", ("oauth",)),
}
_PAGE = "System Web Services > API Access Policies > Inbound Authentication Profile"


class KeyProfile(Kind):
    """``http_key_auth``. ``auth_processor`` is on: a profile without it has been seen to shut out basic
    authentication everywhere (measured on a developer instance)."""

    name = "inbound_auth_profile"
    table = "http_key_auth"
    extends = "inbound_auth_profile"
    booleans = frozenset({"active", "auth_processor"})
    optional = frozenset({"auth_processor"})

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if intent.uses_key:
            parameter = Ref("auth_parameter", HEADER)
            yield Wanted(
                kind=self.name,
                key=KEY_PROFILE,
                match={"name": KEY_PROFILE},
                fields={"active": "true", "auth_parameter": parameter, "auth_processor": "true"},
                because="it lets a request in by the key in its header",
                after=(*intent.needs_plugin, parameter.id),
                common=True,
            )


class StandardProfile(Kind):
    """``std_http_auth``."""

    name = "standard_auth_profile"
    table = "std_http_auth"
    extends = "inbound_auth_profile"
    strict = frozenset({"type"})  # a profile of a type that is none lets nobody in

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if not intent.uses_key:
            return
        for name, kind in STANDARD_PROFILES.items():
            yield Wanted(
                kind=self.name,
                key=name,
                match={"name": name},
                fields={"active": "true", "type": kind},
                because=f"{kind.label} is in use by others; a policy that names only the key shuts them out",
                after=intent.needs_plugin,
                common=True,
            )

    def unlisted_step(self, wanted: Wanted, labels: Iterable[str]) -> str:
        return (
            f"This instance lists no type {', '.join(labels)} for authentication profiles. Open {_PAGE}, "
            f"make a standard one named {wanted.key} of the type that stands for it, and plan again: until "
            "then the access policy stays asleep, because it would shut this method out."
        )
