"""Three-way merge of one incident: what to write where. Pure.

The base is what both sides last agreed on. A field that changed on one side only travels. Changed on
both, it is a conflict unless both came to mean the same: Closed on the instance is final; otherwise
the side where the incident was born is the source and keeps its value. A conflict is recorded
with both values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from linkspan.mapping.incident import COLUMNS, FIELDS, FINAL_STATES, IncidentMapping

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
class Merge:
    """What to do: ``to_record`` are columns, ``to_peer`` fields. Both empty: nothing is left to do."""

    to_record: Mapping[str, str] = field(default_factory=dict)
    to_peer: Mapping[str, str] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()

    @property
    def settled(self) -> bool:
        """True when both sides agree."""
        return not self.to_record and not self.to_peer


@dataclass(frozen=True, kw_only=True)
class Base:
    """What both sides last agreed on: ``peer`` in fields, ``record`` in columns."""

    peer: Mapping[str, str]
    record: Mapping[str, str]


def merge(
    mapping: IncidentMapping,
    base: Base,
    *,
    peer: Mapping[str, str],
    record: Mapping[str, str],
    source: Side,
) -> Merge:
    """Decide each field. Raises ``mapping.incident.Unmapped`` for a value without a rule."""
    to_record: dict[str, str] = {}
    to_peer: dict[str, str] = {}
    conflicts: list[Conflict] = []
    for name in FIELDS:
        peer_changed = peer[name] != base.peer[name]
        record_changed = any(record[column] != base.record.get(column) for column in COLUMNS[name])
        back = mapping.back(name, record, peer[name]) if record_changed else None
        wants_write = peer_changed and not mapping.agrees(name, peer[name], record)
        if wants_write and back is not None:
            conflict = _conflict(name, base, peer=peer, record=record, back=back, source=source)
            conflicts.append(conflict)
            wants_write, back = conflict.kept == "peer", back if conflict.kept == "instance" else None
        elif wants_write and name == "status" and record["state"] in FINAL_STATES:
            # Closed cannot be reopened: the far side is told so instead of being ignored.
            back = mapping.back(name, record, peer[name])
            conflicts.append(_closed(name, base, peer=peer, back=back or peer[name]))
            wants_write = False
        elif peer_changed and back is not None:
            back = None  # both moved, and what they say now is compatible
        if wants_write:
            to_record |= mapping.write(name, peer[name], record)
        elif back is not None and back != peer[name]:
            to_peer[name] = back
    return Merge(to_record=to_record, to_peer=to_peer, conflicts=tuple(conflicts))


def _conflict(
    name: str, base: Base, *, peer: Mapping[str, str], record: Mapping[str, str], back: str, source: Side
) -> Conflict:
    if name == "status" and record["state"] in FINAL_STATES:
        return _closed(name, base, peer=peer, back=back)
    return Conflict(
        field=name,
        base=base.peer[name],
        peer_value=peer[name],
        instance_value=back,
        kept=source,
        rule="the side where the incident was born keeps its value",
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


def rebase(base: Base, *, peer: Mapping[str, str], record: Mapping[str, str]) -> Base:
    """The base once both sides agree."""
    columns = {column: record[column] for name in FIELDS for column in COLUMNS[name]}
    return Base(peer={name: peer[name] for name in FIELDS}, record={**base.record, **columns})
