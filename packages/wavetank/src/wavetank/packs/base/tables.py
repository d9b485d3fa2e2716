"""Reads what a pack declares in text: its tables, one block each.

    name < super : Label [audited] [closed]
      element   type[:length][=default]   Label   [flags]

Columns are separated by two or more spaces. ">table" is a reference; "+system" adds the fields that every
table has, "+created" those of a table whose rows never change. Flags: choice, display, mandatory, unique,
readonly, key=column (what a reference to the table holds instead of a sys_id).

Sources of the base pack's declarations: ServiceNow docs "Important task table fields", "Task table", table
schemas that ServiceNow publishes with its SDK, and recorded records.
"""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from importlib.resources import files

from wavetank.database.dictionary import WRITTEN_ONCE, Definition, Field, system_fields
from wavetank.database.shipped import sys_id_for

_HEAD = re.compile(r"(?P<name>\w+)(?: < (?P<super>\w+))? : (?P<label>[^\[]+?)(?: \[(?P<flags>[^\]]+)\])?")
_TYPE = re.compile(r"(?P<type>\w*)(?:>(?P<reference>\w+))?(?::(?P<length>\d+))?(?:=(?P<default>.*))?")
_LENGTHS = {"reference": 32, "boolean": 40, "GUID": 32}


def lines(pack: str, kind: str) -> list[str]:
    """The lines of a pack's `<kind>.txt`, or of every text in its folder `<kind>`; comments left out.

    `pack` is the pack's Python package, `kind` tables, choices or access.
    """
    folder = files(pack) / kind
    texts = sorted(folder.iterdir(), key=lambda each: each.name) if folder.is_dir() else []
    single = files(pack) / f"{kind}.txt"
    found = [text.read_text(encoding="utf-8") for text in (single, *texts) if text.is_file()]
    everything = [line for text in found for line in text.splitlines()]
    return [line for line in everything if line.strip() and not line.startswith("#")]


@functools.cache
def definitions(pack: str) -> tuple[Definition, ...]:
    """Every table that a pack declares, with sys_ids. Raises ValueError for a line it cannot read."""
    found: list[Definition] = []
    for line in lines(pack, "tables"):
        if line.startswith("  "):
            found[-1] = replace(found[-1], fields=(*found[-1].fields, *_fields(found[-1].name, line)))
        else:
            found.append(_head(line))
    return tuple(found)


def _head(line: str) -> Definition:
    match = _HEAD.fullmatch(line.strip())
    if match is None:
        raise ValueError(f"not a table: {line!r}")
    flags = (match["flags"] or "").split(",")
    return Definition(
        name=match["name"],
        label=match["label"],
        super=match["super"] or "",
        audited="audited" in flags,
        ws_access="closed" not in flags,
        sys_id=sys_id_for("sys_db_object", match["name"]),
    )


def _fields(table: str, line: str) -> list[Field]:
    if line.strip() in {"+system", "+created"}:
        return [
            replace(field, sys_id=sys_id_for("sys_dictionary", table, field.name))
            for field in system_fields(table)
            if line.strip() == "+system" or field.name in WRITTEN_ONCE
        ]
    element, kind, label, *rest = re.split(r" {2,}", line.strip())
    match = _TYPE.fullmatch(kind)
    if match is None:
        raise ValueError(f"not a field: {line!r}")
    flags = dict.fromkeys(rest[0].split(",")) if rest else {}
    keys = [flag.removeprefix("key=") for flag in flags if flag.startswith("key=")]
    name = match["type"] or "reference"
    return [
        Field(
            name=element,
            type=name,
            label=label,
            table=table,
            reference=match["reference"] or "",
            max_length=int(match["length"] or _LENGTHS.get(name, 40)),
            default=match["default"] or "",
            mandatory="mandatory" in flags,
            read_only="readonly" in flags,
            display="display" in flags,
            choice="choice" in flags,
            unique="unique" in flags,
            key=keys[0] if keys else "sys_id",
            sys_id=sys_id_for("sys_dictionary", table, element),
        )
    ]
