"""The work notes of records, by whichever way the account may read them.

The table ``sys_journal_field`` is exact but often closed to plain roles; the display value of the
journal field shows the same entries as one text, newest first, each under a line
``YYYY-MM-DD HH:MM:SS - Name (Work notes)`` (recorded from a real instance).
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.clock import parse_platform_time
from linkspan.core.errors import BadReply, NotAuthorized

JOURNAL = "sys_journal_field"
IDS_PER_REQUEST = 50  # 33 characters each: far below the 8 kB limit of a URL
_HEAD = re.compile(
    r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) - (.+) \((Work notes|Additional comments)\)$", re.MULTILINE
)
# What stands between these tags is shown as HTML (ServiceNow docs: Format journal entries as HTML).
_HTML_TAG = re.compile(r"\[(/?)code\]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Author:
    """Us, in both ways an entry may name its author."""

    user_name: str
    name: str


@dataclass(frozen=True, kw_only=True)
class RecordNote:
    """One work note. ``at`` is epoch seconds. ``key`` names it within its record for good: entries
    are only ever appended, so the n-th entry with this text and kind of author stays the n-th.
    """

    key: str
    text: str
    author: str
    at: float
    ours: bool


def normal(text: str) -> str:
    """A note's text as it compares: the platform may change line ends and trim."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def plain(text: str) -> str:
    """``text`` in normal form, as text and nothing else: a line that could be taken for the head of an entry
    is indented, and tags that would turn it into HTML are broken."""
    return _HEAD.sub(r" \g<0>", _HTML_TAG.sub(r"[\1 code]", normal(text)))


def digest(text: str) -> str:
    """sha256 of the normal form."""
    return hashlib.sha256(normal(text).encode()).hexdigest()


class NoteReader:
    """Reads work notes for one account on one instance; finds out once which way is open to it."""

    def __init__(self, connection: Connection, author: Author) -> None:
        self._connection = connection
        self._author = author
        self._by_table: bool | None = None

    def read(self, table: str, sys_ids: Sequence[str]) -> dict[str, list[RecordNote]]:
        """All work notes of these records, oldest first, by sys_id. An unseen record has none.

        Raises NotAuthorized or BadReply when there may be notes that this account cannot read.
        """
        if self._by_table is None:
            self._by_table = self._can_read_table(table)
        found: dict[str, list[RecordNote]] = {}
        for start in range(0, len(sys_ids), IDS_PER_REQUEST):
            part = sys_ids[start : start + IDS_PER_REQUEST]
            found |= self._from_table(table, part) if self._by_table else self._from_display(table, part)
        return found

    def _can_read_table(self, table: str) -> bool:
        terms = query.all_of(query.term("name", "=", table), query.term("element", "=", "work_notes"))
        try:
            page = self._connection.table.page(JOURNAL, query=terms, fields=("sys_id",), limit=1)
        except NotAuthorized:
            return False
        # No visible row proves nothing: the display value is right in either case.
        return bool(page.rows)

    def _from_table(self, table: str, sys_ids: Sequence[str]) -> dict[str, list[RecordNote]]:
        terms = query.all_of(
            query.term("name", "=", table),
            query.term("element", "=", "work_notes"),
            query.one_of("element_id", sys_ids),
        )
        entries: dict[str, list[tuple[float, str, str, bool]]] = defaultdict(list)
        fields = ("sys_id", "element_id", "value", "sys_created_on", "sys_created_by")
        order = ("sys_created_on", "sys_id")
        for rows in self._connection.table.keyset(JOURNAL, query=terms, fields=fields, order=order):
            for row in rows:
                by = row["sys_created_by"]
                at = parse_platform_time(row["sys_created_on"])
                entries[row["element_id"]].append((at, by, row["value"], by == self._author.user_name))
        return {sys_id: _keyed(found) for sys_id, found in entries.items()}

    def _from_display(self, table: str, sys_ids: Sequence[str]) -> dict[str, list[RecordNote]]:
        rows = self._connection.table.page(
            table,
            query=query.one_of("sys_id", sys_ids),
            fields=("sys_id", "work_notes"),
            limit=len(sys_ids),
            display="all",
        ).rows
        if any("work_notes" not in row for row in rows):
            raise NotAuthorized(
                f"the work notes of {table} are hidden from this account",
                fix=f"grant it read on {table}.work_notes",
                where=table,
                code="field_hidden",
            )
        return {
            _raw(row["sys_id"]): _keyed(self._parse(row["work_notes"]["display_value"] or "")) for row in rows
        }

    def _parse(self, text: str) -> list[tuple[float, str, str, bool]]:
        text = text.replace("\r\n", "\n")
        heads = list(_HEAD.finditer(text))
        if text[: heads[0].start() if heads else None].strip():
            raise BadReply(
                f"work notes are shown in a form that is not known: {text.strip().splitlines()[0][:60]!r}",
                fix="give the account the system's date format and English, or read on sys_journal_field",
                where=JOURNAL,
                code="journal_form",
            )
        entries = []
        for head, following in zip(heads, [*heads[1:], None], strict=False):
            if head[3] != "Work notes":
                continue
            body = text[head.end() : following.start() if following else len(text)]
            at = parse_platform_time(head[1])
            # A user without a name is shown by its user name.
            ours = head[2] == (self._author.name or self._author.user_name)
            entries.append((at, head[2], body, ours))
        entries.reverse()
        return entries


def _raw(value: str | Mapping[str, str]) -> str:
    return value if isinstance(value, str) else value["value"]


def _keyed(entries: Sequence[tuple[float, str, str, bool]]) -> list[RecordNote]:
    seen: dict[tuple[bool, str], int] = defaultdict(int)
    notes = []
    for at, author, text, ours in entries:
        text_digest = digest(text)
        seen[ours, text_digest] += 1
        key = f"{'o' if ours else 'p'}:{text_digest[:32]}:{seen[ours, text_digest]}"
        notes.append(RecordNote(key=key, text=normal(text), author=author, at=at, ours=ours))
    return notes
