"""The one way a write takes when rules apply to it.

Order (ServiceNow docs: "Execution order of scripts and engines"): before rules below order 1000, the
engines, before rules from 1000, the database, journals and audit, after rules, and once all is committed
the async rules.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wavetank.behaviour import custom
from wavetank.behaviour.change import Change, Operation
from wavetank.behaviour.engines import Engines
from wavetank.behaviour.rules import BUILT_IN
from wavetank.behaviour.scripting import ScriptEngine
from wavetank.database import audit, journal, numbers
from wavetank.database.choices import Choices
from wavetank.database.dictionary import Table
from wavetank.database.expressions import Context, NotAllowed, evaluate
from wavetank.database.store import Database, Row
from wavetank.errors import operation_failed

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.who import Session

ENGINES_AT = 1000
_NUMBER = "getNextObjNumberPadded"
# Many-to-many rows and details that go with the record they belong to: (table, field).
_CASCADE: dict[str, tuple[tuple[str, str], ...]] = {
    "sys_user": (("sys_user_has_role", "user"), ("sys_user_grmember", "user")),
    "sys_user_group": (("sys_user_grmember", "group"), ("sys_group_has_role", "group")),
    "sys_user_role": (
        ("sys_user_has_role", "role"),
        ("sys_group_has_role", "role"),
        ("sys_user_role_contains", "role"),
        ("sys_user_role_contains", "contains"),
        ("sys_security_acl_role", "sys_user_role"),
    ),
    "sys_security_acl": (("sys_security_acl_role", "sys_security_acl"),),
    "sys_api_access_policy": (("sys_auth_profile_mapping", "api_access_policy"),),
    "inbound_auth_profile": (("sys_auth_profile_mapping", "inbound_auth_profile"),),
    "oauth_entity": (
        ("oauth_entity_profile", "oauth_entity"),
        ("oauth_entity_scope", "oauth_entity"),
        ("oauth_entity_auth_scope_mapping", "oauth_entity"),
        ("oauth_credential", "peer"),
    ),
}
_BUILT_IN = {rule.sys_id: rule for rule in BUILT_IN}


@dataclass(frozen=True, slots=True)
class Step:
    """One active rule, ready to run."""

    when: str
    order: int
    operations: frozenset[str]
    run: Callable[[Change], None]


class Behaviour:
    """The rules and engines of one instance. `scripting` is the seam for JavaScript rules."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.engines = Engines(database)
        self.choices = Choices(database)
        self.scripting: ScriptEngine | None = None
        self._seen: tuple[int, int] = (-1, -1)
        self._rows: dict[str, list[Row]] = {}
        self._steps: dict[str, list[Step]] = {}

    def steps(self, table: str) -> list[Step]:
        """The active rules of a class and of those above it, in order."""
        seen = (self._database.revision("sys_script"), self._database.dictionary.revision)
        if seen != self._seen:
            self._seen = seen
            self._steps = {}
            self._rows = {}
            for row in self._database.find("sys_script", active="true"):
                self._rows.setdefault(row["collection"], []).append(row)
        if table not in self._steps:
            rows = [
                row for name in self._database.dictionary.hierarchy(table) for row in self._rows.get(name, ())
            ]
            self._steps[table] = sorted((self._step(row) for row in rows), key=lambda step: step.order)
        return self._steps[table]

    def _step(self, row: Row) -> Step:
        operations = frozenset(
            name for name in ("insert", "update", "delete") if row[f"action_{name}"] == "true"
        )
        order = int(row["order"]) if row["order"].lstrip("-").isdecimal() else 100
        built_in = _BUILT_IN.get(row["sys_id"])
        run = built_in.run if built_in else lambda change: custom.run(row, change, self.scripting)
        return Step(row["when"], order, operations, run)


def insert(instance: Instance, who: Session | None, table: str, values: Mapping[str, str]) -> Row:
    """Insert a record as `who` (None is the system) and return it whole.

    `values` are stored values of known fields. Raises PlatformError when a rule, a policy or a
    constraint refuses it; UnknownTable.
    """
    known = instance.database.known(table)
    row = dict.fromkeys(known.fields, "")
    change = Change(instance, who, "insert", known, None, row, frozenset(values))
    row.update(_defaults(change))
    _apply(change, values)
    if not row["sys_id"]:
        row["sys_id"] = instance.ids.sys_id()
    with instance.database.transaction():
        _before(change)
        _check_unique(change)
        stored = _stored_insert(change)
        _trail(change, stored)
        _run(change, "after")
    _run(change, "async")
    return instance.database.get(table, stored["sys_id"]) or stored


def update(
    instance: Instance,
    who: Session | None,
    table: str,
    row: Row,
    values: Mapping[str, str],
) -> Row:
    """Change a record as `who` and return it whole; what changes nothing leaves no trace.

    `row` is the record as it is. A record of a class below `table` goes through its own class's rules.
    Raises as `insert` does.
    """
    known = instance.database.known(row.get("sys_class_name") or table)
    if not known.shared or known.name == table:
        known = instance.database.known(table)
        previous = row
    else:
        previous = instance.database.get(known.name, row["sys_id"]) or row
    change = Change(instance, who, "update", known, previous, dict(previous), frozenset(values))
    _apply(change, values)
    with instance.database.transaction():
        _before(change)
        changed = {
            name: value
            for name, value in change.row.items()
            if value != previous[name] and name in known.fields
        }
        if not changed and not change.journals and instance.settings.get("no_op_update") == "ignored":
            return row
        _check_unique(change, changed)
        stamped = {"sys_updated_on": change.now, **changed}
        stored = instance.database.update(known.name, previous["sys_id"], stamped, by=change.user_name)
        _trail(change, stored)
        change.row = stored
        _run(change, "after")
    _run(change, "async")
    return instance.database.get(table, stored["sys_id"]) or stored


def delete(instance: Instance, who: Session | None, table: str, row: Row) -> None:
    """Delete a record as `who`, with what belongs to it. Raises PlatformError when a rule refuses."""
    known = instance.database.known(row.get("sys_class_name") or table)
    if not known.shared:
        known = instance.database.known(table)
    previous = instance.database.get(known.name, row["sys_id"]) or row
    change = Change(instance, who, "delete", known, previous, dict(previous))
    with instance.database.transaction():
        _before(change)
        instance.database.delete(known.name, previous["sys_id"])
        audit.deletion(instance.database, known, previous, by=change.user_name)
        change.row = {}
        _cascade(change, previous["sys_id"])
        _run(change, "after")
    _run(change, "async")


def _apply(change: Change, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        field = change.table.fields.get(name)
        if field is None:
            continue
        if field.type == "journal_input":
            if value:
                change.journals.append((name, value))
        elif not field.is_journal:
            change.row[name] = value


def _before(change: Change) -> None:
    steps = list(_steps(change, "before"))
    for step in steps:
        if step.order < ENGINES_AT:
            step.run(change)
    change.instance.behaviour.engines.run(change)
    for step in steps:
        if step.order >= ENGINES_AT:
            step.run(change)


def _run(change: Change, when: str) -> None:
    for step in _steps(change, when):
        step.run(change)


def _steps(change: Change, when: str) -> Iterable[Step]:
    for step in change.instance.behaviour.steps(change.table.name):
        if step.when.startswith(when) and change.operation in step.operations:
            yield step


def _defaults(change: Change) -> dict[str, str]:
    found: dict[str, str] = {"sys_class_name": change.table.name} if change.table.shared else {}
    context = Context(now=change.now, user=change.user, user_name=change.user_name)
    for name, field in change.table.fields.items():
        if name in change.given and name != "number":
            continue
        if field.default.startswith("javascript:"):
            found[name] = _computed(change, name, field.default.removeprefix("javascript:"), context)
        elif field.default:
            found[name] = field.default
        elif field.type == "boolean":
            found[name] = "false"
    return found


def _computed(change: Change, name: str, expression: str, context: Context) -> str:
    if _NUMBER in expression:
        # Drawn only when the caller brings none.
        if name in change.given:
            return ""
        return numbers.next_number(change.instance.database, change.table.name)
    try:
        value = evaluate(expression, context)
    except NotAllowed:
        return ""
    return value if isinstance(value, str) else ",".join(value)


def _check_unique(change: Change, changed: Iterable[str] | None = None) -> None:
    names = change.table.fields if changed is None else changed
    for name in names:
        field = change.table.fields[name]
        value = change.row.get(name, "")
        if not field.unique or not value:
            continue
        other = change.instance.database.first(change.table.name, **{name: value})
        if other is not None and other["sys_id"] != change.row["sys_id"]:
            raise _collision(change.operation)


def _collision(operation: Operation) -> Exception:
    return operation_failed(f"Error during {operation} of record: Unique Key violation detected by database")


def _stored_insert(change: Change) -> Row:
    system = ("sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count")
    row = {name: value for name, value in change.row.items() if value and name in change.table.fields}
    for name in system:
        if name not in change.given:
            row.pop(name, None)
    row = {"sys_created_on": change.now, "sys_updated_on": change.now, **row}
    try:
        stored = change.instance.database.insert(change.table.name, row, by=change.user_name)
    except sqlite3.IntegrityError as error:
        raise _collision("insert") from error
    change.row = stored
    return stored


def _trail(change: Change, stored: Row) -> None:
    database = change.instance.database
    for element, text in change.journals:
        journal.write(database, change.table.name, stored["sys_id"], element, text, by=change.user_name)
    if not _audited(change.table, database):
        return
    if change.operation == "update" and change.previous is not None:
        audit.changes(database, change.table, change.previous, stored, by=change.user_name)
    for element, text in change.journals:
        audit.journal(database, change.table.name, stored, element, text, by=change.user_name)


def _audited(table: Table, database: Database) -> bool:
    return any(
        known.audited for name in database.dictionary.hierarchy(table.name) if (known := database.known(name))
    )


def _cascade(change: Change, sys_id: str) -> None:
    database = change.instance.database
    details = [
        *_CASCADE.get(change.table.root, ()),
        ("sys_journal_field", "element_id"),
        ("sys_attachment", "table_sys_id"),
    ]
    roles_touched = False
    for table, field in details:
        for row in database.find(table, **{field: sys_id}):
            database.delete(table, row["sys_id"])
            roles_touched = roles_touched or table in {
                "sys_user_grmember",
                "sys_group_has_role",
                "sys_user_role_contains",
            }
    if roles_touched:
        from wavetank.security import roles

        roles.rebuild(change.instance, None)
