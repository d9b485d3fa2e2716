"""The virus scan of attached files: some seconds after the upload, an attachment becomes available.

Recorded on developer instances: state pending on creation, then available by the user system, with
sys_mod_count 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavetank.instance import Instance

TABLE = "sys_attachment"
PENDING, AVAILABLE = "pending", "available"


def later(instance: Instance, attachment: str) -> None:
    """Has a pending attachment scanned when its seconds have passed on the instance's clock."""
    instance.clock.after(
        float(instance.settings.get("attachment_scan_seconds")), lambda: _scanned(instance, attachment)
    )


def resume(instance: Instance) -> None:
    """Takes up the scans that other rows, of a file or a snapshot, are still waiting for."""
    if instance.dictionary.table(TABLE) is None:
        return
    for row in instance.database.find(TABLE, state=PENDING):
        later(instance, row["sys_id"])


def _scanned(instance: Instance, attachment: str) -> None:
    with instance.lock:
        row = instance.database.get(TABLE, attachment)
        if row is not None and row["state"] == PENDING:
            instance.database.update(TABLE, attachment, {"state": AVAILABLE})
