"""Rows past access controls, rules, defaults and numbering: how a test lays out its scene."""

import csv
import io
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from wavetank.behaviour import archive, undelete
from wavetank.database import query
from wavetank.database.store import UnknownField, UnknownTable
from wavetank.errors import PlatformError
from wavetank.instance import Instance
from wavetank.security import passwords, roles
from wavetank.updates.commit import load_and_commit

LIMIT = 10_000
_SUFFIXES = {"csv": "csv", "json": "json", "update_set": "xml"}
Row = dict[str, str]


class NotFound(Exception):
    """The table or record that was named does not exist."""


@dataclass(frozen=True)
class Asked:
    """What a GET or DELETE names: a table, and one record or a query."""

    table: str
    sys_id: str
    query: str
    limit: int
    offset: int
    fields: tuple[str, ...]

    @classmethod
    def of(cls, path: Mapping[str, str], params: Mapping[str, str]) -> "Asked":
        """Reads the path and the sysparm_ parameters. Raises ValueError for numbers that are none."""
        fields = tuple(name.strip() for name in params.get("sysparm_fields", "").split(",") if name.strip())
        return cls(
            table=path["table"],
            sys_id=path.get("sys_id", ""),
            query=params.get("sysparm_query", ""),
            limit=_count(params.get("sysparm_limit", str(LIMIT))),
            offset=_count(params.get("sysparm_offset", "0")),
            fields=fields,
        )


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**53:
        raise ValueError(f"a limit or an offset is not {number}")
    return number


def listed(instance: Instance, asked: Asked) -> list[Row]:
    """One record as a list of one, or the records of a query."""
    _known(instance, asked.table)
    if asked.sys_id:
        rows = [_existing(instance, asked.table, asked.sys_id)]
    else:
        _readable(instance, asked)
        rows = instance.database.select(asked.table, asked.query, limit=asked.limit, offset=asked.offset)
    if not asked.fields:
        return rows
    return [{name: row[name] for name in asked.fields if name in row} for row in rows]


def create(instance: Instance, place: tuple[str, str], body: Any) -> list[Row]:
    """Inserts an object or a list of up to 10,000, all or none."""
    table, sys_id = place
    rows = [_text(values) for values in _many(body)]
    if sys_id:
        rows = [{**row, "sys_id": sys_id} for row in rows]
    return _insert(instance, table, rows)


def _insert(instance: Instance, table: str, rows: Iterable[Row]) -> list[Row]:
    known = _known(instance, table)
    made: list[Row] = []
    try:
        with instance.database.transaction():
            for values in rows:
                target = values.get("sys_class_name", "")
                name = target if target in instance.dictionary.descendants(table) else table
                made.append(instance.database.insert(name, _sealed(instance, known.name, values)))
            _settle_roles(instance, table, made)
    except UnknownField as wrong:
        raise ValueError(str(wrong)) from wrong
    except sqlite3.IntegrityError as wrong:
        raise ValueError(f"a sys_id is taken: {wrong}") from wrong
    return made


def update(instance: Instance, place: tuple[str, str], body: Any) -> list[Row]:
    """Changes given fields and nothing else: no stamp moves unless it is given.

    A list names the sys_id in each object.
    """
    table, sys_id = place
    _known(instance, table)
    done: list[Row] = []
    touched: list[Row] = []
    try:
        with instance.database.transaction():
            for values in (_text(each) for each in _many(body)):
                target = sys_id or values.pop("sys_id", "")
                touched.append(_existing(instance, table, target))
                sealed = _sealed(instance, table, values)
                done.append(instance.database.update(table, target, sealed, system=False))
            _settle_roles(instance, table, [*touched, *done])
    except UnknownField as wrong:
        raise ValueError(str(wrong)) from wrong
    except sqlite3.IntegrityError as wrong:
        raise ValueError(f"a sys_id is taken: {wrong}") from wrong
    return done


def delete(instance: Instance, asked: Asked) -> list[Row]:
    """Deletes one record, or what a query matches; a table is never emptied by a missing query."""
    if not asked.sys_id and not asked.query:
        raise ValueError("name a record, or give sysparm_query")
    rows = listed(instance, replace(asked, fields=()))
    with instance.database.transaction():
        for row in rows:
            instance.database.delete(asked.table, row["sys_id"])
        _settle_roles(instance, asked.table, rows)
    return rows


def load(instance: Instance, body: Any) -> list[Row]:
    """Inserts the records of a CSV or JSON text, given inline or by path, or commits an update set's XML.

    A JSON text is a list of objects, or {table: [objects]}, or {"result"|"records": [objects]}. All of it
    or none. Raises ValueError for what cannot be read, and for an update set whose preview finds a problem.
    """
    if not isinstance(body, dict) or body.get("format") not in _SUFFIXES:
        raise ValueError('{"format": "csv", "json" or "update_set", "table", "path" or "body"}')
    content = body.get("body")
    if content is None:
        content = _file(str(body.get("path", "")), _SUFFIXES[body["format"]])
    if body["format"] == "update_set":
        return load_and_commit(instance, str(content).encode())
    table = str(body.get("table", ""))
    parts = [(table, _csv(content))] if body["format"] == "csv" else list(_json(table, content))
    with instance.database.transaction():
        return [row for name, rows in parts for row in _insert(instance, name, map(_text, _objects(rows)))]


def recover(instance: Instance, body: Any) -> list[Row]:
    """Does what an administrator does on a form: {"deleted": sys_id of a sys_audit_delete row, "related":
    whether what went along comes back too} or {"archived": sys_id of a sys_archive_log row}. Raises NotFound,
    and ValueError when there is nothing to bring back."""
    given = body if isinstance(body, dict) else {}
    if "deleted" in given:
        deleted = _existing(instance, undelete.TABLE, str(given["deleted"]))
        try:
            return [undelete.restore(instance, None, deleted, related=given.get("related") is not False)]
        except PlatformError as refused:
            raise ValueError(str(refused)) from refused
    if "archived" in given:
        return [archive.restore(instance, _existing(instance, archive.LOG, str(given["archived"])))]
    raise ValueError("deleted: a sys_id of sys_audit_delete, or archived: one of sys_archive_log")


def _file(name: str, kind: str) -> str:
    """A file's text. Only files that say by their name that they are such data: the caller may be anybody
    on this machine, and an answer quotes what it could not read."""
    path = Path(name)
    if path.suffix.lower() != f".{kind}" or not path.is_file():
        raise ValueError(f"path is an existing .{kind} file, not {name!r}; or give the text as body")
    return path.read_text(encoding="utf-8-sig")


def _csv(text: str) -> list[Row]:
    return [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(io.StringIO(text))]


def _json(table: str, content: Any) -> Iterable[tuple[str, Any]]:
    value = msgspec.json.decode(content) if isinstance(content, str) else content
    if isinstance(value, list):
        return [(table, value)]
    if not isinstance(value, dict):
        raise ValueError("the JSON is a list of objects, or an object of such lists")
    for key in ("result", "records"):
        if table and key in value:
            return [(table, value[key])]
    return list(value.items()) if not table else [(table, value)]


def _known(instance: Instance, table: str) -> Any:
    try:
        return instance.database.known(table)
    except UnknownTable as wrong:
        raise NotFound(str(wrong)) from wrong


def _readable(instance: Instance, asked: Asked) -> None:
    """Raises ValueError for columns that do not exist: a typo must not select, or delete, everything."""
    known = instance.database.known(asked.table)
    compiled = query.compile(instance.dictionary, asked.table, asked.query, instance.query_context())
    unknown = [*compiled.unknown, *(name for name in asked.fields if name not in known.fields)]
    if unknown:
        raise ValueError(f"{asked.table} has no field {', '.join(unknown)}")


def _existing(instance: Instance, table: str, sys_id: str) -> Row:
    row = instance.database.get(table, sys_id)
    if row is None:
        raise NotFound(f"{table} has no record {sys_id!r}")
    return row


def _many(body: Any) -> list[Mapping[str, Any]]:
    rows = body if isinstance(body, list) else [body]
    if len(rows) > LIMIT:
        raise ValueError(f"at most {LIMIT} records at a time, not {len(rows)}")
    return _objects(rows)


def _objects(body: Any) -> list[Mapping[str, Any]]:
    rows = body if isinstance(body, list) else [body]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a record is an object of fields")
    return rows


def _text(values: Mapping[str, Any]) -> Row:
    """JSON values as the database keeps them: text."""
    return {name: _scalar(name, value) for name, value in values.items()}


def _scalar(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"{name} is a text, number or boolean, not {type(value).__name__}")


def _sealed(instance: Instance, table: str, values: Row) -> Row:
    """Passwords given in the clear, as the platform would keep them after a proper write."""
    known = instance.database.known(table)
    kept = dict(values)
    for name, value in values.items():
        field = known.fields.get(name)
        if field is None or not value:
            continue
        if field.type == "password" and not passwords.is_hashed(value):
            kept[name] = passwords.hash_password(value)
        elif field.type == "password2":
            kept[name] = instance.seal.seal(value)
    return kept


def _settle_roles(instance: Instance, table: str, rows: list[Row]) -> None:
    """Inherited roles follow, as they do on the platform, although no rule ran."""
    if table not in roles.SOURCES or not rows:
        return
    users: set[str] = set()
    for row in rows:
        found = roles.affected(instance, table, row)
        if found is None:
            roles.rebuild(instance)
            return
        users |= found
    roles.rebuild(instance, users)
