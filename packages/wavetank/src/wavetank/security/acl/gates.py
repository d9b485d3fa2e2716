"""How rules become a decision: the table gate and the field gate.

ServiceNow docs: "ACL rule types" (the search order), "Deny-Unless ACL", "Evaluate the admin override at the
access level", "Explore Access Control Lists" (empty and invalid rules, wild cards, `applies_to`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wavetank.security.acl.formula import Formula, Test, all_of, any_of, negation
from wavetank.security.acl.rules import Rule, Rules
from wavetank.security.who import Session

NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Standing:
    """Who asks, as far as a rule can tell: the session's roles, and the security attributes it has."""

    session: Session
    attributes: frozenset[str]

    @property
    def key(self) -> tuple[frozenset[str], frozenset[str]]:
        """The same for all who stand alike."""
        return self.session.roles, self.attributes


@dataclass(frozen=True, slots=True)
class Mode:
    """What an instance says about all its rules."""

    empty_denies: bool
    override_each: bool  # the admin override counts rule by rule
    wild_tables_closed: bool  # what only `*` speaks of is the administrator's


def table_levels(hierarchy: Sequence[str]) -> list[str]:
    """The names that are looked for at the table gate, in order."""
    return [*hierarchy, "*"]


def field_levels(hierarchy: Sequence[str], field: str) -> list[str]:
    """The names that are looked for at the field gate, in order."""
    return [
        *(f"{table}.{field}" for table in hierarchy),
        f"*.{field}",
        *(f"{table}.*" for table in hierarchy),
        "*.*",
    ]


def decide(
    rules: Rules,
    mode: Mode,
    standing: Standing,
    operation: str,
    levels: Sequence[str],
    otherwise: Formula = True,
) -> Formula:
    """One gate. Every deny-unless rule must pass, and one of the rules at the first level that has any.

    A rule with `applies_to` is none for other rows, so it can be that the level depends on the row.
    `otherwise` decides where no level has a rule.
    """
    found = [rules.get((operation, level), ()) for level in levels]
    deny = [rule for listed in found for rule in listed if rule.deny_unless]
    outcome = all_of([_all_pass(mode, standing, deny, deny), otherwise])
    for level, listed in reversed(list(zip(levels, found, strict=True))):
        allow = [rule for rule in listed if not rule.deny_unless]
        if not allow:
            continue
        matching = [*deny, *allow]
        passes = any_of(all_of([_applies(rule), _passes(mode, standing, rule, matching)]) for rule in allow)
        if level == "*" and mode.wild_tables_closed and not standing.session.is_admin:
            passes = False
        here = any_of(_applies(rule) for rule in allow)
        outcome = any_of(
            [
                all_of([here, _all_pass(mode, standing, deny, matching), passes]),
                all_of([negation(here), outcome]),
            ]
        )
    return outcome


def _all_pass(mode: Mode, standing: Standing, deny: Sequence[Rule], matching: Sequence[Rule]) -> Formula:
    return all_of(
        any_of([negation(_applies(rule)), _passes(mode, standing, rule, matching)]) for rule in deny
    )


def _applies(rule: Rule) -> Formula:
    return Test("applies", rule.applies_to) if rule.applies_to else True


def _passes(mode: Mode, standing: Standing, rule: Rule, matching: Sequence[Rule]) -> Formula:
    if NOBODY in rule.roles and not rule.roles & standing.session.roles:
        return False
    return any_of([_overridden(mode, standing, rule, matching), _meets(mode, standing, rule)])


def _overridden(mode: Mode, standing: Standing, rule: Rule, matching: Sequence[Rule]) -> Formula:
    """Whether an administrator passes without being asked: one rule that forbids it forbids it for all."""
    if not (standing.session.is_admin and rule.admin_overrides):
        return False
    if mode.override_each:
        return True
    return all_of(negation(_applies(each)) for each in matching if not each.admin_overrides)


def _meets(mode: Mode, standing: Standing, rule: Rule) -> Formula:
    if rule.roles and not any(standing.session.has_role(role) for role in rule.roles):
        return False
    if mode.empty_denies and (rule.empty or rule.broken):
        return False
    if rule.attribute and rule.attribute not in standing.attributes:
        return False
    tests: list[Formula] = []
    if rule.condition:
        tests.append(Test("condition", rule.condition))
    if rule.script:
        tests.append(Test("script", rule.script))
    return all_of(tests)
