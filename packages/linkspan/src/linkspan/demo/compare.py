"""The verdict: are both sides the same? Judged over HTTP, with a table of this file's own.

The table is on purpose not the sync's mapping: a mistake in that one must not hide itself. Levels are
the platform's priorities 1 to 5; a status goes with a set of states (ServiceNow docs: Incident state
model, Priority data lookup rules).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from linkspan.demo.line import Line
from linkspan.demo.marks import marks_in

PRIORITY_OF: Mapping[str, str] = {"critical": "1", "high": "2", "moderate": "3", "low": "4", "planning": "5"}
STATES_OF: Mapping[str, frozenset[str]] = {
    "triage": frozenset("123"),
    "live": frozenset("23"),
    "paused": frozenset("3"),
    "learning": frozenset("67"),
    "closed": frozenset("67"),
    "canceled": frozenset("78"),
}
INCIDENT_FIELDS = "sys_id,number,short_description,description,priority,state,correlation_id"
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Everything there is to compare, as both sides tell it over HTTP.

    ``links`` are those of incidents. ``journal`` holds work notes (element_id, value), ``updates`` the
    desk's (incident, text).
    """

    links: Sequence[Row]
    records: Mapping[str, Row]
    incidents: Mapping[str, Row]
    journal: Sequence[Row]
    updates: Sequence[Row]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What must be there: ids created on each side, and on which record each mark was written."""

    records: Sequence[str]
    incidents: Sequence[str]
    marks: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A sentence for each difference and each duplicate; both empty when all is well."""

    links: int
    differences: Sequence[str] = field(default_factory=tuple)
    duplicates: Sequence[str] = field(default_factory=tuple)


def fetch(instance: Line, hub: Line) -> Sides:
    """Read both sides. ``instance`` speaks as an administrator."""
    incidents = list(_hub_pages(hub, "/api/desk/incidents", "incidents"))
    return Sides(
        links=[one for one in _hub_pages(hub, "/api/links", "links") if one["table"] == "incident"],
        records={row["sys_id"]: row for row in _rows(instance, "incident", INCIDENT_FIELDS)},
        incidents={row["id"]: row for row in incidents},
        journal=list(_rows(instance, "sys_journal_field", "sys_id,element_id,value", "element=work_notes^")),
        updates=list(_updates(hub)),
    )


def compare(sides: Sides, expected: Expected) -> Verdict:
    """Compare every link field by field, every expected record's links, and every mark's copies."""
    differences = [*_unlinked(sides, expected), *_unequal(sides), *_lost_notes(sides, expected)]
    return Verdict(
        links=len(sides.links),
        differences=differences,
        duplicates=[*_doubled(sides, expected), *_doubled_notes(sides)],
    )


def _unlinked(sides: Sides, expected: Expected) -> Iterator[str]:
    records = {link["sys_id"] for link in sides.links if link["peer_id"]}
    incidents = {link["peer_id"] for link in sides.links if link["sys_id"]}
    yield from (
        f"incident {one} of the instance has no link" for one in expected.records if one not in records
    )
    yield from (
        f"incident {one} of the desk has no link" for one in expected.incidents if one not in incidents
    )


def _unequal(sides: Sides) -> Iterator[str]:
    for link in sides.links:
        record, incident = sides.records.get(link["sys_id"]), sides.incidents.get(link["peer_id"])
        name = f"link {link['id']} ({link['number']} = {link['peer_reference']})"
        if record is None or incident is None:
            yield f"{name}: one side is missing"
            continue
        for field_name, here, there in _pairs(incident, record):
            yield f"{name}: {field_name} is {here!r} on the desk and {there!r} on the instance"


def _pairs(incident: Row, record: Row) -> Iterator[tuple[str, str, str]]:
    """The fields that do not mean the same: name, desk's value, instance's value."""
    for mine, theirs in (("name", "short_description"), ("summary", "description")):
        if _text(incident[mine]) != _text(record[theirs]):
            yield mine, incident[mine], record[theirs]
    if PRIORITY_OF.get(incident["severity"]) != record["priority"]:
        yield "severity", incident["severity"], record["priority"]
    if record["state"] not in STATES_OF.get(incident["status"], frozenset()):
        yield "status", incident["status"], record["state"]


def _text(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _doubled(sides: Sides, expected: Expected) -> Iterator[str]:
    yield from _repeated("correlation id", (row["correlation_id"] for row in sides.records.values()))
    yield from _repeated("link of the record", (link["sys_id"] for link in sides.links))
    yield from _repeated("link of the desk incident", (link["peer_id"] for link in sides.links))
    # Nobody but the sync declares the others, so one of those without a link is a second copy.
    accounted = {link["peer_id"] for link in sides.links} | set(expected.incidents)
    copies = (row for key, row in sides.incidents.items() if key not in accounted)
    yield from (f"desk incident {row['number']} was made by the sync and has no link" for row in copies)


def _repeated(what: str, values: Iterable[str]) -> Iterator[str]:
    return (f"{what} {value} occurs {n} times" for value, n in Counter(values).items() if value and n > 1)


def _copies(sides: Sides) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """How often each mark stands on each record: on the instance, and on the desk."""
    journal = Counter((mark, row["element_id"]) for row in sides.journal for mark in marks_in(row["value"]))
    updates = Counter((mark, row["incident"]) for row in sides.updates for mark in marks_in(row["text"]))
    return journal, updates


def _lost_notes(sides: Sides, expected: Expected) -> Iterator[str]:
    journal, updates = _copies(sides)
    peers = {link["sys_id"]: link["peer_id"] for link in sides.links}
    records = {link["peer_id"]: link["sys_id"] for link in sides.links}
    for mark, record in expected.marks.items():
        copies = updates if mark[0] == "s" else journal
        counterpart = (peers if mark[0] == "s" else records).get(record)
        if not copies[mark, counterpart or ""]:
            yield f"the note with mark {mark} did not reach the other side of {record}"


def _doubled_notes(sides: Sides) -> Iterator[str]:
    for side, copies in zip(("instance", "desk"), _copies(sides), strict=True):
        for mark, count in _by_mark(copies).items():
            if count > 1:
                yield f"the note with mark {mark} stands {count} times on the {side}"


def _by_mark(copies: Counter[tuple[str, str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for (mark, _), count in copies.items():
        total[mark] += count
    return total


def _rows(instance: Line, table: str, fields: str, query: str = "") -> Iterator[Row]:
    """All rows of a table in pages by sys_id: no page can shift while it is read."""
    last = ""
    while True:
        rows = instance.get(
            f"/api/now/table/{table}",
            sysparm_query=f"{query}sys_id>{last}^ORDERBYsys_id" if last else f"{query}ORDERBYsys_id",
            sysparm_fields=fields,
            sysparm_limit=1000,
            sysparm_exclude_reference_link="true",
            sysparm_no_count="true",
        )["result"]
        if not rows:
            return
        yield from rows
        last = rows[-1]["sys_id"]


def _hub_pages(hub: Line, path: str, name: str) -> Iterator[Row]:
    offset: int | None = 0
    while offset is not None:
        page = hub.get(path, limit=500, offset=offset)
        yield from page[name]
        offset = page["next"]


def _updates(hub: Line) -> Iterator[Row]:
    after = 0
    while page := hub.get("/api/desk/updates", after=after, limit=500)["updates"]:
        yield from page
        after = page[-1]["seq"]
