"""One drain in progress: what is known of both sides of a pair, and what was done to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from linkspan.core.errors import Rejected
from linkspan.core.peer import PeerIncident
from linkspan.mapping.contract import RecordMapping
from linkspan.store import inbox
from linkspan.store.inbox import Event
from linkspan.store.links import Link
from linkspan.sync.merge import Base, Conflict, Left, columns_of

NOT_TAKEN = "not_taken"
NOT_SHARED = "not_shared"  # the far side has it, and it is not one for this sync

Record = Mapping[str, str]
T = TypeVar("T")


@dataclass
class Work:
    """One drain in progress: what is known of both sides and what was done."""

    link: Link
    events: Sequence[Event]
    base: Base
    record: Record | None
    record_mod: int  # the sys_mod_count that ``record`` shows
    merged_mod: int  # the one that was merged before this drain began
    peer: PeerIncident | None
    own_mods: set[int]
    own_versions: set[int]
    mod_count: int
    peer_version: int
    fresh: bool = False
    wrote_record: bool = False
    wrote_peer: bool = False
    conflicts: list[Conflict] = field(default_factory=list)
    peer_notes: list[tuple[str, str, str]] = field(default_factory=list)  # key, sent, counterpart
    untaken_notes: list[str] = field(default_factory=list)
    left: dict[str, Left] = field(default_factory=dict)
    parted: bool = False

    @property
    def source(self) -> inbox.Side:
        """The side where the pair was born."""
        return "instance" if self.link.born == "instance" else "peer"


def start(link: Link, events: Sequence[Event]) -> Work:
    """A drain as it begins: what the store remembers, and the newest state that an event brought."""
    saved = link.base or {}
    left = {name: Left(**told) for name, told in saved.get("left", {}).items()}
    record_mod = int(saved.get("record_mod", -1))
    record: Record | None = None
    if "record" in saved:
        names = {"sys_id": link.sys_id or "", "number": link.number, "sys_mod_count": str(record_mod)}
        record = {**saved["record"], **names}
        for field_left in left.values():
            record |= field_left.columns
    read = [e for e in events if e.side == "instance" and e.payload is not None and e.version > record_mod]
    if read:
        newest = max(read, key=lambda event: event.version)
        record, record_mod = (newest.payload or {})["record"], newest.version
    return Work(
        link=link,
        events=events,
        base=Base(peer=saved.get("peer", {}), record=saved.get("record", {})),
        record=record,
        record_mod=record_mod,
        merged_mod=int(saved.get("record_mod", -1)),
        peer=None,
        own_mods=set(saved.get("own_mods", ())),
        own_versions=set(saved.get("own_versions", ())),
        mod_count=link.mod_count,
        peer_version=link.peer_version,
        conflicts=[Conflict(**decided) for decided in saved.get("decided", ())],
        left=left,
        parted=bool(saved.get("parted")),
    )


def refused_before(work: Work) -> Rejected | None:
    """What the far side said of values it did not take when an earlier drain created its thing."""
    told = (work.link.base or {}).get("creating", {}).get("refused")
    return Rejected(told["cause"], code=NOT_TAKEN, fix=told["fix"]) if told else None


def agree(
    mapping: RecordMapping, base: Base, names: Sequence[str], *, peer: Mapping[str, str], record: Record
) -> Base:
    """The base once both sides agree on these fields too."""
    columns = {column: value for name in names for column, value in columns_of(mapping, name, record).items()}
    return Base(peer={**base.peer, **{name: peer[name] for name in names}}, record={**base.record, **columns})


def all_columns(mapping: RecordMapping, record: Record) -> dict[str, str]:
    """What a record says of all fields."""
    return {
        column: value
        for name in mapping.fields
        for column, value in columns_of(mapping, name, record).items()
    }


def problem_of(left: Iterable[Left], where: str) -> dict[str, str] | None:
    """What a person has to carry over; None when nothing was left."""
    told = list(left)
    if not told:
        return None
    return {
        "code": NOT_TAKEN,
        "where": where,
        "cause": "; ".join(f"{one.field}: {one.cause}" for one in told),
        "fix": "; ".join(dict.fromkeys(one.fix for one in told if one.fix)),
        "url": next((one.url for one in told if one.url), ""),
        "text": "; ".join(one.text for one in told if one.text),
    }


def known(value: T | None) -> T:
    """A value that is there by now."""
    assert value is not None
    return value
