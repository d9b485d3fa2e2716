"""Retrieved update sets: a file becomes rows, a preview finds what stands in the way of a commit.

Texts and kinds of problems: ServiceNow docs "Preview a remote update set", "Resolve a preview problem with
an update set"; reports of public tools that import update sets.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wavetank.packs.writing import defaults
from wavetank.updates.unload import DELETE, SETS, UPDATES, BadUnload, Record, Unload, payload, read

if TYPE_CHECKING:
    from wavetank.database.dictionary import Field
    from wavetank.database.store import Row
    from wavetank.instance import Instance

PROBLEMS = "sys_update_preview_problem"
NEWER = "Found a local update that is newer than this one"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
# What a file says of these is about the instance it came from.
_ANEW = frozenset({"state", "commit_date", "update_set", "inserted", "updated", "deleted", "collisions"})
# References that every file has and that lead to what is kept elsewhere.
_TAKEN_AS_READ = frozenset({"sys_scope", "sys_package"})


@dataclass(frozen=True, slots=True)
class Update:
    """One update of a retrieved set: its row, the moment it was made, and what it writes or deletes."""

    row: Mapping[str, str]
    moment: str
    records: tuple[Record, ...]

    @property
    def deletes(self) -> bool:
        return all(self.removes(record) for record in self.records)

    def removes(self, record: Record) -> bool:
        """Whether one of its records is deleted, not written."""
        return DELETE in (self.row["action"], record.action)


@dataclass(frozen=True, slots=True)
class _Brought:
    """What a set itself brings, records by sys_id and tables by name; and what other sets would bring."""

    records: frozenset[str]
    tables: frozenset[str]
    elsewhere: Callable[[], frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Problem:
    description: str
    missing: str = ""
    missing_table: str = ""


def load(instance: Instance, content: bytes, by: str = "system") -> list[Row]:
    """Takes up the update sets of a file, all of it or nothing; their rows, in the state loaded.

    A set that is there already is opened again and gets the file's updates besides those it has
    (measured on developer instances). Raises BadUnload.
    """
    found = read(content)
    with instance.database.transaction():
        sets = [
            _put(instance, each, {**dict.fromkeys(_ANEW, ""), "state": "loaded"}, by) for each in found.sets
        ]
        for update in found.updates:
            _put(instance, update, {**_dated(found, update), "update_set": ""}, by)
        for row in sets:
            _forget_problems(instance, row["sys_id"])
    return sets


def updates(instance: Instance, sys_id: str) -> list[Update]:
    """The updates of a set in the order they were taken up. Raises BadUnload for a payload spoilt since."""
    rows = instance.database.find(UPDATES, remote_update_set=sys_id)
    return [_update(row) for row in rows]


def preview(instance: Instance, row: Row, by: str = "system") -> Row:
    """Compares a set with what is here; the set as previewed, its problems as rows.

    Raises ValueError for a set that is not loaded or previewed.
    """
    if row["state"] not in ("loaded", "previewed"):
        raise ValueError(f"An update set in the state {row['state'] or 'empty'!r} cannot be previewed")
    coming = updates(instance, row["sys_id"])
    brought = _brought(coming, functools.cache(lambda: _waiting(instance, row)))
    with instance.database.transaction():
        _forget_problems(instance, row["sys_id"])
        collisions = 0
        for update in coming:
            for problem in _problems(instance, row, update, brought):
                collisions += problem.description == NEWER
                _note(instance, row, update, problem)
        counts = _counts(instance, coming) | {"collisions": str(collisions)}
        return instance.database.update(SETS, row["sys_id"], {"state": "previewed", **counts}, by=by)


def problems(instance: Instance, sys_id: str, *, unresolved: bool = False) -> list[Row]:
    """What the preview of a set found; only what nobody has accepted or skipped yet, if so asked."""
    rows = instance.database.find(PROBLEMS, remote_update_set=sys_id)
    return [row for row in rows if not (unresolved and row["status"])]


def local(instance: Instance, record: Record) -> Row | None:
    """The record as it is here; None when it, or its table, is not."""
    if instance.dictionary.table(record.table) is None:
        return None
    return instance.database.get(record.table, record.sys_id)


def _put(instance: Instance, record: Record, besides: Mapping[str, str], by: str) -> Row:
    known = instance.database.known(record.table)
    given = {name: value for name, value in record.values.items() if name in known.fields}
    values = {name: value for name, value in {**given, **besides}.items() if name != "sys_id"}
    if record.sys_id and instance.database.get(record.table, record.sys_id):
        return instance.database.update(record.table, record.sys_id, values, system=False)
    filled = {name: value for name, value in values.items() if value}
    sys_id = {"sys_id": record.sys_id} if record.sys_id else {}
    return instance.database.insert(
        record.table, {**defaults(instance.database, record.table), **filled, **sys_id}, by=by
    )


def _dated(found: Unload, update: Record) -> dict[str, str]:
    """An update that does not say when it was made is as old as its file."""
    told = update.values.get("sys_updated_on") or not _MOMENT.fullmatch(found.date)
    return {} if told else {"sys_updated_on": found.date}


def _update(row: Row) -> Update:
    try:
        records = payload(row["payload"])
    except BadUnload as wrong:
        raise BadUnload(f"the update {row['name']}: {wrong}") from wrong
    dates = (records[0].values.get("sys_updated_on", ""), row["sys_recorded_at"], row["sys_updated_on"])
    return Update(row, next(filter(_MOMENT.fullmatch, dates), row["sys_created_on"]), records)


def _forget_problems(instance: Instance, sys_id: str) -> None:
    for row in problems(instance, sys_id):
        instance.database.delete(PROBLEMS, row["sys_id"])


def _note(instance: Instance, row: Row, update: Update, problem: _Problem) -> None:
    values = {
        "description": problem.description,
        "type": "error",
        "remote_update_set": row["sys_id"],
        "remote_update": update.row["sys_id"],
        "missing_item": problem.missing,
        "missing_item_table": problem.missing_table,
    }
    instance.database.insert(PROBLEMS, values)


def _counts(instance: Instance, coming: list[Update]) -> dict[str, str]:
    kinds = [
        "deleted" if update.deletes else "updated" if local(instance, update.records[0]) else "inserted"
        for update in coming
    ]
    return {kind: str(kinds.count(kind)) for kind in ("inserted", "updated", "deleted")}


def _brought(coming: list[Update], elsewhere: Callable[[], frozenset[str]]) -> _Brought:
    written = _written(coming)
    tables = (each.values.get("name", "") for each in written if each.table == "sys_db_object")
    return _Brought(frozenset(each.sys_id for each in written), frozenset(tables), elsewhere)


def _written(coming: list[Update]) -> list[Record]:
    return [each for update in coming for each in update.records if not update.removes(each)]


def _waiting(instance: Instance, row: Row) -> frozenset[str]:
    """The sys_ids that other sets, taken up and not committed, would bring."""
    others = (
        other["sys_id"]
        for state in ("loaded", "previewed")
        for other in instance.database.find(SETS, state=state)
        if other["sys_id"] != row["sys_id"]
    )
    return frozenset(each.sys_id for other in others for each in _written(updates(instance, other)))


def _problems(instance: Instance, row: Row, update: Update, brought: _Brought) -> Iterator[_Problem]:
    yield from _out_of_scope(instance, row, update, brought)
    for record in update.records:
        here = local(instance, record)
        if here is not None and here["sys_updated_on"] > update.moment:
            yield _Problem(NEWER)
        if not update.removes(record):
            yield from _missing(instance, record, brought)
        elif here is not None and record.table == "sys_db_object" and _holds_rows(instance, here["name"]):
            yield _Problem("Table to be deleted has data", here["name"], record.table)


def _out_of_scope(instance: Instance, row: Row, update: Update, brought: _Brought) -> Iterator[_Problem]:
    wanted, own = row["application"] or "global", update.row["application"] or "global"
    if own != wanted:
        yield _Problem(
            f"Cannot commit Update Set '{row['name']}' because: Update scope id '{own}' is different than "  # noqa: S608
            f"update set scope id '{wanted}'. Resolve the problem before committing."
        )
    if own not in brought.records and instance.database.get("sys_scope", own) is None:
        yield _Problem(f"The application {own} is not on this instance", own, "sys_scope")


def _holds_rows(instance: Instance, table: str) -> bool:
    return instance.dictionary.table(table) is not None and instance.database.count(table) > 0


def _missing(instance: Instance, record: Record, brought: _Brought) -> Iterator[_Problem]:
    known = instance.dictionary.table(record.table)
    if known is None:
        if record.table not in brought.tables:
            yield _Problem(_not_found("sys_db_object"), record.table, "sys_db_object")
        return
    for name, value in record.values.items():
        field = known.fields.get(name)
        if field is None or not value or name in _TAKEN_AS_READ or not _looked_for(instance, field):
            continue
        if value in brought.records or _is_there(instance, field, value):
            continue
        text = _not_found(field.reference)
        if value in brought.elsewhere():
            text += ", but did find it in another uncommitted update set"
        yield _Problem(text, value, field.reference)


def _not_found(table: str) -> str:
    return f"Could not find a record in {table} referenced in this update"


def _looked_for(instance: Instance, field: Field) -> bool:
    """Whether the preview looks for what a field refers to: configuration always, data by a setting."""
    if field.type != "reference":
        return False
    data = instance.settings.get("preview_data") == "checked"
    return data or "sys_metadata" in instance.dictionary.hierarchy(field.reference)


def _is_there(instance: Instance, field: Field, value: str) -> bool:
    return any(
        instance.database.first(field.reference, **{key: value}) is not None
        for key in dict.fromkeys((field.key, "sys_id"))
    )
