"""What a session may do: the evaluation of access controls.

The order is the platform's own (ServiceNow docs: exploring access control list, ACL rule types, ACL
denial behaviour): deny-unless rules first, then the table gate with its fall-back up the hierarchy to
`*`, then the field gate with its six levels. At the first level that has a rule, one that passes is
enough.

Decisions that depend on roles alone are kept until a rule, a role or the dictionary changes; a rule
with a condition is asked again for each row. A rule with a script fails closed: scripts do not run yet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from wavetank.database import query
from wavetank.releases import release
from wavetank.security import attachments
from wavetank.security.who import GUEST, Session

if TYPE_CHECKING:
    from wavetank.instance import Instance

Operation = Literal["create", "read", "write", "delete", "execute"]
Identity = tuple[str, str]  # sys_id and class of a row, the class "" where rows have none
EXECUTE: Operation = "execute"
REST_ENDPOINT = "REST_Endpoint"
WRITES = frozenset({"create", "write", "delete"})
# Tables whose rows only an elevated session writes (ServiceNow docs: elevated privileges).
ELEVATED = frozenset({"sys_security_acl", "sys_security_acl_role"})
SOURCES = ("sys_security_acl", "sys_security_acl_role", "sys_user_role", "sys_properties")
AUTHENTICATED = "239bdf0c47d23110ba46ff58936d4330"
HAS_ADMIN_ROLE = "8637f144b732111074f706dd1e11a981"
TERM = "glide.security.admin.override.accessterm"
DEFAULT_MODE = "glide.sm.default_mode"
READ_ONLY_EXEMPT = "glide.security.snc_read_only_role.tables.exempt_"


@dataclass(frozen=True, slots=True)
class Rule:
    """One active access control on records."""

    sys_id: str
    roles: frozenset[str]
    condition: str
    scripted: bool
    attribute: str
    admin_overrides: bool
    deny_unless: bool

    @property
    def empty(self) -> bool:
        return not (self.roles or self.condition or self.scripted or self.attribute)


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed if every condition of `all_of` and one of `any_of` holds for the row.

    No `any_of` with `allowed` true means that no condition is left to ask.
    """

    allowed: bool
    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()

    @property
    def needs_row(self) -> bool:
        return self.allowed and bool(self.any_of or self.all_of)


YES = Decision(True)
NO = Decision(False)
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Fields:
    denied: frozenset[str]
    open: Mapping[str, Decision]


class Access:
    """The access controls of one instance."""

    def __init__(self, instance: "Instance") -> None:
        self._instance = instance
        self._revision: tuple[int, int] = (-1, -1)
        self._rules: dict[tuple[str, str], list[Rule]] = {}
        self._tables: dict[tuple[frozenset[str], str, str], Decision] = {}
        self._fields: dict[tuple[frozenset[str], str, str], _Fields] = {}
        self._needs: dict[tuple[str, frozenset[str], str, str], bool] = {}
        self._compiled: dict[tuple[str, str, str], query.Compiled] = {}

    def table(self, session: Session, operation: Operation, table: str) -> bool:
        """The table gate by roles alone. True may still mean that a row has to be asked: `needs_row`."""
        return (
            self._allows_at_all(session, operation, table) and self._table(session, operation, table).allowed
        )

    def needs_row(self, session: Session, operation: Operation, table: str) -> bool:
        """Whether some rule's condition, of the table or of a class below it, must be asked per row."""
        if self._off:
            return False
        if operation == "read" and table == attachments.TABLE:
            return True
        own = self._table(session, operation, table)
        key = ("rows", session.roles, operation, table)
        needed = self._needs.get(key)
        if needed is None:
            classes = (table, *self._instance.dictionary.descendants(table))
            needed = self._needs[key] = any(
                decision.needs_row or decision.allowed != own.allowed
                for decision in (self._table(session, operation, each) for each in classes)
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
            for field, decision in known.open.items()
            if not self._holds(session, decision, name, row, operation)
        }
        return known.denied | refused

    def fields_need_row(self, session: Session, operation: Operation, table: str) -> bool:
        """Whether some field's rule, of the table or of a class below it, has a condition to ask per row."""
        if self._off:
            return False
        self._refresh()
        key = ("fields", session.roles, operation, table)
        needed = self._needs.get(key)
        if needed is None:
            classes = (table, *self._instance.dictionary.descendants(table))
            needed = self._needs[key] = any(
                self._field_decisions(session, operation, each).open for each in classes
            )
        return needed

    def seen(self, session: Session, table: str, rows: Sequence[Identity]) -> frozenset[str]:
        """The sys_ids of those of the rows (sys_id, class) that may be read: as `row`, for many at once."""
        if self._off:
            return frozenset(sys_id for sys_id, _ in rows)
        found: set[str] = set()
        for name, sys_ids in self._by_class(table, rows).items():
            found |= self._holding(session, self._table(session, "read", name), name, sys_ids)
        if table == attachments.TABLE:
            found = {each for each in found if attachments.shown(self._instance, session, each)}
        return frozenset(found)

    def hidden_fields(
        self, session: Session, table: str, rows: Sequence[Identity]
    ) -> dict[str, frozenset[str]]:
        """{sys_id: fields whose rules' conditions the row does not meet}: what `fields` adds for a row."""
        hidden: dict[str, set[str]] = {}
        for name, sys_ids in self._by_class(table, rows).items():
            refused: dict[Decision, set[str]] = {}
            for field, decision in self._field_decisions(session, "read", name).open.items():
                if decision not in refused:
                    refused[decision] = set(sys_ids) - self._holding(session, decision, name, sys_ids)
                for sys_id in refused[decision]:
                    hidden.setdefault(sys_id, set()).add(field)
        return {sys_id: frozenset(fields) for sys_id, fields in hidden.items()}

    def _by_class(self, table: str, rows: Sequence[Identity]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for sys_id, name in rows:
            found.setdefault(self._class(table, {"sys_class_name": name}), []).append(sys_id)
        return found

    def _holding(self, session: Session, decision: Decision, table: str, sys_ids: Sequence[str]) -> set[str]:
        """As `_holds`, for many rows of one class."""
        if not decision.allowed:
            return set()
        left = set(sys_ids)
        for condition in decision.all_of:
            left &= self._meeting(session, table, condition, left)
        if not decision.any_of:
            return left
        found: set[str] = set()
        for condition in decision.any_of:
            found |= self._meeting(session, table, condition, left - found)
        return found

    def _meeting(self, session: Session, table: str, condition: str, sys_ids: set[str]) -> set[str]:
        """Those of the stored rows that meet an encoded query."""
        compiled = self._condition(session, table, condition)
        if compiled.unknown or not sys_ids:
            return set()
        sql = (
            f'SELECT t0."sys_id" {compiled.from_sql}'  # noqa: S608
            f' WHERE t0."sys_id" IN (SELECT value FROM json_each(?)) AND ({compiled.where_sql})'
        )
        listed = msgspec.json.encode(sorted(sys_ids)).decode()
        return {row[0] for row in self._instance.database.execute(sql, [listed, *compiled.params])}

    def query_fields(self, session: Session, table: str, fields: Iterable[str]) -> frozenset[str]:
        """Those of the (dot-walked) fields that the session may not use in a query or an order.

        The query access controls of the base system delegate to reading (ServiceNow docs: query ACL rule).
        """
        if self._off:
            return NOTHING
        return frozenset(path for path in fields if not self._may_query(session, table, path))

    def endpoint(self, session: Session, name: str) -> bool:
        """Whether the session may call a REST API at all: by the rules of type REST_Endpoint in its name.

        Without an active rule it may. A rule with a condition refuses: there is no row to ask it of.
        """
        if self._off:
            return True
        self._refresh()
        key = (session.roles, EXECUTE, name)
        decision = self._tables.get(key)
        if decision is None:
            decision = self._decide(session, EXECUTE, [f"{REST_ENDPOINT} {name}"], wildcards=set())
            self._tables[key] = decision
        return decision.allowed and not decision.needs_row

    def scripted(self) -> list[str]:
        """The sys_ids of active rules that are refused because their script cannot run yet."""
        self._refresh()
        return sorted({rule.sys_id for rules in self._rules.values() for rule in rules if rule.scripted})

    @property
    def _off(self) -> bool:
        return bool(self._instance.settings.get("acl") == "off")

    def _may_query(self, session: Session, table: str, path: str) -> bool:
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

    def _any_class(self, session: Session, table: str) -> bool:
        """Whether rows of the table, or at least of a class below it, may be read by roles."""
        classes = (table, *self._instance.dictionary.descendants(table))
        return any(self._table(session, "read", each).allowed for each in classes)

    def _class(self, table: str, row: Mapping[str, str]) -> str:
        name = row.get("sys_class_name", "")
        return (
            name if name and name != table and name in self._instance.dictionary.descendants(table) else table
        )

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
        return table in self._instance.property(READ_ONLY_EXEMPT + operation, "").split(",")

    def _table(self, session: Session, operation: Operation, table: str) -> Decision:
        if self._off:
            return YES
        self._refresh()
        key = (session.roles, operation, table)
        decision = self._tables.get(key)
        if decision is None:
            hierarchy = self._instance.dictionary.hierarchy(table) or [table]
            decision = self._decide(session, operation, [*hierarchy, "*"], wildcards={"*"})
            self._tables[key] = decision
        return decision

    def _field_decisions(self, session: Session, operation: Operation, table: str) -> _Fields:
        self._refresh()
        key = (session.roles, operation, table)
        known = self._fields.get(key)
        if known is None:
            known = self._fields[key] = self._decide_fields(session, operation, table)
        return known

    def _decide_fields(self, session: Session, operation: Operation, table: str) -> _Fields:
        dictionary = self._instance.dictionary
        hierarchy = dictionary.hierarchy(table) or [table]
        known = dictionary.table(table)
        denied: set[str] = set()
        open_: dict[str, Decision] = {}
        for field in known.fields if known else ():
            levels = [
                *(f"{name}.{field}" for name in hierarchy),
                f"*.{field}",
                *(f"{name}.*" for name in hierarchy),
                "*.*",
            ]
            decision = self._decide(session, operation, levels, wildcards={"*.*"})
            if not decision.allowed:
                denied.add(field)
            elif decision.needs_row:
                open_[field] = decision
        return _Fields(frozenset(denied), open_)

    def _decide(
        self, session: Session, operation: Operation, levels: list[str], wildcards: set[str]
    ) -> Decision:
        """One gate: the deny-unless rules of every level, then the first level that has a rule."""
        found = [(level, self._rules.get((operation, level), [])) for level in levels]
        deny = [rule for _, rules in found for rule in rules if rule.deny_unless]
        level, allow = next(
            (
                (name, passing)
                for name, rules in found
                if (passing := [r for r in rules if not r.deny_unless])
            ),
            ("", []),
        )
        if not allow and operation == "create" and levels[-1] == "*.*":
            # A field without any rule to create it follows the rules to write it.
            return self._decide(session, "write", levels, wildcards)
        overrides = session.is_admin and self._overrides([*deny, *allow])
        all_of: list[str] = []
        for rule in deny:
            outcome = self._judge(session, rule, overrides)
            if outcome is False:
                return NO
            if outcome is not True:
                all_of.append(outcome)
        if level in wildcards and self._instance.property(DEFAULT_MODE, "") == "deny":
            return Decision(session.is_admin, (), tuple(all_of))
        outcomes = [self._judge(session, rule, overrides) for rule in allow]
        if not allow or True in outcomes:
            return Decision(True, (), tuple(all_of))
        any_of = tuple(outcome for outcome in outcomes if isinstance(outcome, str))
        return Decision(bool(any_of), any_of, tuple(all_of))

    def _overrides(self, rules: list[Rule]) -> bool:
        """One rule without the admin override takes it from all, unless a property says otherwise."""
        if self._instance.property(TERM, "false") == "true":
            return any(rule.admin_overrides for rule in rules)
        return all(rule.admin_overrides for rule in rules)

    def _judge(self, session: Session, rule: Rule, overrides: bool) -> bool | str:
        """True, False, or the condition that decides."""
        if "nobody" in rule.roles and not rule.roles & session.roles:
            return False
        if overrides and rule.admin_overrides:
            return True
        if rule.roles and not any(session.has_role(role) for role in rule.roles):
            return False
        if rule.empty:
            return not release(self._instance.release).empty_acl_denies
        if rule.scripted or not _attribute_holds(rule.attribute, session):
            return False
        return rule.condition or True

    def _holds(
        self, session: Session, decision: Decision, table: str, row: Mapping[str, str], operation: str
    ) -> bool:
        if not decision.needs_row:
            return decision.allowed
        if not all(self._met(session, table, condition, row, operation) for condition in decision.all_of):
            return False
        return not decision.any_of or any(
            self._met(session, table, condition, row, operation) for condition in decision.any_of
        )

    def _met(
        self, session: Session, table: str, condition: str, row: Mapping[str, str], operation: str
    ) -> bool:
        """Asks the database whether the stored row meets an encoded query.

        A record that is being created has no row yet: its conditions see empty fields.
        """
        compiled = self._condition(session, table, condition)
        if compiled.unknown:
            return False  # a condition that cannot be read grants nothing
        if operation == "create":
            source = self._blank(table, compiled.from_sql)
            sql = f"SELECT 1 {source} WHERE ({compiled.where_sql})"
            params = [*compiled.params]
        else:
            sql = f'SELECT 1 {compiled.from_sql} WHERE t0."sys_id" = ? AND ({compiled.where_sql})'
            params = [row["sys_id"], *compiled.params]
        return self._instance.database.execute(sql, params).fetchone() is not None

    def _condition(self, session: Session, table: str, condition: str) -> query.Compiled:
        key = (table, condition, session.sys_id)
        compiled = self._compiled.get(key)
        if compiled is None or compiled.moving:
            compiled = query.compile(
                self._instance.dictionary, table, condition, self._instance.query_context(session)
            )
            self._compiled[key] = compiled
        return compiled

    def _blank(self, table: str, from_sql: str) -> str:
        known = self._instance.database.known(table)
        values = {name: table if name == "sys_class_name" else "" for name in known.fields}
        empty = ", ".join(f"'{value}' AS \"{name}\"" for name, value in values.items())
        return from_sql.replace(f'"{known.root}" t0', f"(SELECT {empty}) t0", 1)

    def _refresh(self) -> None:
        revision = (self._instance.database.revision(*SOURCES), self._instance.dictionary.revision)
        if revision == self._revision:
            return
        self._revision = revision
        self._tables.clear()
        self._fields.clear()
        self._needs.clear()
        self._compiled.clear()
        self._rules = _read(self._instance)


def _attribute_holds(attribute: str, session: Session) -> bool:
    """The two built-in attributes; one that is not known fails closed."""
    if attribute in (AUTHENTICATED, "UserIsAuthenticated"):
        return GUEST not in session.roles
    if attribute == "":
        return True
    return attribute in (HAS_ADMIN_ROLE, "HasAdminRole") and session.is_admin


def _read(instance: "Instance") -> dict[tuple[str, str], list[Rule]]:
    """Every active rule on records and REST APIs, by operation and name."""
    database = instance.database
    names = {row["sys_id"]: row["name"] for row in database.find("sys_user_role")}
    roles: dict[str, set[str]] = {}
    for row in database.find("sys_security_acl_role"):
        # A role that does not exist is never held, so its rule refuses (ServiceNow docs: empty ACLs).
        roles.setdefault(row["sys_security_acl"], set()).add(names.get(row["sys_user_role"], "\0"))
    types = _by_sys_id(instance, "sys_security_type")
    operations = _by_sys_id(instance, "sys_security_operation")
    rules: dict[tuple[str, str], list[Rule]] = {}
    for row in database.find("sys_security_acl"):
        kind = types.get(row["type"], row["type"])
        if row["active"] == "false" or kind not in ("record", "", REST_ENDPOINT):
            continue
        operation = operations.get(row["operation"], row["operation"])
        name = f"{REST_ENDPOINT} {row['name']}" if kind == REST_ENDPOINT else row["name"]
        rules.setdefault((operation, name), []).append(_rule(row, roles.get(row["sys_id"], set())))
    return rules


def _by_sys_id(instance: "Instance", table: str) -> dict[str, str]:
    if instance.dictionary.table(table) is None:
        return {}
    return {row["sys_id"]: row["name"] for row in instance.database.find(table)}


def _rule(row: Mapping[str, str], roles: set[str]) -> Rule:
    return Rule(
        sys_id=row["sys_id"],
        roles=frozenset(roles),
        condition=row.get("condition", ""),
        scripted=row.get("advanced") == "true" and bool(row.get("script", "").strip()),
        attribute=row.get("security_attribute", ""),
        admin_overrides=row.get("admin_overrides", "true") != "false",
        deny_unless=row.get("decision_type", "allow") == "deny",
    )
