# ruff: noqa: E501  one record a line reads best
"""Changes: the one of a developer instance that everybody's examples show, and six of our own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from wavetank.database.shipped import sys_id_for
from wavetank.database.store import Database
from wavetank.packs.base.people import group_id, user_id
from wavetank.packs.demo.items import item_id
from wavetank.packs.demo.times import FIRST_DAY, stamps, text
from wavetank.packs.writing import defaults

# number, what is changed, type, group, requested by, service, item, risk, state, close code, planned start (day), hours
_CHANGES = (
    ("CHG0000024", "Clear the BGP sessions of a Cisco router", "standard", "Network", "david.loo", "IT Services", "", "4", "3", "successful", 3, 1),
    ("CHG0040001", "Move the web front end to a new certificate", "standard", "Network", "david.loo", "IT Services", "lnux100", "4", "3", "successful_issues", 12, 2),
    ("CHG0040002", "Upgrade the Oracle database server", "normal", "Database", "don.goodliffe", "SAP Financial Accounting", "dbaix901nyc", "2", "3", "successful", 9, 6),
    ("CHG0040003", "Roll back the price feed", "emergency", "Software", "fred.luddy", "Bond Trading", "", "3", "3", "unsuccessful", 6, 1),
    ("CHG0040004", "Extend the address pool in Tokyo", "normal", "Network", "david.loo", "IT Services", "", "4", "-2", "", 24, 1),
    ("CHG0040005", "Replace the file server on the second floor", "normal", "Hardware", "beth.anglin", "IT Services", "FileServerFloor2", "3", "-5", "", 30, 8),
    ("CHG0040006", "Change the mail gateway", "normal", "Software", "luke.wilson", "Email", "OWA-SD-01", "2", "4", "", 20, 3),
)  # fmt: skip
_IDS = {"CHG0000024": "b0dbda5347c12200e0ef563dbb9a718f"}


def change_id(number: str) -> str:
    """The sys_id of a change of this pack."""
    return _IDS.get(number) or sys_id_for("change_request", number)


def load(database: Database) -> None:
    """Write the changes."""
    for change in _CHANGES:
        write_change(database, item_id, change_id(change[0]), *change)


def write_change(
    database: Database,
    item_id: Callable[[str], str],
    sys_id: str,
    number: str,
    says: str,
    kind: str,
    group: str,
    by: str,
    service: str,
    item: str,
    risk: str,
    state: str,
    close_code: str,
    day: int,
    hours: int,
) -> None:
    """Write one change; `item_id` gives the sys_id of a configuration item's name."""
    start = FIRST_DAY + timedelta(days=day, hours=9)
    end = start + timedelta(hours=hours)
    begun = start - timedelta(days=5)
    updated = end + timedelta(hours=1) if state == "3" else begun + timedelta(hours=3)
    over, done = state in {"3", "4"}, state == "3"
    row = {
        **defaults(database, "change_request"),
        "sys_id": sys_id,
        "number": number,
        "task_effective_number": number,
        "short_description": says,
        "type": kind,
        "requested_by": user_id(by),
        "opened_by": user_id(by),
        "opened_at": text(begun),
        "assignment_group": group_id(group),
        "business_service": item_id(service),
        "cmdb_ci": item_id(item) if item else "",
        "risk": risk,
        "state": state,
        "active": "false" if over else "true",
        "start_date": text(start),
        "end_date": text(end),
        "work_start": text(start) if done else "",
        "work_end": text(end) if done else "",
        "close_code": close_code,
        "close_notes": "Done as planned." if close_code == "successful" else "See the notes." if done else "",
        "closed_at": text(updated) if over else "",
        "closed_by": user_id(by) if over else "",
        **stamps(begun, by, 1, updated),
    }
    database.insert("change_request", row, system=False)
