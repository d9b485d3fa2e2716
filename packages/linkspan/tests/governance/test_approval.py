import pytest

from linkspan.core.errors import Rejected
from linkspan.governance.approval import judge
from linkspan.governance.request import Person

BETH = Person(sys_id="b" * 32, user_name="beth.anglin", name="Beth Anglin")
ITEM = {"sys_id": "i" * 32, "number": "RITM0010001"}
ROW = {
    "approver": BETH.sys_id,
    "sysapproval": ITEM["sys_id"],
    "state": "requested",
    "sys_updated_by": "admin",
    "sys_updated_on": "2026-03-01 09:30:00",
}


def decide(**change):
    return judge({**ROW, **change}, item=ITEM, manager=BETH)


def test_an_open_approval_decides_nothing():
    assert (decide().state, decide().by, decide().at) == ("requested", None, None)


@pytest.mark.parametrize(
    ("state", "answer"),
    [("approved", "approved"), ("rejected", "rejected"), ("cancelled", "rejected"), ("", "rejected")],
)
def test_the_managers_answer_is_read_and_only_a_yes_is_a_yes(state, answer):
    found = decide(state=state, sys_updated_by="Beth.Anglin")
    assert found.state == answer
    assert found.by == "Beth.Anglin"
    assert found.at == 1772357400


@pytest.mark.parametrize(
    "change",
    [
        {"state": "approved", "sys_updated_by": "admin"},
        {"state": "approved", "sys_updated_by": ""},
        {"state": "rejected", "sys_updated_by": "abel.tuter"},
        {"state": "approved", "sys_updated_by": "joe", "approver": "j" * 32},
        {"state": "requested", "approver": "j" * 32},
        {"state": "approved", "sys_updated_by": "beth.anglin", "sysapproval": "x" * 32},
    ],
    ids=str,
)
def test_an_answer_of_anybody_else_is_none(change):
    with pytest.raises(Rejected) as refused:
        decide(**change)
    assert refused.value.code == "not_the_manager"
