"""``rules.yaml``: which findings become incidents, and what those incidents say.

A rule is ``when`` (an expression in CEL, checked against the names and types of a finding when the file
is read) and ``set``. Rules are asked from top to bottom; for each thing to set, the first rule that
matches and sets it decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from linkspan.config.document import Node, read
from linkspan.core.errors import ConfigError, Rejected
from linkspan.findings.finding import RANK, Finding, cut

TEXTS = ("product", "rule", "title", "severity", "resource", "where", "message", "threat", "uid")
SWITCHES = ("exploited",)
TICKET_FROM = ("critical", "high", "medium", "low", "info")
DEFAULT_TICKET_FROM = "high"
DEFAULT_TIER = 2
DEFAULT_TITLE = "[{SEVERITY}] {title} on {resource}"
LONGEST_EXPRESSION = 2_000
LONGEST_TEMPLATE = 500
LONGEST_VALUE = 4_000

_TOP = ("ticket_from", "rules")
_SET = ("ticket", "tier", "assignment_group", "category", "subcategory", "short_description", "fields")
# What the platform derives, or what linkspan needs to find the record again.
_NOT_TO_SET = frozenset(
    {
        *("priority", "impact", "urgency", "number", "state", "correlation_id", "correlation_display"),
        *("description", "work_notes", "comments", "assignment_group", "category", "subcategory"),
        *("short_description", "opened_by", "caller_id"),
    }
)
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,79}\Z")
_HOLE = re.compile(r"\{([^{}]*)\}")
_AT = re.compile(r"<input>:(\d+):(\d+): (.*)")


class Condition(Protocol):
    """A compiled expression of CEL, as this file uses it."""

    def eval(self, *, data: dict[str, Any]) -> Any:
        """The value for these variables."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the rules say about one finding. ``because`` names the rules that said it, ``file:line``."""

    ticket: bool
    tier: int = DEFAULT_TIER
    assignment_group: str = ""
    category: str = ""
    subcategory: str = ""
    short_description: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    because: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule. ``sets`` holds what it sets, by the names of ``Decision``."""

    where: str
    condition: Condition
    sets: Mapping[str, Any]
    fields: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of one source; without a file, only the default gate."""

    ticket_from: str = DEFAULT_TICKET_FROM
    rules: Sequence[Rule] = ()

    def decide(self, finding: Finding) -> Decision:
        """What is to be done with a finding. Raises Rejected (code rule_failed) when a rule cannot tell."""
        facts = {f"finding.{name}": getattr(finding, name) for name in (*TEXTS, *SWITCHES)}
        severity = "critical" if finding.exploited and finding.severity == "high" else finding.severity
        sets: dict[str, Any] = {"ticket": RANK[severity] >= _rank(self.ticket_from)}
        decided: set[str] = set()
        fields: dict[str, str] = {}
        because = []
        for rule in self.rules:
            if not _holds(rule, facts):
                continue
            because.append(rule.where)
            sets |= {name: value for name, value in rule.sets.items() if name not in decided}
            decided |= rule.sets.keys()
            fields = {**rule.fields, **fields}
        return Decision(**sets, fields=MappingProxyType(fields), because=tuple(because))


def load(path: Path | None) -> Rules:
    """The rules in a file. Raises ConfigError, ``where`` being ``file:line``."""
    if path is None:
        return Rules()
    parts = read(path).mapping(_TOP)
    ticket_from = parts["ticket_from"].choice(TICKET_FROM) if "ticket_from" in parts else DEFAULT_TICKET_FROM
    rules = [_rule(node) for node in parts["rules"].items()] if "rules" in parts else []
    return Rules(ticket_from=ticket_from, rules=tuple(rules))


def fill(template: str, finding: Finding, limit: int = LONGEST_VALUE) -> str:
    """A template with the finding's texts in it; ``{SEVERITY}`` is in capitals, as any name may be."""

    def value(hole: re.Match[str]) -> str:
        text = str(getattr(finding, hole[1].lower()))
        return text.upper() if hole[1].isupper() else text

    return cut(_HOLE.sub(value, template), limit)


def _rank(severity: str) -> int:
    return next(rank for name, rank in RANK.items() if name == severity)


def _rule(node: Node) -> Rule:
    parts = node.mapping(("name", "when", "set"))
    if "name" in parts:
        parts["name"].text()
    for key, example in (("when", 'when: finding.severity == "critical"'), ("set", "set: {ticket: true}")):
        if key not in parts:
            node.refuse(f"{key} is missing", f"add {example}")
    wanted = parts["set"].mapping(_SET)
    sets: dict[str, Any] = {}
    for key, one in wanted.items():
        if key == "ticket":
            sets[key] = one.boolean()
        elif key == "tier":
            sets[key] = one.integer(least=1)
            if sets[key] > 3:
                one.refuse("there are three tiers", "write 1 (crown jewels), 2 (production) or 3 (the rest)")
        elif key != "fields":
            sets[key] = _template(one)
    fields = wanted["fields"].entries() if "fields" in wanted else {}
    return Rule(
        where=node.where,
        condition=_compile(parts["when"]),
        sets=MappingProxyType(sets),
        fields=MappingProxyType({name: _field(name, one) for name, one in fields.items()}),
    )


def _field(name: str, node: Node) -> str:
    if not _FIELD.match(name) or name.startswith("sys_"):
        node.refuse(f"{name} cannot be set", "name a column of incident, as u_scanner")
    if name in _NOT_TO_SET:
        fix = "set it beside fields, not in it" if name in _SET else "leave it out: linkspan writes it"
        node.refuse(f"{name} is not for fields", fix)
    if isinstance(node.content, bool):
        return "true" if node.boolean() else "false"
    if isinstance(node.content, int):
        return str(node.integer())
    return _template(node)


def _template(node: Node) -> str:
    text = node.text()
    if len(text) > LONGEST_TEMPLATE:
        node.refuse(f"is longer than {LONGEST_TEMPLATE} characters", "write less")
    for name in _HOLE.findall(text):
        if name.lower() not in TEXTS:
            node.refuse(f"{{{name}}} is not known", f"use one of {', '.join(TEXTS)}")
    return text


@cache
def _environment() -> Any:
    from cel_expr_python import cel  # type: ignore[import-untyped]

    texts: dict[str, Any] = {f"finding.{name}": cel.Type.STRING for name in TEXTS}
    return cel.NewEnv(variables=texts | {f"finding.{name}": cel.Type.BOOL for name in SWITCHES})


def _compile(node: Node) -> Condition:
    from cel_expr_python import cel

    text = node.text()
    if len(text) > LONGEST_EXPRESSION:
        node.refuse(f"is longer than {LONGEST_EXPRESSION} characters", "split the rule")
    try:
        expression = _environment().compile(text)
    except RuntimeError as error:
        told = _AT.search(str(error))
        place, cause = (f" (character {told[2]})", told[3]) if told else ("", str(error))
        known = ", ".join(f"finding.{name}" for name in (*TEXTS, *SWITCHES))
        raise ConfigError(
            f"{node.name}: {cause.replace(' (in container ' + chr(39) * 2 + ')', '')}{place}",
            where=node.where,
            fix=f"write a condition in CEL over {known}",
        ) from error
    if expression.return_type() != cel.Type.BOOL:
        node.refuse("is not a condition", 'compare something, as finding.severity == "critical"')
    compiled: Condition = expression
    return compiled


def _holds(rule: Rule, facts: Mapping[str, Any]) -> bool:
    try:
        answer = rule.condition.eval(data=dict(facts)).plain_value()
    except RuntimeError as error:
        raise _failed(rule, str(error)) from error
    if not isinstance(answer, bool):
        raise _failed(rule, str(answer))
    return answer


def _failed(rule: Rule, cause: str) -> Rejected:
    return Rejected(
        f"the rule gives no answer for this finding: {cut(cause, 200)}",
        code="rule_failed",
        fix="correct its condition",
        where=rule.where,
    )
