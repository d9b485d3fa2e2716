"""What is asked of a request at the level of the API, before any record: web services and OAuth scopes."""

from typing import TYPE_CHECKING

from wavetank.errors import PlatformError, api_refused
from wavetank.security.who import Session

if TYPE_CHECKING:
    from wavetank.instance import Instance

UNSCOPED = "Access to unscoped api is not allowed"
MAPPINGS = "oauth_entity_auth_scope_mapping"
SCOPE_CHECK = "com.glide.rest.api.auth.scope.check.enable"


def admit(instance: "Instance", session: Session, method: str, path: str, table: str) -> None:
    """Lets the request through, or raises PlatformError 403."""
    if session.client:
        _scoped(instance, session, method, path)
    known = instance.dictionary.table(table) if table else None
    if known is not None and not known.ws_access:
        raise api_refused()


def _scoped(instance: "Instance", session: Session, method: str, path: str) -> None:
    """A securely scoped client reaches only APIs that one of its scopes names.

    The scopes are read at the time of the call, so a change reaches tokens that are already out
    (ServiceNow docs: REST API auth scope).
    """
    if instance.property(SCOPE_CHECK, "true") != "true":
        return
    entity = instance.database.get("oauth_entity", session.client)
    if entity is None or entity.get("scope_restriction_status", "") in ("", "unrestricted"):
        return
    if not _mapped(instance, session.client, method, path):
        raise PlatformError(403, "User Not Authorized", UNSCOPED)


def _mapped(instance: "Instance", client: str, method: str, path: str) -> bool:
    if instance.dictionary.table(MAPPINGS) is None:
        return False
    held = {row["auth_scope"] for row in instance.database.find(MAPPINGS, oauth_entity=client)}
    if not held:
        return False
    account_wide = instance.database.first("sys_auth_scope", name="useraccount")
    if account_wide and account_wide["sys_id"] in held:
        return True
    if instance.dictionary.table("sys_api_access_scope") is None:
        return False
    return any(
        row["auth_scope"] in held
        and row["active"] != "false"
        and path.startswith(row["api_path"] or "\0")
        and (row["apply_all_methods"] == "true" or row["http_method"].upper() == method)
        for row in instance.database.find("sys_api_access_scope")
    )
