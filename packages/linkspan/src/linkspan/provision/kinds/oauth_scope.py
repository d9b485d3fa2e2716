"""The auth scopes of the account's OAuth application: what its tokens may be used for."""

from __future__ import annotations

from collections.abc import Iterable

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.values import Ref, Wanted


class AuthScope(Kind):
    """``sys_auth_scope``, looked up only; ``useraccount`` comes with the platform (ServiceNow docs: REST API
    auth scope)."""

    name = "auth_scope"
    table = "sys_auth_scope"
    given = True
    shared = True
    retires = "leave"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if not intent.uses_client:
            return
        for scope in intent.profile.scopes:
            yield Wanted(kind=self.name, key=scope.name, match={"name": scope.name}, because=scope.because)

    def missing(self, wanted: Wanted) -> str:
        return (
            f"The auth scope {wanted.key} does not exist here. Make it in System OAuth > Auth Scopes and say "
            "there which APIs it opens: an API that asks for a scope refuses every token without it."
        )


class OAuthScope(Kind):
    """``oauth_entity_auth_scope_mapping``: what the form for a new inbound integration writes for its auth
    scopes (measured on a developer instance)."""

    name = "oauth_scope"
    table = "oauth_entity_auth_scope_mapping"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        if not intent.uses_client:
            return
        application = Ref("oauth_application", intent.application)
        for scope in intent.profile.scopes:
            given = Ref("auth_scope", scope.name)
            yield Wanted(
                kind=self.name,
                key=f"{intent.application}: {scope.name}",
                match={"oauth_entity": application, "auth_scope": given},
                because=scope.because,
                after=(given.id, application.id),
            )
