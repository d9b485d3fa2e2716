"""The audit trail: `sys_audit` for changes, `sys_audit_delete` for deletions.

ServiceNow docs: "Exploring auditing", "Understanding the sys_audit table", "Exclude a field from being
audited", "Include a table field in auditing".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from wavetank.database.dictionary import PASSWORDS, Table
from wavetank.database.store import Database, Row

JOURNAL_MARK = "JOURNAL FIELD ADDITION"
# Fields of the system are not audited, except these.
_SYSTEM_AUDITED = frozenset({"sys_class_name", "sys_domain_id"})
# The tables of the system whose deletions are kept all the same, separated by commas.
LISTED = "glide.ui.audit_deleted_tables"
# Tables whose deletions are not kept; the property replaces the list.
IGNORED = "glide.db.audit.ignore.delete"
_IGNORED = (
    "sys_mutex,sys_db_cache,sys_lucene_block,sys_lucene_file,sys_lucene_directory,sys_user_preference,"
    "sys_audit,sc_cart,sc_cart_item,sys_trigger,wf_context,wf_activity,wf_condition,wf_executing,"
    "wf_history,wf_log,wf_transition,wf_transition_history,cmdb_ci_windows_service,cmdb_sam_sw_install,"
    "cmdb_software_instance,cmdb_sam_sw_usage,sam_sw_counter_detail"
)
UNKEPT = "no_audit_delete"
# Their deletions leave no trace: they are themselves the trace, or caches.
_NOT_KEPT = ("sys_audit", "sys_journal_field", "sys_number_counter", "syslog", "oauth_credential")
# Characters that XML cannot hold.
_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def fields_of(database: Database, table: Table) -> tuple[str, ...]:
    """The fields whose changes are audited; none unless the table's own entry says that it is audited.

    The entry's attribute audit_type=whitelist leaves only fields marked audit=true; no_audit=true leaves a
    field out.
    """
    entries = {
        (row["name"], row["element"]): row
        for name in database.dictionary.hierarchy(table.name)
        for row in database.find("sys_dictionary", name=name)
    }
    own = entries.get((table.name, ""))
    if own is None or own["audit"] != "true":
        return ()
    chosen = "audit_type=whitelist" in _attributes(own)
    return tuple(
        name
        for name, field in table.fields.items()
        if (not name.startswith("sys_") or name in _SYSTEM_AUDITED)
        and field.type not in PASSWORDS
        and _included(_attributes(entries.get((field.table, name))), chosen)
    )


def trail(
    database: Database,
    table: Table,
    names: Iterable[str],
    before: Row | None,
    after: Row,
    journals: Iterable[tuple[str, str]],
    *,
    by: str,
) -> None:
    """Write a row for each audited field that changed, and one for each journal entry that was added.

    `before` is None for a new record, whose first values leave no rows.
    """
    told = [
        *((name, before.get(name, ""), after[name]) for name in names if before is not None),
        *((element, JOURNAL_MARK, text) for element, text in journals),
    ]
    rows = [_row(table.name, after, field, old, new, by) for field, old, new in told if old != new]
    if rows:
        database.insert_many("sys_audit", rows, by=by)


def deletion(
    database: Database, table: Table, row: Row, along: Sequence[tuple[str, Row]] = (), *, by: str
) -> None:
    """Keep what a deleted record was, and what went `along`, unless its table is exempt.

    Exempt are application files, tables of the system that no property lists, tables that a property
    excepts, and tables whose own entry in the dictionary says no_audit_delete.
    """
    if not _keeps(database, table):
        return
    records = [(table, row), *((database.known(name), each) for name, each in along)]
    database.insert(
        "sys_audit_delete",
        {
            "tablename": table.name,
            "documentkey": row["sys_id"],
            "display_value": row.get(table.display, ""),
            "payload": as_xml(table.name, records),
        },
        by=by,
    )


def as_xml(name: str, records: Iterable[tuple[Table, Row]]) -> str:
    """Records as the platform writes them into a payload; passwords are left out."""
    body = "".join(_record(table, row) for table, row in records)
    return f'<?xml version="1.0" encoding="UTF-8"?><record_update table="{name}">{body}</record_update>'


def from_xml(text: str) -> list[tuple[str, Row]]:
    """The records of a payload with their tables. Raises ValueError when it is none."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  written by `as_xml`
    except ElementTree.ParseError as error:
        raise ValueError(f"the payload cannot be read: {error}") from error
    return [(each.tag, {field.tag: field.text or "" for field in each}) for each in root]


def _record(table: Table, row: Row) -> str:
    shown = (
        f"<{name}>{escape(_UNSAYABLE.sub('', value), {chr(13): '&#13;'})}</{name}>"
        for name, value in row.items()
        if name in table.fields and table.fields[name].type not in PASSWORDS
    )
    return f'<{table.name} action="INSERT_OR_UPDATE">{"".join(shown)}</{table.name}>'


def _attributes(entry: Row | None) -> frozenset[str]:
    return frozenset(each.strip() for each in entry["attributes"].split(",")) if entry else frozenset()


def _included(attributes: frozenset[str], chosen: bool) -> bool:
    if chosen:
        return "audit=true" in attributes
    return not attributes & {"no_audit", "no_audit=true"}


def _keeps(database: Database, table: Table) -> bool:
    metadata = "sys_metadata" in database.dictionary.hierarchy(table.name)
    if metadata or table.name.startswith(_NOT_KEPT):
        return False
    if table.name.startswith("sys_") and table.name not in _listed(database, LISTED, ""):
        return False
    if table.name in _listed(database, IGNORED, _IGNORED):
        return False
    entry = database.first("sys_dictionary", name=table.name, element="")
    return not _attributes(entry) & {UNKEPT, f"{UNKEPT}=true"}


def _listed(database: Database, property_name: str, default: str) -> frozenset[str]:
    row = database.first("sys_properties", name=property_name)
    return frozenset(each.strip() for each in (row["value"] if row else default).split(","))


def _row(table: str, row: Row, field: str, old: str, new: str, by: str) -> dict[str, str]:
    return {
        "tablename": table,
        "fieldname": field,
        "documentkey": row["sys_id"],
        "user": by,
        "oldvalue": old,
        "newvalue": new,
        "record_checkpoint": row.get("sys_mod_count", ""),
    }
