"""Rules of the Scan Engine app. ServiceNow docs: "Define My SN Instance environments"."""

from __future__ import annotations

from wavetank.behaviour.change import Change

TABLE = "sn_se_my_sn_instances"
PRODUCTION = "Production"
VALID, INVALID = "Connection Valid", "Connection Invalid"


def one_production(change: Change) -> None:
    """With more than one Production instance the integration fails; the record itself is taken."""
    database = change.instance.database
    rows = database.find(TABLE)
    if sum(row["environment"] == PRODUCTION for row in rows) <= 1:
        return
    for row in rows:
        if row["connection_status"] == VALID:
            failed = {"validated": "false", "connection_status": INVALID}
            database.update(TABLE, row["sys_id"], failed, system=False)
