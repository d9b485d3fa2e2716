"""What satellites send to the hub: who may, what is stored of it, and what they are told."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from linkspan.core import clock
from linkspan.core.errors import Rejected, Stale
from linkspan.core.secret import Secret
from linkspan.ingest import foreign, verify
from linkspan.ingest.load import load, state_of
from linkspan.ingest.run import standing
from linkspan.store import Database, deliveries
from linkspan.store.reports import Reports
from linkspan.store.satellites import LEASE_SECONDS, SEEN, claim, forget_old, lease_of, release
from linkspan.store.warehouse import Warehouse, WarehouseBusy

if TYPE_CHECKING:
    from linkspan.flows.wiring import Wiring

WAIT_SECONDS = 5.0
MOST_STREAMS = 500
MOST_KEYS = 50_000
MOST_IDS = 2000
SILENT_SECONDS = 2 * LEASE_SECONDS

T = TypeVar("T")
Short = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=1000)]
Holder = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class StreamNote(msgspec.Struct, kw_only=True):
    """How one stream stands at the satellite; times are the instance's."""

    instance: Short
    table: Short
    number: int = 0
    finished: Short = ""
    compared: Short = ""
    counted: int | None = None
    hidden: int | None = None
    verified: bool | None = None


class Trouble(msgspec.Struct, kw_only=True):
    """What does not work there, as every problem is told."""

    code: Text = ""
    where: Text = ""
    cause: Text = ""
    fix: Text = ""


class Heartbeat(msgspec.Struct, kw_only=True):
    """What a satellite says of itself. ``clock`` is its own, in seconds since the epoch."""

    holder: Holder
    era: Short
    version: Short
    fingerprint: Short
    clock: float
    spool_bytes: int
    spool_batches: int
    streams: Annotated[list[StreamNote], msgspec.Meta(max_length=MOST_STREAMS)]
    trouble: Annotated[list[Trouble], msgspec.Meta(max_length=100)]
    leaving: bool = False


class Census(msgspec.Struct, kw_only=True):
    """Keys of the visible rows with sys_ids from ``low`` to before ``high`` ("" for no end).

    ``keys`` are (sys_id, sys_updated_on, sys_mod_count); ``counted`` is the whole table's.
    """

    instance: Short
    table: Short
    low: Short
    high: Short
    counted: Annotated[int, msgspec.Meta(ge=0)]
    keys: Annotated[list[tuple[Short, Short, Short]], msgspec.Meta(max_length=MOST_KEYS)]


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Who sends, and the era of the lease in which it was read."""

    holder: str
    era: str


@dataclass(frozen=True, kw_only=True)
class Satellites:
    """The doors for satellites. ``keys`` resolves a tenant's keys, at each call anew."""

    database: Database
    warehouse: Warehouse
    keys: Mapping[str, Callable[[], Sequence[Secret]]]
    _turns: dict[str, threading.Lock] = field(default_factory=dict)

    def knows(self, tenant: str, key: str) -> bool:
        """Whether ``key`` is one of the tenant's. Takes the same time for each wrong one."""
        if tenant not in self.keys:
            return False
        matches = [Secret(key) == one for one in self.keys[tenant]()]
        return any(matches)

    def heartbeat(self, tenant: str, body: bytes) -> dict[str, Any]:
        """``{held, era, seconds, clock, states?}``; ``states`` when the satellite has to begin anew.

        Raises Rejected, WarehouseBusy.
        """
        said = _decoded(body, Heartbeat)
        for one in said.streams:
            foreign.require_stream(tenant, one.instance, one.table)
        with self.database.begin() as connection:
            if said.leaving:
                release(connection, tenant, said.holder)
                lease = lease_of(connection, tenant)
            else:
                lease = claim(connection, tenant, said.holder)
            forget_old(connection)
        held = not said.leaving and lease is not None and lease.holder == said.holder
        note = msgspec.to_builtins(said)
        skew = round(said.clock - clock.now(), 3)
        Reports(self.database).save(
            SEEN, f"{tenant}/{said.holder}", {**note, "tenant": tenant, "held": held, "skew_s": skew}
        )
        era = lease.era if lease is not None else ""
        answer: dict[str, Any] = {"held": held, "era": era, "seconds": LEASE_SECONDS, "clock": clock.now()}
        if held and era != said.era:
            answer["states"] = [
                {
                    "instance": one.instance,
                    "table": one.table,
                    "state": asdict(state_of(self.warehouse, one.instance, one.table)),
                }
                for one in said.streams
            ]
        return answer

    def take(self, tenant: str, holder: Holding, batch_id: str, body: bytes) -> bool:
        """Store a batch; False when it was stored before.

        Raises Rejected for what cannot be a batch of this tenant, Stale when another satellite has the
        lease (code lease), had it in between (code era) or a batch before this one is missing (code gap),
        WarehouseBusy.
        """
        endpoint = f"satellites/{tenant}"
        batch = foreign.read(body, tenant)
        self._require_lease(tenant, holder)
        with self.database.read() as connection:
            before = deliveries.known(connection, endpoint=endpoint, message_id=batch_id)
        if before is not None:
            if before != hashlib.sha256(body).hexdigest():
                raise Rejected("another batch came under this id", where=batch_id, code="key_reused")
            return False
        with self._turn(tenant):
            load(self.warehouse, batch, in_sequence=True)
        with self.database.begin() as connection:
            deliveries.take(connection, endpoint=endpoint, message_id=batch_id, body=body)
        return True

    def compare(self, tenant: str, holder: Holding, body: bytes) -> dict[str, Any]:
        """Compare keys with what is stored: ``{missing, stale, vanished, stored, doubled, gaps}``.

        At most 2000 ids of each kind. Raises Rejected, Stale, WarehouseBusy.
        """
        census = _decoded(body, Census)
        foreign.require_stream(tenant, census.instance, census.table)
        if any(key[0] < census.low or (census.high and key[0] >= census.high) for key in census.keys):
            raise Rejected("a key lies outside of its part", where="keys", code="invalid")
        self._require_lease(tenant, holder)
        with self._turn(tenant), self.warehouse.spooled(_lines(census)) as file:
            found = verify.compared(
                self.warehouse,
                census.instance,
                census.table,
                file,
                counted=census.counted,
                span=(census.low, census.high),
            )
        return {
            "missing": found.missing[:MOST_IDS],
            "stale": found.stale[:MOST_IDS],
            "vanished": found.vanished[:MOST_IDS],
            "stored": found.stored,
            "doubled": found.doubled,
            "gaps": found.gaps(),
        }

    def _require_lease(self, tenant: str, holding: Holding) -> None:
        with self.database.begin() as connection:
            lease = claim(connection, tenant, holding.holder)
        if lease.holder != holding.holder:
            raise Stale(
                "another satellite reads for this tenant",
                where=tenant,
                fix="stop one of the two, or give each a tenant of its own",
                code="lease",
            )
        if lease.era != holding.era:
            raise Stale(
                "another satellite has read for this tenant in between",
                where=tenant,
                fix="the satellite goes on from what is stored",
                code="era",
            )

    @contextmanager
    def _turn(self, tenant: str) -> Iterator[None]:
        """One batch of a tenant at a time, and no thread that waits for long."""
        lock = self._turns.setdefault(tenant, threading.Lock())
        if not lock.acquire(timeout=WAIT_SECONDS):
            raise WarehouseBusy("another batch of this tenant is being stored", where=tenant)
        try:
            yield
        finally:
            lock.release()


def open_satellites(wiring: Wiring) -> Satellites:
    """The doors of a home, one for each tenant that is configured."""

    def keys_of(name: str) -> Callable[[], Sequence[Secret]]:
        tenant = wiring.config.satellites[name]
        return lambda: [wiring.secret(one, where=tenant.where) for one in tenant.api_keys]

    return Satellites(
        database=wiring.database,
        warehouse=Warehouse(wiring.home, wait=WAIT_SECONDS),
        keys={name: keys_of(name) for name in wiring.config.satellites},
    )


def satellites_status(wiring: Wiring) -> dict[str, Any]:
    """The satellites of each tenant and how their streams are stored.

    ``{TENANT: {satellites: [{holder, held, silent, seen_at, skew_s, version, fingerprint, spool_bytes,
    spool_batches, trouble, streams}], streams: {INSTANCE/TABLE: …}}}``.
    """
    if not wiring.config.satellites:
        return {}
    seen = Reports(wiring.database).all(SEEN)
    stored = wiring.warehouse.streams()
    return {
        tenant: {
            "satellites": [_shown(one) for one in seen.values() if one["tenant"] == tenant],
            "streams": {
                f"{instance}/{table}": standing(wiring.warehouse, instance, table)
                for instance, table in stored
                if instance.startswith(f"{tenant}-")
            },
        }
        for tenant in wiring.config.satellites
    }


def _shown(document: Mapping[str, Any]) -> dict[str, Any]:
    names = (
        *("holder", "version", "fingerprint", "skew_s", "spool_bytes", "spool_batches"),
        *("streams", "trouble"),
    )
    silent = clock.now() - document["at"] > SILENT_SECONDS
    return {
        **{name: document[name] for name in names},
        "held": document["held"] and not silent,
        "silent": silent and not document["leaving"],
        "left": document["leaving"],
        "seen_at": clock.iso_time(document["at"]),
    }


def _lines(census: Census) -> Iterator[list[dict[str, str]]]:
    names = ("sys_id", "sys_updated_on", "sys_mod_count")
    yield [dict(zip(names, key, strict=True)) for key in census.keys]


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(
            f"this is not understood: {error}",
            fix="run the same release of linkspan on both sides",
            code="invalid",
        ) from error
