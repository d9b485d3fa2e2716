"""Undelete: a deleted record comes back from its `sys_audit_delete` row, alone or with what went along.

ServiceNow docs: "Use the Deleted Records module to restore a deleted record", "Roll back and delete
recovery". Undeleting is an insert: rules run. What went along comes back within seven days.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from wavetank.database import audit
from wavetank.database.expressions import to_utc
from wavetank.database.store import Row

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.who import Session

TABLE = "sys_audit_delete"
DAYS = 7


def restore(instance: Instance, who: Session | None, deleted: Row, *, related: bool = True) -> Row:
    """Bring the record of a `sys_audit_delete` row back under its sys_id, and return it.

    With `related`, its journal entries and memberships too, unless they went more than seven days ago. The
    row itself goes. Raises ValueError when the record is there or its payload holds none; PlatformError as
    an insert does.
    """
    from wavetank.behaviour import pipeline

    database = instance.database
    (table, values), *along = audit.from_xml(deleted["payload"]) or [("", {})]
    known = database.dictionary.table(table)
    if known is None or not values.get("sys_id"):
        raise ValueError("the payload holds no record of a table that exists")
    if database.get(table, values["sys_id"]) is not None:
        raise ValueError(f"{table} {values['sys_id']} exists")
    oldest = to_utc(instance.clock.now() - timedelta(days=DAYS))
    with database.transaction():
        given = {name: value for name, value in values.items() if name in known.fields}
        row = pipeline.insert(instance, who, table, given)
        if related and deleted["sys_created_on"] >= oldest:
            for name, each in along:
                fields = database.known(name).fields
                if database.get(name, each["sys_id"]) is None:
                    database.insert(name, {n: v for n, v in each.items() if n in fields}, system=False)
        database.delete(TABLE, deleted["sys_id"])
    return row
