"""What access is made of besides the rules: types, operations, attributes, profiles, policies."""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.database.shipped import sys_id_for
from wavetank.packs.writing import AUTHENTICATED, Rows, named
from wavetank.security import policies
from wavetank.security.policies import TABLE_API

_SECURITY_TYPES = ("record", "REST_Endpoint", "processor", "ui_page", "client_callable_script_include")
_SECURITY_OPERATIONS = {
    "create": "",
    "read": "",
    "write": "",
    "delete": "",
    "execute": "",
    "query_match": "521c7497b7300210240b06dd1e11a979",
    "query_range": "e66cf897b7300210240b06dd1e11a9fd",
    "conditional_table_query_range": "7aad4c50b7f4621062b62181ce11a918",
    "data_fabric": "e60cd19b4f602210f2c160cc32ce0b06",
    "edit_task_relations": "b718b0e2c0a80204005b2705d3b6a0a0",
    "edit_ci_relations": "b7199572c0a8020400ee6d907c07d6cc",
    "save_as_template": "e5a2b9c50a0a0bc5005dd4a3096ac37b",
    "add_to_list": "394af8150a0a0b270096f5ac9d6bac47",
    "report_view": "0997ab83733303005978e4b9cdf6a7b9",
    "list_edit": "54f535270a0a0b8c007c67009ab2bdc0",
    "report_on": "f6861c32c0a8016400647951e901525d",
    "personalize_choices": "76742c60c0a801657735f3789a7327d0",
}


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "sys_auth_scope", named("sys_auth_scope", ("useraccount",))
    yield "sys_security_attribute", _security_attributes()
    yield "sys_security_type", _security_types()
    yield "sys_security_operation", _security_operations()
    yield "sys_token_auth_parameter", _auth_parameters()
    yield "std_http_auth", _auth_profiles()
    yield "sys_api_access_policy", _access_policies()


def _security_attributes() -> Rows:
    compound = {"type": "compound", "is_system": "true"}
    yield {
        "sys_id": AUTHENTICATED,
        "name": "UserIsAuthenticated",
        "label": "User is authenticated",
        **compound,
    }
    yield {
        "sys_id": "8637f144b732111074f706dd1e11a981",
        "name": "HasAdminRole",
        "label": "Has admin role",
        "condition": "Role=admin",
        **compound,
    }


def _security_types() -> Rows:
    for name in _SECURITY_TYPES:
        yield {"sys_id": sys_id_for("sys_security_type", name), "name": name, "label": name}


def _security_operations() -> Rows:
    for name, sys_id in _SECURITY_OPERATIONS.items():
        yield {
            "sys_id": sys_id or sys_id_for("sys_security_operation", name),
            "name": name,
            "label": name,
        }


def _auth_parameters() -> Rows:
    for kind in ("auth_header", "query_parameter"):
        sys_id = sys_id_for("sys_token_auth_parameter", kind)
        yield {"sys_id": sys_id, "parameter_name": "x-sn-apikey", "type": kind}


def _auth_profiles() -> Rows:
    for name, kind in (
        ("BasicAuth for none public processors", "basic_auth"),
        ("ID Token", "id_token"),
        ("OAuth Token", "oauth"),
    ):
        yield {"sys_id": sys_id_for("std_http_auth", kind), "name": name, "type": kind}


def _access_policies() -> Rows:
    name = "Table GET API Access Policy"
    part = dict.fromkeys(("methods", "resources", "tables"), "false")
    yield {
        "sys_id": sys_id_for("sys_api_access_policy", name),
        "name": name,
        "active": "false",
        "api": TABLE_API,
        "api_path": policies.PATHS[TABLE_API],
        "http_method": "GET",
        "api_resource": "/now/table/{tableName}",
        **{f"apply_all_{each}": no for each, no in part.items()},
    }
