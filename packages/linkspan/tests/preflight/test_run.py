from __future__ import annotations

import pytest

from linkspan.core.check import PASSED, Answer, Check
from linkspan.core.errors import NotAuthorized, Unreachable
from linkspan.preflight.checks import CHECKS
from linkspan.preflight.run import run


def check(name, answer=PASSED, **more):
    def ask(_context):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Check(name=name, title=name, run=ask, **more)


def outcomes(report):
    return {one.check: one.answer.outcome for one in report.findings}


def test_what_needs_a_failed_check_is_skipped_down_the_line(context):
    checks = [
        check("a", Answer(outcome="fail")),
        check("b", needs=("a",)),
        check("c", needs=("b",)),
        check("d"),
    ]
    assert outcomes(run(checks, context())) == {"a": "fail", "b": "skip", "c": "skip", "d": "pass"}


def test_a_warning_does_not_stop_what_follows(context):
    checks = [check("a", Answer(outcome="warn")), check("b", needs=("a",))]
    report = run(checks, context())
    assert outcomes(report) == {"a": "warn", "b": "pass"}
    assert report.ok


def test_writing_checks_wait_to_be_asked(context):
    checks = [check("w", writes=True)]
    assert outcomes(run(checks, context())) == {"w": "skip"}
    assert outcomes(run(checks, context(), write=True)) == {"w": "pass"}


@pytest.mark.parametrize(
    ("error", "id"),
    [
        (Unreachable("gone"), "connection_broken"),
        (NotAuthorized("no", code="api_acl"), "api_acl_denied"),
        (NotAuthorized("no", code="scope_unscoped"), "oauth_scope_restricted"),
        (NotAuthorized("no"), "read_denied"),
    ],
)
def test_an_error_of_the_line_is_a_failed_check_with_a_cause(context, error, id):
    report = run([check("a", error)], context())
    (finding,) = report.findings
    assert finding.answer.outcome == "fail"
    assert finding.answer.causes[0].id == id


def test_a_bug_in_a_check_is_not_taken_for_an_answer(context):
    with pytest.raises(ZeroDivisionError):
        run([check("a", ZeroDivisionError())], context())


def test_every_check_comes_after_what_it_needs():
    seen = set()
    for one in CHECKS:
        assert set(one.needs) <= seen, one.name
        seen.add(one.name)


def test_the_document_has_the_published_shape(context):
    document = run([check("a", Answer(outcome="unknown"))], context()).document()
    assert document["summary"] == {"passed": 0, "warned": 0, "failed": 0, "skipped": 0, "unknown": 1}
    (one,) = document["checks"]
    assert {"instance", "account", "check", "outcome", "causes", "evidence", "ms"} <= set(one)
