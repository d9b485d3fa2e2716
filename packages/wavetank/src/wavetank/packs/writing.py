"""How a pack's rows get into a database: choices and access controls from its texts, the rest as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from wavetank.database.dictionary import Dictionary
from wavetank.database.shipped import sys_id_for
from wavetank.database.store import Database
from wavetank.packs.base.roles import role_id
from wavetank.packs.base.tables import lines

Rows = Iterator[dict[str, str]]
# When the product's own records were made: long before anything a test does.
SHIPPED = "2024-03-04 08:00:00"
_STAMPS = {
    "sys_created_on": SHIPPED,
    "sys_created_by": "system",
    "sys_updated_on": SHIPPED,
    "sys_updated_by": "system",
    "sys_mod_count": "0",
}
_OPERATIONS = {"c": "create", "r": "read", "w": "write", "d": "delete"}
# The security attribute that any logged-in user has.
AUTHENTICATED = "239bdf0c47d23110ba46ff58936d4330"


def write(database: Database, table: str, rows: Iterable[dict[str, str]]) -> None:
    """Shipped rows, with the defaults of their table and the stamps of the product's making."""
    known = database.known(table)
    stamps = {name: value for name, value in _STAMPS.items() if name in known.fields}
    start = {**stamps, **defaults(database, table)}
    if "sys_name" in known.fields and "name" in known.fields:
        database.insert_many(table, ({**start, "sys_name": row.get("name", ""), **row} for row in rows))
    else:
        database.insert_many(table, ({**start, **row} for row in rows))


def defaults(database: Database, table: str) -> dict[str, str]:
    """The values that a record of the table starts with, where they are no expressions."""
    return {
        field.name: field.default
        for field in database.known(table).fields.values()
        if field.default and not field.default.startswith("javascript:")
    }


def named(table: str, names: Iterable[str]) -> Rows:
    """Rows that have a name and nothing else."""
    for name in names:
        yield {"sys_id": sys_id_for(table, name), "name": name}


def properties(values: Mapping[str, str]) -> Rows:
    """System properties; the type of one is what its value looks like."""
    for name, value in values.items():
        kind = "boolean" if value in {"true", "false"} else "integer" if value.isdecimal() else "string"
        yield {"sys_id": sys_id_for("sys_properties", name), "name": name, "value": value, "type": kind}


def choices(pack: str) -> Rows:
    """The rows of a pack's choices; `pack` is its Python package."""
    for line in lines(pack, "choices"):
        head, listed = re.split(r": ", line, maxsplit=1)
        where, _, dependent = head.partition(" < ")
        table, _, element = where.partition(".")
        for index, each in enumerate(listed.split("; "), start=1):
            value, _, label = each.removeprefix("!").partition("=")
            yield {
                "sys_id": sys_id_for("sys_choice", table, element, dependent, value),
                "name": table,
                "element": element,
                "value": value,
                "label": label,
                "sequence": str(index * 10),
                "inactive": "true" if each.startswith("!") else "false",
                "dependent_value": dependent,
            }


def write_access(database: Database, pack: str) -> None:
    """The access controls of a pack's access texts; a field that is not listed follows `*.*`."""
    rules: list[dict[str, str]] = []
    roles: list[dict[str, str]] = []
    for line in lines(pack, "access"):
        head, _, condition = line.partition(" if ")
        name, operations, *listed = head.split()
        for letter in operations:
            rule, held = _rule(database.dictionary, name, _OPERATIONS[letter], listed, condition.strip())
            rules.append(rule)
            roles += held
    write(database, "sys_security_acl", rules)
    write(database, "sys_security_acl_role", roles)


def _rule(
    dictionary: Dictionary, name: str, operation: str, listed: list[str], condition: str
) -> tuple[dict[str, str], list[dict[str, str]]]:
    table = name.partition(".")[0]
    if table != "*" and dictionary.table(table) is None:
        raise ValueError(f"an access text names {name}, which is no table")
    sys_id = sys_id_for("sys_security_acl", name, operation, *listed, *filter(None, [condition]))
    attribute = AUTHENTICATED if listed == ["*"] else ""
    rule = {
        "sys_id": sys_id,
        "name": name,
        "type": "record",
        "operation": operation,
        "security_attribute": attribute,
        "condition": condition,
    }
    roles = [
        {
            "sys_id": sys_id_for("sys_security_acl_role", sys_id, role),
            "sys_security_acl": sys_id,
            "sys_user_role": role_id(role),
        }
        for role in listed
        if role != "*"
    ]
    return rule, roles
