"""What tools write becomes findings; what cannot be read is told with its place, and nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkspan.findings import formats
from linkspan.findings.finding import Entry, Finding, Unreadable, correlation_id

EVENT: dict[str, Any] = {
    "class_uid": 2004,
    "severity_id": 5,
    "metadata": {"product": {"name": "Probe"}},
    "finding_info": {"uid": "f-1", "title": "Shell in a container"},
    "resources": [{"uid": "pod/api"}],
}


def log(*results: dict[str, Any], rules: list[dict[str, Any]] | None = None, **run: Any) -> bytes:
    driver = {"name": "Probe", "rules": rules or []}
    runs = [{"tool": {"driver": driver}, "results": list(results), **run}]
    return json.dumps({"version": "2.1.0", "runs": runs}).encode()


def one(data: bytes) -> Finding:
    (entry,) = formats.read(data)
    assert entry.finding is not None, entry.problem
    return entry.finding


def event(**changes: Any) -> bytes:
    return json.dumps({**EVENT, **changes}).encode()


@pytest.mark.parametrize(
    ("result", "rule", "severity"),
    [
        ({"level": "error"}, {}, "high"),
        ({}, {}, "medium"),
        ({"level": "note"}, {}, "low"),
        ({"level": "none"}, {}, "info"),
        ({"level": "odd"}, {}, "unknown"),
        ({"kind": "review"}, {}, "info"),
        ({}, {"defaultConfiguration": {"level": "error"}}, "high"),
        ({"level": "note"}, {"properties": {"security-severity": "9.0"}}, "critical"),
        ({"level": "note"}, {"properties": {"security-severity": "8.9"}}, "high"),
        ({}, {"properties": {"security-severity": "nonsense"}}, "medium"),
        ({"properties": {"security-severity": 3.9}}, {"properties": {"security-severity": "9.0"}}, "low"),
    ],
)
def test_sarif_severities(result: dict, rule: dict, severity: str) -> None:
    assert one(log({"ruleId": "R", **result}, rules=[{"id": "R", **rule}])).severity == severity


def test_a_rule_is_found_wherever_the_log_keeps_it() -> None:
    rules = [{"id": "A"}, {"id": "B", "helpUri": "https://b.example/x", "help": {"text": "Do B."}}]
    for result in ({"ruleId": "B"}, {"ruleId": "B/1"}, {"ruleIndex": 1}, {"rule": {"index": 1}}):
        found = one(log({"message": {"text": "m"}, **result}, rules=rules))
        assert (found.remediation, found.links) == ("Do B.", ("https://b.example/x",))
    extension = {"driver": {"name": "P"}, "extensions": [{"rules": rules}]}
    found = one(log({"rule": {"id": "B", "index": 1, "toolComponent": {"index": 0}}}, tool=extension))
    assert found.remediation == "Do B."


def test_a_message_is_put_together_from_its_rule() -> None:
    rule = {"id": "R", "messageStrings": {"default": {"text": "{0} is used in {1}"}}}
    result = {"ruleId": "R", "message": {"id": "default", "arguments": ["MD5", "app.py"]}}
    assert one(log(result, rules=[rule])).title == "MD5 is used in app.py"


@pytest.mark.parametrize(
    ("result", "state"),
    [
        ({"baselineState": "absent"}, "resolved"),
        ({"baselineState": "new"}, "open"),
        ({"suppressions": [{"kind": "inSource"}]}, "suppressed"),
        ({"suppressions": [{"kind": "external", "status": "rejected"}]}, "open"),
        ({"suppressions": []}, "open"),
        ({"kind": "pass"}, "resolved"),
    ],
)
def test_sarif_states(result: dict, state: str) -> None:
    assert one(log({"ruleId": "R", **result})).state == state


def at(line: int, code: str = "f(x)", uri: str = "a.py", **more: Any) -> dict[str, Any]:
    region = {"startLine": line, "snippet": {"text": code}}
    place = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}
    return {"ruleId": "R", "locations": [place], **more}


def prints(*results: dict[str, Any]) -> list[str]:
    return [entry.finding.fingerprint for entry in formats.read(log(*results)) if entry.finding]


def test_a_finding_stays_itself_when_lines_move() -> None:
    assert prints(at(3)) == prints(at(30))
    assert prints(at(3), at(9)) == prints(at(4), at(11))
    assert len(set(prints(at(3), at(9)))) == 2
    assert prints(at(3)) != prints(at(3, uri="b.py"))


def test_the_tools_own_fingerprints_come_first() -> None:
    own = {"fingerprints": {"v1": "abc"}}
    assert prints(at(3, **own)) == prints(at(9, "other", "b.py", **own))
    partial = {"partialFingerprints": {"line/v1": "abc"}}
    assert prints(at(3, **partial)) == prints(at(9, "other", **partial))
    assert prints(at(3, **partial)) != prints(at(3, uri="b.py", **partial))
    assert prints(at(3, correlationGuid="g")) == prints(at(9, "o", "b.py", correlationGuid="g"))


@pytest.mark.parametrize(
    ("changes", "severity", "state"),
    [
        ({}, "critical", "open"),
        ({"severity_id": 6}, "critical", "open"),
        ({"severity_id": 99}, "unknown", "open"),
        ({"severity_id": 1}, "info", "open"),
        ({"activity_id": 3}, "critical", "resolved"),
        ({"status_id": 4}, "critical", "resolved"),
        ({"status_id": 3}, "critical", "suppressed"),
        ({"class_uid": 2003, "compliance": {"status_id": 1}}, "critical", "resolved"),
    ],
)
def test_ocsf_severities_and_states(changes: dict, severity: str, state: str) -> None:
    found = one(event(**changes))
    assert (found.severity, found.state, found.resource) == (severity, state, "pod/api")


def test_ocsf_says_what_it_knows() -> None:
    found = one(
        event(
            class_uid=2002,
            vulnerabilities=[
                {
                    "cve": {"uid": "CVE-2022-3602", "cvss": [{"base_score": 7.5}]},
                    "exploit_last_seen_time": 1,
                    "references": ["https://nvd.example/1", "javascript:alert(1)"],
                    "remediation": {"desc": "Upgrade."},
                }
            ],
            evidences=[{"process": {"cmd_line": "sh -i"}}],
        )
    )
    assert (found.rule, found.exploited, found.remediation) == ("CVE-2022-3602", True, "Upgrade.")
    assert found.threat == "CVE-2022-3602 (CVSS 7.5), known to be exploited"
    assert found.links == ("https://nvd.example/1",)
    assert found.evidence == "process.cmd_line: sh -i"


def test_events_come_one_to_a_line_or_in_a_list() -> None:
    rows = b"\n".join([event(), b"", event(severity_id=2), b'{"class_uid": 20'])
    first, second, broken = formats.read(rows)
    assert first.finding
    assert second.finding
    assert (first.place, second.place, broken.place) == ("line 1", "line 3", "line 4")
    assert broken.problem
    assert broken.problem["code"] == "not_json"
    assert [entry.place for entry in formats.read(b"[" + event() + b"," + event() + b"]")] == ["[0]", "[1]"]
    assert list(formats.read(b"[]")) == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"class_uid": 1001}, "not_a_finding"),
        ({**EVENT, "severity_id": "high"}, "wrong_type"),
        ({**EVENT, "finding_info": {"title": "x"}}, "no_uid"),
        ({**EVENT, "finding_info": {"uid": "x"}}, "no_title"),
        (7, "wrong_type"),
    ],
)
def test_an_event_that_is_none_is_quarantined(content: Any, code: str) -> None:
    good, bad = formats.read(json.dumps([EVENT, content]).encode())
    assert good.finding
    assert bad.problem
    assert bad.problem["code"] == code
    assert bad.problem["fix"]
    assert bad.text == json.dumps(content)


@pytest.mark.parametrize(
    ("data", "code", "where"),
    [
        (b"", "empty", ""),
        (b" \n", "empty", ""),
        (b"\xff\xfe{", "encoding", ""),
        (b"<xml/>", "not_json", ""),
        (b'{"version": "2.1.0",\n "runs": [', "cut_json", "line 2, column 11"),
        (b'{"a": 1}', "unknown_format", ""),
        (b'{"version": "2.0.0", "runs": []}', "sarif_version", "version"),
        (b'{"version": "2.1.0", "runs": 3}', "wrong_type", "runs"),
        (b"[" * 100_000, "too_deep", ""),
    ],
)
def test_a_file_that_cannot_be_read_is_told(data: bytes, code: str, where: str) -> None:
    with pytest.raises(Unreadable) as refused:
        list(formats.read(data))
    assert (refused.value.code, refused.value.where) == (code, where)
    assert refused.value.fix


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "SIZE_LIMIT", 10)
    with pytest.raises(Unreadable, match="larger"):
        formats.read(event())


def test_a_named_format_is_held_to() -> None:
    with pytest.raises(Unreadable):
        list(formats.read(b"[" + event() + b"]", format_name="sarif"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    "ruleId",
    "message",
    "level",
    "locations",
    "properties",
    "fingerprints",
    "rule",
    "suppressions",
    "kind",
)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6), max_size=4))
def test_whatever_a_log_holds_each_result_gives_one_entry(results: list[dict[str, Any]]) -> None:
    entries: list[Entry] = list(formats.read(log(*results, rules=[{"id": "", "properties": 3}])))
    assert len(entries) == len(results)
    assert all((entry.finding is None) != (entry.problem is None) for entry in entries)


PARTS = ("finding_info", "resources", "vulnerabilities", "evidences", "cloud", "compliance", "observables")


@given(st.dictionaries(st.sampled_from(PARTS), JSON, max_size=5))
def test_whatever_an_event_holds_it_gives_one_entry(changes: dict[str, Any]) -> None:
    info = {"finding_info": {**EVENT["finding_info"], "attacks": changes.get("cloud")}}
    for data in (event(**changes), event(**{**changes, **info})):
        (entry,) = formats.read(data)
        assert (entry.finding is None) != (entry.problem is None)
        if entry.finding is not None:
            assert Finding.of(json.loads(json.dumps(entry.finding.document()))) == entry.finding


@given(st.text(max_size=200), st.integers(1, 99_999))
def test_a_correlation_id_always_fits(product: str, generation: int) -> None:
    assert len(correlation_id(product, "a" * 64, generation)) <= 100
