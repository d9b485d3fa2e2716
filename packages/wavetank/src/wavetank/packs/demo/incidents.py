# ruff: noqa: E501  one record a line reads best
"""The incidents of a developer instance: numbers, sys_ids, states and people as recorded; texts and times ours.

Who called is recorded for a few; for the others it is who opened.
"""

from __future__ import annotations

from datetime import timedelta

from wavetank.database.store import Database
from wavetank.packs.base.behaviour import MATRIX
from wavetank.packs.base.people import group_id
from wavetank.packs.demo.changes import change_id
from wavetank.packs.demo.items import item_id
from wavetank.packs.demo.people import person_id
from wavetank.packs.demo.problems import problem_id
from wavetank.packs.demo.times import opened, stamps, text
from wavetank.packs.writing import defaults

# number, sys_id, what is wrong, state, on hold for, impact, urgency, category, subcategory, channel,
# opened by, group, assigned to, close code
_INCIDENTS = (
    ("INC0000001", "9c573169c611228700193229fff72400", "Email cannot be read", "7", "", "1", "1", "network", "", "", "employee", "Service Desk", "charlie.whitherspoon", "c"),
    ("INC0000002", "9d385017c611228701d22104cc95c371", "No access to the network file shares", "3", "4", "1", "1", "network", "", "", "employee", "Network", "howard.johnson", ""),
    ("INC0000003", "e8caedcbc0a80164017df472f39eaed1", "No wireless around my desk", "2", "", "1", "1", "network", "", "", "itil", "Network", "beth.anglin", ""),
    ("INC0000004", "9d3c1197c611228701cd1d94bc32d76d", "Email password forgotten", "7", "", "1", "1", "inquiry", "", "", "itil", "Service Desk", "bud.richman", "w"),
    ("INC0000005", "e8e875b0c0a80164009dc852b4d677d5", "CPU load high for ten minutes and more", "7", "", "1", "1", "hardware", "", "email", "admin", "Hardware", "bud.richman", "c"),
    ("INC0000006", "8d6246c7c0a80164012fb063cecd4ace", "Printing a VISIO document hangs", "7", "", "1", "1", "software", "", "", "guest", "Software", "howard.johnson", "c"),
    ("INC0000007", "8d6353eac0a8016400d8a125ca14fc1f", "Access needed to the sales DB of the West", "3", "1", "1", "1", "database", "", "", "employee", "", "david.loo", ""),
    ("INC0000008", "8d641046c0a80164000bc7c0d3ed46a0", "The printer in my office has no toner left", "7", "", "1", "1", "inquiry", "", "", "employee", "Hardware", "itil", "c"),
    ("INC0000009", "46b66a40a9fe198101f243dfbc79033d", "Password to be reset", "7", "", "1", "1", "inquiry", "", "phone", "don.goodliffe", "Service Desk", "david.loo", "c"),
    ("INC0000010", "46b9490da9fe1981003c938dab89bda3", "Oracle 10GR2 to be installed", "7", "", "2", "3", "database", "", "phone", "don.goodliffe", "Database", "don.goodliffe", "c"),
    ("INC0000011", "46c03489a9fe19810148cd5b8cbf501e", "A new Blackberry to be set up", "7", "", "2", "2", "inquiry", "", "phone", "don.goodliffe", "Hardware", "itil", "c"),
    ("INC0000012", "46c88ac1a9fe1981014de1c831fbcf6d", "A customer did not get an eFax", "7", "", "3", "3", "software", "", "phone", "bow.ruggeri", "Database", "david.loo", "c"),
    ("INC0000013", "46cebb88a9fe198101aee93734f9768b", "Email is slow with an attachment", "7", "", "1", "1", "inquiry", "", "phone", "don.goodliffe", "Software", "david.loo", "w"),
    ("INC0000014", "46e18c0fa9fe19810066a0083f76bd56", "My home directory is gone", "7", "", "1", "1", "inquiry", "", "phone", "admin", "", "bud.richman", "w"),
    ("INC0000015", "46e2fee9a9fe19810049b49dee0daf58", "VPN client does not start since the last update", "2", "", "1", "1", "software", "", "phone", "itil", "Software", "don.goodliffe", ""),
    ("INC0000016", "46e3e949a9fe19810069b824ba2c761a", "Rain drips on the main DNS server", "2", "", "1", "1", "hardware", "", "phone", "admin", "Hardware", "itil", ""),
    ("INC0000017", "46e482d9a9fe198101d3e3f3e2a14459", "How is a sub-folder made", "3", "1", "1", "1", "inquiry", "", "phone", "don.goodliffe", "Service Desk", "fred.luddy", ""),
    ("INC0000018", "46e57642a9fe1981000b96a5dca501ff", "The sales forecast spreadsheet is read only", "2", "", "1", "1", "", "", "phone", "admin", "", "itil", ""),
    ("INC0000019", "46e8219ba9fe1981013806b6e04fed06", "A 64-bit Windows 7 virtual machine does not start", "2", "", "2", "1", "software", "", "phone", "admin", "", "bud.richman", ""),
    ("INC0000020", "46edaa6aa9fe198101b9d14ced16619f", "My iPhone has to be replaced", "2", "", "3", "3", "inquiry", "", "phone", "david.loo", "", "itil", ""),
    ("INC0000021", "46ee0924a9fe198100f1cf78c198454a", "A new employee starts", "7", "", "3", "3", "inquiry", "", "phone", "david.loo", "", "beth.anglin", "c"),
    ("INC0000024", "46ee8c2fa9fe198100623592c70d643e", "A page of the wiki is broken", "7", "", "3", "3", "inquiry", "", "phone", "david.loo", "Service Desk", "itil", "c"),
    ("INC0000025", "46f09e75a9fe198100f4ffd8d366d17b", "The laptop needs more memory", "2", "", "1", "1", "hardware", "", "phone", "david.loo", "", "itil", ""),
    ("INC0000026", "46f1784ba9fe19810018aa27fbb23482", "Something is wrong with my hard drive", "7", "", "3", "3", "hardware", "", "phone", "rick.berzle", "Hardware", "don.goodliffe", "c"),
    ("INC0000027", "46f4f4dfa9fe198100063e60278f76ec", "The latest hotfix has to go from my PC", "2", "", "1", "2", "software", "", "phone", "david.loo", "", "itil", ""),
    ("INC0000028", "46f3ee0ea9fe198100c5c0e53d5abe0b", "My disk still fails: a file cannot be deleted", "7", "", "3", "3", "inquiry", "", "phone", "rick.berzle", "Service Desk", "don.goodliffe", "c"),
    ("INC0000029", "46f67787a9fe198101e06dfcf3a78e99", "The weather report does not come", "2", "", "3", "3", "inquiry", "", "phone", "david.loo", "Service Desk", "don.goodliffe", ""),
    ("INC0000030", "46f6ede0a9fe198100e10154c34a0c2a", "The wireless network lost me", "7", "", "3", "3", "hardware", "", "phone", "rick.berzle", "Network", "david.loo", "c"),
    ("INC0000031", "47064b68a9fe19810186793eefffc9b7", "Help with Remedy: can its UI be configured", "2", "", "1", "1", "inquiry", "", "phone", "don.goodliffe", "", "david.loo", ""),
    ("INC0000032", "47079b68a9fe198100a614a4c225c88d", "The email server is down once more", "7", "", "3", "3", "inquiry", "", "phone", "don.goodliffe", "Hardware", "david.loo", "c"),
    ("INC0000033", "470af5afa9fe198101b324dd773ef379", "The file server is 80 % full and needs an upgrade", "7", "", "1", "1", "inquiry", "", "phone", "david.loo", "Hardware", "don.goodliffe", "c"),
    ("INC0000034", "470d51a0a9fe1981006c20c825e48933", "No backup seems to have run last night", "7", "", "1", "1", "software", "", "phone", "don.goodliffe", "Software", "david.loo", "r"),
    ("INC0000035", "47138238a9fe1981016e3762d1fd26d4", "Password to be reset again", "7", "", "3", "3", "inquiry", "", "phone", "david.loo", "Service Desk", "luke.wilson", "c"),
    ("INC0000036", "4714a2aca9fe198100ecabacf6273482", "Trouble with the network", "7", "", "3", "3", "inquiry", "", "phone", "david.loo", "Network", "luke.wilson", "c"),
    ("INC0000037", "4715ab62a9fe1981018c3efb96143495", "A new service is wanted", "2", "", "1", "3", "inquiry", "", "phone", "david.loo", "Service Desk", "howard.johnson", ""),
    ("INC0000038", "4717dfe5a9fe198100450448b2404c16", "All my PDF documents are locked", "7", "", "2", "3", "software", "", "phone", "fred.luddy", "Service Desk", "luke.wilson", "c"),
    ("INC0000039", "471bfbc7a9fe198101e77a3e10e5d47f", "The mail server in Oregon is hard to reach", "1", "", "3", "3", "network", "", "phone", "bud.richman", "Network", "", ""),
    ("INC0000040", "471d4732a9fe198100affbf655e59172", "A JavaScript error on the hiring page", "3", "1", "2", "2", "inquiry", "", "phone", "admin", "", "itil", ""),
    ("INC0000041", "471eb058a9fe198100f89592e1ea93d3", "My desk phone is dead", "2", "", "1", "3", "hardware", "", "phone", "bow.ruggeri", "", "itil", ""),
    ("INC0000044", "47204688a9fe1981011a20af100f381a", "SAP login fails from my laptop", "2", "", "1", "2", "", "", "phone", "employee", "", "fred.luddy", ""),
    ("INC0000046", "a9e30c7dc61122760116894de7bcc7bd", "The SFA software is out of reach", "1", "", "1", "3", "software", "", "phone", "bud.richman", "Software", "", ""),
    ("INC0000047", "a9a16740c61122760004fe9095b7ddca", "Trouble with email", "2", "", "2", "2", "inquiry", "email", "phone", "employee", "Software", "beth.anglin", ""),
    ("INC0000048", "a9e428cac61122760075710592216c58", "The Sales Tools are slow", "3", "2", "2", "3", "", "", "phone", "luke.wilson", "", "itil", ""),
    ("INC0000049", "ef4225a40a0a0b5700d0b8a790747812", "Network storage is unavailable", "2", "", "2", "1", "network", "", "phone", "glide.maint", "Hardware", "don.goodliffe", ""),
    ("INC0000050", "ef43c6d40a0a0b5700c77f9bf387afe3", "Exchange does not answer: is it down", "2", "", "1", "1", "hardware", "", "phone", "glide.maint", "Hardware", "beth.anglin", ""),
    ("INC0000051", "d7158da0c0a8016700eef46c8d1f3661", "A manager cannot open SAP Controlling", "2", "", "1", "1", "software", "", "phone", "itil", "Software", "don.goodliffe", ""),
    ("INC0000052", "d7195138c0a8016700fd68449cfcd484", "SAP Financial Accounting seems to be down", "2", "", "1", "1", "software", "", "phone", "itil", "Software", "fred.luddy", ""),
    ("INC0000053", "d71b3b41c0a8016700a8ef040791e72a", "SAP HR cannot be opened", "2", "", "1", "1", "inquiry", "", "phone", "itil", "Software", "beth.anglin", ""),
    ("INC0000054", "d71da88ac0a801670061eabfe4b28f77", "SAP Materials Management is slow or out", "3", "1", "1", "1", "software", "", "phone", "itil", "Service Desk", "", ""),
    ("INC0000055", "d71f7935c0a8016700802b64c67c11c6", "SAP Sales cannot be opened", "2", "", "1", "1", "", "", "phone", "itil", "Service Desk", "beth.anglin", ""),
    ("INC0000057", "78271e1347c12200e0ef563dbb9a7109", "The wifi is slow", "1", "", "3", "3", "inquiry", "", "", "admin", "", "", ""),
    ("INC0000058", "965c9e5347c12200e0ef563dbb9a7156", "Email is slow", "1", "", "3", "3", "inquiry", "", "", "admin", "", "", ""),
    ("INC0000059", "85071a1347c12200e0ef563dbb9a71c1", "The team's file share cannot be opened", "1", "", "2", "2", "inquiry", "", "self-service", "admin", "", "", ""),
    ("INC0000060", "1c741bd70b2322007518478d83673af3", "No connection to email", "7", "", "2", "2", "inquiry", "email", "self-service", "employee", "Network", "david.loo", "p"),
    ("INC0000601", "9e7f9864532023004247ddeeff7b121f", "A USB port of my PC stopped working", "7", "", "3", "3", "hardware", "", "walk-in", "admin", "", "", "w"),
    ("INC0001990", "a2496c05731110107418660c4cf6a711", "Personal details cannot be opened in the payroll portal", "3", "3", "3", "3", "inquiry", "", "", "admin", "", "", ""),
    ("INC0007001", "f12ca184735123002728660c4cf6a7ef", "The application server of the employee payroll is down", "1", "", "1", "1", "hardware", "", "", "admin", "Openspace", "", ""),
    ("INC0007002", "ff4c21c4735123002728660c4cf6a758", "Access needed to the common drive", "1", "", "3", "2", "inquiry", "", "", "admin", "", "", ""),
    ("INC0008001", "0c5f3cece1b12010f877971dea0b1449", "ATF:TEST2", "1", "", "3", "3", "inquiry", "", "", "admin", "", "", ""),
    ("INC0008111", "a83820b58f723300e7e16c7827bdeed2", "ATF : Test1", "1", "", "3", "3", "inquiry", "", "", "admin", "", "", ""),
    ("INC0008112", "552c48888c033300964f4932b03eb092", "Assessment :  ATF Assessor", "1", "", "3", "3", "inquiry", "", "", "admin", "", "", ""),
    ("INC0009001", "a623cdb073a023002728660c4cf6a768", "Nothing can be posted on a wiki page", "1", "", "2", "2", "inquiry", "", "", "admin", "", "", ""),
    ("INC0009002", "1c832706732023002728660c4cf6a7b9", "My computer does not see the headphones", "7", "", "2", "2", "Hardware", "", "", "admin", "", "", "p"),
    ("INC0009003", "9fffc328731823002728660c4cf6a742", "The company portal app lets nobody sign in", "7", "", "2", "2", "inquiry", "", "", "admin", "", "", "w"),
    ("INC0009004", "e329de99731423002728660c4cf6a73c", "The defect tracking tool is down", "7", "", "3", "1", "software", "", "", "admin", "", "", "w"),
    ("INC0009005", "ed92e8d173d023002728660c4cf6a7bc", "The email server is down", "1", "", "1", "1", "software", "email", "", "admin", "", "", ""),
    ("INC0009009", "57af7aec73d423002728660c4cf6a71c", "The shared folder cannot be opened", "1", "", "3", "2", "inquiry", "", "", "admin", "", "", ""),
)  # fmt: skip
# The close codes of demo data are older than the list that new incidents choose from.
_CLOSED = {
    "c": "Closed/Resolved by Caller",
    "p": "Solved (Permanently)",
    "r": "Solved Remotely (Permanently)",
    "w": "Solved (Work Around)",
}
_CALLERS = {
    "INC0000001": "fred.luddy",
    "INC0000002": "fred.luddy",
    "INC0000009": "rick.berzle",
    "INC0000026": "rick.berzle",
    "INC0000046": "bud.richman",
    "INC0000050": "jerrod.bennett",
    "INC0000055": "carol.coughlin",
    "INC0009005": "david.miller",
}
_ITEMS = {
    "INC0000001": "MailServerUS",
    "INC0000002": "FileServerFloor2",
    "INC0000046": "Sales Force Automation",
    "INC0000051": "SAP Controlling",
    "INC0000054": "SAP Materials Management",
    "INC0000055": "SAP Sales and Distribution",
}
_PROBLEMS = {"INC0000001": "PRB0000007", "INC0000002": "PRB0000007", "INC0000046": "PRB0000006"}
# What a change caused and what a change is to mend: ours.
_CAUSED_BY = {"INC0000013": "CHG0040001"}
_MENDED_BY = {"INC0000033": "CHG0040005", "INC0000047": "CHG0040006"}
_PARENTS = {"INC0007002": "INC0007001"}
_IDS = {number: sys_id for number, sys_id, *_ in _INCIDENTS}


def load(database: Database) -> None:
    """Write the incidents."""
    start = defaults(database, "incident")
    for index, incident in enumerate(_INCIDENTS):
        database.insert("incident", {**start, **_row(index, *incident)}, system=False)


def _row(
    index: int,
    number: str,
    sys_id: str,
    says: str,
    state: str,
    hold_reason: str,
    impact: str,
    urgency: str,
    category: str,
    subcategory: str,
    channel: str,
    by: str,
    group: str,
    assigned: str,
    close_code: str,
) -> dict[str, str]:
    begun = opened(index)
    updated = begun + timedelta(hours=2 + index % 40)
    closed = state == "7"
    # glide.maint is no user of the instance: a reference to it leads nowhere, on a developer instance too.
    opener = person_id(by) if by != "glide.maint" else by
    caller = _CALLERS.get(number)
    row = {
        "sys_id": sys_id,
        "number": number,
        "task_effective_number": number,
        "short_description": says,
        "description": f"{says}.",
        "caller_id": person_id(caller) if caller else opener,
        "opened_by": opener,
        "opened_at": text(begun),
        "assignment_group": group_id(group) if group else "",
        "assigned_to": person_id(assigned) if assigned else "",
        "category": category,
        "subcategory": subcategory,
        "contact_type": channel,
        "impact": impact,
        "urgency": urgency,
        "priority": MATRIX[impact, urgency],
        "state": state,
        "incident_state": state,
        "hold_reason": hold_reason,
        "active": "false" if closed else "true",
        "parent_incident": _IDS[_PARENTS[number]] if number in _PARENTS else "",
        "cmdb_ci": item_id(_ITEMS[number]) if number in _ITEMS else "",
        "problem_id": problem_id(_PROBLEMS[number]) if number in _PROBLEMS else "",
        "caused_by": change_id(_CAUSED_BY[number]) if number in _CAUSED_BY else "",
        "rfc": change_id(_MENDED_BY[number]) if number in _MENDED_BY else "",
        **stamps(begun, by, 1, updated),
    }
    if closed:
        row |= {
            "close_code": _CLOSED[close_code],
            "close_notes": "Solved before notes were asked for.",
            "resolved_at": text(updated),
            "resolved_by": person_id("admin"),
            "closed_at": text(updated),
            "closed_by": person_id("don.goodliffe"),
        }
    return row
