"""Checks ask for what the account's recipe asks for, and for nothing else."""

from __future__ import annotations

import pytest

from linkspan.preflight.checks import account_flags, incident_read, incident_write


class Line:
    """An instance on which the user is this row."""

    def __init__(self, **row: str) -> None:
        self.table = self
        self._row = {"sys_id": "1", "time_zone": "GMT", "manager": "2", **row}

    def first(self, _table, _query, _fields):
        return self._row


@pytest.mark.parametrize("check", [incident_read, incident_write])
def test_incidents_are_left_alone_when_the_recipe_uses_none(context, check):
    answer = check.run(context(uses=()))
    assert answer.outcome == "skip"
    assert "recipe" in answer.evidence["reason"]


@pytest.mark.parametrize(
    ("asked", "causes"),
    [
        ({}, ["web_service_access_off", "not_machine"]),
        ({"machine": False, "services_only": False}, []),
    ],
)
def test_a_human_user_is_a_warning_unless_the_recipe_asks_for_one(context, asked, causes):
    line = Line(identity_type="human", web_service_access_only="false")
    answer = account_flags.run(context(line=lambda: line, **asked))
    assert [cause.id for cause in answer.causes] == causes
