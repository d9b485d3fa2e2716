"""What goes between the reading side and the warehouse: plain values that survive JSON.

The reading side (``extract``) knows an instance and no warehouse; the storing side (``load``) knows a
warehouse and no instance. They may run in different processes, even on different machines.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import msgspec

Kind = Literal["text", "timestamp", "date", "integer", "number", "boolean", "duration"]

# Internal types whose text form is known for certain; everything else stays text.
_KINDS: dict[str, Kind] = {
    "glide_date_time": "timestamp",
    "due_date": "timestamp",
    "glide_date": "date",
    "integer": "integer",
    "longint": "integer",
    "float": "number",
    "decimal": "number",
    "boolean": "boolean",
    "glide_duration": "duration",
    "timer": "duration",
}
# Never a column: journals are streams of their own, secrets are nobody's to store.
NEVER = frozenset({"journal", "journal_input", "journal_list", "password", "password2"})


def kind_of(internal_type: str) -> Kind:
    """How values of an internal type are kept."""
    return _KINDS.get(internal_type, "text")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One field of a stream. ``hashed`` values arrive as keyed hashes."""

    name: str
    kind: Kind = "text"
    hashed: bool = False


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is read of one table of one instance, decided before the first row.

    ``classes`` are the table and those that extend it. ``query`` is an encoded query that rows must
    match. ``by_dictionary`` False: the account may not read the dictionary, so custom fields are unknown.
    """

    instance: str
    host: str
    table: str
    columns: tuple[Column, ...]
    classes: tuple[str, ...]
    query: str = ""
    by_dictionary: bool = True

    @property
    def fields(self) -> tuple[str, ...]:
        """The names that are asked for."""
        return tuple(column.name for column in self.columns)

    @property
    def fingerprint(self) -> str:
        """What a cursor belongs to: another table, query, host or zone is another base."""
        base = (self.table, self.query.strip(), self.host, "UTC")
        return hashlib.sha256("\n".join(base).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep on its way: everything up to the key ``after`` was handed over, ``high`` is its fixed end."""

    high: str
    after: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class State:
    """How far a stream is. Times are the platform's text; "" means never.

    ``cursor`` is the newest stamp up to which everything was read; ``deletes`` the same of the audit of
    deletions. ``number`` counts batches, so that one that arrives twice is known.
    """

    fingerprint: str = ""
    number: int = 0
    cursor: str = ""
    sweep: Sweep | None = None
    deletes: str = ""
    page_size: int = 0
    audit: Literal["unknown", "readable", "closed"] = "unknown"
    finished: str = ""
    compared: str = ""
    hidden: int | None = None


@dataclass(frozen=True, kw_only=True)
class Gone:
    """A record that was deleted, and when as far as is known."""

    sys_id: str
    at: str


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """A record that the instance could not return."""

    sys_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of one stream, and the state that holds once they are stored.

    A row maps field to raw text; a field that is absent in a row was hidden from the account there.
    ``restart`` drops what is stored of another base. ``current`` rows were looked up one by one: they replace
    what is stored even where their stamp is older. ``number`` is the state's, or that of the batch
    before for rows that move nothing on.
    """

    shape: Shape
    state: State
    rows: tuple[dict[str, str], ...] = ()
    deleted: tuple[Gone, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    absent: tuple[str, ...] = ()
    restart: bool = False
    current: bool = False

    def encode(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, text: bytes) -> Batch:
        """From JSON. Raises msgspec.ValidationError for anything else."""
        return msgspec.json.decode(text, type=cls)
