"""What is asked of a request at the level of the API, before any record: switches, scopes, web services."""

import re
from typing import TYPE_CHECKING

from wavetank.errors import api_refused, table_refused, unknown_resource
from wavetank.security import restriction, scopes
from wavetank.security.names import listed
from wavetank.security.who import Session

if TYPE_CHECKING:
    from wavetank.instance import Instance


# ServiceNow docs: Available system properties; a support article shows the names and the refusal.
ENABLED, DISABLED = "glide.rest.apis.enabled", "glide.rest.apis.disabled"
APIS = {
    "table": "Table API",
    "stats": "Aggregate API",
    "attachment": "Attachment API",
    "import": "Import Set API",
    "identifyreconcile": "Identification and Reconciliation API",
    "batch": "Batch API",
}
_API = re.compile(r"/api/now(?:/v\d+)?/([^/]+)")


def admit(instance: "Instance", session: Session, method: str, path: str, table: str) -> None:
    """Lets the request through, or raises PlatformError: 403, or 400 for an API that is switched off."""
    found = _API.match(path)
    name = APIS.get(found[1], "") if found else ""
    if not _switched_on(instance, name):
        raise unknown_resource()
    if name and not instance.access.endpoint(session, name):
        raise api_refused()
    if not instance.machines.admits(session, method, path, table):
        raise api_refused()
    if session.client:
        scopes.admit(instance, session.client, method, path)
    if table == restriction.EXCEPTIONS and not restriction.may_see(instance, session):
        raise table_refused(table)
    known = instance.dictionary.table(table) if table else None
    if known is not None and not known.ws_access:
        raise api_refused()


def _switched_on(instance: "Instance", name: str) -> bool:
    """Whether an API is there: all are, unless a property names those that are or are not."""
    enabled, disabled = (listed(instance.property(each)) for each in (ENABLED, DISABLED))
    return not name or (name not in disabled and (not enabled or name in enabled))
