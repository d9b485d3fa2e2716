"""The one way a write takes when rules apply to it.

Order (ServiceNow docs: "Execution order of scripts and engines"): before rules below order 1000, the
engines, before rules from 1000, the database, journals and audit, after rules, and once all is committed
the async rules.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from wavetank.behaviour import archive, cascade
from wavetank.behaviour.change import Change
from wavetank.behaviour.engines import Engines
from wavetank.behaviour.metrics import Metrics
from wavetank.behaviour.program import Program, Programs
from wavetank.database import audit, journal
from wavetank.database.choices import Choices
from wavetank.database.dictionary import Table
from wavetank.database.numbers import Numbers
from wavetank.database.store import Database, Row
from wavetank.errors import write_refused

if TYPE_CHECKING:
    from wavetank.behaviour.scripting import Scripts
    from wavetank.instance import Instance
    from wavetank.security.who import Session

_NUMBER = "getNextObjNumberPadded"
_STAMPS = ("sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count")


# The rows that say what happens around a write.
_CONFIGURATION = (
    "sys_script",
    "sys_dictionary",
    "sys_data_policy2",
    "sys_data_policy_rule",
    "sysrule_assignment",
    "dl_matcher",
    "metric_definition",
    "sys_number",
)


class Behaviour:
    """The rules and engines of one instance. `scripting` runs what is JavaScript in them."""

    def __init__(self, database: Database, scripting: Scripts) -> None:
        self.scripting = scripting
        self.programs = Programs(database)
        self.engines = Engines(database)
        self.choices = Choices(database)
        self.metrics = Metrics(database)
        self.numbers = Numbers(database)
        self._database = database
        self._seen: tuple[int, int] = (-1, -1)
        self.era = 0

    def drop(self) -> None:
        """Drop what is pending: other rows are in place, and with them another era."""
        self.era += 1
        self.metrics.drop()
        self.scripting.drop()

    def refresh(self) -> None:
        """Forget what was made of rows that have changed since; each write begins with it."""
        seen = (self._database.revision(*_CONFIGURATION), self._database.dictionary.revision)
        if seen != self._seen:
            self._seen = seen
            for part in (self.programs, self.engines, self.metrics, self.numbers):
                part.forget()

    def program(self, table: Table) -> Program:
        """The program of a table as it is now."""
        self.refresh()
        return self.programs.of(table)


def insert(instance: Instance, who: Session | None, table: str, values: Mapping[str, str]) -> Row:
    """Insert a record as `who` (None is the system) and return it whole.

    `values` are stored values of known fields. Raises PlatformError when a rule, a policy or a
    constraint refuses it; UnknownTable.
    """
    database = instance.database
    known = database.known(table)
    program = instance.behaviour.program(known)
    change = Change(instance, who, "insert", known, None, dict(program.blank), frozenset(values))
    _compute(change, program)
    _apply(change, values)
    if not change.row["sys_id"]:
        change.row["sys_id"] = instance.ids.sys_id()
    with database.transaction():
        _before(change, program)
        _check_unique(change, program.unique)
        stored = _stored_insert(change)
        revision = database.revision(table)
        _trail(change, program, stored)
        for step in program.after["insert"]:
            step.run(change)
    return _finished(change, program, table, stored, revision)


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
    database = instance.database
    known = _class_of(database, table, row)
    previous = row if known.name == table else database.get(known.name, row["sys_id"]) or row
    program = instance.behaviour.program(known)
    change = Change(instance, who, "update", known, previous, dict(previous), frozenset(values))
    _apply(change, values)
    with database.transaction():
        _before(change, program)
        changed = {
            name: value
            for name, value in change.row.items()
            if value != previous[name] and name in known.fields
        }
        if not changed and not change.journals and instance.settings.get("no_op_update") == "ignored":
            return row
        _check_unique(change, [name for name in program.unique if name in changed])
        stamped = _stamped(known, ("sys_updated_on",), change.now) | changed
        stored = database.update(known.name, previous["sys_id"], stamped, by=change.user_name)
        change.row = stored
        revision = database.revision(table)
        _trail(change, program, stored)
        for step in program.after["update"]:
            step.run(change)
    return _finished(change, program, table, stored, revision)


def delete(instance: Instance, who: Session | None, table: str, row: Row) -> None:
    """Delete a record as `who`, with what belongs to it. Raises PlatformError when a rule refuses."""
    database = instance.database
    known = _class_of(database, table, row)
    program = instance.behaviour.program(known)
    previous = database.get(known.name, row["sys_id"]) or row
    change = Change(instance, who, "delete", known, previous, dict(previous))
    with database.transaction():
        _before(change, program)
        database.delete(known.name, previous["sys_id"])
        change.row = {}
        along = cascade.run(change, previous["sys_id"])
        audit.deletion(database, known, previous, along, by=change.user_name)
        for step in program.after["delete"]:
            step.run(change)
    for step in program.afterwards["delete"]:
        step.run(change)


def _class_of(database: Database, table: str, row: Row) -> Table:
    """The record's own class, which may be one below the table it was found in."""
    name = row.get("sys_class_name", "")
    return database.known(name if name in database.dictionary.descendants(table) else table)


def _finished(change: Change, program: Program, table: str, stored: Row, revision: int) -> Row:
    """The async rules, and the record as everything has left it."""
    for step in program.afterwards[change.operation]:
        step.run(change)
    database = change.instance.database
    if table == change.table.name and database.revision(table) == revision:
        return stored
    return database.get(table, stored["sys_id"]) or stored


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


def _before(change: Change, program: Program) -> None:
    if change.who is not None and archive.is_archive(change.instance.dictionary, change.table.name):
        raise write_refused(change.operation)
    for step in program.early[change.operation]:
        step.run(change)
    change.instance.behaviour.engines.run(change)
    for step in program.late[change.operation]:
        step.run(change)


def _compute(change: Change, program: Program) -> None:
    """Fill in the defaults that are expressions. A number is drawn only when the caller brings none."""
    for name, expression in program.computed:
        if name in change.given:
            continue
        if _NUMBER in expression:
            change.row[name] = change.instance.behaviour.numbers.draw(change.table.name)
        else:
            change.row[name] = change.value_of(expression)


def _check_unique(change: Change, names: Iterable[str]) -> None:
    for name in names:
        value = change.row.get(name, "")
        if not value:
            continue
        other = change.instance.database.first(change.table.name, **{name: value})
        if other is not None and other["sys_id"] != change.row["sys_id"]:
            raise change.taken()


def _stamped(table: Table, names: Iterable[str], now: str) -> Row:
    """The stamps of a write; a table whose rows never change has none for changes."""
    return {name: now for name in names if name in table.fields}


def _stored_insert(change: Change) -> Row:
    row = {name: value for name, value in change.row.items() if value and name in change.table.fields}
    for name in _STAMPS:
        if name not in change.given:
            row.pop(name, None)
    row = _stamped(change.table, ("sys_created_on", "sys_updated_on"), change.now) | row
    try:
        stored = change.instance.database.insert(change.table.name, row, by=change.user_name)
    except sqlite3.IntegrityError as error:
        raise change.taken() from error
    change.row = stored
    return stored


def _trail(change: Change, program: Program, stored: Row) -> None:
    database = change.instance.database
    for element, text in change.journals:
        journal.write(database, change.table.name, stored["sys_id"], element, text, by=change.user_name)
    if program.audited:
        changed = (change.table, program.audited, change.previous, stored, change.journals)
        audit.trail(database, *changed, by=change.user_name)
