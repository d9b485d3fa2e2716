"""The Table API on the wire."""

import json
from typing import Any

import pytest

NOT_FOUND = (404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
QUERY_REFUSED = (
    403,
    "Insufficient rights to query records",
    "Field(s) present in the query do not have permission to be read",
)
HOST = "http://dev.example:8080"
ADMIN = "6816f79cc0a8016401c5a33be04be441"


@pytest.fixture
def made(admin: Any) -> Any:
    """An incident of the admin."""
    abel = admin.get("sys_user", user_name="abel.tuter", sysparm_fields="sys_id")[0]["sys_id"]
    return admin.create("incident", {"short_description": "it broke", "caller_id": abel, "impact": 2})


# ---------------------------------------------------------------- shapes


@pytest.mark.claim("table-values-are-text")
def test_every_scalar_is_text(made: Any) -> None:
    assert made["impact"] == "2"
    assert made["active"] == "true"
    assert made["sys_mod_count"] == "0"
    assert made["assigned_to"] == ""
    assert all(isinstance(value, str) for value in made.values() if not isinstance(value, dict))


@pytest.mark.claim("table-reference-shapes")
def test_the_shapes_of_a_reference(admin: Any, made: Any) -> None:
    abel = made["caller_id"]["value"]
    link = f"{HOST}/api/now/table/sys_user/{abel}"

    def seen(**params: str) -> Any:
        row = admin.get(f"incident/{made['sys_id']}", sysparm_fields="caller_id,assigned_to", **params)
        return row["caller_id"], row["assigned_to"]

    empty = {"display_value": "", "value": ""}
    name = "Abel Tuter"
    assert seen() == ({"link": link, "value": abel}, "")
    assert seen(sysparm_display_value="True") == ({"display_value": name, "link": link}, "")
    assert seen(sysparm_display_value="all") == ({"display_value": name, "link": link, "value": abel}, empty)
    bare = {"sysparm_exclude_reference_link": "TRUE"}
    assert seen(**bare) == (abel, "")
    assert seen(sysparm_display_value="true", **bare) == (name, "")
    assert seen(sysparm_display_value="all", **bare) == ({"display_value": name, "value": abel}, empty)


@pytest.mark.claim("table-link-version")
@pytest.mark.parametrize("version", ["", "/v1", "/v2"])
def test_links_keep_the_callers_version(admin: Any, version: str) -> None:
    base = f"/api/now{version}/table"
    answer = admin.call("POST", f"{base}/incident", json={"caller_id": "6816f79cc0a8016401c5a33be04be441"})
    result = answer.json()["result"]
    assert answer.headers["location"] == f"{HOST}{base}/incident/{result['sys_id']}"
    assert result["caller_id"]["link"].startswith(f"{HOST}{base}/sys_user/")


@pytest.mark.claim("table-display-values")
def test_display_values(admin: Any, made: Any) -> None:
    database = admin.instance.database
    database.update(
        "incident",
        made["sys_id"],
        {
            "opened_at": "2026-01-15 20:00:00",
            "calendar_stc": "102197",
            "business_duration": "1970-01-02 04:23:17",
            "calendar_duration": "1970-01-01 08:00:00",
            "watch_list": "6816f79cc0a8016401c5a33be04be441,x@example.com",
        },
    )
    row = admin.get(f"incident/{made['sys_id']}", sysparm_display_value="all")

    def shown(name: str) -> Any:
        return row[name]["display_value"]

    assert shown("opened_at") == "2026-01-15 12:00:00"
    assert row["opened_at"]["value"] == "2026-01-15 20:00:00"
    assert shown("calendar_stc") == "102,197"
    assert shown("business_duration") == "1 Day 4 Hours 23 Minutes"
    assert shown("calendar_duration") == "8 Hours"
    assert shown("impact") == "2 - Medium"
    assert shown("state") == "New"
    assert row["hold_reason"] == {"display_value": None, "value": ""}
    assert shown("sys_class_name") == "Incident"
    assert shown("sla_due") == "UNKNOWN"
    assert shown("watch_list") == "System Administrator, x@example.com"
    assert shown("sys_domain") == "global"
    database.update(
        "sys_user", "6816f79cc0a8016401c5a33be04be441", {"time_zone": "UTC", "date_format": "dd/MM/yyyy"}
    )
    row = admin.get(f"incident/{made['sys_id']}", sysparm_display_value="true", sysparm_fields="opened_at")
    assert row == {"opened_at": "15/01/2026 20:00:00"}


@pytest.mark.claim("table-journal-text")
def test_journals_are_text_only_when_shown(admin: Any, made: Any) -> None:
    clock = admin.instance.clock
    clock.freeze(clock.now().replace(year=2026, month=1, day=15, hour=20, minute=0, second=0))
    path = f"incident/{made['sys_id']}"
    admin.change("incident", made["sys_id"], {"work_notes": "first"})
    clock.advance(60)
    changed = admin.change("incident", made["sys_id"], {"comments": "second"})
    assert (changed["work_notes"], changed["comments"]) == ("", "")
    row = admin.get(path, sysparm_display_value="true")
    first = "2026-01-15 12:00:00 - System Administrator (Work notes)\nfirst\n\n"
    second = "2026-01-15 12:01:00 - System Administrator (Additional comments)\nsecond\n\n"
    assert row["work_notes"] == first
    assert row["comments"] == second
    assert row["comments_and_work_notes"] == second + first
    assert admin.get(path, sysparm_display_value="all")["comments"] == {"display_value": second, "value": ""}


def test_fields_may_be_dot_walked_spaced_and_unknown(admin: Any, made: Any) -> None:
    row = admin.get(
        f"incident/{made['sys_id']}", sysparm_fields="number, caller_id.department, caller_id.email,nope"
    )
    assert list(row) == ["number", "caller_id.department", "caller_id.email"]
    assert row["caller_id.department"]["link"].startswith(f"{HOST}/api/now/table/cmn_department/")
    assert row["caller_id.email"] == "abel.tuter@example.com"


# ---------------------------------------------------------------- lists


@pytest.mark.claim("table-pagination")
def test_the_pagination_headers(admin: Any) -> None:
    answer = admin.call("GET", "incident?sysparm_limit=7&sysparm_query=ORDERBYnumber&sysparm_fields=number")
    assert answer.headers["x-total-count"] == "20"
    base = f"{HOST}/api/now/table/incident?sysparm_query=ORDERBYnumber&sysparm_fields=number&sysparm_limit=7"
    assert answer.headers["link"] == ",".join(
        f'<{base}&sysparm_offset={offset}>;rel="{name}"'
        for name, offset in (("first", 0), ("prev", -7), ("next", 7), ("last", 14))
    )
    seen: list[str] = []
    path = f"{base}&sysparm_offset=0"
    while path:
        answer = admin.call("GET", path.removeprefix(HOST))
        seen += [row["number"] for row in answer.json()["result"]]
        path = answer.links["next"]["url"] if "next" in answer.links else ""
    assert seen == [f"INC{index:07d}" for index in range(1, 21)]
    assert "link" not in admin.call("GET", "incident?sysparm_limit=20").headers


def test_the_headers_can_be_left_out(admin: Any) -> None:
    answer = admin.call("GET", "incident?sysparm_limit=5&sysparm_no_count=true")
    assert "x-total-count" not in answer.headers
    assert 'rel="next"' in answer.headers["link"]
    assert 'rel="last"' not in answer.headers["link"]
    answer = admin.call("GET", "incident?sysparm_limit=5&sysparm_suppress_pagination_header=true")
    assert answer.headers["x-total-count"] == "20"
    assert "link" not in answer.headers


def test_head_has_the_headers_of_get(admin: Any) -> None:
    answer = admin.call("HEAD", "incident?sysparm_limit=5")
    assert (answer.status_code, answer.headers["x-total-count"]) == (200, "20")


@pytest.mark.claim("table-name-value")
@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("number=INC0000001", 1),
        ("state=closed", 3),
        ("state=7", 3),
        ("caller_id=Joe Employee", 3),
        ("caller_id.user_name=joe.employee&state=2", 1),
        ("assignment_group=network", 4),
        ("sysparm_display_value=false", 20),
        ("nope=1", 20),
    ],
)
def test_parameters_that_name_fields_filter(admin: Any, query: str, count: int) -> None:
    assert len(admin.get(f"incident?{query}")) == count


@pytest.mark.claim("table-v1-empty")
def test_an_empty_list(admin: Any) -> None:
    assert admin.get("incident", sysparm_query="number=nope") == []
    assert admin.refused("GET", "/api/now/v1/table/incident?number=nope") == NOT_FOUND
    assert admin.call("GET", "/api/now/v2/table/incident?number=nope").status_code == 200


@pytest.mark.claim("table-not-found")
def test_what_is_not_there(admin: Any) -> None:
    assert admin.refused("GET", "incident/" + "0" * 32) == NOT_FOUND
    assert admin.refused("PATCH", "incident/" + "0" * 32, json={}) == NOT_FOUND
    assert admin.refused("DELETE", "incident/" + "0" * 32) == NOT_FOUND
    assert admin.refused("GET", "sys_user_list") == (400, "Invalid table sys_user_list", None)


def test_an_unknown_query_field_follows_the_setting(admin: Any) -> None:
    assert len(admin.get("incident", sysparm_query="nope=1")) == 20
    admin.instance.configure({"unknown_query_field": "no_rows"})
    assert admin.get("incident", sysparm_query="nope=1") == []
    admin.instance.configure({"unknown_query_field": "refuse"})
    assert admin.refused("GET", "incident?sysparm_query=nope=1") == QUERY_REFUSED


def test_my_own_record(admin: Any) -> None:
    rows = admin.get("sys_user", sysparm_query="sys_id=javascript:gs.getUserID()", sysparm_fields="user_name")
    assert rows == [{"user_name": "admin"}]


# ---------------------------------------------------------------- writing


@pytest.mark.claim("table-put-is-patch")
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_put_changes_only_what_is_given(admin: Any, made: Any, method: str) -> None:
    answer = admin.call(method, f"incident/{made['sys_id']}", json={"urgency": "1"})
    result = answer.json()["result"]
    assert answer.status_code == 200
    assert (result["short_description"], result["priority"], result["sys_mod_count"]) == (
        "it broke",
        "2",
        "1",
    )


def test_the_method_may_be_named_in_a_header(admin: Any, made: Any) -> None:
    path = f"incident/{made['sys_id']}"
    answer = admin.call("POST", path, json={"urgency": "1"}, headers={"X-HTTP-Method-Override": "PATCH"})
    assert answer.json()["result"]["urgency"] == "1"


def test_delete(admin: Any, made: Any) -> None:
    answer = admin.call("DELETE", f"incident/{made['sys_id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert admin.refused("DELETE", f"incident/{made['sys_id']}") == NOT_FOUND


@pytest.mark.claim("table-own-sys-id")
def test_a_given_sys_id_is_kept(admin: Any) -> None:
    sys_id = "AAAABBBBCCCCDDDDEEEEFFFF00001111"
    assert admin.create("incident", {"sys_id": sys_id})["sys_id"] == sys_id
    status, message, _ = admin.refused("POST", "incident", json={"sys_id": sys_id})
    assert (status, message) == (403, "Operation Failed")


@pytest.mark.claim("table-unknown-body-fields")
def test_only_what_is_known_is_taken(admin: Any) -> None:
    result = admin.create(
        "incident", [{"short_description": "one", "bunk_field": "x"}, {"short_description": "two"}]
    )
    assert result["short_description"] == "one"
    assert "bunk_field" not in result
    assert len(admin.get("incident", short_description="two")) == 0


def test_stamps_are_the_systems_unless_suppressed(admin: Any) -> None:
    given = {"sys_created_on": "2020-01-01 00:00:00", "sys_created_by": "x"}
    assert admin.create("incident", given)["sys_created_by"] == "admin"
    kept = admin.create("incident", given, sysparm_suppress_auto_sys_field="true")
    assert (kept["sys_created_on"], kept["sys_created_by"]) == ("2020-01-01 00:00:00", "x")


@pytest.mark.claim("table-choice-dropped")
def test_a_value_that_is_no_choice_is_dropped(admin: Any, made: Any) -> None:
    kept = admin.change("incident", made["sys_id"], {"impact": "9", "category": "Nonsense"})
    assert (kept["impact"], kept["category"]) == ("2", "inquiry")
    status, message, detail = admin.refused(
        "PATCH",
        f"incident/{made['sys_id']}",
        json={"state": "6", "close_code": "Solved (Permanently)", "close_notes": "x"},
    )
    assert (status, message) == (403, "Operation Failed")
    assert detail == "Data Policy Exception: The following fields are mandatory: Resolution code"
    admin.create(
        "sys_choice", {"name": "incident", "element": "category", "value": "category 26", "label": "C26"}
    )
    assert admin.change("incident", made["sys_id"], {"category": "category 26"})["category"] == "category 26"


@pytest.mark.claim("table-java-map")
def test_an_object_in_a_field_becomes_java_text(admin: Any) -> None:
    value = {"link": "https://instance.service-now.com/api", "value": "x"}
    result = admin.create("incident", {"caller_id": value, "description": {"a": 1, "b": True}})
    assert result["caller_id"]["value"] == "{link=https://instance.service-n"
    assert result["description"] == "{a=1, b=true}"


def test_a_dangling_reference_is_kept(admin: Any) -> None:
    result = admin.create("incident", {"caller_id": "no value"}, sysparm_display_value="all")
    assert (result["caller_id"]["value"], result["caller_id"]["display_value"]) == ("no value", "")


def test_values_the_field_cannot_hold(admin: Any, made: Any) -> None:
    kept = admin.change(
        "incident", made["sys_id"], {"opened_at": "yesterday", "order": "many", "active": "maybe"}
    )
    assert (kept["opened_at"], kept["order"], kept["active"]) == (made["opened_at"], "", "true")
    cut = admin.change(
        "incident", made["sys_id"], {"short_description": "x" * 500, "due_date": "2026-05-01T10:00:00Z"}
    )
    assert (len(cut["short_description"]), cut["due_date"]) == (160, "2026-05-01 10:00:00")
    assert admin.change("incident", made["sys_id"], {"caller_id": None})["caller_id"] == ""


@pytest.mark.claim("table-input-display")
def test_display_values_are_taken_on_request(admin: Any) -> None:
    given = {
        "caller_id": "Abel Tuter",
        "assignment_group": "Network",
        "impact": "1 - High",
        "opened_at": "2026-01-15 12:00:00",
        "watch_list": "Beth Anglin, System Administrator",
    }
    result = admin.create("incident", given, sysparm_input_display_value="true")
    database = admin.instance.database
    abel, beth = (
        database.first("sys_user", user_name=name)["sys_id"] for name in ("abel.tuter", "beth.anglin")
    )
    assert result["caller_id"]["value"] == abel
    assert result["assignment_group"]["value"] == database.first("sys_user_group", name="Network")["sys_id"]
    assert (result["impact"], result["opened_at"]) == ("1", "2026-01-15 20:00:00")
    assert result["watch_list"] == f"{beth},6816f79cc0a8016401c5a33be04be441"


@pytest.mark.claim("table-password")
def test_a_password_works_only_when_written_as_display_value(admin: Any) -> None:
    given = {"user_name": "svc", "last_name": "Service", "user_password": "s3cret"}
    user = admin.create("sys_user", given)
    svc = type(admin)(admin.instance, "svc", "s3cret")
    assert svc.call("GET", "incident").status_code == 401
    admin.call(
        "PATCH",
        f"sys_user/{user['sys_id']}?sysparm_input_display_value=true",
        json={"user_password": "s3cret"},
    )
    assert svc.call("GET", "incident").status_code == 200
    shown = admin.get(f"sys_user/{user['sys_id']}", sysparm_display_value="true")
    assert shown["user_password"] == "********"
    assert "s3cret" not in json.dumps(admin.get(f"sys_user/{user['sys_id']}"))


def test_a_client_secret_comes_back_sealed(admin: Any) -> None:
    made = admin.create("oauth_entity", {"name": "x", "client_secret": "s3cret"})
    assert made["client_secret"]
    assert "s3cret" not in made["client_secret"]


@pytest.mark.claim("table-too-large")
def test_a_body_that_is_too_large(admin: Any) -> None:
    body = b'{"description": "' + b"x" * 10_485_760 + b'"}'
    assert admin.refused("POST", "incident", content=body) == (
        400,
        "Exception while reading request",
        f"Rejected large REST payload with content-length = {len(body)} bytes. Max allowed: 10485760 bytes.",
    )


@pytest.mark.claim("table-bad-json")
@pytest.mark.parametrize("body", [b"{", b'"text"', b"12", b"\xff\xfe"])
def test_a_body_that_is_no_json_object(admin: Any, body: bytes) -> None:
    assert admin.refused("POST", "incident", content=body)[0] == 400


def test_a_body_without_a_content_type_is_json(admin: Any) -> None:
    assert admin.call("POST", "incident", content=b'{"short_description": "x"}').status_code == 201


def test_the_body_of_the_answer_can_be_suppressed(admin: Any) -> None:
    answer = admin.call("POST", "incident", json={}, headers={"X-no-response-body": "true"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["location"]


def test_a_new_field_is_there_at_once(admin: Any, made: Any) -> None:
    assert "u_door" not in made
    admin.create(
        "sys_dictionary",
        {
            "name": "incident",
            "element": "u_door",
            "column_label": "Door",
            "internal_type": "string",
            "max_length": 9,
        },
    )
    assert admin.change("incident", made["sys_id"], {"u_door": "north"})["u_door"] == "north"
    row = admin.get("sys_dictionary", name="incident", element="u_door")[0]
    assert (row["max_length"], row["internal_type"]["value"]) == ("9", "string")


def test_metadata_reads_as_clients_expect(admin: Any) -> None:
    row = admin.get("sys_db_object", name="incident", sysparm_fields="label,super_class.name")[0]
    assert row == {"label": "Incident", "super_class.name": "task"}
    row = admin.get("sys_dictionary", sysparm_query="name=incident^element=caller_id")[0]
    assert row["internal_type"] == {
        "link": f"{HOST}/api/now/table/sys_glide_object?name=reference",
        "value": "reference",
    }
    assert row["reference"]["value"] == "sys_user"
    labels = admin.get(
        "sys_choice",
        sysparm_query="name=incident^element=state^inactive=false^ORDERBYsequence",
        sysparm_fields="value,label",
    )
    assert [each["value"] for each in labels] == ["1", "2", "3", "6", "7", "8"]


@pytest.mark.parametrize(
    "query",
    [
        "sysparm_limit=-1",
        "sysparm_limit=99999999999999999999999",
        "sysparm_limit=abc&sysparm_offset=-5",
        "sysparm_offset=9223372036854775807",
        "sysparm_fields=%22;drop,number%00,....,.",
        "sysparm_query=number=%00^%FF%FE=1^ORDERBY",
        "sysparm_query=numberLIKE%25^ORDERBYcaller_id.manager.manager.name",
        "sysparm_display_value=&sysparm_view=&sysparm_query_category=x&sysparm_nonsense",
        "sysparm_display_value=all&sysparm_fields=parent.parent.caller_id,caller_id.comments",
        "caller_id=&assignment_group.manager.name=x",
    ],
)
def test_odd_requests_are_answered(admin: Any, query: str) -> None:
    assert admin.call("GET", f"incident?{query}").status_code == 200


@pytest.mark.parametrize(
    "table", ["sys_metadata", "sys_user_has_role", "dl_matcher", "cmdb_ci", "syslog", "sys_audit"]
)
@pytest.mark.parametrize("mode", ["false", "true", "all"])
def test_every_kind_of_table_reads(admin: Any, table: str, mode: str) -> None:
    answer = admin.call(
        "GET", f"{table}?sysparm_limit=50&sysparm_display_value={mode}&sysparm_query=ORDERBYsys_id"
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body", [b'{"short_description": "\\ud800"}', b'{"impact": 1e400}', b'{"order": 1.5, "active": {}}']
)
def test_odd_bodies_are_answered(admin: Any, body: bytes) -> None:
    assert admin.call("POST", "incident", content=body).status_code in {201, 400}


# ---------------------------------------------------------------- who may


@pytest.mark.claim("table-no-role-empty")
@pytest.mark.claim("table-count-before-acl")
def test_without_a_role_there_is_nothing_to_see(admin: Any, made: Any) -> None:
    nobody = admin.user("nobody.special")
    answer = nobody.call("GET", "incident?sysparm_limit=5")
    assert (answer.status_code, answer.json(), answer.headers["x-total-count"]) == (200, {"result": []}, "21")
    assert nobody.refused("GET", f"incident/{made['sys_id']}") == NOT_FOUND
    assert nobody.get("sys_properties") == []
    assert nobody.refused("GET", "sys_db_object") == (
        403,
        "Insufficient rights to query records",
        "No permission to read table 'sys_db_object'",
    )
    assert len(nobody.get("sys_user", sysparm_limit="3")) == 3
    assert nobody.get("sys_user_group", name="Network")
    admin.instance.configure({"total_count": "after_acl"})
    assert nobody.call("GET", "incident").headers["x-total-count"] == "0"


@pytest.mark.claim("incident-roles")
def test_the_incident_roles(admin: Any, made: Any) -> None:
    path = f"incident/{made['sys_id']}"
    reader, writer = admin.user("reader", "sn_incident_read"), admin.user("writer", "sn_incident_write")
    itil, cleaner = admin.user("itil.one", "itil"), admin.user("cleaner", "itil", "itil_admin")
    assert len(reader.get("incident")) == 21
    insert = (403, "Operation Failed", "ACL Exception Insert Failed due to security constraints")
    update = (403, "Operation Failed", "ACL Exception Update Failed due to security constraints")
    delete = (403, "Operation Failed", "ACL Exception Delete Failed due to security constraints")
    assert reader.refused("POST", "incident", json={}) == insert
    assert reader.refused("PATCH", path, json={"urgency": "1"}) == update
    assert writer.create("incident", {"short_description": "mine"})["sys_created_by"] == "writer"
    assert writer.change("incident", made["sys_id"], {"urgency": "1"})["urgency"] == "1"
    assert writer.refused("DELETE", path) == delete
    assert itil.refused("DELETE", path) == delete
    assert writer.get("task") == []
    assert writer.get("problem") == []
    assert len(itil.get("task", sysparm_query="sys_class_name=incident")) == 22
    assert cleaner.call("DELETE", path).status_code == 204


@pytest.mark.claim("journal-read")
def test_who_reads_journal_entries(admin: Any, made: Any) -> None:
    admin.change("incident", made["sys_id"], {"work_notes": "x"})
    writer, itil = admin.user("writer", "sn_incident_write"), admin.user("itil.one", "itil")
    assert len(itil.get("sys_journal_field")) == 1
    assert writer.get("sys_journal_field") == []
    admin.instance.configure({"journal_read": "sn_incident_read"})
    assert len(writer.get("sys_journal_field", element_id=made["sys_id"])) == 1


def _rule(admin: Any, name: str, operation: str, role: str = "", condition: str = "") -> None:
    database = admin.instance.database
    row = database.insert(
        "sys_security_acl",
        {
            "name": name,
            "operation": operation,
            "type": "record",
            "active": "true",
            "condition": condition,
            "decision_type": "allow",
            "admin_overrides": "true",
        },
    )
    if role:
        held = database.first("sys_user_role", name=role)["sys_id"]
        database.insert("sys_security_acl_role", {"sys_security_acl": row["sys_id"], "sys_user_role": held})


@pytest.mark.claim("table-acl-after-limit")
def test_rows_are_hidden_after_the_page_is_cut(admin: Any) -> None:
    for row in admin.instance.database.find("sys_security_acl", name="incident", operation="read"):
        admin.instance.database.update("sys_security_acl", row["sys_id"], {"condition": "state=2^EQ"})
    reader = admin.user("reader", "sn_incident_read")
    answer = reader.call("GET", "incident?sysparm_limit=10&sysparm_query=ORDERBYnumber&sysparm_fields=number")
    seen = [row["number"] for row in answer.json()["result"]]
    assert seen == ["INC0000001", "INC0000002", "INC0000004", "INC0000007"]
    assert answer.headers["x-total-count"] == "20"
    admin.instance.configure({"total_count": "after_acl"})
    assert reader.call("GET", "incident").headers["x-total-count"] == "7"
    hidden = admin.get("incident", number="INC0000003")[0]["sys_id"]
    assert reader.refused("GET", f"incident/{hidden}") == NOT_FOUND


@pytest.mark.claim("table-field-acl")
def test_a_field_that_may_not_be_read(admin: Any, made: Any) -> None:
    _rule(admin, "incident.description", "read", "itil")
    reader = admin.user("reader", "sn_incident_read")
    row = reader.get(f"incident/{made['sys_id']}")
    assert "description" not in row
    assert "short_description" in row
    assert "description" in admin.get(f"incident/{made['sys_id']}")
    for query in ("descriptionLIKEx", "ORDERBYdescription", "state=1^ORdescription=x"):
        assert reader.refused("GET", f"incident?sysparm_query={query}") == QUERY_REFUSED
    assert reader.refused("GET", "incident?description=x") == QUERY_REFUSED
    assert reader.refused("GET", "sys_choice?sysparm_query=name=incident^element=state") == QUERY_REFUSED
    assert "user_password" not in reader.get("sys_user", user_name="admin")[0]
    assert reader.get(f"incident/{made['sys_id']}", sysparm_fields="caller_id.user_password,number") == {
        "number": made["number"]
    }


def test_a_field_rule_with_a_condition_is_asked_for_each_row(admin: Any) -> None:
    _rule(admin, "incident.description", "read", "sn_incident_read", condition="state=2^EQ")
    reader = admin.user("reader", "sn_incident_read")
    rows = reader.get("incident", sysparm_fields="number,state,description")
    assert {row["state"] for row in rows if "description" in row} == {"2"}
    assert {row["state"] for row in rows if "description" not in row} == {"1", "3", "6", "7", "8"}


@pytest.mark.claim("table-field-write-denied")
def test_a_field_that_may_not_be_written(admin: Any, made: Any) -> None:
    _rule(admin, "incident.urgency", "write", "itil")
    writer = admin.user("writer", "sn_incident_write")
    kept = writer.change("incident", made["sys_id"], {"urgency": "1", "impact": "1"})
    assert (kept["urgency"], kept["impact"]) == ("3", "1")
    admin.instance.configure({"field_write_denied": "403"})
    assert writer.refused("PATCH", f"incident/{made['sys_id']}", json={"urgency": "1"})[0] == 403


def test_a_table_closed_to_web_services(admin: Any) -> None:
    row = admin.instance.database.first("sys_db_object", name="problem")
    admin.instance.database.update("sys_db_object", row["sys_id"], {"ws_access": "false"})
    assert admin.refused("GET", "problem") == (403, "User Not Authorized", "Failed API level ACL Validation")


# ---------------------------------------------------------------- what makes no sense


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


# ---------------------------------------------------------------- who may give what to whom

REFUSED_INSERT = (403, "Operation Failed", "ACL Exception Insert Failed due to security constraints")


def _id(admin: Any, table: str, **equal: str) -> str:
    row = admin.instance.database.first(table, **equal)
    assert row, equal
    return str(row["sys_id"])


@pytest.mark.claim("roles-who-may-grant")
@pytest.mark.parametrize("held", ["user_admin", "itil"])
@pytest.mark.parametrize("role", ["admin", "security_admin", "u_boss"])
def test_nobody_raises_himself(admin: Any, held: str, role: str) -> None:
    boss = admin.create("sys_user_role", {"name": "u_boss"})["sys_id"]
    admin.create(
        "sys_user_role_contains", {"role": boss, "contains": _id(admin, "sys_user_role", name="admin")}
    )
    wanted = _id(admin, "sys_user_role", name=role)
    plain = admin.create("sys_user_role", {"name": "u_plain"})["sys_id"]
    group = admin.create("sys_user_group", {"name": "Ruled"})["sys_id"]
    admin.instance.database.insert("sys_group_has_role", {"group": group, "role": wanted, "inherits": "true"})
    eve = admin.user("eve", held)
    user = _id(admin, "sys_user", user_name="eve")
    for table, values in (
        ("sys_user_has_role", {"user": user, "role": wanted}),
        ("sys_user_grmember", {"user": user, "group": group}),
        ("sys_group_has_role", {"group": _id(admin, "sys_user_group", name="Openspace"), "role": wanted}),
        ("sys_user_role_contains", {"role": plain, "contains": wanted}),
        ("sys_user_group", {"name": "Below", "parent": group}),
    ):
        assert eve.refused("POST", table, json=values) == REFUSED_INSERT, table
    held_now = admin.instance.database.find("sys_user_has_role", user=user)
    assert wanted not in {row["role"] for row in held_now}


@pytest.mark.claim("roles-who-may-grant")
def test_an_admin_grants_admin_and_a_user_admin_the_rest(admin: Any) -> None:
    target = _id(admin, "sys_user", user_name="abel.tuter")
    clerk = admin.user("clerk", "user_admin")
    clerk.create("sys_user_has_role", {"user": target, "role": _id(admin, "sys_user_role", name="itil")})
    admin.create("sys_user_has_role", {"user": target, "role": _id(admin, "sys_user_role", name="admin")})
    elevated = {"user": target, "role": _id(admin, "sys_user_role", name="security_admin")}
    assert admin.refused("POST", "sys_user_has_role", json=elevated) == REFUSED_INSERT
    admin.instance.configure({"elevation": "off"})
    admin.create("sys_user_has_role", elevated)


@pytest.mark.claim("access-dot-walk")
def test_a_dot_walk_does_not_open_a_closed_table(admin: Any) -> None:
    box = admin.create("cmdb_ci", {"name": "box", "serial_number": "SECRET"})["sys_id"]
    made = admin.create("problem", {"cmdb_ci": box})["sys_id"]
    reader = admin.user("reader", "sn_problem_read")
    assert reader.get("cmdb_ci") == []
    seen = reader.get(f"problem/{made}", sysparm_fields="number,cmdb_ci.serial_number")
    assert set(seen) == {"number"}
    query = {"sysparm_query": "cmdb_ci.serial_numberSTARTSWITHSECRET"}
    assert reader.refused("GET", "problem", params=query) == QUERY_REFUSED
    assert admin.get("problem", **query, sysparm_fields="sys_id") == [{"sys_id": made}]


# ---------------------------------------------------------------- the dictionary


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
