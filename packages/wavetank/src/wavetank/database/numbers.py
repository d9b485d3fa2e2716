"""Numbers of records: `sys_number` says the prefix and the digits, `sys_number_counter` how far it got.

A number once drawn is gone, also when the insert is then refused (ServiceNow docs: "Prevent numbering
gaps"); the caller therefore draws before its transaction begins.
"""

from __future__ import annotations

from wavetank.database.store import Database, Row

RULES, COUNTERS = "sys_number", "sys_number_counter"
MOST_DIGITS = 40


class Numbers:
    """The number series of an instance."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rules: dict[str, Row | None] = {}
        self._counters: tuple[int, dict[str, Row]] = (-1, {})

    def draw(self, table: str) -> str:
        """The next number of a table, such as INC0010001; "" when nothing numbers it."""
        rule = self._rule(table)
        if rule is None:
            return ""
        digits = min(_count(rule["maximum_digits"], 7), MOST_DIGITS)
        return rule["prefix"] + str(self._draw(rule)).zfill(digits)

    def forget(self) -> None:
        """Rows of sys_number have changed."""
        self._rules = {}

    def _rule(self, table: str) -> Row | None:
        """The series of the nearest class that has one."""
        if table not in self._rules:
            above = self._database.dictionary.hierarchy(table)
            found = (self._database.first(RULES, category=name) for name in above)
            self._rules[table] = next((rule for rule in found if rule), None)
        return self._rules[table]

    def _draw(self, rule: Row) -> int:
        database, table = self._database, rule["category"]
        if self._counters[0] != database.revision(COUNTERS):
            self._counters = (-1, {row["table"]: row for row in database.find(COUNTERS)})
        counters = self._counters[1]
        counter = counters.get(table)
        start = _count(rule["number"], 1000)
        drawn = (_count(counter["number"], start) if counter else start) + 1
        if counter is None:
            counters[table] = database.insert(COUNTERS, {"table": table, "number": str(drawn)})
        else:
            moved = {"number": str(drawn)}
            counters[table] = database.update(COUNTERS, counter["sys_id"], moved, system=False)
        self._counters = (database.revision(COUNTERS), counters)
        return drawn


def _count(text: str, otherwise: int) -> int:
    """A stored whole number; `otherwise` for what is none."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else otherwise
