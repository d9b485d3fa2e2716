"""What belongs to a record and goes with it when it is deleted."""

from __future__ import annotations

from wavetank.behaviour.change import Change
from wavetank.database import attachments
from wavetank.database.store import Row

# Many-to-many rows and details that go with the record they belong to: (table, field).
DETAILS: dict[str, tuple[tuple[str, str], ...]] = {
    "sys_user": (("sys_user_has_role", "user"), ("sys_user_grmember", "user")),
    "sys_user_group": (("sys_user_grmember", "group"), ("sys_group_has_role", "group")),
    "sys_user_role": (
        ("sys_user_has_role", "role"),
        ("sys_group_has_role", "role"),
        ("sys_user_role_contains", "role"),
        ("sys_user_role_contains", "contains"),
        ("sys_security_acl_role", "sys_user_role"),
    ),
    "sys_security_acl": (("sys_security_acl_role", "sys_security_acl"),),
    "sys_api_access_policy": (("sys_auth_profile_mapping", "api_access_policy"),),
    "inbound_auth_profile": (("sys_auth_profile_mapping", "inbound_auth_profile"),),
    "oauth_entity": (
        ("oauth_entity_profile", "oauth_entity"),
        ("oauth_entity_scope", "oauth_entity"),
        ("oauth_entity_auth_scope_mapping", "oauth_entity"),
        ("oauth_credential", "peer"),
    ),
}
_FILES = "sys_attachment"
_EVERYWHERE = (("sys_journal_field", "element_id"), (_FILES, "table_sys_id"))
_ROLES = frozenset({"sys_user_grmember", "sys_group_has_role", "sys_user_role_contains"})


def run(change: Change, sys_id: str) -> list[tuple[str, Row]]:
    """Delete what belongs to a record; answers the rows that went, with their tables."""
    database = change.instance.database
    gone = [
        (table, row)
        for table, field in (*DETAILS.get(change.table.root, ()), *_EVERYWHERE)
        for row in database.find(table, **{field: sys_id})
    ]
    if change.table.root == _FILES:
        attachments.drop_content(database, sys_id)
    for table, row in gone:
        database.delete(table, row["sys_id"])
        if table == _FILES:
            attachments.drop_content(database, row["sys_id"])
    settle(change, gone)
    return gone


def settle(change: Change, rows: list[tuple[str, Row]]) -> None:
    """Bring inherited roles in line after rows went or came back that grant some."""
    if any(table in _ROLES for table, _ in rows):
        from wavetank.security import roles

        roles.rebuild(change.instance, None)
