"""Reports made to break their reader: each entry is a finding or a problem, soon and in little memory."""

from __future__ import annotations

import copy
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from linkspan.findings import formats
from linkspan.findings.finding import Entry, Finding, Unreadable

EVENT: dict[str, Any] = {
    "class_uid": 2002,
    "severity_id": 4,
    "status_id": 1,
    "activity_id": 1,
    "time": 1_760_000_000_000,
    "message": "m",
    "risk_details": "r",
    "metadata": {"product": {"name": "Probe"}},
    "cloud": {"account": {"uid": "1"}, "region": "eu"},
    "compliance": {"status_id": 2, "control": "c", "standards": ["s"], "requirements": ["q"]},
    "finding_info": {
        "uid": "f-1",
        "title": "t",
        "types": ["a"],
        "src_url": "https://a.example/",
        "analytic": {"uid": "u", "name": "n"},
        "attacks": [{"technique": {"uid": "T1"}, "tactics": [{"name": "x"}], "tactic": {"uid": "TA1"}}],
        "first_seen_time": 1_760_000_000_000,
    },
    "resources": [{"uid": "r", "type": "pod", "region": "eu"}],
    "vulnerabilities": [
        {
            "cve": {"uid": "CVE-1", "cvss": [{"base_score": 9.8}], "references": ["https://b.example/"]},
            "exploit_last_seen_time": 1,
            "is_exploit_available": True,
            "remediation": {"desc": "d"},
            "references": ["https://c.example/"],
        }
    ],
    "remediation": {"desc": "d", "references": ["https://d.example/"]},
    "evidences": [{"process": {"name": "sh", "file": {"path": "/bin/sh"}}}],
    "observables": [{"name": "ip", "type": "x", "value": "v"}],
}
RULE = {
    "id": "R",
    "shortDescription": {"text": "s"},
    "fullDescription": {"text": "f"},
    "help": {"text": "h"},
    "helpUri": "https://a.example/",
    "defaultConfiguration": {"level": "error"},
    "messageStrings": {"one": {"text": "{0} is bad"}},
    "properties": {"security-severity": "7.5", "tags": ["external/cwe/cwe-78"]},
}
LOG: dict[str, Any] = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "T", "rules": [RULE]}, "extensions": [{"rules": [RULE]}]},
            "artifacts": [{"location": {"uri": "a.py"}}],
            "results": [
                {
                    "ruleId": "R",
                    "ruleIndex": 0,
                    "rule": {"id": "R", "index": 0, "toolComponent": {"index": 0}},
                    "level": "error",
                    "kind": "fail",
                    "guid": "g",
                    "correlationGuid": "c",
                    "baselineState": "new",
                    "message": {"id": "one", "text": "", "arguments": ["x"]},
                    "locations": [
                        {
                            "physicalLocation": {
                                "artifactLocation": {"index": 0},
                                "region": {"startLine": 1, "snippet": {"text": "s"}},
                            },
                            "logicalLocations": [{"fullyQualifiedName": "n"}],
                        }
                    ],
                    "fingerprints": {"a": "1"},
                    "partialFingerprints": {"b": "2"},
                    "suppressions": [{"status": "rejected"}],
                    "fixes": [{"description": {"text": "d"}}],
                    "properties": {"security-severity": 7, "tags": ["cwe-79"]},
                }
            ],
        }
    ],
}
HOSTILE = (None, True, 10**400, -1, 1.5e308, "", "\0", "nan", [], [[]], {}, {"a": []})


def spoilt(value: Any) -> Iterator[Callable[[Any], None]]:
    """Ways to put another value at each place of ``value``, for ``copy.deepcopy`` of it."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:

        def put(holder: Any, other: Any, key: Any = key) -> None:
            holder[key] = other

        for other in HOSTILE:
            yield lambda holder, put=put, other=other: put(holder, other)
        for inner in spoilt(value[key]):
            yield lambda holder, inner=inner, key=key: inner(holder[key])


def read(document: Any, **named: Any) -> list[Entry]:
    return list(formats.read(json.dumps(document).encode(), **named))


@pytest.mark.parametrize("document", [EVENT, [EVENT], LOG], ids=["event", "list", "sarif"])
def test_whatever_stands_anywhere_is_a_finding_or_told(document: Any) -> None:
    ways = list(spoilt(document))
    assert len(ways) > 300
    for spoil in ways:
        other = copy.deepcopy(document)
        spoil(other)
        try:
            entries = read(other)
        except Unreadable:
            continue
        for entry in entries:
            assert (entry.finding is None) != (entry.problem is None)
            if entry.finding is not None:
                text = json.dumps(entry.finding.document())
                assert "\\u0000" not in text
                assert len(text) < 60_000
                assert Finding.of(json.loads(text)) == entry.finding


def measured(document: Any) -> tuple[list[Entry], float, int]:
    """What it comes to, in how many seconds, with how many bytes at the most."""
    data = json.dumps(document).encode()
    tracemalloc.start()
    started = time.perf_counter()
    try:
        entries = list(formats.read(data))
        return entries, time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def log_of(*results: dict[str, Any], rules: list[Any] | None = None) -> dict[str, Any]:
    driver = {"name": "T", "rules": rules or []}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": list(results)}]}


def test_arguments_of_a_message_are_not_filled_in_again() -> None:
    text, arguments = "{0}" * 500, ["{1}" * 100, "{2}" * 100, "end"]
    entries, _, memory = measured(log_of({"ruleId": "R", "message": {"text": text, "arguments": arguments}}))
    (finding,) = (one.finding for one in entries)
    assert finding is not None
    assert finding.message.startswith("{1}{1}")
    assert memory < 2_000_000


def test_a_log_with_many_rules_is_read_in_time() -> None:
    rules = [{"id": f"r{number}"} for number in range(20_000)]
    results = [{"ruleId": f"r{number}", "message": {"text": "m"}} for number in range(2_000)]
    entries, seconds, _ = measured(log_of(*results, rules=rules))
    assert len(entries) == 2_000
    assert seconds < 5


def test_long_names_in_evidence_do_not_multiply() -> None:
    nested = {"n" * 100_000: {f"k{a}": {f"k{b}": 1 for b in range(40)} for a in range(40)}}
    entries, _, memory = measured({**EVENT, "evidences": [nested]})
    assert entries[0].finding is not None
    assert memory < 5_000_000


def test_fingerprints_without_end_are_bounded() -> None:
    given = {f"key{number}" + "k" * 500: "v" * 600 for number in range(500)}
    (entry,) = read(log_of({"ruleId": "R", "message": {"text": "m"}, "fingerprints": given}))
    (other,) = read(
        log_of(
            {"ruleId": "R", "message": {"text": "m"}, "fingerprints": {**given, "key499" + "k" * 500: "w"}}
        )
    )
    assert entry.finding is not None
    assert other.finding is not None
    assert len(json.dumps(entry.finding.document())) < 60_000
    assert entry.finding.fingerprint != other.finding.fingerprint


def test_one_stranger_at_the_head_of_a_list_does_not_hide_the_rest() -> None:
    for data in (json.dumps([7, EVENT]), "{}\n" + json.dumps(EVENT)):
        first, second = formats.read(data.encode())
        assert first.problem is not None
        assert second.finding is not None


def test_half_a_character_does_not_hide_the_rest() -> None:
    """Tools that cut text in the middle of an emoji write one half of it."""
    broken = json.dumps(EVENT).replace('"m"', '"cut \\ud83d"')
    intact = json.dumps({**EVENT, "message": "whole \\ud83d \U0001f600"})  # an escaped backslash; a pair
    first, second = formats.read(f"[{broken},{intact}]".encode())
    assert first.finding is not None
    assert "cut \ufffd" in first.finding.message
    assert second.finding is not None
    assert "whole \\ud83d \U0001f600" in second.finding.message
    (alone,) = formats.read(broken.encode())
    assert alone.finding is not None
