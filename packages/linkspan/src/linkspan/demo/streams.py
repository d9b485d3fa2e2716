"""The two streams of edits: people of the log on ServiceNow, and one busy desk."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from linkspan.core.errors import Rejected
from linkspan.demo.cast import Cast
from linkspan.demo.line import Answer, Line
from linkspan.demo.marks import Marks
from linkspan.demo.pace import Pace
from linkspan.demo.translate import Edit, is_title

EDITOR_THREADS = 2
NOTE_SHARE = 0.04
TABLE = "/api/now/table/incident"
SEVERITIES = ("critical", "high", "moderate", "low", "planning")

# Where people at the desk take an incident next. Only their own incidents are ever canceled.
NEXT_STATUS: Mapping[str, Sequence[str]] = {
    "triage": ("live", "live", "paused", "learning"),
    "live": ("paused", "paused", "learning", "closed"),
    "paused": ("live", "live", "learning"),
    "learning": ("live", "closed"),
}
FINAL = frozenset({"closed", "canceled"})


@dataclass
class Tally:
    """What a stream did. Counts are by one thread at a time; ``add`` makes that so."""

    edits: int = 0
    refused: int = 0
    created: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, *, created: str = "", refused: bool = False) -> None:
        """Count one request that was sent."""
        with self._lock:
            self.refused += refused
            self.edits += not refused
            if created:
                self.created.append(created)


class Editors:
    """Replays edits on the instance, each as the person who made it.

    Edits of one incident stay in order: an incident belongs to one of a few threads.
    """

    def __init__(self, instance: Line, cast: Cast, marks: Marks, pace: Pace, *, seed: int) -> None:
        self._instance, self._cast, self._marks, self._pace = instance, cast, marks, pace
        self._seed = seed
        self._sys_ids: dict[str, str] = {}
        self.tally = Tally()

    def threads(self, edits: Iterable[tuple[int, Edit]]) -> list[threading.Thread]:
        """Threads that make ``edits``, each due at its place in the log."""
        shares: list[list[tuple[int, Edit]]] = [[] for _ in range(EDITOR_THREADS)]
        for place, edit in edits:
            shares[crc32(edit.number.encode()) % EDITOR_THREADS].append((place, edit))
        return [_thread(f"editors-{n}", self._pace, self._make, share) for n, share in enumerate(shares)]

    def _make(self, share: Sequence[tuple[int, Edit]]) -> None:
        chance = random.Random(self._seed)  # noqa: S311 - a repeatable story, not a secret
        for place, edit in share:
            if not self._pace.due(place):
                return
            self._send(edit, with_note=chance.random() < NOTE_SHARE)

    def _send(self, edit: Edit, *, with_note: bool) -> None:
        values, mark = self._cast.wire(edit.values), ""
        if with_note:
            mark, values["work_notes"] = self._marks.write("s", f"{edit.editor} looked at {edit.number}.")
        path = TABLE if edit.creates else f"{TABLE}/{self._sys_ids[edit.number]}"
        answer = self._instance.call(
            "POST" if edit.creates else "PATCH",
            path,
            params={"sysparm_fields": "sys_id"},
            body=values,
            headers=self._cast.headers(edit.editor),
        )
        if not answer.ok:
            raise Rejected(
                f"{edit.editor} could not write {values} of {edit.number}: {answer.status} {answer.body}",
                where=self._instance.url,
            )
        sys_id = answer.body["result"]["sys_id"]
        if mark:
            self._marks.landed(mark, sys_id)
        self._sys_ids[edit.number] = sys_id
        self.tally.add(created=sys_id if edit.creates else "")


class DeskPeople:
    """Makes edits at the desk, on incidents of both births, from a seed.

    Each request carries a key and is repeated while the hub is away, so a hub that is killed and
    started again sees it once. A status edit that meets an incident just closed is counted as refused.
    """

    def __init__(self, hub: Line, marks: Marks, pace: Pace, *, seed: int) -> None:
        self._hub, self._marks, self._pace = hub, marks, pace
        self._chance = random.Random(seed)  # noqa: S311 - a repeatable story, not a secret
        self._seed = seed
        self._own: set[str] = set()
        self._known: dict[str, dict[str, Any]] = {}
        self._seq = 0
        self._place = 0
        self.tally = Tally()

    def thread(self, count: int) -> threading.Thread:
        """A thread that makes ``count`` edits."""
        return _thread("desk", self._pace, self._make, count)

    def _make(self, count: int) -> None:
        for place in range(count):
            if not self._pace.due(place):
                return
            if place % 20 == 0:
                self._look()
            self._place = place
            self._edit()

    def _look(self) -> None:
        """Learn what changed on the desk, above all which incidents came from ServiceNow."""
        page = self._hub.get("/api/desk/incidents", limit=200, after_seq=self._seq)
        self._seq = page["seq"]
        for incident in page["incidents"]:
            # What the guides made, or the person who watches, is not theirs to touch.
            if incident["id"] in self._known or is_title(incident["name"]):
                self._known[incident["id"]] = incident

    def _edit(self) -> None:
        incident = self._pick()
        kind = self._chance.choices(
            ("declare", "severity", "status", "name", "summary", "update"), weights=(14, 18, 20, 12, 8, 28)
        )[0]
        if incident is None or kind == "declare":
            self._declare()
        elif kind == "update":
            self._update(incident)
        else:
            self._change(incident, kind)

    def _pick(self) -> dict[str, Any] | None:
        """An open incident: as often one of the instance's as one of the desk's own."""
        births = self._chance.random() < 0.5
        pool = [one for one in self._open() if (one["id"] in self._own) is births] or list(self._open())
        # People work on what is new: the older an incident, the less it is touched.
        return pool[-1 - int(len(pool) * self._chance.random() ** 2)] if pool else None

    def _open(self) -> Iterable[dict[str, Any]]:
        return (one for one in self._known.values() if one["status"] not in FINAL)

    def _declare(self) -> None:
        values = {
            "name": f"{self._chance.choice(_THINGS)} {self._chance.choice(_TROUBLES)}, case {self._place}",
            "summary": self._summary(),
            "severity": self._chance.choice(SEVERITIES),
        }
        answer = self._write("POST", "/api/desk/incidents", values)
        if answer is not None:
            self._own.add(answer["id"])
            self._known[answer["id"]] = answer
            self.tally.add(created=answer["id"])

    def _change(self, incident: dict[str, Any], kind: str) -> None:
        answer = self._write(
            "PATCH", f"/api/desk/incidents/{incident['id']}", {kind: self._next(incident, kind)}
        )
        if answer is not None:
            self._known[answer["id"]] = answer
            self.tally.add()

    def _update(self, incident: dict[str, Any]) -> None:
        mark, text = self._marks.write("d", f"{self._chance.choice(_NEWS)}, step {self._place}.")
        body = {"text": text, "author": self._chance.choice(_AUTHORS)}
        answer = self._write("POST", f"/api/desk/incidents/{incident['id']}/updates", body)
        if answer is None:
            self._marks.drop(mark)
            return
        self._marks.landed(mark, incident["id"])
        self.tally.add()

    def _next(self, incident: dict[str, Any], kind: str) -> str:
        if kind == "severity":
            return self._chance.choice([word for word in SEVERITIES if word != incident["severity"]])
        if kind == "status":
            words = NEXT_STATUS[incident["status"]]
            own = incident["id"] in self._own
            return self._chance.choice((*words, "canceled") if own else words)
        if kind == "name":
            return f"{self._chance.choice(_THINGS)} {self._chance.choice(_TROUBLES)}, again {self._place}"
        return self._summary()

    def _summary(self) -> str:
        lines = [f"{self._chance.choice(_NEWS)} ({self._place})."]
        lines += self._chance.sample(_DETAILS, self._chance.randint(0, 2))
        return "\n".join(lines)

    def _write(self, method: str, path: str, body: Mapping[str, str]) -> dict[str, Any] | None:
        """The answer's body; None when the incident was closed meanwhile."""
        key = f"demo-{self._seed}-{self._place}"
        answer: Answer = self._hub.call(method, path, body=body, headers={"Idempotency-Key": key})
        if answer.status == 409:
            self.tally.add(refused=True)
            return None
        if not answer.ok:
            raise Rejected(f"the desk refused {body}: {answer.status} {answer.body}", where=self._hub.url)
        found: dict[str, Any] = answer.body
        return found


def _thread(name: str, pace: Pace, work: Callable[..., None], *arguments: object) -> threading.Thread:
    """A thread whose failure ends all streams."""

    def run() -> None:
        try:
            work(*arguments)
        except Exception as error:
            pace.fail(error)

    return threading.Thread(target=run, name=name, daemon=True)


_THINGS = (
    "Checkout",
    "Login",
    "Search",
    "Façade proxy",
    "Billing",
    "Mail^relay",
    "Backup job",
    "VPN & Wi-Fi",
)
_TROUBLES = (
    "is slow",
    "answers 502",
    "times out",
    "loses orders",
    "is down",
    "shows “stale” data",
    "is full",
)
_NEWS = (
    "We see errors from one region",
    "Rolled back the last release",
    "Waiting for the provider",
    "Latency is back to normal",
    "Customers confirm <b>it works</b>",
)
_DETAILS = (
    "Error rate = 12% & rising.",
    "See dashboard: p95 > 4 s.",
    "Ursache: Zertifikat läuft ab.",
    "No data lost.",
)
_AUTHORS = ("Ana Lima", "Bo Chen", "Chiara Rossi", "Dev Patel")
