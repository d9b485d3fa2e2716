"""An event log of the same shape as the real one, made from figures and a seed, never from rows.

The figures below are aggregates of the data set named in ``log``: shares of states, of steps from
state to state, of changes per step, of words per column, and minutes between events. A made log holds
whole lives of incidents, so a short one also resolves, closes, reopens and trips over an odd state.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from linkspan.demo.log import COLUMNS, LogEvent, Moment, in_order

Shares = Mapping[str, float]

FIRST_STATE: Shares = {
    "New": 0.658,
    "Active": 0.261,
    "Resolved": 0.073,
    "Awaiting User Info": 0.0077,
    "Awaiting Problem": 0.0003,
}
NEXT_STATE: Mapping[str, Shares] = {
    "New": {
        "New": 0.5496, "Active": 0.218, "Resolved": 0.1743, "Awaiting User Info": 0.0534,
        "Awaiting Vendor": 0.0022, "Awaiting Problem": 0.0021, "Closed": 0.0003, "-100": 0.0001,
    },
    "Active": {
        "Active": 0.587, "Resolved": 0.3112, "Awaiting User Info": 0.0937, "Awaiting Vendor": 0.0041,
        "Awaiting Problem": 0.0038, "Awaiting Evidence": 0.0001, "-100": 0.0001,
    },
    "Awaiting User Info": {
        "Awaiting User Info": 0.6003, "Resolved": 0.3181, "Active": 0.0779, "Awaiting Problem": 0.0017,
        "Awaiting Vendor": 0.0014, "Awaiting Evidence": 0.0005, "Closed": 0.0001,
    },
    "Awaiting Problem": {
        "Awaiting Problem": 0.4512, "Resolved": 0.3362, "Awaiting User Info": 0.1236, "Active": 0.0781,
        "Awaiting Vendor": 0.0065, "Awaiting Evidence": 0.0043,
    },
    "Awaiting Vendor": {
        "Awaiting Vendor": 0.6195, "Resolved": 0.2702, "Active": 0.0594, "Awaiting User Info": 0.0368,
        "Awaiting Evidence": 0.0127, "Awaiting Problem": 0.0014,
    },
    "Awaiting Evidence": {
        "Resolved": 0.4474, "Awaiting Evidence": 0.3684, "Awaiting Vendor": 0.1053, "Active": 0.0526,
        "Awaiting User Info": 0.0263,
    },
    "Resolved": {"Closed": 0.9676, "Resolved": 0.02, "Active": 0.0123, "Awaiting User Info": 0.0001},
    "-100": {"-100": 0.6, "Resolved": 0.4},
}  # fmt: skip
GOES_ON_AFTER_CLOSED = 0.0027
LEAVES_CLOSED = 0.18

# What else changes in a step: with a change of state, and without one (half of those change nothing).
CHANGES_WITH_STATE: Shares = {
    "assigned_to": 0.139, "assignment_group": 0.043, "u_priority_confirmation": 0.296, "u_symptom": 0.0072,
    "subcategory": 0.0064, "category": 0.0042, "knowledge": 0.0032, "vendor": 0.0015, "location": 0.0009,
    "impact": 0.0003, "urgency": 0.0003, "problem_id": 0.0003, "rfc": 0.0001,
}  # fmt: skip
CHANGES_ALONE: Shares = {
    "assignment_group": 0.3898, "assigned_to": 0.0968, "subcategory": 0.0319, "u_symptom": 0.0316,
    "category": 0.0198, "impact": 0.0063, "urgency": 0.0058, "u_priority_confirmation": 0.0034,
    "problem_id": 0.0027, "rfc": 0.0015, "location": 0.001, "cmdb_ci": 0.0002, "caller_id": 0.0001,
    "contact_type": 0.0001, "vendor": 0.0001,
}  # fmt: skip

# Share of nulls, then the running share of the commonest 1, 2, 5, 10, 20, 50, 100, 200, 500 words.
RANKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
WORDS: Mapping[str, tuple[str, float, Sequence[float]]] = {
    "caller_id": ("Caller", 0.0, (0.018, 0.028, 0.038, 0.047, 0.061, 0.096, 0.142, 0.214, 0.369)),
    "location": ("Location", 0.002, (0.223, 0.384, 0.679, 0.802, 0.87, 0.952, 0.988, 0.999, 1.0)),
    "category": ("Category", 0.002, (0.146, 0.277, 0.533, 0.747, 0.963, 1.0)),
    "subcategory": ("Subcategory", 0.003, (0.267, 0.417, 0.576, 0.676, 0.785, 0.903, 0.973, 0.998, 1.0)),
    "u_symptom": ("Symptom", 0.23, (0.483, 0.57, 0.68, 0.74, 0.80, 0.89, 0.94, 0.977, 1.0)),
    "cmdb_ci": ("cmdb_ci", 0.997, (0.2, 0.3, 0.5, 0.75, 0.9, 1.0)),
    "assignment_group": ("Group", 0.036, (0.53, 0.59, 0.69, 0.78, 0.9, 0.995, 1.0)),
    "assigned_to": ("Resolver", 0.287, (0.09, 0.17, 0.27, 0.38, 0.53, 0.8, 0.96, 1.0)),
    "problem_id": ("Problem ID", 0.985, (0.06, 0.12, 0.24, 0.34, 0.45, 0.65, 0.85, 1.0)),
    "rfc": ("Change", 0.995, (0.05, 0.09, 0.2, 0.32, 0.5, 0.75, 0.95, 1.0)),
    "caused_by": ("Change", 0.9998, (0.5, 0.8, 1.0)),
    "vendor": ("Vendor", 0.998, (0.7, 0.97, 1.0)),
    "closed_code": ("code", 0.004, (0.6, 0.777, 0.935, 0.986, 1.0)),
}
EDITORS: tuple[str, float, Sequence[float]] = (
    "Updated by", 0.0, (0.255, 0.344, 0.441, 0.516, 0.627, 0.817, 0.946, 0.989, 1.0)
)  # fmt: skip
CONTACT_TYPES: Shares = {
    "Phone": 0.991,
    "Self service": 0.006,
    "Email": 0.002,
    "IVR": 0.0005,
    "Direct opening": 0.0005,
}
SEVERITIES: Mapping[tuple[str, str], float] = {
    ("2 - Medium", "2 - Medium"): 0.9505,
    ("3 - Low", "3 - Low"): 0.0265,
    ("2 - Medium", "1 - High"): 0.0084,
    ("1 - High", "1 - High"): 0.0074,
    ("1 - High", "2 - Medium"): 0.0041,
    ("3 - Low", "2 - Medium"): 0.0026,
    ("2 - Medium", "3 - Low"): 0.0005,
}
KNOWLEDGE = 0.143
SAME_EDITOR = 0.358

# Arrivals by hour of the day and by day of the week, Monday first.
HOURS = (10, 9, 7, 5, 5, 6, 12, 21, 97, 121, 117, 100, 56, 63, 90, 87, 76, 47, 20, 12, 9, 15, 10, 7)
WEEKDAYS = (5947, 4948, 4887, 4104, 3828, 640, 564)
ARRIVALS_PER_DAY = 310
EVENTS_PER_INCIDENT = 5.69

# Minutes between two events of an incident: quantiles 0, 5, 10, 25, 50, 75, 90, 95 %.
QUANTILES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
GAPS = (0, 0, 0, 2, 54, 1143, 5632, 10422, 20000)
GAPS_TO_CLOSED = (7200, 7202, 7205, 7216, 7233, 7251, 10802, 20135, 21000)

LONGEST_LIFE = 58
START = datetime(2016, 2, 29)  # noqa: DTZ001 - the log's times carry no zone


def invent(count: int, seed: int = 1) -> list[LogEvent]:
    """``count`` events in order of time; the same seed gives the same events."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable story, not a secret
    return in_order(_lives(chance, count), count)


def _lives(chance: random.Random, count: int) -> Iterator[LogEvent]:
    made = 0
    incidents = max(1, round(count / EVENTS_PER_INCIDENT))
    days = max(1, round(incidents / ARRIVALS_PER_DAY))
    number = 0
    while made < count:
        number += 1
        for event in _life(chance, f"INC{number:07d}", _arrival(chance, days)):
            made += 1
            yield event


def _life(chance: random.Random, number: str, born: datetime) -> Iterator[LogEvent]:
    at, state, columns = born, _pick(chance, FIRST_STATE), _first_columns(chance)
    editor = _word(chance, EDITORS)
    for edition in range(LONGEST_LIFE):
        yield LogEvent(
            number=number, at=_moment(at), edition=edition, editor=editor, state=state, columns=columns
        )
        if state == "Closed" and chance.random() >= GOES_ON_AFTER_CLOSED:
            return
        after = _next_state(chance, state)
        columns = _next_columns(chance, columns, CHANGES_ALONE if after == state else CHANGES_WITH_STATE)
        at += timedelta(minutes=_gap(chance, GAPS_TO_CLOSED if after == "Closed" else GAPS))
        if chance.random() >= SAME_EDITOR:
            editor = _word(chance, EDITORS)
        state = after


def _next_state(chance: random.Random, state: str) -> str:
    if state == "Closed":
        return "Active" if chance.random() < LEAVES_CLOSED else "Closed"
    return _pick(chance, NEXT_STATE[state])


def _first_columns(chance: random.Random) -> dict[str, str]:
    impact, urgency = chance.choices(list(SEVERITIES), weights=list(SEVERITIES.values()))[0]
    columns = {name: _nullable(chance, name) for name in WORDS}
    columns |= {
        "contact_type": _pick(chance, CONTACT_TYPES),
        "impact": impact,
        "urgency": urgency,
        "knowledge": _flag(chance.random() < KNOWLEDGE),
        "u_priority_confirmation": "false",
        "notify": "Do Not Notify",
    }
    return {name: columns[name] for name in COLUMNS}


def _next_columns(chance: random.Random, columns: dict[str, str], changes: Shares) -> dict[str, str]:
    changed = [name for name, share in changes.items() if chance.random() < share]
    return {**columns, **{name: _another(chance, name, columns[name]) for name in changed}}


def _another(chance: random.Random, name: str, word: str) -> str:
    """A different word for a column: nobody saves a change that changes nothing."""
    if word in {"true", "false"}:
        return _flag(word == "false")
    for _ in range(20):
        other = _any_word(chance, name)
        if other != word:
            return other
    return word


def _any_word(chance: random.Random, name: str) -> str:
    if name in {"impact", "urgency"}:
        return chance.choice(("1 - High", "2 - Medium", "3 - Low"))
    if name == "contact_type":
        return _pick(chance, CONTACT_TYPES)
    return _word(chance, WORDS[name])


def _nullable(chance: random.Random, name: str) -> str:
    return "" if chance.random() < WORDS[name][1] else _word(chance, WORDS[name])


def _word(chance: random.Random, figures: tuple[str, float, Sequence[float]]) -> str:
    """A word by rank: which band of ranks first, then any rank of that band."""
    stem, _, running = figures
    band = bisect(running, chance.random())
    low = RANKS[band - 1] if band else 0
    high = RANKS[band] if band < len(RANKS) else 10 * RANKS[-1]
    return f"{stem} {chance.randint(low + 1, high)}"


def _pick(chance: random.Random, shares: Shares) -> str:
    return chance.choices(list(shares), weights=list(shares.values()))[0]


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _gap(chance: random.Random, quantiles: Sequence[int]) -> float:
    share = chance.random()
    place = min(bisect(QUANTILES, share), len(QUANTILES) - 1)
    low, high = QUANTILES[place - 1], QUANTILES[place]
    part = (share - low) / (high - low)
    return quantiles[place - 1] + part * (quantiles[place] - quantiles[place - 1])


def _arrival(chance: random.Random, days: int) -> datetime:
    day = chance.choices(range(days), weights=[WEEKDAYS[day % 7] for day in range(days)])[0]
    hour = chance.choices(range(24), weights=HOURS)[0]
    return START + timedelta(days=day, hours=hour, minutes=chance.randrange(60))


def _moment(at: datetime) -> Moment:
    return (at.year, at.month, at.day, at.hour, at.minute)
