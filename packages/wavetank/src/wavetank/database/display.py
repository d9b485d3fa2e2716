"""How rows look to a caller: raw values, display values, or both, with links for references.

Shapes recorded on developer instances: a raw reference is {"link", "value"}, a shown one
{"display_value", "link"}, both {"display_value", "link", "value"}; an empty one is "".
How one value of each type looks is in `formats`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from wavetank.database import formats, journal
from wavetank.database.choices import Choices
from wavetank.database.dictionary import INTEGERS, Field, Table
from wavetank.database.formats import Style
from wavetank.database.references import Column, Source
from wavetank.database.store import Database


class Renderer:
    """Prepared to turn rows of one statement into what a caller sees.

    `paths` are the keys of the answer, dot-walked or not; those that lead nowhere are left out. `columns`
    is what to select, in this order, for `render`.
    """

    def __init__(
        self,
        database: Database,
        choices: Choices,
        source: Source,
        paths: Iterable[str],
        style: Style,
    ) -> None:
        self._database = database
        self._choices = choices
        self._table = source.table
        self._style = style
        columns = ((path, source.column(path)) for path in paths)
        self._columns = {path: column for path, column in columns if column is not None}
        self._keys = tuple(self._columns)
        self._indexes = {key: index + 2 for index, key in enumerate(self._keys)}
        class_sql = 't0."sys_class_name"' if source.table.shared else "''"
        self.columns = ", ".join(
            ['t0."sys_id"', class_sql, *(column.sql for column in self._columns.values())]
        )

    def render(
        self, rows: Sequence[tuple[str, ...]], denied: Callable[[str, str], frozenset[str]]
    ) -> list[dict[str, Any]]:
        """One object a row. `denied` gives the keys to leave out, from sys_id and class."""
        shown = self._raw(rows) if self._style.mode == "false" else self._displayed(rows)
        for row, each in zip(rows, shown, strict=True):
            for key in denied(row[0], row[1]):
                each.pop(key, None)
        return shown

    def _raw(self, rows: Sequence[tuple[str, ...]]) -> list[dict[str, Any]]:
        keys = self._keys
        shown: list[dict[str, Any]] = [dict(zip(keys, row[2:], strict=True)) for row in rows]
        for key, column in self._columns.items():
            field = column.field
            if field.is_journal:
                for each in shown:
                    each[key] = ""
            elif field.is_reference and self._style.links:
                prefix = self._prefix(field)
                for each in shown:
                    value = each[key]
                    if value:
                        each[key] = {"link": prefix + value, "value": value}
        return shown

    def _displayed(self, rows: Sequence[tuple[str, ...]]) -> list[dict[str, Any]]:
        both = self._style.mode == "all"
        shown: list[dict[str, Any]] = [{} for _ in rows]
        entries = self._journal_texts(rows)
        for key, column in self._columns.items():
            index = self._indexes[key]
            show = self._shower(column, [row[index] for row in rows])
            field = column.field
            linked = field.is_reference and bool(self._style.links)
            prefix = self._prefix(field) if linked else ""
            more = formats.further(field) if both else None
            for row, each in zip(rows, shown, strict=True):
                value = row[index]
                text = entries.get((row[0], key), "") if field.is_journal else show(value)
                if both:
                    raw = "" if field.is_journal else value
                    each[key] = {"display_value": text, "value": raw}
                    if linked and value:
                        each[key]["link"] = prefix + value
                    elif more:
                        each[key].update(more(value))
                elif linked and value:
                    each[key] = {"display_value": text, "link": prefix + value}
                else:
                    each[key] = text or ""
        return shown

    def _prefix(self, field: Field) -> str:
        between = "/" if field.key == "sys_id" else f"?{field.key}="
        return f"{self._style.links}{field.reference}{between}"

    def _journal_texts(self, rows: Sequence[tuple[str, ...]]) -> dict[tuple[str, str], str]:
        elements = [
            key for key, column in self._columns.items() if column.field.is_journal and not column.joined
        ]
        if not elements:
            return {}
        sys_ids = [row[0] for row in rows]
        return journal.texts(self._database, self._table, elements, sys_ids, self._style.stamp)

    def _shower(self, column: Column, values: Sequence[str]) -> Callable[[str], str | None]:
        """The function that shows one value of a column; `values` are all it will be asked for."""
        field = column.field
        if field.is_reference:
            names = self._names(field, set(values))
            return lambda value: names.get(value, "")
        if field.type == "glide_list" and field.reference:
            single = {each for value in values for each in value.split(",")}
            names = self._names(field, single)
            return lambda value: (
                ", ".join(names.get(each) or each for each in value.split(",")) if value else ""
            )
        if field.choice:
            found = self._choices.find(self._choice_table(column), field.name)
            labels = found.labels if found else {}
            empty = None if self._style.mode == "all" else ""
            plain = formats.grouped if field.type in INTEGERS and not labels else str
            return lambda value: labels.get(value) or plain(value) if value else empty
        return formats.shower(field, self._style, self._database.dictionary)

    def _choice_table(self, column: Column) -> str:
        return column.field.table if column.joined else self._table.name

    def _names(self, field: Field, values: set[str]) -> dict[str, str]:
        target = self._database.dictionary.table(field.reference)
        values.discard("")
        if target is None or not values:
            return {}
        names = _names(self._database, target, field.key, values)
        if field.type == "domain_id":
            names.setdefault("global", "global")
        return names


def _names(database: Database, target: Table, key: str, values: set[str]) -> dict[str, str]:
    """{value: display value} of referenced records; the display field may itself be a reference."""
    display = target.fields[target.display]
    sql = (
        f'SELECT "{key}", "{target.display}" FROM "{target.root}"'  # noqa: S608
        f' WHERE "{key}" IN (SELECT value COLLATE NOCASE FROM json_each(?))'
    )
    found = dict(database.execute(sql, [msgspec.json.encode(sorted(values)).decode()]).fetchall())
    if display.is_reference:
        further = database.dictionary.table(display.reference)
        if further is not None and further.name != target.name:
            names = _names(database, further, display.key, set(found.values()) - {""})
            found = {each: names.get(value, "") for each, value in found.items()}
    lowered = {each.lower(): shown for each, shown in found.items()}
    return {value: shown for value in values if (shown := lowered.get(value.lower())) is not None}
