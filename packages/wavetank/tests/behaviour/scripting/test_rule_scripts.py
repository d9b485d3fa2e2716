"""Scripts and conditions of business rules, inside the pipeline."""

from collections.abc import Callable

import pytest

from packages.wavetank.tests.conftest import Api
from wavetank.behaviour import pipeline
from wavetank.database.store import Row
from wavetank.errors import PlatformError
from wavetank.instance import Instance
from wavetank.security.who import Session

Make = Callable[..., Row]
SCRIPTED = {"collection": "incident", "active": "true", "order": "300", "advanced": "true"}
BOTH = {"action_insert": "true", "action_update": "true"}
SHELL = "(function executeRule(current, previous /*null when async*/) {%s})(current, previous);"


@pytest.fixture
def make(instance: Instance, beth: Session) -> Make:
    return lambda **values: pipeline.insert(instance, beth, "incident", {"short_description": "x", **values})


@pytest.fixture
def log(instance: Instance) -> Callable[[], list[tuple[str, str]]]:
    known = len(instance.database.find("syslog"))

    def messages() -> list[tuple[str, str]]:
        instance.clock.run_due()
        return [(row["level"], row["message"]) for row in instance.database.find("syslog")][known:]

    return messages


def _rule(instance: Instance, script: str, **values: str) -> Row:
    given = {"name": "R", "when": "before", **SCRIPTED, **BOTH, "script": script, **values}
    return instance.database.insert("sys_script", given)


@pytest.mark.claim("rule-script")
@pytest.mark.parametrize(
    "script",
    [
        SHELL % "current.description = 'was ' + current.short_description;",
        "current.description = 'was ' + current.short_description;",
        "current.setValue('description', 'was ' + current.getValue('short_description'))",
        "function onBefore(current, previous) { current.description = 'was ' + current.short_description; }",
        "current.description.setValue('was ' + current.short_description);",
        "var d = {toString: function () { return 'was x'; }}; current.description = d;",
    ],
)
def test_a_before_rule_sets_fields(instance: Instance, make: Make, script: str) -> None:
    _rule(instance, script)
    row = make()
    assert row["description"] == "was x"
    stored = instance.database.get("incident", row["sys_id"]) or {}
    assert stored["description"] == "was x"


@pytest.mark.claim("rule-script")
def test_values_of_every_kind_become_text(instance: Instance, make: Make) -> None:
    _rule(
        instance,
        "current.active = false; current.impact = 2; current.description = null;"
        " current.urgency = current.impact; current.nowhere = 1; current.close_notes = undefined",
    )
    row = make(description="gone")
    assert (row["active"], row["impact"], row["urgency"], row["description"]) == ("false", "2", "2", "")
    assert row["close_notes"] == ""


@pytest.mark.claim("rule-script")
def test_a_journal_field_takes_an_entry(instance: Instance, make: Make) -> None:
    _rule(instance, "current.work_notes = 'noted ' + gs.getUserName()", action_update="false")
    row = make()
    (entry,) = instance.database.find("sys_journal_field", element_id=row["sys_id"], element="work_notes")
    assert (entry["value"], entry["sys_created_by"]) == ("noted beth.anglin", "beth.anglin")


@pytest.mark.claim("rule-script-changes")
@pytest.mark.parametrize(
    ("test", "fields", "fires"),
    [
        ("current.state.changes()", {"state": "2"}, True),
        ("current.state.changes()", {"impact": "1"}, False),
        ("current.state.changesTo(2)", {"state": "2"}, True),
        ("current.state.changesTo('3')", {"state": "2"}, False),
        ("current.state.changesFrom(1)", {"state": "2"}, True),
        ("current.state != previous.state", {"state": "2"}, True),
        ("previous.state == 1 && current.state == 2", {"state": "2"}, True),
        ("current.changes()", {"impact": "1"}, True),
        ("current.operation() == 'update' && !current.isNewRecord()", {"impact": "1"}, True),
        ("gs.hasRole('itil') && !gs.hasRole('admin')", {"impact": "1"}, True),
        ("current.active == true", {"impact": "1"}, True),
        ("current.active", {"impact": "1"}, True),
        ("!current.active", {"impact": "1"}, False),
    ],
)
def test_a_condition_asks_what_changes(
    instance: Instance, make: Make, change: Make, test: str, fields: dict[str, str], fires: bool
) -> None:
    row = make()
    _rule(instance, "current.description = 'fired'", condition=test, action_insert="false")
    assert (change(row, **fields)["description"] == "fired") is fires


@pytest.mark.claim("rule-script-changes")
def test_a_new_record_has_no_previous(instance: Instance, make: Make) -> None:
    _rule(instance, "current.description = previous === null ? 'none' : 'some'", action_update="false")
    assert make()["description"] == "none"


@pytest.mark.claim("rule-script-abort")
def test_an_abort_refuses_the_write_and_what_the_script_said_stays(instance: Instance, admin: Api) -> None:
    rule = _rule(
        instance,
        SHELL
        % "gs.addErrorMessage('no'); gs.error('refused {0}', current.number); current.setAbortAction(true);",
        name="Keep out",
    )
    assert admin.refused("POST", "incident", json={"short_description": "x"}) == (
        403,
        "Operation Failed",
        f"Operation against file 'incident' was aborted by Business Rule 'Keep out^{rule['sys_id']}'."
        " Business Rule Stack:Keep out",
    )
    found = admin.get("syslog", sysparm_query="messageSTARTSWITHrefused INC")
    assert [row["level"] for row in found] == ["2"]


@pytest.mark.claim("rule-script-abort")
def test_an_abort_taken_back_is_none_and_after_rules_abort_nothing(instance: Instance, make: Make) -> None:
    _rule(instance, "current.setAbortAction(true); current.setAbortAction(false)")
    _rule(instance, "current.setAbortAction(true)", when="after")
    assert make()["short_description"] == "x"


@pytest.mark.claim("rule-script-after")
@pytest.mark.parametrize("when", ["after", "async", "async_always"])
def test_what_a_rule_sets_after_the_write_is_not_stored(
    instance: Instance, make: Make, log: Callable[[], list[tuple[str, str]]], when: str
) -> None:
    _rule(
        instance,
        "current.description = 'late'; gs.info('{0} {1}', current.description, current.sys_id)",
        when=when,
    )
    row = make()
    stored = instance.database.get("incident", row["sys_id"]) or {}
    assert row["description"] == stored["description"] == ""
    assert log() == [("0", f"late {row['sys_id']}")]


@pytest.mark.claim("rule-script-after")
def test_an_async_rule_has_no_previous_and_a_deleted_record_is_still_there(
    instance: Instance, make: Make, change: Make, beth: Session, log: Callable[[], list[tuple[str, str]]]
) -> None:
    row = make()
    _rule(instance, "gs.info('' + previous + current.state.changes())", when="async", action_insert="false")
    _rule(instance, "gs.warn(current.number + current.operation())", when="after", action_delete="true", **{
        "action_insert": "false", "action_update": "false"})  # fmt: skip
    pipeline.delete(instance, beth, "incident", change(row, state="2"))
    assert log() == [("0", "nullfalse"), ("1", f"{row['number']}delete")]


@pytest.mark.claim("rule-script-fails")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("current.description = 'half'; throw new Error('broken');", "Error: broken"),
        ("this is no script", "SyntaxError"),
        ("new GlideRecord('incident').query();", "GlideRecord is not built here"),
        ("try { current.update(); } catch (e) { }", "GlideRecord.update is not built here"),
    ],
)
def test_a_write_goes_on_where_a_script_fails(
    instance: Instance, make: Make, log: Callable[[], list[tuple[str, str]]], script: str, said: str
) -> None:
    rule = _rule(instance, script, name="Breaks")
    assert make()["number"].startswith("INC")
    ((level, message),) = log()
    assert level == "2"
    assert message.startswith("Script of business rule Breaks on incident: ")
    assert said in message
    instance.configure({"script_failure": "aborts"})
    with pytest.raises(PlatformError, match=rule["sys_id"]):
        make()


@pytest.mark.claim("rule-script-fails")
def test_a_condition_that_fails_is_not_met(
    instance: Instance, make: Make, log: Callable[[], list[tuple[str, str]]]
) -> None:
    _rule(instance, "current.description = 'fired'", condition="nowhere.at.all()")
    assert make()["description"] == ""
    assert "ReferenceError" in log()[0][1]


@pytest.mark.claim("script-stopped")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("while (true) {}", "ran longer than 0.2 s"),
        ("try { while (true) {} } catch (e) { while (true) {} }", "ran longer than 0.2 s"),
        ("/(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')", "ran longer than 0.2 s"),
        ("for (;;) gs.hasRole('x')", "ran longer than 0.2 s"),
        ("var a = []; for (;;) a.push({});", "took more than 4 MB of memory"),
    ],
)
def test_a_script_that_does_not_end_fails_its_transaction_and_no_other(
    instance: Instance, admin: Api, script: str, said: str
) -> None:
    instance.configure({"script_seconds": 0.2, "script_memory_mb": 4})
    before = instance.database.count("incident")
    rule = _rule(instance, script, name="Endless", filter_condition="short_description=endless^EQ")
    status, _, detail = admin.refused("POST", "incident", json={"short_description": "endless"})
    assert (status, instance.database.count("incident")) == (403, before)
    assert rule["sys_id"] in (detail or "")
    assert admin.create("incident", {"short_description": "fine"})["short_description"] == "fine"
    assert any(said in row["message"] for row in admin.get("syslog", sysparm_query="messageLIKEEndless"))


@pytest.mark.claim("script-narrows-query")
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("current.addQuery('state', 6)", "state=6"),
        ("current.addQuery('priority', '<=', 2); current.addEncodedQuery('active=true')", "priority<=2^active=true"),
        ("if (!gs.hasRole('itil')) current.addQuery('caller_id', gs.getUserID());", ""),
        ("current.addNullQuery('assigned_to'); current.addNotNullQuery('number')", "assigned_toISEMPTY^numberISNOTEMPTY"),
        ("current.addQuery('short_description', 'CONTAINS', 'a^b')", "short_descriptionLIKEa^^b"),
        ("throw 1", ""),
    ],
)  # fmt: skip
def test_a_before_query_rule_narrows(instance: Instance, beth: Session, script: str, expected: str) -> None:
    rule = _rule(instance, script, action_query="true", action_insert="false", action_update="false")
    assert instance.behaviour.scripting.narrows(rule, "incident", beth) == expected


@pytest.mark.claim("script-narrows-query")
def test_a_before_query_rule_that_fails_may_close_the_table(instance: Instance, beth: Session) -> None:
    rule = _rule(instance, "current.query()", action_query="true")
    instance.configure({"script_failure": "aborts"})
    assert instance.behaviour.scripting.narrows(rule, "incident", beth) == "sys_idISEMPTY"
