"""How rows look to a caller: raw values, display values, or both, with links for references.

Shapes recorded on developer instances: a raw reference is {"link", "value"}, a shown one
{"display_value", "link"}, both {"display_value", "link", "value"}; an empty one is "".
How one value of each type looks is in `formats`.

Rows are made as JSON texts at once, never as objects on the way: raw ones by SQLite itself, shown ones from
pieces, one for each distinct value of a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring as quoted

from wavetank.database import formats, journal, listing
from wavetank.database.choices import Choices
from wavetank.database.dictionary import INTEGERS, Field, Table
from wavetank.database.formats import Style
from wavetank.database.listing import Key, Keys
from wavetank.database.references import Column, Source
from wavetank.database.store import Database

# SQLite's functions take up to 127 arguments, older ones 100; each column is two.
_COLUMNS_AT_ONCE = 48
_MOST_REMEMBERED = 20_000  # pieces of one column
NOTHING: frozenset[str] = frozenset()
_Showers = Callable[[Column, set[str]], formats.Shower]


@dataclass(frozen=True, slots=True)
class _Statement:
    """`links` are the targets of the links it makes, without the address before them."""

    sql: str
    links: tuple[str, ...]


class Renderer:
    """Prepared to show rows of one table. `paths` are the keys of the answer, dot-walked or not.

    Paths that lead nowhere are left out.
    """

    def __init__(
        self, database: Database, choices: Choices, table: Table, paths: Iterable[str], style: Style
    ) -> None:
        self._database = database
        self._choices = choices
        self._table = table
        self._style = style
        self._paths = tuple(paths)
        self._pieces: dict[str, _Pieces] = {}

    def texts(self, keys: Keys, without: frozenset[str] = NOTHING) -> dict[Key, bytes]:
        """The JSON object of each row; a row that is gone is absent. Keys in `without` are left out."""
        return self._raw(keys, without) if self._style.mode == "false" else self._shown(keys, without)

    def labels(self, column: Column, values: Iterable[str]) -> dict[str, str]:
        """What each of a column's raw values looks like, by value."""
        wanted = set(values)
        show = self._shower(column, set(wanted))
        return {value: show(value) or "" for value in wanted}

    # -- raw values

    def _raw(self, keys: Keys, without: frozenset[str]) -> dict[Key, bytes]:
        style = self._style
        statement = self._database.kept(
            ("raw", self._table.name, self._paths, without, bool(style.links)),
            lambda: self._raw_statement(without),
        )
        bound = {"keys": listing.packed(keys)}
        bound |= {f"link{index}": style.links + target for index, target in enumerate(statement.links)}
        return {row[0]: _joined(row) for row in self._database.execute(statement.sql, bound)}

    def _raw_statement(self, without: frozenset[str]) -> _Statement:
        source = Source(self._database.dictionary, self._table.name)
        columns = _columns(source, self._paths, without)
        fields = (column.field for column in columns.values() if column.field.is_reference)
        links = tuple(dict.fromkeys(_link_target(field) for field in fields)) if self._style.links else ()
        pairs = [f"'{key}', {_raw_sql(column, links)}" for key, column in columns.items()]
        parts = [pairs[at : at + _COLUMNS_AT_ONCE] for at in range(0, len(pairs), _COLUMNS_AT_ONCE)] or [[]]
        objects = ", ".join(f"CAST(json_object({', '.join(part)}) AS BLOB)" for part in parts)
        return _Statement(
            f"SELECT t0.{listing.key_of(self._table)}, {objects} {listing.chosen_from(source)}", links
        )

    # -- display values, with the raw ones or without

    def _shown(self, keys: Keys, without: frozenset[str]) -> dict[Key, bytes]:
        sql, columns = self._database.kept(
            ("shown", self._table.name, self._paths, without), lambda: self._shown_statement(without)
        )
        rows = self._database.execute(sql, {"keys": listing.packed(keys)}).fetchall()
        if not rows:
            return {}
        found, sys_ids, *values = zip(*rows, strict=True)
        texts = self._journal_texts(columns, sys_ids)
        blanks: dict[str, str] = self._database.kept(("blanks", self._table.name, self._style.mode), dict)
        pieces: list[Iterable[str]] = []
        for index, (key, column) in enumerate(columns.items()):
            known = self._pieces.get(key)
            if known is None:
                known = self._pieces[key] = _Pieces(self._style, column, self._shower, blanks.get(key))
                blanks[key] = known.blank
            if column.field.is_journal:
                pieces.append([known.entry(texts.get((sys_id, key), "")) for sys_id in sys_ids])
            else:
                pieces.append(known.of(values[index]))
        form = "{" + ",".join(f'"{key}":%s' for key in columns) + "}"
        shown = zip(*pieces, strict=True) if pieces else ((),) * len(rows)
        return {key: (form % row).encode() for key, row in zip(found, shown, strict=True)}

    def _shown_statement(self, without: frozenset[str]) -> tuple[str, Mapping[str, Column]]:
        source = Source(self._database.dictionary, self._table.name)
        columns = _columns(source, self._paths, without)
        wanted = (formats.raw_sql(column.field, column.sql) for column in columns.values())
        listed = ", ".join([f"t0.{listing.key_of(self._table)}", 't0."sys_id"', *wanted])
        return f"SELECT {listed} {listing.chosen_from(source)}", columns

    def _journal_texts(
        self, columns: Mapping[str, Column], sys_ids: Sequence[str]
    ) -> Mapping[tuple[str, str], str]:
        elements = [key for key, column in columns.items() if column.field.is_journal and not column.joined]
        if not elements:
            return {}
        return journal.texts(self._database, self._table, elements, sys_ids, self._style.stamp)

    def _shower(self, column: Column, values: set[str]) -> formats.Shower:
        """The function that shows one value of a column; `values` are all it will be asked for."""
        field = column.field
        if field.is_reference:
            names = self._names(field, values)
            return lambda value: names.get(value, "")
        if field.type == "glide_list" and field.reference:
            names = self._names(field, {each for value in values for each in value.split(",")})
            return lambda value: (
                ", ".join(names.get(each) or each for each in value.split(",")) if value else ""
            )
        if field.choice:
            found = self._choices.find(field.table if column.joined else self._table.name, field.name)
            labels = found.labels if found else {}
            empty = None if self._style.mode == "all" else ""
            plain = formats.grouped if field.type in INTEGERS and not labels else str
            return lambda value: labels.get(value) or plain(value) if value else empty
        return formats.shower(field, self._style, self._database.dictionary)

    def _names(self, field: Field, values: set[str]) -> dict[str, str]:
        target = self._database.dictionary.table(field.reference)
        values.discard("")
        if target is None or not values:
            return {}
        names = _names(self._database, target, field.key, values)
        if field.type == "domain_id":
            names.setdefault("global", "global")
        return names


class _Pieces:
    """What the values of one column look like in JSON: each distinct value is worked out once.

    `blank` is what "" looks like, which does not depend on any record.
    """

    __slots__ = ("_both", "_column", "_known", "_links", "_more", "_shower")

    def __init__(self, style: Style, column: Column, shower: _Showers, blank: str | None) -> None:
        self._column = column
        self._shower = shower
        self._both = style.mode == "all"
        self._more = formats.further(column.field) if self._both else None
        linked = column.field.is_reference and bool(style.links)
        self._links = style.links + _link_target(column.field) if linked else ""
        self._known = {"": self._piece("", shower(column, set())("")) if blank is None else blank}

    @property
    def blank(self) -> str:
        return self._known[""]

    def of(self, values: Sequence[str]) -> list[str]:
        known = self._known
        try:
            return [known[value] for value in values]
        except KeyError:
            pass
        if len(known) > _MOST_REMEMBERED:
            self._known = known = {"": self.blank}
        new = set(values).difference(known)
        show = self._shower(self._column, set(new))
        known.update((value, self._piece(value, show(value))) for value in new)
        return [known[value] for value in values]

    def entry(self, text: str) -> str:
        """A journal field: it has no value of its own."""
        shown = quoted(text)
        return f'{{"display_value":{shown},"value":""}}' if self._both else shown

    def _piece(self, value: str, text: str | None) -> str:
        shown = "null" if text is None else quoted(text)
        link = f',"link":{quoted(self._links + value)}' if self._links and value else ""
        if not self._both:
            return f'{{"display_value":{shown}{link}}}' if link else shown
        more = self._more(value) if self._more else {}
        added = "".join(f",{quoted(key)}:{quoted(each)}" for key, each in more.items())
        return f'{{"display_value":{shown},"value":{quoted(value)}{link}{added}}}'


def _columns(source: Source, paths: Iterable[str], without: frozenset[str]) -> dict[str, Column]:
    columns = ((path, source.column(path)) for path in paths if path not in without)
    return {path: column for path, column in columns if column is not None}


def _raw_sql(column: Column, links: Sequence[str]) -> str:
    """The SQL of a raw value; of a reference, if there are links, of the object that it is."""
    value = formats.raw_sql(column.field, column.sql)
    if not links or not column.field.is_reference:
        return value
    link = f":link{links.index(_link_target(column.field))} || {value}"
    return f"CASE WHEN {value} = '' THEN '' ELSE json_object('link', {link}, 'value', {value}) END"


def _joined(row: Sequence[bytes]) -> bytes:
    """One JSON object of several, as SQLite made them after the row's key."""
    if len(row) == 2:
        return row[1]
    return b"{" + b",".join([each[1:-1] for each in row[1:]]) + b"}"


def _link_target(field: Field) -> str:
    """The part of a link between the address of all tables and the value."""
    return f"{field.reference}{'/' if field.key == 'sys_id' else f'?{field.key}='}"


def _names(
    database: Database, target: Table, key: str, values: set[str], above: tuple[str, ...] = ()
) -> dict[str, str]:
    """{value: display value} of referenced records; the display field may itself be a reference.

    `above` are the tables that led here: display fields that lead in a circle are followed once round.
    """
    display = target.fields[target.display]
    passed = (*above, target.name)
    sql = (
        f'SELECT "{key}", "{target.display}" FROM "{target.root}"'  # noqa: S608
        f' WHERE "{key}" IN (SELECT value COLLATE NOCASE FROM json_each(?))'
    )
    found = dict(database.execute(sql, [listing.packed(sorted(values))]).fetchall())
    if display.is_reference:
        further = database.dictionary.table(display.reference)
        if further is not None and further.name not in passed:
            names = _names(database, further, display.key, set(found.values()) - {""}, passed)
            found = {each: names.get(value, "") for each, value in found.items()}
    lowered = {each.lower(): shown for each, shown in found.items()}
    return {value: shown for value in values if (shown := lowered.get(value.lower())) is not None}
