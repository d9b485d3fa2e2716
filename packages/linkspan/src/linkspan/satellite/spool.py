"""What was read and not yet acknowledged, and how far each stream is: files that survive a power cut.

A batch is one file (or a few, where it is large), written under another name, synced, renamed, its folder
synced; only then the stream's state moves on. Batches leave oldest first. When the spool is full whoever
reads waits; nothing is dropped to make room.

An ``era`` is the time during which this satellite has the hub's lease without another having had it in
between. When a new one begins the hub's states are the truth: what still lies here is discarded, it is
behind them and will be read again.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex

import msgspec

from linkspan.core.errors import LinkspanError
from linkspan.ingest.values import Batch, Quarantined, State

PART_BYTES = 4 * 1024 * 1024
LARGEST_BYTES = 15 * 1024 * 1024  # the hub takes 16 MiB
WAIT_SECONDS = 0.2

Stream = tuple[str, str]  # the name of the instance as the warehouse has it, and the table


class SpoolFull(LinkspanError):
    """The spool has no room, and whoever wanted to write did not want to wait any longer."""

    code = "spool_full"


class SpoolBroken(LinkspanError):
    """The spool cannot be read or written."""

    code = "spool_unusable"


class Superseded(LinkspanError):
    """A new era began while this was read: it is no longer wanted."""

    code = "superseded"
    retryable = True


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """One file of the spool. ``id`` is never used twice."""

    id: str
    path: Path
    stream: Stream
    number: int


@dataclass
class _Lease:
    holder: str
    era: str = ""


@dataclass
class _Counter:
    next: int = 1
    size: int = 0
    waiting: dict[Path, int] = field(default_factory=dict)


class Spool:
    """The durable part of one satellite. Thread-safe; one process at a time (its owner sees to that)."""

    def __init__(self, home: Path, *, room: int) -> None:
        """``room`` in bytes. Raises SpoolBroken."""
        self._home = home
        self._room = room
        self._lock = threading.Condition()
        self._count = _Counter()
        self._turn = 0
        with self._lock, _usable(home):
            for name in ("batches", "states"):
                (home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lease = self._read_lease()
            self._states = dict(self._read_states())
            self._recover()

    # ── what is known ────────────────────────────────────────────────────────────────────────────

    @property
    def holder(self) -> str:
        """Who this satellite is, for the hub; the same for as long as the home lives."""
        return self._lease.holder

    @property
    def era(self) -> str:
        """The era that is kept; "" when the hub has to be asked."""
        with self._lock:
            return self._lease.era

    @property
    def turn(self) -> int:
        """What a reader says it began with; another one each time that the states were put anew."""
        with self._lock:
            return self._turn

    @property
    def size(self) -> int:
        """Bytes that wait."""
        with self._lock:
            return self._count.size

    @property
    def count(self) -> int:
        """Files that wait."""
        with self._lock:
            return len(self._count.waiting)

    @property
    def full(self) -> bool:
        """Whether whoever reads has to wait."""
        with self._lock:
            return self._count.size >= self._room

    def state(self, stream: Stream) -> State:
        """How far a stream is, the batches that wait included."""
        with self._lock:
            return self._states.get(stream, State())

    def knows(self, stream: Stream) -> bool:
        """Whether the hub ever said how far this stream is."""
        with self._lock:
            return stream in self._states

    def waits(self, stream: Stream) -> bool:
        """Whether anything of this stream waits."""
        with self._lock:
            return any(_parcel(path).stream == stream for path in self._count.waiting)

    # ── in and out ───────────────────────────────────────────────────────────────────────────────

    def put(self, batch: Batch, turn: int, *, give_up: Callable[[], bool] = lambda: False) -> None:
        """Keep a batch, then its state. Waits for room; ``give_up`` is asked meanwhile.

        A state that moves on gets the next number of its stream, whatever it says itself.

        Raises SpoolFull when it gave up, Superseded when ``turn`` is over, SpoolBroken.
        """
        stream = (batch.shape.instance, batch.shape.table)
        before = self.state(stream)
        if batch.state.number > before.number:
            batch = replace(batch, state=replace(batch.state, number=before.number + 1))
        for part in parts(batch, before):
            text = part.encode()
            with self._lock:
                self._wait_for_room(len(text), turn, give_up)
                with _usable(self._home):
                    self._write(stream, part.state.number, text)
        with self._lock:
            self._require(turn)
            with _usable(self._home):
                self._save_state(stream, batch.state)

    def oldest(self) -> Parcel | None:
        """The batch that leaves next."""
        with self._lock:
            first = min(self._count.waiting, default=None)
            return _parcel(first) if first is not None else None

    def read(self, parcel: Parcel) -> bytes:
        """What a parcel holds. Raises SpoolBroken with code damaged when it is not what was written."""
        with _usable(self._home):
            digest, _, text = parcel.path.read_bytes().partition(b"\n")
        if hashlib.sha256(text).hexdigest().encode() != digest:
            raise SpoolBroken(
                f"{parcel.path.name} is not what was written",
                where=str(parcel.path),
                fix="nothing: the stream is read again from where the hub has it. Check the disk",
                code="damaged",
            )
        return text

    def remove(self, parcel: Parcel) -> None:
        """The hub has it. Losing this removal in a crash only sends the parcel twice."""
        with self._lock:
            with _usable(self._home):
                parcel.path.unlink(missing_ok=True)
            self._forget(parcel.path)

    # ── eras ─────────────────────────────────────────────────────────────────────────────────────

    def distrust(self) -> None:
        """End the era: the hub must be asked how far each stream is before anything is read again."""
        with self._lock, _usable(self._home):
            self._save_lease("")

    def begin(self, era: str, states: Mapping[Stream, State]) -> None:
        """Begin an era with the hub's states; what waits is discarded. Raises SpoolBroken."""
        with self._lock, _usable(self._home):
            self._save_lease("")  # a crash half-way asks the hub again
            for path in sorted(self._count.waiting):
                path.unlink(missing_ok=True)
                self._forget(path)
            for path in (self._home / "states").iterdir():
                path.unlink()
            self._states.clear()
            for stream, state in states.items():
                self._save_state(stream, state)
            self._save_lease(era)

    # ── inside the lock ──────────────────────────────────────────────────────────────────────────

    def _require(self, turn: int) -> None:
        if not self._lease.era or turn != self._turn:
            raise Superseded("the hub's states are the truth now", fix="nothing: it is read again")

    def _wait_for_room(self, wanted: int, turn: int, give_up: Callable[[], bool]) -> None:
        self._require(turn)
        while self._count.waiting and self._count.size + wanted > self._room:
            if give_up():
                raise SpoolFull(
                    f"{self._count.size} bytes wait for the hub, and there is room for {self._room}",
                    where=str(self._home),
                    fix="bring the hub back; what was read is kept",
                )
            self._lock.wait(WAIT_SECONDS)
            self._require(turn)

    def _write(self, stream: Stream, number: int, text: bytes) -> None:
        name = f"{self._count.next:012d}.{stream[0]}.{stream[1]}.{number}.{token_hex(6)}.json"
        path = self._home / "batches" / name
        signed = hashlib.sha256(text).hexdigest().encode() + b"\n" + text
        write_durably(path, signed)
        self._count.next += 1
        self._count.waiting[path] = len(signed)
        self._count.size += len(signed)

    def _forget(self, path: Path) -> None:
        self._count.size -= self._count.waiting.pop(path, 0)
        self._lock.notify_all()

    def _save_state(self, stream: Stream, state: State) -> None:
        path = self._home / "states" / f"{stream[0]}.{stream[1]}.json"
        write_durably(path, msgspec.json.encode(state))
        self._states[stream] = state

    def _save_lease(self, era: str) -> None:
        lease = _Lease(holder=self._lease.holder, era=era)
        write_durably(self._home / "lease.json", msgspec.json.encode(lease))
        self._lease = lease
        self._turn += 1
        self._lock.notify_all()

    # ── after a start ────────────────────────────────────────────────────────────────────────────

    def _read_lease(self) -> _Lease:
        path = self._home / "lease.json"
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=_Lease)
        lease = _Lease(holder=token_hex(16))
        write_durably(path, msgspec.json.encode(lease))
        return lease

    def _read_states(self) -> Iterator[tuple[Stream, State]]:
        for path in (self._home / "states").glob("*.json"):
            instance, table = path.name.removesuffix(".json").split(".")
            yield (instance, table), msgspec.json.decode(path.read_bytes(), type=State)

    def _recover(self) -> None:
        """Take up what a process left that ended between a batch and its state."""
        for path in sorted((self._home / "batches").iterdir()):
            if not path.name.endswith(".json"):
                path.unlink()  # never finished, so its state never moved on
                continue
            size = path.stat().st_size
            self._count.waiting[path] = size
            self._count.size += size
            self._count.next = int(path.name.partition(".")[0]) + 1
            parcel = _parcel(path)
            if parcel.number > self.state(parcel.stream).number:
                try:
                    self._save_state(parcel.stream, Batch.decode(self.read(parcel)).state)
                except SpoolBroken:
                    self._save_lease("")


def parts(batch: Batch, before: State) -> Iterator[Batch]:
    """A batch as batches that the hub takes: all but the last leave the state as it was ``before``."""
    encoded = [(row, len(msgspec.json.encode(row)) + 1) for row in batch.rows]
    large = tuple(
        Quarantined(sys_id=row.get("sys_id", ""), reason="larger than what can be sent at once")
        for row, size in encoded
        if size > LARGEST_BYTES
    )
    groups: list[list[dict[str, str]]] = [[]]
    filled = 0
    for row, size in encoded:
        if size > LARGEST_BYTES:
            continue
        if groups[-1] and filled + size > PART_BYTES:
            groups.append([])
            filled = 0
        groups[-1].append(row)
        filled += size
    base = State(number=before.number) if batch.restart else before
    still = replace(base, fingerprint=batch.state.fingerprint)
    for index, rows in enumerate(groups):
        last = index == len(groups) - 1
        yield replace(
            batch,
            rows=tuple(rows),
            state=batch.state if last else still,
            deleted=batch.deleted if last else (),
            quarantined=(*batch.quarantined, *large) if last else (),
            restart=batch.restart and index == 0,
        )


def write_durably(path: Path, text: bytes) -> None:
    """All of it or nothing, also through a power cut. Raises OSError."""
    draft = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        # What a full disk has of it would only take room from the next one.
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parcel(path: Path) -> Parcel:
    sequence, instance, table, number, once, _ = path.name.split(".")
    return Parcel(
        id=f"{instance}/{table}/{number}/{int(sequence)}-{once}",
        path=path,
        stream=(instance, table),
        number=int(number),
    )


@contextmanager
def _usable(home: Path) -> Iterator[None]:
    """Turn what the file system says into SpoolBroken."""
    try:
        yield
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a file is damaged"
        raise SpoolBroken(
            f"the spool cannot be used: {reason}",
            where=str(home),
            fix="check the free space and the rights of the folder",
        ) from error
