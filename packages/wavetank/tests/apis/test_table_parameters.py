"""The parameters and headers of the Table API."""

from typing import Any

import pytest

from wavetank.security import public

HOST = "http://dev.example:8080"
UNKNOWN = (400, "Requested URI does not represent any resource", None)


# ---------------------------------------------------------------- fields and views


@pytest.mark.claim("table-fields")
def test_only_the_fields_asked_for_and_only_known_ones(admin: Any) -> None:
    rows = admin.get(
        "incident",
        sysparm_fields=" sys_id, number ,nope,.number,caller_id.,caller_id.nope.x,number",
        sysparm_limit="1",
    )
    assert list(rows[0]) == ["sys_id", "number"]
    assert list(admin.get("incident", sysparm_fields="number", sysparm_limit="1")[0]) == ["number"]
    assert len(admin.get("incident", sysparm_fields=" , ", sysparm_limit="1")[0]) > 50


@pytest.mark.claim("table-dotted-fields")
@pytest.mark.parametrize(
    ("mode", "keys"),
    [
        ("false", {"link", "value"}),
        ("true", {"display_value", "link"}),
        ("all", {"display_value", "link", "value"}),
    ],
)
def test_a_reference_reached_by_walking_is_an_object_under_its_path(
    admin: Any, mode: str, keys: set[str]
) -> None:
    path = "sys_user_grmember"
    fields = "user.department,user.name,group"
    row = admin.get(path, sysparm_fields=fields, sysparm_display_value=mode, sysparm_limit="1")[0]
    assert set(row) == {"user.department", "user.name", "group"}
    assert set(row["user.department"]) == keys
    assert row["user.department"]["link"].startswith(f"{HOST}/api/now/table/cmn_department/")


def _columns(admin: Any, table: str, view: str, **more: str) -> list[str]:
    return list(admin.get(table, sysparm_view=view, sysparm_limit="1", **more)[0])


@pytest.mark.claim("table-view")
def test_a_view_chooses_the_fields(admin: Any) -> None:
    desktop = _columns(admin, "incident", "desktop")
    assert desktop[:3] == ["number", "opened_at", "short_description"]
    mobile = _columns(admin, "incident", "mobile")
    assert mobile[:2] == ["number", "short_description"]
    assert set(_columns(admin, "incident", "both")) == {*desktop, *mobile}
    assert _columns(admin, "incident", "ess") == _columns(admin, "incident", "Self Service")
    assert _columns(admin, "incident", "mobile", sysparm_fields="sys_id") == ["sys_id"]
    assert len(_columns(admin, "incident", "")) > 50
    one = admin.get("incident", sysparm_limit="1")[0]["sys_id"]
    assert list(admin.get(f"incident/{one}", sysparm_view="mobile")) == mobile


@pytest.mark.claim("table-view")
def test_a_view_is_records(admin: Any) -> None:
    view = admin.create("sys_ui_view", {"name": "lean", "title": "Lean view"})["sys_id"]
    assert len(_columns(admin, "incident", "lean")) > 50
    listed = admin.create("sys_ui_list", {"name": "task", "view": view})["sys_id"]
    own = admin.create("sys_ui_list", {"name": "incident", "view": view, "sys_user": "x" * 32})["sys_id"]
    for owner, position, element in (
        (listed, 2, "state"),
        (listed, 10, "nope"),
        (listed, 10, "caller_id.name"),
        (listed, 1, "number"),
        (own, 0, "sys_id"),
    ):
        admin.create("sys_ui_list_element", {"list_id": owner, "element": element, "position": position})
    # incident has no layout for everybody in this view: that of the class above it counts.
    assert _columns(admin, "incident", "lean") == ["number", "state", "caller_id.name"]
    assert _columns(admin, "task", "Lean view") == ["number", "state"]


@pytest.mark.claim("table-unknown-view")
def test_a_view_that_is_not_there(admin: Any) -> None:
    assert len(_columns(admin, "incident", "nope")) > 50
    admin.instance.configure({"unknown_view": "default"})
    assert _columns(admin, "incident", "nope") == _columns(admin, "incident", "desktop")
    assert len(_columns(admin, "sys_choice", "nope")) > 5


@pytest.mark.claim("table-view-layout")
def test_a_view_may_mean_the_form(admin: Any) -> None:
    admin.instance.configure({"view_layout": "form"})
    columns = _columns(admin, "incident", "desktop")
    assert columns[:2] == ["number", "caller_id"]
    assert "close_notes" in columns


# ---------------------------------------------------------------- numbers and flags


@pytest.mark.claim("table-bad-number")
@pytest.mark.parametrize(
    "query", ["sysparm_limit=abc", "sysparm_limit=-1", "sysparm_limit=1.5", "sysparm_offset=-7"]
)
def test_a_number_of_rows_that_is_none(admin: Any, query: str) -> None:
    assert len(admin.get(f"incident?{query}")) == 20
    admin.instance.configure({"bad_number": "refused"})
    status, _, detail = admin.refused("GET", f"incident?{query}")
    assert (status, query.partition("=")[0] in str(detail)) == (400, True)
    assert len(admin.get("incident?sysparm_limit=%203%20&sysparm_offset=")) == 3


@pytest.mark.claim("table-flags")
@pytest.mark.parametrize("yes", ["true", "True", "TRUE", " true "])
@pytest.mark.parametrize("no", ["false", "False", "", "nonsense"])
def test_flags_in_any_case(admin: Any, yes: str, no: str) -> None:
    def answer(flag: str, value: str) -> Any:
        return admin.call(
            "GET", "incident", params={flag: value, "sysparm_limit": "2", "sysparm_fields": "caller_id"}
        )

    for flag, header in (
        ("sysparm_no_count", "x-total-count"),
        ("sysparm_suppress_pagination_header", "link"),
    ):
        assert header not in answer(flag, yes).headers
        assert header in answer(flag, no).headers
    assert isinstance(answer("sysparm_exclude_reference_link", yes).json()["result"][0]["caller_id"], str)
    assert "link" in answer("sysparm_exclude_reference_link", no).json()["result"][0]["caller_id"]
    assert "display_value" in answer("sysparm_display_value", yes).json()["result"][0]["caller_id"]


@pytest.mark.claim("table-ignored-parameters")
def test_parameters_that_change_nothing_here(admin: Any) -> None:
    plain = admin.get("incident", sysparm_query="ORDERBYnumber")
    for name, value in (
        ("sysparm_query_category", "nope"),
        ("sysparm_query_no_domain", "true"),
        ("sysparm_nonsense", "x"),
        ("sysparm_view", ""),
    ):
        assert admin.get("incident", sysparm_query="ORDERBYnumber", **{name: value}) == plain


def test_of_a_parameter_sent_twice_the_first_counts(admin: Any) -> None:
    assert len(admin.get("incident?sysparm_limit=2&sysparm_limit=5")) == 2


@pytest.mark.claim("table-name-value")
@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("active=True", "active=true"),
        ("state=In Progress", "state=2"),
        ("caller_id=abel.tuter", "caller_id.user_name=abel.tuter"),
        ("caller_id=Abel Tuter&state=2", "caller_id.name=Abel Tuter^state=2"),
        ("caller_id.department=Finance", "caller_id.department.name=Finance"),
        ("cmdb_ci=", "cmdb_ciISEMPTY"),
    ],
)
def test_a_field_and_its_value_as_parameters(admin: Any, query: str, where: str) -> None:
    wanted = admin.get("incident", sysparm_query=where, sysparm_fields="number")
    assert admin.get(f"incident?{query}&sysparm_fields=number") == wanted
    assert 0 < len(wanted) < 20


def test_a_query_goes_before_parameters_that_name_fields(admin: Any) -> None:
    assert len(admin.get("incident?sysparm_query=state=7&state=2")) == 3
    assert len(admin.get("incident?sysparm_query=&state=7")) == 3


# ---------------------------------------------------------------- headers


@pytest.mark.claim("table-method-override")
def test_a_header_names_another_method(admin: Any, made: Any) -> None:
    path = f"incident/{made['sys_id']}"

    def meant(method: str, **more: Any) -> Any:
        return admin.call("POST", path, headers={"X-HTTP-Method-Override": method}, **more)

    assert meant("patch", json={"urgency": "1"}).json()["result"]["urgency"] == "1"
    assert meant("GET").json()["result"]["sys_id"] == made["sys_id"]
    assert meant("NONSENSE").status_code == 405
    assert meant("DELETE").status_code == 204
    # A GET stays a GET, whatever its headers say.
    assert admin.call("GET", path, headers={"X-HTTP-Method-Override": "DELETE"}).status_code == 404


@pytest.mark.claim("table-no-response-body")
@pytest.mark.parametrize("header", ["X-no-response-body", "X-No-Response-Body"])
def test_a_write_without_an_answer(admin: Any, made: Any, header: str) -> None:
    path = f"incident/{made['sys_id']}"
    for method, where in (("POST", "incident"), ("PUT", path), ("PATCH", path)):
        answer = admin.call(method, where, json={"urgency": "1"}, headers={header: "true"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert ("location" in answer.headers) == (method == "POST")
    assert admin.call("PATCH", path, json={}, headers={header: "false"}).json()["result"]["urgency"] == "1"
    assert admin.call("GET", path, headers={header: "true"}).json()["result"]
    admin.instance.configure({"no_response_body": "kept"})
    answer = admin.call("POST", "incident", json={}, headers={header: "true"})
    assert (answer.status_code, answer.content) == (201, b"")


@pytest.mark.claim("table-session-debug")
def test_debug_messages_have_a_place(admin: Any, made: Any) -> None:
    header = {"X-WantSessionDebugMessages": "true"}
    for path in ("incident", f"incident/{made['sys_id']}"):
        answer = admin.call("GET", path, headers=header).json()
        assert list(answer) == ["result", "session"]
        assert answer["session"] == {"debug_logs": []}
        assert list(admin.call("GET", path).json()) == ["result"]


@pytest.mark.claim("table-head")
def test_head_is_get_without_its_body(admin: Any, made: Any) -> None:
    for path in ("incident?sysparm_limit=3", f"incident/{made['sys_id']}"):
        head, get = admin.call("HEAD", path), admin.call("GET", path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("x-total-count", "link", "content-type"):
            assert head.headers.get(name) == get.headers.get(name)
    assert admin.call("HEAD", "incident/" + "0" * 32).status_code == 404


@pytest.mark.claim("table-link-host")
def test_links_name_the_host_that_was_asked(admin: Any, made: Any) -> None:
    path = f"incident/{made['sys_id']}?sysparm_fields=caller_id"

    def link() -> str:
        row = admin.call("GET", path, headers={"Host": "other.example"}).json()["result"]
        return str(row["caller_id"]["link"])

    assert link().startswith("http://other.example/api/now/table/sys_user/")
    admin.instance.set_property("glide.rest.replace_request_host_with_property", "true")
    admin.instance.url = "https://dev.local:8443"
    assert link().startswith("https://dev.local:8443/api/now/table/sys_user/")
    admin.instance.set_property("glide.servlet.uri", "https://dev.service-now.example/")
    assert link().startswith("https://dev.service-now.example/api/now/table/sys_user/")
    answer = admin.call("GET", "incident?sysparm_limit=1", headers={"Host": "other.example"})
    assert answer.links["next"]["url"].startswith("https://dev.service-now.example/api/now/table/incident?")


# ---------------------------------------------------------------- which APIs there are


@pytest.mark.claim("apis-switched")
def test_an_api_can_be_switched_off_by_name(admin: Any) -> None:
    switch = admin.instance.set_property
    switch("glide.rest.apis.disabled", "Aggregate API, Table API,")
    assert admin.refused("GET", "incident") == UNKNOWN
    assert admin.refused("GET", "/api/now/v2/table/incident") == UNKNOWN
    assert admin.refused("GET", "/api/now/stats/incident?sysparm_count=true") == UNKNOWN
    switch("glide.rest.apis.disabled", "")
    switch("glide.rest.apis.enabled", "Aggregate API")
    assert admin.refused("GET", "incident") == UNKNOWN
    assert admin.get("/api/now/stats/incident?sysparm_count=true")
    switch("glide.rest.apis.enabled", "")
    assert admin.get("incident", sysparm_limit="1")


@pytest.mark.claim("rest-endpoint-acl")
def test_an_api_can_be_kept_to_a_role(admin: Any, instance: Any) -> None:
    reader, itil = admin.user("reader", "sn_incident_read"), admin.user("one", "itil")
    refused = (403, "User Not Authorized", "Failed API level ACL Validation")
    rules = instance.database.find("sys_security_acl", type="REST_Endpoint")
    assert {(rule["name"], rule["active"]) for rule in rules} == {
        (f"{name} API", "false") for name in ("Table", "Aggregate", "Import Set", "Attachment")
    }
    assert reader.get("incident", sysparm_limit="1")
    (rule,) = (each for each in rules if each["name"] == "Table API")
    instance.database.update("sys_security_acl", rule["sys_id"], {"active": "true"})
    assert reader.refused("GET", "incident") == refused
    assert reader.refused("GET", "/api/now/v2/table/nope") == refused
    assert reader.call("GET", "/api/now/stats/incident?sysparm_count=true").status_code == 200
    # itil contains the role that the rule asks for; an admin needs none.
    assert itil.get("incident", sysparm_limit="1")
    assert admin.get("incident", sysparm_limit="1")
    held = admin.user("two", "sn_incident_read", "snc_platform_rest_api_access")
    assert held.get("incident", sysparm_limit="1")


@pytest.mark.claim("table-public")
def test_a_public_table_is_open_to_nobody_but_for_its_access_controls(admin: Any, instance: Any) -> None:
    assert public.session(instance, "core_company") is None
    row = admin.create("sys_public", {"page": "core_company", "active": "true"})
    nobody = public.session(instance, "core_company")
    assert nobody is not None
    assert (nobody.user_name, nobody.is_admin, nobody.scheme) == ("guest", False, "guest")
    assert public.session(instance, "incident") is None
    # Companies are for anybody who is signed in; nobody is not.
    assert instance.access.table(nobody, "read", "core_company") is False
    role = instance.database.first("sys_user_role", name="public") or instance.database.insert(
        "sys_user_role", {"name": "public"}
    )
    for name in ("core_company", "core_company.name"):
        rule = {
            "name": name,
            "operation": "read",
            "type": "record",
            "active": "true",
            "admin_overrides": "true",
        }
        made = instance.database.insert("sys_security_acl", rule)
        link = {"sys_security_acl": made["sys_id"], "sys_user_role": role["sys_id"]}
        instance.database.insert("sys_security_acl_role", link)
    assert instance.access.table(nobody, "read", "core_company") is True
    assert instance.access.table(nobody, "write", "core_company") is False
    admin.client.auth = None
    assert list(admin.get("core_company", sysparm_limit="1")[0]) == ["name"]
    assert admin.refused("POST", "core_company", json={"name": "x"})[0] == 403
    assert admin.refused("GET", "incident")[0] == 401
    assert admin.refused("GET", "/api/now/stats/incident?sysparm_count=true")[0] == 401
    admin.client.auth = ("admin", "admin")
    admin.change("sys_public", row["sys_id"], {"active": "false"})
    admin.client.auth = None
    assert admin.refused("GET", "core_company")[0] == 401


# ---------------------------------------------------------------- system fields


@pytest.mark.claim("table-stamps")
def test_stamps_are_the_systems_unless_suppressed(admin: Any) -> None:
    given = {"sys_created_on": "2020-01-01 00:00:00", "sys_created_by": "x", "sys_updated_by": "y"}
    assert admin.create("incident", given)["sys_created_by"] == "admin"
    kept = admin.create("incident", given, sysparm_suppress_auto_sys_field="true")
    assert (kept["sys_created_on"], kept["sys_created_by"]) == ("2020-01-01 00:00:00", "x")
    note = {"element_id": kept["sys_id"], "element": "comments", "name": "incident", "value": "hello"}
    moved = admin.create("sys_journal_field", note | given)
    assert (moved["sys_created_on"], moved["sys_created_by"]) == ("2020-01-01 00:00:00", "x")


@pytest.mark.claim("table-admin-only-system-fields")
def test_system_fields_can_be_kept_to_admins(admin: Any) -> None:
    writer = admin.user("writer", "sn_incident_write")
    given = {"sys_id": "c" * 32, "sys_created_by": "x"}
    flag = {"sysparm_suppress_auto_sys_field": "true"}
    made = writer.create("incident", given, **flag)
    assert (made["sys_id"], made["sys_created_by"]) == ("c" * 32, "x")
    admin.instance.set_property("glide.rest.table_api.admin_only_sys_fields", "true")
    made = writer.create("incident", {**given, "sys_id": "d" * 32}, **flag)
    assert made["sys_id"] != "d" * 32
    assert made["sys_created_by"] == "writer"
    made = admin.create("incident", {**given, "sys_id": "e" * 32}, **flag)
    assert (made["sys_id"], made["sys_created_by"]) == ("e" * 32, "x")


@pytest.mark.claim("table-database-views")
def test_a_database_view_is_a_record_and_no_table(admin: Any) -> None:
    admin.create("sys_db_view", {"name": "u_incident_callers", "label": "Incidents and callers"})
    for method in ("GET", "POST"):
        assert admin.refused(method, "u_incident_callers") == (400, "Invalid table u_incident_callers", None)
