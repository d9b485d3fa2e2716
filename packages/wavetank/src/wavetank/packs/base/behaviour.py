"""What records do by themselves: priorities, data policies, business rules."""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.behaviour.rules import BUILT_IN
from wavetank.database.shipped import sys_id_for
from wavetank.packs.writing import Rows

# The documented matrix: the priority by impact and urgency.
MATRIX = {
    ("1", "1"): "1",
    ("1", "2"): "2",
    ("1", "3"): "3",
    ("2", "1"): "2",
    ("2", "2"): "3",
    ("2", "3"): "4",
    ("3", "1"): "3",
    ("3", "2"): "4",
    ("3", "3"): "5",
}


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "dl_u_priority", _priorities()
    yield "sys_data_policy2", _data_policies()
    yield "sys_data_policy_rule", _data_policy_rules()
    yield "sys_script", _scripts()
    yield "metric_definition", _metrics()


def _priorities() -> Rows:
    for (impact, urgency), priority in MATRIX.items():
        yield {
            "sys_id": sys_id_for("dl_u_priority", impact, urgency),
            "impact": impact,
            "urgency": urgency,
            "priority": priority,
        }


_CLOSE_INFO = sys_id_for("sys_data_policy2", "incident close info")


def _data_policies() -> Rows:
    yield {
        "sys_id": _CLOSE_INFO,
        "model_table": "incident",
        "short_description": "Make close info mandatory when resolved or closed",
        "conditions": "stateIN6,7^EQ",
    }


def _data_policy_rules() -> Rows:
    for field in ("close_code", "close_notes"):
        yield {
            "sys_id": sys_id_for("sys_data_policy_rule", "incident", field),
            "sys_data_policy": _CLOSE_INFO,
            "table": "incident",
            "field": field,
            "mandatory": "true",
        }


# Name and field of the metrics that come with incidents.
METRICS = (
    ("Incident State Duration", "incident_state"),
    ("Assigned to Duration", "assigned_to"),
    ("Assignment Group Duration", "assignment_group"),
    ("Open", "active"),
)


def _metrics() -> Rows:
    for name, field in METRICS:
        sys_id = sys_id_for("metric_definition", name)
        yield {"sys_id": sys_id, "name": name, "table": "incident", "field": field}


def _scripts() -> Rows:
    for rule in BUILT_IN:
        if not rule.pack:
            yield rule.as_row()
