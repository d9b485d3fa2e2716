"""What encoded queries find in rows: the options of `is (dynamic)` and the record hierarchies.

ServiceNow docs: "Dynamic operators", "Operators available for filters and queries", "Building hierarchical
queries". Two sys_ids of "Me" and the one of the manager hierarchy are in those pages; the one of
"One of My Groups" is in access controls that ServiceNow publishes. The others are our own.
"""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.database.shipped import sys_id_for
from wavetank.packs.writing import Rows

MY_GROUPS = "d6435e965f510100a9ad2572f2b47744"
MANAGERS = "fdd0fa0f93f5d2505bd0bd886cba1015"

# sys_id, label, what computes it, the table of the values
_OPTIONS = (
    ("90d1921e5f510100a9ad2572f2b477fe", "Me", "gs.getUserID()", "sys_user"),
    ("54635e965f510100a9ad2572f2b4774c", "Me", "gs.getUserID()", "sys_user"),
    (MY_GROUPS, "One of My Groups", "getMyGroups()", "sys_user_group"),
    ("", "One of My Assignments", "getMyAssignments()", "sys_user"),
    ("", "One of My Approvals", "getMyApprovals()", "sys_user"),
    ("", "Users With Roles", "getRoledUsers()", "sys_user"),
    ("", "My Location", "gs.getUser().getLocation()", "cmn_location"),
    ("", "My Department", "gs.getUser().getDepartmentID()", "cmn_department"),
)
# sys_id, label, table, the reference to the record above
_HIERARCHIES = (
    ("", "Department Hierarchy", "cmn_department", "parent"),
    ("", "Location Hierarchy", "cmn_location", "parent"),
    (MANAGERS, "Manager Hierarchy", "sys_user", "manager"),
)


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "sys_filter_option_dynamic", _options()
    yield "sys_record_hierarchy", _hierarchies()


def _options() -> Rows:
    for place, (sys_id, label, script, table) in enumerate(_OPTIONS, 1):
        yield {
            "sys_id": sys_id or option_sys_id(label),
            "label": label,
            "script": script,
            "field_type": "reference",
            "table": table,
            "order": str(100 * place),
            "active": "true",
            "filter": "true",
        }


def _hierarchies() -> Rows:
    for sys_id, label, table, field in _HIERARCHIES:
        yield {
            "sys_id": sys_id or hierarchy_sys_id(label),
            "label": label,
            "name": label.lower().replace(" ", "_"),
            "table": table,
            "reference_field": field,
        }


def option_sys_id(label: str) -> str:
    """The sys_id of a dynamic option whose own is not documented."""
    return sys_id_for("sys_filter_option_dynamic", label)


def hierarchy_sys_id(label: str) -> str:
    """The sys_id of a record hierarchy whose own is not documented."""
    return sys_id_for("sys_record_hierarchy", label)
