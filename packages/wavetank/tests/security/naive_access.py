"""Access controls a second time, slowly: one row, one question, straight from the documents.

It shares nothing with the package. Sources: ServiceNow docs "Explore Access Control Lists", "ACL rule types",
"Deny-Unless ACL", "Evaluate the admin override at the access level", "Query ACLs".
"""

from dataclasses import dataclass, field

PARENTS = {"incident": "task", "problem": "task", "task": None}
# What a role check of an administrator does not imply.
NOT_IMPLIED = {"nobody"}


@dataclass(frozen=True)
class Control:
    """One access control as an administrator writes it."""

    name: str
    operation: str
    roles: tuple[str, ...] = ()
    attribute: str = ""  # "authenticated", "admin" or "missing"
    condition: str = ""
    applies_to: str = ""
    script: str = ""  # "true", or "first": whether the priority is 1
    overrides: bool = True
    deny: bool = False
    active: bool = True


@dataclass(frozen=True)
class Person:
    """Who asks."""

    roles: frozenset[str] = frozenset()
    signed_in: bool = True

    @property
    def admin(self):
        return "admin" in self.roles


@dataclass
class Judge:
    """An instance's controls and properties."""

    controls: list[Control]
    access_term: bool = True
    deny_mode: bool = False
    since_xanadu: bool = True
    tables: dict = field(default_factory=lambda: PARENTS)

    def may_use_table(self, who, operation, table, row):
        return self._gate(who, operation, [*self._line(table), "*"], row, wild="*")

    def may_use_field(self, who, operation, table, name, row):
        levels = self._field_levels(table, name)
        if operation == "create" and not self._spoken_of(operation, levels, row):
            denied = [c for c in self._controls(operation, levels, row) if c.deny]
            if not all(self._passes(who, c, denied, row) for c in denied):
                return False
            return self._gate(who, "write", levels, row)
        return self._gate(who, operation, levels, row)

    def may_query(self, who, operation, table, name):
        """True, False, or None where no control speaks of it. There is no row before a query."""
        levels = self._field_levels(table, name)
        over_table = [*self._line(table), "*"]
        table_ok = self._gate(who, operation, over_table, None, wild="*")
        field_ok = self._gate(who, operation, levels, None)
        if not table_ok or not field_ok:
            return False
        return True if self._controls(operation, levels, None) else None

    def _line(self, table):
        found = []
        while table:
            found.append(table)
            table = self.tables[table]
        return found

    def _field_levels(self, table, name):
        line = self._line(table)
        return [*(f"{t}.{name}" for t in line), f"*.{name}", *(f"{t}.*" for t in line), "*.*"]

    def _controls(self, operation, names, row):
        """The active ones on any of the names that apply to the row."""
        return [
            c
            for name in names
            for c in self.controls
            if c.active
            and c.operation == operation
            and c.name == name
            and _met(c.applies_to, row, exact=True)
        ]

    def _spoken_of(self, operation, levels, row):
        return any(not c.deny for c in self._controls(operation, levels, row))

    def _gate(self, who, operation, levels, row, wild=None):
        deny = [c for c in self._controls(operation, levels, row) if c.deny]
        for level in levels:
            here = [c for c in self._controls(operation, [level], row) if not c.deny]
            if not here:
                continue
            matching = [*deny, *here]
            if not all(self._passes(who, c, matching, row) for c in deny):
                return False
            if level == wild and self.deny_mode and not who.admin:
                return False
            return any(self._passes(who, c, matching, row) for c in here)
        return all(self._passes(who, c, deny, row) for c in deny)

    def _passes(self, who, control, matching, row):
        if "nobody" in control.roles and not who.roles & set(control.roles):
            return False
        if who.admin and control.overrides and (self.access_term or all(c.overrides for c in matching)):
            return True
        if control.roles and not any(self._has(who, role) for role in control.roles):
            return False
        asks = control.roles or control.attribute or control.condition or control.script
        if self.since_xanadu and (not asks or control.attribute == "missing" or control.script == "true"):
            return False
        if control.attribute == "missing":
            return False
        if control.attribute == "authenticated" and not who.signed_in:
            return False
        if control.attribute == "admin" and not who.admin:
            return False
        if control.script == "first" and row is not None and row.get("priority", "") != "1":
            return False
        return _met(control.condition, row)

    def _has(self, who, role):
        return role in who.roles or (who.admin and role not in NOT_IMPLIED)


def _met(condition, row, exact=False):
    """A condition of terms `field=value` and `fieldISEMPTY`, joined by ^ and ^OR; before a query it is met."""
    if not condition or row is None:
        return True
    groups = []
    for term in condition.split("^"):
        if term.startswith("OR"):
            groups[-1].append(term[2:])
        else:
            groups.append([term])
    return all(any(_true(term, row, exact) for term in group) for group in groups)


def _true(term, row, exact):
    if term.endswith("ISEMPTY"):
        return row.get(term.removesuffix("ISEMPTY"), "") == ""
    name, _, value = term.partition("=")
    held = row.get(name, "")
    return held == value if exact else held.lower() == value.lower()
