# ruff: noqa: E501  one record a line reads best
"""The problems of a developer instance."""

from __future__ import annotations

from datetime import timedelta

from wavetank.database.store import Database
from wavetank.packs.base.behaviour import MATRIX
from wavetank.packs.base.people import group_id, user_id
from wavetank.packs.demo.items import item_id
from wavetank.packs.demo.times import opened, stamps, text
from wavetank.packs.writing import defaults

# number, sys_id, what is wrong, state, impact, urgency, group, item
_PROBLEMS = (
    ("PRB0000002", "9d3d3b85c61122870138f3d1472bba01", "The file server on the second floor runs out of space", "103", "2", "2", "Hardware", "FileServerFloor2"),
    ("PRB0000004", "471a5450a9fe198101f2054169e75bf4", "Starts only while the shift key is held", "102", "3", "3", "Hardware", ""),
    ("PRB0000006", "a9e4890bc6112276003d7a5a5c774a74", "The SFA software is out of reach", "102", "1", "3", "Software", "Sales Force Automation"),
    ("PRB0000007", "9d3a266ac6112287004e37fb2ceb0133", "A router is down", "103", "1", "1", "Network", ""),
    ("PRB0000010", "9d4f87a3c6112287010ed0a5ccdcba04", "Oracle is down", "104", "1", "2", "Database", "DatabaseServer1"),
    ("PRB0000029", "0518c160c0a801660073dc0189282aaf", "Reports of the day arrive late", "107", "3", "3", "Software", ""),
    ("PRB0000032", "05147c3ec0a8016600da5b1a92269b3d", "Print jobs stay in the queue", "107", "3", "3", "Hardware", ""),
    ("PRB0000050", "04ce72c9c0a8016600b5b7f75ac67b5b", "A switch drops connections now and then", "104", "3", "3", "Network", "ny8500-nbxs08"),
    ("PRB0000051", "05001913c0a8016600161851785e5219", "The Exchange server fails", "103", "1", "1", "Software", "MailServerUS"),
    ("PRB0000053", "05164252c0a80166006452a56ccd08a9", "Sessions end without a warning", "107", "2", "3", "Network", ""),
    ("PRB0001000", "9ae30b6d730123002728660c4cf6a736", "No connection to the VPN", "101", "3", "3", "Network", ""),
    ("PRB0001001", "a1e0f770734123002728660c4cf6a745", "No internet through the modem", "101", "3", "3", "Network", ""),
    ("PRB0001002", "6632130c730123002728660c4cf6a734", "No connection to the wireless network", "101", "3", "3", "Network", ""),
    ("PRB0007601", "62304320731823002728660c4cf6a7e8", "Emails are neither sent nor received", "102", "2", "2", "Software", "Email"),
)  # fmt: skip
_IDS = {number: sys_id for number, sys_id, *_ in _PROBLEMS}


def problem_id(number: str) -> str:
    """The sys_id of a problem of this pack. Raises KeyError for a number it does not have."""
    return _IDS[number]


def load(database: Database) -> None:
    """Write the problems."""
    start = defaults(database, "problem")
    for index, (number, sys_id, says, state, impact, urgency, group, item) in enumerate(_PROBLEMS):
        begun = opened(index)
        updated = begun + timedelta(hours=5)
        over = state == "107"
        row = {
            **start,
            "sys_id": sys_id,
            "number": number,
            "task_effective_number": number,
            "short_description": says,
            "state": state,
            "problem_state": state,
            "active": "false" if over else "true",
            "impact": impact,
            "urgency": urgency,
            "priority": MATRIX[impact, urgency],
            "assignment_group": group_id(group),
            "assigned_to": user_id("problem.coordinator.a") if state != "101" else "",
            "cmdb_ci": item_id(item) if item else "",
            "opened_at": text(begun),
            "opened_by": user_id("problem.manager"),
            "resolution_code": "fix_applied" if over else "",
            "resolved_at": text(updated) if over else "",
            "resolved_by": user_id("problem.coordinator.a") if over else "",
            "closed_at": text(updated) if over else "",
            "closed_by": user_id("problem.manager") if over else "",
            "close_notes": "The fix holds." if over else "",
            **stamps(begun, "problem.manager", 1, updated),
        }
        database.insert("problem", row, system=False)
