"""GlideUser: the one who asks, as guarded script may read them; and the lists that filters name.

ServiceNow docs: "JavaScript APIs supported by guarded script", "Dynamic operators".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wavetank.database.expressions.context import Context
from wavetank.database.expressions.moments import NotAllowed
from wavetank.database.expressions.objects import Value, nth, text_of

_FIELDS = {
    "getCompanyID": "company",
    "getCountry": "country",
    "getDateFormat": "date_format",
    "getDepartmentID": "department",
    "getDisplayName": "name",
    "getDomainID": "sys_domain",
    "getDomainDisplayValue": "sys_domain",
    "getEmail": "email",
    "getFirstName": "first_name",
    "getFullName": "name",
    "getLanguage": "preferred_language",
    "getLastName": "last_name",
    "getLocation": "location",
    "getManagerID": "manager",
    "getMobileNumber": "mobile_phone",
    "getTimeFormat": "time_format",
    "getTitle": "title",
}
_ZONES = frozenset({"getTZ", "getTimeZoneLabel", "getTimeZoneLabelLang"})
_GROUPS = frozenset({"getMyGroups", "getMyExplicitGroups", "getMyGroupsExcludeAdmin"})
_MEMBER = frozenset({"isMemberOf", "isExplicitMemberOf"})
_FORMATS = {
    "getDateFormatEx": "date_format",
    "getDateTimeFormat": "",
    "getTimeFormatEx": "time_format",
}


class Record:
    """A GlideRecord that stands on one row, or on none."""

    kind = "GlideRecord"

    def __init__(self, context: Context, table: str, sys_id: str) -> None:
        self._row = context.first(table, sys_id=sys_id) if sys_id else {}
        known = context.rows.dictionary.table(table) if context.rows else None
        self._shown = known.display if known else "sys_id"

    def call(self, method: str, arguments: Sequence[Value]) -> Value:
        if method in {"isValid", "isValidRecord"}:
            return bool(self._row)
        if method in {"getUniqueValue", "toString"}:
            return self._row.get("sys_id", "")
        if method == "getDisplayValue":
            return self._row.get(self._shown, "")
        if method == "getValue":
            return self._row.get(text_of(nth(arguments, 0)), "")
        raise NotAllowed(f"GlideRecord.{method} is not allowed here")


class User:
    """The current user."""

    kind = "GlideUser"

    def __init__(self, context: Context) -> None:
        self._context = context

    def call(self, method: str, arguments: Sequence[Value]) -> Value:  # noqa: PLR0911  one return a group
        if method in _FIELDS:
            return self._row.get(_FIELDS[method], "")
        if method in _ZONES:
            return self._context.time_zone
        if method in _GROUPS:
            return [*self._context.groups()]
        if method in _MEMBER:
            return self._member(text_of(nth(arguments, 0)))
        if method in _FORMATS:
            return self._format(_FORMATS[method])
        if method == "getCompanyRecord":
            return Record(self._context, "core_company", self._row.get("company", ""))
        if method == "getManagedGroups":
            return [row["sys_id"] for row in self._context.find("sys_user_group", manager=self._context.user)]
        if method == "getManagerName":
            return self._context.first("sys_user", sys_id=self._row.get("manager", "")).get("name", "")
        if method == "getUserRoles":
            return [*sorted(self._context.roles)]
        if method == "toString":
            return self._context.user
        raise NotAllowed(f"GlideUser.{method} is not allowed here")

    @property
    def _row(self) -> dict[str, str]:
        return self._context.first("sys_user", sys_id=self._context.user)

    def _format(self, field: str) -> str:
        date = self._row.get("date_format") or "yyyy-MM-dd"
        time = self._row.get("time_format") or "HH:mm:ss"
        return {"date_format": date, "time_format": time}.get(field, f"{date} {time}")

    def _member(self, group: str) -> bool:
        held = set(self._context.groups())
        named = {row["sys_id"] for row in self._context.find("sys_user_group", name=group)}
        return group in held or bool(held & named)


def _stand_in(context: Context, kind: str) -> list[Value]:
    """The user, and those for whom the user stands in at present."""
    found: list[Value] = [context.user]
    for row in context.find("sys_user_delegate", delegate=context.user):
        begun = not row["starts"] or row["starts"] <= context.now
        over = bool(row["ends"]) and row["ends"] < context.now
        if begun and not over and row[kind] == "true":
            found.append(row["user"])
    return found


def _with_roles(context: Context) -> list[Value]:
    return [*dict.fromkeys(row["user"] for row in context.find("sys_user_has_role"))]


# Functions of the base system that filters may call by name.
LISTS: dict[str, Callable[[Context], list[Value]]] = {
    "getMyGroups": lambda context: [*context.groups()],
    "getMyAssignments": lambda context: _stand_in(context, "assignments"),
    "getMyApprovals": lambda context: _stand_in(context, "approvals"),
    "getRoledUsers": _with_roles,
}
