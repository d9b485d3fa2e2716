"""What the Table API shows."""

from typing import Any

import pytest

NOT_FOUND = (404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
QUERY_REFUSED = (
    403,
    "Insufficient rights to query records",
    "Field(s) present in the query do not have permission to be read",
)
HOST = "http://dev.example:8080"


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


@pytest.mark.claim("table-no-count")
def test_the_headers_can_be_left_out(admin: Any) -> None:
    answer = admin.call("GET", "incident?sysparm_limit=5&sysparm_no_count=true")
    assert "x-total-count" not in answer.headers
    assert 'rel="next"' in answer.headers["link"]
    assert 'rel="last"' not in answer.headers["link"]
    answer = admin.call("GET", "incident?sysparm_limit=5&sysparm_suppress_pagination_header=true")
    assert answer.headers["x-total-count"] == "20"
    assert "link" not in answer.headers


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
