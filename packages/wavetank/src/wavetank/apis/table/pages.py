"""The rows of one page, as the caller may see them, and how many there are.

Access controls come after the limit: a page may be short, or empty, though more rows follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from typing import Any

import msgspec

from wavetank.apis.table.call import TRUE, Call, formats_of, paths_of
from wavetank.database import listing
from wavetank.database.display import NOTHING, Renderer
from wavetank.database.formats import Mode, Style
from wavetank.database.listing import Key, Keys
from wavetank.database.query import Compiled

FIRST = 50  # rows of the first chunk: the caller soon has something to read


class Page:
    """One page of a list. The instance's lock is held while a chunk is read, not between two chunks."""

    def __init__(self, call: Call, compiled: Compiled, limit: int, offset: int) -> None:
        """The caller may read the table, at least some of its rows."""
        self._call = call
        self._keys = listing.keys(call.instance.database, compiled, limit, offset)
        self._chunks = self._read()

    def __len__(self) -> int:
        """How many rows there are before access controls."""
        return len(self._keys)

    @property
    def short(self) -> bool:
        """Whether it is read in one piece."""
        return len(self._keys) <= listing.CHUNK

    @property
    def empty(self) -> bool:
        """Whether the caller may see nothing of it."""
        first = next(self._chunks, None)
        if first is None:
            return True
        self._chunks = chain((first,), self._chunks)
        return False

    def chunks(self) -> Iterator[bytes]:
        """The rows as JSON texts with commas between, piece by piece. Can be read once."""
        return (b",".join(texts) for texts in self._chunks)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows as objects. Can be read once."""
        for texts in self._chunks:
            yield from msgspec.json.decode(b"[" + b",".join(texts) + b"]")

    def whole(self) -> msgspec.Raw:
        """The rows as one JSON list."""
        return msgspec.Raw(b"[" + b",".join(self.chunks()) + b"]")

    def _read(self) -> Iterator[list[bytes]]:
        sight = Sight(self._call)
        start, size = 0, FIRST if len(self._keys) > listing.CHUNK else listing.CHUNK
        while start < len(self._keys):
            with self._call.instance.lock:
                texts = sight.texts(self._keys[start : start + size])
            if texts:
                yield texts
            start, size = start + size, listing.CHUNK


class Sight:
    """What the caller may see of single rows, and how they look to it."""

    def __init__(self, call: Call) -> None:
        self._call = call
        access, session, table = call.instance.access, call.session, call.table.name
        self._paths = paths_of(call)
        self._renderer = renderer_for(call, self._paths)
        self._by_row = access.needs_row(session, "read", table)
        self._fields_by_row = access.fields_need_row(session, "read", table)
        walked = access.query_fields(session, table, [path for path in self._paths if "." in path])
        self._always = (access.fields(session, "read", table, None) | walked) & frozenset(self._paths)

    def texts(self, keys: Keys) -> list[bytes]:
        """The JSON objects of those of the rows that the caller may see, in the order of the keys."""
        if not (self._by_row or self._fields_by_row or self._by_class):
            return list(self._renderer.texts(keys, self._always).values())
        found: dict[Key, bytes] = {}
        for without, alike in self._groups(keys).items():
            found.update(self._renderer.texts(alike, without))
        return [found[key] for key in keys if key in found]

    @cached_property
    def _by_class(self) -> bool:
        """Whether rows of some class hide other fields than rows of the table."""
        below = self._call.instance.dictionary.descendants(self._call.table.name)
        return any(self._of_class(name) != self._always for name in below)

    def _of_class(self, name: str) -> frozenset[str]:
        """What rows of a class hide whatever they hold."""
        access, table = self._call.instance.access, self._call.table.name
        known = name if name in self._call.instance.dictionary.descendants(table) else table
        denied = access.fields(self._call.session, "read", known, None)
        return self._always | (denied & frozenset(self._paths))

    def _groups(self, keys: Keys) -> dict[frozenset[str], list[Key]]:
        """The keys of the rows that may be seen, by the fields that may not."""
        call = self._call
        access, session, table = call.instance.access, call.session, call.table.name
        rows = listing.identities(call.instance.database, call.table, keys)
        if self._by_row:
            seen = access.seen(session, table, list(rows.values()))
            rows = {key: row for key, row in rows.items() if row[0] in seen}
        hidden: dict[str, frozenset[str]] = {}
        if self._fields_by_row:
            hidden = access.hidden_fields(session, table, list(rows.values()))
        classes: dict[str, frozenset[str]] = {}
        groups: dict[frozenset[str], list[Key]] = {}
        for key, (sys_id, name) in rows.items():
            without = classes.get(name)
            if without is None:
                without = classes[name] = self._of_class(name)
            more = hidden.get(sys_id, NOTHING)
            groups.setdefault(without | more if more else without, []).append(key)
        return groups


def record(call: Call, sys_id: str) -> bytes | None:
    """The JSON text of one record as the caller may see it; None when there is none to see."""
    with call.instance.lock:
        if not call.instance.access.in_sight(call.session, call.table.name, sys_id):
            return None
        keys = listing.record(call.instance.database, call.table, sys_id)
        return next(iter(Sight(call).texts(keys)), None) if keys else None


def page_of(call: Call, compiled: Compiled, limit: int, offset: int) -> list[dict[str, Any]]:
    """The rows of a page as objects."""
    return list(Page(call, compiled, limit, offset).rows())


def total_of(call: Call, compiled: Compiled, may_read: bool) -> int:
    """How many rows the query names; those the caller may not see too, unless a setting says otherwise."""
    instance, table = call.instance, call.table.name
    if instance.settings.get("total_count") == "after_acl":
        if not may_read:
            return 0
        if instance.access.needs_row(call.session, "read", table):
            keys = listing.keys(instance.database, compiled, -1, 0)
            rows = listing.identities(instance.database, call.table, keys)
            return len(instance.access.seen(call.session, table, list(rows.values())))
    return listing.total(instance.database, compiled)


def renderer_for(call: Call, paths: list[str]) -> Renderer:
    mode = call.params.get("sysparm_display_value", "").strip().lower()
    shown: Mode = "all" if mode == "all" else "true" if mode in TRUE else "false"
    date_format, time_format = formats_of(call)
    style = Style(
        mode=shown,
        links="" if call.flag("sysparm_exclude_reference_link") else call.address,
        time_zone=call.session.time_zone,
        date_format=date_format,
        time_format=time_format,
    )
    return Renderer(call.instance.database, call.instance.behaviour.choices, call.table, paths, style)
