"""System properties that a scheme depends on. They belong to the instance, so they are never removed."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Wanted

CLIENT_CREDENTIALS = "glide.oauth.inbound.client.credential.grant_type.enabled"


class Property(Kind):
    """``sys_properties``; the client credentials grant is off until its property is true
    (ServiceNow docs: OAuth inbound client credentials)."""

    name = "property"
    table = "sys_properties"
    booleans = frozenset({"value"})
    shared = True
    retires = "leave"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if intent.scheme != "oauth_client":
            return
        yield Wanted(
            kind=self.name,
            key=CLIENT_CREDENTIALS,
            match={"name": CLIENT_CREDENTIALS},
            fields={"value": "true", "type": "boolean"},
            because="the client credentials grant is refused until this property is true",
        )

    def same(self, field: str, wanted: str, seen: str) -> bool:
        return field == "type" or super().same(field, wanted, seen)
