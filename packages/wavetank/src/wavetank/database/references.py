"""Dot-walks: reaching a field of a referenced record, as joins of one SQL statement."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wavetank.database.dictionary import Dictionary, Field, Table

# SQLite joins at most 64 tables.
MOST_JOINS = 60
# A display field may be a reference itself: how often that is followed.
MOST_DISPLAYS = 3


@dataclass(frozen=True, slots=True)
class Column:
    """A field as SQL can name it. `joined` columns may belong to a record that is not there."""

    sql: str
    field: Field
    path: str
    joined: bool


@dataclass(frozen=True, slots=True)
class _Hop:
    """One reference walked: the path so far, its field, the class of the record reached."""

    path: str
    field: Field
    target: Table
    narrowed: bool = False


class Source:
    """The FROM of one statement: the table and a left join for each reference walked.

    The table is called `t0`; a statement inside another one needs another `prefix` than `t`.
    """

    def __init__(self, dictionary: Dictionary, table: str, prefix: str = "t") -> None:
        known = dictionary.table(table)
        if known is None:
            raise KeyError(table)
        self._dictionary = dictionary
        self._prefix = prefix
        self._aliases: dict[str, str] = {"": f"{prefix}0"}
        self._joins: list[str] = []
        self.table = known

    @property
    def name(self) -> str:
        """What SQL calls the table itself."""
        return self._aliases[""]

    @property
    def sql(self) -> str:
        """`FROM … LEFT JOIN …`, for every path asked for so far."""
        return " ".join([f'FROM "{self.table.root}" {self.name}', *self._joins])

    def column(self, path: str) -> Column | None:
        """The column of a dot-walked path, joining what is needed; None when the path leads nowhere.

        A step `ref_<class>` goes on in a class below the one that the reference points to.
        """
        before, dot, last = path.rpartition(".")
        hops = self._hops(before)
        if hops is None or (dot and not before):
            return None
        field = (hops[-1].target if hops else self.table).fields.get(last)
        if field is None:
            return None
        if not hops:
            return Column(f'{self.name}."{last}"', field, path, joined=False)
        return Column(f"IFNULL({self._joined(hops)}.\"{last}\", '') COLLATE NOCASE", field, path, joined=True)

    def record(self, path: str) -> str | None:
        """What SQL calls the record that a path's last field belongs to; None when there is no such path."""
        hops = self._hops(path.rpartition(".")[0])
        return None if hops is None else self._joined(hops)

    def display(self, column: Column) -> Column:
        """The display field of the record that a reference column points to."""
        for _ in range(MOST_DISPLAYS):
            target = self._dictionary.table(column.field.reference)
            if target is None or not column.field.is_reference or column.field.key == "name":
                break
            shown = self.column(f"{column.path}.{target.display}")
            if shown is None:
                break
            column = shown
        return column

    def _hops(self, path: str) -> list[_Hop] | None:
        hops: list[_Hop] = []
        here = self.table
        walked = ""
        for step in path.split(".") if path else ():
            walked = f"{walked}.{step}" if walked else step
            field = here.fields.get(step)
            target = self._dictionary.table(field.reference) if field and field.is_reference else None
            if field is not None and target is not None:
                hops.append(_Hop(walked, field, target))
            elif hops and field is None and (below := self._below(here, step)):
                target = below
                hops[-1] = replace(hops[-1], path=walked, target=target, narrowed=True)
            else:
                return None
            here = target
        return hops if len(self._joins) + len(hops) <= MOST_JOINS else None

    def _below(self, table: Table, step: str) -> Table | None:
        name = step.removeprefix("ref_")
        known = step.startswith("ref_") and name in self._dictionary.descendants(table.name)
        return self._dictionary.table(name) if known else None

    def _joined(self, hops: list[_Hop]) -> str:
        """The alias of the last record walked to."""
        alias = self.name
        for hop in hops:
            parent, alias = alias, self._aliases.get(hop.path, "")
            if not alias:
                alias = f"{self._prefix}{len(self._aliases)}"
                self._aliases[hop.path] = alias
                self._joins.append(self._join(hop, parent, alias))
        return alias

    def _join(self, hop: _Hop, parent: str, alias: str) -> str:
        link = f'{parent}."{hop.field.name}"'
        sql = (
            f'LEFT JOIN "{hop.target.root}" {alias} ON {alias}."{hop.field.key}" = {link} AND {link} <> \'\''
        )
        if hop.narrowed and hop.target.shared:
            names = (hop.target.name, *self._dictionary.descendants(hop.target.name))
            listed = ", ".join(f"'{name}'" for name in names)
            sql += f' AND {alias}."sys_class_name" IN ({listed})'
        return sql
