"""The rows of the base pack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from wavetank.behaviour.rules import BUILT_IN
from wavetank.database.dictionary import Dictionary
from wavetank.database.shipped import sys_id_for
from wavetank.database.store import Database
from wavetank.packs.base import people
from wavetank.packs.base.people import role_id, user_id
from wavetank.packs.base.tables import definitions, lines
from wavetank.security import plugins, policies
from wavetank.security.passwords import hash_password
from wavetank.security.policies import TABLE_API

HERE = "wavetank.packs.base"
# When the product's own records were made: long before anything a test does.
SHIPPED = "2024-03-04 08:00:00"
_STAMPS = {
    "sys_created_on": SHIPPED,
    "sys_created_by": "system",
    "sys_updated_on": SHIPPED,
    "sys_updated_by": "system",
    "sys_mod_count": "0",
}
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
}
# The documented matrix: impact, urgency, priority.
MATRIX = (
    ("1", "1", "1"),
    ("1", "2", "2"),
    ("1", "3", "3"),
    ("2", "1", "2"),
    ("2", "2", "3"),
    ("2", "3", "4"),
    ("3", "1", "3"),
    ("3", "2", "4"),
    ("3", "3", "5"),
)
_OPERATIONS = {"c": "create", "r": "read", "w": "write", "d": "delete"}
# The security attribute that any logged-in user has.
AUTHENTICATED = "239bdf0c47d23110ba46ff58936d4330"
_SECURITY_TYPES = ("record", "REST_Endpoint", "processor", "ui_page", "client_callable_script_include")
_SECURITY_OPERATIONS = {
    "create": "",
    "read": "",
    "write": "",
    "delete": "",
    "execute": "",
    "query_match": "521c7497b7300210240b06dd1e11a979",
    "query_range": "e66cf897b7300210240b06dd1e11a9fd",
    "list_edit": "54f535270a0a0b8c007c67009ab2bdc0",
    "report_on": "f6861c32c0a8016400647951e901525d",
    "personalize_choices": "76742c60c0a801657735f3789a7327d0",
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

Rows = Iterator[dict[str, str]]


def load(database: Database) -> None:
    """Create the tables and write the base pack's rows."""
    database.create_tables(definitions(HERE))
    for table, rows in (
        ("sys_glide_object", _glide_objects()),
        ("sys_choice", choices(HERE)),
        ("sys_number", _numbers()),
        ("sys_number_counter", _counters()),
        ("sys_properties", _properties()),
        ("sys_plugins", _plugins()),
        ("sys_scope", _scopes()),
        ("sys_user_role", _roles()),
        ("sys_user_role_contains", _contained_roles()),
        ("core_company", _named("core_company", people.COMPANIES)),
        ("cmn_location", _locations()),
        ("cmn_department", _departments()),
        ("sys_user", _users()),
        ("sys_user_group", _groups()),
        ("sys_user_grmember", _members()),
        ("sys_group_has_role", _group_roles()),
        ("sys_user_has_role", _held_roles()),
        ("sys_auth_scope", _named("sys_auth_scope", ("useraccount",))),
        ("sys_security_attribute", _security_attributes()),
        ("sys_security_type", _security_types()),
        ("sys_security_operation", _security_operations()),
        ("dl_u_priority", _priorities()),
        ("sys_data_policy2", _data_policies()),
        ("sys_data_policy_rule", _data_policy_rules()),
        ("sys_script", _scripts()),
        ("sc_cat_item", _catalog()),
        ("sys_token_auth_parameter", _auth_parameters()),
        ("std_http_auth", _auth_profiles()),
        ("sys_api_access_policy", _access_policies()),
    ):
        write(database, table, rows)
    write_access(database, HERE)


def write(database: Database, table: str, rows: Iterable[dict[str, str]]) -> None:
    """Shipped rows, with the defaults of their table and the stamps of the product's making."""
    known = database.known(table)
    for row in rows:
        defaults = {
            field.name: field.default
            for field in known.fields.values()
            if field.default and not field.default.startswith("javascript:")
        }
        named = {"sys_name": row["name"]} if "name" in row and "sys_name" in known.fields else {}
        database.insert(table, {**_STAMPS, **defaults, **named, **row}, system=False)


def _named(table: str, names: Iterable[str]) -> Rows:
    for name in names:
        yield {"sys_id": sys_id_for(table, name), "name": name}


def _glide_objects() -> Rows:
    for name in _TYPES:
        yield {
            "sys_id": sys_id_for("sys_glide_object", name),
            "name": name,
            "label": name.replace("_", " ").capitalize(),
            "scalar_type": "string",
        }


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


def _all_roles() -> list[str]:
    contained = [name for names in people.ROLES.values() for name in names]
    return list(dict.fromkeys([*people.ROLES, *contained]))


def _roles() -> Rows:
    for name in _all_roles():
        yield {
            "sys_id": role_id(name),
            "name": name,
            "suffix": name.rpartition(".")[2],
            "elevated_privilege": "true" if name in people.ELEVATED else "false",
        }


def _contained_roles() -> Rows:
    for name, contained in people.ROLES.items():
        for each in contained:
            yield {
                "sys_id": sys_id_for("sys_user_role_contains", name, each),
                "role": role_id(name),
                "contains": role_id(each),
            }


def _locations() -> Rows:
    for name, (city, state, country, time_zone) in people.LOCATIONS.items():
        yield {
            "sys_id": people.location_id(name),
            "name": name,
            "full_name": f"{country}/{name}",
            "city": city,
            "state": state,
            "country": country,
            "time_zone": time_zone,
        }


def _departments() -> Rows:
    for name in people.DEPARTMENTS:
        head = people.DEPARTMENT_HEADS.get(name, "")
        yield {
            "sys_id": people.department_id(name),
            "name": name,
            "dept_head": user_id(head) if head else "",
            "company": people.company_id("ACME North America"),
        }


def _users() -> Rows:
    places = list(people.LOCATIONS)
    for index, (user_name, first, last, email, title, _, department) in enumerate(people.PEOPLE):
        yield {
            "sys_id": user_id(user_name),
            "user_name": user_name,
            "first_name": first,
            "last_name": last,
            "name": f"{first} {last}",
            "email": email,
            "title": title,
            "department": people.department_id(department),
            "company": people.company_id("ACME North America"),
            "location": people.location_id(places[index % len(places)]),
            "identity_type": "human",
            "user_password": hash_password("admin") if user_name == "admin" else "",
        }


def _groups() -> Rows:
    for name, (description, manager, _, _) in people.GROUPS.items():
        yield {
            "sys_id": people.group_id(name),
            "name": name,
            "description": description,
            "manager": user_id(manager) if manager else "",
        }


def _members() -> Rows:
    for group, (_, _, members, _) in people.GROUPS.items():
        for user in members:
            yield {
                "sys_id": sys_id_for("sys_user_grmember", group, user),
                "user": user_id(user),
                "group": people.group_id(group),
            }


def _group_roles() -> Rows:
    for group, (_, _, _, roles) in people.GROUPS.items():
        for role in roles:
            yield {
                "sys_id": sys_id_for("sys_group_has_role", group, role),
                "group": people.group_id(group),
                "role": role_id(role),
            }


def _held_roles() -> Rows:
    """Direct grants, and what they and the groups imply: one row a user and role."""
    for user_name, *_, roles, _ in people.PEOPLE:
        sources: dict[str, int] = {}
        groups = [group for group, (_, _, members, _) in people.GROUPS.items() if user_name in members]
        granted_by_groups = [role for group in groups for role in people.GROUPS[group][3]]
        for role in (*roles, *granted_by_groups):
            for each in _below(role):
                sources[each] = sources.get(each, 0) + 1
        for role in granted_by_groups:
            sources[role] = sources.get(role, 0) + 1
        for role in dict.fromkeys([*roles, *sources]):
            direct = role in roles
            yield {
                "sys_id": sys_id_for("sys_user_has_role", user_name, role),
                "user": user_id(user_name),
                "role": role_id(role),
                "inherited": "false" if direct else "true",
                "inh_count": str(sources.get(role, 0)),
            }


def _below(role: str) -> set[str]:
    found: set[str] = set()
    open_roles = [role]
    while open_roles:
        for each in people.ROLES.get(open_roles.pop(), ()):
            if each not in found:
                found.add(each)
                open_roles.append(each)
    return found


def _security_attributes() -> Rows:
    yield {"sys_id": AUTHENTICATED, "name": "UserIsAuthenticated", "label": "User is authenticated"}
    yield {"sys_id": "8637f144b732111074f706dd1e11a981", "name": "HasAdminRole", "label": "Has admin role"}


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


def _priorities() -> Rows:
    for impact, urgency, priority in MATRIX:
        yield {
            "sys_id": sys_id_for("dl_u_priority", impact, urgency),
            "impact": impact,
            "urgency": urgency,
            "priority": priority,
        }


_CLOSE_INFO = sys_id_for("sys_data_policy2", "incident close info")


def _data_policies() -> Rows:
    yield {
        "sys_id": _CLOSE_INFO,
        "model_table": "incident",
        "short_description": "Make close info mandatory when resolved or closed",
        "conditions": "stateIN6,7^EQ",
    }


def _data_policy_rules() -> Rows:
    for field in ("close_code", "close_notes"):
        yield {
            "sys_id": sys_id_for("sys_data_policy_rule", "incident", field),
            "sys_data_policy": _CLOSE_INFO,
            "table": "incident",
            "field": field,
            "mandatory": "true",
        }


def _scripts() -> Rows:
    for rule in BUILT_IN:
        if not rule.pack:
            yield rule.as_row()


def _catalog() -> Rows:
    name = "ServiceNow service account"
    yield {
        "sys_id": sys_id_for("sc_cat_item", name),
        "name": name,
        "short_description": "An account with which a program, not a person, uses this instance",
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
