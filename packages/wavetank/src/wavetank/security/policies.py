"""REST API access policies: which ways of signing in an API takes.

The policy that fits a request best decides alone. As soon as a profile is mapped to it, only mapped ways
are taken, and an API key or a signature is looked at only where a profile for it is mapped (ServiceNow
docs: Create REST API access policy, API access policy prioritization; measured on developer instances).
Policies are for non-interactive sessions (ServiceNow docs: API access policy).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_plus

from wavetank.errors import PlatformError
from wavetank.security import plugins, signatures
from wavetank.security.credentials import Presented, Scheme
from wavetank.security.names import listed
from wavetank.security.remembered import Remembered

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change
    from wavetank.database.store import Row
    from wavetank.instance import Instance
    from wavetank.security.who import Session

TABLE_API = "4be1d2c7a35b40c39f1e6d80b7a4c512"
AGGREGATE_API = "91c05a7e6d2f4b8893e47ab5d1f6c034"
# What the field `api` holds for an API is not documented; these are wavetank's own, as are any instance's.
PATHS = {
    TABLE_API: "now/table",
    AGGREGATE_API: "now/stats",
    "5f8e2c91d07b46a3b1c4e9f20a6d3b57": "now/attachment",
    "a27d40be91c843f5860be3d15c94f72e": "now/batch",
    "c3b6f1089e5d4a72bd20f7846ae1950c": "now/import",
}
SOURCES = (
    "sys_api_access_policy",
    "sys_auth_profile_mapping",
    "inbound_auth_profile",
    "sys_token_auth_parameter",
    "hmac_config",
    "sys_plugins",
    "sys_properties",
)
FIRST_ONLY = "glide.security.response.authenticate.header.auth_profile.first_scheme_only"
BASIC, BEARER = 'BASIC realm="Service-now"', 'BEARER realm="Service-now"'
# How the type of an auth parameter in the address is called is wavetank's own.
QUERY = "query_parameter"
_CHALLENGES = {"basic_auth": BASIC, "oauth": BEARER, "id_token": BEARER}
_SCHEMES = {
    "basic": "basic_auth",
    **dict.fromkeys(("oauth_password", "oauth_client", "oauth_code", "oauth_jwt", "oauth_implicit"), "oauth"),
}
_VERSION = re.compile(r"(?P<app>\w+)(?:/(?P<version>v\d+))?/(?P<rest>.*)")
_LATEST = ("", "latest")
# Profiles whose credential is a token, and what each makes a request present.
_TOKENS: dict[str, Scheme] = {"http_key_auth": "api_key", "http_hmac_auth": "hmac"}


@dataclass(frozen=True, slots=True)
class Profile:
    """An active inbound authentication profile: its class, or for a standard one its type."""

    kind: str
    entity: str = ""
    parameter: str = ""
    in_query: bool = False
    prefix: str = ""
    algorithm: str = ""
    default_key: str = ""

    def said(self, headers: Mapping[bytes, bytes], query: str) -> str | None:
        """What a request has in the header, or the parameter of its address, that this profile reads."""
        if self.in_query:
            return next((value for name, value in parse_qsl(query, True) if name == self.parameter), None)
        found = headers.get(self.parameter.lower().encode("latin-1", "replace"))
        return None if found is None else found.decode("latin-1")

    def presents(self, said: str, body: bytes) -> Presented:
        """What a request presents by that; a token without its prefix is none."""
        said = said.removeprefix(self.prefix).strip() if said.startswith(self.prefix) else ""
        scheme = _TOKENS[self.kind]
        if scheme == "api_key":
            return Presented(scheme, "", said)
        key, signature = signatures.read(said, self.default_key)
        return Presented(scheme, key, signature, body, self.algorithm)


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is for: "now/table", its resource below that without the version, the version."""

    method: str
    path: str
    version: str
    table: str

    @classmethod
    def of(cls, method: str, path: str, table: str) -> "Target":
        """The target of an address; a HEAD request is a GET without the body."""
        method = "GET" if method == "HEAD" else method
        found = _VERSION.fullmatch(path.removeprefix("/api/"))
        if found is None:
            return cls(method, path.removeprefix("/api/"), "", table)
        return cls(method, f"{found['app']}/{found['rest']}", found["version"] or "", table)


@dataclass(frozen=True, slots=True)
class Policy:
    """An active policy. Empty text or None means: all of them."""

    path: str | None
    method: str
    version: str | None
    resource: str
    tables: frozenset[str] | None
    mapped: bool
    profiles: tuple[Profile, ...]
    advertises_all: bool

    def covers(self, target: Target) -> bool:
        if self.method and self.method != target.method:
            return False
        if self.path is None:
            return True
        if not f"{target.path}/".startswith(f"{self.path}/"):
            return False
        if self.version is not None and self.version != target.version:
            return False
        if self.resource and not fits(self.resource, target.path):
            return False
        return self.tables is None or target.table in self.tables

    @property
    def rank(self) -> int:
        """The documented order; the smallest wins."""
        if self.path is None:
            return 9 if self.method else 10
        narrowed = (bool(self.method), bool(self.resource), self.version is not None)
        return _RANKS[narrowed]

    def token(self, headers: Mapping[bytes, bytes], query: str, body: bytes) -> Presented | None:
        """The API key or the signature a request brings where a mapped profile reads one."""
        for profile in self.profiles:
            if profile.kind in _TOKENS and (said := profile.said(headers, query)) is not None:
                return profile.presents(said, body)
        return None

    def without_tokens(self, query: str) -> str:
        """The query of an address without the parameters that hold a token: they are nobody else's."""
        named = {profile.parameter for profile in self.profiles if profile.in_query}
        if not named:
            return query
        return "&".join(
            each for each in query.split("&") if unquote_plus(each.partition("=")[0]) not in named
        )

    def takes(self, scheme: str, client: str = "") -> bool:
        """Whether a way of signing in is mapped; `client` is the registry entry of an OAuth token."""
        if not self.mapped or scheme in _TOKENS.values():
            return True
        kind = _SCHEMES.get(scheme, scheme)
        return any(
            profile.kind == kind and (kind != "oauth" or profile.entity in ("", client))
            for profile in self.profiles
        )

    def challenges(self) -> list[str]:
        """What a 401 advertises: the scheme of the profile mapped last, or all of them, the last first."""
        told = reversed(self.profiles if self.advertises_all else self.profiles[-1:])
        return list(dict.fromkeys(_CHALLENGES[each.kind] for each in told if each.kind in _CHALLENGES))


# method, resource, version: the rank
_RANKS = {
    (True, True, True): 1,
    (True, True, False): 2,
    (False, True, True): 3,
    (False, True, False): 4,
    (True, False, True): 5,
    (True, False, False): 6,
    (False, False, True): 7,
    (False, False, False): 8,
}


class Policies:
    """The access policies of one instance, read again only after one of their tables was written."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._active = Remembered(instance, SOURCES, self._read)
        self._restricted = Remembered(instance, ("oauth_entity",), self._read_restricted)

    def of(self, method: str, path: str, table: str) -> Policy | None:
        """The one policy that decides about a request; None when no active one covers it."""
        active = self._active.now()
        if not active:
            return None
        target = Target.of(method, path, table)
        return next((policy for policy in active if policy.covers(target)), None)

    def admit(self, policy: Policy | None, session: "Session") -> bool:
        """Whether the way a session was proven is taken where this policy decides.

        A client whose token restriction is enforced reaches only what a policy with an OAuth profile of its
        own covers (ServiceNow docs: Create an endpoint for external clients).
        """
        if session.client in self._restricted.now() and (policy is None or not policy.mapped):
            return False
        return policy is None or policy.takes(session.scheme, session.client)

    def read(self, sys_id: str) -> Policy | None:
        """A policy by its sys_id, whether or not it is active."""
        row = self._instance.database.get("sys_api_access_policy", sys_id) if sys_id else None
        return self._policy(row) if row else None

    def refusal(
        self, policy: Policy | None, scheme: str, refused: PlatformError | None = None
    ) -> PlatformError:
        """The 401 of a request under a policy; `refused` is what it would be without one."""
        refusal = refused or self._instance.identity.refusal()
        said = str(self._instance.settings.get("api_key_refusal"))
        message = said if said and scheme == "api_key" else refusal.message
        if policy is None or not policy.mapped:
            return replace(refusal, message=message)
        first, *others = policy.challenges() or [""]
        return replace(
            refusal,
            message=message,
            headers=_without_challenge(refusal.headers) | ({"WWW-Authenticate": first} if first else {}),
            repeated=tuple(("WWW-Authenticate", each) for each in others),
        )

    def _read_restricted(self) -> frozenset[str]:
        """The registry entries whose token restriction is enforced."""
        entities = self._instance.database.find("oauth_entity", enforce_token_restrictions="true")  # noqa: S106
        return frozenset(row["sys_id"] for row in entities)

    def _read(self) -> tuple[Policy, ...]:
        instance = self._instance
        if not instance.plugins.active(plugins.POLICIES):
            return ()
        rows = instance.database.find("sys_api_access_policy", active="true")
        made = (self._policy(row) for row in rows if row["apply_global"] == "true" or row["api"])
        return tuple(sorted(made, key=lambda policy: policy.rank))

    def _policy(self, row: "Row") -> Policy:
        database = self._instance.database
        whole = row["apply_all"] == "true"
        everywhere = row["apply_global"] == "true"
        mappings = database.find("sys_auth_profile_mapping", api_access_policy=row["sys_id"])
        profiles = tuple(self._profiles(mapping["inbound_auth_profile"] for mapping in mappings))
        if everywhere:  # a key may not open every API at once
            profiles = tuple(each for each in profiles if each.kind not in _TOKENS)
        every = {
            name: whole or row[f"apply_all_{name}"] == "true" for name in ("methods", "resources", "versions")
        }
        version = row["version"] if row["version"] not in _LATEST else ""
        named = frozenset(listed(row["api_tablename"]))
        for_tables = row["api_path"] == PATHS[TABLE_API] and row.get("apply_all_tables", "true") != "true"
        return Policy(
            path=None if everywhere else row["api_path"].strip("/"),
            method="" if every["methods"] else row["http_method"].upper(),
            version=None if every["versions"] else version,
            resource="" if every["resources"] else row["api_resource"].strip("/"),
            tables=named if for_tables else None,
            mapped=bool(mappings),
            profiles=profiles,
            advertises_all=row.get("all_authn_scheme_authenticate_header") == "true"
            or self._instance.property(FIRST_ONLY, "true") == "false",
        )

    def _profiles(self, sys_ids: Iterable[str]) -> Iterable[Profile]:
        database = self._instance.database
        for sys_id in sys_ids:
            base = database.get("inbound_auth_profile", sys_id)
            if base is None or base["active"] != "true":
                continue
            kind = base["sys_class_name"]
            row = database.get(kind, sys_id) or base
            if kind == "std_http_auth":
                yield Profile(row["type"], row["oauth_entity"])
            elif kind in _TOKENS and self._instance.plugins.active(plugins.API_KEYS):
                yield from self._token_profile(kind, row)

    def _token_profile(self, kind: str, row: "Row") -> Iterable[Profile]:
        database = self._instance.database
        parameter = database.get("sys_token_auth_parameter", row["auth_parameter"])
        if parameter is None or parameter["type"] not in ("auth_header", QUERY):
            return
        config = database.get("hmac_config", row.get("hmac_config", ""))
        # A script of one's own decides otherwise what is signed; such a profile takes nothing.
        signs = config is not None and not config["hmac_util_script"]
        yield Profile(
            kind,
            parameter=parameter["parameter_name"],
            in_query=parameter["type"] == QUERY,
            prefix=parameter["prefix"],
            algorithm=config["hash_algorithm"] if config is not None and signs else "",
            default_key=row.get("default_key_id", ""),
        )


def _without_challenge(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "WWW-Authenticate"}


def fill_path(change: "Change") -> None:
    """The path follows the REST API that is chosen (ServiceNow docs: Create REST API access policy)."""
    if change.changes("api"):
        change.row["api_path"] = PATHS.get(change.row["api"], "")


def fits(resource: str, path: str) -> bool:
    """Whether a path is of a resource like now/table/{tableName}: as many parts, the fixed ones alike."""
    wanted, given = resource.split("/"), path.strip("/").split("/")
    return len(wanted) == len(given) and all(
        part.startswith("{") or part == here for part, here in zip(wanted, given, strict=True)
    )
