"""Services, servers and what else a developer instance has in its CMDB; how some of it hangs together.

Names and sys_ids as public recordings and scripts show them, some in one place only. The class of an item is
known for the services and the Linux, AIX and UNIX servers, and ours for the rest.
"""

from __future__ import annotations

from wavetank.database.shipped import sys_id_for
from wavetank.database.store import Database
from wavetank.packs.base.items import relation_id
from wavetank.packs.base.people import company_id, department_id, location_id
from wavetank.packs.writing import Rows, write

# class, sys_id, name, place
_ITEMS = (
    ("cmdb_ci_service", "27d32778c0a8000b00db970eeaa60f16", "Email", ""),
    ("cmdb_ci_service", "451047c6c0a8016400de0ae6df9b9d76", "Bond Trading", ""),
    ("cmdb_ci_service", "28c2c50cc0a8000b001c50f77c1cdf47", "E-Commerce", ""),
    ("cmdb_ci_service", "d278f28f933a31003b4bb095e57ffb8a", "Jobvite Enterprise Recruitment Services", ""),
    ("cmdb_ci_service", "6a78f28f933a31003b4bb095e57ffb8a", "Workday Enterprise Services", ""),
    ("cmdb_ci_service", "28c1db1dc0a8000b001224d1cdaf1425", "Retail POS (Point of Sale)", ""),
    ("cmdb_ci_service", "2fd0eab90a0a0bb40061cf732d32967c", "PeopleSoft Governance", ""),
    ("cmdb_ci_service", "2fd114e10a0a0bb400f07732a4131e72", "PeopleSoft Reporting", ""),
    ("cmdb_ci_service", "26da329f0a0a0bb400f69d8159bc753d", "SAP Enterprise Services", ""),
    ("cmdb_ci_service", "26e44e8a0a0a0bb40095ff953f9ee520", "SAP Materials Management", ""),
    ("cmdb_ci_service", "26e46e5b0a0a0bb4005d1146846c429c", "SAP Controlling", ""),
    ("cmdb_ci_service", "26e494480a0a0bb400ad175538708ad9", "SAP Sales and Distribution", ""),
    ("cmdb_ci_service", "26e540d80a0a0bb400660482030d04d8", "SAP Payroll", ""),
    ("cmdb_ci_service", "", "IT Services", ""),
    ("cmdb_ci_service", "", "SAP Financial Accounting", ""),
    ("service_offering", "", "Email (gold)", ""),
    ("cmdb_ci_appl", "a9c0c8d2c6112276018f7705562f9cb0", "Sales Force Automation", ""),
    ("cmdb_ci_db_instance", "55c3578bc0a8010e0117f727897d0011", "bond_trade_ny", "New York"),
    ("cmdb_ci_db_instance", "60ca3062c0a8010e0145c47fe9f3dc12", "lawson_db_100", ""),
    ("cmdb_ci_app_server", "60cbab5ec0a8010e00b68ab75d1caa93", "lawson_app_100", ""),
    ("cmdb_ci_app_server", "3a70f789c0a8ce010091b0ea635b982a", "SAP AppSRV01", ""),
    ("cmdb_ci_app_server", "3a726a31c0a8ce0100902bd28760693f", "SAP AppSRV02", ""),
    ("cmdb_ci_web_server", "3a27f1520a0a0bb400ecd6ff7afcf036", "PS Apache02", ""),
    ("cmdb_ci_web_server", "827b692d0ad337021abb72d3737ff401", "Webserver FLX", ""),
    ("cmdb_ci_lb", "3a172e820a0a0bb40034228e9f65f1be", "PS LoadBal01", ""),
    ("cmdb_ci_lb", "3a6b9e16c0a8ce0100e154dd7e6353c2", "SAP LoadBal01", ""),
    ("cmdb_ci_lb", "3a6bc0d9c0a8ce01004a1b154049d4d2", "SAP LoadBal02", ""),
    ("cmdb_ci_netgear", "55b35562c0a8010e01cff22378e0aea9", "ny8500-nbxs08", "New York"),
    ("cmdb_ci_linux_server", "53958ff0c0a801640171ec76aa0c8f86", "lnux100", "San Diego"),
    ("cmdb_ci_linux_server", "539747cac0a801640163e60735fbbf6e", "lnux101", "San Diego"),
    ("cmdb_ci_linux_server", "3a290cc60a0a0bb400000bdb386af1cf", "PS LinuxApp01", ""),
    ("cmdb_ci_linux_server", "3a5dd3dbc0a8ce0100655f1ec66ed42c", "PS LinuxApp02", ""),
    ("cmdb_ci_aix_server", "5f7dfd9cc0a8010e00ab58006f14bdc5", "dbaix900nyc", "New York"),
    ("cmdb_ci_aix_server", "5f9b83bfc0a8010e005a2b3212c9dc07", "dbaix901nyc", "New York"),
    ("cmdb_ci_aix_server", "5f9ba346c0a8010e00158183aaa1eb24", "dbaix902nyc", "New York"),
    ("cmdb_ci_unix_server", "5397819bc0a8016400e2f02aa9444989", "unix200", "San Diego"),
    ("cmdb_ci_unix_server", "53979c53c0a801640116ad2044643fb2", "unix201", "San Diego"),
    ("cmdb_ci_win_server", "27e3a47cc0a8000b001d28ab291fa65b", "OWA-SD-01", "San Diego"),
    ("cmdb_ci_win_server", "4014825d0a0a0b9b00c4db61928034b9", "SAP-SD-01", "San Diego"),
    ("cmdb_ci_win_server", "4014a3010a0a0b9b007e8c84ff4d4abe", "SAP-SD-02", "San Diego"),
    ("cmdb_ci_win_server", "4014bc1c0a0a0b9b008781123ff5a5e3", "SAP-SD-03", "San Diego"),
    ("cmdb_ci_win_server", "4014e8100a0a0b9b001e4215e2ee505e", "SAP-NY-02", "New York"),
    ("cmdb_ci_win_server", "27eabc4bc0a8000b0089fd512b3e8934", "INSIGHT-NY-03", "New York"),
    ("cmdb_ci_esx_server", "27e52cc8c0a8000b0067d0b66b8a66de", "VMWARE-SD-04", "San Diego"),
    ("cmdb_ci_esx_server", "27e59e75c0a8000b003b3fab4211d2c2", "VMWARE-SD-07", "San Diego"),
    ("cmdb_ci_server", "b0c25d1bc0a800090168be1bfcdcd759", "FileServerFloor2", "Santa Clara"),
    ("cmdb_ci_server", "b0c3437ac0a8000900433b8a412966aa", "FileServerFloor1", "Santa Clara"),
    ("cmdb_ci_server", "b0c4030ac0a800090152e7a4564ca36c", "MailServerUS", "Santa Clara"),
    ("cmdb_ci_server", "b0cb50c3c0a8000900893e69d3c5885e", "ApplicationServerPeopleSoft", "Santa Clara"),
    ("cmdb_ci_server", "b0ccabf1c0a80009001f14fd151d8df0", "ApplicationServerHelpdesk", "Santa Clara"),
    ("cmdb_ci_server", "b0cbf176c0a80009002b452bc33e2fc3", "DatabaseServer1", "Santa Clara"),
    ("cmdb_ci_server", "14a9e27bc61122750037b90c4d34da38", "DatabaseServer2", "Santa Clara"),
    ("cmdb_ci_mainframe", "3a63d606c611222500487ae00a5bf3b8", "AS400", ""),
    ("cmdb_ci_computer", "daa9a80d3790200044e0bfc8bcbe5dbe", 'MacBook Pro 17"', "London"),
    ("cmdb_ci_computer", "c6a9e40d3790200044e0bfc8bcbe5df6", 'MacBook Air 13"', "London"),
    ("cmdb_ci_computer", "22a9604d3790200044e0bfc8bcbe5dae", "Precision T5500 Workstation", "Amsterdam"),
)  # fmt: skip
# parent, type, child: what depends on what here is ours
_RELATED = (
    ("Email", "Depends on::Used by", "MailServerUS"),
    ("Email", "Depends on::Used by", "OWA-SD-01"),
    ("Bond Trading", "Depends on::Used by", "lnux100"),
    ("Bond Trading", "Depends on::Used by", "bond_trade_ny"),
    ("bond_trade_ny", "Runs on::Runs", "dbaix901nyc"),
    ("SAP Enterprise Services", "Contains::Contained by", "SAP Payroll"),
    ("SAP Enterprise Services", "Contains::Contained by", "SAP Controlling"),
    ("SAP Payroll", "Depends on::Used by", "SAP AppSRV01"),
    ("SAP AppSRV01", "Runs on::Runs", "SAP-SD-01"),
    ("PeopleSoft Governance", "Depends on::Used by", "PS LoadBal01"),
    ("PS LoadBal01", "Uses::Used by", "PS LinuxApp01"),
)
_IDS = {name: sys_id or sys_id_for("cmdb_ci", name) for _, sys_id, name, _ in _ITEMS}


def item_id(name: str) -> str:
    """The sys_id of a configuration item. Raises KeyError for a name this pack does not have."""
    return _IDS[name]


def load(database: Database) -> None:
    """Write the items, an asset for each computer, and the relationships."""
    for table, sys_id, name, place in _ITEMS:
        write(database, table, [_item(sys_id or _IDS[name], name, place)])
    write(database, "alm_hardware", _assets())
    write(database, "cmdb_rel_ci", _relations())


def _item(sys_id: str, name: str, place: str) -> dict[str, str]:
    return {
        "sys_id": sys_id,
        "name": name,
        "location": location_id(place) if place else "",
        "company": company_id("ACME North America"),
        "department": department_id("IT"),
    }


def _assets() -> Rows:
    computers = [(name, place) for table, _, name, place in _ITEMS if table == "cmdb_ci_computer"]
    for index, (name, place) in enumerate(computers):
        tag = f"P{1000001 + index}"
        yield {
            "sys_id": sys_id_for("alm_hardware", name),
            "asset_tag": tag,
            "display_name": f"{tag} - {name}",
            "ci": _IDS[name],
            "location": location_id(place),
            "company": company_id("ACME North America"),
            "department": department_id("IT"),
        }


def _relations() -> Rows:
    for parent, kind, child in _RELATED:
        yield {
            "sys_id": sys_id_for("cmdb_rel_ci", parent, kind, child),
            "parent": _IDS[parent],
            "type": relation_id(kind),
            "child": _IDS[child],
        }
