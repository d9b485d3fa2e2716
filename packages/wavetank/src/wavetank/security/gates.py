"""What is asked of a request at the level of the API, before any record: web services and OAuth scopes."""

from typing import TYPE_CHECKING

from wavetank.errors import api_refused
from wavetank.security import scopes
from wavetank.security.who import Session

if TYPE_CHECKING:
    from wavetank.instance import Instance


def admit(instance: "Instance", session: Session, method: str, path: str, table: str) -> None:
    """Lets the request through, or raises PlatformError 403."""
    if session.client:
        scopes.admit(instance, session.client, method, path)
    known = instance.dictionary.table(table) if table else None
    if known is not None and not known.ws_access:
        raise api_refused()
