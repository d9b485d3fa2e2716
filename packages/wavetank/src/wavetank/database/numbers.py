"""Numbers of records: `sys_number` says the prefix and the digits, `sys_number_counter` how far it got.

A number once drawn is gone, also when the insert is then refused (ServiceNow docs: "Prevent numbering
gaps"); the caller therefore draws before its transaction begins.
"""

from __future__ import annotations

from wavetank.database.store import Database


def next_number(database: Database, table: str) -> str:
    """Draw the next number of a table, such as INC0010001; "" when nothing numbers it."""
    for name in database.dictionary.hierarchy(table):
        rule = database.first("sys_number", category=name)
        if rule is not None:
            return rule["prefix"] + str(_draw(database, name, rule["number"])).zfill(
                int(rule["maximum_digits"] or 7)
            )
    return ""


def _draw(database: Database, table: str, start: str) -> int:
    counter = database.first("sys_number_counter", table=table)
    if counter is None:
        drawn = int(start or 1000) + 1
        database.insert("sys_number_counter", {"table": table, "number": str(drawn)})
        return drawn
    drawn = int(counter["number"] or start or 1000) + 1
    database.update("sys_number_counter", counter["sys_id"], {"number": str(drawn)}, system=False)
    return drawn
