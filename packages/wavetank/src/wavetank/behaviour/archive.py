"""Archiving: rules move old records out of their tables into flat `ar_` tables, and back.

ServiceNow docs: "Archiving records", "Create an archive rule", "Restore archived records and related
records". What goes along (related records) and destroy rules are left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wavetank.behaviour.change import Change
from wavetank.database import audit
from wavetank.database.dictionary import PASSWORDS, REFERENCES, Definition, Dictionary, Table
from wavetank.database.shipped import sys_id_for
from wavetank.database.store import Row
from wavetank.errors import operation_failed

if TYPE_CHECKING:
    from wavetank.instance import Instance

RULES, LOG, RUNS = "sys_archive", "sys_archive_log", "sys_archive_run"
PREFIX = "ar_"
# The platform archives none of these.
_NEVER = frozenset(
    {"sys_audit", "sys_audit_delete", "sys_audit_relation", "sys_attachment", "sys_journal_field"}
)


def is_archive(dictionary: Dictionary, table: str) -> bool:
    """Whether a table holds what another one's archive rules moved: nobody writes there."""
    return table.startswith(PREFIX) and dictionary.table(table.removeprefix(PREFIX)) is not None


def sound(change: Change) -> None:
    """A rule names a table that can be archived, and keeps it."""
    name = change.row["table"]
    known = change.instance.dictionary.table(name)
    fixed = change.operation == "update" and change.changes("table")
    if (
        known is None
        or name in _NEVER
        or fixed
        or "sys_metadata" in change.instance.dictionary.hierarchy(name)
    ):
        raise operation_failed(f"{name} cannot be archived")


def activated(change: Change) -> None:
    """An active rule has an archive table."""
    if change.row["active"] == "true":
        table_for(change.instance, change.instance.database.known(change.row["table"]))


def table_for(instance: Instance, table: Table) -> Table:
    """The archive table of a table, made when there is none: one flat table whose references are text."""
    name = PREFIX + table.name
    known = instance.dictionary.table(name)
    if known is not None:
        return known
    fields = tuple(
        replace(
            field,
            table=name,
            type="string" if field.type in REFERENCES or field.is_journal else field.type,
            max_length=max(field.max_length, 255) if field.type in REFERENCES else field.max_length,
            reference="" if field.type in REFERENCES else field.reference,
            default="",
            mandatory=False,
            unique=False,
            key="sys_id",
            sys_id=sys_id_for("sys_dictionary", name, field.name),
        )
        for field in table.fields.values()
        if field.type not in PASSWORDS
    )
    made = Definition(
        name=name,
        label=f"Archive {table.label}",
        fields=fields,
        sys_id=sys_id_for("sys_db_object", name),
    )
    instance.database.create_tables([made])
    _open(instance, table.name, name)
    return instance.database.known(name)


class Archive:
    """The archive job of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def run(self) -> int:
        """Run every active rule; answers how many records moved."""
        database = self._instance.database
        return sum(self._run(rule) for rule in database.find(RULES, active="true"))

    def _run(self, rule: Row) -> int:
        instance, database = self._instance, self._instance.database
        if instance.dictionary.table(rule["table"]) is None or not rule["conditions"].strip("^EQ"):
            return 0
        rows = database.select(rule["table"], rule["conditions"])
        if not rows:
            return 0
        now = instance.clock.text()
        with database.transaction():
            run = database.insert(RUNS, {"archive": rule["sys_id"], "start": now})
            for row in rows:
                self._move(rule, run, row)
            done = {"end": instance.clock.text(), "records": str(len(rows)), "state": "complete"}
            database.update(RUNS, run["sys_id"], done)
        return len(rows)

    def _move(self, rule: Row, run: Row, row: Row) -> None:
        instance, database = self._instance, self._instance.database
        known = database.known(row.get("sys_class_name") or rule["table"])
        whole = database.get(known.name, row["sys_id"]) or row
        target = table_for(instance, known)
        flat = {name: _text(instance, known, name, whole) for name in target.fields if name in whole}
        database.insert(target.name, flat, system=False)
        database.insert(
            LOG,
            {
                "archive": rule["sys_id"],
                "archive_run": run["sys_id"],
                "from_table": known.name,
                "to_table": target.name,
                "id": whole["sys_id"],
                "display_value": whole.get(known.display, ""),
                "payload": audit.as_xml(known.name, [(known, whole)]),
            },
        )
        database.delete(known.name, whole["sys_id"])


def restore(instance: Instance, log: Row) -> Row:
    """Bring one archived record back as it was. Raises ValueError when it is not in the archive."""
    database = instance.database
    if log["restored"] or database.get(log["to_table"], log["id"]) is None:
        raise ValueError(f"{log['display_value']} is not in {log['to_table']}")
    table, values = audit.from_xml(log["payload"])[0]
    fields = database.known(table).fields
    with database.transaction():
        row = database.insert(table, {n: v for n, v in values.items() if n in fields}, system=False)
        database.delete(log["to_table"], log["id"])
        database.update(LOG, log["sys_id"], {"restored": instance.clock.text()})
    return row


def _text(instance: Instance, table: Table, name: str, row: Row) -> str:
    """A field's value in the archive: of a reference, what it showed."""
    field, value = table.fields[name], row[name]
    if not field.is_reference or not value or name == "sys_domain":
        return value
    target = instance.dictionary.table(field.reference)
    found = instance.database.first(target.name, **{field.key: value}) if target else None
    return found[target.display] if found and target else value


def _open(instance: Instance, table: str, archive: str) -> None:
    """An archive table is read by whoever may read its table."""
    database = instance.database
    for name in instance.dictionary.hierarchy(table):
        rules = database.find("sys_security_acl", name=name, operation="read", type="record")
        for rule in rules:
            fresh = sys_id_for("sys_security_acl", archive, rule["sys_id"])
            database.insert("sys_security_acl", {**rule, "sys_id": fresh, "name": archive})
            for role in database.find("sys_security_acl_role", sys_security_acl=rule["sys_id"]):
                held = {"sys_security_acl": fresh, "sys_user_role": role["sys_user_role"]}
                database.insert("sys_security_acl_role", held)
        if rules:
            return
