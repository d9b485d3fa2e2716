"""The caller of one request, once it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

# Roles that admin does not imply: they count only when granted
# (ServiceNow docs: instance integration for scan engine; Basic authentication restriction).
EXPLICIT_ONLY = frozenset(
    {"snc_basic_auth_api_access", "nobody", "security_admin", "snc_read_only", "snc_external"}
)
EXPLICIT_PREFIX = "sn_se."
# What only a caller who has not signed in holds. No role can be called so.
GUEST = "\0guest"


@dataclass(frozen=True, slots=True)
class Session:
    """A user with the roles of the moment.

    `roles` are the roles held by a row of sys_user_has_role, granted or inherited, but for those that count
    only once the session is raised: these are `elevatable`. `borrowed` are those of `roles` that are lent for
    a time only. `explicit_roles` are those granted to the user itself. `scheme` is basic, api_key,
    oauth_password, oauth_client, oauth_code, oauth_jwt, oauth_implicit, session (a login in the UI) or guest
    (nobody signed in). `client` is the sys_id of whose scopes count: the registry entry of an OAuth token, or
    an API key; "" for callers without scopes.
    """

    user: Mapping[str, str]
    roles: frozenset[str]
    explicit_roles: frozenset[str]
    scheme: str
    time_zone: str
    elevated: bool = False
    client: str = ""
    elevatable: frozenset[str] = frozenset()
    borrowed: frozenset[str] = frozenset()

    @property
    def user_name(self) -> str:
        return self.user["user_name"]

    @property
    def sys_id(self) -> str:
        return self.user["sys_id"]

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    def has_role(self, name: str) -> bool:
        """Whether a role check passes: held, or admin for every role that admin implies."""
        if name in self.roles:
            return True
        explicit = name in EXPLICIT_ONLY or name.startswith(EXPLICIT_PREFIX)
        return self.is_admin and not explicit

    def raised(self, *, on: bool) -> "Session":
        """The session with its elevated roles, or without (ServiceNow docs: Elevated privilege roles)."""
        roles = self.roles | self.elevatable if on else self.roles - self.elevatable
        return replace(self, elevated=on, roles=roles)

    def returned(self, still: frozenset[str]) -> "Session":
        """The session without the borrowed roles that are not lent any more."""
        gone = self.borrowed - still
        return replace(self, roles=self.roles - gone, borrowed=self.borrowed & still) if gone else self
