"""What narrows a query before any access control is asked: before-query rules and data filters.

ServiceNow docs: "Security data filters" (every filter is one more AND of the query on its table, and of
the tables below it), "Example script: A default before-query business rule" (incident query).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from wavetank.database import query
from wavetank.database.shipped import sys_id_for

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.who import Session

FILTERS = "sys_security_data_filter"
RULES = "sys_script"
INCIDENT_QUERY = sys_id_for(RULES, "incident", "incident query")
# Runs the script of a before-query rule: (rule, table, session) -> the encoded query that it adds, or "".
QueryScript = Callable[[Mapping[str, str], str, "Session"], str]


class Narrowing:
    """The narrowing rows of an instance, read when they change."""

    def __init__(self, instance: Instance, held: Callable[[Session], frozenset[str]]) -> None:
        """`held`: the security attributes of a session."""
        self._held = held
        self.scripts: QueryScript | None = None
        self._instance = instance
        self._revision: tuple[int, int] = (-1, -1)
        self._rules: dict[str, list[dict[str, str]]] = {}
        self._filters: dict[str, list[dict[str, str]]] = {}

    def conditions(self, session: Session, table: str) -> list[str]:
        """The encoded queries that every query of the session on the table must meet as well."""
        self._refresh()
        if not (self._rules or self._filters):
            return []
        tables = self._instance.dictionary.hierarchy(table) or [table]
        found = [*self._by_rules(session, table, tables)]
        if self._instance.settings.get("acl") != "off":
            found += self._by_filters(session, tables)
        return found

    def narrowed(self, session: Session, table: str, compiled: query.Compiled) -> query.Compiled:
        """The compiled query with these conditions. One that cannot be read lets no row through."""
        terms, params = self.sql(session, table)
        if not terms:
            return compiled
        where = " AND ".join([f"({compiled.where_sql})", *terms])
        return replace(compiled, where_sql=where, params=(*compiled.params, *params))

    def sql(self, session: Session, table: str) -> tuple[list[str], list[str | int | float]]:
        """The conditions as SQL on t0 with bound parameters."""
        terms: list[str] = []
        params: list[str | int | float] = []
        for condition in self.conditions(session, table):
            made = query.compile(
                self._instance.dictionary, table, condition, self._instance.query_context(session)
            )
            if made.unknown:
                return ["0"], []
            terms.append(f't0."sys_id" IN (SELECT t0."sys_id" {made.from_sql} WHERE {made.where_sql})')
            params += made.params
        return terms, params

    def _by_rules(self, session: Session, table: str, tables: list[str]) -> Iterator[str]:
        for name in tables:
            for rule in self._rules.get(name, ()):
                if not self._is_for(session, rule):
                    continue
                condition = ""
                if rule["sys_id"] == INCIDENT_QUERY:
                    condition = _incident_query(session)
                elif self.scripts is not None:
                    condition = self.scripts(rule, table, session)
                if condition:
                    yield condition

    def _is_for(self, session: Session, rule: Mapping[str, str]) -> bool:
        """Whether the session has one of the roles a rule is kept to, if it is."""
        listed = [each for each in rule["role_conditions"].split(",") if each]
        roles = (self._instance.database.get("sys_user_role", each) for each in listed)
        return not listed or any(session.has_role(row["name"]) for row in roles if row)

    def _by_filters(self, session: Session, tables: list[str]) -> Iterator[str]:
        filters = [row for name in tables for row in self._filters.get(name, ())]
        held = self._held(session) if filters else frozenset()
        for row in filters:
            # `if`: for who has the attribute; `unless`: for who has it not.
            if row["filter"] and (row["security_attribute"] in held) == (row["mode"] != "unless"):
                yield row["filter"]

    def _refresh(self) -> None:
        database = self._instance.database
        revision = (database.revision(RULES, FILTERS), self._instance.dictionary.revision)
        if revision == self._revision:
            return
        self._revision = revision
        self._rules = self._read(RULES, "collection", action_query="true", when="before")
        self._filters = self._read(FILTERS, "table_name")
        for rules in self._rules.values():
            rules.sort(key=lambda row: int(row["order"] or 0))

    def _read(self, table: str, of: str, **equal: str) -> dict[str, list[dict[str, str]]]:
        if self._instance.dictionary.table(table) is None:
            return {}
        found: dict[str, list[dict[str, str]]] = {}
        for row in self._instance.database.find(table, active="true", **equal):
            found.setdefault(row[of], []).append(row)
        return found


def _incident_query(session: Session) -> str:
    """Who works in the browser without the role itil sees the incidents that he has to do with."""
    if session.scheme != "session" or session.has_role("itil"):
        return ""
    user = session.sys_id
    return f"caller_id={user}^ORopened_by={user}^ORwatch_listCONTAINS{user}"
