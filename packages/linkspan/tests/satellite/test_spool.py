"""The spool: durable, in order, bounded, and right again whatever moment a process ended at."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from linkspan.ingest.values import Batch, Column, Gone, Shape, State
from linkspan.satellite import spool as module
from linkspan.satellite.reader import folded
from linkspan.satellite.spool import Spool, SpoolBroken, SpoolFull, Superseded, parts

STREAM = ("acme-1", "incident")
SHAPE = Shape(
    instance="acme-1",
    host="https://a",
    table="incident",
    columns=(Column(name="sys_id"), Column(name="sys_updated_on", kind="timestamp")),
    classes=("incident",),
)
ROOM = 10_000_000


def batch(number: int, *rows: str, **more: object) -> Batch:
    state = State(number=number, fingerprint="f", cursor=f"2026-01-{number:02} 00:00:00")
    values = tuple({"sys_id": row, "sys_updated_on": "2026-01-01 00:00:00"} for row in rows)
    return Batch(shape=SHAPE, state=state, rows=values, **more)  # type: ignore[arg-type]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    found = Spool(tmp_path, room=ROOM)
    found.begin("e1", {})
    return found


def drain(spool: Spool) -> list[Batch]:
    found = []
    while (parcel := spool.oldest()) is not None:
        found.append(Batch.decode(spool.read(parcel)))
        spool.remove(parcel)
    return found


def test_batches_leave_in_order_and_the_state_stays(spool: Spool, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        spool.put(batch(number, f"r{number}"), spool.turn)
    assert spool.waits(STREAM)
    again = Spool(tmp_path, room=ROOM)
    assert (again.holder, again.era, again.count, again.size) == (spool.holder, "e1", 3, spool.size)
    assert [one.rows[0]["sys_id"] for one in drain(again)] == ["r1", "r2", "r3"]
    assert (again.size, again.count, again.waits(STREAM)) == (0, 0, False)
    assert Spool(tmp_path, room=ROOM).state(STREAM) == batch(3).state


def test_files_are_for_their_owner(spool: Spool, tmp_path: Path) -> None:
    spool.put(batch(1, "r"), spool.turn)
    modes = {path.stat().st_mode & 0o077 for path in tmp_path.rglob("*")}
    assert modes == {0}


class Crash(BaseException):
    """A kill: nothing of ours runs after it."""


@pytest.mark.parametrize("moment", range(1, 13))
def test_a_crash_at_any_write_loses_nothing(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Killed before or in the middle of the nth write to the disk, then gone on with."""
    real, count = module.write_durably, 0

    def write(path: Path, text: bytes) -> None:
        nonlocal count
        count += 1
        if count == moment:
            if moment % 2:
                path.with_name(path.name + ".new").write_bytes(text[: len(text) // 2])
            raise Crash
        real(path, text)

    monkeypatch.setattr(module, "write_durably", write)
    monkeypatch.setattr(module, "PART_BYTES", 120)  # two rows fill a part
    source = {number: [f"{number}{letter}" for letter in "abcde"] for number in (1, 2, 3)}

    def collect(at: Spool) -> None:
        while at.state(STREAM).number < len(source):
            number = at.state(STREAM).number + 1
            at.put(batch(number, *source[number]), at.turn)

    with pytest.raises(Crash):
        collect(spool)
    monkeypatch.setattr(module, "write_durably", real)
    again = Spool(tmp_path, room=ROOM)
    collect(again)
    sent = drain(again)
    assert {row["sys_id"] for one in sent for row in one.rows} == {
        row for rows in source.values() for row in rows
    }
    numbers = [one.state.number for one in sent]
    assert numbers == sorted(numbers)  # the hub sees no gap
    assert numbers[-1] == len(source)
    assert not list(tmp_path.rglob("*.new"))


def test_a_full_spool_makes_the_reader_wait(tmp_path: Path) -> None:
    size = len(batch(1, "r").encode()) + 65  # a file begins with its digest
    spool = Spool(tmp_path, room=2 * size + 10)
    spool.begin("e1", {})
    spool.put(batch(1, "r"), spool.turn)
    spool.put(batch(2, "r"), spool.turn)
    done = threading.Event()

    def put() -> None:
        spool.put(batch(3, "r"), spool.turn)
        done.set()

    thread = threading.Thread(target=put, daemon=True)
    thread.start()
    assert not done.wait(0.3)
    assert spool.state(STREAM).number == 2
    with pytest.raises(SpoolFull):
        spool.put(batch(3, "x"), spool.turn, give_up=lambda: True)
    first = spool.oldest()
    assert first is not None
    spool.remove(first)
    assert done.wait(5)
    thread.join()
    assert [one.state.number for one in drain(spool)] == [2, 3]


def test_one_batch_larger_than_the_room_still_passes(tmp_path: Path) -> None:
    spool = Spool(tmp_path, room=10)
    spool.begin("e1", {})
    spool.put(batch(1, "r"), spool.turn)
    assert spool.full


def test_a_new_era_discards_what_is_behind(spool: Spool, tmp_path: Path) -> None:
    before = spool.turn
    spool.put(batch(1, "r"), before)
    there = State(number=9, cursor="2026-02-01 00:00:00")
    spool.begin("e2", {STREAM: there})
    assert (spool.count, spool.size, spool.oldest(), spool.state(STREAM)) == (0, 0, None, there)
    with pytest.raises(Superseded):
        spool.put(batch(2, "r"), before)
    assert Spool(tmp_path, room=ROOM).state(STREAM) == there


def test_a_reader_that_waits_hears_of_a_new_era(tmp_path: Path) -> None:
    spool = Spool(tmp_path, room=10)
    spool.begin("e1", {})
    spool.put(batch(1, "r"), spool.turn)
    heard: list[Exception] = []

    turn = spool.turn

    def put() -> None:
        try:
            spool.put(batch(2, "r"), turn)
        except Superseded as error:
            heard.append(error)

    thread = threading.Thread(target=put, daemon=True)
    thread.start()
    time.sleep(0.1)
    spool.begin("e2", {})
    thread.join(5)
    assert len(heard) == 1
    assert spool.count == 0


def test_who_is_not_trusted_reads_nothing(spool: Spool) -> None:
    spool.distrust()
    assert spool.era == ""
    with pytest.raises(Superseded):
        spool.put(batch(1, "r"), spool.turn)


def test_the_same_era_again_is_another_turn(spool: Spool) -> None:
    """The hub lost what it had: who is in the middle of reading must not go on from before."""
    before = spool.turn
    spool.distrust()
    spool.begin("e1", {})
    with pytest.raises(Superseded):
        spool.put(batch(1, "r"), before)


def test_a_damaged_file_is_noticed(spool: Spool, tmp_path: Path) -> None:
    spool.put(batch(1, "r"), spool.turn)
    (path,) = (tmp_path / "batches").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    parcel = spool.oldest()
    assert parcel is not None
    with pytest.raises(SpoolBroken) as broken:
        spool.read(parcel)
    assert broken.value.code == "damaged"
    (tmp_path / "states" / "acme-1.incident.json").unlink()
    assert Spool(tmp_path, room=ROOM).era == ""  # the hub has to be asked


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SpoolBroken):
        Spool(tmp_path, room=ROOM)


def test_a_full_disk_leaves_no_halves_behind(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them would take some of the room that somebody makes."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for _ in range(3):
        with pytest.raises(SpoolBroken, match="No space left"):
            spool.put(batch(1, "a"), spool.turn)
    assert [path.name for path in tmp_path.rglob("*.new")] == []
    monkeypatch.undo()
    spool.put(batch(1, "a"), spool.turn)
    assert len(drain(spool)) == 1


def test_a_large_batch_is_cut_so_that_nothing_moves_on_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 150)
    before = State(number=4, fingerprint="f", cursor="2026-01-01 00:00:00")
    whole = replace(batch(5, *"abcdefg"), deleted=(Gone(sys_id="x", at="2026-01-01 00:00:00"),), restart=True)
    cut = list(parts(whole, before))
    assert [row["sys_id"] for one in cut for row in one.rows] == list("abcdefg")
    assert len(cut) > 2
    assert [one.state.number for one in cut] == [4] * (len(cut) - 1) + [5]
    assert [one.restart for one in cut] == [True] + [False] * (len(cut) - 1)
    assert [len(one.deleted) for one in cut] == [0] * (len(cut) - 1) + [1]
    assert cut[0].state.cursor == ""  # another base: the old cursor means nothing


def test_a_row_that_is_too_large_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_BYTES", 100)
    (one,) = parts(batch(1, "small", "l" * 200), State())
    assert [row["sys_id"] for row in one.rows] == ["small"]
    assert one.quarantined[0].sys_id == "l" * 200


def test_states_that_carry_no_record_travel_with_the_one_before() -> None:
    made = [batch(1, "a"), batch(2), batch(3), batch(4, "b"), batch(5)]
    found = list(folded(iter(made)))
    assert [(len(one.rows), one.state.number) for one in found] == [(1, 3), (1, 5)]


def test_a_failure_comes_after_what_was_read_before_it() -> None:
    def broken() -> Iterator[Batch]:
        yield batch(1, "a")
        raise SpoolFull("no")

    found = folded(broken())
    assert next(found).state.number == 1
    with pytest.raises(SpoolFull):
        next(found)
