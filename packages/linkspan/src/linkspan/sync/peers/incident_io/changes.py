"""What changed on the far side since a cursor, told once.

A version is the moment of the last change in microseconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace

import structlog

from linkspan.core.errors import NotAuthorized, Rejected
from linkspan.core.peer import PeerEvent, Pulled
from linkspan.store import Database, hooks, links
from linkspan.store.hooks import Kind
from linkspan.sync.peers.incident_io.line import Line
from linkspan.sync.peers.incident_io.words import MICROSECONDS

# Stamps are set before a change is committed: it may show up later than one with a newer stamp.
OVERLAP_SECONDS = 300.0
DEEP_EVERY_SECONDS = 300.0
REMEMBERED = 20_000  # more than are ever in one list; what is forgotten is told again, and known by its id

log = structlog.get_logger("linkspan.sync")


@dataclass(frozen=True, kw_only=True)
class Place:
    """How far was read. ``floor`` and ``newest`` are versions: what was there before we began is history.

    ``offers`` counts the offers of events, so that a kept cursor tells that its events were kept too.
    """

    floor: int
    newest: int
    hook: int = 0
    offers: int = 0

    @classmethod
    def of(cls, cursor: str) -> Place:
        """The place a cursor says. Raises Rejected when it is not one of ours."""
        try:
            return cls(**json.loads(cursor))
        except (TypeError, ValueError) as error:
            raise Rejected(f"{cursor[:40]!r} is not a cursor of incident.io") from error

    def __str__(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One thing in a list: enough to make an event of it."""

    id: str
    version: int
    key: str
    ours: bool


class Changes:
    """What changed on the far side since a cursor, told once. For one kind of thing."""

    def __init__(self, line: Line, database: Database, *, sync: str, kind: Kind, name: str) -> None:
        self._line = line
        self._database = database
        self._sync = sync
        self._kind: Kind = kind
        self._name = name
        self._told: dict[str, int] = {}
        self._offered: tuple[str, dict[str, int]] = ("", {})
        self._deep_at = 0.0

    def pull(
        self,
        cursor: str,
        limit: int,
        *,
        lately: Callable[[float], Iterable[Seen]],
        everything: Callable[[], Iterable[Seen]],
        one: Callable[[str], Seen | None],
    ) -> Pulled:
        """Events after ``cursor``. The three readers list what changed since, list all that may still
        change, and read one thing; each gives ``Seen``."""
        if not cursor:
            self._line.identity()  # any answer tells the far side's time
        now = int(self._line.now() * MICROSECONDS)
        place = Place.of(cursor) if cursor else self._begin(lately(now / MICROSECONDS), now)
        if cursor and self._offered[0] == cursor:
            self._told |= self._offered[1]  # that offer is in the store by now
        with self._database.read() as connection:
            hints = hooks.after(connection, sync=self._sync, kind=self._kind, seq=place.hook, limit=limit)
        deep = time.monotonic() - self._deep_at >= DEEP_EVERY_SECONDS
        since = place.newest / MICROSECONDS - OVERLAP_SECONDS
        found: dict[str, Seen] = {}
        for seen in everything() if deep else ():
            found[seen.id] = seen
        for seen in lately(since):
            found[seen.id] = seen
        found = {id: seen for id, seen in found.items() if seen.version > place.floor}
        for subject in dict.fromkeys(hint.subject for hint in hints if hint.subject not in found):
            hinted = self._hinted(subject, one, now)
            if hinted is not None:
                found[subject] = hinted
        if deep:
            self._deep_at = time.monotonic()
        newest = max((seen.version for seen in found.values()), default=place.newest)
        fresh = [seen for seen in self._known(found.values()) if self._told.get(seen.id, 0) < seen.version]
        fresh.sort(key=lambda seen: (seen.version, seen.id))
        after = replace(
            place,
            newest=max(place.newest, min(newest, now)),
            hook=hints[-1].seq if hints else place.hook,
            offers=place.offers + (1 if fresh else 0),
        )
        self._offered = str(after), {seen.id: seen.version for seen in fresh}
        if len(self._told) > REMEMBERED:
            self._told = {id: told for id, told in self._told.items() if id in found}
        return Pulled(
            events=tuple(
                PeerEvent(
                    id=f"{seen.id}:{seen.version}",
                    incident=seen.id,
                    version=seen.version,
                    key=seen.key,
                    at=seen.version / MICROSECONDS,
                )
                for seen in fresh
            ),
            cursor=str(after),
            more=len(hints) == limit,
        )

    def _hinted(self, subject: str, one: Callable[[str], Seen | None], now: int) -> Seen | None:
        """What a hint leads to. One that cannot be followed must not hold up what comes after it."""
        try:
            found = one(subject)
        except (NotAuthorized, Rejected) as error:
            log.warning("hint", sync=self._name, subject=subject, cause=error.cause)
            return None
        if found is not None or self._kind != "follow_up":
            return found
        with self._database.read() as connection:
            link = links.by_peer(connection, self._name, subject)
        if link is None or (link.base or {}).get("parted"):
            return None
        # Gone, and no list will say so: that it is missing is the news.
        return Seen(id=subject, version=max(now, link.peer_version + 1), key="", ours=False)

    @staticmethod
    def _begin(lately: Iterable[Seen], now: int) -> Place:
        """What is there now is not news. A clock that tells whole seconds would not say so exactly."""
        newest = max((seen.version for seen in lately), default=now)
        return Place(floor=newest, newest=newest)

    def _known(self, found: Iterable[Seen]) -> list[Seen]:
        """Without what we made and have not linked yet: it is being linked, and is no news."""
        with self._database.read() as connection:
            return [
                seen
                for seen in found
                if not seen.ours or seen.key or links.by_peer(connection, self._name, seen.id) is not None
            ]
