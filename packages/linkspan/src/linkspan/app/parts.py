"""The records an application is made of."""

from __future__ import annotations

from linkspan.app.identity import sys_id
from linkspan.app.update_set import Record, Reference


def role(name: str, description: str) -> Record:
    """A role of our own (``sys_user_role``). It grants nothing by itself."""
    return Record(
        table="sys_user_role",
        sys_id=sys_id("role", name),
        cells={"name": name, "description": description, "elevated_privilege": "false"},
        says="Role",
        title=name,
    )


def acl(
    *,
    table: str,
    operation: str,
    role: str,
    role_sys_id: str,
    field: str = "",
    condition: str = "",
    because: str = "",
) -> tuple[Record, Record]:
    """An access control of type record that lets ``role`` do ``operation``, and its row for the role.

    ``role_sys_id`` is the role's on the instance the file is for: each instance numbers its own roles.
    """
    name = f"{table}.{field}" if field else table
    which = (name, operation, role, condition) if condition else (name, operation, role)
    rule = Record(
        table="sys_security_acl",
        sys_id=sys_id("acl", *which),
        cells={
            "active": "true",
            "admin_overrides": "true",
            "advanced": "false",
            "condition": condition,
            "decision_type": "allow",
            "description": because,
            "name": name,
            "operation": Reference(sys_id=operation, display=operation),
            "script": "",
            "sys_name": name,
            "type": Reference(sys_id="record", display="record"),
        },
        says="Access Control",
        title=f"{name} ({operation})",
    )
    asks = Record(
        table="sys_security_acl_role",
        sys_id=sys_id("acl role", *which),
        cells={
            "sys_security_acl": Reference(sys_id=rule.sys_id, display=name),
            "sys_user_role": Reference(sys_id=role_sys_id, display=role, named=True),
        },
        says="Access Roles",
        title=f"{name}.{role}",
    )
    return rule, asks
