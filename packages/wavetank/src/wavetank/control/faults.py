"""Injected failures: what an instance, a gateway or a network does on a bad day."""

import fnmatch
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Kind = Literal[
    "status",
    "delay",
    "drop_before",
    "drop_after_commit",
    "html_200",
    "truncate",
    "quota_200",
    "rate_limit",
    "reset",
]
KINDS: tuple[str, ...] = get_args(Kind)
MATCH = ("method", "path", "table", "user")
KEYS = frozenset({"match", "do", "status", "body", "headers", "seconds", "bytes", "after", "times"})


@dataclass
class Fault:
    """One fault and how often it has struck.

    `after` matching requests pass first; `times` None means it strikes for ever.
    """

    id: int
    do: Kind
    match: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    bytes: int | None = None
    after: int = 0
    times: int | None = None
    hits: int = 0
    seen: int = 0

    @property
    def remaining(self) -> int | None:
        return None if self.times is None else max(0, self.times - self.hits)

    def matches(self, method: str, path: str, table: str, user: str) -> bool:
        facts = {"method": method, "path": path, "table": table, "user": user}
        return all(
            fnmatch.fnmatchcase(facts[name], wanted)
            if name == "path"
            else facts[name].lower() == wanted.lower()
            for name, wanted in self.match.items()
        )

    def strikes(self) -> bool:
        """Counts one matching request and says whether the fault hits it."""
        if self.remaining == 0:
            return False
        self.seen += 1
        if self.seen <= self.after:
            return False
        self.hits += 1
        return True

    def show(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "do": self.do,
            "match": dict(self.match),
            "hits": self.hits,
            "remaining": self.remaining,
        }


class Faults:
    """The faults in force, tried in the order they were posted."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)

    def add(self, wanted: Mapping[str, Any]) -> Fault:
        """Puts one more in force. Raises ValueError saying what is wrong with it."""
        return self.add_all([wanted])[0]

    def add_all(self, wanted: Sequence[Mapping[str, Any]]) -> list[Fault]:
        """Puts more in force, or none of them. Raises ValueError saying what is wrong with the first."""
        added = [_read(next(self._ids), each) for each in wanted]
        self._faults.extend(added)
        return added

    def clear(self) -> None:
        self._faults.clear()

    def show(self) -> list[dict[str, Any]]:
        return [fault.show() for fault in self._faults]

    def take(self, method: str, path: str, table: str, user: str) -> Fault | None:
        """The first fault that strikes this request, counted; None when it passes unharmed."""
        for fault in self._faults:
            if fault.matches(method, path, table, user) and fault.strikes():
                return fault
        return None


def _read(number: int, wanted: Mapping[str, Any]) -> Fault:
    if not isinstance(wanted, Mapping):
        raise ValueError("a fault is an object {match, do, …}")
    unknown = set(wanted) - KEYS
    if unknown:
        raise ValueError(f"unknown key {sorted(unknown)[0]!r}; known: {', '.join(sorted(KEYS))}")
    do = wanted.get("do")
    if do not in KINDS:
        raise ValueError(f"do is one of {', '.join(KINDS)}, not {do!r}")
    match = wanted.get("match") or {}
    if not isinstance(match, Mapping) or set(match) - set(MATCH):
        raise ValueError(f"match is an object of {', '.join(MATCH)}")
    status = _number(wanted, "status")
    if do == "status" and status is None:
        raise ValueError("a status fault names its status")
    if status is not None and not 200 <= status <= 599:
        raise ValueError(f"status is 200 to 599, not {status}")
    headers = wanted.get("headers") or {}
    if not isinstance(headers, Mapping) or not all(_sendable(f"{k}{v}") for k, v in headers.items()):
        raise ValueError("headers is an object of plain texts")
    seconds = wanted.get("seconds") or 0.0
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise ValueError("seconds is a number that is not negative")
    return Fault(
        id=number,
        do=do,
        match={name: str(value) for name, value in match.items() if value is not None},
        status=status,
        body=wanted.get("body"),
        headers={str(k): str(v) for k, v in headers.items()},
        seconds=float(seconds),
        bytes=_number(wanted, "bytes"),
        after=_number(wanted, "after") or 0,
        times=_number(wanted, "times"),
    )


def _number(wanted: Mapping[str, Any], name: str) -> int | None:
    """A count that is not negative, or None when it is not given."""
    value = wanted.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is a whole number that is not negative, not {value!r}")
    return value


def _sendable(text: str) -> bool:
    """Whether a text can stand in a header line."""
    return text.isascii() and text.isprintable()
