"""The other product of a sync: reached, allowed, and speaking words that can be mapped."""

from __future__ import annotations

import pytest

from linkspan.core.errors import (
    BadReply,
    LinkspanError,
    NotAuthenticated,
    NotAuthorized,
    RateLimited,
    SecretUnavailable,
    Unreachable,
)
from linkspan.preflight.checks import far_side
from linkspan.preflight.context import FarSide

WORDS = frozenset({"triage", "live", "learning", "closed", "canceled"})


def far(**other):
    return FarSide(**{"key": "linkspan", "missing_roles": (), "severities": 3, "statuses": WORDS, **other})


def test_an_account_without_such_a_sync_has_nothing_to_ask(context):
    assert far_side.run(context()).outcome == "pass"


def test_a_far_side_that_answers_passes(context):
    answer = far_side.run(context(far_sides={"major": far}))
    assert (answer.outcome, answer.causes) == ("pass", ())
    assert answer.evidence["major"]["key"] == "linkspan"


@pytest.mark.parametrize(
    ("found", "outcome", "ids", "said"),
    [
        ({"missing_roles": ("incident_editor",)}, "fail", ["far_side_role_missing"], "role incident_editor"),
        ({"severities": 0}, "fail", ["far_side_unmappable"], "lacks any severity"),
        ({"statuses": WORDS - {"live"}}, "fail", ["far_side_unmappable"], "lacks live"),
        ({"severities": 7}, "warn", ["far_side_severities_merged"], "has 7 severities"),
        (
            {"severities": 7, "missing_roles": ("viewer",)},
            "fail",
            ["far_side_role_missing", "far_side_severities_merged"],
            "role viewer",
        ),
    ],
)
def test_what_is_wrong_is_named(context, found, outcome, ids, said):
    answer = far_side.run(context(far_sides={"major": lambda: far(**found)}))
    assert (answer.outcome, [cause.id for cause in answer.causes]) == (outcome, ids)
    assert said in answer.causes[0].fix
    assert "major" in answer.causes[0].fix


@pytest.mark.parametrize(
    ("error", "id"),
    [
        (SecretUnavailable("IO_KEY is not set"), "far_side_key_missing"),
        (NotAuthenticated("no"), "far_side_key_refused"),
        (NotAuthorized("no"), "far_side_role_missing"),
        (Unreachable("refused"), "far_side_unreachable"),
        (BadReply("html"), "far_side_unreachable"),
        (RateLimited("wait", retry_after=9), "far_side_unreachable"),
    ],
)
def test_an_error_is_a_cause_and_does_not_stop_the_next(context, error: LinkspanError, id: str):
    def ask():
        raise error

    answer = far_side.run(context(far_sides={"major": ask, "minor": far}))
    assert (answer.outcome, [cause.id for cause in answer.causes]) == ("fail", [id])
    assert list(answer.evidence) == ["minor"]
