"""An incident event log as plain values: one event is one saved state of one incident.

The shape is that of the "Incident management process enriched event log" (Amaral, Fantinato, Peres;
UCI data set 498): a CSV with one row per update, ``?`` for null, times as ``d/m/yyyy HH:MM``.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path
from typing import TextIO

from linkspan.core.errors import ConfigError

NULL = "?"

# The columns of an event that say what the incident looked like; the others are derived by the
# platform (priority, active, made_sla, resolved_at, …) or tell when and by whom.
COLUMNS = (
    "caller_id",
    "contact_type",
    "location",
    "category",
    "subcategory",
    "u_symptom",
    "cmdb_ci",
    "impact",
    "urgency",
    "assignment_group",
    "assigned_to",
    "knowledge",
    "u_priority_confirmation",
    "notify",
    "problem_id",
    "rfc",
    "vendor",
    "caused_by",
    "closed_code",
)
_NEEDED = frozenset(
    {*COLUMNS, "number", "incident_state", "sys_mod_count", "sys_updated_by", "sys_updated_at"}
)

Moment = tuple[int, int, int, int, int]
"""Year, month, day, hour, minute: sortable, and far cheaper than a datetime for 140,000 rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent:
    """One row of the log. ``columns`` holds the words of the log by column, "" for null."""

    number: str
    at: Moment
    edition: int
    editor: str
    state: str
    columns: Mapping[str, str]

    @property
    def order(self) -> tuple[Moment, str, int]:
        """Where the event stands in the log: the file itself is not in order of time."""
        return (self.at, self.number, self.edition)


def read(path: Path, count: int) -> list[LogEvent]:
    """The first ``count`` events of a log in order of time. A ``.zip`` holds the CSV as its one table.

    Raises ConfigError when the file is absent or is not such a log.
    """
    try:
        with _opened(path) as text:
            rows = csv.reader(text)
            header = next(rows, [])
            return _first(header, rows, count, str(path))
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the event log cannot be read: {error}",
            fix="Give --replay a CSV of incident events, or a zip that holds one.",
            where=str(path),
        ) from error


def in_order(events: Iterable[LogEvent], count: int) -> list[LogEvent]:
    """The first ``count`` events by (updated at, number, modification count)."""
    return nsmallest(count, events, key=lambda event: event.order)


def moment(text: str) -> Moment:
    """``d/m/yyyy HH:MM`` as numbers. Raises ValueError for any other form."""
    date, _, time = text.partition(" ")
    day, month, year = date.split("/")
    hour, minute = time.split(":")
    return (int(year), int(month), int(day), int(hour), int(minute))


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if path.suffix != ".zip":
        with path.open(encoding="utf-8", newline="") as text:
            yield text
        return
    with zipfile.ZipFile(path) as archive:
        # Archives made on a Mac carry a second, hidden entry beside each file.
        names = [name for name in archive.namelist() if name.endswith(".csv") and "__MACOSX" not in name]
        if len(names) != 1:
            raise zipfile.BadZipFile(f"it holds {len(names)} CSV files, not one")
        with archive.open(names[0]) as data:
            yield io.TextIOWrapper(data, encoding="utf-8", newline="")


def _first(header: list[str], rows: Iterable[list[str]], count: int, where: str) -> list[LogEvent]:
    """Only the rows that are kept become values: the log is far longer than what is replayed."""
    missing = sorted(_NEEDED - set(header))
    if missing:
        raise ConfigError(f"the event log has no column {missing[0]!r}", where=f"{where}:1")
    number, edition, editor, state, at = (
        header.index(name)
        for name in ("number", "sys_mod_count", "sys_updated_by", "incident_state", "sys_updated_at")
    )
    places = [(name, header.index(name)) for name in COLUMNS]

    def ordered() -> Iterator[tuple[tuple[Moment, str, int], list[str]]]:
        for line, row in enumerate(rows, start=2):
            try:
                yield (moment(row[at]), row[number], int(row[edition])), row
            except (ValueError, IndexError) as error:
                raise ConfigError(f"this row is not an event: {error}", where=f"{where}:{line}") from error

    return [
        LogEvent(
            number=order[1],
            at=order[0],
            edition=order[2],
            editor=_word(row[editor]),
            state=_word(row[state]),
            columns={name: _word(row[place]) for name, place in places},
        )
        for order, row in nsmallest(count, ordered(), key=lambda pair: pair[0])
    ]


def _word(text: str) -> str:
    # The anonymised names carry stray double blanks ("Opened by  8"): one name, one spelling.
    text = " ".join(text.split())
    return "" if text == NULL else text
