from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from linkspan.core.errors import Ambiguous, Rejected
from linkspan.governance.request import (
    Asked,
    Person,
    correlation,
    open_records,
    person,
    require_manager,
    require_separate,
)

ASKED = Asked(
    account="reporter",
    user_name="svc.reporter",
    owner="abel.tuter",
    scheme="oauth_password",
    recipe="governed-account",
    instances=("dev (https://dev.example)",),
    gives=("the role itil: because",),
)
ABEL = Person(sys_id="a" * 32, user_name="abel.tuter", name="Abel Tuter", manager="beth.anglin")
BETH = Person(sys_id="b" * 32, user_name="beth.anglin", name="Beth Anglin")
STORY = {"requester": "abel.tuter", "manager": "beth.anglin", "owner": "abel.tuter", "user_name": "svc.x"}


class Rows:
    """Tables in memory, with the calls of a connection's table family that requests use."""

    def __init__(self, **tables: list[dict[str, str]]) -> None:
        self.tables: dict[str, list[dict[str, str]]] = dict(tables)
        self.lose = ""  # the table whose next create commits and loses its answer

    @property
    def table(self) -> "Rows":
        return self

    def first(self, table: str, query: str, fields: Any = ()) -> dict[str, str] | None:
        name, _, value = query.partition("=")
        return next((row for row in self.tables.get(table, []) if row.get(name) == value), None)

    def page(self, table: str, *, query: str, fields: Any, limit: int) -> Any:
        terms = [term.split("=") for term in query.split("^")]
        rows = [row for row in self.tables.get(table, []) if all(row.get(n) == v for n, v in terms)]
        return SimpleNamespace(rows=rows[:limit])

    def create(self, table: str, values: Any, *, fields: Any = (), correlation_id: str = "") -> Any:
        known = self.first(table, f"correlation_id={correlation_id}") if correlation_id else None
        if known is not None:
            return known
        rows = self.tables.setdefault(table, [])
        number = f"{table}{len(rows) + 1}"
        rows.append({"sys_id": number, "number": number, "correlation_id": correlation_id, **values})
        if self.lose == table:
            self.lose = ""
            raise Ambiguous("lost")
        return rows[-1]


def ask(rows: Rows, token: str = "one") -> dict[str, dict[str, str]]:
    return open_records(
        rows,  # type: ignore[arg-type]
        rows,
        asked=ASKED,
        requester=ABEL,
        manager=BETH,
        reason="nightly report",
        expires_at=1_800_000_000,
        token=token,
    )


def test_two_people_stand_behind_a_request():
    require_separate(**STORY)


@pytest.mark.parametrize(
    "change",
    [
        {"manager": "Abel.Tuter"},
        {"requester": "beth.anglin"},
        {"owner": "beth.anglin"},
        {"user_name": "abel.tuter"},
        {"user_name": "beth.anglin"},
    ],
    ids=str,
)
def test_nobody_approves_what_is_theirs(change):
    with pytest.raises(Rejected) as refused:
        require_separate(**{**STORY, **change})
    assert refused.value.code == "self_approval"


def test_the_manager_on_record_decides_and_nobody_else():
    assert require_manager(ABEL, "") == "beth.anglin"
    assert require_manager(ABEL, "Beth.Anglin") == "beth.anglin"
    with pytest.raises(Rejected) as refused:
        require_manager(ABEL, "joe.employee")
    assert refused.value.code == "not_the_manager"
    nobody = replace(ABEL, manager="")
    assert require_manager(nobody, "joe.employee") == "joe.employee"
    with pytest.raises(Rejected) as refused:
        require_manager(nobody, "")
    assert refused.value.code == "no_manager"


@pytest.mark.parametrize(
    "rows",
    [[], [{"user_name": "abel.tuter", "active": "false"}], [{"user_name": "abel.tuter"}]],
    ids=["absent", "inactive", "unknown"],
)
def test_a_person_must_be_there_and_active(rows):
    with pytest.raises(Rejected) as refused:
        person(Rows(sys_user=rows), "abel.tuter")  # type: ignore[arg-type]
    assert refused.value.code == "unknown_person"


def test_a_user_name_cannot_smuggle_a_script():
    with pytest.raises(Rejected):
        person(Rows(), "javascript:gs.getUserID()")  # type: ignore[arg-type]


def test_the_question_is_told_whole_and_its_digest_changes_with_it():
    words = ASKED.words(ABEL, "nightly report", 1_800_000_000)
    for part in ("svc.reporter", "nightly report", "abel.tuter", "dev (https://dev.example)", "role itil"):
        assert part in words
    assert "2027-01-15 08:00:00" in words
    others = [
        replace(ASKED, instances=("prod (https://prod.example)",)),
        replace(ASKED, gives=("the role admin: because",)),
        replace(ASKED, owner="joe.employee"),
    ]
    assert len({ASKED.digest, *(other.digest for other in others)}) == 4


def test_the_records_hang_together():
    rows = Rows()
    made = ask(rows)
    (request,), (item,), (approval,) = (
        rows.tables[name] for name in ("sc_request", "sc_req_item", "sysapproval_approver")
    )
    assert item["request"] == request["sys_id"]
    assert (approval["sysapproval"], approval["document_id"]) == (item["sys_id"], item["sys_id"])
    assert (approval["approver"], approval["state"]) == (BETH.sys_id, "requested")
    assert request["correlation_id"] == item["correlation_id"] == correlation("one", ASKED)
    assert made["sc_req_item"] == {"sys_id": item["sys_id"], "number": item["number"]}


@pytest.mark.parametrize("table", ["sc_request", "sc_req_item", "sysapproval_approver"])
def test_a_lost_answer_makes_nothing_twice(table):
    rows = Rows()
    rows.lose = table
    with pytest.raises(Ambiguous):
        ask(rows)
    ask(rows)
    assert {name: len(made) for name, made in rows.tables.items()} == {
        "sc_request": 1,
        "sc_req_item": 1,
        "sysapproval_approver": 1,
    }


def test_another_request_makes_records_of_its_own():
    rows = Rows()
    ask(rows)
    ask(rows, token="two")
    assert len(rows.tables["sc_req_item"]) == len(rows.tables["sysapproval_approver"]) == 2
