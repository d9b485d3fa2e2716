"""Whether rows meet what is left of a decision. The database is asked, for many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from wavetank.database import query
from wavetank.security.acl.formula import Formula, Test, meeting

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.who import Session

Row = Mapping[str, str]
# Runs a script of an access control: (script, table, row or None, session, operation) -> what it answers.
RowScript = Callable[[str, str, Row | None, "Session", str], bool]
_ONE = {"row"}
_MOST_KEPT = 5000


class Rows:
    """Asks the tests of formulas. Compiled conditions are kept until `forget`.

    A condition that cannot be read, for a field that the class lacks for instance, grants nothing; an
    `applies_to` that cannot be read leaves its rule standing for every row.
    """

    def __init__(self, instance: Instance) -> None:
        self.scripts: RowScript | None = None
        self._instance = instance
        self._compiled: dict[tuple[str, str, str, frozenset[str]], query.Compiled] = {}

    def forget(self) -> None:
        """Compile anew from now on."""
        self._compiled.clear()

    def stored(
        self, session: Session, formula: Formula, table: str, sys_ids: Sequence[str], operation: str = "read"
    ) -> set[str]:
        """Those of some stored rows of one class that the formula holds for."""

        def test(asked: Test, keys: set[str]) -> set[str]:
            if asked.kind == "script":
                read = self._instance.database.get
                return {
                    key
                    for key in keys
                    if self._answers(session, asked.text, table, read(table, key), operation)
                }
            return self._meeting(session, asked, table, keys)

        return meeting(formula, set(sys_ids), test)

    def one(self, session: Session, formula: Formula, table: str, row: Row, operation: str) -> bool:
        """Whether the formula holds for a stored row."""
        return bool(self.stored(session, formula, table, [row["sys_id"]], operation))

    def none_yet(self, session: Session, formula: Formula, table: str) -> bool:
        """Whether it holds for a record that is being created: every test sees empty fields."""
        blank = dict.fromkeys(self._instance.database.known(table).fields, "")
        blank["sys_class_name"] = table

        def test(asked: Test, keys: set[str]) -> set[str]:
            if asked.kind == "script":
                return keys if self._answers(session, asked.text, table, blank, "create") else set()
            return keys if self._met_by_blank(session, asked, table) else set()

        return bool(meeting(formula, _ONE, test))

    def without(self, session: Session, formula: Formula, name: str) -> bool:
        """Whether it holds where there is no record at all: conditions are not met, scripts see none."""

        def test(asked: Test, keys: set[str]) -> set[str]:
            met = asked.kind == "script" and self._answers(session, asked.text, name, None, "execute")
            return keys if met else set()

        return bool(meeting(formula, _ONE, test))

    def says_yes(self, script: str, session: Session) -> bool:
        """What a script says of a session alone."""
        return bool(script) and self._answers(session, script, "sys_security_attribute", None, "")

    def _answers(self, session: Session, script: str, table: str, row: Row | None, operation: str) -> bool:
        """What a script says; without an engine to run it, nothing is granted."""
        return self.scripts is not None and self.scripts(script, table, row, session, operation)

    def _meeting(self, session: Session, asked: Test, table: str, sys_ids: set[str]) -> set[str]:
        compiled = self._condition(session, asked, table)
        if compiled.unknown:
            return sys_ids if asked.kind == "applies" else set()
        source = self._exactly(compiled, table) if asked.kind == "applies" else compiled.from_sql
        sql = (
            f'SELECT t0."sys_id" {source}'  # noqa: S608
            f' WHERE t0."sys_id" IN (SELECT value FROM json_each(?)) AND ({compiled.where_sql})'
        )
        listed = msgspec.json.encode(sorted(sys_ids)).decode()
        return {row[0] for row in self._instance.database.execute(sql, [listed, *compiled.params])}

    def _met_by_blank(self, session: Session, asked: Test, table: str) -> bool:
        compiled = self._condition(session, asked, table)
        if compiled.unknown:
            return asked.kind == "applies"
        fields = self._instance.database.known(table).fields
        values = ", ".join(
            f"'{table if name == 'sys_class_name' else ''}' COLLATE NOCASE AS \"{name}\"" for name in fields
        )
        sql = f"SELECT 1 {self._instead(compiled, table, f'SELECT {values}')} WHERE ({compiled.where_sql})"
        return self._instance.database.execute(sql, compiled.params).fetchone() is not None

    def _exactly(self, compiled: query.Compiled, table: str) -> str:
        """The same source, minding capitals (ServiceNow docs: Explore Access Control Lists, Applies-to)."""
        known = self._instance.database.known(table)
        names = {"sys_id", *(name for name in compiled.columns if name in known.fields)}
        values = ", ".join(
            f'"{name}"' if name in ("sys_id", "sys_class_name") else f'"{name}" COLLATE BINARY AS "{name}"'
            for name in sorted(names)
        )
        return self._instead(compiled, table, f'SELECT {values} FROM "{known.root}"')  # noqa: S608

    def _instead(self, compiled: query.Compiled, table: str, select: str) -> str:
        root = self._instance.database.known(table).root
        return compiled.from_sql.replace(f'"{root}" t0', f"({select}) t0", 1)

    def _condition(self, session: Session, asked: Test, table: str) -> query.Compiled:
        key = (table, asked.text, session.sys_id, session.roles)
        compiled = self._compiled.get(key)
        if compiled is None or compiled.moving:
            compiled = query.compile(
                self._instance.dictionary, table, asked.text, self._instance.query_context(session)
            )
            if len(self._compiled) >= _MOST_KEPT:
                self._compiled.clear()
            self._compiled[key] = compiled
        return compiled
