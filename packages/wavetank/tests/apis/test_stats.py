"""The Aggregate API."""

from typing import Any

import pytest


@pytest.fixture
def scene(admin: Any) -> Any:
    """Three incidents of one correlation id."""
    for impact, at, count in (("1", "2026-03-01", "4"), ("2", "2026-03-02", "3"), ("2", "2026-03-03", "10")):
        values = {
            "correlation_id": "s",
            "impact": impact,
            "urgency": "2",
            "state": "2",
            "sys_created_on": f"{at} 10:00:00",
            "reassignment_count": count,
            "sys_class_name": "incident",
        }
        admin.instance.database.insert("incident", values)
    return admin


def _stats(who: Any, table: str = "incident", **params: str) -> Any:
    query = {"sysparm_query": "correlation_id=s", **params}
    answer = who.call("GET", f"/api/now/stats/{table}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


@pytest.mark.claim("stats-shape")
def test_a_count_is_text_in_an_object(scene: Any) -> None:
    assert _stats(scene, sysparm_count="true") == {"stats": {"count": "3"}}
    assert _stats(scene, sysparm_count="true", sysparm_query="correlation_id=none") == {
        "stats": {"count": "0"}
    }
    answer = scene.call("GET", "/api/now/v1/stats/task?correlation_id=s&sysparm_count=true")
    assert answer.json() == {"result": {"stats": {"count": "3"}}}


@pytest.mark.claim("stats-shape")
def test_figures_of_numbers_and_of_dates(scene: Any) -> None:
    found = _stats(
        scene,
        sysparm_avg_fields="reassignment_count",
        sysparm_sum_fields="reassignment_count",
        sysparm_min_fields="reassignment_count,sys_created_on",
        sysparm_max_fields="reassignment_count,sys_created_on,closed_at",
    )
    assert found == {
        "stats": {
            "avg": {"reassignment_count": "5.6667"},
            "sum": {"reassignment_count": "17"},
            "min": {"reassignment_count": "3", "sys_created_on": "2026-03-01 10:00:00"},
            "max": {"reassignment_count": "10", "sys_created_on": "2026-03-03 10:00:00", "closed_at": ""},
        }
    }


@pytest.mark.claim("stats-shape")
def test_groups_are_a_list(scene: Any) -> None:
    found = _stats(scene, sysparm_count="true", sysparm_group_by="impact,state")
    assert found == [
        {
            "stats": {"count": count},
            "groupby_fields": [{"field": "impact", "value": impact}, {"field": "state", "value": "2"}],
        }
        for impact, count in (("1", "1"), ("2", "2"))
    ]
    walked = _stats(
        scene, sysparm_query="caller_id!=", sysparm_count="true", sysparm_group_by="caller_id.user_name"
    )
    assert sum(int(each["stats"]["count"]) for each in walked) == 20


@pytest.mark.claim("stats-nothing-asked")
def test_nothing_is_computed_unasked(scene: Any) -> None:
    assert _stats(scene) == {"stats": {}}


@pytest.mark.claim("stats-table-refused")
def test_what_may_not_be_read_is_not_counted(scene: Any) -> None:
    path = "/api/now/stats/incident"
    refusal = (403, "Insufficient rights to query records", "No permission to read table 'incident'")
    assert scene.user("other").refused("GET", path, params={"sysparm_count": "true"}) == refusal
    agent = scene.user("agent", "itil")
    assert _stats(agent, sysparm_count="true") == {"stats": {"count": "3"}}
    denied = {"sysparm_count": "true", "sysparm_group_by": "failed_attempts", "sysparm_query": ""}
    assert agent.refused("GET", "/api/now/stats/sys_user", params=denied)[0] == 403
    assert scene.refused("GET", "/api/now/stats/nothing")[:2] == (400, "Invalid table nothing")


@pytest.mark.claim("stats-hidden-rows")
def test_one_hidden_row_refuses_all_unless_told_otherwise(scene: Any) -> None:
    asker = scene.user("asker")
    (me,) = scene.get("sys_user", sysparm_query="user_name=asker")
    for requested_for in (me["sys_id"], ""):
        values = {"correlation_id": "s", "requested_for": requested_for, "sys_class_name": "sc_request"}
        scene.instance.database.insert("sc_request", values)
    params = {"sysparm_count": "true", "sysparm_query": "correlation_id=s"}
    assert asker.refused("GET", "/api/now/stats/sc_request", params=params)[0] == 403
    own = "requested_for=javascript:gs.getUserID()"
    assert _stats(asker, "sc_request", sysparm_count="true", sysparm_query=own) == {"stats": {"count": "1"}}
    scene.instance.configure({"stats_hidden_rows": "counted"})
    assert _stats(asker, "sc_request", sysparm_count="true") == {"stats": {"count": "2"}}


def _groups(who: Any, **params: str) -> list[tuple[str, str]]:
    found = _stats(who, sysparm_count="true", sysparm_group_by="impact", **params)
    return [(each["groupby_fields"][0]["value"], each["stats"]["count"]) for each in found]


@pytest.mark.claim("stats-having")
@pytest.mark.parametrize(
    ("having", "groups"),
    [
        ("count^impact^>^1", ["2"]),
        ("COUNT^impact^=^1", ["1"]),
        ("count^impact^!=^1", ["2"]),
        ("avg^reassignment_count^>=^6.5", ["2"]),
        ("sum^reassignment_count^<^13", ["1"]),
        ("min^reassignment_count^<=^3", ["2"]),
        ("max^sys_created_on^>^2026-03-02 00:00:00", ["2"]),
        ("count^impact^>^0,sum^reassignment_count^<^13", ["1"]),
        ("avg^short_description^>^0", []),
    ],
)
def test_only_groups_that_satisfy_a_condition_are_told(scene: Any, having: str, groups: list[str]) -> None:
    assert [value for value, _ in _groups(scene, sysparm_having=having)] == groups


@pytest.mark.claim("stats-order")
@pytest.mark.parametrize(
    ("order", "groups"),
    [
        ("", ["1", "2"]),
        ("impact^DESC", ["2", "1"]),
        ("COUNT", ["1", "2"]),
        ("COUNT^DESC", ["2", "1"]),
        ("AVG^reassignment_count^DESC", ["2", "1"]),
        ("MIN^reassignment_count", ["2", "1"]),
        ("state,MIN^reassignment_count^ASC", ["2", "1"]),
    ],
)
def test_groups_are_sorted_by_fields_figures_and_counts(scene: Any, order: str, groups: list[str]) -> None:
    assert [value for value, _ in _groups(scene, sysparm_order_by=order)] == groups


def test_figures_that_only_sort_are_not_told(scene: Any) -> None:
    found = _stats(scene, sysparm_count="true", sysparm_group_by="state", sysparm_order_by="AVG^impact")
    assert found == [{"stats": {"count": "3"}, "groupby_fields": [{"field": "state", "value": "2"}]}]


@pytest.mark.claim("stats-unreadable")
@pytest.mark.parametrize(
    "params",
    [
        {"sysparm_having": "count^impact"},
        {"sysparm_having": "median^impact^>^5"},
        {"sysparm_having": "sum^no_such_field^>^5"},
        {"sysparm_having": "count^impact^~^5"},
        {"sysparm_order_by": "no_such_field^DESC"},
        {"sysparm_order_by": "AVG"},
    ],
)
def test_what_cannot_be_read_is_left_out(scene: Any, params: dict[str, str]) -> None:
    assert _groups(scene, **params) == [("1", "1"), ("2", "2")]


@pytest.mark.claim("stats-display")
def test_groups_with_their_display_values(scene: Any) -> None:
    words = {"sysparm_count": "true", "sysparm_group_by": "impact,state"}
    for mode in ("true", "all"):
        found = _stats(scene, **words, sysparm_display_value=mode)
        assert found[0]["groupby_fields"] == [
            {"field": "impact", "value": "1", "display_value": "1 - High"},
            {"field": "state", "value": "2", "display_value": "In Progress"},
        ]
    walked = _stats(
        scene, sysparm_query="user_name=admin", table="sys_user", sysparm_count="true",
        sysparm_group_by="department", sysparm_display_value="true",
    )  # fmt: skip
    assert len(walked) == 1
    scene.instance.settings.update({"stats_display": "instead"})
    found = _stats(scene, **words, sysparm_display_value="true")
    assert found[0]["groupby_fields"][0] == {"field": "impact", "display_value": "1 - High"}
    found = _stats(scene, **words, sysparm_display_value="all")
    assert found[0]["groupby_fields"][0] == {"field": "impact", "value": "1", "display_value": "1 - High"}


@pytest.mark.parametrize("said", ["False", "FALSE", ""])
def test_display_values_that_are_not_wanted_are_no_obstacle(scene: Any, said: str) -> None:
    assert _stats(scene, sysparm_count="true", sysparm_display_value=said) == {"stats": {"count": "3"}}
