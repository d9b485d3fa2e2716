"""Ingestion as a person asks for it: which streams of which instances, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linkspan.config.values import IngestConfig, StreamConfig
from linkspan.connection import Connection
from linkspan.core.errors import ConfigError, LinkspanError
from linkspan.flows.wiring import Wiring
from linkspan.ingest.exclude import Exclusion, exclusion
from linkspan.ingest.export import FORMATS, export
from linkspan.ingest.purge import Purged, purge
from linkspan.ingest.run import Outcome, look, run, standing
from linkspan.store.warehouse import lease

Announce = Callable[[str, str], None]


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One stream that is configured. ``name`` is how people and JSON call it."""

    name: str
    ingest: IngestConfig
    config: StreamConfig

    @property
    def instance(self) -> str:
        return self.ingest.instance

    @property
    def table(self) -> str:
        return self.config.table


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What became of the streams, by name, and what went wrong on the way."""

    streams: dict[str, Outcome] = field(default_factory=dict)
    problems: list[LinkspanError] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """``{"streams": {NAME: {counted, stored, hidden, deleted, verified, gaps, …}}}``."""
        return {"streams": {name: one.document() for name, one in self.streams.items()}}


def streams(wiring: Wiring, names: Sequence[str] = (), instances: Sequence[str] = ()) -> list[Stream]:
    """The configured streams, or those named: a table's name, or ``INSTANCE/TABLE``.

    With one instance configured a stream is called by its table, with several ``INSTANCE/TABLE``.
    Raises ConfigError for what is not configured.
    """
    configured = wiring.config.ingest
    if not configured:
        raise ConfigError(
            "nothing is ingested",
            fix="add ingest: {INSTANCE: {account: NAME, streams: {incident: {}}}}",
            where=wiring.config.path.name,
        )
    for name in instances:
        wiring.instance(name)
    several = len(configured) > 1
    every = [
        Stream(name=f"{ingest.instance}/{table}" if several else table, ingest=ingest, config=config)
        for ingest in configured.values()
        for table, config in ingest.streams.items()
    ]
    here = [one for one in every if not instances or one.instance in instances]
    chosen = [
        one for one in here if not names or one.table in names or f"{one.instance}/{one.table}" in names
    ]
    found = {one.table for one in chosen} | {f"{one.instance}/{one.table}" for one in chosen}
    for name in names:
        if name not in found:
            raise ConfigError(
                f"there is no stream {name}",
                fix=f"use one of: {', '.join(one.name for one in every)}",
                where=wiring.config.path.name,
            )
    return chosen


def ingest_run(
    wiring: Wiring,
    *,
    names: Sequence[str] = (),
    instances: Sequence[str] = (),
    full: bool = False,
    accept_vanished: bool = False,
    announce: Announce = lambda _stream, _text: None,
) -> Ingested:
    """Bring streams up to date, one after the other; one that fails does not keep the others."""
    done = Ingested()
    for stream, line in _lines(wiring, streams(wiring, names, instances), done):
        with _caught(done), _alone(wiring, stream):
            done.streams[stream.name] = run(
                line,
                wiring.warehouse,
                stream.table,
                treatment(wiring, stream),
                full=full,
                accept_vanished=accept_vanished,
                announce=lambda text, name=stream.name: announce(name, text),  # type: ignore[misc]
            )
    return done


def ingest_verify(wiring: Wiring, *, names: Sequence[str] = (), instances: Sequence[str] = ()) -> Ingested:
    """Compare what is stored with the instances and change nothing."""
    done = Ingested()
    for stream, line in _lines(wiring, streams(wiring, names, instances), done):
        with _caught(done):
            done.streams[stream.name] = look(line, wiring.warehouse, stream.table, treatment(wiring, stream))
    return done


def ingest_status(
    wiring: Wiring, *, names: Sequence[str] = (), instances: Sequence[str] = ()
) -> dict[str, Any]:
    """How the streams stand, by the warehouse alone: ``{"streams": {NAME: …}}``."""
    chosen = streams(wiring, names, instances)
    return {"streams": {one.name: standing(wiring.warehouse, one.instance, one.table) for one in chosen}}


def ingest_purge(wiring: Wiring, name: str, field_name: str) -> dict[str, Purged]:
    """Take the stored history of an excluded or hashed field out, and prove it: by stream.

    Raises ConfigError for a field that the next run would bring back as it is, WarehouseBusy.
    """
    chosen = streams(wiring, [name])
    for stream in chosen:
        if field_name not in (*stream.config.exclude, *stream.config.hash):
            raise ConfigError(
                f"{field_name} is neither excluded nor hashed, so the next run would store it again",
                where=stream.config.where,
                fix=f"add {field_name} to exclude of {stream.table} first",
            )
    found = {}
    for stream in chosen:
        with _alone(wiring, stream):
            found[stream.name] = purge(
                wiring.warehouse, wiring.home, stream.instance, stream.table, field_name
            )
    return found


def ingest_export(
    wiring: Wiring, out: Path, form: str, *, names: Sequence[str] = (), instances: Sequence[str] = ()
) -> dict[str, int]:
    """Write what is stored of the streams to files; rows by path. Raises ConfigError, WarehouseBusy."""
    known = {one: one for one in FORMATS}
    if form not in known:
        raise ConfigError(f"{form} is not a format", fix=f"use one of: {', '.join(FORMATS)}")
    stored = set(wiring.warehouse.streams())
    chosen = [(one.instance, one.table) for one in streams(wiring, names, instances)]
    return export(wiring.warehouse, [one for one in chosen if one in stored], out, known[form])


def treatment(wiring: Wiring, stream: Stream) -> Exclusion:
    """What of a stream is left out and what is hashed."""
    return exclusion(stream.config.exclude, stream.config.hash, wiring.secrets)


def _lines(wiring: Wiring, chosen: Sequence[Stream], done: Ingested) -> Iterator[tuple[Stream, Connection]]:
    """Each stream with a read-only line to its instance; those without one are left out."""
    lines: dict[str, Connection] = {}
    refused: set[str] = set()
    for stream in chosen:
        if stream.instance not in lines and stream.instance not in refused:
            refused.add(stream.instance)
            with _caught(done):
                lines[stream.instance] = wiring.connection(
                    stream.ingest.account, stream.instance, read_only=True
                )
        if stream.instance in lines:
            yield stream, lines[stream.instance]


@contextmanager
def _caught(done: Ingested) -> Iterator[None]:
    try:
        yield
    except LinkspanError as error:
        done.problems.append(error)


@contextmanager
def _alone(wiring: Wiring, stream: Stream) -> Iterator[None]:
    """Nobody else ingests this stream meanwhile. Raises WarehouseBusy at once."""
    place = wiring.home / "leases" / f"{stream.instance}.{stream.table}.lock"
    with lease(place, f"ingesting {stream.instance}/{stream.table}", wait=0):
        yield
