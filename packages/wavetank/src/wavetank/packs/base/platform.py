"""What the platform itself brings: field types, numbers, properties, plugins."""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.database.shipped import sys_id_for
from wavetank.packs.writing import Rows
from wavetank.security import plugins

_TYPES = (
    "GUID", "boolean", "choice", "collection", "conditions", "currency", "decimal", "document_id",
    "domain_id", "due_date", "email", "float", "glide_date", "glide_date_time", "glide_duration",
    "glide_list", "html", "integer", "ip_addr", "journal", "journal_input", "journal_list", "longint",
    "multi_two_lines", "password", "password2", "ph_number", "price", "reference", "related_tags",
    "script", "string", "sys_class_name", "table_name", "template_value", "timer", "url", "user_image",
    "user_input", "user_roles",
)  # fmt: skip
_NUMBERS = {
    "incident": "INC",
    "problem": "PRB",
    "change_request": "CHG",
    "task": "TASK",
    "incident_task": "TASK",
    "problem_task": "PTASK",
    "change_task": "CTASK",
    "sc_request": "REQ",
    "sc_req_item": "RITM",
    "sc_task": "SCTASK",
    "sysapproval_group": "GAPRV",
    "interaction": "IMS",
    "ticket": "TKT",
    "kb_submission": "KBSUB",
    "kb_knowledge": "KB",
    "ast_contract": "CNTR",
    "fm_expense_line": "EXP",
    "sys_import_set": "ISET",
    "em_alert": "Alert",
}
_PROPERTIES = {
    "instance_name": "dev",
    "glide.sys.default.tz": "US/Pacific",
    "glide.sys.date_format": "yyyy-MM-dd",
    "glide.sys.time_format": "HH:mm:ss",
    "glide.sys.language": "en",
    "glide.product.name": "ServiceNow",
    "glide.rest.max_content_length": "10",
    "glide.rest.choice.allow_non_existing_value": "false",
    "glide.rest.table_api.admin_only_sys_fields": "false",
    "glide.invalid_query.returns_no_rows": "false",
    "glide.ui.audit_deleted_tables": "",
    "glide.ui.autoclose.time": "7",
    "com.snc.incident.autoclose.basedon.resolved_at": "true",
    "glide.itil.assign.number.on.insert": "false",
    "glide.security.admin.override.accessterm": "true",
    "glide.user.max_unlock_attempts": "5",
    "glide.user.unlock_timeout_in_mins": "15",
    "glide.authenticate.basic_auth.restriction.active": "true",
    "glide.authenticate.basic_auth.restriction.enforce": "false",
    "glide.authenticate.basic_auth.restriction.enforcement_date": "",
    "glide.authenticate.basic_auth.restriction.default_decision": "Maintain current login",
    "glide.authenticate.basic_auth.allowed_roles": "snc_basic_auth_api_access",
    "glide.authenticate.basic_auth.allowed_users": "",
    "glide.authenticate.basic_auth.allow_wsao": "true",
    "glide.authenticate.basic_auth.allow_snc_external": "true",
    "com.snc.platform.security.oauth.is.active": "true",
    "glide.oauth.inbound.ropc.grant_type.disabled": "false",
    "com.glide.rest.api.auth.scope.check.enable": "true",
    "glide.oauth.token.scope.useraccount": sys_id_for("sys_auth_scope", "useraccount"),
}
_PLUGINS = {
    "com.snc.incident": "Incident",
    "com.snc.problem": "Problem",
    "com.snc.change_request": "Change",
    "com.snc.itsm.roles.incident_management": "Incident Management Granular Roles",
    "com.snc.platform.security.oauth": "OAuth 2.0",
    "com.glide.rest": "REST API Provider",
    "com.glide.role_management.v2": "Role Management V2",
    "com.glide.auth.scope": "Authentication scope",
    "com.glide.rest.auth.scope": "REST API Auth Scope",
    plugins.POLICIES: "REST API Access Policy",
    plugins.API_KEYS: plugins.API_KEYS_NAME,
}


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "sys_glide_object", _glide_objects()
    yield "sys_number", _numbers()
    yield "sys_number_counter", _counters()
    yield "sys_properties", _properties()
    yield "sys_plugins", _plugins()
    yield "sys_scope", _scopes()


def _glide_objects() -> Rows:
    for name in _TYPES:
        yield {
            "sys_id": sys_id_for("sys_glide_object", name),
            "name": name,
            "label": name.replace("_", " ").capitalize(),
            "scalar_type": "string",
        }


def _numbers() -> Rows:
    for table, prefix in _NUMBERS.items():
        yield {
            "sys_id": sys_id_for("sys_number", table),
            "category": table,
            "prefix": prefix,
            "number": "10000",
            "maximum_digits": "7",
        }


def _counters() -> Rows:
    for table in _NUMBERS:
        yield {"sys_id": sys_id_for("sys_number_counter", table), "table": table, "number": "10000"}


def _properties() -> Rows:
    for name, value in _PROPERTIES.items():
        kind = "boolean" if value in {"true", "false"} else "string"
        yield {"sys_id": sys_id_for("sys_properties", name), "name": name, "value": value, "type": kind}


def _plugins() -> Rows:
    for source, name in _PLUGINS.items():
        yield plugins.shipped(source, name)


def _scopes() -> Rows:
    yield {"sys_id": "global", "name": "Global", "scope": "global"}
