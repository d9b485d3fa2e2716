"""Three-way merge of one pair: what to write where. Pure, but for what a mapping looks up.

The base is what both sides last agreed on. A field that changed on one side only travels. Changed on
both, it is a conflict unless both came to mean the same: Closed on the instance is final; otherwise
the side where the pair was born is the source and keeps its value. A conflict is recorded with both
values. A value that the other side does not take is left as it is there, until either side changes
that field again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from linkspan.mapping.contract import RecordMapping, Untaken

Side = Literal["peer", "instance"]


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """A field that changed on both sides; ``kept`` says whose value stayed and ``rule`` why."""

    field: str
    base: str
    peer_value: str
    instance_value: str
    kept: Side
    rule: str


@dataclass(frozen=True, kw_only=True)
class Left:
    """A field on which both sides differ because ``by`` does not take the other's value.

    ``peer_value`` and ``columns`` are what both sides said then, ``text`` the value that was not taken,
    ``url`` where a person can carry it over.
    """

    field: str
    by: Side
    peer_value: str
    columns: Mapping[str, str]
    text: str
    cause: str
    fix: str = ""
    url: str = ""

    def holds(self, peer_value: str, columns: Mapping[str, str]) -> bool:
        """True while neither side has said anything else."""
        return peer_value == self.peer_value and columns == self.columns


@dataclass(frozen=True, kw_only=True)
class Merge:
    """What to do: ``to_record`` are columns, ``to_peer`` fields. Both empty: nothing is left to do."""

    to_record: Mapping[str, str] = field(default_factory=dict)
    to_peer: Mapping[str, str] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    left: Mapping[str, Left] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """True when both sides agree on all that is not left."""
        return not self.to_record and not self.to_peer


@dataclass(frozen=True, kw_only=True)
class Base:
    """What both sides last agreed on: ``peer`` in fields, ``record`` in columns."""

    peer: Mapping[str, str]
    record: Mapping[str, str]


def columns_of(mapping: RecordMapping, name: str, record: Mapping[str, str]) -> dict[str, str]:
    """What a record says of one field."""
    return {column: record[column] for column in mapping.columns[name]}


def merge(
    mapping: RecordMapping,
    base: Base,
    *,
    peer: Mapping[str, str],
    record: Mapping[str, str],
    source: Side,
    left: Mapping[str, Left] = MappingProxyType({}),
) -> Merge:
    """Decide each field; ``left`` are those left before. Raises Unmapped for a value without a rule."""
    to_record: dict[str, str] = {}
    to_peer: dict[str, str] = {}
    conflicts: list[Conflict] = []
    still: dict[str, Left] = {}
    for name in mapping.fields:
        columns = columns_of(mapping, name, record)
        known = left.get(name)
        if known is not None and known.holds(peer[name], columns):
            still[name] = known
            continue
        try:
            write, back, conflict = _decide(mapping, name, _since(base, known), peer, record, source)
        except Untaken as error:
            still[name] = Left(
                field=name,
                by=error.by,
                peer_value=peer[name],
                columns=columns,
                text=error.value,
                cause=error.cause,
                fix=error.fix,
            )
            continue
        to_record |= write
        to_peer |= {} if back is None else {name: back}
        conflicts += [conflict] if conflict else []
    return Merge(to_record=to_record, to_peer=to_peer, conflicts=tuple(conflicts), left=still)


def _since(base: Base, known: Left | None) -> Base:
    """What later changes of a field are measured by: when it was left, what both sides said then."""
    if known is None:
        return base
    peer = {**base.peer, known.field: known.peer_value}
    return Base(peer=peer, record={**base.record, **known.columns})


def _decide(
    mapping: RecordMapping,
    name: str,
    base: Base,
    peer: Mapping[str, str],
    record: Mapping[str, str],
    source: Side,
) -> tuple[dict[str, str], str | None, Conflict | None]:
    """One field: columns to write, the value for the far side or None, a conflict or None."""
    peer_changed = peer[name] != base.peer[name]
    record_changed = any(record[column] != base.record.get(column) for column in mapping.columns[name])
    back = mapping.back(name, record, peer[name]) if record_changed else None
    wants_write = peer_changed and not mapping.agrees(name, peer[name], record)
    conflict = None
    if wants_write and back is not None:
        conflict = _conflict(mapping, name, base, peer=peer, record=record, back=back, source=source)
        wants_write, back = conflict.kept == "peer", back if conflict.kept == "instance" else None
    elif wants_write and mapping.is_final(name, record):
        # Closed cannot be reopened: the far side is told so instead of being ignored.
        back = mapping.back(name, record, peer[name])
        conflict = _closed(name, base, peer=peer, back=back or peer[name])
        wants_write = False
    elif peer_changed and back is not None:
        back = None  # both moved, and what they say now is compatible
    if wants_write:
        return mapping.write(name, peer[name], record), None, conflict
    return {}, back if back != peer[name] else None, conflict


def _conflict(
    mapping: RecordMapping,
    name: str,
    base: Base,
    *,
    peer: Mapping[str, str],
    record: Mapping[str, str],
    back: str,
    source: Side,
) -> Conflict:
    if mapping.is_final(name, record):
        return _closed(name, base, peer=peer, back=back)
    return Conflict(
        field=name,
        base=base.peer[name],
        peer_value=peer[name],
        instance_value=back,
        kept=source,
        rule="the side where it was born keeps its value",
    )


def _closed(name: str, base: Base, *, peer: Mapping[str, str], back: str) -> Conflict:
    return Conflict(
        field=name,
        base=base.peer[name],
        peer_value=peer[name],
        instance_value=back,
        kept="instance",
        rule="a closed incident cannot be reopened; declare a new one",
    )


def rebase(
    mapping: RecordMapping,
    base: Base,
    *,
    peer: Mapping[str, str],
    record: Mapping[str, str],
    left: Mapping[str, Left] = MappingProxyType({}),
) -> Base:
    """The base once both sides agree on everything but what is ``left``."""
    names = [name for name in mapping.fields if name not in left]
    columns = {column: value for name in names for column, value in columns_of(mapping, name, record).items()}
    return Base(peer={**base.peer, **{name: peer[name] for name in names}}, record={**base.record, **columns})
