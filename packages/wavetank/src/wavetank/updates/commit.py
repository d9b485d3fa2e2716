"""Committing a retrieved update set: its records are written past access controls and business rules.

ServiceNow docs: "Commit an update set". In which order the platform writes is not published; here tables
and fields come first, then the other records in the order of the file, and deletions last. All of it or
nothing, where the platform commits what it can and logs the rest.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wavetank.behaviour import pipeline
from wavetank.errors import PlatformError
from wavetank.packs.writing import defaults
from wavetank.security import roles
from wavetank.security.access import ELEVATED
from wavetank.security.passwords import MARK
from wavetank.security.sessions import ELEVATED_ROLE
from wavetank.updates import retrieved
from wavetank.updates.unload import SETS, UPDATES, BadUnload, Record

if TYPE_CHECKING:
    from wavetank.database.dictionary import Field
    from wavetank.database.store import Row
    from wavetank.instance import Instance
    from wavetank.updates.retrieved import Update

_SCHEMA = frozenset({"sys_db_object", "sys_dictionary"})
_STAMPS = frozenset({"sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count"})
_FIRST = ("sys_scope", "sys_db_object", "sys_dictionary", "sys_user_role")


class NotCommitted(ValueError):
    """A set that cannot be committed, or could not be; the text says why. Nothing was written."""


def needs_elevation(instance: Instance, row: Row) -> bool:
    """Whether the set writes what only an elevated session may: access controls, security_admin."""
    coming = retrieved.updates(instance, row["sys_id"])
    return any(_elevated(instance, record) for update in coming for record in update.records)


def _elevated(instance: Instance, record: Record) -> bool:
    if record.table in roles.SOURCES:
        return ELEVATED_ROLE in roles.handed_out(instance, record.table, record.values)
    return record.table in ELEVATED


def commit(instance: Instance, row: Row, by: str = "system") -> Row:
    """Writes what a previewed set brings, but for what was skipped; the set as committed.

    Raises NotCommitted.
    """
    if row["state"] != "previewed":
        raise NotCommitted(f"An update set in the state {row['state'] or 'empty'!r} cannot be committed")
    found = retrieved.problems(instance, row["sys_id"])
    if not all(problem["status"] for problem in found):
        raise NotCommitted("The update set has preview problems that are not resolved")
    skipped = {problem["remote_update"] for problem in found if problem["status"] == "skipped"}
    try:
        with instance.database.transaction():
            coming = [
                update
                for update in retrieved.updates(instance, row["sys_id"])
                if update.row["sys_id"] not in skipped
            ]
            for update in sorted(coming, key=_rank):
                _apply(instance, update, by)
            if any(record.table in roles.SOURCES for update in coming for record in update.records):
                roles.rebuild(instance)
            copy = _local_copy(instance, row, coming, by)
            done = {"state": "committed", "commit_date": instance.clock.text(), "update_set": copy["sys_id"]}
            return instance.database.update(SETS, row["sys_id"], done, by=by)
    except PlatformError as refused:
        raise NotCommitted(refused.detail or refused.message) from refused
    except (BadUnload, sqlite3.Error) as wrong:
        raise NotCommitted(str(wrong)) from wrong


def load_and_commit(instance: Instance, content: bytes) -> list[Row]:
    """Takes up a file and commits its sets at once, or nothing of it. Raises BadUnload, NotCommitted."""
    with instance.database.transaction():
        return [_at_once(instance, row) for row in retrieved.load(instance, content)]


def _at_once(instance: Instance, row: Row) -> Row:
    previewed = retrieved.preview(instance, row)
    found = [problem["description"] for problem in retrieved.problems(instance, row["sys_id"])]
    if found:
        raise NotCommitted(f"{row['name']}: {'; '.join(dict.fromkeys(found))}")
    return commit(instance, previewed)


def _rank(update: Update) -> int:
    if update.deletes:
        return len(_FIRST) + 1
    table = update.records[0].table
    return _FIRST.index(table) if table in _FIRST else len(_FIRST)


def _apply(instance: Instance, update: Update, by: str) -> None:
    for record in update.records:
        here = retrieved.local(instance, record)
        if update.removes(record):
            if here is not None:
                pipeline.delete(instance, None, record.table, here)
        elif instance.dictionary.table(record.table) is None:
            raise NotCommitted(f"{update.row['name']}: this instance has no table {record.table}")
        else:
            _write(instance, update, record, here, by)


def _write(instance: Instance, update: Update, record: Record, here: Row | None, by: str) -> None:
    """Stores the fields of the file as they are, the stamps it gives among them."""
    known = instance.database.known(record.table)
    stamps = {"sys_updated_on": update.moment, "sys_updated_by": by}
    given = {
        name: value
        for name, value in record.values.items()
        if name != "sys_id" and _taken(known.fields.get(name), value)
    }
    values = {**stamps, **given}
    if "sys_class_name" in known.fields:
        values["sys_class_name"] = record.table
    if "sys_update_name" in known.fields:
        values["sys_update_name"] = update.row["name"]
    _check_unique(instance, record, values)
    if record.table in _SCHEMA:
        _write_schema(instance, record, here, values)
        return
    if here is not None:
        values.setdefault("sys_mod_count", str(int(here["sys_mod_count"] or 0) + 1))
        instance.database.update(record.table, record.sys_id, values, system=False)
        return
    start = defaults(instance.database, record.table)
    instance.database.insert(record.table, {**start, **values, "sys_id": record.sys_id}, by=by)


def _write_schema(instance: Instance, record: Record, here: Row | None, values: Mapping[str, str]) -> None:
    """Tables and fields keep to the rules that hold for them however they come to be."""
    if here is None:
        pipeline.insert(instance, None, record.table, {**values, "sys_id": record.sys_id})
    else:
        pipeline.update(instance, None, record.table, here, values)


def _taken(field: Field | None, value: str) -> bool:
    """Whether a value is stored: of known fields, stamps that say something, no secret in the clear."""
    if field is None or (field.name in _STAMPS and not value):
        return False
    return field.type != "password2" or not value or value.startswith(MARK)


def _check_unique(instance: Instance, record: Record, values: Mapping[str, str]) -> None:
    for name, field in instance.database.known(record.table).fields.items():
        if not field.unique or not values.get(name):
            continue
        other = instance.database.first(record.table, **{name: values[name]})
        if other is not None and other["sys_id"] != record.sys_id:
            raise NotCommitted(
                f"{record.table} {values[name]}: Unique Key violation detected by database, {name} is taken"
            )


def _local_copy(instance: Instance, row: Row, coming: list[Update], by: str) -> Row:
    """The local update set that a commit leaves behind, with a copy of each update."""
    now = instance.clock.text()
    copy = instance.database.insert(
        "sys_update_set",
        {
            "name": row["name"],
            "application": row["application"],
            "description": row["description"],
            "state": "complete",
            "completed_on": now,
            "completed_by": by,
            "remote_sys_id": row["sys_id"],
            "origin_sys_id": row["origin_sys_id"],
        },
        by=by,
    )
    for update in coming:
        kept = {name: value for name, value in update.row.items() if value and name != "sys_id"}
        kept |= {"remote_update_set": "", "update_set": copy["sys_id"]}
        instance.database.insert(UPDATES, kept, by=by)
    return copy
