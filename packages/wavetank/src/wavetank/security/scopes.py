"""Which APIs an OAuth client reaches: the authentication scopes of its registry entry.

Read at the time of the call, so a change reaches tokens that are already out. Basic and session callers
have no scopes (ServiceNow docs: REST API auth scope, REST API scope troubleshooting); API keys have a field
for them, and whether it is asked is a setting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from wavetank.errors import PlatformError
from wavetank.security.keys import TABLE as KEYS
from wavetank.security.names import listed
from wavetank.security.policies import Target, fits

if TYPE_CHECKING:
    from wavetank.instance import Instance

UNSCOPED = "Access to unscoped api is not allowed"
MISSING = "Missing required api access scope: "
ENTITIES, MAPPINGS = "oauth_entity", "oauth_entity_auth_scope_mapping"
SCOPES, BOUND = "sys_auth_scope", "sys_api_access_scope"
CHECK = "com.glide.rest.api.auth.scope.check.enable"
ACCOUNT = "glide.oauth.token.scope.useraccount"
ALLOW_UNSCOPED = "glide.security.oauth_allow_unscoped_clients"


def admit(instance: "Instance", client: str, method: str, path: str) -> None:
    """Lets a call of a registry entry (with its token) or of a key through, or raises PlatformError 403."""
    if instance.property(CHECK, "true") == "false":
        return
    known = _read(instance)
    status, held = known.clients.get(client, ("", frozenset()))
    if _account_wide(instance, status, held):
        return
    target = Target.of(method, path, "")
    needed = {bound.scope: None for bound in known.bound if bound.covers(target)}
    if needed:
        if not held & needed.keys():
            names = ", ".join(known.names.get(scope, scope) for scope in needed)
            raise PlatformError(403, "User Not Authorized", MISSING + names)
    elif status not in ("", "unrestricted") and instance.property(ALLOW_UNSCOPED, "false") != "true":
        raise PlatformError(403, "User Not Authorized", UNSCOPED)


def names_of(instance: "Instance", client: str) -> list[str]:
    """The names of the authentication scopes a registry entry holds, in order."""
    known = _read(instance)
    _, held = known.clients.get(client, ("", frozenset()))
    return sorted(known.names[scope] for scope in held if scope in known.names)


def _account_wide(instance: "Instance", status: str, held: frozenset[str]) -> bool:
    """Whether the client holds the scope that opens every API: the one a property names, by sys_id."""
    account = instance.property(ACCOUNT)
    if not account or account not in held:
        return False
    return status != "useraccount" or instance.settings.get("useraccount_scope") == "opens"


@dataclass(frozen=True, slots=True)
class _Bound:
    """An API that asks for a scope. Empty text means: all of them."""

    scope: str
    path: str
    method: str
    resource: str
    version: str | None

    def covers(self, target: Target) -> bool:
        if self.method not in ("", target.method) or self.version not in (None, target.version):
            return False
        if not f"{target.path}/".startswith(f"{self.path}/"):
            return False
        return not self.resource or fits(self.resource, target.path)


@dataclass(frozen=True, slots=True)
class _Known:
    """Status and scopes of each client and key, the APIs that ask for a scope, names of scopes."""

    clients: Mapping[str, tuple[str, frozenset[str]]]
    bound: tuple[_Bound, ...]
    names: Mapping[str, str]


_known: "WeakKeyDictionary[Instance, tuple[int, _Known]]" = WeakKeyDictionary()


def _read(instance: "Instance") -> _Known:
    """What the tables say, read again only after one of them was written."""
    database = instance.database
    revision = database.revision(ENTITIES, MAPPINGS, SCOPES, BOUND, KEYS)
    known = _known.get(instance)
    if known is None or known[0] != revision:
        held: dict[str, set[str]] = {}
        for row in database.find(MAPPINGS):
            held.setdefault(row["oauth_entity"], set()).add(row["auth_scope"])
        clients = {
            row["sys_id"]: (row["scope_restriction_status"], frozenset(held.get(row["sys_id"], ())))
            for row in database.find(ENTITIES)
        }
        for row in database.find(KEYS):
            clients[row["sys_id"]] = ("", frozenset(listed(row["auth_scope"])))
        bound = (_bound(row) for row in database.find(BOUND, active="true") if row["api_path"])
        names = {row["sys_id"]: row["name"] for row in database.find(SCOPES)}
        known = _known[instance] = (revision, _Known(clients, tuple(bound), names))
    return known[1]


def _bound(row: Mapping[str, str]) -> _Bound:
    version = row["version"] if row["version"] not in ("", "latest") else ""
    return _Bound(
        scope=row["auth_scope"],
        path=row["api_path"].strip("/").removeprefix("api/"),
        method="" if row["apply_all_methods"] == "true" else row["http_method"].upper(),
        resource="" if row["apply_all_resources"] == "true" else row["resource"].strip("/"),
        version=None if row["apply_all_versions"] == "true" else version,
    )
