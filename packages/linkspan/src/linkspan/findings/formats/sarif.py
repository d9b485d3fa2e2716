"""SARIF 2.1.0, as static analysers write it (OASIS: Static Analysis Results Interchange Format)."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

from linkspan.findings.finding import (
    Entry,
    Finding,
    Malformed,
    Severity,
    State,
    Unreadable,
    clean,
    cvss_severity,
    lines,
    web_links,
)

NAME = "sarif"
VERSION = "2.1.0"
_LEVELS: Mapping[str, Severity] = {"error": "high", "warning": "medium", "note": "low", "none": "info"}
FINGERPRINTS_KEPT = 20
_HOLE = re.compile(r"\{(\d{1,2})\}")
_WEAKNESS = re.compile(r"(?:cwe|cve)-[\d-]+\Z", re.IGNORECASE)

Object = dict[str, Any]
Quarantine = Callable[[str, Any, bytes], Entry]


class _Run(msgspec.Struct, dict=True):
    """A run whose results stay bytes until each is looked at."""

    tool: Object = {}
    artifacts: list[Any] = []
    results: list[msgspec.Raw] | None = None

    @cached_property
    def driver(self) -> _Rules:
        return _Rules(_object(self.tool, "driver"))

    @cached_property
    def extensions(self) -> list[_Rules]:
        given = self.tool.get("extensions")
        return [_Rules(_object(one)) for one in given] if isinstance(given, list) else []


class _Rules:
    """What one component of a tool says about its rules. A log may have very many: each is read once."""

    def __init__(self, component: Object) -> None:
        given = component.get("rules")
        self.by_index = [_object(one) for one in given] if isinstance(given, list) else []
        self.by_id: dict[str, Object] = {}
        for one in self.by_index:
            name = one.get("id")
            if isinstance(name, str) and name:
                self.by_id.setdefault(name, one)


def read(top: Mapping[str, msgspec.Raw], quarantine: Quarantine) -> Iterator[Entry]:
    """Entries of a log, given its top-level values. Raises Unreadable for another version or shape."""
    try:
        version = msgspec.json.decode(top.get("version", msgspec.Raw(b'""')))
        runs = msgspec.json.decode(top["runs"], type=list[_Run])
    except (KeyError, msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(
            f"the runs of this SARIF log cannot be read: {error}",
            code="wrong_type",
            fix="have the tool write SARIF 2.1.0",
            where="runs",
        ) from error
    if version != VERSION:
        raise Unreadable(
            f"this is SARIF {clean(version, 20) or 'without a version'}",
            code="sarif_version",
            fix=f"have the tool write SARIF {VERSION}",
            where="version",
        )
    return (entry for place, run in enumerate(runs) for entry in _results(f"runs[{place}]", run, quarantine))


def _results(place: str, run: _Run, quarantine: Quarantine) -> Iterator[Entry]:
    seen: Counter[tuple[str, ...]] = Counter()
    for number, raw in enumerate(run.results or ()):
        where = f"{place}.results[{number}]"
        try:
            result = msgspec.json.decode(raw)
            if not isinstance(result, dict):
                raise Malformed("wrong_type", "a result is not an object", "have the tool write it anew")
            yield Entry(place=where, finding=_finding(run, result, seen))
        except Malformed as error:
            yield quarantine(where, error.problem, bytes(raw))
        except (msgspec.DecodeError, RecursionError) as error:
            problem = {"code": "not_json", "cause": str(error), "fix": "have the tool write it anew"}
            yield quarantine(where, problem, bytes(raw))


def _finding(run: _Run, result: Object, seen: Counter[tuple[str, ...]]) -> Finding:
    driver = _object(run.tool, "driver")
    rule = _rule(run, result)
    rule_id = clean(result.get("ruleId") or _object(result, "rule").get("id") or rule.get("id"), 200)
    message = _message(result, rule)
    if not rule_id and not message:
        raise Malformed("no_rule", "neither ruleId nor message", "have the tool name the rule of each result")
    place = _first(result.get("locations"))
    physical = _object(place, "physicalLocation")
    region = _object(physical, "region")
    uri = _uri(run, physical) or clean(
        _object(_first(place.get("logicalLocations"))).get("fullyQualifiedName"), 1000
    )
    line = region.get("startLine")
    snippet = clean(_object(region, "snippet").get("text"))
    severity, raw = _severity(result, rule)
    title = clean(_object(rule, "shortDescription").get("text"), 300) or message or rule_id
    return Finding(
        product=clean(driver.get("name"), 100) or "unknown",
        rule=rule_id or title,
        title=title.splitlines()[0],
        severity=severity,
        raw_severity=raw,
        identity=_identity(result, rule_id or title, uri, snippet or str(line or ""), seen),
        resource=uri,
        where=f"{uri}:{line}" if isinstance(line, int) and uri else uri,
        message=lines(message, clean(_object(rule, "fullDescription").get("text"))),
        evidence=snippet,
        threat=_threat(rule, result),
        remediation=lines(_fixes(result), clean(_object(rule, "help").get("text"))),
        links=web_links((rule.get("helpUri"), result.get("hostedViewerUri"))),
        state=_state(result),
        uid=clean(result.get("guid"), 200),
    )


def _rule(run: _Run, result: Object) -> Object:
    """What the tool says about the rule of this result, wherever the log keeps it."""
    reference = _object(result, "rule")
    rules = run.driver
    extension = _object(reference, "toolComponent").get("index")
    if isinstance(extension, int) and 0 <= extension < len(run.extensions):
        rules = run.extensions[extension]
    index = result.get("ruleIndex", reference.get("index"))
    if isinstance(index, int) and 0 <= index < len(rules.by_index):
        return rules.by_index[index]
    wanted = clean(result.get("ruleId") or reference.get("id"), 200)
    # A result may name a sub-rule: CA1000/1 is described by CA1000.
    ids = (wanted, wanted.rpartition("/")[0])
    return next((rules.by_id[name] for name in ids if name in rules.by_id), {})


def _message(result: Object, rule: Object) -> str:
    message = _object(result, "message")
    text = clean(message.get("text"))
    if not text and message.get("id"):
        text = clean(_object(_object(rule, "messageStrings"), clean(message["id"])).get("text"))
    arguments = message.get("arguments")
    if not isinstance(arguments, list):
        return text

    def argument(hole: re.Match[str]) -> str:
        number = int(hole[1])
        return clean(arguments[number], 500) if number < len(arguments) else hole[0]

    # In one pass: what an argument says is not filled in again.
    return clean(_HOLE.sub(argument, text))


def _severity(result: Object, rule: Object) -> tuple[Severity, str]:
    for holder in (result, rule):
        score = _object(holder, "properties").get("security-severity")
        if isinstance(score, (str, int, float)) and not isinstance(score, bool):
            try:
                number = float(score)
            except (ValueError, OverflowError):
                continue
            if 0 <= number <= 10:
                return cvss_severity(number), f"security-severity {number:g}"
    if result.get("kind", "fail") != "fail":
        level = "none"
    else:
        default = _object(rule, "defaultConfiguration").get("level", "warning")
        level = clean(result.get("level", default), 40)
    return _LEVELS.get(level, "unknown"), f"level {level}"


def _state(result: Object) -> State:
    if result.get("baselineState") == "absent" or result.get("kind") in ("pass", "notApplicable"):
        return "resolved"
    suppressions = result.get("suppressions")
    accepted = (
        one.get("status", "accepted") == "accepted"
        for one in (suppressions if isinstance(suppressions, list) else ())
        if isinstance(one, dict)
    )
    return "suppressed" if any(accepted) else "open"


def _identity(
    result: Object, rule: str, uri: str, content: str, seen: Counter[tuple[str, ...]]
) -> tuple[str, ...]:
    """The tool's own fingerprints where it gives any; else the rule, the file and the code itself, which
    stays the same when lines move. The n-th such place of one file stays the n-th."""
    for name, place in (("fingerprints", ()), ("partialFingerprints", (rule, uri))):
        given = _object(result, name)
        if given:
            told = [f"{clean(key, 500)}={clean(given[key], 500)}" for key in sorted(given)]
            if len(told) > FINGERPRINTS_KEPT:
                told = [hashlib.sha256("\x1f".join(told).encode()).hexdigest()]
            return (name, *place, *told)
    guid = clean(result.get("correlationGuid"), 100)
    if guid:
        return ("correlationGuid", guid)
    key = (rule, uri, " ".join(content.split()))
    seen[key] += 1
    return ("place", *key, str(seen[key]))


def _threat(rule: Object, result: Object) -> str:
    tags = [
        *_list(_object(rule, "properties").get("tags")),
        *_list(_object(result, "properties").get("tags")),
    ]
    found = (clean(tag, 100).rpartition("/")[2] for tag in tags)
    return ", ".join(dict.fromkeys(tag.upper() for tag in found if _WEAKNESS.match(tag)))


def _fixes(result: Object) -> str:
    fixes = (_object(_object(one), "description").get("text") for one in _list(result.get("fixes")))
    return lines(*(clean(text) for text in fixes))


def _uri(run: _Run, physical: Object) -> str:
    artifact = _object(physical, "artifactLocation")
    uri, index = artifact.get("uri"), artifact.get("index")
    if not uri and isinstance(index, int) and 0 <= index < len(run.artifacts):
        uri = _object(_object(run.artifacts[index]), "location").get("uri")
    return clean(uri, 1000)


def _object(holder: Any, name: str | None = None) -> Object:
    """An object, or the one under ``name`` of an object; empty when there is none."""
    found = holder if name is None else holder.get(name) if isinstance(holder, dict) else None
    return found if isinstance(found, dict) else {}


def _list(value: Any) -> list[Any]:
    return value[:100] if isinstance(value, list) else []


def _first(value: Any) -> Object:
    return _object(value[0]) if isinstance(value, list) and value else {}
