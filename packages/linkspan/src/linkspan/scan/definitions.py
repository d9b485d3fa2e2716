"""Definitions: what a scan looks for, as data in ``definitions/SUITE.yaml``.

An entry names its ``kind`` and what that kind needs:

- ``records``: every row of ``table`` that matches ``query`` is a scan finding.
- ``roles``: who holds one of ``roles``, or any (``query`` narrows the grants). With ``most``, only roles with
  more holders than that are found.
- ``property``: the system property ``name`` must be ``expect`` (or must not be ``refuse``);
  ``absent`` says what a missing property means.
- ``script``: a line of ``field`` in ``table`` that matches ``pattern``, comments aside.

``mirrors`` is the number of the Scan Engine definition that looks at the same thing, if there is one
(ServiceNow docs: Scan Engine definitions); the sentences are our own. ``{days_ago:N}`` in a query
becomes that moment in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

from linkspan.core.errors import ConfigError

Level = Literal["act", "recommend", "suggest", "review"]
Category = Literal["security", "manageability", "performance", "upgradeability", "user experience"]
Kind = Literal["records", "roles", "property", "script"]
Verdict = Literal["clean", "found", "unknown"]

LEVELS: tuple[Level, ...] = get_args(Level)
_KEYS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    # kind: what it needs, what it may have
    "records": (frozenset({"table", "query", "display"}), frozenset({"show"})),
    "roles": (frozenset(), frozenset({"roles", "query", "most"})),
    "property": (frozenset({"name", "absent"}), frozenset({"expect", "refuse", "private"})),
    "script": (frozenset({"table", "field", "display", "pattern"}), frozenset({"query"})),
}
_ALWAYS = frozenset({"id", "level", "category", "says", "fix", "kind"})
_NUMBER = re.compile(r"sn_SE\d{5}\Z")


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One thing a scan looks for. What its kind does not use is empty."""

    id: str
    suite: str
    level: Level
    category: Category
    says: str
    fix: str
    kind: Kind
    mirrors: str = ""
    table: str = ""
    query: str = ""
    display: str = ""
    show: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    most: int | None = None
    name: str = ""
    expect: str | None = None
    refuse: str | None = None
    absent: Verdict = "unknown"
    private: bool = False
    field: str = ""
    pattern: str = ""


def suites() -> tuple[str, ...]:
    """Names of the suites that come with linkspan."""
    return tuple(sorted(item.name.removesuffix(".yaml") for item in _folder().iterdir() if _is_suite(item)))


def load(names: Collection[str] = (), *, where: str = "") -> tuple[Definition, ...]:
    """The definitions of these suites (all when empty), gravest level first.

    Raises ConfigError for a suite that does not exist.
    """
    for name in names:
        if name not in suites():
            raise ConfigError(
                f"there is no scan suite {name}", fix=f"use one of: {', '.join(suites())}", where=where
            )
    chosen = [one for suite in suites() if not names or suite in names for one in _suite(suite)]
    return tuple(sorted(chosen, key=lambda one: LEVELS.index(one.level)))


def parse(suite: str, text: str) -> tuple[Definition, ...]:
    """The definitions of one YAML document. Raises ConfigError naming the entry that is wrong."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        entries = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ConfigError("the suite is not YAML", fix=str(error), where=suite) from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError("a suite is a list of definitions", where=suite)
    found = tuple(_definition(suite, entry) for entry in entries)
    if len({one.id for one in found}) < len(found):
        raise ConfigError("two definitions have the same id", where=suite)
    return found


def _definition(suite: str, entry: dict[str, Any]) -> Definition:
    where = f"{suite}: {entry.get('id', '(no id)')}"
    needed, optional = _KEYS.get(str(entry.get("kind")), (frozenset(), frozenset()))
    missing = (_ALWAYS | needed) - entry.keys()
    unknown = entry.keys() - _ALWAYS - needed - optional - {"mirrors"}
    if missing:
        raise ConfigError(f"{', '.join(sorted(missing))} is missing", fix="write it", where=where)
    if unknown:
        raise ConfigError(f"{', '.join(sorted(unknown))} is not known here", fix="leave it out", where=where)
    for key, choices in (("level", LEVELS), ("category", get_args(Category)), ("kind", get_args(Kind))):
        if entry[key] not in choices:
            raise ConfigError(f"{key} is {entry[key]}", fix=f"use one of: {', '.join(choices)}", where=where)
    if not _NUMBER.match(entry.get("mirrors", "sn_SE00000")):
        raise ConfigError("mirrors is not a Scan Engine number", fix="write sn_SE and 5 digits", where=where)
    if entry["kind"] == "property":
        _check_property(entry, where)
    if "pattern" in entry:
        _check_pattern(entry["pattern"], where)
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    return Definition(suite=suite, **values)


def _check_property(entry: Mapping[str, Any], where: str) -> None:
    if ("expect" in entry) == ("refuse" in entry):
        raise ConfigError("a property is expected or refused", fix="write expect or refuse", where=where)
    if not isinstance(entry.get("expect", entry.get("refuse")), str):
        raise ConfigError("a property's value is text", fix="put it in quotes", where=where)
    if entry["absent"] not in get_args(Verdict):
        raise ConfigError("absent is not a verdict", fix=f"use {', '.join(get_args(Verdict))}", where=where)


def _check_pattern(pattern: str, where: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"the pattern is no regular expression: {error}", where=where) from error


@lru_cache(maxsize=16)
def _suite(name: str) -> tuple[Definition, ...]:
    return parse(name, (_folder() / f"{name}.yaml").read_text(encoding="utf-8"))


def _folder() -> Traversable:
    return resources.files("linkspan.scan") / "definitions"


def _is_suite(item: Traversable) -> bool:
    return item.name.endswith(".yaml")
