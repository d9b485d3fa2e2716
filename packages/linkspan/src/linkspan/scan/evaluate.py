"""One definition on one instance: what it finds, or why that cannot be told.

An empty answer is the commonest sign of a missing permission (rows are filtered by access controls
after the query), so nothing is called clean before the table and every field the definition goes by
have been seen, and before as many rows came as the instance counted. A term with an unknown field
is dropped by the platform and would match everything; seeing the fields first excludes that too
(ServiceNow docs: Table API; Available system properties, glide.invalid_query.returns_no_rows).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from linkspan.connection import Connection
from linkspan.core import clock, query
from linkspan.core.errors import NotAuthorized, NotFound, Rejected
from linkspan.scan.definitions import Definition, Verdict
from linkspan.scan.script import matching_lines

MOST_FINDINGS = 200
_SAMPLE = 20
_GRANT_FIELDS = ("user", "user.user_name", "role.name")
_PAGE = 1000
_SCRIPT_PAGE = 100
_TERM_FIELD = re.compile(r"(?:^|\^)(?:NQ|OR)?([a-z_][a-z0-9_.]*)")
_DAYS_AGO = re.compile(r"\{days_ago:(\d+)\}")

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ScanFinding:
    """One thing found. ``display`` names it the same way on every instance; sys_ids differ there."""

    table: str
    sys_id: str
    display: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one definition came to. ``count`` is how many there are, ``findings`` those that are kept.

    ``reason`` tells why the verdict is unknown, or that a found one may be incomplete.
    """

    verdict: Verdict
    count: int = 0
    findings: tuple[ScanFinding, ...] = ()
    reason: str = ""


class Evaluator:
    """Asks one instance; what was learned of a table serves every definition."""

    def __init__(self, line: Connection, definitions: Sequence[Definition]) -> None:
        self._line = line
        self._definitions = definitions
        self._seen: dict[str, frozenset[str] | str] = {}
        self._properties: dict[str, tuple[str, str]] | str | None = None
        self._hidden_properties = False

    def evaluate(self, definition: Definition) -> Outcome:
        """The outcome of one definition. Raises errors of the line that are not about permission."""
        if definition.kind == "property":
            return self._property(definition)
        table = definition.table or "sys_user_has_role"
        problem = self._blind(table, fields_of(definition))
        if problem:
            return Outcome(verdict="unknown", reason=problem)
        try:
            if definition.kind == "roles":
                return self._roles(definition)
            return self._rows(definition)
        except (NotAuthorized, NotFound, Rejected) as error:
            return Outcome(verdict="unknown", reason=error.cause)

    def _rows(self, definition: Definition) -> Outcome:
        """Records, each a scan finding, or scripts, each one that matches."""
        text = moment(definition.query)
        total = self._line.table.page(definition.table, query=text, fields=("sys_id",), limit=1).total
        if total == 0:
            return Outcome(verdict="clean")
        size = _SCRIPT_PAGE if definition.kind == "script" else _PAGE
        seen, found = 0, 0
        kept: list[ScanFinding] = []
        for page in self._line.table.keyset(
            definition.table, query=text, fields=("sys_id", *fields_of(definition)), page_size=size
        ):
            for row in page:
                seen += 1
                finding = _finding(definition, row)
                if finding is not None:
                    found += 1
                    kept += [finding] if len(kept) < MOST_FINDINGS else []
            if definition.kind == "records" and len(kept) == MOST_FINDINGS:
                break  # the count is known; nothing is gained from the rest
        whole = definition.kind == "records" and len(kept) == MOST_FINDINGS
        return _judged(kept, count=(total or found) if whole else found, hidden=_hidden(total, seen, whole))

    def _roles(self, definition: Definition) -> Outcome:
        """Holders of roles: one finding each, or one for each crowded role."""
        named = query.one_of("role.name", definition.roles) if definition.roles else ""
        text = query.restrict(moment(definition.query), query.all_of(named, "state!=inactive"))
        total = self._line.table.page("sys_user_has_role", query=text, fields=("sys_id",), limit=1).total
        if total == 0:
            return Outcome(verdict="clean")
        rows = [
            row
            for page in self._line.table.keyset("sys_user_has_role", query=text, fields=_GRANT_FIELDS)
            for row in page
        ]
        findings = list(_crowds(definition, rows) if definition.most is not None else _holders(rows))
        return _judged(
            findings[:MOST_FINDINGS], count=len(findings), hidden=_hidden(total, len(rows), whole=False)
        )

    def _property(self, definition: Definition) -> Outcome:
        known = self._known_properties()
        if isinstance(known, str):
            return Outcome(verdict="unknown", reason=known)
        if definition.name not in known:
            if self._hidden_properties:
                return Outcome(verdict="unknown", reason=f"{definition.name} may be set and not visible")
            finding = ScanFinding(
                table="sys_properties", sys_id="", display=definition.name, detail={"value": None}
            )
            if definition.absent == "found":
                return Outcome(verdict="found", count=1, findings=(finding,))
            reason = "" if definition.absent == "clean" else f"{definition.name} is not set on this instance"
            return Outcome(verdict=definition.absent, reason=reason)
        sys_id, value = known[definition.name]
        wrong = value != definition.expect if definition.expect is not None else value == definition.refuse
        if not wrong:
            return Outcome(verdict="clean")
        detail = {} if definition.private else {"value": value, "expect": definition.expect or ""}
        finding = ScanFinding(table="sys_properties", sys_id=sys_id, display=definition.name, detail=detail)
        return Outcome(verdict="found", count=1, findings=(finding,))

    def _known_properties(self) -> dict[str, tuple[str, str]] | str:
        """Every property a definition asks for, in one request; or why they cannot be told."""
        if self._properties is None:
            self._properties = self._blind("sys_properties", ("name", "value")) or self._read_properties()
        return self._properties

    def _read_properties(self) -> dict[str, tuple[str, str]]:
        names = [one.name for one in self._definitions if one.kind == "property"]
        page = self._line.table.page(
            "sys_properties",
            query=query.one_of("name", names),
            fields=("sys_id", "name", "value"),
            limit=len(names),
        )
        self._hidden_properties = page.total is None or page.total > len(page.rows)
        return {str(row["name"]): (str(row["sys_id"]), str(row["value"]).strip()) for row in page.rows}

    def _blind(self, table: str, fields: Iterable[str]) -> str:
        """Why ``fields`` of ``table`` cannot be judged by, or nothing."""
        if table not in self._seen:
            self._seen[table] = self._look(table)
        seen = self._seen[table]
        if isinstance(seen, str):
            return seen
        missing = sorted(set(fields) - seen)
        return f"{table}: {', '.join(missing)} cannot be read or is not there" if missing else ""

    def _look(self, table: str) -> frozenset[str] | str:
        """The fields that some visible row shows; or why none does."""
        wanted = sorted(
            {name for one in self._definitions if _table(one) == table for name in fields_of(one)}
        )
        try:
            page = self._line.table.page(table, fields=("sys_id", *wanted), limit=_SAMPLE)
        except (NotAuthorized, NotFound, Rejected) as error:
            return error.cause
        if page.rows:
            return frozenset(page.rows[0]).union(*page.rows)
        if page.total:
            return f"{table}: none of {page.total} rows is visible to this account"
        return f"{table}: no row is visible; the table is empty or hidden from this account"


def fields_of(definition: Definition) -> tuple[str, ...]:
    """What a definition goes by: the fields it asks in and those it shows."""
    if definition.kind == "property":
        return ("name", "value")
    asked = [name.rstrip(".") for name in _TERM_FIELD.findall(definition.query)]
    shown = [definition.display, *definition.show, definition.field]
    if definition.kind == "roles":
        shown += [*_GRANT_FIELDS, "state"]
    return tuple(dict.fromkeys(name for name in [*asked, *shown] if name))


def moment(text: str) -> str:
    """A definition's query with its ``{days_ago:N}`` as moments in UTC."""

    def written(found: re.Match[str]) -> str:
        now = datetime.datetime.fromtimestamp(clock.now(), datetime.UTC)
        return f"{now - datetime.timedelta(days=int(found[1])):%Y-%m-%d %H:%M:%S}"

    return _DAYS_AGO.sub(written, text)


def _table(definition: Definition) -> str:
    if definition.kind == "property":
        return "sys_properties"
    return definition.table or "sys_user_has_role"


def _finding(definition: Definition, row: Row) -> ScanFinding | None:
    detail: dict[str, Any] = {name: row.get(name, "") for name in definition.show}
    if definition.kind == "script":
        lines = matching_lines(str(row.get(definition.field, "")), definition.pattern)
        if not lines:
            return None
        detail["lines"] = lines
    extra = [str(row[name]) for name in definition.show if name.endswith("role.name")]
    return ScanFinding(
        table=definition.table,
        sys_id=str(row["sys_id"]),
        display=": ".join([str(row.get(definition.display) or row["sys_id"]), *extra]),
        detail=detail,
    )


def _holders(rows: Iterable[Row]) -> Iterable[ScanFinding]:
    held: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        held.setdefault((str(row["user"]), str(row["user.user_name"])), set()).add(str(row["role.name"]))
    for (sys_id, name), roles in sorted(held.items(), key=lambda one: one[0][1]):
        yield ScanFinding(table="sys_user", sys_id=sys_id, display=name, detail={"roles": sorted(roles)})


def _crowds(definition: Definition, rows: Iterable[Row]) -> Iterable[ScanFinding]:
    holders: dict[str, set[str]] = {}
    for row in rows:
        holders.setdefault(str(row["role.name"]), set()).add(str(row["user.user_name"]))
    for role, users in sorted(holders.items()):
        if definition.most is not None and len(users) > definition.most:
            yield ScanFinding(
                table="sys_user_role", sys_id=role, display=role, detail={"holders": len(users)}
            )


def _hidden(total: int | None, seen: int, whole: bool) -> str:
    """Why the rows that came may not be all of them, or nothing."""
    if total is None:
        return "the instance does not count rows"
    if not whole and total > seen:
        return f"{total - seen} of {total} rows are hidden from this account"
    return ""


def _judged(findings: Sequence[ScanFinding], *, count: int, hidden: str) -> Outcome:
    if not findings:
        return Outcome(verdict="unknown" if hidden else "clean", reason=hidden)
    return Outcome(verdict="found", count=count, findings=tuple(findings), reason=hidden)
