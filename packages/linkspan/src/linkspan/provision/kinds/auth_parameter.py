"""Where in a request an API key is looked for: the header of the platform's own clients."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.connection.auth.api_key import HEADER
from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Wanted


class AuthParameter(Kind):
    """``sys_token_auth_parameter`` (ServiceNow docs: Configure API key). A header, never a query parameter:
    urls are kept in logs."""

    name = "auth_parameter"
    table = "sys_token_auth_parameter"
    shared = True
    retires = "leave"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if intent.uses_key:
            yield Wanted(
                kind=self.name,
                key=HEADER,
                match={"parameter_name": HEADER, "type": "auth_header"},
                because="the key travels in this header",
                after=intent.needs_plugin,
            )
