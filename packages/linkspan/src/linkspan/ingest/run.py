"""One stream brought up to date: extract, load, compare where it is due, tell what was proven."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from linkspan.connection import Connection
from linkspan.core.clock import parse_platform_time
from linkspan.feed import bounded
from linkspan.ingest import verify
from linkspan.ingest.exclude import Exclusion
from linkspan.ingest.extract import extract, records, shape
from linkspan.ingest.load import load, mark_deleted, note, save_state, state_of
from linkspan.ingest.values import Gone, Shape, State
from linkspan.store.warehouse import BOOKS, Warehouse

# Comparing every key costs a request for 5000 rows: small tables each time, large ones once a day.
COMPARE_EACH_TIME = 20_000
COMPARE_EVERY_SECONDS = 86_400
# More than this share of a table gone at once looks like lost rights, not like deletions.
VANISHING_SHARE = 0.2
VANISHING_ROWS = 10

Announce = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One stream after a run or a look. ``hidden`` None: it was not told apart this time."""

    counted: int
    stored: int
    hidden: int | None
    deleted: int
    gaps: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    read: int = 0
    requests: int = 0

    @property
    def verified(self) -> bool:
        """Whether the warehouse was proven to hold what the instance shows."""
        return not self.gaps

    def document(self) -> dict[str, Any]:
        """As it stands in ``--json`` output."""
        return {
            "counted": self.counted,
            "stored": self.stored,
            "hidden": self.hidden,
            "deleted": self.deleted,
            "verified": self.verified,
            "gaps": self.gaps,
            "warnings": self.warnings,
            "read": self.read,
            "requests": self.requests,
        }


def run(
    connection: Connection,
    warehouse: Warehouse,
    table: str,
    exclusion: Exclusion,
    *,
    full: bool = False,
    accept_vanished: bool = False,
    announce: Announce = lambda _text: None,
) -> Outcome:
    """Bring one stream up to date. What was loaded when something goes wrong stays and is built upon."""
    asked = connection.requests_made
    form = shape(connection, table, exclusion)
    read = 0
    for batch in extract(connection, form, exclusion, state_of(warehouse, form.instance, table), full=full):
        load(warehouse, batch)
        read += len(batch.rows)
        if batch.rows or batch.deleted:
            announce(f"{read} rows read up to {batch.state.cursor or _reached(batch.state)}")
    state = state_of(warehouse, form.instance, table)
    counted = bounded.count(connection, table, form.query)
    numbers = verify.stored(warehouse, form.instance, table)
    if not full and not _compare_is_due(connection, form, state, counted, numbers["stored"]):
        return Outcome(
            counted=counted,
            stored=numbers["stored"],
            hidden=state.hidden,
            deleted=numbers["deleted"],
            warnings=_warnings(warehouse, form, exclusion, state),
            read=read,
            requests=connection.requests_made - asked,
        )
    announce("comparing keys")
    outcome = _settle(connection, warehouse, form, exclusion, accept_vanished=accept_vanished)
    return replace(outcome, read=read, requests=connection.requests_made - asked)


def look(connection: Connection, warehouse: Warehouse, table: str, exclusion: Exclusion) -> Outcome:
    """Compare one stream with its instance and change nothing."""
    asked = connection.requests_made
    form = shape(connection, table, exclusion)
    found = verify.compare(connection, warehouse, form)
    state = state_of(warehouse, form.instance, table)
    gaps = found.gaps()
    if state.sweep is not None:
        gaps.append({"kind": "unfinished", "count": 1, "sys_ids": [], "fix": "run the ingestion"})
    return replace(
        _outcome(found, gaps, _warnings(warehouse, form, exclusion, state)),
        requests=connection.requests_made - asked,
    )


def _settle(
    connection: Connection,
    warehouse: Warehouse,
    form: Shape,
    exclusion: Exclusion,
    *,
    accept_vanished: bool,
) -> Outcome:
    """Compare, fetch what is missing, bury what is gone, and compare again if anything was done."""
    found = verify.compare(connection, warehouse, form)
    state = state_of(warehouse, form.instance, form.table)
    wanted = [*found.missing, *found.stale]
    for batch in records(connection, form, exclusion, state, wanted):
        load(warehouse, batch)
    vanished = found.vanished
    if not accept_vanished and is_too_many(len(vanished), found.stored):
        vanished = []
    if vanished:
        stands = bounded.standing(connection, form.table, vanished, condition=form.query)
        kept = stands.visible if accept_vanished else stands.visible | stands.hidden
        at = bounded.server_time(connection, form.table)
        mark_deleted(warehouse, form, [Gone(sys_id=one, at=at) for one in vanished if one not in kept])
    if wanted or vanished:
        found = verify.compare(connection, warehouse, form)
    gaps = [_visibility_changed(one) if one["kind"] == "vanished" else one for one in found.gaps()]
    with warehouse.use("note") as open_:
        open_.execute("BEGIN")
        if found.vanished:
            note(open_, form, "visibility_changed", str(len(found.vanished)))
        # The end of the newest sweep is the instance's own time, near enough.
        save_state(open_, form, replace(state, compared=state.finished, hidden=found.hidden))
        open_.execute("COMMIT")
    return _outcome(found, gaps, _warnings(warehouse, form, exclusion, state))


def is_too_many(vanished: int, stored: int) -> bool:
    """Whether so many rows of ``stored`` gone at once look like lost rights."""
    return vanished > VANISHING_ROWS and vanished > stored * VANISHING_SHARE


def _visibility_changed(gap: dict[str, Any]) -> dict[str, Any]:
    return {
        **gap,
        "kind": "visibility_changed",
        "fix": "these rows are hidden from the account now, or so many that it looks like lost rights: "
        "check its roles, or run with --accept-vanished to call them deleted",
    }


def _compare_is_due(connection: Connection, form: Shape, state: State, counted: int, stored: int) -> bool:
    if counted <= COMPARE_EACH_TIME or not state.compared or state.hidden is None:
        return True
    if counted != stored + state.hidden:
        return True
    now = parse_platform_time(bounded.server_time(connection, form.table))
    return now - parse_platform_time(state.compared) > COMPARE_EVERY_SECONDS


def _outcome(found: verify.Comparison, gaps: list[dict[str, Any]], warnings: list[str]) -> Outcome:
    return Outcome(
        counted=found.counted,
        stored=found.stored,
        hidden=found.hidden,
        deleted=found.deleted,
        gaps=gaps,
        warnings=warnings,
    )


def _warnings(warehouse: Warehouse, form: Shape, exclusion: Exclusion, state: State) -> list[str]:
    """What a reader of the warehouse should know; none of it makes a row wrong."""
    said = []
    columns = warehouse.columns(form.instance, form.table)
    for name in sorted(exclusion.exclude & columns.keys()):
        said.append(
            f"{name} is excluded, but older values are stored: "
            f"linkspan ingest purge {form.table} --field {name}"
        )
    treatments = fields(warehouse, form.instance, form.table)
    for name, treatment in treatments.items():
        if treatment == "mixed":
            said.append(
                f"{name} is hashed, but older values are stored in the clear: linkspan ingest purge "
                f"{form.table} --field {name}, then run with --full"
            )
    unreadable = [name for name, treatment in treatments.items() if treatment == "unreadable"]
    if unreadable:
        said.append(f"not readable by the account, or not on the instance: {', '.join(unreadable)}")
    if not form.by_dictionary:
        said.append("the dictionary is closed to the account: custom fields are not ingested")
    if state.audit == "closed":
        said.append("the audit of deletions is closed to the account: deletions are found by comparing keys")
    return said


def fields(warehouse: Warehouse, instance: str, table: str) -> dict[str, str]:
    """What becomes of each field of a stream: kept, hashed, mixed or unreadable."""
    rows = warehouse.rows(
        f'SELECT field, treatment FROM "{BOOKS}".field WHERE instance = ? AND stream = ? ORDER BY field',  # noqa: S608
        (instance, table),
    )
    return {row["field"]: row["treatment"] for row in rows}


def standing(warehouse: Warehouse, instance: str, table: str) -> dict[str, Any]:
    """How a stream stands by the warehouse alone; nobody is asked.

    ``{stored, deleted, cursor, finished, compared, hidden, unfinished, audit, fields, quarantined,
    events}``; times are the instance's, as ISO text or "" before the first run.
    """
    state = state_of(warehouse, instance, table)
    numbers = verify.stored(warehouse, instance, table)
    where = (instance, table)
    treatments = fields(warehouse, instance, table)
    quarantined = warehouse.rows(
        f'SELECT sys_id, reason FROM "{BOOKS}".quarantine WHERE instance = ? AND stream = ?',  # noqa: S608
        where,
    )
    events = warehouse.rows(
        f'SELECT noted_at, kind, detail FROM "{BOOKS}".event WHERE instance = ? AND stream = ? '  # noqa: S608
        "ORDER BY noted_at DESC LIMIT 20",
        where,
    )
    return {
        "stored": numbers["stored"],
        "deleted": numbers["deleted"],
        "hidden": state.hidden,
        "cursor": _iso(state.cursor),
        "finished": _iso(state.finished),
        "compared": _iso(state.compared),
        "unfinished": state.sweep is not None,
        "audit": state.audit,
        "fields": {
            word: [name for name, treatment in treatments.items() if treatment == word]
            for word in ("kept", "hashed", "mixed", "unreadable")
        },
        "quarantined": quarantined,
        "events": [{**one, "noted_at": f"{one['noted_at']:%Y-%m-%dT%H:%M:%SZ}"} for one in events],
    }


def _iso(stamp: str) -> str:
    return stamp.replace(" ", "T") + "Z" if stamp else ""


def _reached(state: State) -> str:
    return state.sweep.after[0] if state.sweep else ""
