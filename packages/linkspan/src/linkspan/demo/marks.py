"""Marks in notes: how the demo times the trip of a note by its own clock, and counts its copies.

A mark is a short word in the text of a note (``[mark s12]`` written on ServiceNow, ``[mark d7]`` on
the desk). One observer looks at both sides for marks written on the other.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Literal

from linkspan.core.errors import LinkspanError
from linkspan.demo.line import Line

Side = Literal["s", "d"]
LOOK_EVERY = 0.2  # seconds; each side is looked at as often, and asking costs the hub something too
_MARK = re.compile(r"\[mark ([sd]\d+)\]")


class Marks:
    """Who wrote which mark, on which record, and when. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._sent: dict[str, float] = {}
        self._records: dict[str, str] = {}
        self._arrived: dict[str, float] = {}

    def write(self, side: Side, text: str) -> tuple[str, str]:
        """A new mark and the text that carries it; its clock starts now."""
        with self._lock:
            self._count += 1
            mark = f"{side}{self._count}"
            self._sent[mark] = time.monotonic()
        return mark, f"{text} [mark {mark}]"

    def landed(self, mark: str, record: str) -> None:
        """The note was accepted on its own side, on this record."""
        with self._lock:
            self._records[mark] = record

    def drop(self, mark: str) -> None:
        """The note was refused: nobody waits for it."""
        with self._lock:
            self._sent.pop(mark)

    def saw(self, mark: str, at: float) -> None:
        """The mark is visible on the other side; the first sight counts."""
        with self._lock:
            if mark in self._sent:
                self._arrived.setdefault(mark, at)

    def waiting(self, side: Side) -> bool:
        """Whether a mark written on this side has not been seen on the other."""
        with self._lock:
            return any(mark[0] == side and mark not in self._arrived for mark in self._sent)

    @property
    def lags(self) -> list[float]:
        """Seconds from just before the note was sent until it was seen on the other side, ascending."""
        with self._lock:
            return sorted(at - self._sent[mark] for mark, at in self._arrived.items() if mark in self._sent)

    @property
    def records(self) -> Mapping[str, str]:
        """The record each accepted mark was written on: a sys_id or the id of a desk incident."""
        with self._lock:
            return dict(self._records)


def marks_in(text: str) -> list[str]:
    """Every mark of a text, in order."""
    return _MARK.findall(text)


def percentile(ascending: list[float], share: float) -> float | None:
    """The value below which ``share`` of the values lie (nearest rank); None without values."""
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))] if ascending else None


class Observer:
    """Looks at both sides until told to stop. A hub that is away is simply asked again."""

    def __init__(self, marks: Marks, *, instance: Line, hub: Line) -> None:
        self._marks, self._instance, self._hub = marks, instance, hub
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._since, self._after = "", 0

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look a last time and end."""
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            last = self._done.is_set()
            began = time.monotonic()
            if self._marks.waiting("d"):
                self._look_at_instance()
            if self._marks.waiting("s"):
                self._look_at_desk()
            self._done.wait(max(0.0, LOOK_EVERY - (time.monotonic() - began)))

    def _look_at_instance(self) -> None:
        """New journal rows of the instance, past its access rules: the observer is nobody's account."""
        since = f"sys_created_on>={self._since}^" if self._since else ""
        query = f"{since}element=work_notes^valueLIKE[mark d^ORDERBYsys_created_on"
        try:
            rows = self._instance.get("/-/records/sys_journal_field", sysparm_query=query)["result"]
        except LinkspanError:
            return
        self._saw(row["value"] for row in rows)
        if rows:
            self._since = rows[-1]["sys_created_on"]

    def _look_at_desk(self) -> None:
        try:
            updates = self._hub.get("/api/desk/updates", after=self._after)["updates"]
        except LinkspanError:
            return
        self._saw(update["text"] for update in updates)
        if updates:
            self._after = updates[-1]["seq"]

    def _saw(self, texts: Iterable[str]) -> None:
        now = time.monotonic()
        for text in texts:
            for mark in marks_in(text):
                self._marks.saw(mark, now)
