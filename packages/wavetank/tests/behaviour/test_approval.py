"""Requests, their items, and who approves them."""

import re
from typing import Any

import pytest

from wavetank.instance import Instance

TABLE = "sysapproval_approver"


def item(admin: Any, requester: Any) -> Any:
    """A request item for somebody."""
    user = user_id(requester)
    request = admin.create("sc_request", {"requested_for": user})
    (catalog,) = admin.get("sc_cat_item", sysparm_query="name=ServiceNow service account")
    values = {"request": request["sys_id"], "cat_item": catalog["sys_id"], "requested_for": user}
    return admin.create("sc_req_item", values)


def user_id(who: Any) -> str:
    (found,) = who.get("sys_user", sysparm_query="sys_id=javascript:gs.getUserID()")
    return str(found["sys_id"])


def ask(admin: Any, about: Any, approver: Any, state: str = "requested") -> str:
    """An approval asked of somebody; its sys_id."""
    values = {"sysapproval": about["sys_id"], "approver": user_id(approver), "state": state}
    return str(admin.create(TABLE, values)["sys_id"])


def approval(admin: Any, about: Any) -> str:
    return str(admin.get(f"sc_req_item/{about['sys_id']}")["approval"])


def switch_off(instance: Instance, name: str) -> None:
    for row in instance.database.find("sys_script", name=name):
        instance.database.update("sys_script", row["sys_id"], {"active": "false"})


@pytest.fixture
def requester(admin: Any) -> Any:
    return admin.user("requester")


@pytest.fixture
def manager(admin: Any) -> Any:
    return admin.user("manager")


@pytest.mark.claim("request-numbers-and-defaults")
def test_a_request_and_its_parts_are_numbered_and_open(admin: Any, requester: Any) -> None:
    about = item(admin, requester)
    request = admin.get(f"sc_request/{about['request']['value']}")
    task = admin.create("sc_task", {"request_item": about["sys_id"], "request": request["sys_id"]})
    for row, prefix in ((request, "REQ"), (about, "RITM"), (task, "SCTASK")):
        assert re.fullmatch(rf"{prefix}\d{{7}}", row["number"])
        assert (row["approval"], row["state"], row["active"]) == ("not requested", "1", "true")
    assert request["request_state"] == "requested"
    assert admin.get(f"task/{about['sys_id']}")["sys_class_name"] == "sc_req_item"


@pytest.mark.claim("approval-link")
def test_an_approval_says_what_it_is_about(
    admin: Any, requester: Any, manager: Any, instance: Instance
) -> None:
    about = item(admin, requester)
    made = admin.get(f"{TABLE}/{ask(admin, about, manager)}")
    assert made["sysapproval"]["value"] == about["sys_id"]
    assert (made["source_table"], made["document_id"]) == ("sc_req_item", about["sys_id"])
    by_document = {"document_id": about["sys_id"], "source_table": "sc_req_item"}
    assert admin.create(TABLE, by_document)["sysapproval"]["value"] == about["sys_id"]
    switch_off(instance, "Approval names its task")
    assert admin.create(TABLE, by_document)["sysapproval"] == ""


@pytest.mark.claim("approval-opens")
def test_an_approval_starts_open(admin: Any, requester: Any, manager: Any, instance: Instance) -> None:
    about = item(admin, requester)
    values = {"sysapproval": about["sys_id"], "approver": user_id(manager)}
    assert admin.create(TABLE, values)["state"] == "not requested"
    assert approval(admin, about) == "not requested"
    for state in ("approved", "rejected"):
        status, message, detail = admin.refused("POST", TABLE, json={**values, "state": state})
        assert (status, message) == (403, "Operation Failed")
        assert "Approval starts open" in str(detail)
    switch_off(instance, "Approval starts open")
    assert admin.create(TABLE, {**values, "state": "approved"})["state"] == "approved"


@pytest.mark.claim("approval-decides")
def test_the_approver_decides_once(admin: Any, requester: Any, manager: Any) -> None:
    about = item(admin, requester)
    asked = ask(admin, about, manager, state="not requested")
    status, _, detail = manager.refused("PATCH", f"{TABLE}/{asked}", json={"state": "approved"})
    assert status == 403
    assert "Approval is decided by its approver" in str(detail)
    assert admin.refused("PATCH", f"{TABLE}/{asked}", json={"state": "approved"})[0] == 403
    admin.change(TABLE, asked, {"state": "requested"})
    assert approval(admin, about) == "requested"
    assert manager.change(TABLE, asked, {"state": "approved"})["state"] == "approved"
    for state in ("rejected", "requested"):
        assert manager.refused("PATCH", f"{TABLE}/{asked}", json={"state": state})[0] == 403
    assert approval(admin, about) == "approved"


@pytest.mark.claim("approval-decides")
@pytest.mark.parametrize(("role", "status"), [("approval_admin", 200), ("itil", 404), ("approver_user", 404)])
def test_nobody_decides_for_another_but_an_approval_administrator(
    admin: Any, requester: Any, manager: Any, role: str, status: int
) -> None:
    asked = ask(admin, item(admin, requester), manager)
    other = admin.user("other", role)
    assert other.call("PATCH", f"{TABLE}/{asked}", json={"state": "approved"}).status_code == status


def test_the_rule_holds_where_an_access_control_lets_somebody_through(
    admin: Any, requester: Any, manager: Any, instance: Instance
) -> None:
    asked = ask(admin, item(admin, requester), manager)
    admin.instance.configure({"acl": "off"})
    assert requester.refused("PATCH", f"{TABLE}/{asked}", json={"state": "approved"})[0] == 403
    switch_off(instance, "Approval is decided by its approver")
    assert requester.change(TABLE, asked, {"state": "approved"})["state"] == "approved"


@pytest.mark.claim("approval-access")
def test_who_sees_and_writes_what(admin: Any, requester: Any, manager: Any) -> None:
    stranger, agent = admin.user("stranger"), admin.user("agent", "itil")
    about = item(admin, requester)
    asked = ask(admin, about, manager)
    assert [row["sys_id"] for row in manager.get(TABLE)] == [asked]
    assert [row["sys_id"] for row in requester.get("sc_req_item")] == [about["sys_id"]]
    assert [row["sys_id"] for row in requester.get("sc_request")] == [about["request"]["value"]]
    part = admin.create("sc_req_item", {"request": about["request"]["value"]})
    assert {row["sys_id"] for row in requester.get("sc_req_item")} == {about["sys_id"], part["sys_id"]}
    assert {row["sys_id"] for row in agent.get("sc_req_item")} == {about["sys_id"], part["sys_id"]}
    for table in (TABLE, "sc_req_item", "sc_request"):
        assert stranger.get(table) == []
    # An approver cannot hand the approval on or point it at something else.
    before = manager.get(f"{TABLE}/{asked}")
    after = manager.change(TABLE, asked, {"approver": user_id(stranger), "sysapproval": "", "comments": "ok"})
    assert (after["approver"], after["sysapproval"]) == (before["approver"], before["sysapproval"])
    assert manager.refused("DELETE", f"{TABLE}/{asked}")[0] == 403
    assert requester.refused("PATCH", f"{TABLE}/{asked}", json={"state": "approved"})[0] in {403, 404}
    # Nobody without the role makes an approval, not even of oneself.
    own = {"sysapproval": about["sys_id"], "approver": user_id(requester), "state": "requested"}
    assert requester.refused("POST", TABLE, json=own)[0] == 403


@pytest.mark.claim("approval-access")
def test_a_requester_sees_the_approvals_of_what_it_opened(admin: Any, manager: Any) -> None:
    requester = admin.user("clerk", "itil")
    request = requester.create("sc_request", {"short_description": "one account"})
    asked = ask(admin, request, manager)
    assert [row["sys_id"] for row in requester.get(TABLE)] == [asked]
    assert request["requested_for"]["value"] == user_id(requester)


@pytest.mark.claim("approval-outcome")
def test_all_approvers_are_needed(admin: Any, requester: Any, manager: Any) -> None:
    second, about = admin.user("second"), item(admin, requester)
    first_asked, second_asked = ask(admin, about, manager), ask(admin, about, second)
    assert approval(admin, about) == "requested"
    manager.change(TABLE, first_asked, {"state": "approved"})
    assert approval(admin, about) == "requested"
    second.change(TABLE, second_asked, {"state": "approved"})
    assert approval(admin, about) == "approved"
    assert admin.get(f"sc_req_item/{about['sys_id']}")["approval_set"]


@pytest.mark.claim("approval-outcome")
def test_one_approver_is_enough_where_any_may_decide(admin: Any, requester: Any, manager: Any) -> None:
    admin.instance.configure({"approval_needs": "any"})
    second, third, about = admin.user("second"), admin.user("third"), item(admin, requester)
    asked = [ask(admin, about, who) for who in (manager, second, third)]
    manager.change(TABLE, asked[0], {"state": "approved"})
    assert approval(admin, about) == "approved"
    for each in asked[1:]:
        left = admin.get(f"{TABLE}/{each}")
        assert (left["state"], left["sys_mod_count"]) == ("not_required", "1")
    assert second.refused("PATCH", f"{TABLE}/{asked[1]}", json={"state": "rejected"})[0] == 403


@pytest.mark.claim("approval-rejected")
@pytest.mark.parametrize("needs", ["all", "any"])
def test_one_rejection_closes_the_item(admin: Any, requester: Any, manager: Any, needs: str) -> None:
    admin.instance.configure({"approval_needs": needs})
    second, about = admin.user("second"), item(admin, requester)
    asked, other = ask(admin, about, manager), ask(admin, about, second)
    manager.change(TABLE, asked, {"state": "rejected", "comments": "not without an owner"})
    row = admin.get(f"sc_req_item/{about['sys_id']}")
    assert (row["approval"], row["state"], row["active"]) == ("rejected", "4", "false")
    assert row["closed_by"]["value"] == user_id(manager)
    assert admin.get(f"{TABLE}/{other}")["state"] == "not_required"


@pytest.mark.claim("approval-rejected")
def test_a_rejected_item_stays_open_without_the_rule(
    admin: Any, requester: Any, manager: Any, instance: Instance
) -> None:
    switch_off(instance, "Rejected request item")
    about = item(admin, requester)
    manager.change(TABLE, ask(admin, about, manager), {"state": "rejected"})
    row = admin.get(f"sc_req_item/{about['sys_id']}")
    assert (row["approval"], row["state"]) == ("rejected", "1")


def test_a_rejected_request_is_closed(admin: Any, requester: Any, manager: Any) -> None:
    request = admin.create("sc_request", {"requested_for": user_id(requester)})
    manager.change(TABLE, ask(admin, request, manager), {"state": "rejected"})
    row = admin.get(f"sc_request/{request['sys_id']}")
    assert (row["approval"], row["state"], row["request_state"]) == ("rejected", "4", "closed_rejected")


@pytest.mark.claim("approval-outcome-rule")
def test_without_its_rule_the_task_follows_nobody(
    admin: Any, requester: Any, manager: Any, instance: Instance
) -> None:
    switch_off(instance, "Approval outcome")
    about = item(admin, requester)
    manager.change(TABLE, ask(admin, about, manager), {"state": "approved"})
    assert approval(admin, about) == "not requested"


@pytest.mark.claim("approval-stage")
def test_the_stage_of_an_item_follows_its_approval(
    admin: Any, requester: Any, manager: Any, instance: Instance
) -> None:
    about = item(admin, requester)
    asked = ask(admin, about, manager)
    assert admin.get(f"sc_req_item/{about['sys_id']}")["stage"] == "waiting_for_approval"
    manager.change(TABLE, asked, {"state": "approved"})
    assert admin.get(f"sc_req_item/{about['sys_id']}")["stage"] == "fulfillment"
    switch_off(instance, "Stage of a request item")
    other = item(admin, requester)
    ask(admin, other, manager)
    assert admin.get(f"sc_req_item/{other['sys_id']}")["stage"] == ""
