"""The dictionary: which tables exist, which fields each has, and how classes inherit.

The rows of `sys_db_object` and `sys_dictionary` are the source; this is the same knowledge in a shape
that answers in nanoseconds. A class inherits every field of its super class and may redefine one
(ServiceNow docs: "Table extension and classes").
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

DATE_TIMES = frozenset({"glide_date_time", "due_date"})
DATES = DATE_TIMES | {"glide_date"}
INTEGERS = frozenset({"integer", "longint", "long"})
MONEY = frozenset({"currency", "price"})
NUMBERS = INTEGERS | MONEY | {"decimal", "float"}
JOURNALS = frozenset({"journal_input", "journal", "journal_list"})
REFERENCES = frozenset({"reference", "domain_id", "document_id"})
PASSWORDS = frozenset({"password", "password2"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one table, as its `sys_dictionary` row has it.

    `table` is the class that defines it. `key` is the column of the referenced table that values hold:
    sys_id nearly always, `name` for a few metadata tables.
    """

    name: str
    type: str = "string"
    label: str = ""
    table: str = ""
    reference: str = ""
    max_length: int = 40
    default: str = ""
    mandatory: bool = False
    read_only: bool = False
    display: bool = False
    choice: bool = False
    unique: bool = False
    key: str = "sys_id"
    sys_id: str = ""

    @property
    def is_reference(self) -> bool:
        return bool(self.reference) and self.type in REFERENCES

    @property
    def is_journal(self) -> bool:
        return self.type in JOURNALS

    @property
    def is_date_time(self) -> bool:
        return self.type in DATE_TIMES

    @property
    def is_number(self) -> bool:
        return self.type in NUMBERS


@dataclass(frozen=True, slots=True)
class Definition:
    """A table as it is declared: its own fields only."""

    name: str
    label: str
    super: str = ""
    fields: tuple[Field, ...] = ()
    audited: bool = False
    ws_access: bool = True
    sys_id: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with everything it inherits.

    `root` is the physical table that holds its rows; `display` the field shown for a reference to it.
    """

    name: str
    label: str
    super: str
    root: str
    fields: Mapping[str, Field]
    own: tuple[Field, ...]
    display: str
    audited: bool
    ws_access: bool
    sys_id: str

    @property
    def shared(self) -> bool:
        """True when rows of several classes may lie in the physical table."""
        return "sys_class_name" in self.fields


# Classes below these are stored apart, one physical table each, as the platform does for metadata.
APART = frozenset({"sys_metadata"})
# Tables that the platform computes: whose rows they show, and which fields are called otherwise there.
COMPUTED: Mapping[str, tuple[str, Mapping[str, str]]] = {"v_plugin": ("sys_plugins", {"id": "source"})}
# What can name a table or a field.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Shape:
    """A dictionary at one moment."""

    definitions: Mapping[str, Definition]
    tables: Mapping[str, Table]
    below: Mapping[str, tuple[str, ...]]
    revision: int


# One series for all dictionaries of a process: a revision names one shape, wherever it is used.
_revisions = itertools.count(1)


class Dictionary:
    """Every table of one instance. Changed only by `Database`, which keeps rows and columns in step."""

    def __init__(self, definitions: Iterable[Definition] = ()) -> None:
        self._definitions: dict[str, Definition] = {}
        self._tables: dict[str, Table] = {}
        self._below: dict[str, tuple[str, ...]] = {}
        self.revision = 0  # names the present shape, and never another one
        self.load(definitions)

    @property
    def shape(self) -> Shape:
        """All it knows. What is set comes back with its revision."""
        return Shape(self._definitions, self._tables, self._below, self.revision)

    @shape.setter
    def shape(self, shape: Shape) -> None:
        if shape.revision != self.revision:
            self._definitions, self._tables = dict(shape.definitions), dict(shape.tables)
            self._below, self.revision = dict(shape.below), shape.revision

    def load(self, definitions: Iterable[Definition]) -> None:
        """Replace everything. Raises KeyError when a super class is missing."""
        self._definitions = {definition.name: definition for definition in definitions}
        self._build()

    def add(self, definition: Definition) -> None:
        """Add a table, or replace its declaration."""
        self._definitions = {**self._definitions, definition.name: definition}
        self._build()

    def add_field(self, table: str, field: Field) -> None:
        """Add a field to a table, or replace one. Raises KeyError for an unknown table."""
        old = self._definitions[table]
        others = tuple(each for each in old.fields if each.name != field.name)
        self._definitions = {**self._definitions, table: replace(old, fields=(*others, field))}
        self._build()

    def remove_field(self, table: str, name: str) -> None:
        """Forget a field of a table; its column stays."""
        old = self._definitions[table]
        kept = tuple(f for f in old.fields if f.name != name)
        self._definitions = {**self._definitions, table: replace(old, fields=kept)}
        self._build()

    def table(self, name: str) -> Table | None:
        """The table, or None when the instance has no such table."""
        return self._tables.get(name)

    def __iter__(self) -> Iterator[Table]:
        return iter(self._tables.values())

    def hierarchy(self, name: str) -> list[str]:
        """The table, its super class, and so on up."""
        names = []
        table = self._tables.get(name)
        while table is not None:
            names.append(table.name)
            table = self._tables.get(table.super)
        return names

    def descendants(self, name: str) -> tuple[str, ...]:
        """Every class below the table, the table itself left out."""
        return self._below.get(name, ())

    def columns(self, root: str) -> dict[str, Field]:
        """The columns of a physical table: the fields of every class stored in it."""
        columns: dict[str, Field] = {}
        for name in (root, *(() if root in APART else self.descendants(root))):
            for field in self._tables[name].fields.values():
                columns.setdefault(field.name, field)
        return columns

    def roots(self) -> list[str]:
        """The names of all physical tables."""
        return sorted({table.root for table in self})

    def walk(self, table: str, path: str) -> list[Field] | None:
        """The fields along a dot-walked path, or None when a step does not exist or is no reference."""
        steps: list[Field] = []
        here = self._tables.get(table)
        for step in path.split("."):
            field = here.fields.get(step) if here else None
            if field is None:
                return None
            steps.append(field)
            here = self._tables.get(field.reference) if field.is_reference else None
        return steps

    def _build(self) -> None:
        self._tables = {}
        for name in self._definitions:
            self._table(name)
        self._settle_keys()
        below: dict[str, list[str]] = {name: [] for name in self._tables}
        for name in self._tables:
            for parent in self.hierarchy(name)[1:]:
                below[parent].append(name)
        self._below = {name: tuple(names) for name, names in below.items()}
        self.revision = next(_revisions)

    def _settle_keys(self) -> None:
        """A reference whose key the other table does not have holds sys_ids, as every other reference."""
        for name, table in list(self._tables.items()):
            wrong = [field for field in table.fields.values() if not self._key_stands(field)]
            if wrong:
                settled = {field.name: replace(field, key="sys_id") for field in wrong}
                self._tables[name] = replace(table, fields={**table.fields, **settled})

    def _key_stands(self, field: Field) -> bool:
        target = None if field.key == "sys_id" else self._tables.get(field.reference)
        return target is None or field.key in target.fields

    def _table(self, name: str) -> Table:
        if name in self._tables:
            return self._tables[name]
        definition = self._definitions[name]
        fields: dict[str, Field] = {}
        root = name
        if definition.super:
            parent = self._table(definition.super)
            fields.update(parent.fields)
            root = name if definition.super in APART else parent.root
        fields.update((field.name, field) for field in definition.fields)
        table = Table(
            name=name,
            label=definition.label,
            super=definition.super,
            root=root,
            fields=fields,
            own=definition.fields,
            display=_display_field(fields, definition.fields),
            audited=definition.audited,
            ws_access=definition.ws_access,
            sys_id=definition.sys_id,
        )
        self._tables[name] = table
        return table


def _display_field(fields: Mapping[str, Field], own: tuple[Field, ...]) -> str:
    marked = [f.name for f in own if f.display] or [f.name for f in fields.values() if f.display]
    if marked:
        return marked[0]
    return next((name for name in ("name", "number") if name in fields), "sys_id")


_KEY_ATTRIBUTE = "reference_key="


def table_rows(definition: Definition, super_sys_id: str) -> tuple[dict[str, str], dict[str, str]]:
    """The `sys_db_object` row of a table and its own `sys_dictionary` row (type `collection`)."""
    db_object = {
        "sys_id": definition.sys_id,
        "name": definition.name,
        "label": definition.label,
        "super_class": super_sys_id,
        "ws_access": _text(definition.ws_access),
        "is_extendable": "true",
        "access": "public",
        "read_access": "true",
        "sys_scope": "global",
        "sys_name": definition.label,
    }
    collection = {
        "name": definition.name,
        "element": "",
        "column_label": definition.label,
        "internal_type": "collection",
        "max_length": "40",
        "active": "true",
        "audit": _text(definition.audited),
        "mandatory": "false",
        "read_only": "false",
        "display": "false",
        "array": "false",
        "sys_name": definition.label,
    }
    return db_object, collection


def field_row(table: str, field: Field) -> dict[str, str]:
    """The `sys_dictionary` row of one field."""
    return {
        "sys_id": field.sys_id,
        "name": table,
        "element": field.name,
        "column_label": field.label,
        "internal_type": field.type,
        "reference": field.reference,
        "max_length": str(field.max_length),
        "default_value": field.default,
        "mandatory": _text(field.mandatory),
        "read_only": _text(field.read_only),
        "display": _text(field.display),
        "unique": _text(field.unique),
        "choice": "1" if field.choice else "",
        "attributes": "" if field.key == "sys_id" else _KEY_ATTRIBUTE + field.key,
        "active": "true",
        "audit": "false",
        "array": "false",
        "sys_name": field.label,
    }


def field_from_row(row: Mapping[str, str]) -> Field:
    """The field that a `sys_dictionary` row describes."""
    attributes = (row.get("attributes") or "").split(",")
    keys = [each.removeprefix(_KEY_ATTRIBUTE) for each in attributes if each.startswith(_KEY_ATTRIBUTE)]
    # It becomes part of SQL, and whoever writes the dictionary may have written it.
    keys = [key for key in keys if NAME.fullmatch(key)]
    length = row.get("max_length") or ""
    return Field(
        name=row["element"],
        type=row.get("internal_type") or "string",
        label=row.get("column_label") or row["element"],
        table=row["name"],
        reference=row.get("reference") or "",
        max_length=int(length) if length.isdecimal() else 40,
        default=row.get("default_value") or "",
        mandatory=row.get("mandatory") == "true",
        read_only=row.get("read_only") == "true",
        display=row.get("display") == "true",
        choice=(row.get("choice") or "0") not in {"0", ""},
        unique=row.get("unique") == "true",
        key=keys[0] if keys else "sys_id",
        sys_id=row.get("sys_id") or "",
    )


def definitions_from_rows(
    db_objects: Iterable[Mapping[str, str]], dictionary_rows: Iterable[Mapping[str, str]]
) -> list[Definition]:
    """Declarations from the rows of `sys_db_object` and `sys_dictionary`."""
    objects = [row for row in db_objects if NAME.fullmatch(row["name"])]
    names = {row["sys_id"]: row["name"] for row in objects}
    parents = {row["sys_id"]: row["super_class"] for row in objects}
    fields: dict[str, list[Field]] = {row["name"]: [] for row in objects}
    audited = set()
    for row in dictionary_rows:
        if row["internal_type"] == "collection":
            if row.get("audit") == "true":
                audited.add(row["name"])
        elif row["name"] in fields and NAME.fullmatch(row["element"]) and row.get("active") != "false":
            fields[row["name"]].append(field_from_row(row))
    return [
        Definition(
            name=row["name"],
            label=row["label"],
            super="" if row["sys_id"] in _above(row, parents) else names.get(row["super_class"], ""),
            fields=tuple(fields[row["name"]]),
            audited=row["name"] in audited,
            ws_access=row["ws_access"] != "false",
            sys_id=row["sys_id"],
        )
        for row in objects
    ]


def _above(row: Mapping[str, str], parents: Mapping[str, str]) -> set[str]:
    """The sys_ids of the super classes of a table; in a circle it is one of them itself."""
    found: set[str] = set()
    here = row["super_class"]
    while here and here not in found:
        found.add(here)
        here = parents.get(here, "")
    return found


def _text(flag: bool) -> str:
    return "true" if flag else "false"


_SYSTEM = (
    ("sys_id", "GUID", "Sys ID", 32),
    ("sys_created_on", "glide_date_time", "Created", 40),
    ("sys_created_by", "string", "Created by", 40),
    ("sys_updated_on", "glide_date_time", "Updated", 40),
    ("sys_updated_by", "string", "Updated by", 40),
    ("sys_mod_count", "integer", "Updates", 40),
    ("sys_tags", "related_tags", "Tags", 255),
)


# What tables have whose rows are written once and never changed.
WRITTEN_ONCE = frozenset({"sys_id", "sys_created_on", "sys_created_by", "sys_tags"})


def system_fields(table: str) -> tuple[Field, ...]:
    """The fields that every table at the top of a hierarchy has, but for a few that have less."""
    return tuple(
        Field(name=name, type=kind, label=label, table=table, max_length=length)
        for name, kind, label, length in _SYSTEM
    )
