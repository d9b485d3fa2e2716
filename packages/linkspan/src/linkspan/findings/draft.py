"""What the incident of a finding says. Pure: the instance's facts come in as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from linkspan.core.clock import platform_time
from linkspan.core.errors import Rejected
from linkspan.findings.finding import Finding, Severity, cut
from linkspan.findings.rules import DEFAULT_TITLE, Decision, fill
from linkspan.schema.limits import Limits

# Lengths of a stock instance, where its own dictionary cannot be read.
TITLE_LENGTH, DESCRIPTION_LENGTH, DISPLAY_LENGTH = 160, 4000, 100
CHOICE_FIELDS = ("category", "subcategory", "contact_type", "close_code")
CATEGORY = "security"
CONTACT_TYPES = ("integration", "monitoring")  # the first that the instance has

_URGENCY: Mapping[Severity, int] = {
    "critical": 1,
    "high": 2,
    "medium": 3,
    "unknown": 3,
    "low": 3,
    "info": 3,
}
_UNREADABLE_FIX = (
    "let the account read name, element and value of sys_choice, configure the instance's admin for "
    "`linkspan findings import`, or take it out of the rule"
)


def treatment(severity: Severity, tier: int, *, exploited: bool = False) -> tuple[str, str]:
    """Impact and urgency for a severity on an asset of ``tier`` 1 to 3. Never written as a priority."""
    if exploited and severity == "high":
        severity = "critical"
    impact = {"low": min(3, tier + 1), "info": 3}.get(severity, tier)
    return str(impact), str(_URGENCY[severity])


def draft(
    finding: Finding, decision: Decision, limits: Limits, group: Callable[[str], str]
) -> dict[str, str]:
    """The columns of a new incident.

    ``group`` finds the sys_id of a group by its name. Raises Rejected for a field, a choice or a group
    that the instance does not have (codes ``unknown_field``, ``unknown_choice``, ``choice_unreadable``,
    and those of ``group``).
    """
    impact, urgency = treatment(finding.severity, decision.tier, exploited=finding.exploited)
    title_length = limits.length("short_description", TITLE_LENGTH)
    values = {
        "short_description": _title(finding, decision, title_length),
        "description": description(finding, limits.length("description", DESCRIPTION_LENGTH)),
        "impact": impact,
        "urgency": urgency,
        "correlation_display": cut(
            f"{finding.product} {finding.rule}", limits.length("correlation_display", DISPLAY_LENGTH)
        ),
        **_usual_choices(limits),
    }
    for name in ("category", "subcategory"):
        wanted = getattr(decision, name)
        if wanted:
            values[name] = _choice(limits, name, fill(wanted, finding))
    for name, template in decision.fields.items():
        if limits.has(name) is False:
            raise Rejected(
                f"incident has no field {name}",
                code="unknown_field",
                fix="correct the rule, or add the field to the instance",
                where=_rules(decision),
            )
        values[name] = fill(template, finding, limits.length(name, DESCRIPTION_LENGTH))
    if decision.assignment_group:
        values["assignment_group"] = group(fill(decision.assignment_group, finding))
    return values


def description(finding: Finding, limit: int) -> str:
    """What, where, evidence, threat intelligence, remediation and links, in at most ``limit`` characters.

    When there is too much, evidence and threat intelligence are cut first, so that what to do stays.
    """
    doubt = " (the source does not say; treated as medium)" if finding.severity == "unknown" else ""
    told = f"Severity: {finding.severity}{doubt}" + (
        f", {finding.raw_severity} in {finding.product}" if finding.raw_severity else ""
    )
    sections = {
        "What": "\n".join(text for text in (finding.title, _beside(finding), told) if text),
        "Where": "\n".join(dict.fromkeys(text for text in (finding.resource, finding.where) if text)),
        "Evidence": finding.evidence,
        "Threat intelligence": _threat(finding),
        "Remediation": finding.remediation,
        "Links": "\n".join(finding.links),
        "Found by": _found_by(finding),
    }
    share = max(limit // 6, 40)
    for name in ("Evidence", "Threat intelligence", "What", "Where", "Remediation", "Links"):
        over = len(_text(sections)) - limit
        if over <= 0:
            break
        sections[name] = cut(sections[name], max(share, len(sections[name]) - over))
    return cut(_text(sections), limit)


def _title(finding: Finding, decision: Decision, limit: int) -> str:
    usual = DEFAULT_TITLE if finding.resource else DEFAULT_TITLE.removesuffix(" on {resource}")
    return cut(" ".join(fill(decision.short_description or usual, finding).split()), limit)


def _text(sections: Mapping[str, str]) -> str:
    return "\n\n".join(f"{name}\n{text}" for name, text in sections.items() if text)


def _beside(finding: Finding) -> str:
    return finding.message if finding.message != finding.title else ""


def _found_by(finding: Finding) -> str:
    first, last = (
        f"{name} seen {platform_time(at)} UTC" if at else ""
        for name, at in (("first", finding.first_seen), ("last", finding.last_seen))
    )
    parts = (finding.product, f"rule {finding.rule}", finding.uid, first, last)
    return ", ".join(part for part in parts if part)


def _threat(finding: Finding) -> str:
    known = "Known to be exploited." if finding.exploited else ""
    return "\n".join(text for text in (known, finding.threat) if text)


def _usual_choices(limits: Limits) -> dict[str, str]:
    """What we set of our own accord: only where the instance is known to have the choice."""
    usual = {}
    category = limits.choice("category", CATEGORY)
    if category:
        usual["category"] = category
    contact = next((one for one in CONTACT_TYPES if limits.choice("contact_type", one)), None)
    if contact:
        usual["contact_type"] = contact
    return usual


def _choice(limits: Limits, name: str, text: str) -> str:
    if limits.choices is None:
        raise Rejected(
            f"the choices of incident.{name} cannot be read, so {text!r} cannot be checked",
            code="choice_unreadable",
            fix=_UNREADABLE_FIX,
        )
    value = limits.choice(name, text)
    if value is None:
        known = ", ".join(limits.choices.get(name, {})) or "none"
        raise Rejected(
            f"{text!r} is not a choice of incident.{name}",
            code="unknown_choice",
            fix=f"use one of: {cut(known, 300)}",
        )
    return value


def _rules(decision: Decision) -> str:
    return ", ".join(decision.because)
