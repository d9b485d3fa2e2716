"""Security attributes: what a session is, said once and named by rules and data filters.

Only compound ones count there: conditions over roles, groups and other attributes, compound ones or those
that a script says true or false to (ServiceNow docs: "Compound Security Attributes", "Create Security
Attributes"; SDK docs: "Implementing Security Guide"). Attributes with other values are not built: what asks
for one of them is not met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wavetank.database.query import Condition, Query, parse
from wavetank.security.who import GUEST, Session

if TYPE_CHECKING:
    from wavetank.database.query.parse import Term
    from wavetank.instance import Instance

TABLE = "sys_security_attribute"
# Tables of which a change can give a session other attributes.
SOURCES = (TABLE, "sys_user_grmember", "sys_user_group", "sys_user_role")
COMPOUND = "compound"
AUTHENTICATED = "239bdf0c47d23110ba46ff58936d4330"  # UserIsAuthenticated: whoever has signed in
_BOOLEAN = frozenset({"boolean", "true|false"})
_DEEPEST = 8
_YES, _NO = "true", "false"


# Whether the script of an attribute says yes to a session; there is no record.
SaysYes = Callable[[str, Session], bool]


@dataclass(frozen=True, slots=True)
class Held:
    """The sys_ids of the active compound attributes that a session has. `moving`: ask again each time."""

    attributes: frozenset[str]
    moving: bool


def held(instance: Instance, session: Session, says_yes: SaysYes) -> Held:
    """What the session has now."""
    found = _Attributes(instance, session, says_yes)
    had = frozenset(sys_id for sys_id, row in found.rows.items() if found.has(row, 0))
    return Held(had, found.moving)


class _Attributes:
    def __init__(self, instance: Instance, session: Session, says_yes: SaysYes) -> None:
        self._instance = instance
        self._session = session
        self._says_yes = says_yes
        self.moving = False
        active = (row for row in instance.database.find(TABLE) if row["active"] != _NO)
        self.rows = {row["sys_id"]: row for row in active}
        self._named = {row["name"]: row for row in self.rows.values()}

    def has(self, row: Mapping[str, str], depth: int) -> bool:
        """Whether the session has a compound attribute."""
        if row["type"] != COMPOUND or depth > _DEEPEST:
            return False
        if row["sys_id"] == AUTHENTICATED:
            return GUEST not in self._session.roles
        query = parse(row["condition"])
        return not query.unparsed and not query.script and self._meets(query, depth)

    def _meets(self, query: Query, depth: int) -> bool:
        return any(
            bool(block) and all(any(self._true(term, depth) for term in group) for group in block)
            for block in query.blocks
        )

    def _true(self, term: Term, depth: int) -> bool:
        if not isinstance(term, Condition):
            return False
        wanted = [each.strip() for each in term.value.split(",")] if "IN" in term.operator else [term.value]
        match term.field.lower():
            case "role":
                found = any(self._has_role(each) for each in wanted)
            case "group":
                found = any(self._in_group(each) for each in wanted)
            case _:
                value = self._value(term.field, depth)
                if value is None:
                    return False
                found = (_YES if value else _NO) in wanted
        if term.operator in ("=", "IN"):
            return found
        return term.operator in ("!=", "NOT IN") and not found

    def _value(self, name: str, depth: int) -> bool | None:
        """What another attribute says; None for one that is not there or has another kind of value."""
        row = self._named.get(name)
        if row is None:
            return None
        if row["type"] == COMPOUND:
            return self.has(row, depth + 1)
        if row["type"] not in _BOOLEAN:
            return None
        self.moving = self.moving or row["is_dynamic"] == _YES
        return self._says_yes(row["script"], self._session)

    def _has_role(self, role: str) -> bool:
        row = self._instance.database.get("sys_user_role", role)
        return self._session.has_role(row["name"] if row else role)

    def _in_group(self, group: str) -> bool:
        mine = self._instance.groups_of(self._session.sys_id)
        row = self._instance.database.first("sys_user_group", name=group)
        return group in mine or (row is not None and row["sys_id"] in mine)
