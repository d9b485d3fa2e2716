"""The profile of the account's OAuth application, which names the grant it is used with."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Ref, Wanted


class OAuthProfile(Kind):
    """``oauth_entity_profile``. Without one an instance may refuse the client credentials grant (measured on
    developer instances). A release that makes it with the application has it already, so it may be anybody's.
    """

    name = "oauth_profile"
    table = "oauth_entity_profile"
    booleans = frozenset({"default"})
    optional = frozenset({"default"})
    shared = True

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if intent.scheme != "oauth_client":
            return
        application = Ref("oauth_application", intent.application)
        yield Wanted(
            kind=self.name,
            key=intent.application,
            match={"oauth_entity": application, "grant_type": "client_credentials"},
            fields={"default": "true"},
            initial={"name": intent.application},
            because="the application gets its tokens by the client credentials grant",
            after=(application.id,),
        )
