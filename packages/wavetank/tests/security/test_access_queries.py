"""Before any row is looked at: query access controls, data filters and before-query business rules."""

import dataclasses

import pytest

REFUSED = (
    403,
    "Insufficient rights to query records",
    "Field(s) present in the query do not have permission to be read",
)
RANGE = "e66cf897b7300210240b06dd1e11a9fd"


def _acl(instance, name, operation, *roles, **values):
    row = {"name": name, "operation": operation, "type": "record", "active": "true", **values}
    rule = instance.database.insert("sys_security_acl", row)["sys_id"]
    for name_of in roles:
        role = instance.database.first("sys_user_role", name=name_of) or instance.database.insert(
            "sys_user_role", {"name": name_of}
        )
        instance.database.insert(
            "sys_security_acl_role", {"sys_security_acl": rule, "sys_user_role": role["sys_id"]}
        )
    return rule


def _numbers(api, query, **more):
    found = api.get("incident", sysparm_query=query, sysparm_fields="number", **more)
    return [row["number"] for row in found]


@pytest.fixture
def reader(admin, instance):
    """Reads incidents; nothing else is asked of it."""
    return admin.user("reader", "itil")


@pytest.fixture
def urgent(admin):
    return _numbers(admin, "priority=1^ORDERBYnumber")


@pytest.mark.claim("acl-query-operators")
@pytest.mark.parametrize(
    "term",
    ["priority=1", "priority!=1", "priorityIN1,2", "priorityNOT IN3", "priorityISEMPTY", "priorityANYTHING"],
)
def test_safe_operators_are_query_match(instance, reader, term):
    instance.configure({"query_acl_refusal": "refused"})
    _acl(instance, "incident.priority", "query_range", "nobody")
    _numbers(reader, term)
    _acl(instance, "incident.priority", "query_match", "nobody")
    assert reader.refused("GET", "incident", params={"sysparm_query": term}) == REFUSED


@pytest.mark.claim("acl-query-operators")
@pytest.mark.parametrize(
    "term",
    [
        "priority>1",
        "priority<=2",
        "prioritySTARTSWITH1",
        "priorityLIKE1",
        "priorityBETWEEN1@2",
        "ORDERBYpriority",
    ],
)
def test_all_other_operators_and_sorting_are_query_range(instance, reader, term):
    instance.configure({"query_acl_refusal": "refused"})
    _acl(instance, "incident.priority", "query_match", "nobody")
    _numbers(reader, term)
    _acl(instance, "incident.priority", RANGE, "nobody")
    assert reader.refused("GET", "incident", params={"sysparm_query": term}) == REFUSED


@pytest.mark.claim("acl-query-refusal")
def test_what_a_query_rule_refuses_is_left_out_or_finds_nothing(instance, admin, reader):
    everything = _numbers(admin, "ORDERBYnumber")
    _acl(instance, "incident.priority", "query_range", "nobody")
    assert sorted(_numbers(reader, "priority<=2^numberISNOTEMPTY")) == everything
    assert _numbers(reader, "ORDERBYDESCpriority^ORDERBYnumber") == everything
    instance.configure({"query_acl_refusal": "no_rows"})
    assert _numbers(reader, "priority<=2^numberISNOTEMPTY") == []
    assert _numbers(reader, "priority=1") == _numbers(admin, "priority=1")


@pytest.mark.claim("acl-query-delegates")
def test_without_a_query_rule_whoever_may_read_may_ask(instance, admin, reader, urgent):
    assert _numbers(reader, "priority<=1^ORDERBYnumber") == urgent
    _acl(instance, "incident.priority", "read", "x.reader")
    assert reader.refused("GET", "incident", params={"sysparm_query": "priority<=1"}) == REFUSED
    _acl(instance, "incident.priority", "query_range", "itil")
    assert _numbers(reader, "priority<=1^ORDERBYnumber") == urgent
    assert reader.refused("GET", "incident", params={"sysparm_query": "priority=1"}) == REFUSED


@pytest.mark.claim("acl-query-enforced")
def test_the_property_lets_queries_use_what_may_not_be_read(instance, reader, urgent):
    _acl(instance, "incident.priority", "read", "x.reader")
    instance.set_property("glide.export.query.enforce_field_acl", "false")
    assert _numbers(reader, "priority=1^ORDERBYnumber") == urgent
    assert "priority" not in reader.get("incident", sysparm_limit="1")[0]


@pytest.mark.claim("acl-query-range-of-a-table")
def test_a_table_closed_to_range_queries_can_be_opened_in_part(instance, admin, reader, urgent):
    instance.configure({"query_acl_refusal": "refused"})
    _acl(instance, "incident", "query_range", "x.range")
    ask = {"sysparm_query": "priority<=1"}
    assert reader.refused("GET", "incident", params=ask) == REFUSED
    assert _numbers(reader, "priority=1^number!=x") == _numbers(admin, "priority=1")
    opened = _acl(instance, "incident", "conditional_table_query_range", "itil")
    assert len(_numbers(reader, "priority<=1")) == len(urgent)
    instance.configure({"partial_range_acl": "ignored"})
    assert reader.refused("GET", "incident", params=ask) == REFUSED
    instance.configure({"partial_range_acl": "opens"})
    instance.database.delete("sys_security_acl", opened)
    assert reader.refused("GET", "incident", params=ask) == REFUSED


@pytest.mark.claim("acl-query-operators")
def test_a_field_at_the_end_of_a_walk_is_judged_where_it_lives(instance, reader):
    instance.configure({"query_acl_refusal": "refused"})
    _acl(instance, "sys_user.email", "query_range", "nobody")
    assert reader.refused("GET", "incident", params={"sysparm_query": "caller_id.emailLIKEx"}) == REFUSED
    _numbers(reader, "caller_id.email=x")


@pytest.mark.claim("acl-query-operators")
def test_a_query_that_an_expression_makes_is_asked_the_same(instance, reader):
    instance.configure({"query_acl_refusal": "refused"})
    _acl(instance, "incident.priority", "query_range", "nobody")
    asked = {"sysparm_query": "javascript:'priority<' + 2"}
    assert reader.refused("GET", "incident", params=asked) == REFUSED


@pytest.mark.claim("acl-query-operators")
def test_statistics_are_asked_the_same(instance, reader):
    instance.configure({"query_acl_refusal": "refused"})
    _acl(instance, "incident.priority", "query_range", "nobody")
    params = {"sysparm_query": "priority<2", "sysparm_count": "true"}
    assert reader.refused("GET", "/api/now/stats/incident", params=params) == REFUSED


def _filter(instance, table, condition, attribute="Role=itil", **values):
    made = instance.database.insert(
        "sys_security_attribute",
        {"name": "Filtered", "type": "compound", "active": "true", "condition": attribute},
    )
    row = {"table_name": table, "filter": condition, "security_attribute": made["sys_id"], "active": "true"}
    return instance.database.insert("sys_security_data_filter", {**row, "mode": "if", **values})["sys_id"]


@pytest.mark.claim("data-filter")
def test_a_data_filter_is_one_more_condition_of_every_query(instance, admin, reader, urgent):
    everything = _numbers(admin, "ORDERBYnumber")
    made = _filter(instance, "incident", "priority=1", attribute="Role=x.none", mode="unless")
    answer = reader.call(
        "GET", "incident", params={"sysparm_query": "ORDERBYnumber", "sysparm_limit": "1000"}
    )
    assert [row["number"] for row in answer.json()["result"]] == urgent
    assert answer.headers["x-total-count"] == str(len(urgent)) != str(len(everything))
    stats = reader.get("/api/now/stats/incident", sysparm_count="true")
    assert stats["stats"]["count"] == str(len(urgent))
    instance.database.update("sys_security_data_filter", made, {"mode": "if"})
    assert _numbers(reader, "ORDERBYnumber") == everything
    instance.database.update("sys_security_data_filter", made, {"mode": "unless", "active": "false"})
    assert _numbers(reader, "ORDERBYnumber") == everything


@pytest.mark.claim("data-filter")
def test_filters_add_up(instance, admin, reader):
    _filter(instance, "incident", "priority=1")
    _filter(instance, "incident", "state=2")
    assert _numbers(reader, "ORDERBYnumber") == _numbers(admin, "priority=1^state=2^ORDERBYnumber")


@pytest.mark.claim("data-filter-single")
def test_a_filtered_record_is_not_found_by_its_sys_id_either(instance, admin, reader):
    hidden = admin.get("incident", sysparm_query="priority!=1", sysparm_limit="1")[0]["sys_id"]
    _filter(instance, "incident", "priority=1")
    for method in ("GET", "PATCH", "DELETE"):
        status, message, _ = reader.refused(
            method, f"incident/{hidden}", **({"json": {}} if method == "PATCH" else {})
        )
        assert (status, message) == (404, "No Record found")


@pytest.mark.claim("data-filter-hierarchy")
def test_a_filter_counts_for_its_table_and_those_below_it(instance, admin, reader, urgent):
    _filter(instance, "task", "priority=1^ORsys_class_name!=incident")
    assert _numbers(reader, "ORDERBYnumber") == urgent
    instance.database.delete(
        "sys_security_data_filter", instance.database.find("sys_security_data_filter")[0]["sys_id"]
    )
    _filter(instance, "incident", "priority=1")
    found = reader.get("task", sysparm_query="sys_class_name=incident", sysparm_fields="number")
    assert len(found) > len(urgent)


def test_without_access_controls_there_are_no_data_filters(instance, admin, reader, urgent):
    _filter(instance, "incident", "priority=1")
    assert _numbers(reader, "ORDERBYnumber") == urgent
    instance.configure({"acl": "off"})
    assert _numbers(reader, "ORDERBYnumber") == _numbers(admin, "ORDERBYnumber") != urgent


def test_a_filter_that_cannot_be_read_lets_nothing_through(instance, reader):
    _filter(instance, "incident", "no_such_field=1")
    assert _numbers(reader, "") == []


@pytest.mark.claim("incident-query-rule")
def test_people_without_itil_see_their_own_incidents_in_the_browser(instance, admin):
    person = admin.user("person", "sn_incident_read")
    assert _numbers(person, "ORDERBYnumber") == _numbers(admin, "ORDERBYnumber")
    user = instance.database.first("sys_user", user_name="person")
    rows = admin.get("incident", sysparm_fields="sys_id,number", sysparm_limit="3")
    for row, values in zip(
        rows,
        ({"caller_id": user["sys_id"]}, {"opened_by": user["sys_id"]}, {"watch_list": f"x,{user['sys_id']}"}),
        strict=True,
    ):
        instance.database.update("incident", row["sys_id"], values)
    access = instance.access
    rest = instance.identity.session(user, "basic")
    browser = dataclasses.replace(rest, scheme="session")
    everything = instance.database.select("incident")
    mine = {row["sys_id"] for row in everything if access.in_sight(browser, "incident", row["sys_id"])}
    assert mine == {row["sys_id"] for row in rows}
    assert all(access.in_sight(rest, "incident", row["sys_id"]) for row in everything)
    worker = dataclasses.replace(browser, roles=browser.roles | {"itil"})
    assert all(access.in_sight(worker, "incident", row["sys_id"]) for row in everything)
    rule = instance.database.first("sys_script", name="incident query")
    instance.database.update("sys_script", rule["sys_id"], {"active": "false"})
    assert all(access.in_sight(browser, "incident", row["sys_id"]) for row in everything)


@pytest.mark.claim("before-query-narrows")
def test_a_before_query_rule_with_a_script_goes_to_what_can_run_it(instance, reader, urgent):
    everything = _numbers(reader, "ORDERBYnumber")
    row = {
        "collection": "incident",
        "when": "before",
        "action_query": "true",
        "active": "true",
        "script": "x",
    }
    rule = instance.database.insert("sys_script", {"name": "Only urgent", **row})
    instance.access.query_scripts = None
    assert _numbers(reader, "ORDERBYnumber") == everything
    instance.access.query_scripts = lambda rule, table, _: "priority=1" if rule["script"] == "x" else ""
    assert _numbers(reader, "ORDERBYnumber") == urgent
    instance.configure({"acl": "off"})
    assert _numbers(reader, "ORDERBYnumber") == urgent
    role = instance.database.first("sys_user_role", name="catalog_admin")
    instance.database.update("sys_script", rule["sys_id"], {"role_conditions": role["sys_id"]})
    assert _numbers(reader, "ORDERBYnumber") == everything


@pytest.mark.claim("limit-before-acl")
def test_the_limit_comes_before_access_controls(instance, admin, reader):
    newest = _numbers(admin, "ORDERBYDESCnumber", sysparm_limit="1")
    for rule in instance.database.find("sys_security_acl", name="incident", operation="read"):
        instance.database.delete("sys_security_acl", rule["sys_id"])
    _acl(instance, "incident", "read", condition=f"number!={newest[0]}")
    answer = reader.call(
        "GET", "incident", params={"sysparm_query": "ORDERBYDESCnumber", "sysparm_limit": "1"}
    )
    assert answer.json()["result"] == []
    assert int(answer.headers["x-total-count"]) > 1
    assert 'rel="next"' in answer.headers["link"]


@pytest.mark.claim("data-filter")
def test_the_list_of_attachments_is_filtered_too(instance, admin):
    row = {"table_name": "incident", "table_sys_id": instance.database.select("incident")[0]["sys_id"]}
    for name in ("one.txt", "two.txt"):
        instance.database.insert("sys_attachment", {**row, "file_name": name})
    _filter(instance, "sys_attachment", "file_name=one.txt", attribute="Role=admin")
    shown = admin.get("/api/now/attachment", sysparm_query="file_nameINone.txt,two.txt")
    assert [each["file_name"] for each in shown] == ["one.txt"]
