"""Scripts of access controls: what they see, what they may answer, and that everything else refuses."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from packages.wavetank.tests.conftest import Api
from wavetank.database.store import Row
from wavetank.instance import Instance
from wavetank.security.who import Session

ROW = {
    "sys_id": "a" * 32,
    "number": "INC0000001",
    "state": "6",
    "active": "true",
    "short_description": "it broke",
    "caller_id": "",
    "description": "",
}
Allows = Callable[..., bool]


@pytest.fixture
def allows(instance: Instance, beth: Session) -> Allows:
    def asked(script: str, row: Row | None = ROW, operation: str = "read") -> bool:
        return instance.behaviour.scripting.allows(script, "incident", row, beth, operation)

    return asked


@pytest.fixture
def log(instance: Instance) -> Iterator[Callable[[], list[str]]]:
    known = len(instance.database.find("syslog"))

    def messages() -> list[str]:
        instance.clock.run_due()
        return [row["message"] for row in instance.database.find("syslog")][known:]

    return messages


@pytest.mark.claim("acl-script-answer")
@pytest.mark.parametrize(
    "script",
    [
        "answer = true;",
        "answer = current.state == 6;",
        "current.number == 'INC0000001'",
        "current.number == 'INC0000001';",
        "var who = gs.getUserName(); who == 'beth.anglin';",
        "if (gs.hasRole('itil')) { answer = true; } else { answer = false; }",
        "answer = 'true'",
        "answer = current.active",
        "// who may\nanswer = true",
    ],
)
def test_true_in_answer_or_as_the_value_lets_through(allows: Allows, script: str) -> None:
    assert allows(script)


@pytest.mark.claim("acl-script-answer")
@pytest.mark.parametrize(
    "script",
    [
        "answer = false;",
        "answer = 1;",
        "answer = 'yes';",
        "answer = {};",
        "answer = new Boolean(true) && [true, true];",
        "answer = function () { return true; };",
        "answer = null;",
        "var x = 1;",
        "answer = current;",
        "answer = NaN",
        "",
    ],
)
def test_every_other_answer_refuses(allows: Allows, script: str) -> None:
    assert not allows(script)


@pytest.mark.claim("acl-script-fails")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("answer = true; )", "SyntaxError"),
        ("answer = true; throw new Error('no');", "Error: no"),
        ("answer = true; nowhere.to.go();", "ReferenceError"),
        ("answer = true; throw {get message() { throw 1; }};", "object"),
        ("answer = true; current.state.toString.call.x.y;", "TypeError"),
        ("answer = true; var o = {get a() { throw new TypeError('getter'); }}; o.a;", "TypeError: getter"),
        ("answer = true; (function deep() { deep(); })();", "RangeError"),
        ("answer = true; gs.log('\\uD800');", "a value cannot leave the script"),
        ("answer = 3n > 2n;", "3n is no number in ECMAScript 5"),
    ],
)
def test_a_script_that_fails_grants_nothing_and_is_told_of_once(
    allows: Allows, log: Callable[[], list[str]], script: str, said: str
) -> None:
    assert not allows(script)
    assert not allows(script)
    (message,) = log()
    assert said in message
    assert "access control on incident" in message


@pytest.mark.claim("script-not-built")
@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("var r = new GlideRecord('incident'); answer = true;", "GlideRecord"),
        ("try { new GlideRecord('incident'); } catch (e) {} answer = true;", "GlideRecord"),
        ("sn_ws.RESTMessageV2(); answer = true;", "sn_ws"),
        ("gs.eventQueue('x', current); answer = true;", "gs.eventQueue"),
        ("current.update(); answer = true;", "GlideRecord.update"),
        ("current.caller_id.getRefRecord(); answer = true;", "GlideElement.getRefRecord"),
        ("gs.getUser().getPreference('x'); answer = true;", "gs.getUser().getPreference"),
        ("gs.getSession().getClientIP(); answer = true;", "gs.getSession().getClientIP"),
    ],
)
def test_what_is_not_built_is_named(
    allows: Allows, log: Callable[[], list[str]], script: str, name: str
) -> None:
    assert not allows(script)
    assert any(f"{name} is not built here" in message for message in log())


@pytest.mark.claim("script-objects")
@pytest.mark.parametrize(
    "script",
    [
        "gs.hasRole('itil')",
        "gs.hasRole('nothing,itil')",
        "!gs.hasRole('admin')",
        "gs.getUser().hasRole('itil')",
        "user.hasRole('itil')",
        "gs.getUserID() == gs.getUser().getID()",
        "gs.getUser().getName() == 'beth.anglin'",
        "gs.getUser().isMemberOf('Service Desk') == false || gs.getUser().isMemberOf('Service Desk') == true",
        "gs.getProperty('no.such.property', 'x') == 'x'",
        "gs.getProperty('no.such.property') === null",
        "gs.getSession().isInteractive() === false",
        "gs.nowDateTime().length == 19",
        "gs.nil(current.description) && !gs.nil(current.number)",
        "current.getValue('state') === '6'",
        "current.getValue('description') === null",
        "current.getValue('active') === '1'",
        "current.getDisplayValue('state') == 'Resolved'",
        "current.state.getDisplayValue() == 'Resolved'",
        "current.active == true && current.active == 'true' && current.active != false && true == current.active",
        "current.state > 5 && current.state < 7 && current.state + '' === '6'",
        "current.description.nil() && !current.number.nil()",
        "current.nowhere === undefined",
        "current.caller_id.department.name == ''",
        "current.operation() == 'read' && !current.isNewRecord()",
        "current.getTableName() == 'incident' && current.instanceOf('task')",
        "typeof current.isValidField('number') == 'boolean' && current.isValidField('number')",
    ],
)
def test_what_a_script_may_ask(allows: Allows, script: str) -> None:
    assert allows(f"answer = {script};")


@pytest.mark.claim("script-objects")
def test_a_reference_is_walked_and_a_new_record_is_new(instance: Instance, allows: Allows) -> None:
    user = instance.database.first("sys_user", user_name="beth.anglin") or {}
    row = {**ROW, "caller_id": user["sys_id"]}
    assert allows("answer = current.caller_id.user_name == 'beth.anglin'", row)
    assert allows("answer = current.caller_id == gs.getUserID()", row)
    assert allows("answer = current.caller_id.getDisplayValue() == 'Beth Anglin'", row)
    assert allows("answer = current.isNewRecord()", {"sys_id": ""}, "create")
    assert allows("answer = current.number == undefined || current.number === undefined", None)


def test_the_record_is_only_looked_at(allows: Allows) -> None:
    row = dict(ROW)
    assert allows("current.state = 1; current.setValue('state', 2); answer = current.state == 6", row)
    assert row == ROW


def test_the_time_is_the_instances(instance: Instance, allows: Allows) -> None:
    instance.clock.freeze(datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC))
    assert allows("answer = new Date().getFullYear() == 2031 && Date.now() == new Date().getTime()")
    assert allows("answer = new Date().toString() == 'Tue May 06 2031 07:08:09 GMT+0000 (UTC)'")
    assert allows("answer = new Date(2031, 4, 6, 7, 8, 9).getTime() == Date.now()")
    assert allows("answer = new Date('2031-05-06 07:08:09').getTime() == Date.now()")
    assert allows("answer = new Date('2031-05-06').getHours() == 0 && new Date().getTimezoneOffset() == 0")
    assert allows("answer = gs.nowDateTime() == '2031-05-06 07:08:09'")


def test_an_answer_follows_row_and_user(instance: Instance, allows: Allows) -> None:
    script = "answer = current.state == 6 && gs.hasRole('itil')"
    assert allows(script)
    assert not allows(script, {**ROW, "state": "1"})
    nobody = instance.identity.session(instance.database.insert("sys_user", {"user_name": "nobody"}), "basic")
    assert not instance.behaviour.scripting.allows(script, "incident", ROW, nobody)
    assert allows(script)


@pytest.mark.claim("acl-script-answer")
def test_a_page_shows_the_rows_a_script_lets_through(instance: Instance, admin: Api) -> None:
    database = instance.database
    for row in database.find("sys_security_acl"):
        if row["name"] == "incident" and row["operation"] in ("read", _operation(instance, "read")):
            database.update("sys_security_acl", row["sys_id"], {"active": "false"})
    database.insert(
        "sys_security_acl",
        {
            "name": "incident",
            "type": "record",
            "operation": "read",
            "active": "true",
            "advanced": "true",
            "admin_overrides": "true",
            "script": "answer = current.impact == 1 && gs.getUserName() == 'reader';",
        },
    )
    reader = admin.user("reader", "itil")
    shown = reader.get("incident", sysparm_fields="sys_id,impact")
    assert shown
    assert {row["impact"] for row in shown} == {"1"}
    assert len(shown) == len(database.find("incident", impact="1"))
    assert admin.user("other", "itil").get("incident") == []


def _operation(instance: Instance, name: str) -> str:
    row = instance.database.first("sys_security_operation", name=name)
    return row["sys_id"] if row else ""
