"""Read-only fields of the dictionary: which of them an API may not write.

ServiceNow docs: "Configuring read-only security options" (from Australia): Display Read Only binds the UI
alone; Client Script Modifiable and Strict Read Only bind server-side APIs as well; a field without an option
of its own follows a property. Whether a refused write fails or the field is passed over is not documented:
setting `read_only_write`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from wavetank.database.dictionary import Table
from wavetank.errors import operation_failed

if TYPE_CHECKING:
    from wavetank.instance import Instance

PROPERTY = "glide.read_only.legacy_read_only_behavior"
DISPLAY = "display_read_only"
_LEGACY = ("", "instance_configured")


def locked(instance: Instance, table: Table) -> frozenset[str]:
    """The fields of a table that no API writes. Releases before Australia have none."""
    if instance.release == "zurich":
        return frozenset()
    return frozenset(
        name
        for name, field in table.fields.items()
        if field.read_only and _binds(instance, field.table, name)
    )


def check(instance: Instance, table: Table, names: Iterable[str]) -> None:
    """Raises PlatformError for a write to a locked field, where the setting says that it fails."""
    if instance.settings.get("read_only_write") != "403":
        return
    refused = sorted(locked(instance, table) & set(names))
    if refused:
        labels = ", ".join(table.fields[name].label for name in refused)
        raise operation_failed(f"The following fields are read only: {labels}")


def _binds(instance: Instance, table: str, name: str) -> bool:
    row = instance.database.first("sys_dictionary", name=table, element=name)
    option = row["read_only_option"] if row else ""
    if option in _LEGACY:
        option = instance.property(PROPERTY, "client_script_modifiable")
    return option != DISPLAY
