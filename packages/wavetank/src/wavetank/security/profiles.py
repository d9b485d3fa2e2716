"""The entity profiles of a registry entry and its classic scopes: what the parameter `scope` may ask for.

These scopes are not the authentication scopes that open APIs: the one list is asked when a token is made, the
other at each call (measured on developer instances).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wavetank.security.scopes import names_of

if TYPE_CHECKING:
    from wavetank.instance import Instance

PROFILES, LINKS, SCOPES = "oauth_entity_profile", "oauth_entity_profile_scope", "oauth_entity_scope"
ACCOUNT = "useraccount"
Row = Mapping[str, str]


class InvalidScope(Exception):
    """A scope that is not the client's, or a registry entry whose scopes have come apart."""


def of(instance: "Instance", client: Row, kind: str) -> Row | None:
    """The profile of a registry entry for a grant type; the default one where there are several."""
    found = instance.database.find(PROFILES, oauth_entity=client["sys_id"], grant_type=kind)
    return min(found, key=lambda row: row["default"] != "true", default=None)


def granted(instance: "Instance", client: Row, kind: str, wanted: str) -> str:
    """The scope of a token, as its answer names it. Raises InvalidScope.

    `wanted` is the parameter of the request: words separated by blanks, or "".
    """
    offered = _offered(instance, client, kind)
    for scope in wanted.split():
        if scope != ACCOUNT and scope not in offered:
            raise InvalidScope(scope)
    return wanted or " ".join(names_of(instance, client["sys_id"])) or ACCOUNT


def _offered(instance: "Instance", client: Row, kind: str) -> set[str]:
    database = instance.database
    rows = {row["sys_id"]: row for row in database.find(SCOPES, oauth_entity=client["sys_id"])}
    profile = of(instance, client, kind)
    links = database.find(LINKS, oauth_entity_profile=profile["sys_id"]) if profile else []
    if any(link["oauth_entity_scope"] not in rows for link in links):
        raise InvalidScope("The provided OAuth token is not valid")
    if links:
        rows = {link["oauth_entity_scope"]: rows[link["oauth_entity_scope"]] for link in links}
    return {name for row in rows.values() for name in (row["name"], row["oauth_entity_scope"]) if name}
