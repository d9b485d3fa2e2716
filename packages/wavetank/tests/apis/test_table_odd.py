"""Requests that make no sense, and the dictionary as records."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ADMIN = "6816f79cc0a8016401c5a33be04be441"


@pytest.mark.parametrize(
    "body",
    [b"{bad", b"5", b'{"description":' + b"[" * 100_000, b'{"short_description":"\xff"}', b"a=b"],
    ids=["malformed", "scalar", "deep", "not utf-8", "a form"],
)
def test_a_body_that_is_no_object_is_refused(admin: Any, body: bytes) -> None:
    before = len(admin.get("incident"))
    assert admin.refused("POST", "incident", content=body)[:2] == (400, "Exception while reading request")
    assert len(admin.get("incident")) == before


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ("incident", "reassignment_count", "9" * 5000),
        ("incident", "reassignment_count", "9" * 400 + ".5"),
        ("sys_user_group", "hourly_rate", "a lot"),
        ("incident", "opened_at", "2024-13-41 00:00:00"),
    ],
)
def test_a_value_the_field_cannot_hold_is_dropped(admin: Any, table: str, field: str, value: str) -> None:
    made = admin.create(table, {field: value}, sysparm_display_value="all")
    assert made[field]["value"] != value


def test_a_moment_at_the_edge_of_time_is_shown_as_it_is(admin: Any, made: Any) -> None:
    edge = "9999-12-31 23:59:59"
    both = {"sysparm_display_value": "all", "sysparm_input_display_value": "true"}
    assert admin.change("incident", made["sys_id"], {"opened_at": edge}, **both)["opened_at"]["value"] != edge
    assert admin.change("incident", made["sys_id"], {"opened_at": edge})["opened_at"] == edge
    admin.instance.database.update("sys_user", ADMIN, {"time_zone": "Asia/Tokyo"})
    shown = admin.get(f"incident/{made['sys_id']}", sysparm_display_value="true")
    assert shown["opened_at"] == edge


@pytest.mark.parametrize(
    "query",
    [
        "opened_at>javascript:gs.daysAgo(999999999)",
        "opened_at>javascript:gs.daysAgo(" + "9" * 5000 + ")",
        "opened_atRELATIVEGT@minute@ahead@999999999",
        "opened_atRELATIVEGT@year@ago@" + "9" * 5000,
        "number='; DROP TABLE task; --",
        'number="x" OR 1=1',
        "number=☃^short_descriptionLIKEé",
    ],
)
def test_a_strange_query_matches_nothing(admin: Any, made: Any, query: str) -> None:
    admin.instance.configure({"literal_time_zone": "user"})
    assert admin.get("incident", sysparm_query=query) == []
    assert admin.get(f"incident/{made['sys_id']}")["number"] == made["number"]


def test_a_date_that_is_none_is_compared_as_text(admin: Any, made: Any) -> None:
    admin.instance.configure({"literal_time_zone": "user"})
    later = admin.get("incident", sysparm_query="opened_at>2024-99-99 00:00:00", sysparm_fields="sys_id")
    assert {"sys_id": made["sys_id"]} in later


@pytest.mark.parametrize("sys_id", ["a\r\nX-Evil: 1", "\u2603", "../x", "a" * 33 + "/", "a b"])
def test_a_sys_id_that_cannot_stand_in_an_address_is_not_taken(admin: Any, sys_id: str) -> None:
    answer = admin.call("POST", "incident", json={"sys_id": sys_id})
    made = answer.json()["result"]["sys_id"]
    assert len(made) == 32
    assert made.isalnum()
    assert answer.headers["location"].endswith(f"/{made}")
    assert "x-evil" not in answer.headers


def test_a_class_is_not_written(admin: Any) -> None:
    made = admin.create("task", {"sys_class_name": "nonsense"})
    assert made["sys_class_name"] == "task"
    assert admin.change("task", made["sys_id"], {"short_description": "still there"})


def test_a_property_that_is_no_number_counts_as_not_set(admin: Any) -> None:
    for name in ("glide.rest.max_content_length", "glide.user.max_unlock_attempts"):
        admin.instance.set_property(name, "many")
    admin.create("incident", {})
    admin.client.auth = ("admin", "wrong")
    assert admin.refused("GET", "incident")[0] == 401


# ---------------------------------------------------------------- the dictionary


def _id(admin: Any, table: str, **equal: str) -> str:
    row = admin.instance.database.first(table, **equal)
    assert row, equal
    return str(row["sys_id"])


@pytest.mark.parametrize("element", ['a"b; drop', "rowid", "NUMBER", "1st"])
def test_a_field_has_a_name_a_column_can_have(admin: Any, element: str) -> None:
    values = {"name": "incident", "element": element, "internal_type": "string"}
    assert admin.refused("POST", "sys_dictionary", json=values)[:2] == (403, "Operation Failed")
    admin.create("sys_dictionary", {**values, "element": "u_fine"})
    assert admin.create("incident", {"u_fine": "1"})["u_fine"] == "1"


def test_what_the_base_system_stands_on_stays(admin: Any) -> None:
    field = _id(admin, "sys_dictionary", name="sys_user", element="user_name")
    task, incident = (_id(admin, "sys_db_object", name=name) for name in ("task", "incident"))
    for method, path, values in (
        ("DELETE", f"sys_dictionary/{field}", None),
        ("PATCH", f"sys_dictionary/{field}", {"active": "false"}),
        ("PATCH", f"sys_dictionary/{field}", {"element": "login"}),
        ("DELETE", f"sys_db_object/{incident}", None),
        ("PATCH", f"sys_db_object/{incident}", {"name": "trouble"}),
        ("PATCH", f"sys_db_object/{task}", {"super_class": incident}),
    ):
        assert admin.refused(method, path, json=values)[:2] == (403, "Operation Failed"), path
    admin.change("sys_dictionary", field, {"column_label": "Login"})
    own = {"name": "incident", "element": "u_own", "internal_type": "string"}
    made = admin.create("sys_dictionary", own)["sys_id"]
    assert admin.call("DELETE", f"sys_dictionary/{made}").status_code == 204


def test_a_circle_of_super_classes_does_not_end_the_instance(admin: Any) -> None:
    database = admin.instance.database
    task, incident = (_id(admin, "sys_db_object", name=name) for name in ("task", "incident"))
    database.update("sys_db_object", task, {"super_class": incident})
    database.reload()
    assert database.dictionary.table("incident") is not None


@pytest.mark.claim("table-insert-class")
def test_the_class_of_a_new_record_is_the_tables_unless_set_otherwise(admin, instance):
    named = {"short_description": "x", "sys_class_name": "incident"}
    assert admin.create("task", named)["sys_class_name"] == "task"
    instance.settings.update({"insert_class": "given"})
    made = admin.create("task", named)
    assert (made["sys_class_name"], made["number"][:3]) == ("incident", "INC")
    assert admin.create("task", {"sys_class_name": "sys_user"})["sys_class_name"] == "task"
    assert admin.user("p", "sn_problem_write").refused("POST", "task", json=named)[0] == 403


@pytest.mark.claim("acl-names")
def test_an_access_control_shows_names(admin, instance):
    query = "name=incident^operation=create^type=record"
    (rule,) = admin.get("sys_security_acl", sysparm_query=query, sysparm_exclude_reference_link="true")
    assert (rule["name"], rule["operation"], rule["type"]) == ("incident", "create", "record")
    links = admin.get("sys_security_acl_role", sysparm_query=f"sys_security_acl={rule['sys_id']}")
    roles = {instance.database.get("sys_user_role", link["sys_user_role"]["value"])["name"] for link in links}
    assert roles == {"itil", "sn_incident_write"}
    values = {"name": "task", "operation": "create", "type": "record", "sys_id": "a" * 32}
    assert admin.refused("POST", "sys_security_acl", json=values)[0] == 403
    instance.settings.update({"elevation": "off"})
    assert admin.create("sys_security_acl", values)["sys_id"] != "a" * 32


# ---------------------------------------------------------------- anything at all

_PARAMETERS = (
    "sysparm_query", "sysparm_fields", "sysparm_limit", "sysparm_offset", "sysparm_display_value",
    "sysparm_exclude_reference_link", "sysparm_view", "sysparm_no_count", "sysparm_tiny",
    "sysparm_suppress_pagination_header", "sysparm_input_display_value", "sysparm_suppress_auto_sys_field",
    "number", "state", "caller_id", "caller_id.name", "active", "opened_at", "watch_list", "work_notes",
)  # fmt: skip
_TEXTS = st.text(max_size=20) | st.sampled_from(
    (
        "true", "all", "-1", "9" * 30, "desktop", "number,caller_id.department,,x.y.z",
        "stateIN1,2^ORnumber>^NQORDERBYcaller_id.name^^=", "caller_idDYNAMIC^RLQUERY^ENDRLQUERY",
        "opened_atBETWEENjavascript:gs.daysAgo(1)@", "JOINincident.number=!^GROUPBYstate", "123TEXTQUERY321=a b",
        "stateSAMEASimpact^opened_atDATEPART@javascript:gs.datePart()", "sys_tags.x=y^sys_idINSTANCEOF",
    )
)  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
_FIELDS = ("short_description", "state", "impact", "caller_id", "opened_at", "active", "watch_list", "sys_id",
           "work_notes", "close_code", "business_duration", "sys_class_name", "order", "number")  # fmt: skip


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    params=st.dictionaries(st.sampled_from(_PARAMETERS), _TEXTS, max_size=5),
    table=st.sampled_from(("incident", "task", "sys_user", "cmdb_ci", "sys_dictionary", "sys_choice")),
    accept=st.sampled_from(("application/json", "application/xml", "*/*")),
)
def test_any_list_is_answered(admin: Any, params: dict[str, str], table: str, accept: str) -> None:
    query = urlencode(params, errors="replace")
    path = f"{table}?sysparm_limit=3&{query}"
    answer = admin.call("GET", path, headers={"Accept": accept})
    assert answer.status_code in (200, 403), answer.text
    assert answer.text[0] == ("<" if "xml" in accept else "{")


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.dictionaries(st.sampled_from(_FIELDS) | st.text(max_size=8), _VALUES, max_size=5),
    display=st.booleans(),
    sys_id=st.text(min_size=1, max_size=12),
)
def test_any_write_is_answered(admin: Any, values: dict[str, Any], display: bool, sys_id: str) -> None:
    params = {"sysparm_input_display_value": str(display)}
    made = admin.call("POST", "incident", json=values, params=params)
    assert made.status_code in (201, 400, 403), made.text
    if made.status_code == 201:
        path = f"incident/{made.json()['result']['sys_id']}"
        assert admin.call("PUT", path, json=values, params=params).status_code in (200, 400, 403)
        assert admin.call("DELETE", path).status_code == 204
    asked = admin.call("PATCH", f"incident/{quote(sys_id, safe='', errors='replace')}", json=values)
    assert asked.status_code in (400, 403, 404, 405), asked.text
