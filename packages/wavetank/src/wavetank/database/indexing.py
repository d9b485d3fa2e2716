"""Indexes made on demand: a kind of query that is slow again and again gets one.

What is filtered and sorted on is the callers' choice; indexes on every column would make every write pay. A
kind of query is its columns, whatever the values: those compared for equality first, then those it is sorted
by, then the rest, so that the index alone answers which rows there are and in which order.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wavetank.database.dictionary import APART, COMPUTED

if TYPE_CHECKING:
    from wavetank.database.query import Compiled

OFTEN = 3  # a page is a search for keys and a count: its second page makes the index
MOST = 8  # for one physical table
WIDEST = 8  # columns
_COLUMN = re.compile(r't0\."(\w+)"')
_EQUAL = re.compile(r't0\."(\w+)" = \?')


class Indexing:
    """The indexes made on demand in one database. `slow` are seconds of this thread.

    `busy` says whether a write is under way, during which no index is made.
    """

    def __init__(self, connection: sqlite3.Connection, busy: Callable[[], bool], slow: float = 0.05) -> None:
        self._connection = connection
        self._busy = busy
        self.slow = slow
        self._slow: dict[tuple[str, tuple[str, ...]], int] = {}

    @contextmanager
    def watched(self, compiled: Compiled) -> Iterator[None]:
        """Round a search for keys, or a count: notices that it was slow."""
        before = time.thread_time()
        yield
        if time.thread_time() - before > self.slow:
            self._noticed(compiled)

    def _noticed(self, compiled: Compiled) -> None:
        root = compiled.source.table.root
        columns = columns_for(compiled)
        if not columns or root in APART or root in COMPUTED or self._busy():
            return
        seen = self._slow[root, columns] = self._slow.get((root, columns), 0) + 1
        if seen >= OFTEN:
            self._make(root, columns)

    def _make(self, root: str, columns: tuple[str, ...]) -> None:
        listed = ", ".join(columns)
        digest = hashlib.sha256(listed.encode()).hexdigest()[:12]
        prefix = f"demand__{root}__"
        wanted = f"{prefix}{digest}"
        present = self._connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND substr(name, 1, ?) = ?"
            " ORDER BY rowid",
            (root, len(prefix), prefix),
        ).fetchall()
        if (wanted,) in present:
            return
        for (name,) in present[: max(0, len(present) - MOST + 1)]:
            self._connection.execute(f'DROP INDEX "{name}"')
        self._connection.execute(f'CREATE INDEX "{wanted}" ON "{root}" ({listed})')


def columns_for(compiled: Compiled) -> tuple[str, ...]:
    """The columns, as SQL, of the index that would serve a query; () when none would."""
    where = compiled.where_sql
    equal = [f'"{name}"' for name in _EQUAL.findall(where)]
    used = [f'"{name}"' for name in _COLUMN.findall(where)]
    equal.sort(key=lambda name: name != '"sys_class_name"')
    columns = tuple(dict.fromkeys([*equal, *_order(compiled.order_sql), *used]))
    return columns if len(columns) <= WIDEST else ()


def _order(order_sql: str) -> list[str]:
    """The terms of an ORDER BY without the last, the key; none when one is not of the table itself."""
    terms = [term.strip() for term in _split(order_sql.removeprefix("ORDER BY "))][:-1]
    descending = bool(terms) and all(term.endswith(" DESC") for term in terms)
    found = []
    for term in terms:
        own = _COLUMN.sub(r'"\1"', term)
        if "." in own or "?" in own or "SELECT" in own.upper():
            return []
        # All the other way round is the same index, read backwards.
        found.append(own.removesuffix(" DESC") if descending else own)
    return found


def _split(text: str) -> list[str]:
    """A list of SQL terms at its outer commas."""
    parts, depth = [""], 0
    for each in text:
        depth += {"(": 1, ")": -1}.get(each, 0)
        if each == "," and not depth:
            parts.append("")
        else:
            parts[-1] += each
    return parts
