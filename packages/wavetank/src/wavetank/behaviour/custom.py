"""Business rules that users add as `sys_script` rows: their conditions, field actions and abort.

Scripts go through the seam in `behaviour.scripting`.
"""

from __future__ import annotations

import re

from wavetank.behaviour.change import Change
from wavetank.behaviour.engines import matches
from wavetank.behaviour.scripting import ScriptEngine
from wavetank.database.store import Row
from wavetank.errors import operation_failed

_CHANGING = re.compile(r"^(?:NQ|OR)?([a-z0-9_]+)(VALCHANGES|CHANGESTO|CHANGESFROM)(.*)$")


def run(rule: Row, change: Change, engine: ScriptEngine | None) -> None:
    """Run one rule. Raises PlatformError when it aborts the operation."""
    if not _applies(rule, change, engine):
        return
    _act(rule["template"], change)
    aborted = rule["abort_action"] == "true"
    if engine is not None and rule["advanced"] == "true" and rule["script"]:
        aborted = engine.run(rule, change) or aborted
    elif rule["advanced"] == "true" and rule["script"]:
        _tell(rule, change)
    if aborted:
        abort(change, rule["name"], rule["sys_id"])


def abort(change: Change, name: str, sys_id: str) -> None:
    """Refuse the operation in a rule's name."""
    raise operation_failed(
        f"Operation against file '{change.table.name}' was aborted by Business Rule '{name}^{sys_id}'."
        f" Business Rule Stack:{name}"
    )


def _applies(rule: Row, change: Change, engine: ScriptEngine | None) -> bool:
    remaining: list[str] = []
    for term in rule["filter_condition"].split("^"):
        match = _CHANGING.match(term)
        if match is None:
            remaining.append(term)
        elif not _changed(change, *match.groups()):
            return False
    if not matches(change, "^".join(remaining)):
        return False
    if rule["condition"]:
        return engine is not None and engine.condition(rule, change)
    return True


def _changed(change: Change, name: str, operator: str, value: str) -> bool:
    if not change.changes(name):
        return False
    if operator == "CHANGESTO":
        return change.row.get(name, "") == value
    return operator == "VALCHANGES" or change.before(name) == value


def _act(template: str, change: Change) -> None:
    for term in template.split("^"):
        name, sign, value = term.partition("=")
        if sign and name in change.table.fields:
            change.row[name] = value


def _tell(rule: Row, change: Change) -> None:
    message = (
        f"Business rule {rule['name']} on {rule['collection']} has a script; scripts do not run here yet"
    )
    database = change.instance.database
    if database.first("syslog", source=rule["sys_id"]) is None:
        database.insert("syslog", {"level": "1", "source": rule["sys_id"], "message": message})
