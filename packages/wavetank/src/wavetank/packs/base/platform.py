"""What the platform itself brings: field types, numbers, properties, plugins."""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.database.shipped import sys_id_for
from wavetank.packs.writing import Rows, properties
from wavetank.security import plugins

_TYPES = (
    "GUID", "approval_rules", "auto_increment", "boolean", "bootstrap_color", "catalog_preview",
    "char", "choice", "collection", "color", "compressed", "condition_string", "conditions", "css",
    "currency", "currency2", "data_array", "data_object", "data_structure", "date", "datetime",
    "day_of_week", "decimal", "document_id", "documentation_field", "domain_id", "domain_path",
    "due_date", "email", "email_script", "encrypted_text", "expression", "external_names", "field_list",
    "field_name", "float", "glide_action_list", "glide_date", "glide_date_time", "glide_duration",
    "glide_encrypted", "glide_list", "glide_precise_time", "glide_time", "glide_utc_time",
    "glide_var", "glyphicon", "html", "html_script", "html_template", "icon", "image", "integer",
    "int", "internal_type", "ip_addr", "journal", "journal_input", "journal_list", "json",
    "long", "longint", "mask_code", "mid_config", "month_of_year", "multi_two_lines", "name_values",
    "nds_icon", "nl_task_int1", "order_index", "password", "password2", "percent_complete",
    "ph_number", "phone_number_e164", "physical_index_name", "price", "properties",
    "reference", "reference_name", "related_tags", "reminder_field_name", "repeat_count", "repeat_type",
    "replication_payload", "schedule_date_time", "script", "script_plain", "short_field_name",
    "short_table_name", "simple_name_values", "slushbucket", "snapshot_template_value", "source_id",
    "source_name", "source_table", "string", "string_boolean", "string_full_utf8", "sys_class_code",
    "sys_class_name", "sys_class_path", "sysevent_name", "sysrule_field_name", "table_name",
    "template_value", "time", "timer", "translated", "translated_field", "translated_html",
    "translated_text", "tree_code", "tree_path", "url", "user_image", "user_input", "user_roles", "value",
    "variable_conditions", "variable_template_value", "variables", "version", "video", "week_of_month",
    "wide_text", "wiki_text", "wms_job", "workflow", "workflow_conditions", "xml",
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
    "glide.servlet.uri": "",
    "glide.db.max_view_records": "10000",
    "glide.ui.session_timeout": "30",
    "glide.ui.escape_text": "true",
    "glide.ui.list.edit_ref_qual_enabled": "true",
    "glide.email.smtp.active": "false",
    "glide.email.read.active": "false",
    "glide.attachment.extensions": "",
    "glide.attachment.role": "public",
    "com.glide.attachment.max_size": "1024",
    "glide.rest.batch.max.inputSize": "5",
    "glide.rest.batch.max.outputSize": "10",
    "glide.script.block.client.globals": "false",
    "glide.script.use.sandbox": "true",
    "glide.security.use_csrf_token": "true",
    "glide.invalid_query.log": "true",
    "glide.history.max_entries": "250",
    "glide.knowman.default_knowledge_base": "",
    "com.snc.platform.security.oauth.is.active": "true",
    "glide.oauth.inbound.ropc.grant_type.disabled": "false",
    "glide.authenticate.oauth.post.token.expiration.cookie_auth.disabled": "true",
    "com.glide.rest.api.auth.scope.check.enable": "true",
    "glide.oauth.token.scope.useraccount": sys_id_for("sys_auth_scope", "useraccount"),
}
_PLUGINS = {
    "com.glide.auth.scope": "Authentication scope",
    "com.glide.email_filter": "Email Filters",
    "com.glide.hub.integrations": "Integration Hub",
    "com.glide.hub.flow_engine": "Flow Designer",
    "com.glide.rest": "REST API Provider",
    "com.glide.rest.auth.scope": "REST API Auth Scope",
    "com.glide.role_management.v2": "Role Management V2",
    "com.glide.service-portal": "Service Portal",
    "com.glide.system_import_set": "System Import Sets",
    "com.glideapp.servicecatalog": "Service Catalog",
    "com.snc.change_management": "Change Management",
    "com.snc.change_request": "Change",
    "com.snc.incident": "Incident",
    "com.snc.itsm.roles.incident_management": "Incident Management Granular Roles",
    "com.snc.knowledge3": "Knowledge Management V3",
    "com.snc.platform.security.oauth": "OAuth 2.0",
    "com.snc.problem": "Problem",
    "com.snc.sla": "Service Level Management",
    plugins.POLICIES: "REST API Access Policy",
    plugins.API_KEYS: plugins.API_KEYS_NAME,
}


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "sys_glide_object", _glide_objects()
    yield "sys_number", _numbers()
    yield "sys_number_counter", _counters()
    yield "sys_properties", properties(_PROPERTIES)
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


def _plugins() -> Rows:
    for source, name in _PLUGINS.items():
        yield plugins.shipped(source, name)


def _scopes() -> Rows:
    yield {"sys_id": "global", "name": "Global", "scope": "global"}
