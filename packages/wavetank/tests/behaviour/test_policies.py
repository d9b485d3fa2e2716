"""Data policies as rows, assignment, lookups, and rules without a script."""

from collections.abc import Callable

import pytest

from wavetank.behaviour import read_only
from wavetank.database.store import Row
from wavetank.errors import PlatformError
from wavetank.instance import Instance

Make = Callable[..., Row]


def _policy(
    instance: Instance, table: str, conditions: str, rules: dict[str, dict[str, str]], **more: str
) -> Row:
    database = instance.database
    about = {"active": "true", "model_table": table, "conditions": conditions, "inherit": "false", **more}
    row = database.insert("sys_data_policy2", about)
    for field, asked in rules.items():
        rule = {"sys_data_policy": row["sys_id"], "field": field, "mandatory": "ignore", "disabled": "ignore"}
        database.insert("sys_data_policy_rule", {**rule, **asked})
    return row


@pytest.mark.claim("data-policy-rows")
def test_a_policy_of_task_binds_the_classes_below_only_when_it_is_inherited(
    instance: Instance, add: Make
) -> None:
    row = _policy(instance, "task", "priority=1^EQ", {"description": {"mandatory": "true"}})
    assert add("incident", impact="1", urgency="1")["priority"] == "1"
    instance.database.update("sys_data_policy2", row["sys_id"], {"inherit": "true"})
    incident = {"impact": "1", "urgency": "1", "priority": "1"}
    with pytest.raises(PlatformError, match="fields are mandatory: Description"):
        add("incident", **incident)
    assert add("incident", **incident, description="all of it")["description"]
    instance.database.update("sys_data_policy2", row["sys_id"], {"active": "false"})
    assert add("incident", **incident)["number"]


@pytest.mark.claim("data-policy-rows")
def test_import_sets_and_soap_have_no_say_over_the_table_api(instance: Instance, add: Make) -> None:
    options = {"apply_import_set": "false", "apply_soap": "false"}
    _policy(instance, "problem", "", {"description": {"mandatory": "true"}}, **options)
    with pytest.raises(PlatformError, match="mandatory: Description"):
        add("problem")


@pytest.mark.claim("data-policy-read-only")
def test_a_policy_can_lock_a_field(instance: Instance, make: Make, change: Make) -> None:
    _policy(instance, "incident", "state=2^EQ", {"urgency": {"disabled": "true"}})
    made = make(state="2", impact="2")
    with pytest.raises(PlatformError) as refused:
        change(made, urgency="1")
    assert (refused.value.status, refused.value.message) == (403, "Operation Failed")
    assert refused.value.detail == "Data Policy Exception: The following fields are read only: Urgency"
    assert change(made, urgency="3", description="as it was")["description"] == "as it was"
    assert change(made, state="1", urgency="1")["urgency"] == "1"


@pytest.mark.claim("data-policy-reversed")
def test_reverse_if_false_turns_a_rule_round(instance: Instance, make: Make) -> None:
    rules = {"description": {"mandatory": "false"}}
    row = _policy(instance, "incident", "impact=3^EQ", rules, reverse_if_false="true")
    assert make(impact="3")["number"]
    with pytest.raises(PlatformError, match="mandatory: Description"):
        make(impact="2")
    instance.database.update("sys_data_policy2", row["sys_id"], {"reverse_if_false": "false"})
    assert make(impact="2")["number"]


@pytest.mark.claim("data-policy-rows")
def test_a_mandatory_journal_field_needs_an_entry_in_the_same_write(
    instance: Instance, make: Make, change: Make
) -> None:
    _policy(instance, "incident", "state=3^hold_reason=1^EQ", {"comments": {"mandatory": "true"}})
    made = make()
    with pytest.raises(PlatformError, match="mandatory: Additional comments"):
        change(made, state="3", hold_reason="1")
    assert change(made, state="3", hold_reason="1", comments="which printer?")["state"] == "3"


@pytest.mark.claim("assignment-rules")
def test_the_first_assignment_rule_fills_what_nobody_assigned(instance: Instance, make: Make) -> None:
    database = instance.database
    group = {
        name: (database.first("sys_user_group", name=name) or {})["sys_id"]
        for name in ("Network", "Database")
    }
    for order, name in (("200", "Database"), ("100", "Network")):
        rule = {"name": name, "table": "incident", "active": "true", "order": order, "group": group[name]}
        database.insert("sysrule_assignment", {**rule, "condition": "category=network^EQ"})
    assert make(category="network")["assignment_group"] == group["Network"]
    assert make(category="software")["assignment_group"] == ""
    assert (
        make(category="network", assignment_group=group["Database"])["assignment_group"] == group["Database"]
    )
    row = database.first("sysrule_assignment", name="Network")
    assert row is not None
    database.update("sysrule_assignment", row["sys_id"], {"active": "false"})
    assert make(category="network")["assignment_group"] == group["Database"]


@pytest.mark.claim("assignment-rules")
def test_any_of_a_rules_conditions_may_do(instance: Instance, make: Make) -> None:
    database = instance.database
    group = database.first("sys_user_group", name="Network")
    assert group is not None
    rule = {
        "name": "R",
        "table": "task",
        "active": "true",
        "group": group["sys_id"],
        "match_conditions": "ANY",
    }
    database.insert("sysrule_assignment", {**rule, "condition": "category=network^impact=1^EQ"})
    assert make(impact="1")["assignment_group"] == group["sys_id"]
    assert make(impact="2")["assignment_group"] == ""


@pytest.mark.claim("assignment-lookup")
def test_an_assignment_lookup_goes_by_what_an_incident_is_about(instance: Instance, make: Make) -> None:
    database = instance.database
    group = database.first("sys_user_group", name="Hardware")
    assert group is not None
    matcher = {"active": "true", "order": "100", "category": "hardware", "assignment_group": group["sys_id"]}
    database.insert("dl_u_assignment", matcher)
    assert make(category="hardware", subcategory="disk")["assignment_group"] == group["sys_id"]
    assert make(category="inquiry")["assignment_group"] == ""


@pytest.mark.claim("problem-priority")
def test_a_problems_priority_follows_impact_and_urgency(add: Make, edit: Make) -> None:
    made = add("problem", impact="1", urgency="2", priority="5")
    assert made["priority"] == "2"
    assert edit("problem", made, urgency="1")["priority"] == "1"


@pytest.mark.claim("change-priority-free")
def test_the_priority_of_a_change_is_what_is_written(add: Make) -> None:
    made = add("change_request", impact="3", urgency="3", priority="2", risk="2")
    assert (made["priority"], made["risk"]) == ("2", "2")


@pytest.mark.claim("read-only-options")
def test_read_only_options_of_a_field_bind_apis_or_the_form_alone(instance: Instance) -> None:
    database = instance.database
    entry = database.first("sys_dictionary", name="incident", element="notify")
    assert entry is not None

    def locked() -> bool:
        return "notify" in read_only.locked(instance, database.known("incident"))

    assert not locked()
    for option, binds in (
        ("instance_configured", True),
        ("display_read_only", False),
        ("client_script_modifiable", True),
        ("strict_read_only", True),
    ):
        database.update("sys_dictionary", entry["sys_id"], {"read_only": "true", "read_only_option": option})
        assert locked() is binds
    database.update("sys_dictionary", entry["sys_id"], {"read_only_option": "instance_configured"})
    instance.set_property(read_only.PROPERTY, "display_read_only")
    assert not locked()


@pytest.mark.claim("read-only-releases")
def test_before_australia_read_only_bound_the_form_alone(instance: Instance) -> None:
    entry = instance.database.first("sys_dictionary", name="incident", element="notify")
    assert entry is not None
    instance.database.update("sys_dictionary", entry["sys_id"], {"read_only": "true"})
    instance.configure({"release": "zurich"})
    assert read_only.locked(instance, instance.database.known("incident")) == frozenset()


@pytest.mark.claim("read-only-write")
def test_a_write_to_a_locked_field_can_fail(instance: Instance) -> None:
    entry = instance.database.first("sys_dictionary", name="incident", element="notify")
    assert entry is not None
    instance.database.update("sys_dictionary", entry["sys_id"], {"read_only": "true"})
    table = instance.database.known("incident")
    read_only.check(instance, table, ["notify", "state"])
    instance.configure({"read_only_write": "403"})
    with pytest.raises(PlatformError, match="read only: Notify"):
        read_only.check(instance, table, ["notify", "state"])
    read_only.check(instance, table, ["state"])
