"""How rows look to a caller: raw values, display values, or both, with links for references.

Shapes recorded on developer instances: a raw reference is {"link", "value"}, a shown one
{"display_value", "link"}, both {"display_value", "link", "value"}; an empty one is "".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec

from wavetank.database import journal
from wavetank.database.choices import Choices
from wavetank.database.dictionary import INTEGERS, PASSWORDS, Field, Table
from wavetank.database.expressions import to_local
from wavetank.database.references import Column, Source
from wavetank.database.store import Database

Mode = Literal["false", "true", "all"]
MASK = "********"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # durations are stored as an offset from it
_JAVA = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S", "a": "%p"}


@dataclass(frozen=True, slots=True)
class Style:
    """What a caller asked to see. `links` is the address before `{table}/{sys_id}`, "" for no links."""

    mode: Mode
    links: str
    time_zone: str
    date_format: str
    time_format: str


@lru_cache(maxsize=64)
def strftime_format(java: str) -> str:
    """A Java date pattern such as `yyyy-MM-dd` as one of strftime."""
    return re.sub("yyyy|MM|dd|HH|hh|mm|ss|a", lambda match: _JAVA[match[0]], java)


@lru_cache(maxsize=65536)
def local_text(text: str, time_zone: str, pattern: str) -> str:
    """A UTC moment in a time zone and a strftime pattern; what is no moment stays as it is."""
    try:
        moment = to_local(text, time_zone)
    except (ValueError, OverflowError):
        return text
    return moment.strftime(pattern)


def duration_text(text: str) -> str:
    """A stored duration in words, seconds only when nothing larger is there."""
    try:
        seconds = int((to_local(text, "UTC") - _EPOCH).total_seconds())
    except ValueError:
        return text
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [
        f"{count} {noun}{'' if count == 1 else 's'}"
        for count, noun in ((days, "Day"), (hours, "Hour"), (minutes, "Minute"))
        if count
    ]
    return " ".join(parts) or f"{seconds} Second{'' if seconds == 1 else 's'}"


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
            for row, each in zip(rows, shown, strict=True):
                value = row[index]
                text = entries.get((row[0], key), "") if field.is_journal else show(value)
                if both:
                    raw = "" if field.is_journal else value
                    each[key] = {"display_value": text, "value": raw}
                    if linked and value:
                        each[key]["link"] = prefix + value
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
        return journal.texts(self._database, self._table, elements, sys_ids, self._stamp)

    def _stamp(self, text: str) -> str:
        return local_text(text, self._style.time_zone, f"{self._style.date_format} {self._style.time_format}")

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
            plain = _grouped if field.type in INTEGERS and not labels else str
            return lambda value: labels.get(value) or plain(value) if value else empty
        return self._by_type(field)

    def _by_type(self, field: Field) -> Callable[[str], str | None]:  # noqa: PLR0911  one return a type
        if field.type == "due_date":
            return lambda value: self._stamp(value) if value else "UNKNOWN"
        if field.is_date_time:
            return self._stamp
        if field.type == "glide_date":
            return lambda value: (
                local_text(f"{value} 00:00:00", "UTC", self._style.date_format) if value else ""
            )
        if field.type in INTEGERS:
            return _grouped
        if field.type == "glide_duration":
            return lambda value: duration_text(value) if value else ""
        if field.type in {"currency", "price"}:
            return lambda value: f"${float(value):,.2f}" if value else ""
        if field.type in PASSWORDS:
            return lambda value: MASK if value else ""
        if field.type == "sys_class_name":
            return self._class_label
        return lambda value: value

    def _choice_table(self, column: Column) -> str:
        return column.field.table if column.joined else self._table.name

    def _class_label(self, value: str) -> str:
        known = self._database.dictionary.table(value)
        return known.label if known else value

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


def _grouped(value: str) -> str:
    return f"{int(value):,}" if value.lstrip("-").isdecimal() else value
