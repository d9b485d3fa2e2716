"""Reads the XML that an instance exports: an `<unload>` of records, and the payload inside an update.

The files come from anywhere, so nothing but elements and text is understood: a document type, and with it
every entity that is not built into XML, is refused, as is what is too large or too deep.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

LARGEST = 16 * 1024 * 1024  # bytes of a file; ours, the platform's own limit is far above
DEEPEST = 16
MOST = 250_000  # elements of a file; 16 MiB of real updates have fewer
SETS, UPDATES = "sys_remote_update_set", "sys_update_xml"
WRITE, DELETE = "INSERT_OR_UPDATE", "DELETE"
_SYS_ID = re.compile(r"[0-9a-f]{32}")


class BadUnload(ValueError):
    """A file that is no update set; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file: its table, INSERT_OR_UPDATE or DELETE, and its fields as text."""

    table: str
    action: str
    values: Mapping[str, str]

    @property
    def sys_id(self) -> str:
        return self.values.get("sys_id", "")


@dataclass(frozen=True, slots=True)
class Unload:
    """The update sets of a file and their updates, in the file's order; `date` is "" when it has none."""

    date: str
    sets: tuple[Record, ...]
    updates: tuple[Record, ...]


def read(content: bytes) -> Unload:
    """The update sets of an exported file. Raises BadUnload."""
    if len(content) > LARGEST:
        raise BadUnload(f"the file has {len(content)} bytes; at most {LARGEST} are read")
    root = _tree(content)
    if root.tag != "unload":
        raise BadUnload(f"the file is a <{root.tag}>, not an <unload>")
    records = [_record(each) for each in root]
    foreign = sorted({record.table for record in records} - {SETS, UPDATES})
    if foreign:
        raise BadUnload(f"the file holds records of {', '.join(foreign)} outside an update set")
    sets = tuple(record for record in records if record.table == SETS)
    updates = tuple(record for record in records if record.table == UPDATES)
    _check(sets, updates)
    return Unload(root.get("unload_date", ""), sets, updates)


def payload(text: str) -> tuple[Record, ...]:
    """The records that an update writes or deletes. Raises BadUnload."""
    root = _tree(text.encode(), "utf-8")
    if root.tag != "record_update":
        raise BadUnload(f"the payload is a <{root.tag}>, not a <record_update>")
    records = tuple(_record(each) for each in root)
    if not records:
        raise BadUnload("the payload holds no record")
    for record in records:
        if not _SYS_ID.fullmatch(record.sys_id):
            raise BadUnload(f"the payload's {record.table} has no sys_id")
    return records


def _check(sets: tuple[Record, ...], updates: tuple[Record, ...]) -> None:
    if not sets:
        raise BadUnload("the file holds no update set")
    for each in sets:
        if not _SYS_ID.fullmatch(each.sys_id) or not each.values.get("name"):
            raise BadUnload("an update set needs a sys_id and a name")
    known = {each.sys_id for each in sets}
    for update in updates:
        name = update.values.get("name", "")
        if not name:
            raise BadUnload("an update has no name")
        if update.values.get("remote_update_set") not in known:
            raise BadUnload(f"{name} belongs to no update set of the file")
        if update.sys_id and not _SYS_ID.fullmatch(update.sys_id):
            raise BadUnload(f"{name} has a sys_id that is none")
        try:
            payload(update.values.get("payload", ""))
        except BadUnload as wrong:
            raise BadUnload(f"{name}: {wrong}") from wrong


def _record(element: Element) -> Record:
    action = element.get("action", WRITE)
    if action not in (WRITE, DELETE):
        raise BadUnload(f"{action!r} of a {element.tag} is neither {WRITE} nor {DELETE}")
    return Record(element.tag, action, dict(_fields(element)))


def _fields(element: Element) -> Iterable[tuple[str, str]]:
    for field in element:
        if len(field):
            raise BadUnload(f"{element.tag}.{field.tag} holds elements, not text")
        yield field.tag, field.text or ""


def _tree(content: bytes, encoding: str | None = None) -> Element:
    """The document's elements, by a parser that knows no document types and fetches nothing."""
    builder = TreeBuilder()
    parser = expat.ParserCreate(encoding)
    parser.buffer_text = True
    depth = count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if count > MOST:
            raise BadUnload(f"the XML has more than {MOST} elements")
        if depth > DEEPEST:
            raise BadUnload(f"the XML is nested deeper than {DEEPEST} elements")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def doctype(*_: object) -> None:
        raise BadUnload("the XML declares a document type")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
    except expat.ExpatError as wrong:
        raise BadUnload(f"the XML cannot be read: {wrong}") from wrong
    except (UnicodeError, LookupError, ValueError) as wrong:
        if isinstance(wrong, BadUnload):
            raise
        raise BadUnload(f"the XML cannot be read: {wrong}") from wrong
    return builder.close()
