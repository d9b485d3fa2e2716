"""One write on its way through the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from wavetank.database.dictionary import Table
from wavetank.database.expressions import Context, NotAllowed, evaluate
from wavetank.database.store import Row
from wavetank.errors import PlatformError, operation_failed

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.who import Session

Operation = Literal["insert", "update", "delete"]
JAVASCRIPT = "javascript:"


@dataclass
class Change:
    """The record before (`previous`, None on insert) and as it is about to be (`row`).

    `journals` holds the journal entries to add, as (field, text). `given` are the fields the caller wrote.
    """

    instance: Instance
    who: Session | None
    operation: Operation
    table: Table
    previous: Row | None
    row: Row
    given: frozenset[str] = frozenset()
    journals: list[tuple[str, str]] = field(default_factory=list)

    @property
    def user(self) -> str:
        """The sys_id of who writes; "" for the system."""
        return self.who.sys_id if self.who else ""

    @property
    def user_name(self) -> str:
        return self.who.user_name if self.who else "system"

    @cached_property
    def now(self) -> str:
        """The moment of this write: every stamp it leaves says the same."""
        return self.instance.clock.text()

    @cached_property
    def context(self) -> Context:
        """What expressions and conditions see; they may ask for a field before and after this write."""
        return replace(
            self.instance.query_context(self.who),
            now=self.now,
            unknown_field="drop",
            unknown_by_table={},
            change=self._values,
        )

    def _values(self, name: str) -> tuple[str, str]:
        """A field before and after; of a journal field, what is added to it."""
        field = self.table.fields.get(name)
        if field is not None and field.is_journal:
            return "", "".join(text for each, text in self.journals if each == name)
        return self.before(name), self.row.get(name, "")

    def value_of(self, text: str) -> str:
        """A text as it is; of one that begins with "javascript:" the value, "" where it is not understood."""
        if not text.startswith(JAVASCRIPT):
            return text
        try:
            found = evaluate(text.removeprefix(JAVASCRIPT), self.context)
        except NotAllowed:
            return ""
        return found if isinstance(found, str) else ",".join(found)

    def before(self, name: str) -> str:
        """The field's value before this write."""
        return self.previous.get(name, "") if self.previous else ""

    def changes(self, name: str) -> bool:
        """True when the field is about to have another value."""
        return self.row.get(name, "") != self.before(name)

    def changes_to(self, name: str, *values: str) -> bool:
        return self.changes(name) and self.row.get(name, "") in values

    def fill(self, name: str, value: str) -> None:
        """Set a field unless this write gives it a value."""
        if not (name in self.given and self.row.get(name)):
            self.row[name] = value

    def taken(self) -> PlatformError:
        """The refusal of a write that another record stands in the way of."""
        return operation_failed(
            f"Error during {self.operation} of record: Unique Key violation detected by database"
        )

    def stamp(self, done: str, moment: str = "") -> None:
        """Say who did it and when, in `<done>_by` and `<done>_at` or `moment`, unless this write does."""
        self.fill(f"{done}_by", self.user)
        self.fill(moment or f"{done}_at", self.now)

    def also(self, table: str, row: Row, values: Mapping[str, str], *, system: bool = False) -> None:
        """Change another record along with this one, as who writes this one or as the system.

        Raises as `pipeline.update` does.
        """
        from wavetank.behaviour import pipeline

        pipeline.update(self.instance, None if system else self.who, table, row, values)
