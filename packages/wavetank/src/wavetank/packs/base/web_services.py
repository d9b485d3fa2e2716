"""The rows of web services: their properties, and the views of lists and forms.

The layouts are those of a stock instance as people who automate it list them.
"""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.database.shipped import sys_id_for
from wavetank.packs.base.roles import role_id
from wavetank.packs.writing import Rows

# "Default view" is the sys_id of the default view on every instance; it has no name.
DEFAULT = "Default view"
# The APIs whose access controls are there and switched off (ServiceNow docs: REST APIs, REST API ACLs).
_ENDPOINTS = ("Table API", "Aggregate API", "Import Set API", "Attachment API")
_VIEWS = {"": "Default view", "mobile": "Mobile", "ess": "Self Service"}
_LISTS: dict[tuple[str, str], str] = {
    ("task", ""): "number priority state assigned_to short_description sys_class_name",
    ("incident", ""): "number opened_at short_description caller_id priority state category"
    " assignment_group assigned_to sys_updated_on sys_updated_by",
    ("incident", "mobile"): "number short_description caller_id priority state assigned_to",
    ("incident", "ess"): "number opened_at short_description",
    ("problem", ""): "number short_description state resolution_code priority category assigned_to cmdb_ci",
    ("change_request", ""): "number short_description type state start_date end_date assigned_to",
    ("task", "mobile"): "number short_description priority state assigned_to",
    ("sys_user", ""): "user_name name email active sys_created_on sys_updated_on",
    ("sys_user", "mobile"): "name title email phone mobile_phone",
    ("sys_user_group", ""): "name description active manager sys_updated_on",
    ("sys_user_role", ""): "name description elevated_privilege",
    ("cmdb_ci", ""): "name sys_class_name assigned_to company location",
    ("core_company", ""): "name street city state phone",
    ("cmn_location", ""): "name city state country",
    ("cmn_department", ""): "name dept_head company",
    ("sys_properties", ""): "name value type description",
    ("sys_db_object", ""): "label name super_class sys_updated_on",
}
_FORMS: dict[tuple[str, str], str] = {
    ("incident", ""): "number caller_id category subcategory business_service cmdb_ci contact_type state"
    " hold_reason impact urgency priority assignment_group assigned_to short_description description"
    " watch_list comments work_notes_list work_notes parent_incident problem_id rfc caused_by knowledge"
    " close_code close_notes resolved_by resolved_at",
    ("problem", ""): "number first_reported_by_task category subcategory business_service cmdb_ci state"
    " impact urgency priority assignment_group assigned_to short_description description workaround"
    " cause_notes fix_notes work_notes_list work_notes opened_at opened_by confirmed_at confirmed_by"
    " resolved_at resolved_by closed_at closed_by",
    ("change_request", ""): "number requested_by category business_service cmdb_ci priority risk impact type"
    " state assignment_group assigned_to short_description description justification implementation_plan"
    " backout_plan test_plan start_date end_date work_notes comments",
    ("task", ""): "number priority state assigned_to short_description description work_notes",
    ("sys_user", ""): "user_name first_name last_name title department email phone mobile_phone active"
    " locked_out time_zone date_format",
}  # fmt: skip
_PROPERTIES = {
    # The product ships true: links name the instance whatever host was asked. A local instance is reached
    # under many names, and clients follow the links that they are given, so here it starts as false.
    "glide.rest.replace_request_host_with_property": "false",
    "glide.rest.apis.enabled": "",
    "glide.rest.apis.disabled": "",
    "glide.use_tiny_urls": "true",
    "glide.tiny_url_min_length": "1024",
}


def rows() -> Iterator[tuple[str, Rows]]:
    """(table, rows) of everything here."""
    yield "sys_properties", _properties()
    yield "sys_security_acl", _endpoint_rules()
    yield "sys_security_acl_role", _endpoint_roles()
    yield "sys_ui_view", _views()
    yield "sys_ui_list", _layouts("sys_ui_list", _LISTS)
    yield "sys_ui_list_element", _elements("sys_ui_list", "sys_ui_list_element", "list_id", _LISTS)
    yield "sys_ui_section", _layouts("sys_ui_section", _FORMS)
    yield "sys_ui_element", _elements("sys_ui_section", "sys_ui_element", "sys_ui_section", _FORMS)


def _view_id(name: str) -> str:
    return sys_id_for("sys_ui_view", name) if name else DEFAULT


def _properties() -> Rows:
    for name, value in _PROPERTIES.items():
        kind = "boolean" if value in {"true", "false"} else "string"
        yield {"sys_id": sys_id_for("sys_properties", name), "name": name, "value": value, "type": kind}


def _endpoint_rules() -> Rows:
    for name in _ENDPOINTS:
        yield {
            "sys_id": sys_id_for("sys_security_acl", "REST_Endpoint", name),
            "name": name,
            "type": "REST_Endpoint",
            "operation": "execute",
            "active": "false",
        }


def _endpoint_roles() -> Rows:
    for name in _ENDPOINTS:
        rule = sys_id_for("sys_security_acl", "REST_Endpoint", name)
        yield {
            "sys_id": sys_id_for("sys_security_acl_role", rule, "rest"),
            "sys_security_acl": rule,
            "sys_user_role": role_id("snc_platform_rest_api_access"),
        }


def _views() -> Rows:
    for name, title in _VIEWS.items():
        yield {"sys_id": _view_id(name), "name": name, "title": title}


def _layouts(table: str, layouts: dict[tuple[str, str], str]) -> Rows:
    for shown, view in layouts:
        yield {"sys_id": sys_id_for(table, shown, view), "name": shown, "view": _view_id(view)}


def _elements(owner: str, table: str, column: str, layouts: dict[tuple[str, str], str]) -> Rows:
    for (shown, view), names in layouts.items():
        for position, element in enumerate(names.split()):
            yield {
                "sys_id": sys_id_for(table, shown, view, element),
                column: sys_id_for(owner, shown, view),
                "element": element,
                "position": str(position),
            }
