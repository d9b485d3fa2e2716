"""What anybody may ask for without signing in: tables, and the keys that verify the instance's tokens.

ServiceNow docs: "REST APIs", REST API table access: a table named in `sys_public` needs no authentication;
its access controls still count, for a caller who has nothing but the role public.
The same user makes every call where signing in is not required at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wavetank.security.who import GUEST, Session

if TYPE_CHECKING:
    from wavetank.instance import Instance

TABLE = "sys_public"
# Whoever verifies a token of the instance has no account on it.
OPEN = frozenset({"/api/now/oauth/jwks"})
# Whether calls of a kind need to sign in at all (ServiceNow docs: Require authorization for API requests, for
# JSONv2 requests).
REQUIRED, REQUIRED_JSONV2 = "glide.basicauth.required.api", "glide.basicauth.required.jsonv2"
_NOBODY = {"sys_id": "guest", "user_name": "guest", "name": "Guest"}


def session(instance: Instance, table: str, required: str = REQUIRED) -> Session | None:
    """The session of a caller who presented nothing; None where that is not enough.

    It is for a public table, and where the property `required` asks nobody to sign in.
    """
    if instance.property(required, "true") != "false" and not _public(instance, table):
        return None
    user = instance.database.first("sys_user", user_name="guest") or _NOBODY
    return Session(
        user=user,
        roles=frozenset({"public", GUEST}),
        explicit_roles=frozenset(),
        scheme="guest",
        time_zone=instance.property("glide.sys.default.tz") or "UTC",
    )


def _public(instance: Instance, table: str) -> bool:
    if not table or instance.dictionary.table(TABLE) is None:
        return False
    return instance.database.first(TABLE, page=table, active="true") is not None
