"""The audit trail: `sys_audit` for changes, `sys_audit_delete` for deletions.

ServiceNow docs: "Exploring auditing", "Understanding the sys_audit table". Fields of the system are not
audited, except the class and the domain.
"""

from __future__ import annotations

import msgspec

from wavetank.database.dictionary import PASSWORDS, Table
from wavetank.database.store import Database, Row

JOURNAL_MARK = "JOURNAL FIELD ADDITION"
_SYSTEM_AUDITED = frozenset({"sys_class_name", "sys_domain_id"})
# The tables of the system whose deletions are kept all the same, separated by commas.
LISTED = "glide.ui.audit_deleted_tables"
UNKEPT = "no_audit_delete"
# Their deletions leave no trace: they are themselves the trace, or caches.
_NOT_KEPT = ("sys_audit", "sys_journal_field", "sys_number_counter", "syslog", "oauth_credential")


def changes(database: Database, table: Table, before: Row, after: Row, *, by: str) -> int:
    """Write a row for each audited field that changed; returns how many."""
    count = 0
    for name, field in table.fields.items():
        if name.startswith("sys_") and name not in _SYSTEM_AUDITED:
            continue
        if after[name] == before.get(name, "") or field.type in PASSWORDS:
            continue
        _write(database, table.name, after, name, before.get(name, ""), after[name], by)
        count += 1
    return count


def journal(database: Database, table: str, row: Row, element: str, text: str, *, by: str) -> None:
    """Write the row that an added journal entry leaves."""
    _write(database, table, row, element, JOURNAL_MARK, text, by)


def deletion(database: Database, table: Table, row: Row, *, by: str) -> None:
    """Keep what a deleted record was, unless its table is exempt.

    Exempt are application files, tables of the system that no property lists, and tables whose own entry in
    the dictionary says no_audit_delete (ServiceNow docs: Exploring auditing).
    """
    if not _keeps(database, table):
        return
    shown = {name: value for name, value in row.items() if table.fields[name].type not in PASSWORDS}
    database.insert(
        "sys_audit_delete",
        {
            "tablename": table.name,
            "documentkey": row["sys_id"],
            "display_value": row.get(table.display, ""),
            "payload": msgspec.json.encode(shown).decode(),
        },
        by=by,
    )


def _keeps(database: Database, table: Table) -> bool:
    metadata = "sys_metadata" in database.dictionary.hierarchy(table.name)
    if metadata or table.name.startswith(_NOT_KEPT):
        return False
    if table.name.startswith("sys_"):
        row = database.first("sys_properties", name=LISTED)
        if row is None or table.name not in (each.strip() for each in row["value"].split(",")):
            return False
    entry = database.first("sys_dictionary", name=table.name, element="")
    attributes = entry["attributes"].split(",") if entry else []
    return not any(each.strip() in (UNKEPT, f"{UNKEPT}=true") for each in attributes)


def _write(database: Database, table: str, row: Row, field: str, old: str, new: str, by: str) -> None:
    database.insert(
        "sys_audit",
        {
            "tablename": table,
            "fieldname": field,
            "documentkey": row["sys_id"],
            "user": by,
            "oldvalue": old,
            "newvalue": new,
            "record_checkpoint": row.get("sys_mod_count", ""),
        },
        by=by,
    )
