"""What the Table API writes."""

import json
from typing import Any

import pytest

NOT_FOUND = (404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
HOST = "http://dev.example:8080"


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


@pytest.mark.claim("table-choice-cleared")
def test_an_empty_value_clears_any_field_but_a_choice(admin: Any, made: Any) -> None:
    empty = {"category": "", "impact": "", "short_description": "", "assigned_to": "", "description": None}
    kept = admin.change("incident", made["sys_id"], empty)
    assert (kept["category"], kept["impact"]) == (made["category"], made["impact"])
    assert (kept["short_description"], kept["assigned_to"], kept["description"]) == ("", "", "")
    new = admin.create("incident", {"impact": "", "category": ""})
    assert (new["impact"], new["category"]) == ("3", "inquiry")
    admin.instance.settings.update({"empty_choice": "cleared"})
    assert admin.change("incident", made["sys_id"], {"category": ""})["category"] == ""


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
