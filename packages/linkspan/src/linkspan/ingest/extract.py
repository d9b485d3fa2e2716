"""Reading one table of one instance as a sequence of batches. Knows nothing of where they are stored.

The reading goes by the instance's own clock and keys. A sweep has a fixed upper end, so a table that
changes faster than it is read still comes to an end; the next sweep starts some time before the newest
stamp that was read, because a row may become visible a little after its stamp and because stamps have a
precision of one second. What is read twice is recognised when it is stored.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.errors import ConfigError, LinkspanError, NotFound
from linkspan.feed import bounded
from linkspan.feed.sweep import back
from linkspan.ingest import deletes
from linkspan.ingest.exclude import Exclusion
from linkspan.ingest.streams import known
from linkspan.ingest.values import (
    NEVER,
    Batch,
    Column,
    Quarantined,
    Shape,
    State,
    Sweep,
    kind_of,
)
from linkspan.schema.dictionary import Field, fields_of, hierarchy

BATCH_ROWS = 10_000
# Rows of long texts: so many letters are held at once, and one page more.
BATCH_LETTERS = 16_000_000
OVERLAP_SECONDS = 120
IDS_PER_REQUEST = 50
_CUSTOM = ("u_", "x_")


def shape(connection: Connection, table: str, exclusion: Exclusion, *, condition: str = "") -> Shape:
    """Decide what is read of a table, by the dictionary as far as the account may read it.

    A known stream has its own list of fields and every custom one; any other table all of its fields.
    Raises NotFound when the table is not known by name and its dictionary is closed, ConfigError when it
    cannot be followed or an exclusion names a field that it does not have: a slip of the pen must not let
    the field through.
    """
    stands = hierarchy(connection, table)
    dictionary = fields_of(connection, stands.above if stands else (table,))
    if dictionary is not None and "sys_id" not in dictionary and stands is None:
        dictionary = None  # a part of it: what the table inherits is not known
    _require_fields(table, exclusion, dictionary)
    wanted = {"sys_id": "GUID", **_wanted(table, dictionary), "sys_mod_count": "integer"}
    if "sys_updated_on" not in wanted:
        raise ConfigError(
            f"{table} has no sys_updated_on, so what changed in it cannot be told",
            where=connection.instance.name,
            fix="take the stream out of linkspan.yaml",
        )
    return Shape(
        instance=connection.instance.name,
        host=connection.instance.url,
        table=table,
        columns=tuple(
            Column(name=name, hashed=True)
            if name in exclusion.hash
            else Column(name=name, kind=kind_of(internal_type))
            for name, internal_type in wanted.items()
            if name not in exclusion.exclude
        ),
        classes=(table, *(stands.below if stands else ())),
        query=condition,
        by_dictionary=dictionary is not None,
    )


def extract(
    connection: Connection, shape: Shape, exclusion: Exclusion, state: State, *, full: bool = False
) -> Iterator[Batch]:
    """Everything new of a stream since ``state``: rows, then deletions. Each batch carries the next state.

    A sweep that was cut off goes on where it stopped and is followed by one that catches up. ``full``
    reads everything again. Raises ConfigError (code base_changed) when the state belongs to another
    table, query or host, and what the line raises; the batches handed over until then are good.
    """
    restart = bool(state.fingerprint) and state.fingerprint != shape.fingerprint
    if restart and not full:
        raise ConfigError(
            f"{shape.table} was read from another base (table, query or address) until now",
            where=shape.instance,
            code="base_changed",
            fix=f"linkspan ingest run {shape.table} --full drops what is stored and starts anew",
        )
    if restart:
        state = State(number=state.number, page_size=state.page_size)
    bounded.require_utc_literals(connection, shape.table)
    state = replace(state, fingerprint=shape.fingerprint)
    if full:
        state = replace(state, sweep=None, cursor="")
    unfinished = state.sweep is not None
    for batch in _sweep(connection, shape, exclusion, state):
        yield replace(batch, restart=restart)
        state, restart = batch.state, False
    if unfinished:
        for batch in _sweep(connection, shape, exclusion, state):
            yield batch
            state = batch.state
    yield from deletes.audited(connection, shape, state)


def records(
    connection: Connection, shape: Shape, exclusion: Exclusion, state: State, sys_ids: Sequence[str]
) -> Iterator[Batch]:
    """These records as they are now, those that are visible. The state does not move.

    A record that the instance cannot return is set aside, as in a sweep.
    """
    todo = [sys_ids[start : start + IDS_PER_REQUEST] for start in range(0, len(sys_ids), IDS_PER_REQUEST)]
    while todo:
        part = todo.pop()
        condition = query.restrict(shape.query, query.one_of("sys_id", part))
        try:
            page = connection.table.page(
                shape.table, query=condition, fields=shape.fields, limit=len(part), counted=False
            )
        except LinkspanError as error:
            if error.code not in bounded.TOO_MUCH:
                raise
            if len(part) > 1:
                todo += [part[: len(part) // 2], part[len(part) // 2 :]]
                continue
            yield _batch(shape, exclusion, state, [], [Quarantined(sys_id=part[0], reason=error.code)])
        else:
            found = _batch(shape, exclusion, state, [row for row in page.rows if row], [])
            yield replace(found, current=True)


def _require_fields(table: str, exclusion: Exclusion, dictionary: dict[str, Field] | None) -> None:
    fields = dictionary.keys() if dictionary is not None else (known(table) or {}).keys()
    for name in sorted((exclusion.exclude | exclusion.hash) - fields):
        close = difflib.get_close_matches(name, sorted(fields), n=1, cutoff=0.8)
        # Without the dictionary a field that the stream does not have may still be one of the table's.
        if dictionary is not None or close:
            raise ConfigError(
                f"{table} has no field {name}, so it can be neither excluded nor hashed",
                where=table,
                code="no_such_field",
                fix=f"did you mean {close[0]}?" if close else "use the column's name, not its label",
            )


def _wanted(table: str, dictionary: dict[str, Field] | None) -> dict[str, str]:
    """Internal type by name of the fields that make the stream."""
    stream = known(table)
    if dictionary is None:
        if stream is None:
            raise NotFound(
                f"what fields {table} has is not known",
                fix="grant the account personalize_dictionary, so that it may read sys_dictionary",
                where=table,
                code="dictionary_closed",
            )
        return stream
    types = {field.name: field.type for field in dictionary.values() if field.type not in NEVER}
    if stream is None:
        return types
    return {name: types[name] for name in stream if name in types} | {
        name: kind for name, kind in sorted(types.items()) if name.startswith(_CUSTOM)
    }


def _sweep(connection: Connection, shape: Shape, exclusion: Exclusion, state: State) -> Iterator[Batch]:
    """One sweep from where the state stands to its end; the last batch's state says that it is done."""
    way = state.sweep or _new_sweep(connection, shape, state)
    # Deletions count from the first sweep on: what was deleted before was never stored.
    state = replace(state, sweep=way, deletes=state.deletes or way.high)
    size = bounded.PageSize(state.page_size or bounded.MOST)
    span = bounded.Span(low=way.after, high=(way.high, None))
    rows: list[dict[str, str]] = []
    poison: list[Quarantined] = []
    letters = 0
    for pages in bounded.sweep(
        connection, shape.table, span=span, fields=shape.fields, condition=shape.query, size=size
    ):
        rows += pages.rows
        if pages.poison is not None:
            poison.append(Quarantined(sys_id=pages.poison.key[1], reason=pages.poison.reason))
        way = replace(way, after=pages.reached)
        letters += _letters(pages.rows)
        if len(rows) >= BATCH_ROWS or letters >= BATCH_LETTERS:
            state = replace(state, sweep=way, page_size=size.now, number=state.number + 1)
            yield _batch(shape, exclusion, state, rows, poison)
            rows, poison, letters = [], [], 0
    done = replace(
        state,
        sweep=None,
        cursor=max(state.cursor, way.after[0] if way.after[1] else ""),
        page_size=size.now,
        number=state.number + 1,
        finished=way.high,
    )
    yield _batch(shape, exclusion, done, rows, poison)


def _letters(rows: Sequence[dict[str, str]]) -> int:
    return sum(len(value) for row in rows for value in row.values() if value)


def _new_sweep(connection: Connection, shape: Shape, state: State) -> Sweep:
    high = bounded.server_time(connection, shape.table)
    low = back(state.cursor, OVERLAP_SECONDS) if state.cursor else bounded.EARLIEST
    return Sweep(high=high, after=(min(low, high), ""))


def _batch(
    shape: Shape,
    exclusion: Exclusion,
    state: State,
    rows: Sequence[dict[str, str]],
    poison: Sequence[Quarantined],
) -> Batch:
    wanted = frozenset(shape.fields)
    absent: set[str] = set()
    for row in rows:
        if len(row) < len(wanted):
            absent |= wanted.difference(row)
    return Batch(
        shape=shape,
        state=state,
        rows=tuple(exclusion.apply(rows, wanted)),
        quarantined=tuple(poison),
        absent=tuple(sorted(absent)),
    )
