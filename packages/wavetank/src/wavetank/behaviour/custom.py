"""Business rules that users add as `sys_script` rows: their conditions, field actions and abort.

What a rule states without a script is carried out (ServiceNow docs: "Business rules", "Create a business
rule"); scripts go through the seam in `behaviour.scripting`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wavetank.behaviour.change import Change
from wavetank.behaviour.conditions import matches
from wavetank.database.store import Row
from wavetank.errors import PlatformError, operation_failed

_SAME = re.compile(r"([a-z0-9_]+)SAMEAS([a-z0-9_]+)")


@dataclass(frozen=True, slots=True)
class Custom:
    """A rule's row, and what it sets: (field, value, whether the value names another field)."""

    row: Row
    values: tuple[tuple[str, str, bool], ...]
    roles: frozenset[str]
    scripted: bool
    before: bool


def read(row: Row) -> Custom:
    """A rule as its row has it."""
    return Custom(
        row=row,
        values=tuple(_settings(row["template"])),
        roles=frozenset(filter(None, row["role_conditions"].split(","))),
        scripted=row["advanced"] == "true" and bool(row["script"]),
        before=row["when"] == "before",
    )


def run(rule: Custom, change: Change) -> None:
    """Run one rule. Raises PlatformError when it aborts the operation; only before rules can."""
    if not _applies(rule, change):
        return
    for name, value, field in rule.values:
        if name in change.table.fields:
            _set(change, name, change.row.get(value, "") if field else change.value_of(value))
    aborts = rule.row["abort_action"] == "true"
    if rule.scripted:
        aborts = change.instance.behaviour.scripting.run(rule.row, change) or aborts
    if aborts and rule.before:
        abort(change, rule.row["name"], rule.row["sys_id"])


def abort(change: Change, name: str, sys_id: str) -> None:
    """Refuse the operation in a rule's name."""
    raise aborted(change.table.name, name, sys_id)


def aborted(table: str, name: str, sys_id: str) -> PlatformError:
    """The refusal of an operation in a rule's name."""
    return operation_failed(
        f"Operation against file '{table}' was aborted by Business Rule '{name}^{sys_id}'."
        f" Business Rule Stack:{name}"
    )


def _applies(rule: Custom, change: Change) -> bool:
    if rule.roles and not _held(rule, change):
        return False
    if not matches(change, rule.row["filter_condition"]):
        return False
    return not rule.row["condition"] or change.instance.behaviour.scripting.condition(rule.row, change)


def _held(rule: Custom, change: Change) -> bool:
    """Whether the writer has one of the rule's roles, which are named by sys_id."""
    if change.who is None:
        return False
    rows = (change.instance.database.get("sys_user_role", each) for each in rule.roles)
    return any(change.who.has_role(row["name"]) for row in rows if row)


def _settings(template: str) -> list[tuple[str, str, bool]]:
    found: list[tuple[str, str, bool]] = []
    for term in template.replace("^^", "\0").split("^"):
        same = _SAME.fullmatch(term)
        name, sign, value = term.partition("=")
        if same:
            found.append((same[1], same[2], True))
        elif sign:
            found.append((name, value.replace("\0", "^"), False))
    return found


def _set(change: Change, name: str, value: str) -> None:
    if change.table.fields[name].type == "journal_input":
        change.journals.append((name, value))
    else:
        change.row[name] = value
