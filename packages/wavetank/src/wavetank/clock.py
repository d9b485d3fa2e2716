"""An instance's own time: real, shifted or frozen. Everything that stamps or expires asks it."""

import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

FORMAT = "%Y-%m-%d %H:%M:%S"


# What is computed from now, such as a token's end, must still be a date.
_LAST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


def parse(text: str) -> datetime:
    """Reads `2026-03-01T00:00:00Z` or the platform's `2026-03-01 00:00:00`, both as UTC.

    Raises ValueError when it is neither.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def text_of(second: int) -> str:
    """Seconds since 1970 UTC, as the platform writes them."""
    return datetime.fromtimestamp(second, UTC).strftime(FORMAT)


def _bounded(moment: float) -> float:
    if not 0 <= moment <= _LAST:
        raise ValueError("time is kept between the years 1970 and 9000")
    return moment


class Clock:
    """Time in UTC plus the jobs that fall due in it."""

    def __init__(self) -> None:
        self._shift = 0.0
        self._frozen: float | None = None
        self._jobs: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._recurring: list[tuple[float, Callable[[], None]]] = []
        self._generation = 0
        self._texts: tuple[int, str] = (-1, "")
        self._dates: tuple[int, bytes] = (-1, b"")

    def seconds(self) -> float:
        """Now, in seconds since 1970 UTC."""
        return self._frozen if self._frozen is not None else time.time() + self._shift

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    def text(self) -> str:
        """Now, as the platform writes it: UTC to the second."""
        second = int(self.seconds())
        if self._texts[0] != second:
            self._texts = (second, text_of(second))
        return self._texts[1]

    def http_date(self) -> bytes:
        """Now, as the header Date writes it."""
        second = int(self.seconds())
        if self._dates[0] != second:
            self._dates = (second, formatdate(second, usegmt=True).encode())
        return self._dates[1]

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    def freeze(self, at: datetime | None = None) -> None:
        """Stops the clock, at a moment or where it is. Raises ValueError past the year 9000."""
        before = self.seconds()
        self._frozen = before if at is None else _bounded(at.timestamp())
        if self._frozen < before:
            self._rearm()

    def advance(self, seconds: float) -> None:
        """Moves time forward, stopping at every job on the way so that each sees its own moment.

        Raises ValueError for a step back or past the year 9000, and moves nothing.
        """
        if seconds < 0:
            raise ValueError("time only moves forward; freeze an earlier moment instead")
        target = _bounded(self.seconds() + seconds)
        while self._jobs and self._jobs[0][0] <= target:
            self._move_to(max(self._jobs[0][0], self.seconds()))
            self.run_due()
        self._move_to(target)

    def run(self) -> None:
        """Lets a frozen clock go on from where it stands."""
        if self._frozen is not None:
            self._shift = self._frozen - time.time()
            self._frozen = None

    def reset(self) -> None:
        """Real time again, and nothing due."""
        self._shift = 0.0
        self._frozen = None
        self._jobs.clear()
        self._recurring.clear()

    def at(self, moment: datetime, job: Callable[[], None]) -> None:
        """Has a job run once, when the clock reaches the moment."""
        heapq.heappush(self._jobs, (moment.timestamp(), next(self._order), job))

    def after(self, seconds: float, job: Callable[[], None]) -> None:
        self.at(self.now() + timedelta(seconds=seconds), job)

    def every(self, seconds: float, job: Callable[[], None]) -> None:
        """Has a job run again and again, also after the clock has been set back."""
        self._recurring.append((seconds, job))
        self._again(seconds, job, self._generation)

    def run_due(self) -> int:
        """Runs the jobs whose moment has come; answers how many. Cheap when none is due."""
        ran = 0
        while self._jobs and self._jobs[0][0] <= self.seconds():
            heapq.heappop(self._jobs)[2]()
            ran += 1
        return ran

    def _rearm(self) -> None:
        self._generation += 1
        for seconds, job in self._recurring:
            self._again(seconds, job, self._generation)

    def _again(self, seconds: float, job: Callable[[], None], generation: int) -> None:
        def run() -> None:
            if generation == self._generation:
                job()
                self._again(seconds, job, generation)

        self.after(seconds, run)

    def _move_to(self, moment: float) -> None:
        if self._frozen is not None:
            self._frozen = moment
        else:
            self._shift = moment - time.time()
