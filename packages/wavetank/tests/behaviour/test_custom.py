"""Business rules as rows: what they state without a script."""

from collections.abc import Callable

import pytest

from packages.wavetank.tests.conftest import Api
from wavetank.database.store import Row
from wavetank.errors import PlatformError
from wavetank.instance import Instance
from wavetank.security.who import Session

Make = Callable[..., Row]
BEFORE = {"collection": "incident", "when": "before", "active": "true", "order": "100", "advanced": "false"}
BOTH = {"action_insert": "true", "action_update": "true"}


def _rule(instance: Instance, **values: str) -> Row:
    return instance.database.insert("sys_script", {"name": "R", **BEFORE, **BOTH, **values})


@pytest.mark.claim("rule-conditions")
@pytest.mark.parametrize(
    ("condition", "fields", "fires"),
    [
        ("stateCHANGESTO2^impact=3^EQ", {"state": "2"}, True),
        ("stateCHANGESTO2^impact=1^EQ", {"state": "2"}, False),
        ("stateCHANGESFROM1^EQ", {"state": "2"}, True),
        ("stateCHANGESFROM3^EQ", {"state": "2"}, False),
        ("urgencyVALCHANGES^ORstateVALCHANGES^EQ", {"state": "2"}, True),
        ("urgencyVALCHANGES^EQ", {"state": "2"}, False),
        ("impact=1^NQstateVALCHANGES^EQ", {"state": "2"}, True),
        ("commentsVALCHANGES^EQ", {"comments": "x"}, True),
        ("commentsVALCHANGES^EQ", {"work_notes": "x"}, False),
        ("impactIN1,3^categorySTARTSWITHinq^EQ", {"state": "2"}, True),
        ("sys_class_nameINSTANCEOFtask^EQ", {"state": "2"}, True),
        ("caller_id.name=nobody^EQ", {"state": "2"}, False),
    ],
)
def test_a_filter_may_ask_what_changes(
    instance: Instance, make: Make, change: Make, condition: str, fields: dict[str, str], fires: bool
) -> None:
    _rule(instance, filter_condition=condition, template="description=fired^EQ", action_insert="false")
    assert (change(make(), **fields)["description"] == "fired") is fires


@pytest.mark.claim("rule-conditions")
def test_role_conditions_name_who_must_be_writing(instance: Instance, make: Make) -> None:
    database = instance.database
    held = database.first("sys_user_role", name="itil") or {}
    foreign = database.first("sys_user_role", name="knowledge_admin") or database.insert(
        "sys_user_role", {"name": "knowledge_admin"}
    )
    row = _rule(instance, template="description=fired^EQ", role_conditions=foreign["sys_id"])
    assert make()["description"] == ""
    database.update("sys_script", row["sys_id"], {"role_conditions": f"{foreign['sys_id']},{held['sys_id']}"})
    assert make()["description"] == "fired"


@pytest.mark.claim("rule-actions")
def test_a_rule_sets_values_fields_expressions_and_journals(
    instance: Instance, make: Make, beth: Session
) -> None:
    template = (
        "description=a^^b^assigned_toSAMEAScaller_id^watch_list=javascript:gs.getUserID()^work_notes=noted^EQ"
    )
    _rule(instance, template=template)
    made = make(caller_id=beth.sys_id)
    assert (made["description"], made["assigned_to"], made["watch_list"]) == ("a^b", beth.sys_id, beth.sys_id)
    notes = instance.database.find("sys_journal_field", element_id=made["sys_id"])
    assert [row["value"] for row in notes] == ["noted"]


@pytest.mark.claim("rule-actions")
def test_only_a_before_rule_aborts(instance: Instance, make: Make) -> None:
    row = _rule(instance, when="after", abort_action="true")
    assert make()["number"]
    instance.database.update("sys_script", row["sys_id"], {"when": "before"})
    with pytest.raises(PlatformError, match="aborted by Business Rule 'R"):
        make()


@pytest.mark.claim("rule-actions")
def test_a_rule_aborts_over_rest_on_every_operation(instance: Instance, admin: Api) -> None:
    made = admin.create("incident", {"short_description": "keep me"})
    row = _rule(
        instance,
        name="Hands off",
        action_delete="true",
        filter_condition="short_descriptionSTARTSWITHkeep^EQ",
        abort_action="true",
        add_message="true",
        message="not this one",
    )
    said = (
        f"Operation against file 'incident' was aborted by Business Rule 'Hands off^{row['sys_id']}'."
        " Business Rule Stack:Hands off"
    )
    path = f"incident/{made['sys_id']}"
    assert admin.refused("PATCH", path, json={"state": "2"}) == (403, "Operation Failed", said)
    assert admin.refused("DELETE", path) == (403, "Operation Failed", said)
    assert admin.refused("POST", "incident", json={"short_description": "keep too"})[0] == 403
    assert (
        admin.change("incident", made["sys_id"], {"short_description": "free"})["short_description"] == "free"
    )
