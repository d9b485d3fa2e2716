"""Who may do what with a file: it follows the record that it is attached to.

ServiceNow docs: "Attachment API role requirements": the roles to create attachment records, and those to read
and write the records of the target table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavetank.database.store import Row
    from wavetank.instance import Instance
    from wavetank.security.access import Operation
    from wavetank.security.who import Session

TABLE = "sys_attachment"
# The files of image and other file fields hang on the table's name with this before it.
_OF_A_FIELD = "ZZ_YY"


def target(instance: Instance, attachment: Mapping[str, str]) -> tuple[str, Row] | None:
    """Table and row of the record that a file is attached to; None when there is none."""
    known = instance.plugins.table(attachment["table_name"].removeprefix(_OF_A_FIELD))
    if known is None:
        return None
    row = instance.database.get(known.name, attachment["table_sys_id"])
    return None if row is None else (known.name, row)


def allowed(
    instance: Instance, session: Session, operation: Operation, table: str, row: Mapping[str, str]
) -> bool:
    """Whether the access controls let the session do this to this record."""
    access = instance.access
    if not access.table(session, operation, table):
        return False
    return not access.needs_row(session, operation, table) or access.row(session, operation, table, row)


def follows(
    instance: Instance, session: Session, operation: Operation, attachment: Mapping[str, str]
) -> bool:
    """Whether the record a file is attached to may be read, or written for any other operation.

    A file whose record is gone is the administrator's.
    """
    found = target(instance, attachment)
    if found is None:
        return session.is_admin or instance.settings.get("acl") == "off"
    needed: Operation = "read" if operation == "read" else "write"
    return allowed(instance, session, needed, *found)


def shown(instance: Instance, session: Session, attachment: str) -> bool:
    """Whether an attachment may be read as far as its record is concerned."""
    row = instance.database.get(TABLE, attachment)
    return row is not None and follows(instance, session, "read", row)
