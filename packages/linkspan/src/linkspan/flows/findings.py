"""Findings from files, from signed deliveries and as a sample, into incidents; and what became of them."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from linkspan.config.values import FindingsConfig
from linkspan.connection import Connection
from linkspan.core import clock
from linkspan.core.errors import ConfigError, LinkspanError, Rejected, SecretUnavailable
from linkspan.core.secret import Secret
from linkspan.feed.journal import Author, NoteReader
from linkspan.findings import formats, rules
from linkspan.findings.draft import CHOICE_FIELDS
from linkspan.findings.finding import Entry, Unreadable, sample
from linkspan.findings.preview import Preview
from linkspan.findings.raising import Binding, Groups, Raiser
from linkspan.findings.status import need_of, status
from linkspan.schema.limits import limits
from linkspan.store import Database, deliveries
from linkspan.store import findings as store

if TYPE_CHECKING:
    from linkspan.flows.wiring import Wiring

Document = dict[str, Any]
PATIENCE_SECONDS = 12.0
RECEIVED_AT_ONCE = 1_000
POLL_SECONDS, LONGEST_WAIT, BOUND_SECONDS = 2.0, 300.0, 600.0

log = structlog.get_logger("linkspan.findings")


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What an import did: ``counts`` of what it received, what of it is ``in_need`` of a person, and the
    ``problems`` that stopped it."""

    counts: dict[str, int]
    in_need: tuple[Document, ...] = ()
    problems: tuple[LinkspanError, ...] = ()


def source_of(wiring: Wiring, name: str | None) -> FindingsConfig:
    """The source of this name, or the only one. Raises ConfigError naming the ones there are."""
    sources = wiring.config.findings
    if name is None and len(sources) == 1:
        return next(iter(sources.values()))
    if name is not None and name in sources:
        return sources[name]
    cause = f"there is no source {name}" if name else "there is more than one source"
    raise ConfigError(
        cause if sources else "no source of findings is configured",
        fix=(
            f"--source with one of: {', '.join(sources)}"
            if sources
            else "add findings: {scanner: {instance: …, account: …}}"
        ),
        where=wiring.config.path.name,
    )


def bind(wiring: Wiring, source: FindingsConfig, *, read_only: bool = False) -> Binding:
    """Sign in and read what is needed of the instance. Raises the errors of ``core.errors``."""
    chosen = rules.load(source.rules)
    line = wiring.connection(source.account, source.instance, read_only=read_only)
    try:
        me, allowed = line.whoami(), limits(_eyes(wiring, source, line), CHOICE_FIELDS)
    except Exception:
        line.close()  # the hub tries again until it succeeds
        raise
    return Binding(
        source=source.name,
        instance=source.instance,
        connection=line,
        records=wiring.records(line, source.instance),
        notes=NoteReader(line, Author(user_name=me["user_name"], name=me["name"])),
        database=wiring.database,
        rules=chosen,
        limits=allowed,
        account=me["sys_id"],
        budget_per_hour=source.budget_per_hour,
    )


def import_files(
    wiring: Wiring,
    source: FindingsConfig,
    paths: Sequence[Path],
    *,
    format_name: str | None = None,
    announce: Callable[[str], None] = lambda _sentence: None,
) -> Imported:
    """Take in files and serve what is in them. What cannot be read is quarantined, not lost.

    Everything is committed before the first incident is created; what an earlier import or delivery
    of this source left is served too, and counted there. Raises ConfigError for a path or a rule that
    is wrong, before anything is taken in.
    """
    rules.load(source.rules)
    for path in paths:
        _require_readable(path)
    run = f"import {clock.iso_time(clock.now())} {secrets.token_hex(4)}"
    batches: list[str] = []
    problems: list[LinkspanError] = []
    for path in paths:
        data = _bytes(path)  # one file in memory at a time
        batch = f"{run} {len(batches)} {_shown_name(path)}"
        entries: Iterator[Entry]
        try:
            entries = formats.read(data, format_name=format_name)
        except Unreadable as error:
            error.where = ": ".join(part for part in (str(path), error.where) if part)
            entries = iter([_whole_file(path, error, data)])
        new = 0
        # In parts: a hub on the same home waits for the store no longer than for one of them.
        while part := [_received(entry) for entry in islice(entries, RECEIVED_AT_ONCE)]:
            with wiring.database.begin() as connection:
                new += store.receive(connection, source.name, batch, part)
        batches.append(batch)
        announce(f"{path}: {new} received")
    try:
        _serve(Raiser(bind(wiring, source)), wiring.database, source.name)
    except LinkspanError as error:
        problems.append(error)
    with wiring.database.read() as connection:
        counts = store.counts(connection, source.name, batches)
        needs = store.in_need(connection, source.name, batches=batches)
    return Imported(counts=counts, in_need=tuple(map(need_of, needs)), problems=tuple(problems))


def retry(wiring: Wiring, source: FindingsConfig) -> Imported:
    """Serve again what is parked or queued. The counts are those of the source."""
    with wiring.database.begin() as connection:
        store.retry(connection, source.name)
    problems: tuple[LinkspanError, ...] = ()
    try:
        _serve(Raiser(bind(wiring, source)), wiring.database, source.name)
    except LinkspanError as error:
        problems = (error,)
    with wiring.database.read() as connection:
        counts = store.counts(connection, source.name)
        needs = store.in_need(connection, source.name)
    return Imported(counts=counts, in_need=tuple(map(need_of, needs)), problems=problems)


def preview_file(
    wiring: Wiring, source: FindingsConfig, path: Path, *, format_name: str | None = None
) -> Document:
    """What an import of this file would do: reads only, and nothing is kept. Raises Unreadable."""
    data = _bytes(path)
    try:
        entries = formats.read(data, format_name=format_name)
    except Unreadable as error:
        error.where = ": ".join(part for part in (str(path), error.where) if part)
        raise
    binding = bind(wiring, source, read_only=True)
    return Preview(binding, Groups(binding.connection).find).of(entries)


def findings_status(wiring: Wiring, source: str | None = None, *, limit: int = 20) -> Document:
    """Counts of everything ever received, by source and together, with what waits for a person."""
    names = [source_of(wiring, source).name] if source else list(wiring.config.findings)
    return status(wiring.database, names, limit=limit)


def send_sample(wiring: Wiring, source: FindingsConfig) -> Document:
    """Send one marked finding the whole way and read its incident back.

    ``{counts, record: {sys_id, number, url, …}}``. Raises what stopped it.
    """
    finding = sample()
    entry = Entry(place="sample", finding=finding)
    batch = f"test {clock.iso_time(clock.now())} {secrets.token_hex(4)}"
    with wiring.database.begin() as connection:
        store.receive(connection, source.name, batch, [_received(entry)])
    binding = bind(wiring, source)
    _serve(Raiser(binding), wiring.database, source.name)
    with wiring.database.read() as connection:
        counts = store.counts(connection, source.name, [batch])
        known = store.known(connection, source.name, finding.fingerprint)
        needs = [need_of(row) for row in store.in_need(connection, source.name, batches=[batch])]
    record: Document | None = None
    if known is not None and known.sys_id:
        fields = ("sys_id", "number", "short_description", "priority", "assignment_group", "correlation_id")
        found = binding.connection.table.get(known.table_name, known.sys_id, fields=fields)
        url = wiring.instance(source.instance).url
        record = None if found is None else {**found, "url": f"{url}/incident.do?sys_id={known.sys_id}"}
    return {**counts, "record": record, "in_need": needs}


# --- deliveries to the hub


@dataclass
class Intake:
    """What the hub does with findings: takes deliveries in, and serves them on threads of its own."""

    wiring: Wiring
    _news: dict[str, threading.Event] = field(default_factory=dict)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._news = {name: threading.Event() for name in self.wiring.config.findings}

    @property
    def sources(self) -> Mapping[str, FindingsConfig]:
        """The configured sources."""
        return self.wiring.config.findings

    def keys(self, source: str) -> list[Secret]:
        """The secrets with which this source may sign. Raises SecretUnavailable."""
        wanted = self.sources[source]
        return [self.wiring.secret(one, where=wanted.where) for one in wanted.secrets]

    def receive(self, source: str, message_id: str, body: bytes) -> bool:
        """Commit a delivery; False when it was received before.

        Raises Unreadable, and Rejected (code key_reused) for another body under an id that was received.
        """
        batch, endpoint = f"delivery {message_id}", f"findings/{source}"
        entries = [_received(entry) for entry in formats.read(body)]
        with self.wiring.database.begin() as connection:
            before = deliveries.known(connection, endpoint=endpoint, message_id=message_id)
            if before not in (None, hashlib.sha256(body).hexdigest()):
                raise Rejected(
                    "Another body came under this id.", fix="Give each message its own id.", code="key_reused"
                )
            new = deliveries.take(connection, endpoint=endpoint, message_id=message_id, body=body)
            if new:
                store.receive(connection, source, batch, entries)
        if new:
            self._news[source].set()
        return new

    def start(self) -> None:
        """Begin to serve each source."""
        for source in self.sources.values():
            thread = threading.Thread(
                target=self._keep_serving, args=(source,), name=f"findings-{source.name}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End after the sighting that is being served."""
        self._stopping.set()
        for event in self._news.values():
            event.set()
        for thread in self._threads:
            thread.join(5)

    def _keep_serving(self, source: FindingsConfig) -> None:
        failures, bound = 0, _Bound(self.wiring, source)
        while not self._stopping.is_set():
            self._news[source.name].clear()
            try:
                if self._has_work(source.name):
                    bound.raiser().drain(stopping=self._stopping.is_set)
                failures = 0
            except LinkspanError as error:
                failures += 1
                bound.drop()
                log.warning("findings wait", source=source.name, cause=error.cause, fix=error.fix)
            except Exception:
                # The thread must not die in silence: what waits is tried again.
                failures += 1
                bound.drop()
                log.exception("findings wait", source=source.name)
            self._news[source.name].wait(min(2.0**failures, LONGEST_WAIT) if failures else POLL_SECONDS)

    def _has_work(self, source: str) -> bool:
        with self.wiring.database.read() as connection:
            return bool(store.waiting(connection, source, limit=1))


class _Bound:
    """A source's raiser, made anew now and then: rules, choices and credentials change while a hub runs."""

    def __init__(self, wiring: Wiring, source: FindingsConfig) -> None:
        self._wiring = wiring
        self._source = source
        self._binding: Binding | None = None
        self._until = 0.0

    def raiser(self) -> Raiser:
        """Raises the errors of ``bind``."""
        if self._binding is not None and time.monotonic() > self._until:
            self.drop()
        if self._binding is None:
            self._binding = bind(self._wiring, self._source)
            self._until = time.monotonic() + BOUND_SECONDS
        return Raiser(self._binding)

    def drop(self) -> None:
        if self._binding is not None:
            self._binding.connection.close()
            self._binding = None


# --- the parts


def _serve(raiser: Raiser, database: Database, source: str) -> None:
    """Drain, and wait a little for writes whose outcome is not known yet."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        raiser.drain()
        with database.read() as connection:
            soon = store.soonest(connection, source)
        wait = 0.0 if soon is None else soon - clock.now()
        if soon is None or time.monotonic() + wait > until:
            return
        time.sleep(max(wait, 0.1))


def _eyes(wiring: Wiring, source: FindingsConfig, line: Connection) -> Iterator[Connection]:
    """Who is asked about the instance's fields: the account, then the administrator where there is one."""
    yield line
    if wiring.has_admin(source.instance):
        try:
            yield wiring.admin(source.instance, read_only=True)
        except SecretUnavailable:
            return


def _require_readable(path: Path) -> None:
    """Raises ConfigError, and Unreadable for a file that is too large to be taken in."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise _cannot_read(path, error) from error
    if size > formats.SIZE_LIMIT:
        raise Unreadable(
            f"larger than {formats.SIZE_LIMIT // 1_048_576} MiB",
            code="too_large",
            fix="split it: one run or one day to a file",
            where=str(path),
        )


def _bytes(path: Path) -> bytes:
    _require_readable(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise _cannot_read(path, error) from error


def _cannot_read(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"the file cannot be read: {error.strerror}", where=str(path), fix="check the path")


def _shown_name(path: Path) -> str:
    """The file's name as text that any store takes: a name is bytes, and not always UTF-8."""
    return path.name.encode(errors="replace").decode()


def _received(entry: Entry) -> store.Received:
    if entry.finding is None:
        return store.Received(place=entry.place, payload=entry.text, problem=entry.problem)
    return store.Received(
        place=entry.place, fingerprint=entry.finding.fingerprint, payload=entry.finding.document()
    )


def _whole_file(path: Path, error: Unreadable, data: bytes) -> Entry:
    text = data[: formats.KEPT_TEXT].decode(errors="replace").replace("\0", "")
    return Entry(place=_shown_name(path), problem=error.problem(), text=text)
