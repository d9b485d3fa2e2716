"""What is left of a decision once the caller is known: a formula over tests that need a row.

`True` and `False` are decisions that need no row. Everything else is built by `all_of`, `any_of` and
`negation`, which leave out what is already decided: a formula that is no bool can come out either way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Test:
    """One question about a row: an encoded query (`applies` minds capitals), or a script."""

    kind: Literal["condition", "applies", "script"]
    text: str


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Formula


Formula = bool | Test | All | Either | Not


def all_of(parts: Iterable[Formula]) -> Formula:
    """Every part."""
    return _joined(All, parts, neutral=True)


def any_of(parts: Iterable[Formula]) -> Formula:
    """At least one part."""
    return _joined(Either, parts, neutral=False)


def negation(part: Formula) -> Formula:
    """The opposite."""
    if isinstance(part, bool):
        return not part
    return part.part if isinstance(part, Not) else Not(part)


def meeting(formula: Formula, keys: set[str], test: Callable[[Test, set[str]], set[str]]) -> set[str]:
    """Those of the keys that the formula holds for; `test` answers one test for some of them."""
    if isinstance(formula, bool):
        return set(keys) if formula else set()
    if isinstance(formula, Test):
        return test(formula, keys) if keys else set()
    if isinstance(formula, Not):
        return keys - meeting(formula.part, keys, test)
    if isinstance(formula, All):
        left = set(keys)
        for part in formula.parts:
            left = meeting(part, left, test)
        return left
    found: set[str] = set()
    for part in formula.parts:
        found |= meeting(part, keys - found, test)
    return found


def _joined(kind: type[All | Either], parts: Iterable[Formula], *, neutral: bool) -> Formula:
    """The parts without those that change nothing (`neutral`); the opposite of these decides alone."""
    left: dict[Formula, None] = {}
    for part in parts:
        if not isinstance(part, bool):
            left[part] = None
        elif part is not neutral:
            return part
    if len(left) == 1:
        return next(iter(left))
    return kind(tuple(left)) if left else neutral
