"""Rows that the tests of this package count on: a few items, incidents and changes, all invented."""

from __future__ import annotations

from datetime import timedelta

from wavetank.database.shipped import sys_id_for
from wavetank.database.store import Database
from wavetank.packs.base.behaviour import MATRIX
from wavetank.packs.base.people import department_id, group_id, location_id, user_id
from wavetank.packs.demo.changes import write_change
from wavetank.packs.demo.times import FIRST_DAY, stamps, text
from wavetank.packs.writing import defaults

# class, name, short description, location
_ITEMS = (
    ("cmdb_ci_service", "Email", "Company mail", ""),
    ("cmdb_ci_service", "SAP Financial Accounting", "Ledger and invoices", ""),
    ("cmdb_ci_service", "Bond Trading", "Trading desk", ""),
    ("cmdb_ci_service", "IT Services", "Everything the IT department runs", ""),
    ("cmdb_ci_linux_server", "lnux100", "Web front end", "San Diego"),
    ("cmdb_ci_linux_server", "lnux101", "Web front end", "San Diego"),
    ("cmdb_ci_linux_server", "dbaix901nyc", "Oracle database server", "New York"),
    ("cmdb_ci_win_server", "owa-sd-01", "Outlook web access", "San Diego"),
    ("cmdb_ci_win_server", "file-ams-02", "File server", "Amsterdam"),
    ("cmdb_ci_computer", "LAP-0193 Lenovo", "Laptop", "London"),
    ("cmdb_ci_appl", "Webmail client", "Browser mail", ""),
    ("service_offering", "Email (gold)", "Mail with fast repair", ""),
)

# what happened, caller, group, category, subcategory, impact, urgency, state, item
_INCIDENTS = (
    ("VPN drops every ten minutes from the London office", "abel.tuter", "Network", "network", "vpn", "2", "2", "2", ""),
    ("Cannot read mail in the browser", "employee", "Software", "software", "email", "2", "1", "2", "owa-sd-01"),
    ("Laptop does not wake up after an update", "natasha.ingram", "Hardware", "hardware", "", "3", "2", "1", "LAP-0193 Lenovo"),
    ("Ledger posting is very slow at month end", "natasha.ingram", "Database", "database", "oracle", "1", "2", "2", "dbaix901nyc"),
    ("New starter needs a headset", "bow.ruggeri", "Service Desk", "inquiry", "", "3", "3", "1", ""),
    ("Wireless printer on floor 3 unreachable", "abraham.lincoln", "Network", "network", "wireless", "3", "3", "3", ""),
    ("Trading desk shows stale prices", "abel.tuter", "Software", "software", "", "1", "1", "2", ""),
    ("Shared folder asks for a password again and again", "charlie.whitherspoon", "Service Desk", "inquiry", "", "3", "2", "6", "file-ams-02"),
    ("Monitor flickers", "bow.ruggeri", "Hardware", "hardware", "monitor", "3", "3", "7", ""),
    ("Name resolution fails for the intranet", "david.dan", "Network", "network", "dns", "1", "1", "6", ""),
    ("Disk is 95 % full on the file server", "luke.wilson", "Hardware", "hardware", "disk", "2", "2", "6", "file-ams-02"),
    ("Invoice run stopped with an error", "employee", "Database", "database", "sql server", "2", "1", "7", ""),
    ("Cannot install the signing tool", "charlie.whitherspoon", "Software", "software", "os", "3", "3", "8", ""),
    ("Web front end answers with 502", "beth.anglin", "Software", "software", "", "1", "1", "7", "lnux100"),
    ("Antivirus quarantined a spreadsheet", "abraham.lincoln", "Service Desk", "inquiry", "antivirus", "3", "2", "2", ""),
    ("Conference phone has no dial tone", "survey.user", "Hardware", "hardware", "", "3", "3", "1", ""),
    ("Address pool exhausted in Tokyo", "david.loo", "Network", "network", "dhcp", "2", "2", "3", ""),
    ("Payroll report shows last month", "natasha.ingram", "Database", "database", "oracle", "2", "3", "2", ""),
    ("Mail arrives an hour late", "employee", "Software", "software", "email", "2", "2", "1", ""),
    ("Badge reader rejects contractors", "bow.ruggeri", "Service Desk", "inquiry", "", "2", "2", "2", ""),
)  # fmt: skip

# what is changed, type, group, requested by, service, item, risk, state, close code, planned start (day), hours
_CHANGES = (
    ("Move the web front end to a new certificate", "standard", "Network", "david.loo", "IT Services", "lnux100", "4", "3", "successful_issues", 12, 2),
    ("Upgrade the Oracle database server", "normal", "Database", "don.goodliffe", "SAP Financial Accounting", "dbaix901nyc", "2", "3", "successful", 9, 6),
    ("Roll back the price feed", "emergency", "Software", "fred.luddy", "Bond Trading", "", "3", "3", "unsuccessful", 6, 1),
    ("Extend the address pool in Tokyo", "normal", "Network", "david.loo", "IT Services", "", "4", "-2", "", 24, 1),
    ("Replace the file server in Amsterdam", "normal", "Hardware", "beth.anglin", "IT Services", "file-ams-02", "3", "-5", "", 30, 8),
    ("Change the mail gateway", "normal", "Software", "luke.wilson", "Email", "owa-sd-01", "2", "4", "", 20, 3),
)  # fmt: skip
# incident (by its place): the change that caused it, the change that mends it
_LINKED = {13: (0, None), 6: (None, 2), 16: (None, 3)}


def load(database: Database) -> None:
    """Write them over the base pack."""
    database.update("sys_user", user_id("employee"), {"user_name": "joe.employee"}, system=False)
    for table, name, says, place in _ITEMS:
        database.insert(
            table,
            {
                "sys_id": item_id(name),
                "name": name,
                "short_description": says,
                "location": location_id(place) if place else "",
                "operational_status": "1",
                "install_status": "1",
                "department": department_id("IT"),
                **stamps(FIRST_DAY - timedelta(days=300), "admin", 0, FIRST_DAY - timedelta(days=300)),
            },
            system=False,
        )
    for index, incident in enumerate(_INCIDENTS):
        _incident(database, index, *incident)
    for index, change in enumerate(_CHANGES):
        write_change(database, item_id, _change_id(index), f"CHG{index + 1:07d}", *change)
    for index, (cause, cure) in _LINKED.items():
        linked = {"caused_by": cause, "rfc": cure}
        values = {name: _change_id(change) for name, change in linked.items() if change is not None}
        database.update("incident", sys_id_for("incident", f"INC{index + 1:07d}"), values, system=False)


def item_id(name: str) -> str:
    """The sys_id of a configuration item of the sample."""
    return sys_id_for("cmdb_ci", name)


def _incident(
    database: Database,
    index: int,
    says: str,
    caller: str,
    group: str,
    category: str,
    subcategory: str,
    impact: str,
    urgency: str,
    state: str,
    item: str,
) -> None:
    opened = FIRST_DAY + timedelta(days=index, minutes=17 * index)
    updated = opened + timedelta(hours=2 + index)
    number = f"INC{index + 1:07d}"
    over = state in {"6", "7"}
    row = {
        **defaults(database, "incident"),
        "sys_id": sys_id_for("incident", number),
        "number": number,
        "task_effective_number": number,
        "short_description": says,
        "description": f"{says}. Reported by phone.",
        "caller_id": user_id(caller),
        "opened_by": user_id("beth.anglin"),
        "opened_at": text(opened),
        "assignment_group": group_id(group),
        "category": category,
        "subcategory": subcategory,
        "contact_type": "phone",
        "impact": impact,
        "urgency": urgency,
        "priority": MATRIX[impact, urgency],
        "state": state,
        "incident_state": state,
        "hold_reason": "1" if state == "3" else "",
        "active": "false" if state in {"7", "8"} else "true",
        "close_code": "Solution provided" if over else "",
        "close_notes": "Fixed and confirmed by the caller." if over else "",
        "resolved_at": text(updated) if over else "",
        "resolved_by": user_id("beth.anglin") if over else "",
        "closed_at": text(updated) if state == "7" else "",
        "closed_by": user_id("beth.anglin") if state == "7" else "",
        "cmdb_ci": item_id(item) if item else "",
        **stamps(opened, "beth.anglin", 1, updated),
    }
    database.insert("incident", row, system=False)


def _change_id(index: int) -> str:
    return sys_id_for("change_request", f"CHG{index + 1:07d}")
