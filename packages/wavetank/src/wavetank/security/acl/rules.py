"""The access controls of an instance, as its rows have them.

ServiceNow docs: "Explore Access Control Lists", "ACL rule types", "Prevent empty ACL creation".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wavetank.security import explicit_roles

if TYPE_CHECKING:
    from wavetank.instance import Instance

REST_ENDPOINT = "REST_Endpoint"
# Tables of which a change makes the rules be read anew.
SOURCES = ("sys_security_acl", "sys_security_acl_role", "sys_user_role", "sys_properties", "sys_plugins")
_INTERNAL = frozenset({explicit_roles.INTERNAL})
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
# What such a script asks is nothing at all (ServiceNow docs: Explore Access Control Lists, invalid ACLs).
_SAYS_YES = re.compile(r"\s*(?:answer\s*=\s*)?true\s*;?\s*")


@dataclass(frozen=True, slots=True)
class Rule:
    """One active access control. `roles` are those that exist; `broken`: it names what does not, or its
    script asks nothing.
    """

    sys_id: str
    roles: frozenset[str]
    attribute: str
    condition: str
    applies_to: str
    script: str
    admin_overrides: bool
    deny_unless: bool
    broken: bool

    @property
    def empty(self) -> bool:
        """Whether it asks for nothing."""
        return not (self.roles or self.attribute or self.condition or self.script)


Rules = Mapping[tuple[str, str], Sequence[Rule]]


def read(instance: Instance) -> Rules:
    """Every active rule on records and REST APIs, by operation and name."""
    database = instance.database
    names = {row["sys_id"]: row["name"] for row in database.find("sys_user_role")}
    attributes: dict[str, str] = {}
    for row in database.find("sys_security_attribute"):
        attributes[row["sys_id"]] = attributes[row["name"]] = row["sys_id"]
    roles: dict[str, list[str]] = {}
    for row in database.find("sys_security_acl_role"):
        roles.setdefault(row["sys_security_acl"], []).append(names.get(row["sys_user_role"], ""))
    types = _names(instance, "sys_security_type")
    operations = _names(instance, "sys_security_operation")
    unnamed = _INTERNAL if explicit_roles.active(instance) else frozenset[str]()
    rules: dict[tuple[str, str], list[Rule]] = {}
    for row in database.find("sys_security_acl"):
        kind = types.get(row["type"], row["type"])
        if row["active"] == "false" or kind not in ("record", "", REST_ENDPOINT):
            continue
        operation = operations.get(row["operation"], row["operation"])
        rule = _rule(row, roles.get(row["sys_id"], []), attributes, unnamed)
        name = endpoint_name(row["name"]) if kind == REST_ENDPOINT else row["name"]
        rules.setdefault((operation, name), []).append(rule)
    return rules


def endpoint_name(name: str) -> str:
    """The name under which the rules of a REST API are kept, apart from those of tables."""
    return f"{REST_ENDPOINT} {name}"


def _rule(
    row: Mapping[str, str], listed: Sequence[str], attributes: Mapping[str, str], unnamed: frozenset[str]
) -> Rule:
    """`unnamed`: the roles of a rule that has none (ServiceNow docs: Explicit Roles)."""
    script = _COMMENT.sub("", row["script"]).strip() if row["advanced"] == "true" else ""
    roles = frozenset(listed) - {""}
    attribute = row["security_attribute"]  # a sys_id, or the name of a built-in one
    return Rule(
        sys_id=row["sys_id"],
        roles=roles if listed else unnamed,
        attribute=attributes.get(attribute, attribute),
        condition=row["condition"],
        applies_to=row["applies_to"],
        script=script,
        admin_overrides=row["admin_overrides"] != "false",
        deny_unless=row["decision_type"] == "deny",
        broken=(bool(listed) and not roles)
        or (bool(attribute) and attribute not in attributes)
        or bool(script and _SAYS_YES.fullmatch(script)),
    )


def _names(instance: Instance, table: str) -> dict[str, str]:
    if instance.dictionary.table(table) is None:
        return {}
    return {row["sys_id"]: row["name"] for row in instance.database.find(table)}
