from types import SimpleNamespace
from typing import Any

import pytest

from linkspan.core.errors import NotAuthorized
from linkspan.governance.inventory import last_use, reasons, take_inventory

OURS = {"svc.ours": "reporter"}
MACHINE = {
    "sys_id": "1",
    "user_name": "svc.machine",
    "name": "A machine",
    "active": "true",
    "identity_type": "machine",
    "web_service_access_only": "true",
    "manager.user_name": "abel.tuter",
}
EXPLORING = {"sys_id": "2", "user_name": "svc.ours", "active": "true", "identity_type": "human"}
PERSON = {"sys_id": "3", "user_name": "beth.anglin", "active": "true", "identity_type": "human"}


class Line:
    """Answers keyset sweeps with fixed rows, one on a page, and keeps what was asked."""

    def __init__(self, **tables: list[dict[str, str]] | Exception) -> None:
        self._tables = tables
        self.asked: list[tuple[str, str]] = []
        self.table = SimpleNamespace(keyset=self._keyset)

    def _keyset(self, table: str, *, query: str, fields: Any) -> Any:
        self.asked.append((table, query))
        rows = self._tables.get(table, [])
        if isinstance(rows, Exception):
            raise rows
        for row in rows:
            yield [row]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (MACHINE, ("identity type machine", "web service access only")),
        (EXPLORING, ("in linkspan.yaml",)),
        ({"internal_integration_user": "true"}, ("internal integration user",)),
        (PERSON, ()),
        ({"identity_type": "", "web_service_access_only": "false"}, ()),
    ],
)
def test_what_counts_as_a_machines_account(row, words):
    assert reasons(row, OURS) == words


@pytest.mark.parametrize(
    ("row", "at", "part"),
    [
        ({"web_service_access_only": "true"}, "", "it can have none"),
        ({"web_service_access_only": "false"}, "", "never signed in"),
        ({"last_login_time": "2026-01-02 03:04:05"}, "2026-01-02 03:04:05", "leave no mark"),
        (
            {"last_login_time": "2026-01-02 03:04:05", "web_service_access_only": "true"},
            "2026-01-02 03:04:05",
            "before it was reduced",
        ),
    ],
)
def test_an_unknown_last_use_says_why(row, at, part):
    assert last_use(row)[0] == at
    assert part in last_use(row)[1]


def test_an_issued_token_is_the_newer_sign_of_life():
    row = {"last_login_time": "2026-01-02 03:04:05"}
    assert last_use(row, "2026-01-03 00:00:00")[0] == "2026-01-03 00:00:00"
    assert "token" in last_use(row, "2026-01-03 00:00:00")[1]
    assert last_use(row, "2026-01-01 00:00:00")[0] == "2026-01-02 03:04:05"
    tokens = [{"user": "1", "sys_created_on": f"2026-02-0{day} 00:00:00"} for day in (2, 3, 1)]
    line = Line(sys_user=[MACHINE], oauth_credential=tokens)
    assert take_inventory(line, {})[0].last_used == "2026-02-03 00:00:00"  # type: ignore[arg-type]


def test_tokens_that_may_not_be_read_are_no_failure():
    line = Line(sys_user=[MACHINE], oauth_credential=NotAuthorized("no"))
    assert take_inventory(line, {})[0].last_used == ""  # type: ignore[arg-type]
    with pytest.raises(NotAuthorized):
        take_inventory(Line(sys_user=[MACHINE], sys_user_has_role=NotAuthorized("no")), {})  # type: ignore[arg-type]


def test_an_instance_that_ignores_the_condition_lists_no_people():
    line = Line(sys_user=[PERSON, MACHINE, EXPLORING])
    listed = take_inventory(line, OURS)  # type: ignore[arg-type]
    assert [one.user_name for one in listed] == ["svc.machine", "svc.ours"]
    assert [one.account for one in listed] == ["", "reporter"]
    assert [one.owner for one in listed] == ["abel.tuter", ""]


def test_roles_and_groups_come_together():
    line = Line(
        sys_user=[MACHINE],
        sys_user_has_role=[
            {"user": "1", "role.name": "itil", "inherited": "true"},
            {"user": "1", "role.name": "web_service_admin", "inherited": "true"},
            {"user": "1", "role.name": "web_service_admin", "inherited": "false"},
            {"user": "9", "role.name": "admin", "inherited": "false"},
        ],
        sys_user_grmember=[{"user": "1", "group.name": "ServiceNow Service Accounts"}],
    )
    (one,) = take_inventory(line, {})  # type: ignore[arg-type]
    assert [(role.name, role.inherited) for role in one.roles] == [
        ("itil", True),
        ("web_service_admin", False),
    ]
    assert one.groups == ("ServiceNow Service Accounts",)
    assert one.document()["roles"][0] == {"name": "itil", "inherited": True}


def test_many_accounts_are_asked_about_in_addresses_that_fit():
    users = [{**MACHINE, "sys_id": f"{n:032d}", "user_name": f"svc.{n}"} for n in range(120)]
    line = Line(sys_user=users)
    take_inventory(line, {})  # type: ignore[arg-type]
    asked = [query for table, query in line.asked if table == "sys_user_has_role"]
    assert len(asked) == 3
    assert all(len(query) < 2000 for query in asked)
    assert all(row["sys_id"] in "".join(asked) for row in users)
