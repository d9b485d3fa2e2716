"""The instance's own priority matrix (table ``dl_u_priority``, ServiceNow docs: Priority lookup rules)."""

from __future__ import annotations

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import NotAuthorized, NotFound, Rejected

LOOKUP = "dl_u_priority"


def matrix(connection: Connection) -> dict[tuple[str, str], str]:
    """(impact, urgency) → priority; empty when the account may not read it or the table is absent."""
    terms = query.term("active", "=", "true")
    try:
        rows = connection.table.page(
            LOOKUP, query=terms, fields=("impact", "urgency", "priority"), limit=200
        ).rows
    except (NotAuthorized, NotFound, Rejected):
        return {}
    return {(row["impact"], row["urgency"]): row["priority"] for row in rows if row.get("priority")}
