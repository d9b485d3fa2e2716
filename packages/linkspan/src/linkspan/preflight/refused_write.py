"""Why a record could not be read or written, told apart with the administrator's eyes."""

from __future__ import annotations

from linkspan.connection import Connection
from linkspan.core import query
from linkspan.core.check import Cause
from linkspan.core.errors import LinkspanError, NotAuthorized
from linkspan.preflight.context import Context, RequiredAcl

_IDS = {
    "data_policy": "data_policy",
    "business_rule_abort": "business_rule_abort",
    "scope_unscoped": "oauth_scope_restricted",
    "missing_scope": "oauth_scope_restricted",
}
_READ_ONLY = "snc_read_only"


def causes(context: Context, error: LinkspanError, table: str, operation: str, id: str) -> list[Cause]:
    """Most probable first, never empty. ``id`` is the cause where nothing more is known."""
    if error.code == "api_acl":
        return [_gate(context, table, error)]
    if error.code in _IDS:
        return [context.cause(_IDS[error.code], detail=error.cause, table=table)]
    if not isinstance(error, NotAuthorized):
        return [context.cause("insert_rejected", detail=error.cause, table=table)]
    admin = context.admin()
    found = _denied(context, admin, table, operation) if admin is not None else []
    return found or [context.cause(id, detail=error.cause, table=table)]


def missing_acls(context: Context, admin: Connection) -> list[RequiredAcl]:
    """Access controls of the recipe that no active rule of the instance stands for."""
    return [acl for acl in context.acls if not _stands(admin, acl)]


def _gate(context: Context, table: str, error: LinkspanError) -> Cause:
    """The door of the API: shut for the table, or for the account."""
    admin = context.admin()
    if admin is not None:
        row = admin.table.first("sys_db_object", query.term("name", "=", table), ("ws_access",)) or {}
        if str(row.get("ws_access")) == "false":
            return context.cause("table_not_accessible", table=table)
    return context.cause("api_acl_denied", detail=error.cause, table=table)


def _denied(context: Context, admin: Connection, table: str, operation: str) -> list[Cause]:
    found = [
        context.cause("acl_missing", table=acl.table, operation=acl.operation, role=acl.role)
        for acl in missing_acls(context, admin)
        if (acl.table, acl.operation) == (table, operation)
    ]
    held = query.all_of(
        query.term("user.user_name", "=", context.account.user_name), query.term("role.name", "=", _READ_ONLY)
    )
    if admin.table.first("sys_user_has_role", held, ("sys_id",)) is not None:
        found.append(context.cause("role_restriction", detail=f"the account holds {_READ_ONLY}"))
    return found + [
        context.cause("role_restriction", "likely", detail=f"a Deny-Unless access control on {name}")
        for name in _deny_unless(admin, table, operation)
    ]


def _deny_unless(admin: Connection, table: str, operation: str) -> list[str]:
    """Names of the rules that must be passed besides; those of the table itself and of every table."""
    rows = admin.table.page(
        "sys_security_acl",
        query=query.all_of(
            query.one_of("name", (table, "task", "*")),
            query.term("operation", "=", operation),
            query.term("decision_type", "=", "deny"),
            query.term("active", "=", "true"),
        ),
        fields=("name",),
        limit=20,
    ).rows
    return [str(row.get("name")) for row in rows]


def _stands(admin: Connection, acl: RequiredAcl) -> bool:
    rows = admin.table.page(
        "sys_security_acl_role",
        query=query.all_of(
            query.term("sys_security_acl.name", "=", acl.name),
            query.term("sys_security_acl.operation", "=", acl.operation),
            query.term("sys_security_acl.active", "=", "true"),
            query.term("sys_user_role.name", "=", acl.role),
        ),
        fields=("sys_security_acl.decision_type",),
        limit=20,
    ).rows
    return any(str(row.get("sys_security_acl.decision_type")) != "deny" for row in rows)
