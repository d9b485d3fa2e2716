"""What a session may do: the door to the evaluation of access controls.

The order is the platform's own (ServiceNow docs: exploring access control list, ACL rule types, ACL
denial behaviour): what narrows a query, then the table gate with its fall-back up the hierarchy to `*`,
then the field gate with its six levels; at both, deny-unless rules first. The parts are in `security.acl`.

What roles and attributes alone decide is kept until a rule, a role or the dictionary changes; a rule with
a condition or a script is asked again for each row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wavetank.database.query import Compiled, Query
from wavetank.releases import release
from wavetank.security import attachments
from wavetank.security.acl import attributes, queries, rules
from wavetank.security.acl.formula import Formula
from wavetank.security.acl.gates import Mode, Standing, decide, field_levels, table_levels
from wavetank.security.acl.narrowing import Narrowing, QueryScript
from wavetank.security.acl.queries import Queried
from wavetank.security.acl.rows import Rows, RowScript
from wavetank.security.who import Session

if TYPE_CHECKING:
    from wavetank.instance import Instance

Operation = Literal["create", "read", "write", "delete", "execute"]
Identity = tuple[str, str]  # sys_id and class of a row, the class "" where rows have none
EXECUTE: Operation = "execute"
WRITES = frozenset({"create", "write", "delete"})
# Tables whose rows only an elevated session writes (ServiceNow docs: elevated privileges; create security
# attributes).
ELEVATED = frozenset({"sys_security_acl", "sys_security_acl_role", "sys_security_attribute"})
TERM = "glide.security.admin.override.accessterm"
DEFAULT_MODE = "glide.sm.default_mode"
READ_ONLY_EXEMPT = "glide.security.snc_read_only_role.tables.exempt_"
# What snc_read_only leaves writable where the properties are not there (ServiceNow docs: Read-only role).
_OWN_TRACES = ("sys_user_preference", "sys_ui_list", "sys_ui_list_element", "sys_db_cache")
_EXEMPT: Mapping[str, tuple[str, ...]] = {
    "delete": (*_OWN_TRACES, "user_multifactor_auth"),
    **dict.fromkeys(
        ("create", "write"),
        (
            *_OWN_TRACES,
            "user_multifactor_auth",
            "sys_user_session",
            "sysevent",
            "syslog",
            "syslog_transaction",
        ),
    ),
}
# Whether a query on a field that may not be read is refused (ServiceNow docs: Enforce field ACLs for
# inbound query requests).
ENFORCED = "glide.export.query.enforce_field_acl"
NOTHING: frozenset[str] = frozenset()
_MOST_KEPT = 5000
_Key = tuple[frozenset[str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Fields:
    denied: frozenset[str]
    open: Mapping[str, Formula]


class Access:
    """The access controls of one instance."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._rows = Rows(instance)
        self._narrowing = Narrowing(instance, lambda session: self._standing(session).attributes)
        self._revision: tuple[int, int] = (-1, -1)
        self._attributes_revision = -1
        self._rules: rules.Rules = {}
        self._mode = Mode(empty_denies=True, override_each=False, wild_tables_closed=False)
        self._standings: dict[tuple[str, frozenset[str]], Standing] = {}
        self._tables: dict[tuple[_Key, str, str], Formula] = {}
        self._fields: dict[tuple[_Key, str, str], _Fields] = {}
        self._needs: dict[tuple[str, _Key, str, str], bool] = {}
        self._queries: dict[tuple[_Key, str, str, str, str], bool | None] = {}

    @property
    def scripts(self) -> RowScript | None:
        """What runs the scripts of access controls; without it a rule that has one grants nothing."""
        return self._rows.scripts

    @scripts.setter
    def scripts(self, run: RowScript | None) -> None:
        self._rows.scripts = run

    @property
    def query_scripts(self) -> QueryScript | None:
        """What runs the scripts of before-query rules; without it they are passed over."""
        return self._narrowing.scripts

    @query_scripts.setter
    def query_scripts(self, run: QueryScript | None) -> None:
        self._narrowing.scripts = run

    # -- tables and rows

    def table(self, session: Session, operation: Operation, table: str) -> bool:
        """The table gate by roles alone. True may still mean that a row has to be asked: `needs_row`."""
        return (
            self._allows_at_all(session, operation, table)
            and self._table(session, operation, table) is not False
        )

    def needs_row(self, session: Session, operation: Operation, table: str) -> bool:
        """Whether some rule's condition, of the table or of a class below it, must be asked per row."""
        if self._off:
            return False
        if operation == "read" and table == attachments.TABLE:
            return True
        own = self._table(session, operation, table)
        key = ("rows", self._standing(session).key, operation, table)
        needed = self._needs.get(key)
        if needed is None:
            classes = (table, *self._instance.dictionary.descendants(table))
            needed = self._needs[key] = any(
                not isinstance(formula, bool) or formula is not own
                for formula in (self._table(session, operation, each) for each in classes)
            )
        return needed

    def row(self, session: Session, operation: Operation, table: str, row: Mapping[str, str]) -> bool:
        """The table gate for one row, as the class the row is of."""
        name = self._class(table, row)
        if not self._allows_at_all(session, operation, name):
            return False
        if not self._holds(session, self._table(session, operation, name), name, row, operation):
            return False
        return (
            operation != "read"
            or name != attachments.TABLE
            or self._off
            or attachments.shown(self._instance, session, row["sys_id"])
        )

    def seen(self, session: Session, table: str, rows: Sequence[Identity]) -> frozenset[str]:
        """The sys_ids of those of the rows (sys_id, class) that may be read: as `row`, for many at once."""
        if self._off:
            return frozenset(sys_id for sys_id, _ in rows)
        found: set[str] = set()
        for name, sys_ids in self._by_class(table, rows).items():
            found |= self._rows.stored(session, self._table(session, "read", name), name, sys_ids)
        if table == attachments.TABLE:
            found = {each for each in found if attachments.shown(self._instance, session, each)}
        return frozenset(found)

    # -- fields

    def fields(
        self, session: Session, operation: Operation, table: str, row: Mapping[str, str] | None
    ) -> frozenset[str]:
        """The fields the session may not read or write. Without a row, conditions count as met."""
        if self._off:
            return NOTHING
        name = self._class(table, row) if row is not None else table
        known = self._field_decisions(session, operation, name)
        if row is None or not known.open:
            return known.denied
        refused = {
            field
            for field, formula in known.open.items()
            if not self._holds(session, formula, name, row, operation)
        }
        return known.denied | refused

    def fields_need_row(self, session: Session, operation: Operation, table: str) -> bool:
        """Whether some field's rule, of the table or of a class below it, has a condition to ask per row."""
        if self._off:
            return False
        self._refresh()
        key = ("fields", self._standing(session).key, operation, table)
        needed = self._needs.get(key)
        if needed is None:
            classes = (table, *self._instance.dictionary.descendants(table))
            needed = self._needs[key] = any(
                self._field_decisions(session, operation, each).open for each in classes
            )
        return needed

    def hidden_fields(
        self, session: Session, table: str, rows: Sequence[Identity]
    ) -> dict[str, frozenset[str]]:
        """{sys_id: fields whose rules' conditions the row does not meet}: what `fields` adds for a row."""
        hidden: dict[str, set[str]] = {}
        for name, sys_ids in self._by_class(table, rows).items():
            refused: dict[Formula, set[str]] = {}
            for field, formula in self._field_decisions(session, "read", name).open.items():
                if formula not in refused:
                    refused[formula] = set(sys_ids) - self._rows.stored(session, formula, name, sys_ids)
                for sys_id in refused[formula]:
                    hidden.setdefault(sys_id, set()).add(field)
        return {sys_id: frozenset(fields) for sys_id, fields in hidden.items()}

    # -- queries

    def query_fields(self, session: Session, table: str, fields: Iterable[str]) -> frozenset[str]:
        """Those of the (dot-walked) fields that the session may not read, and so not use in a query."""
        if self._off:
            return NOTHING
        return frozenset(path for path in fields if not self._may_read(session, table, path))

    def unqueryable(
        self, session: Session, table: str, fields: Iterable[str], granted: frozenset[str] = NOTHING
    ) -> frozenset[str]:
        """Those of the fields of a query for which it is refused; not those `granted` by query rules."""
        if self._instance.property(ENFORCED, "true") == "false":
            return NOTHING
        return self.query_fields(session, table, (path for path in fields if path not in granted))

    def queried(self, session: Session, table: str, query: Query) -> Queried:
        """The query as the query access controls leave it, and what they refused and granted."""
        if self._off:
            return Queried(query, NOTHING, NOTHING)
        self._refresh()
        if not any(operation.startswith("query_") for operation, _ in self._rules):
            return Queried(query, NOTHING, NOTHING)
        query = queries.written(query, self._instance.query_context(session))
        return queries.examine(query, lambda path, how: self._may_query(session, table, path, how))

    def narrowed(self, session: Session, table: str, compiled: Compiled) -> Compiled:
        """The compiled query with what before-query rules and data filters add to it."""
        return self._narrowing.narrowed(session, table, compiled)

    def in_sight(self, session: Session, table: str, sys_id: str) -> bool:
        """Whether a query of the session can find a stored row, whatever access controls say then."""
        terms, params = self._narrowing.sql(session, table)
        if not terms:
            return True
        root = self._instance.database.known(table).root
        sql = f'SELECT 1 FROM "{root}" t0 WHERE t0."sys_id" = ? AND {" AND ".join(terms)}'  # noqa: S608
        return self._instance.database.execute(sql, [sys_id, *params]).fetchone() is not None

    # -- APIs

    def endpoint(self, session: Session, name: str) -> bool:
        """Whether the session may call a REST API at all: by the rules of type REST_Endpoint in its name.

        Without an active rule it may. There is no record: a condition is not met, a script sees none.
        """
        if self._off:
            return True
        self._refresh()
        standing = self._standing(session)
        known = rules.endpoint_name(name)
        key = (standing.key, EXECUTE, known)
        formula = self._tables.get(key)
        if formula is None:
            formula = self._tables[key] = decide(self._rules, self._mode, standing, EXECUTE, [known])
        return self._rows.without(session, formula, name)

    def scripted(self) -> list[str]:
        """The sys_ids of active rules that are refused because nothing here can run their script."""
        self._refresh()
        if self.scripts is not None:
            return []
        return sorted({rule.sys_id for listed in self._rules.values() for rule in listed if rule.script})

    # -- within

    @property
    def _off(self) -> bool:
        return bool(self._instance.settings.get("acl") == "off")

    def _may_read(self, session: Session, table: str, path: str) -> bool:
        here = table
        for depth, step in enumerate(path.split(".")):
            if depth and not self._any_class(session, here):
                return False
            known = self._instance.dictionary.table(here)
            field = known.fields.get(step) if known else None
            if field is None:
                return True
            if step in self._field_decisions(session, "read", here).denied:
                return False
            here = field.reference
        return True

    def _may_query(self, session: Session, table: str, path: str, operation: str) -> bool | None:
        """What query rules say of an operation on a field; None where none speaks of it."""
        steps = self._instance.dictionary.walk(table, path)
        if not steps:
            return None
        walked, _, last = path.rpartition(".")
        if walked and not self._may_read(session, table, walked):
            return None
        owner = steps[-2].reference if walked else table
        partial = str(self._instance.settings.get("partial_range_acl"))
        key = (self._standing(session).key, operation, owner, last, partial)
        if key not in self._queries:
            self._queries[key] = self._decide_query(session, operation, owner, last)
        return self._queries[key]

    def _decide_query(self, session: Session, operation: str, table: str, field: str) -> bool | None:
        """Only roles and attributes count: there is no row yet (ServiceNow docs: pre-query ACL check)."""
        hierarchy = self._instance.dictionary.hierarchy(table) or [table]
        standing = self._standing(session)
        gate = self._of_gate(standing, operation, table_levels(hierarchy))
        if gate is False and operation == queries.RANGE:
            gate = self._partly(session, standing, table, hierarchy)
        own = self._of_gate(standing, operation, field_levels(hierarchy, field))
        if gate is False or own is False:
            return False
        return own

    def _of_gate(self, standing: Standing, operation: str, levels: list[str]) -> bool | None:
        """Whether a gate lets through at all; None where it has no rule."""
        if not any((operation, level) in self._rules for level in levels):
            return None
        return decide(self._rules, self._mode, standing, operation, levels) is not False

    def _partly(
        self, session: Session, standing: Standing, table: str, hierarchy: Sequence[str]
    ) -> bool | None:
        """Range queries where a table's rows are not read by condition: a rule of its own may open them."""
        if self._instance.settings.get("partial_range_acl") == "ignored":
            return False
        if not isinstance(self._table(session, "read", table), bool):
            return False
        levels = table_levels(hierarchy)
        return bool(self._of_gate(standing, queries.PARTIAL_RANGE, levels))

    def _any_class(self, session: Session, table: str) -> bool:
        """Whether rows of the table, or at least of a class below it, may be read by roles."""
        classes = (table, *self._instance.dictionary.descendants(table))
        return any(self._table(session, "read", each) is not False for each in classes)

    def _class(self, table: str, row: Mapping[str, str]) -> str:
        name = row.get("sys_class_name", "")
        return (
            name if name and name != table and name in self._instance.dictionary.descendants(table) else table
        )

    def _by_class(self, table: str, rows: Sequence[Identity]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for sys_id, name in rows:
            found.setdefault(self._class(table, {"sys_class_name": name}), []).append(sys_id)
        return found

    def _allows_at_all(self, session: Session, operation: Operation, table: str) -> bool:
        """What no access control can grant: elevation, and the role that takes writing away."""
        if operation not in WRITES:
            return True
        if (
            table in ELEVATED
            and not session.elevated
            and self._instance.settings.get("elevation") == "required"
        ):
            return False
        if "snc_read_only" not in session.roles or self._off:
            return True
        exempt = self._instance.property(READ_ONLY_EXEMPT + operation, ",".join(_EXEMPT[operation]))
        return table in (each.strip() for each in exempt.split(","))

    def _holds(
        self, session: Session, formula: Formula, table: str, row: Mapping[str, str], operation: str
    ) -> bool:
        if isinstance(formula, bool):
            return formula
        if operation == "create":
            return self._rows.none_yet(session, formula, table)
        return self._rows.one(session, formula, table, row, operation)

    def _standing(self, session: Session) -> Standing:
        revision = self._instance.database.revision(*attributes.SOURCES)
        if revision != self._attributes_revision or len(self._standings) > _MOST_KEPT:
            self._attributes_revision = revision
            self._standings.clear()
        key = (session.sys_id, session.roles)
        standing = self._standings.get(key)
        if standing is None:
            held = attributes.held(self._instance, session, self._rows.says_yes)
            standing = Standing(session, held.attributes)
            if not held.moving:
                self._standings[key] = standing
        return standing

    def _table(self, session: Session, operation: Operation, table: str) -> Formula:
        if self._off:
            return True
        self._refresh()
        standing = self._standing(session)
        key = (standing.key, operation, table)
        formula = self._tables.get(key)
        if formula is None:
            hierarchy = self._instance.dictionary.hierarchy(table) or [table]
            levels = table_levels(hierarchy)
            formula = self._tables[key] = decide(self._rules, self._mode, standing, operation, levels)
        return formula

    def _field_decisions(self, session: Session, operation: Operation, table: str) -> _Fields:
        self._refresh()
        standing = self._standing(session)
        key = (standing.key, operation, table)
        known = self._fields.get(key)
        if known is None:
            known = self._fields[key] = self._decide_fields(standing, operation, table)
        return known

    def _decide_fields(self, standing: Standing, operation: Operation, table: str) -> _Fields:
        dictionary = self._instance.dictionary
        hierarchy = dictionary.hierarchy(table) or [table]
        known = dictionary.table(table)
        denied: set[str] = set()
        open_: dict[str, Formula] = {}
        for field in known.fields if known else ():
            levels = field_levels(hierarchy, field)
            otherwise: Formula = True
            if operation == "create":
                # A field without any rule to create it follows the rules to write it.
                otherwise = decide(self._rules, self._mode, standing, "write", levels)
            formula = decide(self._rules, self._mode, standing, operation, levels, otherwise)
            if formula is False:
                denied.add(field)
            elif formula is not True:
                open_[field] = formula
        return _Fields(frozenset(denied), open_)

    def _refresh(self) -> None:
        instance = self._instance
        revision = (instance.database.revision(*rules.SOURCES), instance.dictionary.revision)
        denies = release(instance.release).empty_acl_denies
        if revision == self._revision and denies == self._mode.empty_denies:
            return
        self._revision = revision
        self._tables.clear()
        self._fields.clear()
        self._needs.clear()
        self._queries.clear()
        self._rows.forget()
        self._rules = rules.read(instance)
        self._mode = Mode(
            empty_denies=denies,
            override_each=instance.property(TERM, "false") == "true",
            wild_tables_closed=instance.property(DEFAULT_MODE, "") == "deny",
        )
