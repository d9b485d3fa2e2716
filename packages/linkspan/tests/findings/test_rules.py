"""Rules in CEL, and what an incident says: checked when they are read, bounded, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkspan.core.errors import ConfigError, Rejected
from linkspan.findings.draft import description, draft, treatment
from linkspan.findings.finding import RANK, Finding
from linkspan.findings.rules import Decision, Rules, load
from linkspan.mapping.incident import STOCK_MATRIX
from linkspan.schema.limits import Limits

LIMITS = Limits(
    lengths={"short_description": 160, "description": 4000, "u_tool": 5},
    choices={"category": {"software": "Software", "security": "Security"}, "state": {"1": "New"}},
)


def finding(**changes: object) -> Finding:
    values: dict = {
        "product": "Probe",
        "rule": "R1",
        "title": "Shell",
        "severity": "critical",
        "identity": ("1",),
        "resource": "prod/api",
    }
    return Finding(**{**values, **changes})


def rules(tmp_path: Path, text: str) -> Rules:
    (tmp_path / "rules.yaml").write_text(text)
    return load(tmp_path / "rules.yaml")


def test_without_rules_critical_and_high_make_incidents() -> None:
    tickets = {severity: Rules().decide(finding(severity=severity)).ticket for severity in RANK}
    assert {severity for severity, ticket in tickets.items() if ticket} == {"critical", "high"}
    assert Rules(ticket_from="medium").decide(finding(severity="unknown")).ticket


def test_the_first_rule_that_sets_a_thing_decides_it(tmp_path: Path) -> None:
    found = rules(
        tmp_path,
        """\
rules:
  - when: finding.resource.startsWith("prod")
    set: {tier: 1, fields: {u_tool: a, u_one: x}}
  - name: the rest
    when: "true"
    set: {tier: 3, ticket: false, fields: {u_tool: b, u_two: y}}
""",
    )
    decision = found.decide(finding())
    assert (decision.tier, decision.ticket) == (1, False)
    assert dict(decision.fields) == {"u_tool": "a", "u_one": "x", "u_two": "y"}
    assert decision.because == ("rules.yaml:2", "rules.yaml:4")
    assert found.decide(finding(resource="dev")).tier == 3


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ('rules:\n  - when: finding.sev == "x"\n    set: {ticket: true}', 2, "finding.sev"),
        ("rules:\n  - when: finding.severity == 3\n    set: {ticket: true}", 2, "overload"),
        ("rules:\n  - when: finding.severity\n    set: {ticket: true}", 2, "not a condition"),
        ("rules:\n  - set: {ticket: true}", 2, "when is missing"),
        ('rules:\n  - when: "true"\n    set: {tikcet: true}', 3, "tikcet"),
        ('rules:\n  - when: "true"\n    set: {tier: 4}', 3, "three tiers"),
        ('rules:\n  - when: "true"\n    set: {fields: {priority: "1"}}', 3, "priority"),
        ('rules:\n  - when: "true"\n    set: {fields: {sys_created_by: x}}', 3, "cannot be set"),
        ('rules:\n  - when: "true"\n    set: {short_description: "{secret}"}', 3, "{secret}"),
        ("ticket_from: urgent", 1, "urgent"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_line(tmp_path: Path, text: str, line: int, word: str) -> None:
    with pytest.raises(ConfigError) as refused:
        rules(tmp_path, text)
    assert refused.value.where == f"rules.yaml:{line}"
    assert word in refused.value.cause
    assert refused.value.fix


def test_a_rule_that_cannot_tell_parks_the_finding(tmp_path: Path) -> None:
    found = rules(tmp_path, 'rules:\n  - when: "[finding.exploited][5]"\n    set: {ticket: true}')
    with pytest.raises(Rejected) as refused:
        found.decide(finding())
    assert (refused.value.code, refused.value.where) == ("rule_failed", "rules.yaml:2")


@given(st.sampled_from(list(RANK)), st.sampled_from(list(RANK)), st.integers(1, 3), st.booleans())
def test_a_higher_severity_is_never_less_urgent(a: str, b: str, tier: int, exploited: bool) -> None:
    if RANK[a] < RANK[b]:
        a, b = b, a
    graver = STOCK_MATRIX[treatment(a, tier, exploited=exploited)]
    assert graver <= STOCK_MATRIX[treatment(b, tier, exploited=exploited)]
    assert treatment(a, tier, exploited=exploited)[1] <= treatment(b, tier, exploited=exploited)[1]


@pytest.mark.parametrize(
    ("severity", "tier", "priority"),
    [("critical", 1, "1"), ("critical", 3, "3"), ("high", 2, "3"), ("medium", 1, "3"), ("low", 2, "5")],
)
def test_severity_and_tier_make_a_priority(severity: str, tier: int, priority: str) -> None:
    assert STOCK_MATRIX[treatment(severity, tier)] == priority
    assert treatment("high", tier, exploited=True) == treatment("critical", tier)


def drafted(decision: Decision, found: Finding | None = None, limits: Limits = LIMITS) -> dict[str, str]:
    return draft(found or finding(), decision, limits, lambda name: f"sys_id of {name}")


def test_a_draft_says_what_the_rules_set() -> None:
    values = drafted(
        Decision(ticket=True, category="Software", assignment_group="SOC", fields={"u_tool": "{PRODUCT}s"})
    )
    assert values["short_description"] == "[CRITICAL] Shell on prod/api"
    assert (values["category"], values["assignment_group"]) == ("software", "sys_id of SOC")
    assert values["u_tool"] == "PROB…"
    assert not values.keys() & {"priority", "state", "contact_type"}


def test_of_our_own_accord_only_choices_that_are_there_are_set() -> None:
    assert drafted(Decision(ticket=True))["category"] == "security"
    assert "category" not in drafted(Decision(ticket=True), limits=Limits())


@pytest.mark.parametrize(
    ("decision", "limits", "code"),
    [
        (Decision(ticket=True, category="nonsense"), LIMITS, "unknown_choice"),
        (Decision(ticket=True, category="software"), Limits(), "choice_unreadable"),
        (Decision(ticket=True, fields={"u_none": "x"}), LIMITS, "unknown_field"),
    ],
)
def test_what_the_instance_does_not_have_is_refused(decision: Decision, limits: Limits, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        drafted(decision, limits=limits)
    assert refused.value.code == code
    assert refused.value.fix


@given(st.integers(200, 5000), st.integers(0, 8000), st.integers(0, 8000), st.integers(0, 3000))
def test_a_description_fits_and_keeps_what_to_do(
    limit: int, evidence: int, threat: int, message: int
) -> None:
    text = description(
        finding(
            evidence="e" * evidence,
            threat="t" * threat,
            message="m" * message,
            remediation="Upgrade it.",
        ),
        limit,
    )
    assert len(text) <= limit
    if limit >= 1000:
        assert "Remediation\nUpgrade it." in text
