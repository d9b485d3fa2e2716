"""Serves sightings: one incident for a finding, however often it is seen and wherever we crash.

A sighting lies committed in the store before it is served. Its incident is created through
``records``, whose intent is committed first; the fate comes last. A crash in between serves the
sighting again and finds the incident by its correlation id.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from linkspan.connection import Connection
from linkspan.core import clock, query
from linkspan.core.errors import (
    LinkspanError,
    NotAuthenticated,
    NotAuthorized,
    RateLimited,
    Rejected,
    SecretUnavailable,
    Unreachable,
)
from linkspan.feed.journal import NoteReader, digest
from linkspan.findings.draft import draft, treatment
from linkspan.findings.finding import Finding, correlation_id
from linkspan.findings.rules import Decision, Rules
from linkspan.records import Records
from linkspan.schema.limits import Limits
from linkspan.store import Database
from linkspan.store import findings as store

TABLE = "incident"
FIELDS = ("sys_id", "number", "state", "impact", "urgency", "priority", "correlation_id", "sys_mod_count")
_TREATED = ("impact", "urgency")
IN_PROGRESS, RESOLVED, CLOSED, CANCELED = "2", "6", "7", "8"
IDS_PER_REQUEST = 50  # 33 characters each: far below the 8 kB limit of a URL
NOTE_EVERY_SECONDS = 86_400.0
RETRY_SECONDS, LONGEST_RETRY_SECONDS = 5.0, 900.0
CLOSE_CODES = ("Solution provided", "Resolved by change")
# Not columns that can be compared after a write: the platform keeps them as it likes, or elsewhere.
_NOT_COMPARED = frozenset({"work_notes", "close_notes", "description"})

# In a note the platform would show what stands between these as HTML (ServiceNow docs: journal fields).
_CODE = re.compile(r"\[(/?code)\]", re.IGNORECASE)
_UNFORESEEN = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)

_log = logging.getLogger("linkspan.findings")

# These say the same for every sighting that waits.
_STOPS = (Unreachable, RateLimited, NotAuthenticated, SecretUnavailable)


@dataclass(frozen=True, kw_only=True)
class Binding:
    """A source's findings and where they go. ``account`` is the sys_id of who writes."""

    source: str
    instance: str
    connection: Connection
    records: Records
    notes: NoteReader
    database: Database
    rules: Rules
    limits: Limits
    account: str
    budget_per_hour: int = 50


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a sighting, and the columns of its finding that changed.

    ``is_newest`` is False for a sighting that says nothing any more: a later one was served before it.
    """

    fate: store.Fate
    reason: Mapping[str, str] | None = None
    record: Mapping[str, Any] | None = None
    is_newest: bool = True


class Budget(LinkspanError):
    """The hour's incidents are spent. ``until`` is when the next may be created, epoch seconds."""

    code = "budget"

    def __init__(self, per_hour: int, until: float) -> None:
        super().__init__(
            f"{per_hour} incidents were created in the last hour",
            fix="nothing to do: it is served when the hour has passed; budget_per_hour sets how many",
        )
        self.until = until


class Groups:
    """Groups of the instance by name, each asked for once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, str] = {}

    def find(self, name: str) -> str:
        """The sys_id of the one active group of this name. Raises Rejected."""
        if name not in self._known:
            self._known[name] = self._ask(name)
        return self._known[name]

    def _ask(self, name: str) -> str:
        try:
            terms = query.all_of(query.term("name", "=", name), query.term("active", "=", "true"))
        except ValueError as error:
            raise _no_group(name) from error
        rows = self._connection.table.page(
            "sys_user_group", query=terms, fields=("sys_id", "name"), limit=5
        ).rows
        # Compared again: an instance that ignores a condition would answer with other groups.
        found = [row["sys_id"] for row in rows if row.get("name", "").casefold() == name.casefold()]
        if len(found) > 1:
            raise Rejected(
                f"{len(found)} active groups are called {name}",
                code="ambiguous_group",
                fix="rename one of them, or name another group in the rule",
            )
        if not found:
            raise _no_group(name)
        return str(found[0])


def _no_group(name: str) -> Rejected:
    return Rejected(
        f"no active group is called {name}",
        code="unknown_group",
        fix="correct the rule, create the group, or let the account read sys_user_group",
    )


class Raiser:
    """Serves what a source has received. Safe to run twice at once: nothing is created twice."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._groups = Groups(binding.connection)
        self._queue = 0
        self._glance: Mapping[str, Mapping[str, str]] = {}

    def drain(self, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """Serve what waits until nothing does or ``stopping``; how many sightings got a fate.

        Raises what stops everything (the account is refused, the instance does not answer); what
        waits then stays queued.
        """
        served = 0
        with self._binding.database.read() as connection:
            self._queue = store.later(connection, self._binding.source)
        while True:
            with self._binding.database.read() as connection:
                batch = store.waiting(connection, self._binding.source)
            if not batch:
                return served
            self._glance = self._look_at(batch)
            for sighting in batch:
                if stopping():
                    return served
                served += self._serve(sighting)

    def _look_at(self, batch: Sequence[store.Sighting]) -> dict[str, dict[str, str]]:
        """The records of these sightings by sys_id, a few requests for all of them."""
        with self._binding.database.read() as connection:
            wanted = store.records_of(
                connection, self._binding.source, {sighting.fingerprint for sighting in batch}
            )
        found: dict[str, dict[str, str]] = {}
        for start in range(0, len(wanted), IDS_PER_REQUEST):
            ids = wanted[start : start + IDS_PER_REQUEST]
            try:
                page = self._binding.connection.table.page(
                    TABLE, query=query.one_of("sys_id", ids), fields=FIELDS, limit=len(ids)
                )
            except LinkspanError:
                return found  # each is read by itself, and told by itself
            found |= {row["sys_id"]: row for row in page.rows if row.get("sys_id") in ids}
        return found

    def _serve(self, sighting: store.Sighting) -> bool:
        try:
            outcome = self._outcome(Finding.of(sighting.payload), sighting)
        except Budget as error:
            self._postpone(sighting, error, error.until)
            self._queue += 1
            return False
        except LinkspanError as error:
            if error.retryable or isinstance(error, _STOPS):
                self._postpone(sighting, error, clock.now() + _patience(error, sighting.attempts))
                if isinstance(error, _STOPS):
                    raise
                return False
            outcome = Outcome(fate="parked", reason=error.problem())
        except _UNFORESEEN as error:
            # One that nobody foresaw must not hold up all that wait behind it.
            _log.exception("finding %s of %s is parked", sighting.seq, self._binding.source)
            with self._binding.database.begin() as connection:
                store.settle(connection, sighting.seq, "parked", _unforeseen(error))
            return True
        with self._binding.database.begin() as connection:
            self._settle(connection, sighting, outcome)
        return True

    def _settle(self, connection: sa.Connection, sighting: store.Sighting, outcome: Outcome) -> None:
        source, fingerprint = self._binding.source, sighting.fingerprint
        record = dict(outcome.record or {})
        if outcome.fate == "created" and store.is_record_of_any(connection, record["sys_id"]):
            # Somebody else came to the same incident meanwhile, and counted it.
            outcome = replace(outcome, fate="unchanged", reason=None)
        if not store.settle(connection, sighting.seq, outcome.fate, outcome.reason):
            return
        if not outcome.is_newest:
            store.count_again(connection, source, fingerprint)
            return
        store.remember(
            connection, source, fingerprint, sighting.payload, seen_at=sighting.received_at, **record
        )
        known = store.known(connection, source, fingerprint)
        fate: store.Fate = "unchanged" if known is not None and known.sys_id else "below_threshold"
        store.supersede(connection, source, fingerprint, sighting.seq, fate)

    def _postpone(self, sighting: store.Sighting, error: LinkspanError, until: float) -> None:
        with self._binding.database.begin() as connection:
            store.postpone(connection, sighting.seq, until, error.problem())

    # --- one sighting

    def _outcome(self, finding: Finding, sighting: store.Sighting) -> Outcome:
        with self._binding.database.read() as connection:
            known = store.known(connection, self._binding.source, sighting.fingerprint)
            # Sightings wait for the budget or the instance, later ones of the same finding may not have to.
            if (
                known is not None
                and sighting.received_at < known.last_seen_at
                and store.is_overtaken(connection, self._binding.source, sighting.fingerprint, sighting.seq)
            ):
                fate: store.Fate = "unchanged" if known.sys_id else "below_threshold"
                return Outcome(fate=fate, reason=store.SUPERSEDED, is_newest=False)
        decision = self._binding.rules.decide(finding)
        if known is not None and known.sys_id:
            return self._again(finding, sighting, known, decision)
        if finding.state != "open":
            told = f"the source says that it is {finding.state}"
            return Outcome(fate="below_threshold", reason={"code": finding.state, "cause": told, "fix": ""})
        if not decision.ticket:
            return Outcome(fate="below_threshold", reason=_below(finding, decision))
        generation = int((known.written if known else {}).get("generation", 1))
        return self._first(finding, sighting, decision, generation)

    def _first(
        self,
        finding: Finding,
        sighting: store.Sighting,
        decision: Decision,
        generation: int,
        earlier: str = "",
    ) -> Outcome:
        """The finding has no record that we know of: adopt the one there is, or create it."""
        records = self._binding.records
        key = correlation_id(finding.product, sighting.fingerprint, generation)
        if not records.attempted(TABLE, key):
            self._spend()
            found = records.find(TABLE, key, fields=FIELDS)
            if found is not None:
                return self._adopt(finding, sighting, found, decision, generation)
        values = self._draft(finding, decision)
        values["caller_id"] = self._binding.account
        if earlier:
            values["parent_incident"] = earlier
        record = records.create(TABLE, values, correlation_id=key, fields=(*FIELDS, *values))
        lost = _dropped({**values, "correlation_id": key}, record)
        return Outcome(
            fate="created",
            reason=_ignored(lost, self._binding.instance),
            record=_kept(record, generation, asked=values),
        )

    def _draft(self, finding: Finding, decision: Decision) -> dict[str, str]:
        try:
            return draft(finding, decision, self._binding.limits, self._groups.find)
        except Rejected as error:
            error.where = error.where or ", ".join(decision.because)
            raise

    def _adopt(
        self,
        finding: Finding,
        sighting: store.Sighting,
        record: Mapping[str, str],
        decision: Decision,
        generation: int,
    ) -> Outcome:
        """An earlier home of ours made it: the same incident goes on.

        Who set its impact and urgency is not known here, so they stay until the source changes its mind.
        """
        adopted = _kept(record, generation, asked=_treated(finding, decision))
        known = store.Known(
            severity=finding.severity,
            state="open",
            sightings=0,
            first_seen_at=sighting.received_at,
            last_seen_at=sighting.received_at,
            **adopted,
        )
        outcome = self._again(finding, sighting, known, decision)
        return replace(outcome, record={**adopted, **(outcome.record or {})})

    def _spend(self) -> None:
        """Raises Budget when this hour's incidents are spent."""
        per_hour = self._binding.budget_per_hour
        with self._binding.database.read() as connection:
            created = store.created_since(connection, self._binding.source, clock.now() - store.HOUR)
        if len(created) >= per_hour:
            # Each that waits gets a slot of its own: they shall not all wake for the first.
            hours, slot = divmod(self._queue, per_hour)
            raise Budget(per_hour, created[slot - per_hour] + store.HOUR * (1 + hours))

    # --- a finding with a record

    def _again(
        self, finding: Finding, sighting: store.Sighting, known: store.Known, decision: Decision
    ) -> Outcome:
        glance = self._glance.get(known.sys_id)
        if glance is not None and self._at_rest(finding, known, glance, decision):
            return Outcome(fate="unchanged")
        # Before anything is written the record is read again: the glance may be a while old.
        record = self._binding.connection.table.get(TABLE, known.sys_id, fields=FIELDS)
        if record is None:
            raise Rejected(
                f"{known.number} is gone, or hidden from the account",
                code="record_hidden",
                fix="let the account read it; if it was deleted, the finding needs a person",
                where=self._binding.instance,
            )
        if finding.state != "open":
            return self._close(finding, known, record)
        if record.get("state") in (CLOSED, CANCELED):
            return self._anew(finding, sighting, known, decision)
        if record.get("state") == RESOLVED:
            if not decision.ticket:
                return Outcome(fate="below_threshold", reason=_below(finding, decision))
            return self._reopen(finding, known)
        changes, written = _severity_changes(finding, known, record, decision)
        if changes:
            note = f"Severity is now {finding.severity}, as {finding.product} says."
            outcome = self._write(known, changes, note, "severity", written)
        else:
            outcome = self._seen_again(finding, known, record)
        return replace(outcome, record={"written": written, **(outcome.record or {})})

    def _anew(
        self, finding: Finding, sighting: store.Sighting, known: store.Known, decision: Decision
    ) -> Outcome:
        """Its incident is closed for good: another one, that names it as its parent."""
        if not decision.ticket:
            return Outcome(fate="below_threshold", reason=_below(finding, decision))
        generation = int(known.written.get("generation", 1)) + 1
        return self._first(finding, sighting, decision, generation, earlier=known.sys_id)

    def _at_rest(
        self, finding: Finding, known: store.Known, record: Mapping[str, str], decision: Decision
    ) -> bool:
        """Whether nothing is to be written: the finding is open, and so is its record, and they agree."""
        changes, written = _severity_changes(finding, known, record, decision)
        return (
            finding.state == "open"
            and record.get("state") not in (RESOLVED, CLOSED, CANCELED)
            and not changes
            and written == known.written
            and known.noted_at is not None
            and clock.now() - known.noted_at < NOTE_EVERY_SECONDS
        )

    def _close(self, finding: Finding, known: store.Known, record: Mapping[str, str]) -> Outcome:
        if record.get("state") in (RESOLVED, CLOSED, CANCELED):
            return Outcome(fate="unchanged")
        words = "no longer finds it" if finding.state == "resolved" else "has it suppressed"
        note = f"{finding.product} {words}."
        codes = (self._binding.limits.choice("close_code", code) for code in CLOSE_CODES)
        code = next((code for code in codes if code), CLOSE_CODES[0])
        changes = {"state": RESOLVED, "close_code": code, "close_notes": note}
        return self._write(known, changes, note, "close")

    def _reopen(self, finding: Finding, known: store.Known) -> Outcome:
        note = f"{finding.product} still finds it."
        return self._write(known, {"state": IN_PROGRESS}, note, "reopen")

    def _write(
        self,
        known: store.Known,
        changes: Mapping[str, str],
        note: str,
        why: str,
        written: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Change the record as far as the account may, and look at what came of it. Raises Rejected.

        ``written`` is what is remembered of it, when that changes.
        """
        sent = {**changes, "work_notes": _harmless(note)}
        answer = self._binding.connection.table.update(TABLE, known.sys_id, sent, fields=(*FIELDS, *changes))
        lost = _dropped(changes, answer)
        if lost:
            raise Rejected(
                f"{known.number}: the instance ignored the write of {', '.join(sorted(lost))} ({why})",
                code="write_ignored",
                fix="change it by hand, or let the account write these fields",
                where=self._binding.instance,
            )
        return Outcome(fate="updated", record={"written": written or known.written, "noted_at": clock.now()})

    def _seen_again(self, finding: Finding, known: store.Known, record: Mapping[str, str]) -> Outcome:
        """Say so on the record once a day, if the account may; counted in any case."""
        now = clock.now()
        if known.noted_at is None or now - known.noted_at < NOTE_EVERY_SECONDS:
            noted = now if known.noted_at is None else known.noted_at
            return Outcome(fate="unchanged", record={"noted_at": noted})
        text = _harmless(f"{finding.product} finds it still: seen {known.sightings + 1} times by now.")
        try:
            self._binding.records.add_note(
                TABLE,
                known.sys_id,
                text,
                key=f"seen/{hashlib.sha256(text.encode()).hexdigest()[:16]}",
                written_by_us=lambda: self._ours(known.sys_id, text),
                remembered=0,
                version=int(record["sys_mod_count"]),
                on_done=lambda _connection, _result: None,
                fields=FIELDS,
            )
        except (NotAuthorized, Rejected) as error:
            # It may not write: the sighting is counted, and tomorrow is soon enough to ask again.
            return Outcome(fate="unchanged", reason=error.problem(), record={"noted_at": now})
        return Outcome(fate="unchanged", record={"noted_at": now})

    def _ours(self, sys_id: str, text: str) -> int:
        notes = self._binding.notes.read(TABLE, [sys_id]).get(sys_id, ())
        return sum(note.ours and digest(note.text) == digest(text) for note in notes)


def _patience(error: LinkspanError, attempts: int) -> float:
    wait = min(RETRY_SECONDS * 2.0**attempts, LONGEST_RETRY_SECONDS)
    return max(wait, error.retry_after) if isinstance(error, RateLimited) else wait


def _kept(record: Mapping[str, str], generation: int, asked: Mapping[str, str]) -> dict[str, Any]:
    written = {name: record.get(name, "") for name in _TREATED}
    return {
        "table_name": TABLE,
        "sys_id": record["sys_id"],
        "number": record.get("number", ""),
        "written": {
            **written,
            "asked": {name: asked[name] for name in _TREATED},
            "generation": generation,
        },
        "noted_at": clock.now(),
    }


def _treated(finding: Finding, decision: Decision) -> dict[str, str]:
    wanted = treatment(finding.severity, decision.tier, exploited=finding.exploited)
    return dict(zip(_TREATED, wanted, strict=True))


def _severity_changes(
    finding: Finding, known: store.Known, record: Mapping[str, str], decision: Decision
) -> tuple[dict[str, str], Mapping[str, Any]]:
    """Impact and urgency to write, and what is known to be written then.

    Only where the source changed its mind, and the record still has what came of our last write: what a
    person, or a rule of the instance, made of it stays.
    """
    wanted = _treated(finding, decision)
    there = {name: record.get(name) for name in wanted}
    agreed = {**known.written, **wanted, "asked": wanted}
    if there == wanted:
        return {}, agreed  # also when the answer to our write was lost
    if known.written.get("asked") == wanted or there != {name: known.written.get(name) for name in wanted}:
        return {}, known.written
    return {name: value for name, value in wanted.items() if there[name] != value}, agreed


def _harmless(note: str) -> str:
    return _CODE.sub(r"(\1)", note)


def _unforeseen(error: Exception) -> dict[str, str]:
    return {
        "code": "unforeseen",
        "where": "",
        "cause": f"linkspan failed at this finding: {type(error).__name__}",
        "fix": "report what the log says of it, then run `linkspan findings retry`",
    }


def _dropped(sent: Mapping[str, str], record: Mapping[str, str]) -> frozenset[str]:
    """The fields that did not come back as they were sent."""
    return frozenset(
        name
        for name, value in sent.items()
        if name not in _NOT_COMPARED and record.get(name, "").strip() != value.strip()
    )


def _ignored(names: frozenset[str], instance: str) -> dict[str, str] | None:
    if not names:
        return None
    return {
        "code": "write_ignored",
        "where": instance,
        "cause": f"the instance did not keep, or does not show, {', '.join(sorted(names))}",
        "fix": "check the field's name, its write access controls and the instance's business rules",
    }


def _below(finding: Finding, decision: Decision) -> dict[str, str]:
    by = f"a rule ({', '.join(decision.because)})" if decision.because else "ticket_from"
    told = f"{finding.severity} makes no incident, as {by} says"
    return {"code": "below_threshold", "cause": told, "fix": "set ticket: true in a rule to have one"}
