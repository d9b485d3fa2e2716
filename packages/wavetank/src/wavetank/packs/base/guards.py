"""What narrows queries on a fresh instance: the shipped before-query business rule on incidents.

ServiceNow docs: "Example script: A default before-query business rule".
"""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.packs.writing import Rows
from wavetank.security.acl.narrowing import INCIDENT_QUERY


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "sys_script", _query_rules()


def _query_rules() -> Rows:
    yield {
        "sys_id": INCIDENT_QUERY,
        "name": "incident query",
        "collection": "incident",
        "when": "before",
        "order": "100",
        "active": "true",
        "advanced": "true",
        "action_query": "true",
        "action_insert": "false",
        "action_update": "false",
        "action_delete": "false",
        "description": "without the role itil, people see the incidents that they have to do with",
        "script": "// Built in: wavetank runs this rule itself. Set active to false to switch it off.",
    }
