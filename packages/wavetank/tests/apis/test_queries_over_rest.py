"""Encoded queries through the front door of the Table API."""

import pytest

from packages.wavetank.tests.conftest import Api


def counted(api: Api, table: str, encoded: str) -> int:
    answer = api.call("GET", table, params={"sysparm_query": encoded, "sysparm_fields": "sys_id"})
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["x-total-count"]) == len(answer.json()["result"])
    return len(answer.json()["result"])


@pytest.mark.claim("query-unknown-field")
def test_an_unknown_field_is_dropped_refused_or_answers_nothing(admin: Api) -> None:
    everything = counted(admin, "incident", "")
    assert everything > 1
    assert counted(admin, "incident", "no_such_field=banana") == everything
    admin.instance.set_property("glide.invalid_query.returns_no_rows", "true")
    assert counted(admin, "incident", "no_such_field=banana") == 0
    admin.instance.set_property("glide.invalid_query.returns_no_rows", "false")
    admin.instance.configure({"unknown_query_field_tables": {"problem": "refuse", "incident": "no_rows"}})
    assert counted(admin, "incident", "no_such_field=banana") == 0
    refused = admin.refused("GET", "problem?sysparm_query=no_such_field=banana")
    assert refused[:2] == (403, "Insufficient rights to query records")
    with pytest.raises(ValueError, match="drop"):
        admin.instance.configure({"unknown_query_field_tables": {"problem": "perhaps"}})


@pytest.mark.claim("query-dynamic")
def test_dynamic_values_are_the_callers(admin: Api) -> None:
    itil = admin.user("q.itil", "itil")
    database = admin.instance.database
    me = database.first("sys_user", user_name="q.itil")
    assert me
    group = database.insert("sys_user_group", {"name": "Q group"})["sys_id"]
    database.insert("sys_user_grmember", {"user": me["sys_id"], "group": group})
    admin.create(
        "incident", {"short_description": "mine", "assigned_to": me["sys_id"], "assignment_group": group}
    )
    for encoded in (
        "assigned_toDYNAMIC90d1921e5f510100a9ad2572f2b477fe",
        "assignment_groupDYNAMICd6435e965f510100a9ad2572f2b47744",
        "assignment_groupINjavascript:getMyGroups()",
        "assignment_group=javascript:gs.getUser().getMyGroups()",
        "assigned_to=javascript:gs.getUserID()",
    ):
        assert counted(itil, "incident", encoded) == 1, encoded
        assert counted(admin, "incident", encoded) == 0, encoded


@pytest.mark.claim("query-related")
@pytest.mark.claim("query-join")
def test_related_rows_and_joins(admin: Api) -> None:
    problem = admin.create("problem", {"short_description": "cause"})["sys_id"]
    for priority in ("1", "3"):
        admin.create("incident", {"problem_id": problem, "impact": priority, "urgency": priority})
    one = f"^sys_id={problem}"
    assert counted(admin, "problem", f"RLQUERYincident.problem_id,>=1,priority=1^ENDRLQUERY{one}") == 1
    assert counted(admin, "problem", f"RLQUERYincident.problem_id,=2^ENDRLQUERY{one}") == 1
    assert counted(admin, "problem", f"RLQUERYincident.problem_id,>2^ENDRLQUERY{one}") == 0
    assert counted(admin, "problem", f"{one}^JOINproblem.sys_id=incident.problem_id!priority=1") == 1
    assert counted(admin, "problem", f"{one}^JOINproblem.sys_id=incident.problem_id!priority=4") == 0


@pytest.mark.claim("query-journal")
@pytest.mark.claim("query-text")
def test_what_is_written_into_a_journal_is_found(admin: Api) -> None:
    made = admin.create(
        "incident", {"short_description": "quiet", "work_notes": "replaced the flux capacitor"}
    )
    for encoded in (
        "work_notesLIKEflux",
        "123TEXTQUERY321=capacitor quiet",
        "comments_and_work_notesLIKEFLUX",
    ):
        found = admin.get("incident", sysparm_query=encoded, sysparm_fields="sys_id")
        assert found == [{"sys_id": made["sys_id"]}], encoded


@pytest.mark.claim("query-groups")
def test_groups_and_leftover_words_change_nothing(admin: Api) -> None:
    active = counted(admin, "incident", "active=true")
    for encoded in (
        "active=true^GROUPBYstate",
        "^active=true^",
        "active=true^EQ",
        "GOTOactive=true^TRENDBYopened_at",
    ):
        assert counted(admin, "incident", encoded) == active, encoded
